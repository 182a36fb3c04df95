/* Signals among processes: SIGCHLD, kill, groups, queues, stop and continue. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static int fails(long result, int error) { return result == -1 && errno == error; }
static volatile sig_atomic_t children, hits, last;
static void on_child(int s, siginfo_t *i, void *c) { children++; last = i->si_status * 100 + i->si_code; }
static void on_user(int s, siginfo_t *i, void *c) { hits++; last = i->si_value.sival_int; }
static void on_term(int s) { write(1, "term\n", 5); _exit(3); }
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  int status;
  struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGCHLD, &action, 0);
  if (fork() == 0) _exit(5);
  while (!children) pause();
  printf("children %d info %d\n", children, last); wait(&status);
  /* A handler of the child runs although it sleeps. */
  int ready[2]; char c; pipe(ready);
  pid_t child = fork();
  if (child == 0) { signal(SIGTERM, on_term); write(ready[1], "r", 1); for (;;) pause(); }
  read(ready[0], &c, 1); kill(child, SIGTERM);
  while (waitpid(child, &status, 0) < 0); printf("status %d\n", WEXITSTATUS(status));
  /* Real-time signals queue with their values. */
  sigset_t set, old; sigemptyset(&set); sigaddset(&set, SIGRTMIN); sigprocmask(SIG_BLOCK, &set, &old);
  action.sa_sigaction = on_user; sigaction(SIGRTMIN, &action, 0);
  child = fork();
  if (child == 0) { siginfo_t info; int sum = 0; for (int i = 0; i < 3; i++) { sigwaitinfo(&set, &info); sum = sum * 10 + info.si_value.sival_int; } _exit(sum); }
  for (int i = 1; i <= 3; i++) sigqueue(child, SIGRTMIN, (union sigval){.sival_int = i % 2});
  while (waitpid(child, &status, 0) < 0); printf("queued %d\n", WEXITSTATUS(status));
  sigprocmask(SIG_SETMASK, &old, 0);
  /* A group: all members get it, the sender is outside. */
  pid_t leader = fork();
  if (leader == 0) { setpgid(0, 0); for (int i = 0; i < 2; i++) if (fork() == 0) { write(ready[1], "m", 1); pause(); _exit(0); } write(ready[1], "m", 1); pause(); _exit(0); }
  for (int i = 0; i < 3; i++) read(ready[0], &c, 1);
  setpgid(leader, leader);
  printf("group %d\n", kill(-leader, SIGUSR1));
  while (waitpid(leader, &status, 0) < 0); printf("leader signal %d\n", WTERMSIG(status));
  printf("no such %d\n", fails(kill(99999, 0), ESRCH));
  /* Stop and continue. */
  signal(SIGCHLD, SIG_DFL);
  child = fork();
  if (child == 0) { for (;;) pause(); }
  kill(child, SIGSTOP);
  waitpid(child, &status, WUNTRACED); printf("stopped %d %d\n", WIFSTOPPED(status), WSTOPSIG(status));
  kill(child, SIGTERM);
  printf("still there %d\n", waitpid(child, &status, WNOHANG));
  kill(child, SIGCONT);
  waitpid(child, &status, 0); printf("ended %d\n", WTERMSIG(status));
  child = fork();
  if (child == 0) { for (;;) pause(); }
  kill(child, SIGSTOP); waitpid(child, &status, WUNTRACED);
  kill(child, SIGCONT); waitpid(child, &status, WCONTINUED); printf("continued %d\n", WIFCONTINUED(status));
  kill(child, SIGKILL); waitpid(child, &status, 0); printf("killed %d\n", WTERMSIG(status));
  /* Nobody wants to know. */
  signal(SIGCHLD, SIG_IGN);
  if (fork() == 0) _exit(1);
  printf("ignored %d", wait(&status)); printf(" %d\n", errno == ECHILD);
  alarm(0); signal(SIGCHLD, SIG_DFL);
  child = fork();
  if (child == 0) { alarm(1); for (;;) pause(); }
  waitpid(child, &status, 0); printf("alarm %d\n", WTERMSIG(status));
  return 0;
}
