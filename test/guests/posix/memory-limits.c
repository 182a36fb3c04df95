/* RLIMIT_AS, RLIMIT_DATA and RLIMIT_MEMLOCK: what is beyond them cannot be had, and what they do not count can.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20 };
static const int BOTH = PROT_READ | PROT_WRITE, ALONE = MAP_PRIVATE | MAP_ANONYMOUS, TOGETHER = MAP_SHARED | MAP_ANONYMOUS;
static const char *word(int failed) { return failed ? strerrorname_np(errno) : "ok"; }
static int map(void *at, long length, int protection, int flags) { void *got = mmap(at, length, protection, flags, -1, 0); if (got != MAP_FAILED && at == 0) munmap(got, length); return got == MAP_FAILED; }
static void limit(int resource, long bytes) { struct rlimit now = {bytes, bytes}; printf(" limit %s", word(setrlimit(resource, &now) < 0)); }
static void in_child(const char *name, void (*run)(void)) { fflush(stdout); if (fork() == 0) { printf("%s:", name); run(); printf("\n"); exit(0); } int status; wait(&status); if (status) printf("ended %x\n", status); }

static void space(void) {
  char *kept = mmap(0, 16 * MIB, PROT_NONE, ALONE, -1, 0); limit(RLIMIT_AS, 64 * MIB);
  printf(" much %s", word(map(0, 128 * MIB, BOTH, ALONE))); printf(" closed %s", word(map(0, 128 * MIB, PROT_NONE, ALONE))); printf(" shared %s", word(map(0, 128 * MIB, BOTH, TOGETHER))); printf(" little %s", word(map(0, MIB, BOTH, ALONE)));
  printf(" malloc %s", word(malloc(128 * MIB) == 0)); printf(" grown %s", word(mremap(kept, 16 * MIB, 128 * MIB, MREMAP_MAYMOVE) == MAP_FAILED)); printf(" less %s", word(mremap(kept, 16 * MIB, 8 * MIB, 0) == MAP_FAILED));
  limit(RLIMIT_AS, MIB); printf(" in its place %s", word(map(kept, 8 * MIB, BOTH, ALONE | MAP_FIXED))); printf(" page %s", word(map(0, 4096, BOTH, ALONE)));
}
static void data(void) {
  char *kept = mmap(0, 16 * MIB, PROT_READ, ALONE, -1, 0); limit(RLIMIT_DATA, 8 * MIB);
  printf(" heap %s", word(sbrk(16 * MIB) == (void *)-1)); printf(" a little %s", word(sbrk(65536) == (void *)-1)); printf(" private %s", word(map(0, 16 * MIB, BOTH, ALONE))); printf(" shared %s", word(map(0, 16 * MIB, BOTH, TOGETHER))); printf(" read %s", word(map(0, 16 * MIB, PROT_READ, ALONE)));
  printf(" to be written %s", word(mprotect(kept, 16 * MIB, BOTH) < 0)); printf(" a page of it %s", word(mprotect(kept, 4096, BOTH) < 0)); printf(" malloc %s", word(malloc(16 * MIB) == 0));
}
static char page[8192];
static void locks(void) {
  setuid(1234); limit(RLIMIT_MEMLOCK, 65536); printf(" little %s", word(mlock(page, 4096) < 0)); printf(" much %s", word(mlock(mmap(0, MIB, BOTH, ALONE, -1, 0), MIB) < 0)); printf(" all %s", word(mlockall(MCL_CURRENT) < 0)); printf(" later %s", word(mlockall(MCL_FUTURE) < 0)); munlockall();
  limit(RLIMIT_MEMLOCK, 0); printf(" none %s", word(mlock(page, 4096) < 0)); printf(" %s", word(munlock(page, 4096) < 0)); printf(" %s", word(mlockall(MCL_CURRENT) < 0)); printf(" mapped %s", word(map(0, 4096, BOTH, ALONE | MAP_LOCKED)));
}
int main(void) {
  in_child("space", space); in_child("data", data); in_child("locked", locks);
  return 0;
}
