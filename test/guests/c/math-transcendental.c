/* Rule: exp, log, trigonometric, hyperbolic, gamma, error and power functions give the library's bits.
 * oracle: qemu
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>

static const double v[] = {0.0, -0.0, 1.0, -1.0, 0.5, -0.3, 1.5, 2.0, 3.14159, -7.7, 10, 0.001, 1e-10, 1e-300, 100.25, 709.7, -745.2, 1e6, 1e22, INFINITY, -INFINITY, NAN};
#define N (sizeof v / sizeof *v)
typedef double (*unary)(double);
typedef float (*unary_float)(float);
static const struct { const char *name; unary f; unary_float g; } table[] = {
  {"exp", exp, expf}, {"exp2", exp2, exp2f}, {"exp10", exp10, exp10f}, {"expm1", expm1, expm1f}, {"log", log, logf}, {"log2", log2, log2f},
  {"log10", log10, log10f}, {"log1p", log1p, log1pf}, {"sin", sin, sinf}, {"cos", cos, cosf}, {"tan", tan, tanf}, {"asin", asin, asinf},
  {"acos", acos, acosf}, {"atan", atan, atanf}, {"sinh", sinh, sinhf}, {"cosh", cosh, coshf}, {"tanh", tanh, tanhf}, {"asinh", asinh, asinhf},
  {"acosh", acosh, acoshf}, {"atanh", atanh, atanhf}, {"cbrt", cbrt, cbrtf}, {"erf", erf, erff}, {"erfc", erfc, erfcf}, {"tgamma", tgamma, tgammaf},
  {"lgamma", lgamma, lgammaf}, {"j0", j0, j0f}, {"j1", j1, j1f}, {"y0", y0, y0f}, {"y1", y1, y1f}};

int main(void) {
  for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
    printf("%s:", table[t].name);
    for (size_t i = 0; i < N; i++) printf(" %a/%a", table[t].f(v[i]), table[t].g((float)v[i]));
    puts("");
  }
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) printf("%a %a %a %a\n", pow(v[i], v[j]), atan2(v[i], v[j]), hypot(v[i], v[j]), powf((float)v[i], (float)v[j]));
  double s, c, sum = 0;
  sincos(0.75, &s, &c);
  printf("%a %a %a %a\n", s, c, jn(3, 2.5), yn(2, 1.5));
  for (int i = 1; i < 20000; i++) sum += sin(i * 0.37) * exp(-i * 1e-4) + log(i) / cbrt(i) + pow(i, 0.3);
  printf("%a\n", sum);
  return 0;
}
