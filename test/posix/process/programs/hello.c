#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  printf("hello, %d arguments:", argc);
  for (int i = 1; i < argc; i++) printf(" %s", argv[i]);
  printf("\nHOME=%s\n", getenv("HOME") ? getenv("HOME") : "(none)");
  char line[256];
  while (fgets(line, sizeof line, stdin)) printf("read: %s", line);
  fprintf(stderr, "done\n");
  return 42;
}
