/* Reads one line and then everything to the end of its input; changes memory and a file; says what it found of earlier requests: nothing, when they were children. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  static char big[1 << 20];
  static int count;
  char line[100];
  int lines = 0;
  for (unsigned i = 0; i < sizeof big; i += 4096) big[i] = i >> 12;
  if (!fgets(line, sizeof line, stdin)) return 9;
  FILE *f = fopen("/tmp/seen", "a");
  fprintf(f, "%s", line);
  long size = ftell(f);
  fclose(f);
  for (char more[100]; fgets(more, sizeof more, stdin);) lines++;
  if (!strcmp(line, "crash\n")) abort();
  memset(big, line[0], sizeof big);
  count++;
  printf("%d %ld %d %s", count, size, lines, line);
  return line[0] == 'x' ? 3 : 0;
}
