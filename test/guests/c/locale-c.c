/* Rule: the C locale's conventions, and what setlocale answers without locale files (C99 7.11).
 * image: /usr/lib/locale/C.utf8
 */
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  printf("%s\n", setlocale(LC_ALL, NULL));
  printf("%s %d %d\n", setlocale(LC_ALL, "C"), setlocale(LC_ALL, "xx_YY.nowhere") == NULL, strcmp(setlocale(LC_ALL, "POSIX"), "C"));
  struct lconv *l = localeconv();
  printf("[%s][%s][%s][%s][%s][%s]\n", l->decimal_point, l->thousands_sep, l->grouping, l->currency_symbol, l->positive_sign, l->negative_sign);
  printf("%d %d\n", l->frac_digits == CHAR_MAX, l->p_cs_precedes == CHAR_MAX);
  printf("%s %s %s %s %s\n", nl_langinfo(CODESET), nl_langinfo(RADIXCHAR), nl_langinfo(DAY_3), nl_langinfo(MON_11), nl_langinfo(D_T_FMT));
  printf("%s\n", setlocale(LC_CTYPE, "C.UTF-8"));
  printf("%s %s\n", setlocale(LC_ALL, NULL), nl_langinfo(CODESET));
  printf("%s\n", setlocale(LC_CTYPE, ""));
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  printf("%d %d\n", c != (locale_t)0, newlocale(LC_ALL_MASK, "zz_ZZ", (locale_t)0) == (locale_t)0);
  locale_t old = uselocale(c);
  printf("%d\n", old == LC_GLOBAL_LOCALE);
  uselocale(old);
  freelocale(c);
  return 0;
}
