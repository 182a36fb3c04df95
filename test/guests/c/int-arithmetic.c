/* Rule: integer arithmetic of every width: division and remainder signs, shifts, high products, 128 bits, wrap-around. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

static volatile int64_t s[] = {0, 1, -1, 2, -2, 7, -7, 1000003, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 0x0123456789abcdef, -0x0fedcba987654321};
#define N (int)(sizeof s / sizeof *s)
static uint64_t h = 14695981039346656037u;
static void mix(uint64_t v) { h = (h ^ v) * 1099511628211u; }

int main(void) {
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < N; j++) {
      int64_t a = s[i], b = s[j];
      uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
      int32_t wa = (int32_t)a, wb = (int32_t)b;
      uint32_t va = (uint32_t)a, vb = (uint32_t)b;
      mix(ua + ub), mix(ua - ub), mix(ua * ub), mix(va * vb), mix((uint64_t)va * vb), mix((uint64_t)((int64_t)wa * wb));
      mix((uint64_t)((unsigned __int128)ua * ub >> 64)), mix((uint64_t)((__int128)a * b >> 64)), mix((uint64_t)((__int128)a * ub >> 64));
      if (b && !(a == INT64_MIN && b == -1)) mix((uint64_t)(a / b)), mix((uint64_t)(a % b));
      if (b) mix(ua / ub), mix(ua % ub);
      if (wb && !(wa == INT32_MIN && wb == -1)) mix((uint64_t)(wa / wb)), mix((uint64_t)(wa % wb));
      if (vb) mix(va / vb), mix(va % vb);
      int n = (int)(ub & 63);
      mix(ua << n), mix(ua >> n), mix((uint64_t)(a >> n)), mix(va << (n & 31)), mix(va >> (n & 31)), mix((uint64_t)(wa >> (n & 31)));
      mix(ua & ub), mix(ua | ub), mix(ua ^ ub), mix(~ua), mix(a < b), mix(ua < ub), mix(wa < wb), mix(va < vb);
      int64_t r;
      int32_t w;
      mix(__builtin_add_overflow(a, b, &r)), mix((uint64_t)r), mix(__builtin_mul_overflow(a, b, &r)), mix((uint64_t)r);
      mix(__builtin_sub_overflow(wa, wb, &w)), mix((uint64_t)w);
      if (b) {
        __int128 big = (__int128)a * 0x123456789 + b;
        mix((uint64_t)(big / b)), mix((uint64_t)(big % b)), mix((uint64_t)((unsigned __int128)ua * ub / (ub | 1)));
      }
    }
    printf("%016" PRIx64 "\n", h);
  }
  printf("%d %d %d %d\n", -7 / 2, -7 % 2, 7 / -2, 7 % -2);
  printf("%" PRId64 " %" PRIu64 "\n", (int64_t)(int8_t)s[12], (uint64_t)(uint16_t)s[13]);
  intmax_t q = imaxdiv(-17, 5).quot;
  printf("%jd %jd %" PRIxFAST16 "\n", q, imaxabs(-5), (uint_fast16_t)0xbeef);
  return 0;
}
