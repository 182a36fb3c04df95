/* Rule: LZ77, LZW, Huffman, run lengths and Burrows-Wheeler restore what they packed, with the same packed bytes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 12000
static unsigned char text[SIZE], packed[SIZE * 4], back[SIZE * 2];

static uint32_t digest(const unsigned char *p, size_t n) {
  uint32_t h = 2166136261u;
  while (n--) h = (h ^ *p++) * 16777619u;
  return h;
}
static void report(const char *name, size_t packed_size, size_t size) {
  printf("%s %zu %08x %s\n", name, packed_size, digest(packed, packed_size), size == SIZE && !memcmp(text, back, SIZE) ? "restored" : "BROKEN");
}
static void lz(void) {
  size_t out = 0, in = 0, size = 0;
  static int head[65536];
  memset(head, -1, sizeof head);
  while (in < SIZE) {
    size_t best = 0, distance = 0;
    if (in + 3 < SIZE) {
      unsigned key = (text[in] | text[in + 1] << 8) * 40503u >> 2 & 65535;
      int at = head[key];
      if (at >= 0 && in - (size_t)at < 4096) {
        while (best < 255 && in + best < SIZE && text[(size_t)at + best] == text[in + best]) best++;
        distance = in - (size_t)at;
      }
      head[key] = (int)in;
    }
    if (best >= 4) packed[out++] = 1, packed[out++] = (unsigned char)best, packed[out++] = (unsigned char)distance, packed[out++] = (unsigned char)(distance >> 8), in += best;
    else packed[out++] = 0, packed[out++] = text[in++];
  }
  for (size_t i = 0; i < out;) {
    if (packed[i]) {
      size_t n = packed[i + 1], d = packed[i + 2] | (size_t)packed[i + 3] << 8;
      for (; n; n--, size++) back[size] = back[size - d];
      i += 4;
    } else back[size++] = packed[i + 1], i += 2;
  }
  report("lz", out, size);
}
static void lzw(void) {
  static struct { int prefix, byte; } table[4096];
  static short child[4096][256];
  memset(child, -1, sizeof child);
  size_t out = 0, size = 0;
  int next = 256, code = text[0];
  for (size_t i = 1; i <= SIZE; i++) {
    if (i < SIZE && child[code][text[i]] >= 0) { code = child[code][text[i]]; continue; }
    packed[out++] = (unsigned char)code, packed[out++] = (unsigned char)(code >> 8);
    if (i == SIZE) break;
    if (next < 4096) child[code][text[i]] = (short)next++;
    code = text[i];
  }
  next = 256;
  int old = -1, first = 0;
  for (size_t i = 0; i < out; i += 2) {
    int now = packed[i] | packed[i + 1] << 8, walk = now;
    unsigned char stack[4096];
    int depth = 0;
    if (old >= 0 && now == next) stack[depth++] = (unsigned char)first, walk = old;
    while (walk >= 256) stack[depth++] = (unsigned char)table[walk].byte, walk = table[walk].prefix;
    stack[depth++] = (unsigned char)walk, first = walk;
    if (old >= 0 && next < 4096) table[next].prefix = old, table[next++].byte = first;
    while (depth) back[size++] = stack[--depth];
    old = now;
  }
  report("lzw", out, size);
}
static struct node { int count, left, right, symbol; } tree[512];
static char codes[256][64];
static void assign(int n, char *prefix, int depth) {
  prefix[depth] = 0;
  if (tree[n].left < 0) { strcpy(codes[tree[n].symbol], depth ? prefix : "0"); return; }
  prefix[depth] = '0', assign(tree[n].left, prefix, depth + 1);
  prefix[depth] = '1', assign(tree[n].right, prefix, depth + 1);
}
static void huffman(void) {
  int counts[256] = {0}, alive[512], nodes = 0, live = 0;
  for (int i = 0; i < SIZE; i++) counts[text[i]]++;
  for (int s = 0; s < 256; s++) if (counts[s]) tree[nodes] = (struct node){counts[s], -1, -1, s}, alive[live++] = nodes++;
  while (live > 1) {
    int pick[2];
    for (int k = 0; k < 2; k++) {
      int best = 0;
      for (int i = 1; i < live; i++) if (tree[alive[i]].count < tree[alive[best]].count) best = i;
      pick[k] = alive[best], alive[best] = alive[--live];
    }
    tree[nodes] = (struct node){tree[pick[0]].count + tree[pick[1]].count, pick[0], pick[1], -1}, alive[live++] = nodes++;
  }
  char prefix[64];
  assign(alive[0], prefix, 0);
  size_t bits = 0, size = 0;
  memset(packed, 0, sizeof packed);
  for (int i = 0; i < SIZE; i++) for (const char *c = codes[text[i]]; *c; c++, bits++) if (*c == '1') packed[bits / 8] |= (unsigned char)(1 << bits % 8);
  for (size_t i = 0; i < bits;) {
    int n = alive[0];
    while (tree[n].left >= 0) n = packed[i / 8] >> i % 8 & 1 ? tree[n].right : tree[n].left, i++;
    back[size++] = (unsigned char)tree[n].symbol;
  }
  report("huffman", (bits + 7) / 8, size);
}
static int rotation(const void *a, const void *b) {
  int i = *(const int *)a, j = *(const int *)b;
  for (int n = 0; n < SIZE; n++) {
    int d = text[(i + n) % SIZE] - text[(j + n) % SIZE];
    if (d) return d;
  }
  return i - j;
}
static void burrows_wheeler(void) {
  static int order[SIZE], jump[SIZE];
  int start = 0, counts[257] = {0};
  for (int i = 0; i < SIZE; i++) order[i] = i;
  qsort(order, SIZE, sizeof *order, rotation);
  for (int i = 0; i < SIZE; i++) {
    packed[i] = text[(order[i] + SIZE - 1) % SIZE];
    if (order[i] == 0) start = i;
  }
  for (int i = 0; i < SIZE; i++) counts[packed[i] + 1]++;
  for (int i = 0; i < 256; i++) counts[i + 1] += counts[i];
  for (int i = 0; i < SIZE; i++) jump[counts[packed[i]]++] = i;
  for (int i = 0, at = jump[start]; i < SIZE; i++, at = jump[at]) back[i] = packed[at];
  report("bwt", SIZE, SIZE);
}

int main(void) {
  static const char *const words[] = {"alpha ", "beta ", "gamma", "\n", "delta-", "0123", "the ", "of "};
  uint32_t seed = 3;
  size_t n = 0;
  while (n < SIZE) {
    seed = seed * 1664525u + 1013904223u;
    const char *w = words[seed >> 29];
    for (; *w && n < SIZE; w++) text[n++] = (unsigned char)*w;
    if (seed % 11 == 0 && n < SIZE) text[n++] = (unsigned char)(seed >> 16);
  }
  lz(), lzw(), huffman(), burrows_wheeler();
  return 0;
}
