/* Rule: fmemopen, open_memstream, getline, getdelim and tmpfile are streams like others (POSIX). */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  char area[] = "alpha\nbeta\n\ngamma without end";
  FILE *f = fmemopen(area, strlen(area), "r");
  char *line = NULL;
  size_t cap = 0;
  for (ssize_t n; (n = getline(&line, &cap, f)) != -1;) printf("%zd [%.*s]\n", n, (int)(n - (line[n - 1] == '\n')), line);
  printf("%d\n", feof(f) != 0);
  rewind(f);
  for (ssize_t n; (n = getdelim(&line, &cap, 'a', f)) != -1;) printf("%zd ", n);
  puts("");
  fclose(f);
  char *text = NULL;
  size_t size = 0;
  f = open_memstream(&text, &size);
  for (int i = 0; i < 300; i++) fprintf(f, "%d,", i);
  fflush(f);
  printf("%zu %.12s\n", size, text);
  fseek(f, 3, SEEK_SET);
  fputs("XYZ", f);
  fclose(f);
  printf("%zu %.12s\n", size, text);
  free(text);
  char fixed[10];
  f = fmemopen(fixed, sizeof fixed, "w");
  printf("%d\n", fprintf(f, "0123456789abcdef"));
  fclose(f);
  printf("[%.9s]\n", fixed);
  f = tmpfile();
  if (!f) return 1;
  for (int i = 0; i < 5000; i++) fputc(i & 0xff, f);
  rewind(f);
  unsigned sum = 0;
  for (int c; (c = getc(f)) != EOF;) sum += (unsigned)c;
  printf("%u\n", sum);
  fclose(f);
  f = fopen("long", "w");
  for (int i = 0; i < 100000; i++) fputc('x', f);
  fclose(f);
  f = fopen("long", "r");
  printf("%zd\n", getline(&line, &cap, f));
  fclose(f);
  free(line);
  char *made = NULL;
  int length = asprintf(&made, "%s-%05d", "made", 42);
  printf("%d %s\n", length, made);
  free(made);
  return 0;
}
