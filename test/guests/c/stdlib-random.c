/* Rule: rand, random and the drand48 family are sequences that a seed decides (C99 7.20.2, POSIX). */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  for (int i = 0; i < 5; i++) printf("%d ", rand());
  srand(42);
  for (int i = 0; i < 5; i++) printf("%d ", rand());
  printf("%d\n", RAND_MAX);
  unsigned state = 7;
  for (int i = 0; i < 5; i++) printf("%d ", rand_r(&state));
  srandom(99);
  for (int i = 0; i < 5; i++) printf("%ld ", random());
  static char area[128];
  initstate(5, area, 64);
  for (int i = 0; i < 3; i++) printf("%ld ", random());
  setstate(area);
  printf("%ld\n", random());
  srand48(1);
  for (int i = 0; i < 4; i++) printf("%a ", drand48());
  for (int i = 0; i < 4; i++) printf("%ld ", lrand48());
  for (int i = 0; i < 4; i++) printf("%ld ", mrand48());
  unsigned short x[3] = {1, 2, 3};
  printf("%a ", erand48(x));
  printf("%ld ", nrand48(x));
  printf("%ld\n", jrand48(x));
  double sum = 0;
  for (int i = 0; i < 100000; i++) sum += drand48();
  printf("%a\n", sum);
  return 0;
}
