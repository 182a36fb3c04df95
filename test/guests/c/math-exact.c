/* Rule: the correctly rounded and the exact functions of math.h agree to the bit everywhere (C99 7.12, Annex F). */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const double v[] = {0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.49999999999999994, 4503599627370495.5, 4503599627370496.0, 9007199254740991.0,
  9007199254740993.0, 1e300, -1e300, 1e-300, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, INFINITY, -INFINITY, NAN, 3.0, 7.25, 1e10, -123.456, 0x1p-1040};
#define N (sizeof v / sizeof *v)

static void p(double d) { if (isnan(d)) printf("nan "); else printf("%a ", d); }

int main(void) {
  for (size_t i = 0; i < N; i++) {
    double x = v[i], whole;
    int e;
    p(x), p(sqrt(x)), p(floor(x)), p(ceil(x)), p(trunc(x)), p(round(x)), p(rint(x)), p(nearbyint(x)), p(fabs(x));
    p(logb(x)), p(frexp(x, &e));
    if (isfinite(x)) printf("%d ", e);
    p(modf(x, &whole)), p(whole), p(nextafter(x, 2)), p(nextafter(x, -INFINITY)), p(scalbn(x, 3)), p(ldexp(x, -1050)), p(scalbln(x, 2000));
    printf("%d%d%d%d%d ", isfinite(x) != 0, isinf(x) != 0, isnan(x) != 0, isnormal(x) != 0, signbit(x) != 0);
    printf("%d\n", fpclassify(x) == FP_ZERO ? 0 : fpclassify(x) == FP_SUBNORMAL ? 1 : fpclassify(x) == FP_NORMAL ? 2 : fpclassify(x) == FP_INFINITE ? 3 : 4);
    if (fabs(x) < 9e18) printf("%ld %lld %ld %lld\n", lrint(x), llrint(x), lround(x), llround(x));
    if (isfinite(x) && x != 0) printf("%d\n", ilogb(x));
    float f = (float)x;
    p(f), p(sqrtf(f)), p(floorf(f)), p(roundf(f)), p(rintf(f)), p(fabsf(f)), p(nextafterf(f, 0)), puts("");
  }
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      double x = v[i], y = v[j];
      int q = 0;
      p(fmod(x, y)), p(remainder(x, y));
      if (x != 0 || y != 0) p(fmax(x, y)), p(fmin(x, y));
      p(fdim(x, y)), p(copysign(x, y)), p(remquo(x, y, &q));
      if (isfinite(x) && isfinite(y) && y != 0) printf("%d ", q & 7);
      printf("%d%d%d%d%d%d\n", isgreater(x, y), isgreaterequal(x, y), isless(x, y), islessequal(x, y), islessgreater(x, y), isunordered(x, y));
      p(x + y), p(x - y), p(x * y), p(x / y), p(fma(x, y, 1.0)), p(fma(x, -y, x)), p(fmaf((float)x, (float)y, 0.1f)), puts("");
    }
  return 0;
}
