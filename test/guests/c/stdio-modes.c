/* Rule: fopen modes decide creation, truncation, appending and which direction works (C99 7.19.5.3, C11 "x"). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void try(const char *path, const char *mode) {
  errno = 0;
  FILE *f = fopen(path, mode);
  printf("%-8s %-4s", path, mode);
  if (!f) {
    printf(" error %s\n", strerror(errno));
    return;
  }
  int wrote = fputs("W", f) != EOF && fflush(f) != EOF;
  int write_errno = wrote ? 0 : errno;
  clearerr(f);
  rewind(f);
  errno = 0;
  char text[64];
  size_t n = fread(text, 1, sizeof text - 1, f);
  text[n] = 0;
  printf(" write %d/%s read %zu [%s] err %d\n", wrote, write_errno ? strerror(write_errno) : "-", n, text, ferror(f) != 0);
  fclose(f);
}

int main(void) {
  static const char *const modes[] = {"r", "w", "a", "r+", "w+", "a+", "rb", "wx", "w+x", "rb+", "a+b"};
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    FILE *f = fopen("exists", "w");
    fputs("0123", f);
    fclose(f);
    try("exists", modes[i]);
    remove("missing");
    try("missing", modes[i]);
  }
  try(".", "r");
  try(".", "w");
  try("no/dir", "w");
  try("exists/x", "r");
  try("", "r");
  errno = 0;
  FILE *none = fopen("exists", "z");
  printf("%d %s\n", none == NULL, strerror(errno));
  FILE *f = freopen("exists", "w", stdout);
  if (!f) return 1;
  puts("into the file");
  fflush(stdout);
  FILE *g = fopen("exists", "r");
  char line[32] = "";
  fgets(line, sizeof line, g);
  fputs(line, stderr);
  return strcmp(line, "into the file\n") == 0 ? 0 : 2;
}
