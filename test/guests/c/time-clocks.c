/* Rule: clocks may stand still but never run backwards; sleeping for nothing and bad clocks answer as POSIX says. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

static int ordered(clockid_t id) {
  struct timespec a, b;
  if (clock_gettime(id, &a) || clock_gettime(id, &b)) return -1;
  return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec <= b.tv_nsec);
}

int main(void) {
  printf("%d %d %d %d\n", ordered(CLOCK_REALTIME), ordered(CLOCK_MONOTONIC), ordered(CLOCK_PROCESS_CPUTIME_ID), ordered(CLOCK_THREAD_CPUTIME_ID));
  time_t a = time(NULL), b = time(&b);
  printf("%d\n", a <= b);
  struct timeval tv;
  int rc = gettimeofday(&tv, NULL);
  printf("%d %d\n", rc, tv.tv_usec >= 0 && tv.tv_usec < 1000000);
  errno = 0;
  struct timespec ts = {0, 0}, bad = {0, 1000000000};
  rc = clock_gettime(9999, &ts);
  printf("%d %d\n", rc, errno == EINVAL);
  ts = (struct timespec){0, 0};
  rc = nanosleep(&ts, NULL);
  printf("%d", rc);
  rc = nanosleep(&bad, NULL);
  printf(" %d %d\n", rc, errno == EINVAL);
  ts = (struct timespec){0, 1000};
  printf("%d %d %u\n", clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL), usleep(10), sleep(0));
  struct timespec res;
  rc = clock_getres(CLOCK_REALTIME, &res);
  printf("%d\n", rc);
  printf("%d\n", clock() >= 0);
  struct tms tms;
  printf("%d\n", times(&tms) != (clock_t)-1);
  struct rusage ru;
  rc = getrusage(RUSAGE_SELF, &ru);
  printf("%d %d\n", rc, ru.ru_utime.tv_sec < 100);
  return 0;
}
