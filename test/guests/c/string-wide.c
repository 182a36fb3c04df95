/* Rule: wchar.h strings, multibyte conversion and its state, also on broken UTF-8 (C99 7.24, 7.20.7).
 * image: /usr/lib/locale/C.utf8
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static void bytes(const char *s, size_t n) {
  for (size_t i = 0; i < n; i++) printf("%02x", (unsigned char)s[i]);
  printf(" ");
}

int main(void) {
  if (!setlocale(LC_CTYPE, "C.UTF-8")) return 1;
  printf("%zu\n", MB_CUR_MAX);
  static const unsigned points[] = {0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff, 0xd800, 0x110000};
  for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
    char out[8] = {0};
    mbstate_t st = {0};
    errno = 0;
    size_t n = wcrtomb(out, (wchar_t)points[i], &st);
    printf("%x %zd %d ", points[i], (ssize_t)n, errno == EILSEQ);
    if (n != (size_t)-1) {
      bytes(out, n);
      wchar_t back = 0;
      int took = mbtowc(&back, out, n);
      printf("%d %d", took, (unsigned)back == points[i]);
    }
    puts("");
  }
  static const char *const broken[] = {"\xff", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xf5\x80\x80\x80", "a\x80", "\xe2\x28\xa1"};
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    wchar_t w;
    mbstate_t st = {0};
    size_t n = mbrtowc(&w, broken[i], strlen(broken[i]), &st);
    printf("%zd %d | ", (ssize_t)n, mbsinit(&st) != 0);
  }
  puts("");
  mbstate_t st = {0};
  wchar_t w = 0;
  const char *euro = "\xe2\x82\xac";
  for (int i = 0; i < 3; i++) printf("%zd ", (ssize_t)mbrtowc(&w, euro + i, 1, &st));
  printf("%x\n", (unsigned)w);
  wchar_t ws[32];
  printf("%zd %zd\n", (ssize_t)mbstowcs(ws, "gr\xc3\xbc\xc3\x9f", 32), (ssize_t)mbstowcs(NULL, "abc\xe2\x82\xac", 0));
  char narrow[32];
  printf("%zd ", (ssize_t)wcstombs(narrow, L"\u00fc\u20ac", sizeof narrow));
  bytes(narrow, strlen(narrow));
  puts("");
  wchar_t a[32] = L"alpha", b[32];
  wcscat(a, L" beta"), wcsncpy(b, a, 7), b[7] = 0;
  printf("%zu %d %d %ls %ls\n", wcslen(a), wcscmp(a, b) > 0, wcsncmp(a, b, 6), wcsstr(a, L"be"), wcschr(b, L'p'));
  wchar_t *state;
  wchar_t tokens[] = L"a-b--c";
  for (wchar_t *t = wcstok(tokens, L"-", &state); t; t = wcstok(NULL, L"-", &state)) printf("%ls.", t);
  printf(" %zu %zu\n", wcsspn(L"aabbc", L"ab"), wcscspn(L"xyz,", L","));
  wmemset(b, L'z', 5), b[5] = 0;
  wmemcpy(b + 1, L"yx", 2);
  printf("%ls %d %ls\n", b, wmemcmp(b, L"zyxzz", 5), wmemchr(b, L'x', 5));
  wchar_t *end;
  long parsed = wcstol(L"-0x1Fz", &end, 0);
  printf("%ld %g %ls\n", parsed, wcstod(L"2.5e3", NULL), end);
  printf("%d %d\n", mblen("\xc3\xa9", 2), mblen("\xc3", 1));
  return 0;
}
