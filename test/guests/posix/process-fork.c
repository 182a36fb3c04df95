/* fork and the family of wait: statuses, order, options, errors.
 * exit: 9
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static int fails(long result, int error) { return result == -1 && errno == error; }
static void show(const char *what, int status) {
  if (WIFEXITED(status)) printf("%s exited %d\n", what, WEXITSTATUS(status));
  else if (WIFSIGNALED(status)) printf("%s signalled %d\n", what, WTERMSIG(status));
  else printf("%s other %x\n", what, status);
}
static int value = 1;
int main(void) {
  int status;
  setvbuf(stdout, 0, _IONBF, 0);
  printf("nobody %d\n", fails(wait(&status), ECHILD));
  for (int code = 0; code < 4; code++) {
    pid_t child = fork();
    if (child == 0) { value += code; _exit(value * 10); }
    printf("same %d\n", waitpid(child, &status, 0) == child);
    show("child", status);
  }
  printf("value %d\n", value);
  pid_t killed = fork();
  if (killed == 0) { raise(SIGTERM); _exit(1); }
  printf("got %d\n", wait(&status) == killed); show("killed", status);
  killed = fork();
  if (killed == 0) { pause(); _exit(1); }
  printf("nohang %d\n", waitpid(killed, &status, WNOHANG));
  kill(killed, SIGKILL);
  waitpid(-1, &status, 0); show("kill", status);
  killed = fork();
  if (killed == 0) abort();
  waitpid(0, &status, 0); printf("abort %d\n", WTERMSIG(status));
  siginfo_t info = {0};
  pid_t told = fork();
  if (told == 0) _exit(77);
  printf("waitid %d", waitid(P_PID, told, &info, WEXITED | WNOWAIT));
  printf(" same %d code %d status %d\n", info.si_pid == told, info.si_code, info.si_status);
  printf("again %d\n", waitid(P_ALL, 0, &info, WEXITED));
  printf("gone %d\n", fails(waitid(P_ALL, 0, &info, WEXITED), ECHILD));
  printf("not mine %d\n", fails(waitpid(getpid(), &status, 0), ECHILD));
  printf("bad %d\n", fails(waitpid(-1, &status, 0x10000), EINVAL));
  /* A tree of processes: each level adds one and passes it up as its status. */
  int depth = 0;
  while (depth < 5) { pid_t next = fork(); if (next != 0) { waitpid(next, &status, 0); break; } depth++; }
  if (depth == 5) _exit(1);
  if (depth > 0) _exit(WEXITSTATUS(status) + 1);
  printf("depth %d\n", WEXITSTATUS(status));
  /* Many at once, collected in any order. */
  int sum = 0, many = 0;
  for (int i = 0; i < 12; i++) if (fork() == 0) { for (volatile int spin = 0; spin < i * 500; spin++); _exit(i); }
  while (wait(&status) > 0) { sum += WEXITSTATUS(status); many++; }
  printf("many %d sum %d\n", many, sum);
  printf("parent %d\n", fork() == 0 ? (_exit(0), 0) : (wait(0), 1));
  return 9;
}
