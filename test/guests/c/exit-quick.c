/* Rule: quick_exit runs at_quick_exit handlers only (C11 7.22.4.7).
 * exit: 3
 */
#include <stdio.h>
#include <stdlib.h>

static void normal(void) { puts("never"); fflush(stdout); }
static void quick(void) { puts("quick"); fflush(stdout); }

int main(void) {
  atexit(normal);
  at_quick_exit(quick);
  quick_exit(3);
}
