/* Rule: qsort sorts any element size with any comparison; bsearch, lfind, tsearch, hsearch find (C99 7.20.5, POSIX). */
#define _GNU_SOURCE
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t seed = 12345;
static uint32_t next(void) { return seed = seed * 1664525u + 1013904223u; }
static int by_int(const void *a, const void *b) { return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b); }
static int reverse(const void *a, const void *b, void *arg) { ++*(long *)arg; return by_int(b, a); }
struct record { char key[13]; double weight; };
static int by_key(const void *a, const void *b) { return strcmp(((const struct record *)a)->key, ((const struct record *)b)->key); }
static int by_text(const void *a, const void *b) { return strcmp(a, b); }
static long visited;
static void visit(const void *node, VISIT which, int depth) {
  if (which == postorder || which == leaf) visited = visited * 31 + **(int *const *)node, (void)depth;
}

int main(void) {
  for (int n = 0; n <= 5000; n = n * 3 + 1) {
    int *v = malloc((size_t)n * sizeof *v + 1);
    long sum = 0, check = 0;
    for (int i = 0; i < n; i++) sum += v[i] = (int)(next() >> 8) % (n / 2 + 1);
    qsort(v, (size_t)n, sizeof *v, by_int);
    int sorted = 1;
    for (int i = 1; i < n; i++) sorted &= v[i - 1] <= v[i];
    for (int i = 0; i < n; i++) check += v[i];
    int found = 0;
    for (int key = 0; key < 100; key++) found += bsearch(&key, v, (size_t)n, sizeof *v, by_int) != NULL;
    long calls = 0;
    qsort_r(v, (size_t)n, sizeof *v, reverse, &calls);
    printf("%d %d %d %d %d %d\n", n, sorted, sum == check, found, n ? v[0] : -1, calls > 0);
    free(v);
  }
  struct record r[200];
  for (int i = 0; i < 200; i++) snprintf(r[i].key, sizeof r[i].key, "k%08x", (unsigned)next()), r[i].weight = i / 3.0;
  qsort(r, 200, sizeof *r, by_key);
  uint64_t h = 0;
  for (int i = 0; i < 200; i++) for (char *p = r[i].key; *p; p++) h = h * 31 + (unsigned char)*p + (unsigned)r[i].weight;
  printf("%016llx\n", (unsigned long long)h);
  char letters[] = "the quick brown fox jumps over the lazy dog";
  qsort(letters, strlen(letters), 1, (int (*)(const void *, const void *))by_text);
  printf("%d\n", letters[0] == ' ');
  char words[8][8] = {"pear", "fig", "apple", "kiwi", "date", "plum", "lime", "grape"};
  qsort(words, 8, 8, by_text);
  for (int i = 0; i < 8; i++) printf("%s ", words[i]);
  puts("");
  size_t count = 8;
  printf("%s %d\n", (char *)lfind("kiwi", words, &count, 8, by_text), lfind("none", words, &count, 8, by_text) == NULL);
  void *root = NULL;
  static int values[500];
  for (int i = 0; i < 500; i++) values[i] = (int)(next() >> 16) % 1000, tsearch(&values[i], &root, by_int);
  twalk(root, visit);
  printf("%ld %d\n", visited, tfind(&values[7], &root, by_int) != NULL);
  for (int i = 0; i < 500; i++) tdelete(&values[i], &root, by_int);
  printf("%d\n", root == NULL);
  hcreate(50);
  for (int i = 0; i < 8; i++) hsearch((ENTRY){.key = words[i], .data = (void *)(intptr_t)(i * 10)}, ENTER);
  ENTRY *e = hsearch((ENTRY){.key = "lime"}, FIND);
  printf("%d %d\n", (int)(intptr_t)e->data, hsearch((ENTRY){.key = "nothing"}, FIND) == NULL);
  hdestroy();
  return 0;
}
