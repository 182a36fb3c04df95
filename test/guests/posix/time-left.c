/* What is left of a time-out after select and pselect; the period that setitimer answers; how the clock is kept.
 * qemu-riscv64 writes no time back when a handler ends the call.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void handler(int signal) { (void) signal; }
static const char *left(const struct timeval *time, long whole) {
  long us = time->tv_sec * 1000000 + time->tv_usec;
  return us == 0 ? "nothing" : us == whole ? "all" : us < whole ? "a part" : "more";
}
static void selects(void) {
  int ends[2]; pipe(ends); fd_set set;
  struct timeval time = { 0, 30000 };
  FD_ZERO(&set); FD_SET(ends[0], &set);
  int n = select(ends[0] + 1, &set, 0, 0, &time); printf("over: %d, %s\n", n, left(&time, 30000));
  pid_t child = fork();
  if (child == 0) { usleep(20000); write(ends[1], "x", 1); _exit(0); }
  time = (struct timeval) { 5, 0 }; FD_SET(ends[0], &set);
  n = select(ends[0] + 1, &set, 0, 0, &time); printf("ready after a while: %d, %s\n", n, left(&time, 5000000)); waitpid(child, 0, 0);
  char c; read(ends[0], &c, 1);
  sigaction(SIGALRM, &(struct sigaction) { .sa_handler = handler }, 0);
  struct itimerval often = { { 0, 10000 }, { 0, 10000 } }; setitimer(ITIMER_REAL, &often, 0);
  time = (struct timeval) { 0, 95000 }; int interrupted = 0;
  do { FD_SET(ends[0], &set); n = select(ends[0] + 1, &set, 0, 0, &time); if (n < 0) interrupted++; } while (n < 0 && errno == EINTR && interrupted < 1000);
  printf("interrupted: %d, %s %s\n", n, left(&time, 95000), interrupted >= 1 && interrupted < 100 ? "often" : "wrongly");
  setitimer(ITIMER_REAL, &(struct itimerval) { 0 }, 0);
  sigset_t blocked, none; sigemptyset(&none); sigemptyset(&blocked); sigaddset(&blocked, SIGALRM); sigprocmask(SIG_BLOCK, &blocked, 0);
  struct { const sigset_t *set; size_t size; } mask = { &none, 8 };
  struct timespec exact = { 3, 0 };
  setitimer(ITIMER_REAL, &(struct itimerval) { { 0, 0 }, { 0, 20000 } }, 0);
  n = syscall(SYS_pselect6, 0, 0, 0, 0, &exact, &mask); printf("with a mask: %d %s, %s\n", n, strerrorname_np(errno), exact.tv_sec < 3 ? "a part" : "all");
  exact = (struct timespec) { 3, 0 }; kill(getpid(), SIGALRM);
  n = syscall(SYS_pselect6, 0, 0, 0, 0, &exact, &mask); printf("pending: %d %s\n", n, strerrorname_np(errno));
}
static void periods(void) {
  int timers[] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };
  for (int i = 0; i < 3; i++) {
    struct itimerval old, now = { { 10, 20 }, { 0, 0 } };
    setitimer(timers[i], &now, 0); getitimer(timers[i], &old); printf("not running: period %ld, value %ld\n", (long) old.it_interval.tv_sec, (long) old.it_value.tv_sec);
    now.it_value.tv_sec = 30; setitimer(timers[i], &now, 0); setitimer(timers[i], &(struct itimerval) { 0 }, &old);
    printf("running: period %ld, value %s\n", (long) old.it_interval.tv_sec, old.it_value.tv_sec >= 29 ? "ok" : "wrong");
  }
}
static void kept(void) {
  struct timex t = { 0 }; int state = adjtimex(&t);
  printf("adjtimex: %s, tick %ld\n", state >= 0 ? "ok" : strerrorname_np(errno), (long) t.tick);
  struct timeval delta; printf("adjtime: %d\n", adjtime(0, &delta));
  memset(&t, 0, sizeof t); printf("clock_adjtime: %s\n", clock_adjtime(CLOCK_REALTIME, &t) >= 0 ? "ok" : strerrorname_np(errno));
  memset(&t, 0, sizeof t); t.modes = 0x8000; printf("half a mode: %s\n", syscall(SYS_adjtimex, &t) < 0 ? strerrorname_np(errno) : "ok");
  int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  printf("fadvise: %d %d %d\n", posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL), posix_fadvise(fd, 0, -1, POSIX_FADV_NORMAL), posix_fadvise(fd, -1, 5, POSIX_FADV_NORMAL));
}
static void clocks(void) { /* Clocks that can only be read. */
  const int all[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI, 99}; struct timespec no_time = {0, 0};
  printf("clocks:");
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    int slept = syscall(SYS_clock_nanosleep, all[i], 0, &no_time, 0) < 0 ? errno : 0, id, made = syscall(SYS_timer_create, all[i], 0, &id) < 0 ? errno : 0;
    printf(" %d %d", slept, made);
  }
  printf("\n");
}
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  selects(); periods(); kept(); clocks();
  return 0;
}
