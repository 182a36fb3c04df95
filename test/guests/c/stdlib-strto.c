/* Rule: strtol, strtoul, strtod and atoi at every edge: bases, overflow, end pointers, rounding (C99 7.20.1). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static void integer(const char *s, int base) {
  char *end;
  errno = 0;
  long long a = strtoll(s, &end, base);
  int e1 = errno;
  long at = (long)(end - s);
  errno = 0;
  unsigned long long b = strtoull(s, NULL, base);
  printf("[%s]/%d %lld %d +%ld %llu %d\n", s, base, a, e1, at, b, errno);
}

static void real(const char *s) {
  char *end;
  errno = 0;
  double d = strtod(s, &end);
  int e = errno;
  errno = 0;
  float f = strtof(s, NULL);
  printf("[%.40s] %a %d +%ld %a %d\n", s, d, e, (long)(end - s), f, errno);
}

int main(void) {
  static const char *const ints[] = {"", " ", "-", "+", "0", "0x", "0xg", "0X1f", "077", "08", "  -123abc", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "-1", "zZ", "1010102"};
  static const int bases[] = {0, 2, 8, 10, 16, 36, 1, 37};
  for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
    for (size_t j = 0; j < sizeof bases / sizeof *bases; j++) integer(ints[i], bases[j]);
  static const char *const reals[] = {"", ".", "0", "-0", "1.", ".5", "+.5e1", "1e", "1e+", "1e5x", "0x1.8p1", "0x.1p-4", "0x1p", "0x", "inf", "INFINITYx",
    "infin", "nan", "nan(12)", "nan(", "1e308", "1e309", "-1e309", "1e-323", "1e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
    "4.9e-324", "1.7976931348623157e308", "1.7976931348623159e308", "2.2250738585072014e-308", "2.2250738585072011e-308", "9007199254740993",
    "9007199254740992.99999999999999999999999", "9007199254740993.00000000000000000000001", "0.1", "123456789012345678901234567890",
    "1.00000005960464477539062500001", "1.000000059604644775390625", "3.4028235677973366e38", "3.4028235677973365e38", "7.0064923216240853e-46", "7.1e-46",
    "0x1.fffffffffffff8p0", "0x1.fffffffffffff7p0", "0x1.00000000000008p0", "0x1.000000000000080001p0", "  \t\n42", "1,5"};
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) real(reals[i]);
  static char long_text[2000];
  long_text[0] = '0', long_text[1] = '.';
  for (int i = 2; i < 1900; i++) long_text[i] = (char)('0' + i * 7 % 10);
  real(long_text);
  printf("%d %ld %lld %g\n", atoi("  -42x"), atol("99999999999"), atoll("-1"), atof("1.25e2z"));
  printf("%d %ld\n", abs(-5), labs(LONG_MIN + 1));
  div_t d = div(-7, 2);
  ldiv_t l = ldiv(7, -2);
  printf("%d %d %ld %ld %lld\n", d.quot, d.rem, l.quot, l.rem, lldiv(-9000000000, 7).rem);
  return 0;
}
