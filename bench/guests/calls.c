/* Calls and little else: Fibonacci, Ackermann and Takeuchi functions by their definitions. Arguments: n of fib; rounds of ack(2, 1000) and tak(16, 10, 4).
   The functions are kept from being inlined into themselves: the compiler would else unroll half of the calls. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __clang__
#define APART __attribute__((noinline))
#else
#define APART __attribute__((noinline, noipa))
#endif

static APART uint64_t fib_other(uint64_t n);
static APART uint64_t fib(uint64_t n) { return n < 2 ? n : fib_other(n - 1) + fib_other(n - 2); }
static APART uint64_t fib_other(uint64_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static APART uint32_t ack(uint32_t m, uint32_t n) { return m == 0 ? n + 1 : n == 0 ? ack(m - 1, 1) : ack(m - 1, ack(m, n - 1)); }
static APART int tak(int x, int y, int z) { return y >= x ? z : tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)); }

int main(int count, char **arguments) {
  int n = count > 1 ? atoi(arguments[1]) : 30, rounds = count > 2 ? atoi(arguments[2]) : 1;
  uint64_t digest = fib((uint64_t)n);
  for (int round = 0; round < rounds; round++) digest = digest * 31 + ack(2, 1000 + (uint32_t)round % 3) + (uint64_t)tak(16 + round % 2, 10, 4);
  printf("calls %016llx\n", (unsigned long long)digest);
  return 0;
}
