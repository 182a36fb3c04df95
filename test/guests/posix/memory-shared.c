/* Files mapped shared, twice in one process and in two processes that take turns, beside reads and writes of the same file and of others: everybody sees
 * every byte. Most of the 4 MiB is never touched.
 * oracle: host */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 4 << 20, ROUNDS = 60 };

static uint64_t digest(const unsigned char *bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i < BYTES; i += 512) for (int k = 0; k < 16; k++) sum = sum * 31 + bytes[i + k];
  return sum;
}

/* What is stored before a fork and taken back after it, before the child has run: the child hears of it. */
static void taken_back(void) {
  volatile uint32_t *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int round = 0; round < 3; round++) {
    words[0] = 1;
    fflush(stdout);
    if (fork() == 0) {
      for (int tries = 0; words[0] != 0 && tries < 2000; tries++) usleep(1000);
      words[1] += words[0] == 0;
      _exit(0);
    }
    words[0] = 0;
    wait(NULL);
  }
  printf("taken back: %u of 3\n", words[1]);
}

int main(void) {
  taken_back();
  char name[] = "shared-XXXXXX", other[] = "other-XXXXXX", token = 'x';
  int file = mkstemp(name), log = mkstemp(other), there[2], back[2];
  if (file < 0 || log < 0 || ftruncate(file, BYTES) != 0 || pipe(there) != 0 || pipe(back) != 0) return 1;
  unsigned char *a = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  unsigned char *b = mmap(NULL, BYTES / 2, PROT_READ | PROT_WRITE, MAP_SHARED, file, BYTES / 2);
  volatile uint32_t *plain = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const unsigned char *view = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, file, 0);
  if (a == MAP_FAILED || b == MAP_FAILED || plain == MAP_FAILED || view == MAP_FAILED) return 1;
  memset(a + BYTES / 4, 7, 3000);
  uint64_t state = 1;
  int child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    for (int i = 0; i < ROUNDS; i++) {
      if (read(there[0], &token, 1) != 1) _exit(1);
      uint32_t at = (state * 2654435761u) % (BYTES / 2);
      state = state * 31 + a[at] + b[at] + plain[0] + view[BYTES - 1 - at];
      a[at * 2] = state, b[at] = state >> 8, plain[1] += state & 255;
      if (i % 5 == 0 && pwrite(file, &state, 8, at & ~7u) != 8) _exit(1);
      if (i % 11 == 0) munmap(b, BYTES / 2), b = mmap(NULL, BYTES / 2, PROT_READ | PROT_WRITE, MAP_SHARED, file, BYTES / 2);
      if (write(log, &state, 8) != 8 || write(back[1], &token, 1) != 1) _exit(1);
    }
    printf("child %016llx %u\n", (unsigned long long)state, plain[1]);
    fflush(stdout);
    _exit(0);
  }
  for (int i = 0; i < ROUNDS; i++) {
    uint32_t at = (state * 40503u + i * 977u) % (BYTES - 8);
    a[at] = i, plain[0] = i * 3;
    if (i == 20 && ftruncate(file, BYTES / 2) != 0) return 1;
    if (i == 20 && ftruncate(file, BYTES) != 0) return 1;
    if (i == 40) mprotect(a, 8192, PROT_READ), mprotect(a, 8192, PROT_READ | PROT_WRITE), a[5000] = 9;
    if (write(there[1], &token, 1) != 1 || read(back[0], &token, 1) != 1) return 1;
    state = state * 33 + b[at / 2] + a[at] + plain[1] + view[at];
    uint64_t word;
    if (i % 7 == 0 && pread(file, &word, 8, at) == 8) state ^= word;
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("parent %016llx, child %d\n", (unsigned long long)state, status);
  printf("%016llx %016llx\n", (unsigned long long)digest(a), (unsigned long long)digest(view));
  unsigned char *copy = malloc(BYTES);
  if (copy == NULL || pread(file, copy, BYTES, 0) != BYTES) return 1;
  printf("%016llx %d %d\n", (unsigned long long)digest(copy), memcmp(copy, a, BYTES), memcmp(copy + BYTES / 2, b, BYTES / 2));
  unlink(name), unlink(other);
  return 0;
}
