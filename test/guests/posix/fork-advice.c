/* What a child of fork gets of memory that was advised about, pages that are moved from under a mapping, holes made through one, and what is resident.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };
static const char *word(long result) { return result >= 0 ? "ok" : strerrorname_np(errno); }
static char *pages(int count, int flags, int fd) {
  char *at = mmap(0, count * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
  for (int i = 0; i < count; i++) at[i * PAGE] = 'a' + i;
  return at;
}
static char at(const char *page) { /* '-': not mapped. */
  unsigned char there;
  return mincore((void *)page, PAGE, &there) < 0 ? '-' : *page == 0 ? '0' : *page;
}
static void show(const char *who, const char *base, int count) {
  printf("%s ", who);
  for (int i = 0; i < count; i++) putchar(at(base + i * PAGE));
  putchar('\n'); fflush(stdout);
}
static void in_child(const char *who, char *base, int count, int depth) {
  pid_t child = fork();
  if (child == 0) {
    show(who, base, count);
    if (depth > 0) { for (int i = 0; i < count; i++) if (at(base + i * PAGE) != '-') base[i * PAGE] = 'A' + i; in_child("grandchild", base, count, depth - 1); }
    _exit(0);
  }
  waitpid(child, 0, 0);
}
static void forks(void) {
  char *base = pages(6, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  printf("wipe %s", word(madvise(base + PAGE, 2 * PAGE, MADV_WIPEONFORK))); printf(" leave %s\n", word(madvise(base + 3 * PAGE, PAGE, MADV_DONTFORK)));
  in_child("child", base, 6, 1); show("parent", base, 6);
  mprotect(base + PAGE, PAGE, PROT_READ); mprotect(base + PAGE, PAGE, PROT_READ | PROT_WRITE);
  in_child("rights changed", base, 6, 0);
  madvise(base + 2 * PAGE, PAGE, MADV_KEEPONFORK); madvise(base + 3 * PAGE, PAGE, MADV_KEEPONFORK); madvise(base + PAGE, PAGE, MADV_DOFORK);
  in_child("one kept", base, 6, 0);
  madvise(base, 6 * PAGE, MADV_DOFORK); madvise(base, 6 * PAGE, MADV_KEEPONFORK);
  in_child("all kept", base, 6, 0);
  char *moved = (madvise(base, 2 * PAGE, MADV_WIPEONFORK), mremap(base, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 4 * PAGE));
  in_child("moved", moved, 2, 0);
  munmap(base, 6 * PAGE);
  char *shared = pages(2, MAP_SHARED | MAP_ANONYMOUS, -1); int file = memfd_create("file", 0); ftruncate(file, 2 * PAGE); char *private = pages(2, MAP_PRIVATE, file);
  printf("shared %s", word(madvise(shared, PAGE, MADV_WIPEONFORK))); printf(" file %s", word(madvise(private, PAGE, MADV_WIPEONFORK))); printf(" leave both %s", word(madvise(shared, PAGE, MADV_DONTFORK))); printf(" %s\n", word(madvise(private, PAGE, MADV_DONTFORK)));
  in_child("shared", shared, 2, 0); in_child("private", private, 2, 0); show("parent", shared, 2);
  munmap(shared, 2 * PAGE); munmap(private, 2 * PAGE); close(file);
}
static void moves(void) {
  char *base = pages(3, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  printf("other length %s", word((long)mremap(base, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP))); printf(" not to move %s\n", word((long)mremap(base, PAGE, PAGE, MREMAP_DONTUNMAP)));
  char *moved = (char *)syscall(SYS_mremap, base, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0); show("left", base, 3); show("moved", moved, 3);
  base[PAGE] = 'x'; show("left", base, 3); show("moved", moved, 3);
  char *fixed = mremap(moved, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, base); show("back", fixed, 3); show("left", moved, 3);
  int file = memfd_create("file", 0); ftruncate(file, 2 * PAGE); char *shared = pages(2, MAP_SHARED, file);
  char *twice = mremap(shared + PAGE, 0, PAGE, MREMAP_MAYMOVE); twice[0] = 'z'; mincore(shared, PAGE, (unsigned char[1]){0}); show("a page twice", shared, 2);
  printf("private twice %s\n", word((long)mremap(base, 0, PAGE, MREMAP_MAYMOVE)));
  char *away = (char *)syscall(SYS_mremap, shared, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0); show("of a file", shared, 2); show("moved", away, 2);
}
static void holes(void) {
  int file = memfd_create("file", 0); ftruncate(file, 4 * PAGE); char *shared = pages(4, MAP_SHARED, file); struct stat now;
  printf("remove %s", word(madvise(shared + PAGE, 2 * PAGE, MADV_REMOVE))); fstat(file, &now); printf(" %ld %ld\n", (long)now.st_size, (long)now.st_blocks); show("left", shared, 4);
  char byte; printf("file %d", (int)pread(file, &byte, 1, PAGE)); printf(" %d\n", byte);
  char *private = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0), *anonymous = pages(1, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  printf("private %s", word(madvise(private, PAGE, MADV_REMOVE))); printf(" none %s\n", word(madvise(anonymous, PAGE, MADV_REMOVE)));
  mprotect(anonymous, PAGE, PROT_READ); printf("populate %s", word(madvise(anonymous, PAGE, 22))); printf(" %s", word(madvise(anonymous, PAGE, 23)));
  mprotect(anonymous, PAGE, PROT_NONE); printf(" %s", word(madvise(anonymous, PAGE, 22))); printf(" %s\n", word(madvise(anonymous, PAGE, 99)));
}
static long field(const char *name) {
  FILE *status = fopen("/proc/self/status", "r"); char line[256]; long value = -1; size_t length = strlen(name);
  while (fgets(line, sizeof line, status)) if (strncmp(line, name, length) == 0) value = strtol(line + length + 1, 0, 10);
  fclose(status); return value;
}
static void sizes(void) {
  struct rusage own, children, one; int status; pid_t child = fork(); if (child == 0) _exit(0);
  wait4(child, &status, 0, &one); getrusage(RUSAGE_SELF, &own); getrusage(RUSAGE_CHILDREN, &children);
  printf("largest: own %d, children %d, one %d, VmHWM %d\n", own.ru_maxrss > 100, children.ru_maxrss > 100, one.ru_maxrss > 100, field("VmHWM") > 100);
}
static void ends(void) {
  pid_t child = fork(); if (child == 0) { pause(); _exit(0); }
  int file = syscall(SYS_pidfd_open, child, 0); struct pollfd look = {.fd = file, .events = POLLIN};
  int ready = poll(&look, 1, 0); printf("alive %d", ready); kill(child, SIGKILL); siginfo_t info; waitid(P_PID, child, &info, WEXITED | WNOWAIT);
  ready = poll(&look, 1, 0); printf(" over %d %x", ready, look.revents); waitpid(child, 0, 0); ready = poll(&look, 1, 0); printf(" reaped %d %x\n", ready, look.revents);
}
int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  forks(); moves(); holes(); sizes(); ends();
  return 0;
}
