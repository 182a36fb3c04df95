/* Rule: a program linked with picolibc, a C library for boards, runs: its stdio, heap and arithmetic over three system calls. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long call(long number, long a, long b, long c) {
  register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

/* What picolibc asks of a board: a character sink, an end, and memory. */
static int put(char c, FILE *stream) { return call(64, 1, (long)&c, 1) == 1 ? 0 : EOF; }
static FILE console = FDEV_SETUP_STREAM(put, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdout = &console;
FILE *const stderr = &console;
FILE *const stdin = &console;

void _exit(int status) { for (;;) call(94, status, 0, 0); }

static char area[1 << 20], *top = area;
void *sbrk(intptr_t size) {
  char *before = top;
  if (size > area + sizeof area - top) return (void *)-1;
  top += size;
  return before;
}

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int argc, char **argv) {
  printf("%d arguments, last %s\n", argc, argv[argc - 1]);
  printf("%08.3f %e %g %a %llx\n", 3.14159, 1e100, 0.1, 1.5, 0x123456789abcdefULL);
  char *words[] = {"pear", "fig", "apple"};
  qsort(words, 3, sizeof *words, compare);
  for (int i = 0; i < 3; i++) printf("%s ", words[i]);
  char *heap = malloc(100000);
  memset(heap, 'h', 100000);
  printf("%c %ld %.17g\n", heap[99999], strtol("-0x7f", NULL, 0), sqrt(2.0));
  return malloc(2 << 20) == NULL ? 9 : 1;
}
