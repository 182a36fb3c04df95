/* Rule: malloc, calloc, realloc, aligned_alloc and free keep contents and alignment through any pattern (C99 7.20.3). */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t seed = 1;
static uint32_t next(void) { return (seed = seed * 1103515245u + 12345u) >> 8; }
struct slot { unsigned char *p; size_t size; unsigned char fill; };

static int intact(const struct slot *s) {
  for (size_t i = 0; i < s->size; i += s->size > 64 ? 37 : 1) if (s->p[i] != s->fill) return 0;
  return 1;
}

int main(void) {
  static struct slot slots[512];
  long bad = 0, moved = 0, misaligned = 0;
  for (int round = 0; round < 10000; round++) {
    struct slot *s = &slots[next() % 512];
    size_t size = next() % 20 == 0 ? next() % 300000 : next() % 500;
    bad += !intact(s);
    if (!s->p || next() % 3) {
      size_t keep = s->size < size ? s->size : size;
      unsigned char *q = realloc(s->p, size ? size : 1);
      if (!q) return 1;
      moved += s->p && q != s->p;
      struct slot after = {q, keep, s->fill};
      bad += !intact(&after);
      s->p = q, s->size = size, s->fill = (unsigned char)next();
      memset(q, s->fill, size);
    } else {
      free(s->p);
      *s = (struct slot){0};
    }
    misaligned += (uintptr_t)s->p % 16 != 0;
  }
  printf("%ld %d %ld\n", bad, moved > 0, misaligned);
  for (int i = 0; i < 512; i++) free(slots[i].p);
  for (size_t align = 16; align <= 65536; align *= 2) {
    void *p = aligned_alloc(align, align * 3), *q = NULL;
    int rc = posix_memalign(&q, align, 100);
    printf("%d%d%d ", (uintptr_t)p % align == 0, rc, (uintptr_t)q % align == 0);
    free(p), free(q);
  }
  void *q;
  printf("%d\n", posix_memalign(&q, 3, 8) == EINVAL);
  int *zeroes = calloc(100000, sizeof *zeroes);
  long sum = 0;
  for (int i = 0; i < 100000; i++) sum += zeroes[i];
  printf("%ld\n", sum);
  free(zeroes);
  errno = 0;
  volatile size_t huge = SIZE_MAX / 2 + 2;
  void *none = calloc(huge, 2);
  printf("%d %d\n", none == NULL, errno == ENOMEM);
  none = malloc(huge);
  printf("%d\n", none == NULL);
  none = reallocarray(NULL, huge, 4);
  printf("%d\n", none == NULL);
  char *big = malloc(16 << 20);
  for (size_t i = 0; i < 16u << 20; i += 4096) big[i] = (char)(i >> 12);
  unsigned check = 0;
  for (size_t i = 0; i < 16u << 20; i += 4096) check = check * 17 + (unsigned char)big[i];
  printf("%u %d\n", check, malloc_usable_size(big) >= 16u << 20);
  big = realloc(big, 24 << 20);
  check = 0;
  for (size_t i = 0; i < 16u << 20; i += 4096) check = check * 17 + (unsigned char)big[i];
  printf("%u\n", check);
  free(big);
  free(NULL);
  void *zero = malloc(0);
  printf("%d\n", zero != NULL);
  free(zero);
  return 0;
}
