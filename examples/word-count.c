/* Counts the words of a text and writes them in the order of their frequency, with a digest of the whole table at the end.
 * An ordinary C program: fopen, malloc, qsort. Usage: word-count INPUT OUTPUT */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word {
  struct word *next;
  unsigned long count;
  char text[];
};

static struct word *buckets[1 << 18];
static unsigned long kinds;

static uint64_t hash_of(const char *text, size_t length) {
  uint64_t hash = 14695981039346656037ull;
  for (size_t at = 0; at < length; at++) hash = (hash ^ (unsigned char)text[at]) * 1099511628211ull;
  return hash;
}

static void count_word(const char *text, size_t length) {
  struct word **bucket = &buckets[hash_of(text, length) & ((1 << 18) - 1)];
  for (struct word *word = *bucket; word != NULL; word = word->next) {
    if (strncmp(word->text, text, length) == 0 && word->text[length] == '\0') {
      word->count++;
      return;
    }
  }
  struct word *fresh = malloc(sizeof *fresh + length + 1);
  if (fresh == NULL) exit(3);
  memcpy(fresh->text, text, length);
  fresh->text[length] = '\0';
  fresh->count = 1;
  fresh->next = *bucket;
  *bucket = fresh;
  kinds++;
}

static int by_frequency(const void *left, const void *right) {
  const struct word *a = *(struct word *const *)left, *b = *(struct word *const *)right;
  if (a->count != b->count) return a->count < b->count ? 1 : -1;
  return strcmp(a->text, b->text);
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: word-count INPUT OUTPUT\n");
    return 2;
  }
  FILE *input = fopen(arguments[1], "r"), *output = fopen(arguments[2], "w");
  if (input == NULL || output == NULL) {
    perror(input == NULL ? arguments[1] : arguments[2]);
    return 1;
  }
  char word[128];
  size_t length = 0;
  unsigned long total = 0;
  for (int c; (c = getc(input)) != EOF;) {
    if (isalnum(c) && length < sizeof word) {
      word[length++] = (char)tolower(c);
    } else if (length > 0) {
      count_word(word, length);
      total++;
      length = 0;
    }
  }
  if (length > 0) count_word(word, length), total++;

  struct word **all = malloc(kinds * sizeof *all);
  size_t filled = 0;
  for (size_t bucket = 0; bucket < 1 << 18; bucket++)
    for (struct word *entry = buckets[bucket]; entry != NULL; entry = entry->next) all[filled++] = entry;
  qsort(all, filled, sizeof *all, by_frequency);
  uint64_t digest = 0;
  for (size_t index = 0; index < filled; index++) {
    fprintf(output, "%9lu %s\n", all[index]->count, all[index]->text);
    digest = digest * 31 + hash_of(all[index]->text, strlen(all[index]->text)) * all[index]->count;
  }
  fprintf(output, "%lu words, %lu different, digest %016llx\n", total, kinds, (unsigned long long)digest);
  return fclose(output) == 0 ? 0 : 1;
}
