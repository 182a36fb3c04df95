/* Rule: megabytes through fread, fwrite, getc, puts and read keep every byte, at every buffer boundary. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  enum { SIZE = 700001 };
  unsigned char *data = malloc(SIZE), *back = malloc(SIZE + 100000);
  uint32_t x = 5;
  for (int i = 0; i < SIZE; i++) x = x * 1664525u + 1013904223u, data[i] = (unsigned char)(x >> 24);
  static const size_t chunks[] = {SIZE, 1, 4095, 4096, 4097, 65537, 13};
  for (int c = 0; c < 7; c++) {
    if (chunks[c] < 100 && c > 1) continue;
    size_t limit = chunks[c] == 1 ? 30000 : SIZE, at = 0;
    FILE *f = fopen("data", "wb");
    while (at < limit) {
      size_t n = chunks[c] < limit - at ? chunks[c] : limit - at;
      at += fwrite(data + at, 1, n, f);
    }
    fclose(f);
    memset(back, 0, SIZE);
    int fd = open("data", O_RDONLY);
    size_t got = 0;
    for (ssize_t n; (n = read(fd, back + got, chunks[c] + 1)) > 0;) got += (size_t)n;
    close(fd);
    printf("%zu %d\n", got, memcmp(data, back, got));
    memset(back, 0, SIZE);
    f = fopen("data", "rb"), got = 0;
    for (size_t n; (n = fread(back + got, 1, chunks[c], f)) > 0;) got += n;
    printf("%zu %d\n", got, memcmp(data, back, got));
    fclose(f);
  }
  for (int i = 0; i < 3000; i++) printf("line %d %s\n", i, "of many that together are longer than any buffer");
  fwrite(data, 1, 100000, stdout);
  return 0;
}
