/* Descriptors that tell of timers (timerfd), signals (signalfd) and processes (pidfd): reading, waiting, polling, epoll, edges of their calls.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
static int fails(long result, int error) { return result == -1 && errno == error; }
static int ready(int fd, int wait) { struct pollfd one = {fd, POLLIN, 0}; return poll(&one, 1, wait) > 0 ? one.revents : 0; }
static struct itimerspec after(long ms, long every) { return (struct itimerspec){{every / 1000, every % 1000 * 1000000}, {ms / 1000, ms % 1000 * 1000000}}; }
static void timers(void) {
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC); uint64_t n = 0; struct itimerspec s = after(300, 0), was; long got;
  printf("idle %d ", ready(fd, 0)); timerfd_settime(fd, 0, &s, 0); timerfd_gettime(fd, &was); printf("armed %d interval %ld ", was.it_value.tv_nsec > 0 && was.it_value.tv_nsec <= 300000000, (long)was.it_interval.tv_nsec);
  printf("not yet %d ", ready(fd, 1)); got = read(fd, &n, 8); printf("read %ld of %llu", got, (unsigned long long)n); timerfd_gettime(fd, &was); printf(" then %ld idle %d\n", (long)was.it_value.tv_nsec, ready(fd, 0));
  s = after(10, 10); timerfd_settime(fd, 0, &s, 0); usleep(45000); got = read(fd, &n, 8); printf("four %d ", n >= 4); got = read(fd, &n, 8); printf("next %d ", got == 8 && n >= 1);
  s = after(0, 0); timerfd_settime(fd, 0, &s, &was); printf("interval was %ld, disarmed %d\n", (long)was.it_interval.tv_nsec, ready(fd, 0));
  fcntl(fd, F_SETFL, O_NONBLOCK); printf("nothing %d short %d write %d seek %ld ", fails(read(fd, &n, 8), EAGAIN), fails(read(fd, &n, 4), EINVAL), fails(write(fd, &n, 8), EINVAL), (long)lseek(fd, 0, SEEK_SET));
  s.it_value.tv_nsec = 1000000000; printf("bad time %d flags %d clock %d not one %d\n", fails(timerfd_settime(fd, 0, &s, 0), EINVAL), fails(timerfd_settime(fd, 99, &s, 0), EINVAL), fails(timerfd_create(77, 0), EINVAL), fails(timerfd_settime(0, 0, &(struct itimerspec){0}, 0), EINVAL));
  struct timespec now; clock_gettime(CLOCK_REALTIME, &now); int real = timerfd_create(CLOCK_REALTIME, 0); s = (struct itimerspec){{0, 0}, {now.tv_sec, now.tv_nsec + 1}}; if (s.it_value.tv_nsec > 999999999) s.it_value.tv_nsec = 999999999; timerfd_settime(real, TFD_TIMER_ABSTIME, &s, 0);
  got = read(real, &n, 8); printf("past %ld %llu\n", got, (unsigned long long)n); close(real);
  int e = epoll_create1(0); struct epoll_event event = {EPOLLIN | EPOLLET, {.u32 = 5}}, out; epoll_ctl(e, EPOLL_CTL_ADD, fd, &event); s = after(5, 5); timerfd_settime(fd, 0, &s, 0);
  for (int i = 0; i < 3; i++) { int count = epoll_wait(e, &out, 1, 1000); printf("edge %d %u ", count, out.data.u32); read(fd, &n, 8); } printf("\n"); close(e); close(fd);
}
static void *deliver(void *to) { usleep(10000); kill(getpid(), *(int *)to); return 0; }
static void signals(void) {
  sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR1); sigaddset(&set, SIGRTMIN + 1); sigaddset(&set, SIGCHLD); sigprocmask(SIG_BLOCK, &set, 0); struct signalfd_siginfo info[3]; long n;
  int fd = signalfd(-1, &set, SFD_NONBLOCK); printf("none %d ready %d ", fails(read(fd, info, sizeof info), EAGAIN), ready(fd, 0)); raise(SIGUSR1); sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 42}); sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 43});
  printf("ready %d ", ready(fd, 0)); n = read(fd, info, sizeof info); printf("read %ld: %u own %d, %d value %d code %d, %d\n", n / (long)sizeof *info, info[0].ssi_signo, info[0].ssi_pid == getpid(), info[1].ssi_signo == SIGRTMIN + 1, info[1].ssi_int, info[1].ssi_code, info[2].ssi_int);
  fcntl(fd, F_SETFL, 0); int number = SIGUSR1; pthread_t thread; pthread_create(&thread, 0, deliver, &number); n = read(fd, info, sizeof info); printf("waited %ld %u\n", n / (long)sizeof *info, info[0].ssi_signo); pthread_join(thread, 0);
  if (fork() == 0) _exit(6); printf("child ready %d ", ready(fd, -1)); n = read(fd, info, sizeof *info); printf("%u status %d code %d\n", info[0].ssi_signo, info[0].ssi_status, info[0].ssi_code); wait(0);
  sigdelset(&set, SIGUSR1); printf("changed %d ", signalfd(fd, &set, 0) == fd); raise(SIGUSR1); printf("not of it %d still pending ", ready(fd, 0)); sigpending(&set); printf("%d\n", sigismember(&set, SIGUSR1));
  printf("short %d not one %d size %d\n", fails(read(fd, info, 100), EINVAL), fails(signalfd(0, &set, 0), EINVAL), fails(syscall(SYS_signalfd4, -1, &set, 4L, 0), EINVAL)); close(fd);
}
static void processes(void) {
  int go[2], fd, other, status; char text[8] = {0}; pipe(go); pid_t child = fork();
  if (child == 0) { signal(SIGTERM, SIG_DFL); close(go[1]); read(go[0], text, 1); pause(); _exit(1); }
  fd = syscall(SYS_pidfd_open, child, 0); printf("open %d cloexec %d ready %d ", fd >= 0, fcntl(fd, F_GETFD), ready(fd, 0)); siginfo_t info = {0};
  printf("nothing yet %d %d ", waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG), info.si_pid); other = syscall(SYS_pidfd_getfd, fd, go[0], 0); printf("its pipe %d ", other >= 0);
  write(go[1], "ab", 2); printf("probe %ld term %ld ", syscall(SYS_pidfd_send_signal, fd, 0, 0, 0), syscall(SYS_pidfd_send_signal, fd, SIGTERM, 0, 0)); printf("over %d\n", ready(fd, -1));
  waitid(P_PIDFD, fd, &info, WEXITED); printf("waited own %d code %d status %d; gone %d read %d ", info.si_pid == child, info.si_code, info.si_status, fails(syscall(SYS_pidfd_send_signal, fd, 0, 0, 0), ESRCH), fails(read(fd, text, 8), EINVAL));
  printf("no child %d none %d bad %d not one %d\n", fails(waitid(P_PIDFD, fd, &info, WEXITED), ECHILD), fails(syscall(SYS_pidfd_open, child, 0), ESRCH), fails(syscall(SYS_pidfd_open, -1, 0), EINVAL), fails(syscall(SYS_pidfd_send_signal, 0, 0, 0, 0), EBADF)); close(fd); close(go[0]); close(go[1]);
  int pidfd = -1; static char stack[8192] __attribute__((aligned(16))); (void)stack;
  child = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0); if (child == 0) _exit(8); printf("cloned %d ", pidfd >= 0); struct epoll_event event = {EPOLLIN, {.fd = pidfd}}; int e = epoll_create1(0); epoll_ctl(e, EPOLL_CTL_ADD, pidfd, &event);
  printf("epoll %d ", epoll_wait(e, &event, 1, -1)); waitid(P_PIDFD, pidfd, &info, WEXITED); printf("status %d\n", info.si_status);
}
int main(void) { setvbuf(stdout, 0, _IONBF, 0); timers(); signals(); processes(); return 0; }
