/* What /proc/PID/cmdline and environ show: the memory of the process, so a title that is written over the arguments; nothing of one that has ended.
 * oracle: host */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char *what, pid_t pid, const char *name) {
  char path[64], bytes[8192]; snprintf(path, sizeof path, "/proc/%d/%s", (int) pid, name);
  int fd = open(path, O_RDONLY); ssize_t length = read(fd, bytes, sizeof bytes); close(fd);
  printf("%s: %zd", what, length); if (length > 0) putchar(' ');
  for (ssize_t i = 0; i < length && i < 200; i++) putchar(bytes[i] == 0 ? '|' : bytes[i]);
  printf("\n"); fflush(stdout);
}

/* Runs with the environment and the arguments that are given to it. */
static int titled(char **argv, char **environment) {
  char *start = argv[0], *end = environment[1] + strlen(environment[1]) + 1, *arguments_end = environment[0];
  show("first", getpid(), "cmdline"); show("environment", getpid(), "environ");
  memset(start, 0, (size_t) (arguments_end - start)); strcpy(start, "short"); show("a short title", getpid(), "cmdline");
  memset(start, 'a', (size_t) (arguments_end - start)); arguments_end[-1] = 0; show("as long as the arguments", getpid(), "cmdline");
  memset(start, 'b', (size_t) (arguments_end - start)); show("over the end", getpid(), "cmdline");
  strcpy(arguments_end - 1, "=long"); show("into the environment", getpid(), "cmdline"); show("environment", getpid(), "environ");
  memset(start, 'c', (size_t) (end - start)); show("over everything", getpid(), "cmdline");
  strcpy(start, "mine"); pid_t pid = fork();
  if (pid == 0) { strcpy(start, "his own"); show("a child", getpid(), "cmdline"); show("its parent", getppid(), "cmdline"); _exit(0); }
  siginfo_t info; waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT);
  show("ended", pid, "cmdline"); waitpid(pid, 0, 0);
  return 0;
}

int main(int argc, char **argv, char **environment) {
  if (argc > 1) return titled(argv, environment);
  char *arguments[] = { "name", "one", "", "three", 0 }, *variables[] = { "A=1", "LONGER=some value", 0 };
  execve("/proc/self/exe", arguments, variables);
  return 1;
}
