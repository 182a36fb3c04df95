/* Rule: abort ends the program by SIGABRT even when the handler returns; flushed output stays (C99 7.20.4.1).
 * signal: SIGABRT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void handler(int s) { write(1, s == SIGABRT ? "caught\n" : "other\n", 7); }

int main(void) {
  signal(SIGABRT, handler);
  puts("before");
  fflush(stdout);
  abort();
}
