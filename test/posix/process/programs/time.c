#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>
static volatile int ticks;
static void tick(int s) { ticks++; }
int main(void) {
  struct timespec a, b, d = { 2, 500000000 }; struct timeval v;
  clock_gettime(CLOCK_REALTIME, &a); nanosleep(&d, 0); clock_gettime(CLOCK_REALTIME, &b);
  gettimeofday(&v, 0);
  printf("start %ld slept %ld day %ld\n", (long)a.tv_sec, (long)(b.tv_sec - a.tv_sec), (long)(v.tv_sec - b.tv_sec));
  struct tms t; long e = times(&t); struct rusage u; getrusage(RUSAGE_SELF, &u);
  printf("ticks %d cpu %d usage %ld\n", e >= 0, t.tms_utime < 100, (long)u.ru_utime.tv_sec);
  signal(SIGALRM, tick); alarm(1); pause(); printf("alarm %d\n", ticks);
  struct itimerval i = { { 0, 1000 }, { 0, 1000 } }; setitimer(ITIMER_REAL, &i, 0);
  while (ticks < 5) ; 
  struct timespec left; int r = nanosleep(&d, &left); printf("sleep %d %d left %d\n", r, errno == EINTR, left.tv_sec == 2 && left.tv_nsec > 400000000);
  struct itimerval off = { 0 }; setitimer(ITIMER_REAL, &off, &i); printf("interval %ld\n", (long)i.it_interval.tv_usec);
  timer_t id; struct sigevent se = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM }; timer_create(CLOCK_MONOTONIC, &se, &id);
  struct itimerspec is = { { 0, 0 }, { 1, 0 } }; timer_settime(id, 0, &is, 0); int before = ticks; pause(); printf("timer %d\n", ticks - before);
  sigset_t set; siginfo_t info; sigemptyset(&set); sigaddset(&set, SIGALRM); sigprocmask(SIG_BLOCK, &set, 0);
  struct itimerspec each = { { 1, 0 }, { 1, 0 } }, none = { { 0, 0 }, { 0, 0 } }; struct timespec three = { 3, 500000000 };
  timer_settime(id, 0, &each, 0); nanosleep(&three, 0); sigwaitinfo(&set, &info); printf("overruns %d %d\n", timer_getoverrun(id), info.si_overrun);
  timer_settime(id, 0, &none, 0); sigprocmask(SIG_UNBLOCK, &set, 0);
  printf("ends\n"); alarm(1); signal(SIGALRM, SIG_DFL); fflush(stdout); for (;;) pause();
}
