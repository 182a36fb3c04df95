/* Compute-bound: sieve, hashing and sorting in a few MB. Argument: rounds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

int main(int count, char **arguments) {
  int rounds = count > 1 ? atoi(arguments[1]) : 1;
  static unsigned char sieve[1000000];
  static uint32_t numbers[100000];
  uint64_t digest = 0, state = 1;
  for (int round = 0; round < rounds; round++) {
    memset(sieve, 1, sizeof sieve);
    for (uint32_t i = 2; i * i < sizeof sieve; i++)
      if (sieve[i]) for (uint32_t j = i * i; j < sizeof sieve; j += i) sieve[j] = 0;
    for (uint32_t i = 2; i < sizeof sieve; i++) digest += sieve[i];
    for (uint32_t i = 0; i < 100000; i++) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      numbers[i] = (uint32_t)(state >> 32);
    }
    qsort(numbers, 100000, sizeof *numbers, compare);
    for (uint32_t i = 0; i < 100000; i++) digest = digest * 31 + numbers[i];
  }
  printf("%016llx\n", (unsigned long long)digest);
  return 0;
}
