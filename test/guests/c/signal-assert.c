/* Rule: a failed assert writes to stderr and aborts (C99 7.2).
 * signal: SIGABRT
 */
#include <assert.h>
#include <stdio.h>

int main(int argc, char **argv) {
  assert(argc == 1);
  static_assert(sizeof(int) == 4, "LP64");
  puts("first holds");
  fflush(stdout);
  assert(argv[0] == NULL && "this one does not hold");
  puts("never");
  return 0;
}
