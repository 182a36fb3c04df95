/* Rule: conversions between integers and floats are exact or correctly rounded; bits are IEEE's. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t bits(double d) { uint64_t u; memcpy(&u, &d, 8); return u; }
static uint32_t bits32(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static uint64_t seed = 88172645463325252u;
static uint64_t next(void) { return seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17; }

int main(void) {
  static const int64_t ints[] = {0, 1, -1, 16777216, 16777217, 16777219, -16777217, 2147483647, -2147483648LL, 4294967295LL, 9007199254740992LL,
    9007199254740993LL, 9007199254740995LL, INT64_MAX, INT64_MIN, INT64_MAX - 511, INT64_MAX - 512, INT64_MAX - 513};
  for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
    volatile int64_t v = ints[i];
    printf("%016llx %08x %016llx %08x %016llx %08x\n", (unsigned long long)bits((double)v), bits32((float)v), (unsigned long long)bits((double)(uint64_t)v),
           bits32((float)(uint64_t)v), (unsigned long long)bits((double)(int32_t)v), bits32((float)(uint32_t)v));
  }
  uint64_t h = 0;
  for (int i = 0; i < 20000; i++) {
    uint64_t u = next();
    int64_t s = (int64_t)u >> (i % 64);
    double d;
    memcpy(&d, &u, 8);
    if (isnan(d)) continue;
    h = h * 31 + bits((double)s), h = h * 31 + bits32((float)s), h = h * 31 + bits32((float)d), h = h * 31 + bits(d * 0.1), h = h * 31 + bits(d + 1);
    if (fabs(d) < 9.2e18) h = h * 31 + (uint64_t)(int64_t)d;
    if (d > 0 && d < 1.8e19) h = h * 31 + (uint64_t)d;
    if (fabs(d) < 2.1e9) h = h * 31 + (uint64_t)(int32_t)d, h = h * 31 + (uint64_t)lrint(d);
    h = h * 31 + bits(sqrt(fabs(d))), h = h * 31 + bits32(sqrtf(fabsf((float)d)));
    if (i % 2000 == 0) printf("%016llx\n", (unsigned long long)h);
  }
  union { float f; uint32_t u; } x;
  for (x.u = 1; x.u && x.u < 0x7f800000; x.u += x.u / 4 + 1) h = h * 31 + bits((double)x.f / 3), h = h * 31 + bits32(x.f / 3);
  printf("%016llx\n", (unsigned long long)h);
  return 0;
}
