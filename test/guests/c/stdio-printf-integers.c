/* Rule: printf prints integers under every flag, width, precision and length modifier (C99 7.19.6.1). */
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>

static const long long values[] = {0, 1, -1, 7, -42, 255, 4096, INT_MAX, INT_MIN, LLONG_MAX, LLONG_MIN};

int main(void) {
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    long long v = values[i];
    printf("[%lld|%+lld|% lld|%08lld|%-8lld|%.5lld|%8.5lld|%-+9.4lld]\n", v, v, v, v, v, v, v, v);
    printf("[%llx|%#llx|%LX|%#llo|%llo|%llu|%#010llx|%-#10llx|]\n", v, v, v, v, v, v, v, v);
    printf("[%hhd|%hd|%d|%ld|%hhu|%hu|%u|%lu]\n", (signed char)v, (short)v, (int)v, (long)v, (unsigned char)v, (unsigned short)v,
           (unsigned)v, (unsigned long)v);
    printf("[%jd|%zd|%td|%zu|%jx]\n", (intmax_t)v, (ssize_t)v, (ptrdiff_t)v, (size_t)v, (uintmax_t)v);
  }
  printf("[%.0d][%.0u][%#.0o][%#.0x][%5.0d]\n", 0, 0u, 0u, 0u, 0);
  printf("[%*d][%-*d][%*d][%.*d][%.*d]\n", 6, 42, 6, 42, -6, 42, 4, 7, -1, 7);
  printf("[%2$s %1$s %2$s]\n", "b", "a");
  printf("[%1$*2$d]\n", 5, 7);
  printf("%" PRId64 " %" PRIu32 " %" PRIx8 " %" PRIo16 " %" PRIdMAX "\n", INT64_C(-5), UINT32_C(7), (uint8_t)0xAB, (uint16_t)0777, INTMAX_MIN);
  printf("[%c%c%5c%-5c|%%|%5s|%-5s|%.2s|%5.1s|%s]\n", 'a', 0x42, 'c', 'd', "ab", "ab", "abcdef", "xyz", "");
  int n1 = 0, n2 = 0;
  long nl = 0;
  signed char nc = 0;
  printf("abc%n defg%n%ln%hhn\n", &n1, &n2, &nl, &nc);
  printf("%d %d %ld %d\n", n1, n2, nl, nc);
  printf("%d\n", printf("%s", "twelve bytes"));
  char small[8];
  int wanted = snprintf(small, sizeof small, "%d-%s", 123456, "overflow");
  printf("%d [%s]\n", wanted, small);
  printf("%d\n", snprintf(NULL, 0, "%0200d", 1));
  printf("%s|%.0s|%p\n", "end", "nothing", (void *)0);
  return 0;
}
