/* Rule: a signal with default action raised at oneself ends the program by that signal.
 * signal: SIGTERM
 */
#include <signal.h>
#include <stdio.h>

int main(void) {
  signal(SIGUSR1, SIG_IGN);
  printf("%d\n", raise(SIGUSR1));
  printf("%d\n", raise(SIGCHLD));
  printf("%d\n", raise(SIGURG));
  fflush(stdout);
  raise(SIGTERM);
  puts("never");
  return 0;
}
