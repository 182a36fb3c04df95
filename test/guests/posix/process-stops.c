/* A process is stopped and continued while it waits: without a handler each call goes on as if nothing had been, with one for SIGCONT it ends as the
 * handler's flags say; sigtimedwait ends.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct timespec SHORT = {0, 2000000}, LONG = {0, 400000000};
static int ends[2];

static int by_nanosleep(void) { return nanosleep(&LONG, NULL); }
static int by_clock(void) { return clock_nanosleep(CLOCK_MONOTONIC, 0, &LONG, NULL); }
static int by_poll(void) { return poll(NULL, 0, 400); }
static int by_select(void) { struct timeval time = {0, 400000}; return select(0, NULL, NULL, NULL, &time); }
static int by_pselect(void) { sigset_t none; sigemptyset(&none); return pselect(0, NULL, NULL, NULL, &LONG, &none); }
static int by_read(void) { char byte; return read(ends[0], &byte, 1); }
static int by_pause(void) { return pause(); }
static int by_suspend(void) { sigset_t none; sigemptyset(&none); return sigsuspend(&none); }
static int by_mutex(void) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  struct timespec until;
  pthread_mutex_lock(&mutex);
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += LONG.tv_nsec;
  if (until.tv_nsec > 999999999) until.tv_sec++, until.tv_nsec -= 1000000000;
  return pthread_mutex_timedlock(&mutex, &until) == ETIMEDOUT ? 0 : -1;
}
static int by_wait(void) {
  int child = fork(), status = 0;
  if (child == 0) { nanosleep(&LONG, NULL); _exit(3); }
  int seen = waitpid(child, &status, 0);
  return seen == child ? WEXITSTATUS(status) : -1;
}
static int by_sigwait(void) {
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR2), sigprocmask(SIG_BLOCK, &set, NULL);
  return sigtimedwait(&set, NULL, &LONG);
}

static void handler(int signal) { (void)signal; }

/* Until the child sleeps in its call, or is over. */
static void until_it_waits(int child) {
  char name[32], text[512], *state;
  do {
    snprintf(name, sizeof name, "/proc/%d/stat", child);
    FILE *file = fopen(name, "r");
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0, state = strrchr(text, ')');
    if (state[2] == 'R' || state[2] == 'T') nanosleep(&SHORT, NULL);
  } while (state[2] == 'R' || state[2] == 'T');
}

static void try(const char *name, int (*wait)(void), int handled) {
  if (pipe(ends) != 0) return;
  int child = fork(), status = 0;
  if (child == 0) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = handled == 2 ? SA_RESTART : 0};
    sigaction(SIGUSR1, &action, NULL);
    if (handled != 0) sigaction(SIGCONT, &action, NULL);
    errno = 0;
    int result = wait();
    printf("%s, handled %d: %d %s\n", name, handled, result, result < 0 ? strerror(errno) : "");
    fflush(stdout);
    _exit(0);
  }
  until_it_waits(child);
  kill(child, SIGSTOP);
  int seen = waitpid(child, &status, WUNTRACED);
  printf("stopped %d by %d\n", seen == child && WIFSTOPPED(status), WSTOPSIG(status));
  fflush(stdout);
  kill(child, SIGCONT);
  nanosleep(&SHORT, NULL);
  until_it_waits(child);
  if (wait == by_read && write(ends[1], "x", 1) != 1) return;
  if (wait == by_pause || wait == by_suspend) kill(child, SIGUSR1);
  waitpid(child, &status, 0);
  close(ends[0]), close(ends[1]);
}

int main(void) {
  const struct { const char *name; int (*wait)(void); int most; } ways[] = {
    {"nanosleep", by_nanosleep, 2}, {"clock_nanosleep", by_clock, 2}, {"poll", by_poll, 2}, {"select", by_select, 2}, {"pselect", by_pselect, 2}, {"read", by_read, 2},
    {"mutex", by_mutex, 2}, {"pause", by_pause, 0}, {"sigsuspend", by_suspend, 0}, {"waitpid", by_wait, 2}, {"sigtimedwait", by_sigwait, 2},
  };
  setpgid(0, 0);
  for (unsigned way = 0; way < sizeof ways / sizeof *ways; way++) for (int handled = 0; handled <= ways[way].most; handled++) try(ways[way].name, ways[way].wait, handled);
  return 0;
}
