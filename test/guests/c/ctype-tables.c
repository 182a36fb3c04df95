/* Rule: ctype.h and wctype.h classify and map every character of the C locale (C99 7.4, 7.25).
 * image: /usr/lib/locale/C.utf8
 */
#include <ctype.h>
#include <locale.h>
#include <stdio.h>
#include <wctype.h>

int main(void) {
  for (int c = -1; c < 256; c++) {
    int bits = !!isalnum(c) | !!isalpha(c) << 1 | !!iscntrl(c) << 2 | !!isdigit(c) << 3 | !!isgraph(c) << 4 | !!islower(c) << 5 |
               !!isprint(c) << 6 | !!ispunct(c) << 7 | !!isspace(c) << 8 | !!isupper(c) << 9 | !!isxdigit(c) << 10 | !!isblank(c) << 11;
    printf("%d:%x:%d:%d%s", c, bits, tolower(c), toupper(c), c % 8 == 7 ? "\n" : " ");
  }
  if (!setlocale(LC_ALL, "C.UTF-8")) return 1;
  unsigned counts[12] = {0}, lower = 0, upper = 0;
  for (wint_t c = 0; c < 0x20000; c++) {
    counts[0] += !!iswalpha(c), counts[1] += !!iswdigit(c), counts[2] += !!iswupper(c), counts[3] += !!iswlower(c);
    counts[4] += !!iswspace(c), counts[5] += !!iswpunct(c), counts[6] += !!iswprint(c), counts[7] += !!iswcntrl(c);
    lower += towlower(c) != c, upper += towupper(c) != c;
  }
  for (int i = 0; i < 8; i++) printf("%u ", counts[i]);
  printf("%u %u\n", lower, upper);
  wctype_t type = wctype("alpha");
  wctrans_t map = wctrans("toupper");
  printf("%d %x %d\n", iswctype(0xe9, type) != 0, (unsigned)towctrans(0xe9, map), wctype("nonsense") == 0);
  return 0;
}
