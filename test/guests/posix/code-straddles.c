/* Loops whose branch lies on two pages and goes back into the first: the same place in several pages, with other instructions there each time.
 * oracle: qemu */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGES = 6, ROUNDS = 30 };

static uint32_t addi(unsigned rd, unsigned rs, int immediate) { return (uint32_t)immediate << 20 | rs << 15 | rd << 7 | 0x13; }

int main(void) {
  char *code = mmap(NULL, (PAGES + 1) * 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) return 1;
  for (int round = 0; round < ROUNDS; round++) {
    unsigned long sum = 0;
    for (int page = 0; page < PAGES; page++) {
      /* a0 = a0 * 2 + k, a1 times: the branch, back by 12 bytes, begins in the last half word. */
      uint32_t loop[] = {10u << 20 | 10 << 15 | 10 << 7 | 0x33, addi(10, 10, page * 100 + round), addi(11, 11, -1), 0xfe059ae3, 0x8067};
      char *place = code + (page + 1) * 4096 - 14;
      memcpy(place, loop, sizeof loop);
      __builtin___clear_cache(place, place + sizeof loop);
      long (*function)(long, long);
      memcpy(&function, &place, sizeof function);
      sum = sum * 31 + function(round, 1 + round % 5) + function(page, 40);
    }
    printf("%lx\n", sum);
  }
  return 0;
}
