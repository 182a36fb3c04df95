/* Rule: reading through a null pointer ends the program by SIGSEGV.
 * signal: SIGSEGV
 */
#include <stdio.h>

int main(int argc, char **argv) {
  volatile int *volatile p = NULL;
  puts("before");
  fflush(stdout);
  printf("%d\n", *p);
  return 0;
}
