/* Sorting random 64-bit numbers: the C library's qsort with a comparison function, then an own quicksort. Argument: rounds over 200 000 numbers.
   Prints a checksum of the orders. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBERS = 200000 };
static uint64_t first[NUMBERS], second[NUMBERS];

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void quicksort(uint64_t *from, uint64_t *to) { /* Sorts [from, to). */
  while (to - from > 16) {
    uint64_t a = from[0], b = from[(to - from) / 2], c = to[-1];
    uint64_t pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
    uint64_t *left = from, *right = to - 1;
    for (;;) {
      while (*left < pivot) left++;
      while (*right > pivot) right--;
      if (left >= right) break;
      uint64_t swapped = *left;
      *left++ = *right, *right-- = swapped;
    }
    uint64_t *middle = left;
    if (middle - from < to - middle) quicksort(from, middle), from = middle;
    else quicksort(middle, to), to = middle;
  }
  for (uint64_t *at = from + 1; at < to; at++) {
    uint64_t value = *at, *hole = at;
    while (hole > from && hole[-1] > value) hole[0] = hole[-1], hole--;
    *hole = value;
  }
}

int main(int count, char **arguments) {
  int rounds = count > 1 ? atoi(arguments[1]) : 1;
  uint64_t seed = 88172645463325252u, digest = 0;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < NUMBERS; i++) {
      seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
      first[i] = second[i] = round % 2 == 0 ? seed : seed % 1000;
    }
    qsort(first, NUMBERS, sizeof *first, compare);
    quicksort(second, second + NUMBERS);
    for (int i = 0; i < NUMBERS; i++) {
      if (first[i] != second[i]) return puts("qsort: the two sorts disagree"), 1;
      digest = digest * 31 + first[i];
    }
  }
  printf("qsort %016llx\n", (unsigned long long)digest);
  return 0;
}
