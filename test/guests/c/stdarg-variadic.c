/* Rule: variadic calls pass every type, in registers and on the stack; va_copy reads twice (C99 7.15). */
#include <stdarg.h>
#include <stdio.h>
#include <wchar.h>

struct small { int a, b; };
struct large { double v[5]; };
struct mixed { float f; int i; };

static void show(const char *types, ...) {
  va_list ap, again;
  va_start(ap, types);
  va_copy(again, ap);
  int n = 0;
  for (const char *t = types; *t; t++, n++) switch (*t) {
    case 'i': printf("%d ", va_arg(ap, int)); break;
    case 'l': printf("%ld ", va_arg(ap, long)); break;
    case 'u': printf("%llx ", va_arg(ap, unsigned long long)); break;
    case 'd': printf("%a ", va_arg(ap, double)); break;
    case 'L': printf("%g ", (double)va_arg(ap, long double)); break;
    case 's': printf("%s ", va_arg(ap, const char *)); break;
    case 'S': { struct small s = va_arg(ap, struct small); printf("{%d,%d} ", s.a, s.b); break; }
    case 'B': { struct large s = va_arg(ap, struct large); printf("{%g..%g} ", s.v[0], s.v[4]); break; }
    case 'M': { struct mixed s = va_arg(ap, struct mixed); printf("{%g,%d} ", s.f, s.i); break; }
    case 'w': printf("%d ", (int)va_arg(ap, wint_t)); break;
    }
  va_end(ap);
  if (*types == 'i') printf("again %d", va_arg(again, int));
  va_end(again);
  printf(" (%d)\n", n);
}
static int sum(int count, ...) {
  va_list ap;
  va_start(ap, count);
  int s = 0;
  while (count--) s = s * 3 + va_arg(ap, int);
  va_end(ap);
  return s;
}
static int forward(char *out, size_t size, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(out, size, format, ap);
  va_end(ap);
  return n;
}

int main(void) {
  struct small s = {1, 2};
  struct large b = {{1.5, 2, 3, 4, 5.5}};
  struct mixed m = {0.5f, 9};
  show("i", 42);
  show("ididididididididid", 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5);
  show("lusw", -1L, ~0ULL, "text", (wint_t)0x20AC);
  show("LiLiL", 1.25L, 1, 2.5L, 2, 1e10L);
  show("SBSMiB", s, b, s, m, 7, b);
  show("iSiSiSiSiS", 1, s, 2, s, 3, s, 4, s, 5, s);
  show("MMMMMM", m, m, m, m, m, m);
  show("iLSd", 1, 2.0L, s, 3.0);
  printf("%d\n", sum(12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
  char out[64];
  int n = forward(out, sizeof out, "%d-%s-%.2f-%c", 7, "x", 1.005, 'z');
  printf("%d %s\n", n, out);
  return 0;
}
