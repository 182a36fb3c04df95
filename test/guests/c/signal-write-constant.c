/* Rule: writing to a constant ends the program by SIGSEGV.
 * signal: SIGSEGV
 */
#include <stdio.h>

static const int constant[16] = {1, 2, 3};

int main(void) {
  volatile int *p = (volatile int *)&constant[3];
  printf("%d\n", constant[1]);
  fflush(stdout);
  *p = 4;
  puts("never");
  return 0;
}
