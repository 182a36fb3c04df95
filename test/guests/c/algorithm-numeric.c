/* Rule: floating-point kernels (bodies, matrices, integration, Mandelbrot, Newton, FFT without libm) give IEEE's bits. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct body { double x[3], v[3], m; };
static double energy(const struct body *b, int n) {
  double e = 0;
  for (int i = 0; i < n; i++) {
    e += 0.5 * b[i].m * (b[i].v[0] * b[i].v[0] + b[i].v[1] * b[i].v[1] + b[i].v[2] * b[i].v[2]);
    for (int j = i + 1; j < n; j++) {
      double d[3];
      for (int k = 0; k < 3; k++) d[k] = b[i].x[k] - b[j].x[k];
      e -= b[i].m * b[j].m / sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
    }
  }
  return e;
}
static void step(struct body *b, int n, double dt) {
  for (int i = 0; i < n; i++) for (int j = i + 1; j < n; j++) {
    double d[3], s = 0;
    for (int k = 0; k < 3; k++) d[k] = b[i].x[k] - b[j].x[k], s += d[k] * d[k];
    double f = dt / (s * sqrt(s));
    for (int k = 0; k < 3; k++) b[i].v[k] -= d[k] * b[j].m * f, b[j].v[k] += d[k] * b[i].m * f;
  }
  for (int i = 0; i < n; i++) for (int k = 0; k < 3; k++) b[i].x[k] += dt * b[i].v[k];
}
static int mandelbrot(double cr, double ci) {
  double r = 0, i = 0;
  int n = 0;
  while (n < 60 && r * r + i * i < 4) {
    double t = r * r - i * i + cr;
    i = 2 * r * i + ci, r = t, n++;
  }
  return n;
}

int main(void) {
  struct body b[5] = {{{0, 0, 0}, {0, 0, 0}, 39.5}, {{4.8, -1.2, -0.1}, {0.6, 2.8, -0.02}, 0.04}, {{8.3, 4.1, -0.4}, {-1, 1.8, 0.01}, 0.01},
    {{12.9, -15.1, -0.2}, {1.1, 0.9, -0.01}, 0.002}, {{15.4, -25.9, 0.2}, {1, 0.6, -0.03}, 0.002}};
  printf("%a\n", energy(b, 5));
  for (int i = 0; i < 3000; i++) step(b, 5, 0.01);
  printf("%a %a\n", energy(b, 5), b[2].x[1]);
  static double m[40][40], inv[40][40];
  for (int i = 0; i < 40; i++) for (int j = 0; j < 40; j++) m[i][j] = 1.0 / (i + j + 1) + (i == j) * 2, inv[i][j] = i == j;
  for (int c = 0; c < 40; c++) {
    double p = m[c][c];
    for (int j = 0; j < 40; j++) m[c][j] /= p, inv[c][j] /= p;
    for (int r = 0; r < 40; r++) if (r != c) {
      double f = m[r][c];
      for (int j = 0; j < 40; j++) m[r][j] -= f * m[c][j], inv[r][j] -= f * inv[c][j];
    }
  }
  double trace = 0;
  for (int i = 0; i < 40; i++) trace += inv[i][i];
  printf("%a %a\n", trace, inv[3][17]);
  static float a[48][48], bb[48][48], cc[48][48];
  for (int i = 0; i < 48; i++) for (int j = 0; j < 48; j++) a[i][j] = (float)(i * j % 7) / 3, bb[i][j] = (float)(i + j) / 11;
  for (int i = 0; i < 48; i++) for (int j = 0; j < 48; j++) for (int k = 0; k < 48; k++) cc[i][j] += a[i][k] * bb[k][j];
  printf("%a %a\n", cc[47][47], cc[13][31]);
  uint64_t h = 0;
  for (int y = 0; y < 24; y++) {
    char line[65];
    for (int x = 0; x < 64; x++) {
      int n = mandelbrot(-2.2 + x * 3.2 / 64, -1.2 + y * 2.4 / 24);
      line[x] = " .:-=+*#%@"[n * 9 / 60], h = h * 61 + (unsigned)n;
    }
    line[64] = 0;
    puts(line);
  }
  printf("%016llx\n", (unsigned long long)h);
  double integral = 0, kahan = 0, carry = 0;
  for (int i = 0; i < 50000; i++) {
    double x = (i + 0.5) / 50000, term = 4 / (1 + x * x) / 50000;
    integral += term;
    double y = term - carry, t = kahan + y;
    carry = t - kahan - y, kahan = t;
  }
  printf("%a %a\n", integral, kahan);
  for (double x = 0.3; x < 1e12; x *= 37.7) {
    double g = x;
    for (int i = 0; i < 40; i++) g = (g + x / g) / 2;
    printf("%a ", g);
  }
  puts("");
  return 0;
}
