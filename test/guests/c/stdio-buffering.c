/* Rule: setvbuf changes when bytes reach the file, never which bytes (C99 7.19.5.6); POSIX sees only flushed ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static long size_of(const char *path) {
  struct stat st;
  return stat(path, &st) ? -1 : (long)st.st_size;
}

static void with(int mode, size_t size, const char *label) {
  char *buffer = size ? malloc(size) : NULL;
  FILE *f = fopen("out", "w");
  int rc = setvbuf(f, buffer, mode, size);
  printf("%s: %d", label, rc);
  fputs("one", f);
  printf(" %ld", size_of("out"));
  fputs(" two\n", f);
  printf(" %ld", size_of("out"));
  for (int i = 0; i < 40; i++) fputc('a' + i % 26, f);
  printf(" %ld", size_of("out"));
  fflush(f);
  printf(" %ld", size_of("out"));
  fclose(f);
  free(buffer);
  char text[128] = {0};
  f = fopen("out", "r");
  size_t n = fread(text, 1, sizeof text, f);
  printf(" %zu %lu\n", n, (unsigned long)strlen(text));
  fclose(f);
}

int main(void) {
  with(_IONBF, 0, "none");
  with(_IOLBF, 1024, "line");
  with(_IOFBF, 16, "full16");
  with(_IOFBF, 4096, "full4096");
  FILE *f = fopen("big", "w");
  static char block[10000];
  memset(block, 'q', sizeof block);
  for (int i = 0; i < 20; i++) fwrite(block, 1, sizeof block - (size_t)i, f);
  printf("%ld\n", ftell(f));
  fclose(f);
  printf("%ld\n", size_of("big"));
  f = fopen("big", "r");
  static char got[7000];
  size_t total = 0, n;
  while ((n = fread(got, 7, 1000, f)) > 0) total += n;
  printf("%zu %d %d\n", total, feof(f) != 0, ferror(f));
  fclose(f);
  fprintf(stderr, "diagnostics go elsewhere\n");
  setvbuf(stdout, NULL, _IONBF, 0);
  fputs("unbuffered ", stdout);
  putchar('\n');
  return 0;
}
