/* Rule: the language's own machinery: struct passing, unions, VLAs, compound literals, _Generic, switch, goto, pointers. */
#include <complex.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <tgmath.h>

struct pair { double x; long n; };
struct floats { float a, b; };
struct big { int v[20]; };
struct nested { char c; struct { short s; union { int i; float f; }; } in; char tail[]; };
typedef int (*operation)(int, int);

static struct pair swap(struct pair p) { return (struct pair){(double)p.n, (long)p.x}; }
static struct floats half(struct floats f) { return (struct floats){f.a / 2, f.b / 2}; }
static struct big shift(struct big b, int by) {
  struct big r;
  for (int i = 0; i < 20; i++) r.v[i] = b.v[(i + by) % 20];
  return r;
}
static long many(char a, short b, int c, long d, float e, double f, struct pair g, struct big h, unsigned char i, void *j, struct floats k) {
  return a + b * 2 + c * 3 + d * 4 + (long)e * 5 + (long)f * 6 + (long)g.x * 7 + g.n * 8 + h.v[19] * 9 + i * 10 + (j != NULL) * 11 + (long)(k.a + k.b) * 12;
}
static int add(int a, int b) { return a + b; }
static int multiply(int a, int b) { return a * b; }
static int power(int a, int b) { return b ? a * power(a, b - 1) : 1; }
static int vla(int n) {
  int grid[n][n + 1], sum = 0;
  for (int i = 0; i < n; i++) for (int j = 0; j <= n; j++) grid[i][j] = i * j;
  int (*row)[n + 1] = grid;
  for (int i = 0; i < n; i++) sum += row[i][n] + (int)(sizeof grid / sizeof *grid);
  return sum;
}
static int duff(const char *from, char *to, int count) {
  int n = (count + 7) / 8;
  switch (count % 8) {
    case 0: do { *to++ = *from++;
    case 7: *to++ = *from++;
    case 6: *to++ = *from++;
    case 5: *to++ = *from++;
    case 4: *to++ = *from++;
    case 3: *to++ = *from++;
    case 2: *to++ = *from++;
    case 1: *to++ = *from++;
    } while (--n > 0);
  }
  return count;
}
#define kind(x) _Generic((x), int: "int", double: "double", char *: "string", const char *: "constant string", float: "float", default: "other")

int main(void) {
  struct pair p = swap((struct pair){3.75, 9});
  struct floats f = half((struct floats){3, 5});
  struct big b = {{0}};
  for (int i = 0; i < 20; i++) b.v[i] = i * i;
  struct big c = shift(b, 7);
  printf("%g %ld %g %g %d %d\n", p.x, p.n, f.a, f.b, c.v[0], c.v[19]);
  printf("%ld\n", many('a', -2, 3, -4, 5.5f, 6.5, p, c, 200, &p, f));
  operation table[] = {add, multiply, power};
  for (int i = 0; i < 3; i++) printf("%d ", table[i](3, 4));
  printf("%d %d\n", vla(7), vla(30));
  char copied[32] = {0};
  printf("%d ", duff("a device of note, this one", copied, 26));
  printf("%s\n", copied);
  printf("%s %s %s %s %s\n", kind(1), kind(1.0), kind("x"), kind(1.0f), kind(1L));
  union { uint64_t u; double d; unsigned char bytes[8]; } pun = {.d = -2.5};
  printf("%016llx %02x\n", (unsigned long long)pun.u, pun.bytes[7]);
  printf("%zu %zu %zu %zu\n", sizeof(struct nested), offsetof(struct nested, in.i), offsetof(struct nested, tail), alignof(max_align_t));
  int sparse[10] = {[3] = 7, [7] = 1, 2};
  printf("%d %d %d\n", sparse[3], sparse[8], *(int[]){5, 6, 7});
  void *labels[] = {&&one, &&two, &&three};
  int hops = 0;
  goto *labels[0];
three: hops = hops * 10 + 3; goto end;
two: hops = hops * 10 + 2; goto *labels[2];
one: hops = hops * 10 + 1; goto *labels[1];
end:
  printf("%d %d\n", hops, (_Bool)0.1 + true);
  int x = 5;
  x = (x++, x * 2);
  printf("%d %d %d\n", x, ({ int t = x; t * t; }), x > 3 ? x < 20 ? 1 : 2 : 3);
  const char *words[] = {"zero", "one", "two"}, **w = words;
  printf("%c%s", *++*++w, *(words + 2) + 1);
  printf(" %td\n", &words[2] - w);
  printf("%g %g\n", (double)sqrt(2.25f), fabs(-1.5));
  for (int i = 0, j = 10; i < j; i += 3, j--) if (i == 3) continue; else printf("%d,%d ", i, j);
  puts("");
  switch (hops) { case 100 ... 130: puts("range"); break; default: puts("default"); }
  printf("%d\n", __LINE__ > 0 && !strcmp(__func__, "main"));
  return 0;
}
