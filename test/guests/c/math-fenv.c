/* Rule: rounding modes steer every operation and conversion; each operation raises exactly its flags (C99 7.6).
 * oracle: qemu
 */
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#pragma STDC FENV_ACCESS ON

static volatile double a[] = {1.0, 3.0, 0.1, -0.1, 1e308, -1e308, 5e-324, 1e-200, 2.5, -2.5, 0.0, 1e16, INFINITY, 123456789.123};
#define N (sizeof a / sizeof *a)
static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};

static int flags(void) {
  int f = fetestexcept(FE_ALL_EXCEPT);
  feclearexcept(FE_ALL_EXCEPT);
  return (f & FE_INVALID ? 16 : 0) | (f & FE_DIVBYZERO ? 8 : 0) | (f & FE_OVERFLOW ? 4 : 0) | (f & FE_UNDERFLOW ? 2 : 0) | (f & FE_INEXACT ? 1 : 0);
}
static void show(double r) {
  int f = flags();
  if (isnan(r)) printf("nan/%x ", f);
  else printf("%a/%x ", r, f);
  flags();
}

int main(void) {
  volatile double r;
  volatile float s;
  volatile long l;
  volatile int w;
  for (int m = 0; m < 4; m++) {
    fesetround(modes[m]);
    printf("mode %d %d\n", m, fegetround() == modes[m]);
    flags();
    for (size_t i = 0; i < N; i++) {
      r = sqrt(a[i]), show(r);
      r = rint(a[i]), show(r);
      s = (float)a[i], show(s);
      if (fabs(a[i]) < 1e15) l = lrint(a[i]), printf("%ld", l), show(0);
      if (fabs(a[i]) < 2e9) w = (int)a[i], printf("%d", w), show(0);
      for (size_t j = 0; j < N; j++) {
        r = a[i] + a[j], show(r);
        r = a[i] - a[j], show(r);
        r = a[i] * a[j], show(r);
        r = a[i] / a[j], show(r);
        r = fma(a[i], a[j], -a[j]), show(r);
        w = a[i] < a[j], show(w);
      }
      puts("");
    }
    l = 0x7fffffffffffffffL, r = (double)l, show(r);
    l = -0x7fffffffffffffffL, s = (float)l, show(s);
    w = 16777217, s = (float)w, show(s);
    puts("");
  }
  fesetround(FE_TONEAREST);
  fenv_t env;
  feraiseexcept(FE_DIVBYZERO | FE_INEXACT);
  feholdexcept(&env);
  printf("%x ", flags());
  feraiseexcept(FE_OVERFLOW);
  feupdateenv(&env);
  printf("%x ", flags());
  fesetenv(FE_DFL_ENV);
  printf("%x\n", flags());
  fexcept_t saved;
  feraiseexcept(FE_INVALID);
  fegetexceptflag(&saved, FE_ALL_EXCEPT);
  feclearexcept(FE_ALL_EXCEPT);
  fesetexceptflag(&saved, FE_INVALID);
  printf("%x\n", flags());
  return 0;
}
