/* Rule: fseek, ftell, rewind, fgetpos, ungetc and the end-of-file flag work together in update mode (C99 7.19.9). */
#include <stdio.h>
#include <string.h>

int main(void) {
  FILE *f = fopen("data.bin", "w+b");
  if (!f) return 1;
  for (int i = 0; i < 1000; i++) fprintf(f, "%04d\n", i);
  printf("%ld\n", ftell(f));
  char line[16];
  for (long at = 0; at < 5000; at += 777) {
    fseek(f, at, SEEK_SET);
    if (fgets(line, sizeof line, f)) printf("%ld: %ld %s", at, ftell(f), line);
  }
  fseek(f, -10, SEEK_END);
  printf("%c", fgetc(f));
  fpos_t pos;
  fgetpos(f, &pos);
  for (int i = 0; i < 3; i++) putchar(fgetc(f));
  puts("");
  fsetpos(f, &pos);
  int c0 = fgetc(f);
  printf("%c %ld\n", c0, ftell(f));
  ungetc('#', f);
  printf("%ld ", ftell(f));
  c0 = fgetc(f);
  printf("%c %ld\n", c0, ftell(f));
  fseek(f, 0, SEEK_END);
  c0 = fgetc(f);
  printf("%d %d", c0, feof(f) != 0);
  ungetc('z', f);
  printf(" %d", feof(f) != 0);
  c0 = fgetc(f);
  printf(" %c", c0);
  c0 = fgetc(f);
  printf(" %d\n", c0);
  clearerr(f);
  printf("%d\n", feof(f));
  fseek(f, 2500, SEEK_SET);
  fputs("HOLE!", f);
  fseek(f, 6000, SEEK_SET);
  fputc('e', f);
  fflush(f);
  rewind(f);
  unsigned long sum = 0, zeros = 0;
  for (int c; (c = fgetc(f)) != EOF;) sum = sum * 31 + (unsigned)c, zeros += c == 0;
  printf("%lu %lu %ld\n", sum, zeros, ftell(f));
  printf("%d %d\n", fseek(f, -1, SEEK_SET), fseek(f, 0, 99));
  fclose(f);
  f = fopen("data.bin", "r+");
  fseek(f, 3, SEEK_CUR);
  fputc('X', f);
  fseek(f, 0, SEEK_SET);
  printf("%s", fgets(line, sizeof line, f));
  fclose(f);
  f = fopen("data.bin", "a+");
  printf("%s", fgets(line, sizeof line, f));
  rewind(f);
  fputs("appended", f);
  printf("%ld\n", ftell(f));
  fclose(f);
  return 0;
}
