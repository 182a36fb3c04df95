/* Rule: mmap, munmap, mprotect and mremap on anonymous memory and files; bad requests fail with their error (POSIX, Linux). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096L

static void failed(const char *what, int bad) { printf("%s %d %s\n", what, bad, bad ? strerror(errno) : "-"); }

int main(void) {
  char *p = mmap(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int zero = 1;
  for (long i = 0; i < 10 * PAGE; i++) zero &= p[i] == 0;
  printf("%d %d\n", zero, (uintptr_t)p % PAGE == 0);
  for (int i = 0; i < 10; i++) p[i * PAGE] = (char)('a' + i);
  printf("%d\n", munmap(p + 3 * PAGE, 2 * PAGE));
  char *fixed = mmap(p + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  printf("%d %d %c %c\n", fixed == p + 3 * PAGE, fixed[0], p[2 * PAGE], p[5 * PAGE]);
  char *grown = mremap(p, 3 * PAGE, 20 * PAGE, MREMAP_MAYMOVE);
  printf("%c%c%c %d\n", grown[0], grown[PAGE], grown[2 * PAGE], grown[19 * PAGE]);
  char *shrunk = mremap(grown, 20 * PAGE, PAGE, 0);
  printf("%d\n", shrunk == grown);
  failed("zero length", mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
  failed("no sharing", mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
  failed("bad fd", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED);
  failed("misaligned unmap", munmap(grown + 1, PAGE) != 0);
  failed("protect hole", mprotect(p + 4 * PAGE, PAGE, PROT_READ) != 0);
  failed("misaligned protect", mprotect(grown + 1, PAGE, PROT_READ) != 0);
  int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0644);
  char text[10000];
  for (int i = 0; i < 10000; i++) text[i] = (char)('A' + i % 26);
  write(fd, text, sizeof text);
  failed("misaligned offset", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100) == MAP_FAILED);
  char *private = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  printf("%d %d\n", memcmp(private, text, 10000), private[10001]);
  private[5] = '!';
  char back[8] = {0};
  pread(fd, back, 7, 0);
  printf("%s %.7s\n", back, private);
  char *second = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
  printf("%d\n", memcmp(second, text + PAGE, PAGE));
  close(fd);
  printf("%c\n", second[10]);
  printf("%d %d\n", munmap(private, 10000), munmap(second, PAGE));
  printf("%d\n", mprotect(grown, PAGE, PROT_READ));
  putchar(grown[0]);
  printf(" %d\n", mprotect(grown, PAGE, PROT_READ | PROT_WRITE));
  grown[0] = 'Z';
  putchar(grown[0]);
  printf(" %d\n", madvise(grown, PAGE, MADV_DONTNEED));
  printf("%d\n", grown[0]);
  printf("%d\n", munmap((void *)(1L << 37), PAGE));
  void *before = sbrk(0), *old = sbrk(3 * PAGE);
  printf("%d %d\n", before == old, (char *)sbrk(0) - (char *)old == 3 * PAGE);
  memset(old, 7, 3 * PAGE);
  sbrk(-3 * PAGE);
  printf("%d %ld\n", sbrk(0) == before, sysconf(_SC_PAGESIZE));
  return 0;
}
