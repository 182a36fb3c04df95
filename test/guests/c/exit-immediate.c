/* Rule: _Exit neither flushes nor runs handlers (C99 7.20.4.4).
 * exit: 7
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void never(void) { write(1, "handler\n", 8); }

int main(void) {
  atexit(never);
  printf("lost in the buffer");
  write(1, "direct\n", 7);
  _Exit(7);
}
