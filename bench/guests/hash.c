/* An open-addressing table: insert, find, count and delete (by moving back), linear probing. Argument: millions of operations. Prints what is left. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 1 << 19, KEYS = 300000 };
static uint64_t keys[SLOTS], values[SLOTS]; /* Key 0 is an empty slot. */

static uint32_t home(uint64_t key) {
  key ^= key >> 33;
  key *= 0xff51afd7ed558ccdu;
  key ^= key >> 33;
  return (uint32_t)key & (SLOTS - 1);
}

static uint32_t find(uint64_t key) {
  uint32_t at = home(key);
  while (keys[at] != 0 && keys[at] != key) at = (at + 1) & (SLOTS - 1);
  return at;
}

static void remove_at(uint32_t hole) {
  for (uint32_t at = hole;;) {
    at = (at + 1) & (SLOTS - 1);
    if (keys[at] == 0) break;
    if (((at - home(keys[at])) & (SLOTS - 1)) < ((at - hole) & (SLOTS - 1))) continue;
    keys[hole] = keys[at], values[hole] = values[at], hole = at;
  }
  keys[hole] = 0;
}

int main(int count, char **arguments) {
  long operations = (count > 1 ? atol(arguments[1]) : 10) * 1000000L;
  uint64_t seed = 1, live = 0, hits = 0, digest = 0;
  for (long i = 0; i < operations; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t key = 1 + (seed >> 33) % KEYS;
    uint32_t at = find(key), what = (uint32_t)(seed >> 20) & 7;
    if (keys[at] == key) {
      hits++;
      if (what == 0) digest += values[at], remove_at(at), live--;
      else values[at] += what;
    } else if (what < 4) keys[at] = key, values[at] = (uint64_t)i, live++;
  }
  for (uint32_t at = 0; at < SLOTS; at++) if (keys[at] != 0) digest = digest * 31 + keys[at] * values[at];
  printf("hash %llu %llu %016llx\n", (unsigned long long)live, (unsigned long long)hits, (unsigned long long)digest);
  return 0;
}
