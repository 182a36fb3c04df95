/* One file mapped twice in one process: code that is written through one mapping and run in the other, as compilers do that never have a page writable and
 * executable; bytes that are stored at one place and read at the other after a call that has nothing to do with files; two threads with a place each. (qemu-riscv64 goes on with the code that was there.)
 * oracle: host
 * flags: -lpthread */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BYTES = 3 * 4096 };
static unsigned char *writes, *runs;

/* A function that adds `value` (below 128) to its argument, at an offset. */
static void emit(int offset, int value) {
#if defined(__riscv)
  unsigned code[] = {(unsigned)value << 20 | 10 << 15 | 10 << 7 | 0x1b, 0x8067};
#else
  unsigned char code[] = {0x8d, 0x47, (unsigned char)value, 0xc3};
#endif
  memcpy(writes + offset, code, sizeof code);
  __builtin___clear_cache((char *)runs + offset, (char *)runs + offset + sizeof code);
}

static int call(int offset, int argument) {
  int (*function)(int);
  unsigned char *place = runs + offset;
  memcpy(&function, &place, sizeof function);
  return function(argument);
}

static void *answer(void *argument) {
  volatile unsigned char *mine = argument;
  for (int turn = 1; turn < 8; turn += 2) {
    while (mine[0] != turn) if (turn < 4) sched_yield();
    mine[1] = mine[1] * 3 + turn;
    mine[0] = turn + 1;
  }
  return NULL;
}

int main(void) {
  int file = memfd_create("code", 0);
  if (file < 0 || ftruncate(file, BYTES) != 0) return 1;
  writes = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  runs = mmap(NULL, BYTES, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
  if (writes == MAP_FAILED || runs == MAP_FAILED) return 1;
  unsigned sum = 1;
  for (int round = 0; round < 400; round++) {
    int offset = round % 7 == 0 ? 4096 - 4 : round % 3 * 64; /* Some lie on two pages. */
    emit(offset, round % 128);
    for (int times = 0; times < 50; times++) sum = sum * 31 + call(offset, times);
  }
  printf("code %08x\n", sum);
  pid_t parent = getppid();
  for (int round = 0; round < 200; round++) {
    writes[8192 + round * 13 % 4096] = round;
    if (getppid() != parent) return 1;
    for (int at = 0; at < 4096; at += 13) sum = sum * 31 + runs[8192 + at];
  }
  printf("bytes %08x\n", sum);
  volatile unsigned char *here = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 8192);
  if (here == MAP_FAILED) return 1;
  here[0] = here[1] = 0;
  pthread_t thread;
  if (pthread_create(&thread, NULL, answer, writes + 8192) != 0) return 1;
  for (int turn = 1; turn < 8; turn += 2) {
    here[0] = turn;
    while (here[0] != turn + 1) if (turn < 4) sched_yield();
    printf("turn %d %d\n", turn, here[1]);
  }
  pthread_join(thread, NULL);
  munmap(writes, BYTES);
  here[5] = 9; /* One writable mapping is left, and another that sees it. */
  if (getppid() != parent) return 1;
  printf("%d\n", runs[8192 + 5]);
  return 0;
}
