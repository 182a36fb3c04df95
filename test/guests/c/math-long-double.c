/* Rule: long double is the quad format: arithmetic, conversion, printing and functions in software.
 * oracle: qemu
 */
#define _GNU_SOURCE
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  printf("%zu %d %d %Lg %Lg\n", sizeof(long double), LDBL_MANT_DIG, LDBL_DIG, LDBL_MAX, LDBL_MIN);
  long double a = 1.0L / 3, b = 2.0L / 7, sum = 0;
  printf("%La %La %La %La\n", a + b, a - b, a * b, a / b);
  printf("%.40Lf %.36Le %.34Lg\n", a, b, a * 1e100L);
  for (int i = 1; i <= 2000; i++) sum += 1.0L / ((long double)i * i);
  printf("%.35Lf %La\n", sum, sqrtl(6 * sum));
  printf("%La %La %La %La\n", expl(1), logl(2), sinl(1), powl(2, 0.5L));
  printf("%La %La %La %La\n", floorl(-2.5L), fmodl(1e30L, 7), cbrtl(27), atan2l(1, -1));
  printf("%d %d %d\n", a < b, a == 1.0L / 3, isnan(sqrtl(-1)) != 0);
  printf("%ld %lld %lu %d\n", (long)1e18L, (long long)-123.9L, (unsigned long)1.8e19L, (int)-7.5L);
  printf("%a %a %La %La\n", (double)a, (float)a, (long double)0.1, (long double)0.1f);
  printf("%La %La\n", strtold("1.23456789012345678901234567890123456789e-4000", NULL), strtold("0x1.ffffffffffffffffffffffffffff8p0", NULL));
  printf("%Le %La\n", LDBL_MAX * 2, nextafterl(1, 2));
  __int128 wide = (__int128)0x123456789abcdefLL * 0xfedcba987654321LL;
  printf("%La %d\n", (long double)wide, (__int128)(long double)(wide >> 20 << 20) == wide >> 20 << 20);
  long double e;
  int exponent;
  printf("%La", frexpl(1e-4000L, &exponent));
  printf(" %d %La", exponent, modfl(-7.75L, &e));
  printf(" %La\n", e);
  return 0;
}
