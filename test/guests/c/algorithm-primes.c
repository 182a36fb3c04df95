/* Rule: sieve, modular powers, Miller-Rabin, gcd and factorisation agree with each other on 64-bit integers. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t mulmod(uint64_t a, uint64_t b, uint64_t m) { return (uint64_t)((unsigned __int128)a * b % m); }
static uint64_t powmod(uint64_t b, uint64_t e, uint64_t m) {
  uint64_t r = 1;
  for (b %= m; e; e >>= 1, b = mulmod(b, b, m)) if (e & 1) r = mulmod(r, b, m);
  return r;
}
static int is_prime(uint64_t n) {
  static const uint64_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
  for (int i = 0; i < 12; i++) if (n % bases[i] == 0) return n == bases[i];
  if (n < 2) return 0;
  uint64_t d = n - 1;
  int s = __builtin_ctzll(d);
  d >>= s;
  for (int i = 0; i < 12; i++) {
    uint64_t x = powmod(bases[i], d, n);
    int ok = x == 1 || x == n - 1;
    for (int j = 1; j < s && !ok; j++) x = mulmod(x, x, n), ok = x == n - 1;
    if (!ok) return 0;
  }
  return 1;
}
static uint64_t gcd(uint64_t a, uint64_t b) { while (b) { uint64_t t = a % b; a = b, b = t; } return a; }
static uint64_t rho(uint64_t n) {
  for (uint64_t c = 1;; c++) {
    uint64_t x = 2, y = 2, d = 1;
    while (d == 1) {
      x = (mulmod(x, x, n) + c) % n, y = (mulmod(y, y, n) + c) % n, y = (mulmod(y, y, n) + c) % n;
      d = gcd(x > y ? x - y : y - x, n);
    }
    if (d != n) return d;
  }
}
static void factor(uint64_t n) {
  if (n == 1) return;
  if (is_prime(n)) { printf(" %llu", (unsigned long long)n); return; }
  uint64_t d = n % 2 == 0 ? 2 : rho(n);
  factor(d), factor(n / d);
}

int main(void) {
  static unsigned char sieve[200001];
  int count = 0, agree = 1;
  memset(sieve, 1, sizeof sieve);
  for (int i = 2; i <= 200000; i++) if (sieve[i]) {
    count++;
    for (long j = (long)i * i; j <= 200000; j += i) sieve[j] = 0;
  }
  for (int i = 2; i < 200000; i += 67) agree &= is_prime((uint64_t)i) == sieve[i];
  printf("%d %d\n", count, agree);
  static const uint64_t numbers[] = {600851475143u, 1000000007u, 18446744073709551557u, 18446744073709551615u, 1234567891011u, 9007199254740993u, 4294967297u};
  for (int i = 0; i < 7; i++) {
    printf("%llu %d:", (unsigned long long)numbers[i], is_prime(numbers[i]));
    factor(numbers[i]);
    puts("");
  }
  printf("%llu %llu\n", (unsigned long long)gcd(1071, 462), (unsigned long long)powmod(3, 1000000006, 1000000007));
  return 0;
}
