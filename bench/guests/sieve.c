/* Sieve of Eratosthenes over odd numbers, one byte each. Argument: rounds over the first 8 million numbers. Prints the count and a sum of primes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 8000000 };
static unsigned char composite[LIMIT / 2];

int main(int count, char **arguments) {
  int rounds = count > 1 ? atoi(arguments[1]) : 1;
  uint64_t primes = 0, sum = 0;
  for (int round = 0; round < rounds; round++) {
    memset(composite, 0, sizeof composite);
    for (uint32_t i = 3; i * i < LIMIT; i += 2)
      if (!composite[i / 2])
        for (uint32_t j = i * i / 2; j < LIMIT / 2; j += i) composite[j] = 1;
    for (uint32_t i = 1; i < LIMIT / 2; i++)
      if (!composite[i]) primes++, sum += (2 * i + 1) ^ (uint32_t)round;
  }
  printf("sieve %llu %llu\n", (unsigned long long)primes, (unsigned long long)sum);
  return 0;
}
