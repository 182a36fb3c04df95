#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static sigjmp_buf env;
static void on_segv(int s, siginfo_t *i, void *c) { siglongjmp(env, 1 + (i->si_code == SEGV_ACCERR)); }
static const char *probe(volatile char *p, int write) {
  int r = sigsetjmp(env, 1);
  if (r == 1) return "maperr";
  if (r == 2) return "accerr";
  if (write) *p = 1; else (void)*p;
  return "ok";
}
#define T(x) do { errno = 0; long r_ = (long)(x); printf("%-58s %ld errno %d\n", #x, r_, errno); } while (0)
#define P(p) printf("%-30s read %s write %s\n", #p, probe((p), 0), probe((p), 1))
int main(void) {
  struct sigaction a = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
  sigaction(SIGSEGV, &a, 0);
  char *p = mmap(0, 0x5000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 5; i++) p[i * 4096] = 'a' + i;
  T(munmap(p + 0x1000, 0x1000));
  P(p); P(p + 0x1000); P(p + 0x2000);
  T(mprotect(p + 0x2000, 0x1000, PROT_READ)); P(p + 0x2000);
  T(mprotect(p + 0x2000, 0x1000, PROT_NONE)); P(p + 0x2000);
  T(mprotect(p + 0x2000, 0x1000, PROT_READ | PROT_WRITE)); P(p + 0x2000);
  printf("kept %c\n", p[0x3000]);
  T(mprotect(p, 0x3000, PROT_READ));
  T(mprotect(p + 1, 0x1000, PROT_READ));
  T(madvise(p + 0x3000, 0x1000, MADV_DONTNEED)); printf("zeroed %d kept %c\n", p[0x3000], p[0x4000]);
  T(munmap(p + 1, 10)); T(munmap(p, 0));
  char *q = mmap(0, 0x2000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(q + 0x1ff0, "tail");
  char *r = mremap(q, 0x2000, 0x200000, MREMAP_MAYMOVE);
  printf("moved %s zero %d\n", r + 0x1ff0, r[0x100000]);
  r = mremap(r, 0x200000, 0x1000, 0); P(r); P(r + 0x1000);
  T(mremap(r, 0x1000, 0x2000, MREMAP_FIXED, r) == MAP_FAILED);
  char *fixed = mmap(r + 0x10000, 0x1000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  T(fixed == r + 0x10000);
  T(mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
  T(mmap(0, 0x1000, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
  T(mmap(0, 1ul << 50, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
  T(mmap(0, 0x1000, PROT_READ, MAP_PRIVATE, 77, 0) == MAP_FAILED);
  T(mmap((void *)0x1001, 0x1000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
  char *b = sbrk(0); T(brk(b + 100000) == 0); b[99999] = 7; T(brk(b) == 0);
  T(brk(b + 100000)); printf("heap zero again %d\n", b[99999]);
  char name[] = "/tmp/memory-XXXXXX"; int fd = mkstemp(name);
  write(fd, "0123456789", 10); ftruncate(fd, 5000);
  char *s = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *v = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  s[0] = 'S'; v[1] = 'V'; char back[8] = {0};
  pread(fd, back, 4, 0); printf("file %s\n", back);
  pwrite(fd, "xyz", 3, 4); printf("map %.8s\n", s);
  T(msync(s, 8192, MS_SYNC)); unlink(name); close(fd);
  s[4999] = 101; T(munmap(s, 8192)); printf("private %.1s %.2s\n", v + 1, v + 2);
  fd = open("/etc/passwd", O_RDONLY);
  T(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  T(mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 1) == MAP_FAILED);
  char *ro = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0); T(ro[0] == 'r'); T(mprotect(ro, 4096, PROT_READ | PROT_WRITE));
  fd = open("/dev/zero", O_RDWR); char *z = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0); z[1] = 1; T(z[0]);
  fd = open("/tmp", O_RDONLY); T(mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
  unsigned char vec[2]; T(mincore(v, 8192, vec)); 
  T(mlock(v, 4096)); T(write(1, (void *)16, 4));
  P((char *)0); P((char *)(1ul << 33)); P((char *)main);
  return 0;
}
