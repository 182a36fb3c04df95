/* CPU time by process and thread: clocks, times, getrusage, wait4, timers on it, the limit of it. Prints what is true, no figures, so that it is the same on any machine whose clocks move. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MS = 1000000, BURN = 4 * MS };

static long long at(clockid_t clock) {
  struct timespec t;
  if (clock_gettime(clock, &t) != 0) return -1;
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static long long usage(int who) {
  struct rusage u;
  getrusage(who, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}
static void work(void) { for (volatile int n = 0; n < 1000; n++) ; } /* So that not every microsecond is a call. */
static void burn(long long time) { for (long long end = at(CLOCK_THREAD_CPUTIME_ID) + time; at(CLOCK_THREAD_CPUTIME_ID) < end;) work(); }
static void *burner(void *time) { burn((long)time); return NULL; }
static void say(const char *what, int is) { printf("%s: %s\n", what, is ? "yes" : "no"); }
static volatile int ticks[65];
static void tick(int signal) { ticks[signal]++; }
static long long stat_ticks(int from, int to) {
  char text[1024], *at;
  int file = open("/proc/self/stat", O_RDONLY);
  ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  if (size < 0) return -1;
  text[size] = 0, at = strrchr(text, ')') + 1;
  long long sum = 0;
  for (int field = 3; field <= to; field++) { at = strchr(at, ' ') + 1; if (field >= from) sum += atoll(at); }
  return sum;
}

int main(int argc, char **argv) {
  (void)argv;
  long long before = at(CLOCK_PROCESS_CPUTIME_ID);
  struct timespec nap = { 0, 40 * MS };
  nanosleep(&nap, NULL);
  say("a sleep costs nothing", at(CLOCK_PROCESS_CPUTIME_ID) - before < 2 * MS);
  burn(BURN);
  say("the process has burned", at(CLOCK_PROCESS_CPUTIME_ID) - before >= BURN);
  say("usage agrees", usage(RUSAGE_SELF) >= BURN - 2 * MS && usage(RUSAGE_CHILDREN) == 0);
  pthread_t thread;
  clockid_t of_thread, of_process;
  pthread_create(&thread, NULL, burner, (void *)(long)(3 * BURN));
  say("clock of a thread", pthread_getcpuclockid(thread, &of_thread) == 0);
  long long self = at(CLOCK_THREAD_CPUTIME_ID), all = at(CLOCK_PROCESS_CPUTIME_ID);
  pthread_join(thread, NULL);
  say("the other thread's time is not mine", at(CLOCK_THREAD_CPUTIME_ID) - self < BURN && usage(RUSAGE_THREAD) < 3 * BURN);
  say("it is the process's", at(CLOCK_PROCESS_CPUTIME_ID) - all >= 2 * BURN);
  say("a thread that ended has no clock", at(of_thread) == -1 && errno == EINVAL);
  struct tms t;
  struct rusage u;
  int status, there[2], back[2];
  char byte = 'x';
  if (pipe(there) != 0 || pipe(back) != 0) return 1;
  fflush(stdout);
  int child = fork();
  if (child == 0) {
    say("a child begins with nothing", at(CLOCK_PROCESS_CPUTIME_ID) < BURN && usage(RUSAGE_SELF) < BURN);
    fflush(stdout);
    int grandchild = fork();
    if (grandchild == 0) burn(BURN), _exit(0);
    burn(2 * BURN), waitpid(grandchild, NULL, 0);
    if (write(back[1], &byte, 1) != 1 || read(there[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  long long mine = at(CLOCK_PROCESS_CPUTIME_ID);
  if (read(back[0], &byte, 1) != 1) return 1;
  say("clock of a child", clock_getcpuclockid(child, &of_process) == 0 && at(of_process) >= 2 * BURN && at(of_process) < 6 * BURN);
  say("nothing of children before the wait", usage(RUSAGE_CHILDREN) == 0 && times(&t) != -1 && t.tms_cutime + t.tms_cstime == 0);
  if (write(there[1], &byte, 1) != 1) return 1;
  wait4(child, &status, 0, &u);
  long long told = (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
  say("wait4 tells of child and grandchild", told >= 3 * BURN - 2 * MS);
  say("children's time after the wait", usage(RUSAGE_CHILDREN) == told && usage(RUSAGE_CHILDREN) >= 3 * BURN - 2 * MS);
  say("times", times(&t) != -1 && t.tms_cutime + t.tms_cstime >= 1 && t.tms_utime + t.tms_stime >= 1);
  say("proc stat", stat_ticks(14, 15) >= 1 && stat_ticks(16, 17) >= 1);
  say("mine is mine", at(CLOCK_PROCESS_CPUTIME_ID) - mine < BURN);
  signal(SIGCHLD, SIG_IGN);
  fflush(stdout);
  child = fork();
  if (child == 0) burn(BURN), _exit(0);
  while (waitpid(child, NULL, 0) != -1) ;
  say("who is not waited for does not count", errno == ECHILD && usage(RUSAGE_CHILDREN) == told);
  signal(SIGCHLD, SIG_DFL);

  signal(SIGPROF, tick), signal(SIGVTALRM, tick), signal(SIGUSR1, tick), signal(SIGXCPU, tick);
  struct itimerval every = { { 0, 2000 }, { 0, 2000 } }, off = { { 0, 0 }, { 0, 0 } };
  setitimer(ITIMER_PROF, &every, NULL), setitimer(ITIMER_VIRTUAL, &every, NULL);
  nanosleep(&nap, NULL);
  say("no CPU timer in a sleep", ticks[SIGPROF] == 0 && ticks[SIGVTALRM] == 0);
  for (long long end = at(CLOCK_PROCESS_CPUTIME_ID) + 1000LL * MS; (ticks[SIGPROF] < 3 || ticks[SIGVTALRM] < 2) && at(CLOCK_PROCESS_CPUTIME_ID) < end;) work();
  say("CPU timers at work", ticks[SIGPROF] >= 3 && ticks[SIGVTALRM] >= 2);
  setitimer(ITIMER_PROF, &off, &every), setitimer(ITIMER_VIRTUAL, &off, NULL);
  say("interval", every.it_interval.tv_usec >= 2000);
  timer_t timer;
  struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
  struct itimerspec once = { { 0, 0 }, { 0, 6 * MS } };
  say("timer on a thread's clock", timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) == 0 && timer_settime(timer, 0, &once, NULL) == 0);
  pthread_create(&thread, NULL, burner, (void *)(long)(3 * BURN)), pthread_join(thread, NULL);
  say("it does not count another's", ticks[SIGUSR1] == 0);
  burn(3 * BURN);
  say("it counts mine", ticks[SIGUSR1] == 1);

  if (argc == 1) return 0; /* The limit takes a second at least. */
  fflush(stdout);
  child = fork();
  if (child == 0) {
    struct rlimit limit = { 1, 2 };
    setrlimit(RLIMIT_CPU, &limit);
    for (;;) ;
  }
  waitpid(child, &status, 0);
  say("the limit ends", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && usage(RUSAGE_CHILDREN) >= 1000LL * MS);
  return 0;
}
