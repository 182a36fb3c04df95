/* Rule: longjmp returns to its setjmp with saved registers, through any depth (C99 7.13). */
#include <setjmp.h>
#include <stdio.h>

static jmp_buf top, inner[8];
static volatile long steps;

static void __attribute__((noinline)) descend(int n) {
  steps++;
  if (n == 0) longjmp(top, 5);
  descend(n - 1);
  steps += 1000000;
}
static double __attribute__((noinline)) keeps_floats(double a, double b, double c, double d) {
  volatile int round = 0;
  jmp_buf here;
  double e = a * b, f = c * d;
  int r = setjmp(here);
  if (r < 3) {
    round = round + 1;
    longjmp(here, r + 1);
  }
  return e + f + round;
}

int main(void) {
  int r = setjmp(top);
  if (r == 0) descend(1000);
  printf("%d %ld\n", r, steps);
  if (setjmp(top) == 0) longjmp(top, 0);
  else puts("zero becomes one");
  printf("%a\n", keeps_floats(1.5, 2.5, 3.25, -4.0));
  volatile int order = 0;
  for (int i = 0; i < 8; i++) {
    int v = setjmp(inner[i]);
    if (v) order = order * 10 + v;
    if (v >= 1 && i > 0 && v < 3) longjmp(inner[i], v + 1);
    if (v == 0 && i == 7) longjmp(inner[7], 1);
  }
  printf("%d\n", order);
  volatile int k = 0;
  setjmp(top);
  k++;
  if (k < 100000) longjmp(top, 1);
  printf("%d\n", k);
  return 0;
}
