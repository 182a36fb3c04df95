/* Rule: recursion without end meets the stack's limit as SIGSEGV.
 * signal: SIGSEGV
 */
#include <stdio.h>

static volatile int depth;
static int __attribute__((noinline)) down(volatile char *above) {
  volatile char frame[512];
  frame[0] = above[0];
  depth++;
  return down(frame) + frame[0];
}

int main(void) {
  volatile char start[1] = {1};
  puts("going down");
  fflush(stdout);
  return down(start);
}
