/* How many descriptors a process may have: the limit is raised and lowered, and all that counts in descriptors follows it.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>

static const char *word(long result) { static char text[8][24]; static int turn; char *out = text[turn++ & 7]; if (result >= 0) snprintf(out, 24, "%ld", result); else snprintf(out, 24, "%s", strerrorname_np(errno)); return out; }
static int limitTo(rlim_t soft) { struct rlimit limit; getrlimit(RLIMIT_NOFILE, &limit); limit.rlim_cur = soft; return setrlimit(RLIMIT_NOFILE, &limit); }

static void descriptors(void) {
  close_range(3, ~0u, 0);
  struct rlimit limit; getrlimit(RLIMIT_NOFILE, &limit);
  int null = open("/dev/null", O_RDWR);
  printf("at first the hard limit is above four thousand: %d\n", limit.rlim_max > 4096);
  printf("limit 1024: %s,", word(limitTo(1024))); printf(" 1023 %s,", word(dup2(null, 1023))); printf(" 1024 %s\n", word(dup2(null, 1024)));
  printf("limit 4000: %s,", word(limitTo(4000))); printf(" 1024 %s,", word(dup2(null, 1024))); printf(" 3999 %s,", word(dup2(null, 3999))); printf(" 4000 %s\n", word(dup2(null, 4000)));
  int made = 0, last = -1, fd; while ((fd = dup(null)) >= 0) { made++; last = fd; }
  printf("filled: %d more, the last is %d, then %s\n", made, last, word(fd));
  close(2000); close(100); printf("the lowest is taken: %s", word(dup(null))); printf(" %s", word(fcntl(null, F_DUPFD, 1500))); printf(" %s\n", word(dup(null)));
  struct pollfd *many = calloc(4001, sizeof *many); for (int i = 0; i < 4001; i++) many[i] = (struct pollfd) { i, POLLOUT, 0 };
  printf("poll of 4000: %s,", word(poll(many + 10, 3990, 0))); printf(" of 4001: %s\n", word(poll(many, 4001, 0)));
  unsigned long set[63]; memset(set, 0, sizeof set); set[3999 / 64] |= 1ul << (3999 % 64);
  printf("select beyond FD_SETSIZE: %s\n", word(syscall(SYS_pselect6, 4000, NULL, set, NULL, NULL, NULL)));
  printf("limit 50: %s,", word(limitTo(50))); printf(" those above stay %s,", word(fcntl(3999, F_GETFD))); printf(" no more %s,", word(dup(null))); printf(" nor there %s\n", word(dup2(null, 3000)));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) { printf("a child has them: %s,", word(fcntl(3998, F_GETFD))); close(3); printf(" and its own limit %s\n", word(dup(null == 3 ? 4 : null))); fflush(stdout); _exit(0); }
  waitpid(child, NULL, 0);
  printf("above the hard limit: %s\n", word(limitTo(limit.rlim_max + 1)));
  close_range(50, ~0u, 0); printf("closed: %s\n", word(fcntl(3998, F_GETFD)));
}

static void *selfLink(void *isOther) {
  char found[64] = "", wanted[64]; readlink("/proc/thread-self", found, 63);
  snprintf(wanted, 64, "%d/task/%d", getpid(), gettid());
  printf("the thread itself: %d\n", strcmp(found, wanted) == 0 && (gettid() != getpid()) == (isOther != NULL));
  return NULL;
}

int main(void) {
  descriptors();
  pthread_t other; selfLink(NULL); pthread_create(&other, NULL, selfLink, &other); pthread_join(other, NULL);
  int locked = 0; struct timespec none = { 0, 0 };
  printf("futexes that know no CLOCK_REALTIME: %s", word(syscall(SYS_futex, &locked, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &none, 0, 0)));
  printf(" %s", word(syscall(SYS_futex, &locked, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, &none, 0, 0))); printf(" %s", word(syscall(SYS_futex, &locked, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, 0, 0, 0)));
  printf(", that does: %s\n", word(syscall(SYS_futex, &locked, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &none, 0, 1)));
  printf("barriers: flags %s", word(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1, 0))); printf(", two %s", word(syscall(SYS_membarrier, 3, 0, 0))); printf(", unknown %s\n", word(syscall(SYS_membarrier, -1, 0, 0)));
  return 0;
}
