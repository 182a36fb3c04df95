/* Rule: seven sorting algorithms give one order. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void swap(int *a, int *b) { int t = *a; *a = *b, *b = t; }
static void insertion(int *v, int n) { for (int i = 1; i < n; i++) for (int j = i; j > 0 && v[j] < v[j - 1]; j--) swap(&v[j], &v[j - 1]); }
static void shell(int *v, int n) { for (int gap = n / 2; gap; gap /= 2) for (int i = gap; i < n; i++) for (int j = i; j >= gap && v[j] < v[j - gap]; j -= gap) swap(&v[j], &v[j - gap]); }
static void quick(int *v, int n) {
  while (n > 1) {
    int pivot = v[(n - 1) / 2], i = -1, j = n;
    for (;;) {
      do i++; while (v[i] < pivot);
      do j--; while (v[j] > pivot);
      if (i >= j) break;
      swap(&v[i], &v[j]);
    }
    quick(v, j + 1), v += j + 1, n -= j + 1;
  }
}
static void sift(int *v, int i, int n) {
  for (int c; (c = 2 * i + 1) < n; i = c) {
    if (c + 1 < n && v[c + 1] > v[c]) c++;
    if (v[i] >= v[c]) return;
    swap(&v[i], &v[c]);
  }
}
static void heap(int *v, int n) {
  for (int i = n / 2 - 1; i >= 0; i--) sift(v, i, n);
  while (n > 1) swap(&v[0], &v[--n]), sift(v, 0, n);
}
static void merge(int *v, int n) {
  if (n < 2) return;
  int half = n / 2, i = 0, j = half, *out = malloc((size_t)n * sizeof *out);
  merge(v, half), merge(v + half, n - half);
  for (int k = 0; k < n; k++) out[k] = j >= n || (i < half && v[i] <= v[j]) ? v[i++] : v[j++];
  memcpy(v, out, (size_t)n * sizeof *v), free(out);
}
static void radix(int *v, int n) {
  uint32_t *from = malloc((size_t)n * 4 + 1), *to = malloc((size_t)n * 4 + 1);
  for (int i = 0; i < n; i++) from[i] = (uint32_t)v[i] ^ 0x80000000u;
  for (int shift = 0; shift < 32; shift += 8) {
    int count[257] = {0};
    for (int i = 0; i < n; i++) count[(from[i] >> shift & 255) + 1]++;
    for (int i = 0; i < 256; i++) count[i + 1] += count[i];
    for (int i = 0; i < n; i++) to[count[from[i] >> shift & 255]++] = from[i];
    uint32_t *t = from; from = to, to = t;
  }
  for (int i = 0; i < n; i++) v[i] = (int)(from[i] ^ 0x80000000u);
  free(from), free(to);
}
static int compare(const void *a, const void *b) { return (*(int *)a > *(int *)b) - (*(int *)a < *(int *)b); }
static void library(int *v, int n) { qsort(v, (size_t)n, sizeof *v, compare); }

int main(void) {
  static void (*const sorts[])(int *, int) = {insertion, shell, quick, heap, merge, radix, library};
  static int original[3000], v[3000];
  uint32_t seed = 7;
  for (int kind = 0; kind < 5; kind++)
    for (int n = 0; n <= 1000; n = n * 5 + 3) {
      for (int i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        original[i] = kind == 0 ? (int)seed : kind == 1 ? i : kind == 2 ? n - i : kind == 3 ? (int)(seed >> 30) : 5;
      }
      uint64_t first = 0;
      for (int s = 0; s < 7; s++) {
        memcpy(v, original, sizeof v), sorts[s](v, n);
        uint64_t h = 17;
        for (int i = 0; i < n; i++) h = h * 31 + (uint32_t)v[i];
        if (s == 0) first = h;
        if (h != first) printf("sort %d differs\n", s);
      }
      printf("%d %d %016llx\n", kind, n, (unsigned long long)first);
    }
  return 0;
}
