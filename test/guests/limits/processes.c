/* A fork bomb ends in EAGAIN, at the same fork in every run; afterwards the machine is as usable as before.
 * oracle: qemu
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IONBF, 0);
  int most = argc > 1 ? atoi(argv[1]) : 100000, made = 0, status;
  for (int turn = 0; turn < (argc > 2 ? atoi(argv[2]) : 2); turn++) {
    pid_t children[1024];
    for (made = 0; made < most; made++) {
      pid_t child = fork();
      if (child == 0) { for (;;) pause(); }
      if (child < 0) break;
      children[made] = child;
    }
    printf("made %d %s\n", made, made == most ? "all" : errno == EAGAIN ? "EAGAIN" : "another error");
    for (int i = 0; i < made; i++) kill(children[i], SIGKILL);
    int gone = 0; while (wait(&status) > 0) gone += WTERMSIG(status) == SIGKILL; printf("gone %d\n", gone);
  }
  return 0;
}
