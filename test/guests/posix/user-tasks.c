/* RLIMIT_NPROC: threads and processes that nobody has waited for count, those of the same user.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static sem_t stop;
static void limit(rlim_t soft) { struct rlimit l; getrlimit(RLIMIT_NPROC, &l); l.rlim_cur = soft; if (setrlimit(RLIMIT_NPROC, &l) < 0) printf("setrlimit: %s\n", strerrorname_np(errno)); }

/* A child that has ended and still can be waited for; its number, or -1 with errno. */
static pid_t ended(void) {
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  siginfo_t info;
  if (pid > 0) waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT);
  return pid;
}
static const char *word(long result) { return result >= 0 ? "done" : strerrorname_np(errno); }
static void *waiter(void *unused) { sem_wait(&stop); return unused; }

static void processes(void) {
  pid_t first, second;
  limit(1); printf("one: %s", word(fork()));
  limit(3); printf(", three: %s", word(first = ended())); printf(" %s", word(second = ended())); printf(" %s %s", word(fork()), word(vfork()));
  waitpid(first, 0, 0); printf(", one was waited for: %s", word(first = ended())); printf(" %s", word(fork()));
  waitpid(first, 0, 0); waitpid(second, 0, 0);
  signal(SIGCHLD, SIG_IGN); printf(", ended unseen:");
  for (int i = 0; i < 4; i++) { pid_t pid = fork(); if (pid == 0) _exit(0); printf(" %s", word(pid)); while (waitpid(-1, 0, 0) > 0); }
  signal(SIGCHLD, SIG_DFL); printf("\n");
}

static void threads(void) {
  pthread_t made[2]; int error, count = 0;
  limit(3);
  for (; count < 2 && (error = pthread_create(&made[count], 0, waiter, 0)) == 0; count++);
  pthread_t more; error = pthread_create(&more, 0, waiter, 0);
  printf("threads: %d, then %s, a process: %s\n", count, strerrorname_np(error), word(fork()));
  limit(4); pid_t pid = ended(); printf("a process beside them: %s", word(pid)); waitpid(pid, 0, 0);
  for (int i = 0; i < count; i++) sem_post(&stop);
  for (int i = 0; i < count; i++) pthread_join(made[i], 0);
  printf("\n");
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0); sem_init(&stop, 0, 0);
  if (getuid() == 0 && (setresgid(54321, 54321, 54321) < 0 || setresuid(54321, 54321, 54321) < 0)) return 1;
  processes(); threads();
  return 0;
}
