/* Edges of wait, clone, limits and queues of signals: what is told where nobody can be told, flags that go together with no child, limits of another process, RLIMIT_SIGPENDING.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAY(call) do { errno = 0; long answer = (long)(call); printf("%s: %ld %s\n", #call, answer, answer < 0 ? strerrorname_np(errno) : ""); } while (0)

static pid_t ended(int status) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(status);
  return child;
}

static void waits(void) {
  int status;
  siginfo_t info;
  void *nowhere = (void *)8;
  pid_t child = ended(3);
  memset(&info, 0x55, sizeof info);
  SAY(waitid(P_PID, child, nowhere, WEXITED | WNOWAIT));
  SAY(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
  printf("signal %d of the child %d status %d, the rest as it was %d\n", info.si_signo, info.si_pid == child, info.si_status, ((unsigned char *)&info)[100]);
  SAY(waitid(P_PID, child, &info, WSTOPPED | WNOHANG));
  printf("signal %d pid %d\n", info.si_signo, info.si_pid);
  SAY(waitpid(child, nowhere, 0));
  SAY(waitpid(child, &status, WNOHANG));
  child = ended(4);
  SAY(waitid(P_PID, child, nowhere, WEXITED));
  SAY(waitid(P_PID, child, &info, WEXITED));
  SAY(waitid(P_PGID, -5, &info, WEXITED));
  int process = syscall(SYS_pidfd_open, getpid(), 0);
  SAY(lseek(process, 0, SEEK_SET));
}

static long clone_with(uint64_t flags, uint64_t ids) {
  struct clone_args how = { .flags = flags, .exit_signal = flags & (CLONE_THREAD | CLONE_PARENT) ? 0 : SIGCHLD, .set_tid = ids ? 1 : 0, .set_tid_size = ids };
  long child = syscall(SYS_clone3, &how, sizeof how);
  if (child == 0) _exit(0);
  return child;
}

static void births(void) {
  SAY(clone_with(CLONE_FS | CLONE_NEWNS, 0));
  SAY(clone_with(CLONE_FS | CLONE_NEWUSER, 0));
  SAY(clone_with(CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0));
  SAY(clone_with(CLONE_SIGHAND, 0));
  SAY(clone_with(CLONE_THREAD, 0));
  SAY(clone_with(0, 33));
  SAY(syscall(SYS_clone, CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, 0, 0, 0, 0));
}

static void limits(void) {
  int doors[2];
  char byte;
  struct rlimit wanted = { 33, 40 }, old, now;
  pipe(doors);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    close(doors[1]);
    read(doors[0], &byte, 1);
    getrlimit(RLIMIT_NOFILE, &now);
    printf("the child has %d %d, dup2 to 33: %d\n", (int)now.rlim_cur, (int)now.rlim_max, dup2(1, 33));
    fflush(stdout);
    _exit(0);
  }
  SAY(prlimit(child, RLIMIT_NOFILE, &wanted, &old));
  SAY(prlimit(child, RLIMIT_NOFILE, 0, &now));
  printf("told %d %d\n", (int)now.rlim_cur, (int)now.rlim_max);
  wanted.rlim_cur = 50;
  SAY(prlimit(child, RLIMIT_NOFILE, &wanted, 0));
  SAY(prlimit(child, 99, 0, &now));
  SAY(prlimit(999999, RLIMIT_NOFILE, 0, &now));
  close(doors[1]);
  waitpid(child, 0, 0);
}

/* In a process of a user of its own, so that nobody else's signals count. */
static void queues(void) {
  fflush(stdout);
  pid_t child = fork();
  if (child != 0) { waitpid(child, 0, 0); return; }
  struct rlimit few = { 5, 5 };
  struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
  union sigval value = { .sival_int = 1 };
  sigset_t all;
  siginfo_t info;
  timer_t timer;
  setuid(1000);
  sigfillset(&all), sigprocmask(SIG_SETMASK, &all, 0);
  setrlimit(RLIMIT_SIGPENDING, &few);
  for (int i = 0; i < 7; i++) SAY(sigqueue(getpid(), SIGRTMIN, value));
  SAY(sigqueue(getpid(), SIGUSR1, value));
  SAY(kill(getpid(), SIGRTMIN + 1));
  SAY(kill(getpid(), SIGUSR2));
  SAY(timer_create(CLOCK_MONOTONIC, &event, &timer));
  for (struct timespec none = { 0, 0 }; sigtimedwait(&all, &info, &none) > 0;) printf("signal %d code %d pid %d value %d\n", info.si_signo, info.si_code, info.si_pid == getpid(), info.si_code == SI_QUEUE ? info.si_int : 0);
  for (int i = 0; i < 4; i++) SAY(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  SAY(sigqueue(getpid(), SIGRTMIN, value));
  SAY(sigqueue(getpid(), SIGRTMIN, value));
  fflush(stdout);
  _exit(0);
}

static void timers(void) {
  struct { uint64_t value; int signal, notify, thread, rest[11]; } event = { 0, 0, SIGEV_SIGNAL };
  int id;
  SAY(syscall(SYS_timer_create, CLOCK_REALTIME, &event, &id));
  event.signal = SIGUSR1, event.notify = SIGEV_THREAD_ID;
  SAY(syscall(SYS_timer_create, CLOCK_REALTIME, &event, &id));
  event.notify = SIGEV_SIGNAL;
  SAY(syscall(SYS_timer_create, CLOCK_REALTIME, &event, &id));
  SAY(syscall(SYS_timer_settime, id, 0, 0, 0));
}

int main(void) {
  waits(), births(), limits(), queues(), timers();
  return 0;
}
