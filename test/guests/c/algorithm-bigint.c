/* Rule: arbitrary precision: factorials, Fibonacci, powers, division and digits of pi, in 32-bit limbs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct big { uint32_t limb[400]; int n; };
static struct big from(uint32_t v) { return (struct big){{v}, v != 0}; }
static struct big times(const struct big *a, const struct big *b) {
  struct big r = {{0}, a->n + b->n};
  for (int i = 0; i < a->n; i++) {
    uint64_t carry = 0;
    for (int j = 0; j < b->n; j++) carry += (uint64_t)a->limb[i] * b->limb[j] + r.limb[i + j], r.limb[i + j] = (uint32_t)carry, carry >>= 32;
    r.limb[i + b->n] = (uint32_t)carry;
  }
  while (r.n && !r.limb[r.n - 1]) r.n--;
  return r;
}
static struct big plus(const struct big *a, const struct big *b) {
  struct big r = {{0}, (a->n > b->n ? a->n : b->n) + 1};
  uint64_t carry = 0;
  for (int i = 0; i < r.n; i++) carry += (uint64_t)a->limb[i] + b->limb[i], r.limb[i] = (uint32_t)carry, carry >>= 32;
  while (r.n && !r.limb[r.n - 1]) r.n--;
  return r;
}
static uint32_t divide(struct big *a, uint32_t d) {
  uint64_t rest = 0;
  for (int i = a->n - 1; i >= 0; i--) rest = rest << 32 | a->limb[i], a->limb[i] = (uint32_t)(rest / d), rest %= d;
  while (a->n && !a->limb[a->n - 1]) a->n--;
  return (uint32_t)rest;
}
static void print(struct big a) {
  static char text[4000];
  char *p = text + sizeof text - 1;
  *p = 0;
  do {
    uint32_t part = divide(&a, 1000000000);
    for (int i = 0; i < 9 && (a.n || part); i++) *--p = (char)('0' + part % 10), part /= 10;
  } while (a.n);
  puts(*p ? p : "0");
}

int main(void) {
  struct big f = from(1), a = from(0), b = from(1), p = from(1), seven = from(7);
  for (uint32_t i = 2; i <= 300; i++) {
    struct big v = from(i);
    f = times(&f, &v);
  }
  print(f);
  for (int i = 0; i < 2000; i++) {
    struct big c = plus(&a, &b);
    a = b, b = c;
  }
  print(a);
  for (int e = 777; e; e >>= 1, seven = times(&seven, &seven)) if (e & 1) p = times(&p, &seven);
  print(p);
  printf("%u", divide(&p, 1000003));
  printf(" %u\n", divide(&f, 65537));
  int terms[1200], predigit = 0, nines = 0, started = 0;
  for (int i = 0; i < 1200; i++) terms[i] = 2;
  for (int d = 0; d < 250; d++) {
    int q = 0;
    for (int i = 1199; i > 0; i--) {
      int x = 10 * terms[i] + q * (i + 1);
      terms[i] = x % (2 * i + 1), q = x / (2 * i + 1);
    }
    int x = 10 * terms[0] + q;
    terms[0] = x % 10, q = x / 10;
    if (q == 9) nines++;
    else {
      if (started) printf("%d", predigit + (q == 10));
      started = 1;
      for (; nines; nines--) printf("%d", q == 10 ? 0 : 9);
      predigit = q == 10 ? 0 : q;
    }
  }
  puts("");
  return 0;
}
