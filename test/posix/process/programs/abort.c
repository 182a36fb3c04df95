#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void bye(void) { printf("bye\n"); }
int main(int argc, char **argv) {
  atexit(bye);
  const char *how = argv[1];
  printf("how %s\n", how);
  fflush(stdout);
  if (!strcmp(how, "abort")) abort();
  if (!strcmp(how, "assert")) assert(argc == 77);
  if (!strcmp(how, "segv")) *(volatile int *)8 = 1;
  if (!strcmp(how, "jump")) ((void (*)(void))0x123456)();
  if (!strcmp(how, "high")) *(volatile int *)(0x7ful << 32) = 1;
  if (!strcmp(how, "text")) *(volatile int *)main = 1;
  if (!strcmp(how, "recurse")) { volatile char b[1 << 16]; b[0] = 1; return main(argc, argv) + b[0]; }
  if (!strcmp(how, "_exit")) _exit(300);
  if (!strcmp(how, "exit")) exit(-1);
  if (!strcmp(how, "kill")) kill(getpid(), 9);
  return 7;
}
