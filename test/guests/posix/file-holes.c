/* Files that are much longer than what they hold: beyond 4 GiB, read, written, mapped, allocated, cut. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define GIB (1ll << 30)
static const char *word(long long result) {
  static char text[16][40]; static int turn;
  char *out = text[turn++ & 15];
  if (result >= 0) snprintf(out, 40, "%lld", result); else snprintf(out, 40, "%s", strerrorname_np(errno));
  return out;
}
static void size(int fd, const char *when) { struct stat s; fstat(fd, &s); printf("%s: size %lld, %s\n", when, (long long) s.st_size, s.st_blocks < 4096 ? "few blocks" : "many blocks"); }
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  char bytes[16];
  int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600); if (fd < 0) { fd = open("holes", O_CREAT | O_RDWR | O_TRUNC, 0600); unlink("holes"); }
  printf("pwrite: %s\n", word(pwrite(fd, "three", 5, 3 * GIB))); size(fd, "at 3 GiB");
  printf("pwrite: %s\n", word(pwrite(fd, "five", 4, 5 * GIB - 2))); size(fd, "at 5 GiB");
  struct iovec parts[2] = { { "ab", 2 }, { "cd", 2 } }; printf("pwritev: %s\n", word(pwritev(fd, parts, 2, 6 * GIB))); size(fd, "at 6 GiB");
  memset(bytes, 1, 16); printf("pread: %s '%.5s'", word(pread(fd, bytes, 5, 3 * GIB)), bytes); printf(" '%.4s'", (pread(fd, bytes, 4, 5 * GIB - 2), bytes)); pread(fd, bytes, 8, 4 * GIB); printf(" %d\n", bytes[0] + bytes[7]);
  printf("seek: %s", word(lseek(fd, -2, SEEK_END))); printf(" %s '%.2s'\n", word(read(fd, bytes, 8)), bytes);
  printf("end: %s\n", word(read(fd, bytes, 8)));
  printf("data: %s %s\n", word(lseek(fd, 0, SEEK_DATA) / 4096), word(lseek(fd, 4 * GIB, SEEK_DATA) / 4096));
  char *map = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 5 * GIB - 4096); printf("mapped: '%.4s'\n", map + 4094); memcpy(map + 5000, "mapped", 6); msync(map, 8192, MS_SYNC); munmap(map, 8192);
  printf("then: %s '%.6s'\n", word(pread(fd, bytes, 6, 5 * GIB - 4096 + 5000)), bytes);
  printf("allocate: %s", word(posix_fallocate(fd, 8 * GIB - 2, 4))); size(fd, "");
  printf("truncate: %s", word(ftruncate(fd, 9 * GIB))); size(fd, "");
  printf("punch: %s", word(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * GIB, GIB))); pread(fd, bytes, 5, 3 * GIB); printf(" %d\n", bytes[0]);
  printf("truncate: %s", word(ftruncate(fd, 3 * GIB))); size(fd, ""); printf("then: %s\n", word(pread(fd, bytes, 5, 5 * GIB)));
  printf("append: %s", word(fcntl(fd, F_SETFL, O_APPEND))); printf(" %s", word(write(fd, "x", 1))); size(fd, "");
  return 0;
}
