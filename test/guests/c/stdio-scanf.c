/* Rule: scanf reads every conversion, stops at the first mismatch and counts (C99 7.19.6.2).
 * stdin: 42 -17 0x1f 077 0b 3.5e2 word   spaced  X\n1,2,3;rest of line\nabc123def\n[tag]=value\n999999999999 nan inf -0x1.8p3\n
 */
#include <stdio.h>
#include <string.h>

static void show(const char *text, const char *format) {
  int a = -1, b = -1;
  char s[32] = "-", t[32] = "-";
  int count = sscanf(text, format, &a, s, &b, t);
  printf("%-24s %-20s -> %d: %d [%s] %d [%s]\n", text, format, count, a, s, b, t);
}

int main(void) {
  int d, i, h, o, n = -1;
  char c, word[16], rest[32];
  printf("%d ", scanf("%d %i %i %i %n", &d, &i, &h, &o, &n));
  printf("%d %d %d %d %d\n", d, i, h, o, n);
  double x = 0;
  printf("%d ", scanf("%1s%1[a-z] %lf", word, rest, &x));
  printf("%s %s %g\n", word, rest, x);
  printf("%d ", scanf("%15s %*s %c", word, &c));
  printf("%s %c\n", word, c);
  int p, q, r;
  printf("%d ", scanf("%d,%d,%d;%31[^\n]", &p, &q, &r, rest));
  printf("%d %d %d [%s]\n", p, q, r, rest);
  char letters[16], digits[16];
  printf("%d ", scanf(" %[a-z]%[0-9]%[^\n]", letters, digits, rest));
  printf("%s %s %s\n", letters, digits, rest);
  printf("%d ", scanf(" [%15[^]]]=%15s", word, rest));
  printf("%s %s\n", word, rest);
  long long big;
  double special, infinite, hex;
  printf("%d ", scanf("%lld %lf %lf %lf", &big, &special, &infinite, &hex));
  printf("%lld %d %f %f\n", big, special != special, infinite, hex);
  int last = scanf("%d", &d);
  printf("%d %d\n", last, feof(stdin) != 0);
  show("12 abc 34 def", "%d %s %d %s");
  show("12abc34", "%d%3[a-c]%d");
  show("x12", "%d %s");
  show("", "%d");
  show("7%9", "%d%%%1s");
  show("123456", "%3d%3s");
  show("  5\n\n z", "%d %s");
  unsigned char hh;
  short sh;
  long l;
  unsigned long long ull;
  printf("%d ", sscanf("300 70000 -9 18446744073709551615", "%hhu %hd %ld %llu", &hh, &sh, &l, &ull));
  printf("%u %d %ld %llu\n", hh, sh, l, ull);
  float f;
  long double ld;
  char *made = NULL;
  printf("%d ", sscanf("1.25 2.5 heap", "%f %Lf %ms", &f, &ld, &made));
  printf("%g %g %s\n", f, (double)ld, made);
  void *pointer;
  int one = sscanf("0x10", "%p", &pointer);
  printf("%d %d\n", one, pointer == (void *)16);
  return 0;
}
