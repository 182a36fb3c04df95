/* Rule: returning from main is exit with that value, of which the parent sees eight bits.
 * args: one two
 * exit: 255
 */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  printf("%d %s %s %d\n", argc, argv[1], argv[2], argv[3] == NULL);
  printf("no newline at the end");
  return -1;
}
