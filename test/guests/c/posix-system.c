/* Rule: sysconf, limits, uname, ids and resource calls answer within what POSIX promises, whatever the host is. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  printf("%ld %ld %d\n", sysconf(_SC_PAGESIZE), sysconf(_SC_CLK_TCK), sysconf(_SC_OPEN_MAX) >= 64);
  printf("%d %d\n", sysconf(_SC_NPROCESSORS_ONLN) >= 1, sysconf(_SC_ARG_MAX) >= 4096);
  errno = 0;
  long none = sysconf(99999);
  printf("%ld %d\n", none, errno == EINVAL);
  printf("%ld %ld\n", pathconf(".", _PC_NAME_MAX), pathconf(".", _PC_PATH_MAX));
  struct utsname u;
  int rc = uname(&u);
  printf("%d %s\n", rc, u.sysname[0] ? "named" : "unnamed");
  printf("%d %d %d\n", getpid() > 0, getppid() >= 0, getpid() == getpid());
  printf("%d %d\n", getuid() == geteuid(), getgid() == getegid());
  struct rlimit rl;
  rc = getrlimit(RLIMIT_STACK, &rl);
  printf("%d %d\n", rc, rl.rlim_cur >= 65536);
  rc = getrlimit(RLIMIT_NOFILE, &rl);
  printf("%d %d\n", rc, rl.rlim_cur >= 64);
  unsigned char random[32] = {0}, again[32] = {0};
  printf("%zd", getrandom(random, sizeof random, 0));
  printf(" %zd", getrandom(again, sizeof again, 0));
  printf(" %d\n", memcmp(random, again, 32) != 0);
  printf("%d\n", sched_yield());
  errno = 0;
  pid_t p = waitpid(-1, NULL, WNOHANG);
  printf("%d %d\n", (int)p, errno == ECHILD);
  printf("%d\n", getpagesize());
  printf("%d %d\n", alarm(0) == 0, isatty(99));
  char name[4];
  errno = 0;
  rc = gethostname(name, 1);
  printf("%d\n", rc == -1 || name[0] == 0);
  nice(0);
  printf("%d\n", sizeof(void *) == 8 && LONG_MAX == 9223372036854775807L);
  return 0;
}
