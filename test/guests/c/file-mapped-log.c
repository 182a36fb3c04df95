/* Rule: a log that is written, appended, mapped, truncated and read back in turn stays consistent. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t checksum(const char *path) {
  FILE *f = fopen(path, "rb");
  uint32_t h = 1;
  for (int c; (c = fgetc(f)) != EOF;) h = h * 16777619u ^ (uint32_t)c;
  fclose(f);
  return h;
}

int main(void) {
  int fd = open("log", O_RDWR | O_CREAT | O_APPEND, 0644);
  char record[128];
  for (int i = 0; i < 2000; i++) {
    int n = snprintf(record, sizeof record, "record %d of %d: %.*s\n", i, 2000, i % 50, "--------------------------------------------------");
    if (write(fd, record, (size_t)n) != n) return 1;
  }
  struct stat st;
  fstat(fd, &st);
  printf("%ld %u\n", (long)st.st_size, checksum("log"));
  char *m = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  long lines = 0;
  for (long i = 0; i < st.st_size; i++) lines += m[i] == '\n';
  printf("%ld\n", lines);
  munmap(m, (size_t)st.st_size);
  for (long size = st.st_size; size > 1000; size /= 3) {
    ftruncate(fd, size);
    write(fd, "appended\n", 9);
    printf("%ld %u\n", (long)lseek(fd, 0, SEEK_END), checksum("log"));
  }
  ftruncate(fd, 20000);
  printf("%u\n", checksum("log"));
  FILE *f = fopen("log", "r+");
  for (int i = 0; i < 50; i++) {
    fseek(f, i * 397 % 20000, SEEK_SET);
    fprintf(f, "<%d>", i);
  }
  fclose(f);
  printf("%u\n", checksum("log"));
  rename("log", "log.1");
  write(fd, "still", 5);
  printf("%u %d\n", checksum("log.1"), access("log", F_OK));
  unlink("log.1");
  printf("%d\n", (int)pread(fd, record, 5, 20000));
  return 0;
}
