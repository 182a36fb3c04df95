/* Rule: printf prints doubles exactly, in every style, precision and rounding (C99 7.19.6.1). */
#include <float.h>
#include <math.h>
#include <stdio.h>

static const double values[] = {0.0, -0.0, 1.0, -1.5, 0.1, 1e-5, 123456.789, 9.9999995, 99999.95, 1e15, 1e16, 1e17, 1e100, 5e-324,
                                DBL_MIN, DBL_MAX, DBL_EPSILON, 0.5, 1.5, 2.5, 3.5, 0.125, 1e22, 1e23, 3.141592653589793};

int main(void) {
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    double v = values[i];
    printf("[%f|%e|%g|%a]\n", v, v, v, v);
    printf("[%F|%E|%G|%A]\n", v, v, v, v);
    printf("[%.0f|%.0e|%.0g|%.0a|%.1f|%.3g|%.10g|%.17g|%.20e]\n", v, v, v, v, v, v, v, v, v);
    printf("[%+f|% f|%#.0f|%#g|%015.3f|%-15.3e|%+.3a]\n", v, v, v, v, v, v, v);
  }
  printf("%.60f\n", 0.1);
  printf("%.1074f\n", 5e-324);
  printf("%.0f\n", DBL_MAX);
  printf("%.1100g\n", DBL_MIN);
  printf("[%f|%F|%e|%G|%10f|%-10f|%010f|%+f]\n", INFINITY, INFINITY, -INFINITY, -INFINITY, INFINITY, INFINITY, -INFINITY, INFINITY);
  printf("[%f|%F|%10.3f|%-6g|]\n", (double)NAN, (double)NAN, (double)NAN, (double)NAN);
  for (int p = 0; p <= 20; p++) printf("%.*f %.*e %.*g\n", p, 2.0 / 3, p, 2.0 / 3, p, 2.0 / 3);
  for (float f = 1e-10f; f < 1e10f; f *= 9.5f) printf("%.9g %a\n", f, f);
  printf("%'d %'.2f\n", 1234567, 1234567.891);
  return 0;
}
