/* A compressor: LZ77 with hash chains, then canonical Huffman codes (lengths capped at 15 by flattening the counts), and back again. Argument: rounds over
   1 MiB of generated text. Prints the packed size and a checksum of the packed bytes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1 << 20, WINDOW = 1 << 15, HASHES = 1 << 15, CHAIN = 24, MATCH_MIN = 4, MATCH_MAX = 255 + MATCH_MIN, SYMBOLS = 512, LENGTH_MAX = 15 };
/* Symbols: 0..255 a literal byte; 256..511 a match of length 4..259, followed by 15 plain bits of distance. */
static unsigned char text[SIZE + 8], back[SIZE + 8], packed[SIZE * 2];
static int32_t heads[HASHES], chain[WINDOW];
static uint16_t symbols[SIZE], distances[SIZE];

static uint32_t next(uint64_t *seed) { return (uint32_t)((*seed = *seed * 6364136223846793005u + 1442695040888963407u) >> 33); }

static void generate(uint64_t seed) {
  static const char *const syllables[] = {"sta", "lan", "te", "ri", "do", "mi", "nel", "or", "ba", "ck", "un", "ing", "es", "al", "po", "quo"};
  char words[256][16];
  for (int i = 0; i < 256; i++) {
    words[i][0] = 0;
    for (uint32_t left = 1 + next(&seed) % 3; left > 0; left--) strcat(words[i], syllables[next(&seed) % 16]);
  }
  for (uint32_t at = 0; at < SIZE;) {
    uint32_t a = next(&seed) % 256, b = next(&seed) % 256;
    for (const char *letter = words[a < b ? a : b]; *letter != 0 && at < SIZE; letter++) text[at++] = (unsigned char)*letter;
    if (at < SIZE) text[at++] = next(&seed) % 12 == 0 ? '\n' : ' ';
  }
}

static uint32_t hash_at(uint32_t at) {
  uint32_t word = text[at] | (uint32_t)text[at + 1] << 8 | (uint32_t)text[at + 2] << 16 | (uint32_t)text[at + 3] << 24;
  return word * 2654435761u >> 17;
}

static void enter(uint32_t at) {
  uint32_t hash = hash_at(at);
  chain[at % WINDOW] = heads[hash], heads[hash] = (int32_t)at;
}

static uint32_t find_matches(void) { /* Returns the number of symbols. */
  uint32_t made = 0;
  memset(heads, 0xff, sizeof heads);
  for (uint32_t at = 0; at < SIZE;) {
    uint32_t best = 0, distance = 0, longest = SIZE - at < MATCH_MAX ? SIZE - at : MATCH_MAX;
    int tries = CHAIN;
    for (int32_t from = heads[hash_at(at)]; from >= 0 && at - (uint32_t)from < WINDOW && tries-- > 0; from = chain[from % WINDOW]) {
      if (best < longest && text[from + best] != text[at + best]) continue;
      uint32_t length = 0;
      while (length < longest && text[from + length] == text[at + length]) length++;
      if (length > best) best = length, distance = at - (uint32_t)from;
    }
    if (best < MATCH_MIN) best = 1, symbols[made++] = text[at];
    else symbols[made] = (uint16_t)(256 + best - MATCH_MIN), distances[made++] = (uint16_t)distance;
    for (; best > 0; best--) enter(at++);
  }
  return made;
}

static int deepest(const uint32_t *counts, unsigned char *lengths) { /* Huffman by the two smallest of what is left. */
  uint32_t weight[2 * SYMBOLS];
  int parent[2 * SYMBOLS], open[SYMBOLS], opens = 0, nodes = SYMBOLS, deep = 0;
  for (int i = 0; i < SYMBOLS; i++) if (lengths[i] = 0, counts[i] > 0) weight[i] = counts[i], open[opens++] = i;
  while (opens > 1) {
    for (int side = 0; side < 2; side++) {
      int least = 0;
      for (int i = 1; i < opens; i++) if (weight[open[i]] < weight[open[least]]) least = i;
      parent[open[least]] = nodes;
      weight[nodes] = (side == 0 ? 0 : weight[nodes]) + weight[open[least]];
      open[least] = open[--opens];
    }
    open[opens++] = nodes++;
  }
  for (int i = 0; i < SYMBOLS; i++)
    if (counts[i] > 0) {
      int length = 0;
      for (int at = i; at != nodes - 1; at = parent[at]) length++;
      lengths[i] = (unsigned char)length;
      if (length > deep) deep = length;
    }
  return deep;
}

static void make_codes(const unsigned char *lengths, uint16_t *codes) {
  uint32_t code = 0;
  for (int length = 1; length <= LENGTH_MAX; length++, code <<= 1)
    for (int i = 0; i < SYMBOLS; i++) if (lengths[i] == length) codes[i] = (uint16_t)code++;
}

static uint64_t bits;
static int held;
static uint32_t place;

static void put(uint32_t value, int length) {
  bits = bits << length | value, held += length;
  while (held >= 8) held -= 8, packed[place++] = (unsigned char)(bits >> held);
}

static uint32_t get_bit(void) {
  if (held == 0) bits = packed[place++], held = 8;
  return (uint32_t)(bits >> --held) & 1;
}

static uint32_t pack(unsigned char *lengths, uint32_t made) {
  uint32_t counts[SYMBOLS] = {0};
  uint16_t codes[SYMBOLS];
  for (uint32_t i = 0; i < made; i++) counts[symbols[i]]++;
  while (deepest(counts, lengths) > LENGTH_MAX) for (int i = 0; i < SYMBOLS; i++) if (counts[i] > 0) counts[i] = counts[i] / 2 + 1;
  make_codes(lengths, codes);
  bits = 0, held = 0, place = 0;
  for (uint32_t i = 0; i < made; i++) {
    put(codes[symbols[i]], lengths[symbols[i]]);
    if (symbols[i] >= 256) put(distances[i], 15);
  }
  put(0, 7);
  return place;
}

static void unpack(const unsigned char *lengths) {
  uint32_t first[LENGTH_MAX + 1], start[LENGTH_MAX + 1], of_length[LENGTH_MAX + 1] = {0}, code = 0, index = 0;
  uint16_t order[SYMBOLS];
  for (int length = 1; length <= LENGTH_MAX; length++, code <<= 1) {
    first[length] = code, start[length] = index;
    for (int i = 0; i < SYMBOLS; i++) if (lengths[i] == length) order[index++] = (uint16_t)i, of_length[length]++, code++;
  }
  bits = 0, held = 0, place = 0;
  for (uint32_t at = 0; at < SIZE;) {
    uint32_t length = 1, read = get_bit();
    while (read - first[length] >= of_length[length]) read = read << 1 | get_bit(), length++;
    uint32_t symbol = order[start[length] + read - first[length]], distance = 0;
    if (symbol < 256) { back[at++] = (unsigned char)symbol; continue; }
    for (int i = 0; i < 15; i++) distance = distance << 1 | get_bit();
    for (uint32_t left = symbol - 256 + MATCH_MIN; left > 0; left--, at++) back[at] = back[at - distance];
  }
}

int main(int count, char **arguments) {
  int rounds = count > 1 ? atoi(arguments[1]) : 1;
  uint64_t digest = 0, total = 0;
  for (int round = 0; round < rounds; round++) {
    unsigned char lengths[SYMBOLS];
    generate((uint64_t)round + 1);
    uint32_t size = pack(lengths, find_matches());
    for (uint32_t i = 0; i < size; i++) digest = digest * 31 + packed[i];
    total += size;
    unpack(lengths);
    if (memcmp(text, back, SIZE) != 0) return puts("lz: the text did not come back"), 1;
  }
  printf("lz %llu %016llx\n", (unsigned long long)total, (unsigned long long)digest);
  return 0;
}
