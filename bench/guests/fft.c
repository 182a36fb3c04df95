/* Fast Fourier transform of doubles, radix 2 in place, there and back. Argument: rounds over 65 536 points. Prints sums in few digits: the last bits depend
   on whether the compiler fuses multiply and add. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { BITS = 16, POINTS = 1 << BITS };
static double re[POINTS], im[POINTS], cosines[POINTS / 2], sines[POINTS / 2];

static void transform(double sign) {
  for (uint32_t i = 0, j = 0; i < POINTS; i++) {
    if (i < j) {
      double x = re[i], y = im[i];
      re[i] = re[j], im[i] = im[j], re[j] = x, im[j] = y;
    }
    uint32_t bit = POINTS >> 1;
    for (; bit > 0 && (j & bit) != 0; bit >>= 1) j ^= bit;
    j |= bit;
  }
  for (uint32_t half = 1; half < POINTS; half *= 2)
    for (uint32_t from = 0; from < POINTS; from += 2 * half)
      for (uint32_t k = 0, turn = 0; k < half; k++, turn += POINTS / 2 / half) {
        uint32_t a = from + k, b = a + half;
        double c = cosines[turn], s = sign * sines[turn], x = re[b] * c - im[b] * s, y = re[b] * s + im[b] * c;
        re[b] = re[a] - x, im[b] = im[a] - y, re[a] += x, im[a] += y;
      }
}

int main(int count, char **arguments) {
  int rounds = count > 1 ? atoi(arguments[1]) : 1;
  uint64_t seed = 1;
  double spectrum = 0, sum = 0, pi = 3.14159265358979323846;
  for (int i = 0; i < POINTS / 2; i++) cosines[i] = cos(2 * pi * i / POINTS), sines[i] = sin(2 * pi * i / POINTS);
  for (int i = 0; i < POINTS; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    re[i] = (double)(seed >> 40) / (1 << 24) - 0.5, im[i] = 0;
  }
  for (int round = 0; round < rounds; round++) {
    transform(-1);
    spectrum += sqrt(re[round % POINTS] * re[round % POINTS] + im[round % POINTS] * im[round % POINTS]);
    transform(1);
    for (int i = 0; i < POINTS; i++) re[i] /= POINTS, im[i] /= POINTS;
  }
  for (int i = 0; i < POINTS; i++) sum += re[i] * (i % 7);
  printf("fft %.5f %.5f\n", spectrum, sum);
  return 0;
}
