/* Product of two square matrices of doubles. Arguments: order, rounds. Elements are small integers: sums are exact, so fused and separate arithmetic
   give the same. Prints the trace and a checksum. */
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
  int n = count > 1 ? atoi(arguments[1]) : 200, rounds = count > 2 ? atoi(arguments[2]) : 1;
  double *a = malloc(sizeof(double) * n * n), *b = malloc(sizeof(double) * n * n), *c = malloc(sizeof(double) * n * n);
  if (a == NULL || b == NULL || c == NULL) return 1;
  for (int i = 0; i < n * n; i++) a[i] = i * 7 % 31 - 15, b[i] = i * 13 % 37 - 18;
  double trace = 0, sum = 0;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < n; i++) {
      double *row = c + (size_t)i * n;
      for (int j = 0; j < n; j++) row[j] = 0;
      for (int k = 0; k < n; k++) {
        double factor = a[(size_t)i * n + k];
        const double *other = b + (size_t)k * n;
        for (int j = 0; j < n; j++) row[j] += factor * other[j];
      }
    }
    for (int i = 0; i < n; i++) trace += c[(size_t)i * n + i];
    for (int i = 0; i < n * n; i++) sum += c[i] * (i % 5);
    a[round % (n * n)] += 1;
  }
  printf("matmul %.0f %.0f\n", trace, sum);
  return 0;
}
