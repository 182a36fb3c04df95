/* Rule: SHA-256, CRC-32, Adler-32, FNV and base64 written in C give the published answers and agree on long inputs. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint32_t k[64];
static int is_prime(int n) { for (int d = 2; d * d <= n; d++) if (n % d == 0) return 0; return 1; }
/* The first 32 bits of the fraction of n's root of degree 2 or 3, by bisection on integers. */
static uint32_t fraction(unsigned n, int degree) {
  unsigned __int128 low = 0, high = (unsigned __int128)n << 32;
  while (high - low > 1) {
    unsigned __int128 middle = (low + high) / 2;
    int above = degree == 2 ? middle * middle > (unsigned __int128)n << 64 : middle * middle * middle > (unsigned __int128)n << 96;
    if (above) high = middle; else low = middle;
  }
  return (uint32_t)low;
}
static uint32_t r(uint32_t v, int n) { return v >> n | v << (32 - n); }
static void sha256(const unsigned char *data, size_t size, char *hex) {
  uint32_t h[8];
  for (int i = 0, n = 2; i < 8; n++) if (is_prime(n)) h[i++] = fraction((unsigned)n, 2);
  unsigned char block[64];
  size_t at = 0, total = (size + 9 + 63) / 64 * 64;
  for (; at < total; at += 64) {
    for (size_t i = 0; i < 64; i++) {
      size_t p = at + i;
      block[i] = p < size ? data[p] : p == size ? 0x80 : p >= total - 8 ? (unsigned char)((uint64_t)size * 8 >> (total - 1 - p) * 8) : 0;
    }
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++) w[i] = (uint32_t)block[i * 4] << 24 | (uint32_t)block[i * 4 + 1] << 16 | (uint32_t)block[i * 4 + 2] << 8 | block[i * 4 + 3];
    for (int i = 16; i < 64; i++)
      w[i] = w[i - 16] + (r(w[i - 15], 7) ^ r(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] + (r(w[i - 2], 17) ^ r(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 64; i++) {
      uint32_t t1 = s[7] + (r(s[4], 6) ^ r(s[4], 11) ^ r(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
      uint32_t t2 = (r(s[0], 2) ^ r(s[0], 13) ^ r(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
      memmove(s + 1, s, 7 * sizeof *s);
      s[4] += t1, s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h[i] += s[i];
  }
  for (int i = 0; i < 8; i++) sprintf(hex + i * 8, "%08x", h[i]);
}
static uint32_t crc32(const unsigned char *p, size_t n) {
  uint32_t c = ~0u;
  while (n--) {
    c ^= *p++;
    for (int i = 0; i < 8; i++) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
  }
  return ~c;
}
static uint32_t adler(const unsigned char *p, size_t n) {
  uint32_t a = 1, b = 0;
  while (n--) a = (a + *p++) % 65521, b = (b + a) % 65521;
  return b << 16 | a;
}
static void base64(const unsigned char *p, size_t n, char *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < n; i += 3) {
    uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
    *out++ = digits[v >> 18], *out++ = digits[v >> 12 & 63], *out++ = i + 1 < n ? digits[v >> 6 & 63] : '=', *out++ = i + 2 < n ? digits[v & 63] : '=';
  }
  *out = 0;
}

int main(void) {
  for (int i = 0, n = 2; i < 64; n++) if (is_prime(n)) k[i++] = fraction((unsigned)n, 3);
  char hex[65], text[128];
  static const char *const inputs[] = {"", "abc", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "The quick brown fox jumps over the lazy dog"};
  for (int i = 0; i < 4; i++) {
    const unsigned char *p = (const unsigned char *)inputs[i];
    sha256(p, strlen(inputs[i]), hex), base64(p, strlen(inputs[i]), text);
    printf("%s %08x %08x %s\n", hex, crc32(p, strlen(inputs[i])), adler(p, strlen(inputs[i])), text);
  }
  static unsigned char long_input[100000];
  for (int i = 0; i < 100000; i++) long_input[i] = (unsigned char)(i * i >> 3);
  for (size_t n = 55; n < 66; n++) sha256(long_input, n, hex), printf("%s\n", hex);
  sha256(long_input, sizeof long_input, hex);
  printf("%s %08x %08x\n", hex, crc32(long_input, sizeof long_input), adler(long_input, sizeof long_input));
  return 0;
}
