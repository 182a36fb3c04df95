/* Runs a command and reports what it took: meter COMMAND [ARGUMENTS…]. When the command has ended, one line goes to descriptor 3: wall-clock nanoseconds,
   user and system microseconds, peak resident KiB, exit status (128 + the signal's number when a signal ended it). The command inherits descriptors 0 to 2
   and not 3. It counts the command with the children that it waited for; a command that leaves children behind is not counted whole. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **arguments) {
  struct timespec from, to;
  struct rusage usage;
  int status;
  if (count < 2 || fcntl(3, F_SETFD, FD_CLOEXEC) != 0) return fputs("usage: meter COMMAND [ARGUMENTS...] 3>FILE\n", stderr), 2;
  clock_gettime(CLOCK_MONOTONIC, &from);
  pid_t child = fork();
  if (child < 0) return perror("meter: fork"), 2;
  if (child == 0) {
    execvp(arguments[1], arguments + 1);
    perror(arguments[1]);
    _exit(127);
  }
  if (wait4(child, &status, 0, &usage) != child) return perror("meter: wait4"), 2;
  clock_gettime(CLOCK_MONOTONIC, &to);
  dprintf(3, "%lld %lld %lld %ld %d\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec,
    usage.ru_utime.tv_sec * 1000000LL + usage.ru_utime.tv_usec, usage.ru_stime.tv_sec * 1000000LL + usage.ru_stime.tv_usec, usage.ru_maxrss,
    WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
  return 0;
}
