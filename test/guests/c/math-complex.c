/* Rule: complex arithmetic and functions of complex.h (C99 7.3).
 * oracle: qemu
 */
#include <complex.h>
#include <math.h>
#include <stdio.h>

static void show(const char *name, double complex z) { printf("%s %a %a\n", name, creal(z), cimag(z)); }

int main(void) {
  double complex z[] = {1 + 2 * I, -0.5 + 0.25 * I, 3, -4 * I, 1e-3 - 1e3 * I, CMPLX(INFINITY, 1), CMPLX(0.0, -0.0)};
  for (int i = 0; i < 7; i++) {
    printf("%a %a\n", cabs(z[i]), carg(z[i]));
    show("exp", cexp(z[i])), show("log", clog(z[i])), show("sqrt", csqrt(z[i])), show("sin", csin(z[i])), show("cos", ccos(z[i]));
    show("tan", ctan(z[i])), show("asin", casin(z[i])), show("acos", cacos(z[i])), show("atan", catan(z[i])), show("sinh", csinh(z[i]));
    show("cosh", ccosh(z[i])), show("tanh", ctanh(z[i])), show("conj", conj(z[i])), show("proj", cproj(z[i]));
    for (int j = 0; j < 7; j++) show("mul", z[i] * z[j]), show("div", z[i] / z[j]), show("pow", cpow(z[i], z[j])), show("add", z[i] + z[j]);
  }
  float complex f = 1.5f - 2.5f * I;
  show("float", csqrtf(f) * f);
  double complex w = 0;
  int n = 0;
  while (cabs(w) < 2 && n < 1000) w = w * w + (-0.75 + 0.11 * I), n++;
  printf("%d\n", n);
  return 0;
}
