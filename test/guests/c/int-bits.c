/* Rule: bit counting, rotation, byte order, bit-fields and masks of every width. */
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>

struct fields { unsigned a : 3; signed b : 5; unsigned long long c : 40; unsigned d : 1; signed e : 12; unsigned : 0; unsigned char f : 4, g : 4; };
static uint64_t rotl(uint64_t v, int n) { return v << (n & 63) | v >> (-n & 63); }
static unsigned reverse(unsigned v) {
  unsigned r = 0;
  for (int i = 0; i < 32; i++) r = r << 1 | (v >> i & 1);
  return r;
}

int main(void) {
  uint64_t v = 1;
  for (int i = 0; i < 70; i++, v = v * 6364136223846793005u + 1442695040888963407u) {
    printf("%d %d %d %d %016llx ", __builtin_popcountll(v), __builtin_clzll(v), __builtin_ctzll(v), __builtin_parityll(v), (unsigned long long)rotl(v, i));
    printf("%016llx %08x %04x %d %08x\n", (unsigned long long)__builtin_bswap64(v), __builtin_bswap32((unsigned)v), __builtin_bswap16((unsigned short)v),
           __builtin_ffsll((long long)v), reverse((unsigned)v));
  }
  struct fields f = {0};
  for (int i = 0; i < 20; i++) {
    f.a += 3, f.b -= 7, f.c = f.c * 31 + 17, f.d ^= 1, f.e += 999, f.f++, f.g = f.f ^ 5;
    printf("%u %d %llx %u %d %u %u\n", f.a, f.b, (unsigned long long)f.c, f.d, f.e, f.f, f.g);
  }
  unsigned char raw[sizeof f];
  memcpy(raw, &f, sizeof f);
  printf("%zu ", sizeof f);
  for (size_t i = 0; i < 8; i++) printf("%02x", raw[i]);
  printf("\n%08x %04x %016llx\n", htonl(0x12345678), ntohs(0xabcd), (unsigned long long)htobe64(0x0102030405060708));
  uint8_t bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  uint32_t loaded;
  memcpy(&loaded, bytes + 1, 4);
  printf("%08x\n", loaded);
  struct __attribute__((packed)) { uint8_t x; uint64_t y; uint16_t z; } packed = {1, 0x1122334455667788, 3};
  packed.y += packed.z;
  printf("%zu %llx\n", sizeof packed, (unsigned long long)packed.y);
  return 0;
}
