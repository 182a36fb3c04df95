/* Memory-heavy: random read-modify-write over a table, so that every checkpoint finds thousands of dirty pages. Arguments: MiB, millions of steps. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
  size_t words = (size_t)(count > 1 ? atoi(arguments[1]) : 32) << 17;
  long steps = (count > 2 ? atol(arguments[2]) : 10) * 1000000L;
  uint64_t *table = malloc(words * 8), state = 88172645463325252ull;
  if (table == NULL) return 1;
  for (size_t i = 0; i < words; i++) table[i] = i;
  for (long step = 0; step < steps; step++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    table[state & (words - 1)] += state;
  }
  uint64_t digest = 0;
  for (size_t i = 0; i < words; i++) digest = digest * 31 + table[i];
  printf("%016llx\n", (unsigned long long)digest);
  return 0;
}
