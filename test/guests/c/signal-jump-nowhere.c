/* Rule: a jump to an address that holds no code ends the program by SIGSEGV.
 * signal: SIGSEGV
 */
#include <stdio.h>

int main(void) {
  void (*volatile nowhere)(void) = (void (*)(void))0x10;
  puts("jumping");
  fflush(stdout);
  nowhere();
  puts("never");
  return 0;
}
