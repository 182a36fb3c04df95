/* Rule: wide streams convert by the locale's encoding; orientation sticks (C99 7.24.2, 7.24.3).
 * image: /usr/lib/locale/C.utf8
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

int main(void) {
  printf("%s\n", setlocale(LC_ALL, "C.UTF-8") ? "C.UTF-8" : "none");
  FILE *f = fopen("wide", "w+");
  int w0 = fwide(f, 0);
  int w1 = fwide(f, 1) > 0;
  int w2 = fwide(f, -1) > 0;
  printf("%d %d %d\n", w0, w1, w2);
  printf("%d\n", fwprintf(f, L"%ls %d %lc\n", L"h\u00e9llo \u4e16\u754c", 42, (wint_t)0x1F600));
  fputws(L"second\n", f);
  fflush(f);
  rewind(f);
  wchar_t line[64];
  while (fgetws(line, 64, f)) {
    for (wchar_t *p = line; *p; p++) printf("%x ", (unsigned)*p);
    puts("");
  }
  fclose(f);
  f = fopen("wide", "r");
  printf("%d", (int)fgetc(f));
  printf(" %d\n", fwide(f, 0) < 0);
  unsigned sum = 0;
  for (int c; (c = fgetc(f)) != EOF;) sum = sum * 131 + (unsigned)c;
  printf("%u\n", sum);
  fclose(f);
  wchar_t buffer[64];
  printf("%d\n", swprintf(buffer, 64, L"%5.2f|%ls|%x", 3.14159, L"wide", 255));
  printf("%d %d\n", (int)wcslen(buffer), swprintf(buffer, 4, L"%d", 123456) < 0);
  int a;
  wchar_t w[16];
  printf("%d", swscanf(L"17 stra\u00dfe", L"%d %ls", &a, w));
  printf(" %d %d %x\n", a, (int)wcslen(w), (unsigned)w[4]);
  printf("%ls|%lc|%5ls|%.3ls\n", L"\u00fcber", (wint_t)0xe9, L"ab", L"\u00e9\u00e9\u00e9");
  setlocale(LC_ALL, "C");
  char out[16];
  errno = 0;
  int bad = snprintf(out, sizeof out, "%ls", L"\u00e9");
  printf("%d %d\n", bad, errno == EILSEQ);
  return 0;
}
