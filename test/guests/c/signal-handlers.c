/* Rule: raise, sigaction, masks, pending signals and siglongjmp behave as POSIX says, in one thread. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t last, count, nested, depth_max, depth;
static void simple(int s) { last = s, count++; }
static void nesting(int s) {
  depth++;
  if (depth > depth_max) depth_max = depth;
  if (nested-- > 0) raise(s);
  depth--;
}
static volatile int info_signo, info_value, info_code;
static void with_info(int s, siginfo_t *info, void *context) {
  info_signo = info->si_signo, info_value = info->si_value.sival_int, info_code = info->si_code, last = s;
}
static sigjmp_buf back;
static void jumping(int s) { siglongjmp(back, s); }
static int blocked(int s) {
  sigset_t set;
  sigprocmask(SIG_BLOCK, NULL, &set);
  return sigismember(&set, s);
}

int main(void) {
  printf("%d", signal(SIGUSR1, simple) == SIG_DFL);
  printf(" %d", raise(SIGUSR1));
  printf(" %d %d", last == SIGUSR1, count);
  printf(" %d\n", signal(SIGUSR1, SIG_IGN) == simple);
  struct sigaction sa = {.sa_handler = nesting}, old;
  sigaction(SIGUSR2, &sa, NULL);
  nested = 3, raise(SIGUSR2);
  printf("%d", depth_max);
  sa.sa_flags = SA_NODEFER, depth_max = 0, nested = 3;
  sigaction(SIGUSR2, &sa, &old);
  raise(SIGUSR2);
  printf(" %d %d\n", depth_max, old.sa_handler == nesting);
  sa = (struct sigaction){.sa_handler = simple, .sa_flags = SA_RESETHAND};
  sigaction(SIGUSR2, &sa, NULL);
  raise(SIGUSR2);
  sigaction(SIGUSR2, NULL, &old);
  printf("%d\n", old.sa_handler == SIG_DFL);
  sigset_t set, pending;
  sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGALRM);
  signal(SIGUSR1, simple), signal(SIGALRM, simple);
  sigprocmask(SIG_BLOCK, &set, NULL);
  count = 0;
  raise(SIGUSR1), raise(SIGUSR1), raise(SIGALRM);
  sigpending(&pending);
  printf("%d %d %d %d", count, sigismember(&pending, SIGUSR1), sigismember(&pending, SIGALRM), sigismember(&pending, SIGUSR2));
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  printf(" %d\n", count);
  sa = (struct sigaction){.sa_sigaction = with_info, .sa_flags = SA_SIGINFO};
  sigaction(SIGRTMIN, &sa, NULL);
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 77});
  printf("%d %d %d\n", info_signo == SIGRTMIN, info_value, info_code == SI_QUEUE);
  sigemptyset(&set), sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, NULL);
  for (int i = 1; i <= 3; i++) sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
  siginfo_t info;
  for (int i = 0; i < 3; i++) {
    int got = sigwaitinfo(&set, &info);
    printf("%d:%d ", got == SIGRTMIN, info.si_value.sival_int);
  }
  struct timespec zero = {0, 0};
  int got = sigtimedwait(&set, &info, &zero);
  printf("%d %d\n", got, errno == EAGAIN);
  signal(SIGUSR2, jumping);
  for (volatile int i = 0; i < 3; i++) {
    int s = sigsetjmp(back, 1);
    if (s == 0) raise(SIGUSR2);
    printf("%d%d ", s == SIGUSR2, blocked(SIGUSR2));
  }
  if (sigsetjmp(back, 0) == 0) raise(SIGUSR2);
  printf("%d\n", blocked(SIGUSR2));
  errno = 0;
  int rc = sigaction(SIGKILL, &sa, NULL);
  printf("%d %d", rc, errno == EINVAL);
  rc = kill(getpid(), 0);
  printf(" %d", rc);
  rc = kill(getpid(), 999);
  printf(" %d %d\n", rc, errno == EINVAL);
  printf("%s|%s|%s\n", strsignal(SIGSEGV), strsignal(SIGUSR1), sigabbrev_np(SIGTERM));
  sigemptyset(&set);
  signal(SIGUSR1, simple), count = 0;
  sigset_t block_one;
  sigemptyset(&block_one), sigaddset(&block_one, SIGUSR1);
  sigprocmask(SIG_BLOCK, &block_one, NULL);
  raise(SIGUSR1);
  rc = sigsuspend(&set);
  printf("%d %d %d %d\n", rc, errno == EINTR, count, blocked(SIGUSR1));
  return 0;
}
