#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
/* Fills 4 MiB and a file, tells that it is ready, then does one thing for each letter it reads. */
#define PAGES 1024
static uint32_t sum(const char *p, size_t n) { uint32_t s = 0; while (n--) s = s * 31 + (unsigned char)*p++; return s; }
int main(void) {
  char *p = mmap(0, PAGES * 4096L, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (long i = 0; i < PAGES; i++) for (int k = 0; k < 4096; k += 512) p[i * 4096 + k] = 1 + (i * 7 + k) % 251;
  FILE *f = fopen("/tmp/data", "w+");
  for (int i = 0; i < 20000; i++) fprintf(f, "%d ", i);
  fflush(f);
  char c;
  puts("ready"); fflush(stdout);
  while (read(0, &c, 1) == 1) {
    switch (c) {
    case 'r': printf("one page %u\n", sum(p + 234 * 4096L, 4096)); break;
    case 'w': p[550 * 4096L + 5] = 9; memset(p + 551 * 4096L - 100, 3, 4096 + 200); printf("written %u\n", sum(p + 549 * 4096L, 5 * 4096)); break;
    case 'u': munmap(p + 100 * 4096L, 50 * 4096L); madvise(p + 300 * 4096L, 10 * 4096L, MADV_DONTNEED); printf("gone %u\n", sum(p + 299 * 4096L, 12 * 4096)); break;
    case 'm': { char *q = mremap(p + 750 * 4096L, 20 * 4096L, 40 * 4096L, MREMAP_MAYMOVE); printf("moved %u\n", sum(q, 40 * 4096)); break; }
    case 'p': mprotect(p + 400 * 4096L, 4096, PROT_READ); mprotect(p + 401 * 4096L, 4096, PROT_NONE); mprotect(p + 401 * 4096L, 4096, PROT_READ | PROT_WRITE); printf("protected %u\n", sum(p + 399 * 4096L, 4 * 4096)); break;
    case 'f': { char b[64] = {0}; fseek(f, 50000, SEEK_SET); fread(b, 1, 40, f); fseek(f, 70000, SEEK_SET); fputs("changed", f); fflush(f); printf("file %s\n", b); break; }
    case 'k': { fflush(stdout); pid_t child = fork(); if (child == 0) { printf("child %u\n", sum(p + 620 * 4096L, 100 * 4096)); fflush(stdout); _exit(0); } waitpid(child, 0, 0); break; }
    case 'a': printf("all %u\n", sum(p + 500 * 4096L, 200 * 4096)); break;
    }
    fflush(stdout);
  }
  return 0;
}
