/* Rule: an expression evaluator with variables, precedence and errors, one line at a time.
 * stdin: 1+2*3\n(1+2)*3\nx = 2^10\nx/3\n-x+5\n2^3^2\n10%4\n1/0\ny\n((2)\n3 +\nz = (x - 24) * 0.001\nz\n1e3 + .5\nsqrt(2)\nmax(3, 4*2)\n
 */
#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *at;
static double variables[26];
static char known[26];
static jmp_buf failed;
static const char *why;
static double sum(void);
static void space(void) { while (*at == ' ') at++; }
static int take(char c) { space(); if (*at != c) return 0; at++; return 1; }
static _Noreturn void fail(const char *what) { why = what; longjmp(failed, 1); }
static double primary(void) {
  space();
  if (take('(')) {
    double v = sum();
    if (!take(')')) fail("a parenthesis is open");
    return v;
  }
  if (take('-')) return -primary();
  if (!strncmp(at, "sqrt(", 5)) {
    at += 5;
    double v = sum();
    if (!take(')')) fail("a parenthesis is open");
    return sqrt(v);
  }
  if (!strncmp(at, "max(", 4)) {
    at += 4;
    double a = sum();
    if (!take(',')) fail("max has two arguments");
    double b = sum();
    if (!take(')')) fail("a parenthesis is open");
    return a > b ? a : b;
  }
  if (islower((unsigned char)*at)) {
    int name = *at++ - 'a';
    if (!known[name]) fail("a variable has no value");
    return variables[name];
  }
  char *end;
  double v = strtod(at, &end);
  if (end == at) fail("a number is missing");
  at = end;
  return v;
}
static double whole_power(double base, int e) { double r = 1; for (int i = 0; i < e; i++) r *= base; return r; }
static double power(void) { double v = primary(); return take('^') ? whole_power(v, (int)power()) : v; }
static double product(void) {
  double v = power();
  for (;;) {
    if (take('*')) v *= power();
    else if (take('/')) { double d = power(); if (d == 0) fail("division by zero"); v /= d; }
    else if (take('%')) v = fmod(v, power());
    else return v;
  }
}
static double sum(void) {
  double v = product();
  for (;;) if (take('+')) v += product(); else if (take('-')) v -= product(); else return v;
}

int main(void) {
  char line[256];
  int errors = 0;
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    at = line;
    if (setjmp(failed)) { printf("%s: %s at %d\n", line, why, (int)(at - line)); errors++; continue; }
    int target = -1;
    if (islower((unsigned char)line[0]) && line[1] == ' ' && line[2] == '=') target = line[0] - 'a', at += 3;
    double v = sum();
    space();
    if (*at) fail("something is left over");
    if (target >= 0) variables[target] = v, known[target] = 1;
    printf("%s -> %.12g\n", line, v);
  }
  printf("%d errors\n", errors);
  return errors == 4 ? 0 : 1;
}
