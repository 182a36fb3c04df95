/* Rule: deep recursion within the stack's limit works: frames of many sizes, mutual calls, alloca. */
#include <alloca.h>
#include <stdio.h>
#include <string.h>

static int ackermann(int m, int n) { return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1)); }
static int is_odd(unsigned n);
static int __attribute__((noinline)) is_even(unsigned n) { return n == 0 ? 1 : is_odd(n - 1); }
static int __attribute__((noinline)) is_odd(unsigned n) { return n == 0 ? 0 : is_even(n - 1); }
static long __attribute__((noinline)) deep(int n, long carry) {
  volatile signed char pad[64];
  pad[n % 64] = (signed char)n;
  if (n == 0) return carry;
  return deep(n - 1, carry * 3 + pad[n % 64]) + 1;
}
static int __attribute__((noinline)) grow(int n) {
  char *p = alloca((size_t)n * 16 + 1);
  memset(p, n, (size_t)n * 16 + 1);
  return n ? grow(n - 1) + p[n * 8] : 0;
}
static int moves;
static void hanoi(int n, int from, int to, int over) {
  if (!n) return;
  hanoi(n - 1, from, over, to), moves = moves * 7 + from * 3 + to, hanoi(n - 1, over, to, from);
}
static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(void) {
  printf("%d\n", ackermann(2, 300));
  printf("%d %d\n", is_even(50000), is_odd(49999));
  printf("%ld\n", deep(30000, 1));
  printf("%d\n", grow(100));
  hanoi(14, 1, 2, 3);
  printf("%d %d\n", moves, fib(22));
  return 0;
}
