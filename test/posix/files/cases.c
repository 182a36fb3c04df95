/*
 * File conformance: more than two hundred calls, each printed with its result, its errno and what stat() says afterwards. Paths are
 * relative to the working directory, which must be empty and writable. Run as an ordinary user; Linux on the host is the oracle.
 * Prints nothing that may differ between file systems (inode numbers, directory sizes, times, block counts).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

#include "report.h"

static void facts(int line, const char *path) {
  struct stat s;
  checks++;
  if (lstat(path, &s) < 0) { printf("%d stat %s: %s\n", line, path, strerrorname_np(errno)); return; }
  printf("%d stat %s: type %o mode %o nlink %ld size %ld\n", line, path, s.st_mode & S_IFMT, s.st_mode & 07777, (long)s.st_nlink, S_ISDIR(s.st_mode) ? -1L : (long)s.st_size);
}
#define STAT(path) facts(__LINE__, path)

static void content(int line, const char *path) {
  char buffer[256];
  int fd = open(path, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof buffer);
  checks++;
  printf("%d content %s: %ld ", line, path, (long)n);
  for (ssize_t i = 0; i < n && i < 40; i++) putchar(buffer[i] >= 32 && buffer[i] < 127 ? buffer[i] : '.');
  putchar('\n');
  if (fd >= 0) close(fd);
}
#define CONTENT(path) content(__LINE__, path)

static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (write(fd, text, strlen(text)) < 0) abort();
  close(fd);
}

static char longname[300];
static char longpath[5000];

static void test_open(void) {
  int fd;
  OPEN(fd, open("a", O_RDONLY));
  OPEN(fd, open("a", O_WRONLY | O_CREAT, 0666)); STAT("a"); R(close(fd)); R(close(fd));
  OPEN(fd, open("a", O_WRONLY | O_CREAT | O_EXCL, 0666));
  OPEN(fd, open("a/", O_RDONLY));
  OPEN(fd, open("a/b", O_RDONLY));
  OPEN(fd, open("a/", O_WRONLY | O_CREAT, 0666));
  OPEN(fd, open("new/", O_WRONLY | O_CREAT, 0666));
  OPEN(fd, open("", O_RDONLY));
  OPEN(fd, open(".", O_RDONLY)); R(close(fd));
  OPEN(fd, open(".", O_WRONLY));
  OPEN(fd, open(".", O_RDONLY | O_CREAT, 0666));
  OPEN(fd, open("a", O_RDONLY | O_DIRECTORY));
  OPEN(fd, open(longname, O_RDONLY | O_CREAT, 0666));
  OPEN(fd, open(longpath, O_RDONLY));
  OPEN(fd, open("no/such", O_WRONLY | O_CREAT, 0666));
  OPEN(fd, open((char *)8, O_RDONLY));
  put("t", "hello world");
  OPEN(fd, open("t", O_RDONLY | O_TRUNC)); STAT("t"); R(close(fd));
  put("ro", "text"); R(chmod("ro", 0444));
  OPEN(fd, open("ro", O_WRONLY));
  OPEN(fd, open("ro", O_RDONLY | O_TRUNC));
  OPEN(fd, open("ro", O_RDONLY)); R(write(fd, "x", 1)); R(close(fd));
  OPEN(fd, open("zero", O_WRONLY | O_CREAT, 0)); R(write(fd, "abc", 3)); R(read(fd, longname, 1)); R(close(fd)); STAT("zero");
  OPEN(fd, open("zero", O_RDONLY));
  OPEN(fd, open("suid", O_WRONLY | O_CREAT, 07777)); STAT("suid"); R(write(fd, "x", 1)); STAT("suid"); R(close(fd));
  OPEN(fd, open(".", O_TMPFILE | O_RDWR, 0600)); R(write(fd, "tmp", 3));
  struct stat s; R(fstat(fd, &s)); R(s.st_nlink); R(s.st_size); R(s.st_mode);
  char link_path[64]; snprintf(link_path, sizeof link_path, "/proc/self/fd/%d", fd);
  R(linkat(AT_FDCWD, link_path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW)); R(close(fd)); CONTENT("linked");
  OPEN(fd, open("a", O_TMPFILE | O_RDWR, 0600));
  OPEN(fd, open(".", O_TMPFILE | O_RDONLY, 0600));
  OPEN(fd, open("t", O_PATH)); R(read(fd, longname, 1)); R(fchmod(fd, 0600)); R(fstat(fd, &s)); R(fcntl(fd, F_GETFD)); R(close(fd));
  OPEN(fd, openat(-5, "t", O_RDONLY));
  OPEN(fd, open("t", O_WRONLY | O_APPEND | O_CLOEXEC)); R(fcntl(fd, F_GETFD)); R(fcntl(fd, F_GETFL) & (O_APPEND | O_ACCMODE | O_NONBLOCK));
  R(fcntl(fd, F_SETFL, O_NONBLOCK)); R(fcntl(fd, F_GETFL) & (O_APPEND | O_ACCMODE | O_NONBLOCK)); R(close(fd));
}

static void test_directories(void) {
  int fd, fd2;
  char buffer[4200];
  R(mkdir("d", 0777)); STAT("d"); R(mkdir("d", 0777)); R(mkdir("d/e/", 0700)); STAT("d"); STAT("d/e");
  R(mkdir(".", 0700)); R(mkdir("..", 0700)); R(mkdir("/", 0700)); R(mkdir("a", 0700)); R(mkdir("a/x", 0700)); R(mkdir("none/x", 0700)); R(mkdir("", 0700));
  R(mkdir(longname, 0700));
  R(rmdir("d")); R(rmdir("d/.")); R(rmdir("d/e/..")); R(rmdir("a")); R(rmdir("none")); R(rmdir("/")); R(rmdir("a/")); R(rmdir("d/e/")); STAT("d"); R(rmdir("d/e"));
  R(unlink("d")); R(unlink("d/")); R(unlink("a/")); R(unlink("none")); R(unlink(".")); R(unlink("")); R(unlinkat(AT_FDCWD, "d", 0x1000));
  R(mkdir("sticky", 01777)); STAT("sticky"); R(mkdir("setgid", 0755)); R(chmod("setgid", 02755)); R(mkdir("setgid/in", 0755)); STAT("setgid/in");
  OPEN(fd, open("d", O_RDONLY | O_DIRECTORY)); R(mkdirat(fd, "f", 0755)); STAT("d/f"); R(read(fd, buffer, 10)); R(read(fd, buffer, 0)); R(write(fd, "x", 1));
  R(ftruncate(fd, 0)); R(fchdir(fd)); R(mkdir("../g", 0755)); R(chdir("..")); R(access("g", F_OK)); R(fsync(fd));
  R(renameat(fd, "f", AT_FDCWD, "h")); STAT("d"); STAT("h");
  R(rmdir("d")); R(fstatat(fd, "x", &(struct stat){0}, 0)); R(mkdirat(fd, "x", 0700)); OPEN(fd2, openat(fd, "x", O_CREAT | O_WRONLY, 0600));
  R(syscall(SYS_getdents64, fd, buffer, sizeof buffer)); struct stat s; R(fstat(fd, &s)); R(s.st_nlink); R(close(fd));
  R(mkdir("gone", 0755)); R(chdir("gone")); R(rmdir("../gone")); R(getcwd(buffer, sizeof buffer) ? 1 : -1); R(mkdir("x", 0700)); R(chdir("..")); R(access("g", F_OK));
  R(chdir("a")); R(chdir("none")); R(chdir("")); R(syscall(SYS_getcwd, buffer, 1)); R(fchdir(99));
  OPEN(fd, open("a", O_RDONLY)); R(fchdir(fd)); R(syscall(SYS_getdents64, fd, buffer, 100)); R(close(fd));
  OPEN(fd, open("g", O_RDONLY)); R(syscall(SYS_getdents64, fd, buffer, 10)); R(close(fd));
}

static int names_compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void list(int line, const char *path) {
  char *names[300]; int count = 0;
  DIR *dir = opendir(path);
  for (struct dirent *e; dir && (e = readdir(dir)) && count < 300;) { char *n = malloc(300); snprintf(n, 300, "%s/%d", e->d_name, e->d_type); names[count++] = n; }
  qsort(names, count, sizeof *names, names_compare);
  checks++;
  printf("%d list %s:", line, path);
  for (int i = 0; i < count; i++) { printf(" %s", names[i]); free(names[i]); }
  printf("\n");
  if (dir) closedir(dir);
}

static void test_iteration(void) {
  char name[32];
  R(mkdir("many", 0755));
  for (int i = 0; i < 250; i++) { snprintf(name, sizeof name, "many/file-%03d", i); put(name, ""); }
  list(__LINE__, "many");
  DIR *dir = opendir("many");
  int seen = 0;
  for (struct dirent *e; (e = readdir(dir));) { /* Every name is seen once although each is removed as it comes. */
    if (e->d_name[0] == '.') continue;
    seen++;
    unlinkat(dirfd(dir), e->d_name, 0);
  }
  R(seen);
  rewinddir(dir); seen = 0;
  while (readdir(dir)) seen++;
  R(seen); closedir(dir); R(rmdir("many"));
}

static void test_symlinks(void) {
  int fd;
  char buffer[64];
  memset(buffer, 0, sizeof buffer);
  R(symlink("a", "s")); STAT("s"); R(symlink("a", "s")); R(symlink("", "e")); R(symlink("none", "dangling")); R(readlink("s", buffer, 64)); R(strcmp(buffer, "a"));
  R(readlink("dangling", buffer, 3)); R(readlink("a", buffer, 64)); R(readlink("none", buffer, 64)); R(readlink("s", buffer, 0)); R(readlink("s/", buffer, 64));
  OPEN(fd, open("s", O_RDONLY | O_NOFOLLOW)); OPEN(fd, open("s", O_RDONLY | O_NOFOLLOW | O_DIRECTORY)); OPEN(fd, open("s", O_PATH | O_NOFOLLOW)); R(readlinkat(fd, "", buffer, 64)); R(close(fd));
  OPEN(fd, open("dangling", O_RDONLY)); OPEN(fd, open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0600)); OPEN(fd, open("dangling", O_WRONLY | O_CREAT, 0600)); R(close(fd)); STAT("none"); R(unlink("none"));
  R(symlink("loop2", "loop1")); R(symlink("loop1", "loop2")); OPEN(fd, open("loop1", O_RDONLY)); R(stat("loop1", &(struct stat){0})); STAT("loop1"); R(access("loop1/x", F_OK)); R(mkdir("loop1", 0700)); R(mkdir("loop1/x", 0700));
  R(mkdir("dir", 0755)); R(symlink("dir", "sd")); R(mkdir("sd/x", 0755)); STAT("dir/x"); R(rmdir("sd")); R(rmdir("sd/")); R(unlink("sd/")); R(mkdir("sd/", 0700)); R(mkdir("dangling/", 0700)); STAT("sd/");
  R(rmdir("sd/x")); R(symlink("../dir", "dir/up")); R(access("dir/up/up/up/up", F_OK)); R(chmod("sd", 0700)); STAT("sd"); STAT("dir"); R(unlink("dir/up"));
  R(link("s", "hard-s")); STAT("hard-s"); R(linkat(AT_FDCWD, "s", AT_FDCWD, "hard-a", AT_SYMLINK_FOLLOW)); STAT("hard-a"); STAT("a"); R(unlink("hard-s")); R(unlink("hard-a"));
  for (int i = 0; i < 41; i++) { char from[16], to[16]; snprintf(from, 16, "c%d", i); snprintf(to, 16, "c%d", i + 1); if (symlink(to, from)) abort(); }
  put("c41", "end"); R(access("c1", F_OK)); R(access("c0", F_OK)); R(access("c2", F_OK));
  for (int i = 0; i <= 41; i++) { char from[16]; snprintf(from, 16, "c%d", i); unlink(from); }
  R(unlink("s")); R(unlink("sd")); R(rmdir("dir")); R(unlink("loop1")); R(unlink("loop2")); R(unlink("dangling"));
  R(symlink(longpath, "too-long"));
}

static void test_links(void) {
  put("l1", "one"); R(link("l1", "l2")); STAT("l1"); R(link("l1", "l2")); R(link("none", "l3")); R(link("g", "l3")); R(link("l1", "g")); R(link("l1", "none/l")); R(link("l1", "l1/l")); R(link("l1", "l3/")); R(link("l1/", "l3"));
  R(linkat(AT_FDCWD, "l1", AT_FDCWD, "l3", 1)); R(link("l1", longname)); R(link("l1", "")); R(link("", "x"));
  R(unlink("l1")); STAT("l2"); CONTENT("l2");
  int fd; OPEN(fd, open("l2", O_RDWR)); R(unlink("l2")); struct stat s; R(fstat(fd, &s)); R(s.st_nlink); R(write(fd, "two", 3)); char b[8] = {0}; R(pread(fd, b, 8, 0)); R(strcmp(b, "two"));
  char path[64]; snprintf(path, sizeof path, "/proc/self/fd/%d", fd); R(linkat(AT_FDCWD, path, AT_FDCWD, "back", AT_SYMLINK_FOLLOW));
  char text[300]; ssize_t n = readlink(path, text, sizeof text - 1); text[n > 0 ? n : 0] = 0; R(strstr(text, "/l2 (deleted)") != NULL); R(close(fd));
  put("r1", "x"); OPEN(fd, open("r1", O_RDONLY)); R(rename("r1", "r2")); n = readlink(path, text, sizeof text - 1); text[n > 0 ? n : 0] = 0; R(strstr(text, "/r2") != NULL && !strstr(text, "deleted")); R(close(fd)); R(unlink("r2"));
}

static void test_rename(void) {
  put("f1", "1"); put("f2", "2"); R(mkdir("d1", 0755)); R(mkdir("d2", 0755)); R(mkdir("d2/in", 0755)); R(mkdir("d3", 0755));
  R(rename("none", "x")); R(rename("f1", "f1")); R(rename("f1", "f2")); STAT("f1"); CONTENT("f2"); R(rename("f2", "d1")); R(rename("d1", "f2")); R(rename("d1", "d2")); R(rename("d1", "d3")); STAT("d1"); STAT("d3");
  R(rename("d2", "d2/in/x")); R(rename("d2", "d2/in")); R(rename("d2/in", "d2")); R(rename("d2", "d2")); R(rename("d2/.", "x")); R(rename("d2/..", "x")); R(rename("f2", ".")); R(rename("f2/", "x")); R(rename("f2", "x/")); R(rename("d2", "x/")); STAT("x"); R(rename("x/", "d2/")); STAT("d2");
  R(rename("f2", "f2/x")); R(rename("f2", "none/x")); R(rename("", "x")); R(rename("f2", "")); R(rename("f2", longname)); R(rename("/", "x")); R(rename("d3", "/"));
  put("f3", "3"); R(renameat2(AT_FDCWD, "f2", AT_FDCWD, "f3", RENAME_NOREPLACE)); R(renameat2(AT_FDCWD, "f2", AT_FDCWD, "f4", RENAME_NOREPLACE)); STAT("f2"); STAT("f4");
  R(renameat2(AT_FDCWD, "f3", AT_FDCWD, "f4", RENAME_EXCHANGE)); CONTENT("f3"); CONTENT("f4"); R(renameat2(AT_FDCWD, "f3", AT_FDCWD, "none", RENAME_EXCHANGE)); R(renameat2(AT_FDCWD, "f3", AT_FDCWD, "d2", RENAME_EXCHANGE)); STAT("f3"); STAT("d2"); STAT(".");
  R(renameat2(AT_FDCWD, "f3", AT_FDCWD, "d2", RENAME_EXCHANGE | RENAME_NOREPLACE)); R(renameat2(AT_FDCWD, "f3", AT_FDCWD, "d2", 64)); R(renameat2(AT_FDCWD, "f3", AT_FDCWD, "f3/in", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, ".", AT_FDCWD, "x", RENAME_NOREPLACE)); R(renameat2(AT_FDCWD, "f4", AT_FDCWD, ".", RENAME_NOREPLACE));
  R(link("f4", "f5")); R(rename("f4", "f5")); STAT("f4"); STAT("f5"); R(unlink("f5"));
  R(symlink("f4", "sl")); R(rename("sl", "sl2")); STAT("sl2"); R(rename("sl2/", "sl3")); R(rename("d3", "sl2")); R(rename("sl2", "d3")); R(unlink("sl2"));
  R(mkdir("d4", 0755)); R(rename("d3", "d4/d3")); STAT("d4"); R(access("d4/d3/..", F_OK)); R(rename("d4/d3", "d3")); STAT("d4"); R(rmdir("d4"));
  R(unlink("d2")); R(rmdir("f3/in")); R(rmdir("f3")); R(rmdir("d3")); R(unlink("f4"));
}

static void test_permissions(void) {
  int fd;
  R(mkdir("p", 0755)); put("p/f", "x"); R(chmod("p", 0555)); OPEN(fd, open("p/new", O_CREAT | O_WRONLY, 0644)); R(unlink("p/f")); R(mkdir("p/d", 0755)); R(rename("p/f", "q")); R(link("p/f", "p/g")); R(symlink("x", "p/s")); R(rmdir("p/none")); R(unlink("p/none")); R(mkdir("p/f", 0700)); R(access("p", W_OK)); R(access("p/f", W_OK));
  R(chmod("p", 0600)); R(stat("p/f", &(struct stat){0})); OPEN(fd, open("p/f", O_RDONLY)); R(access("p/f", F_OK)); R(chdir("p")); list(__LINE__, "p"); OPEN(fd, open("p/none", O_RDONLY)); R(rename("p/f", "q"));
  R(chmod("p", 0300)); OPEN(fd, open("p", O_RDONLY)); R(access("p/f", R_OK)); R(access("p", R_OK)); R(chmod("p", 0700)); R(chmod("p/f", 0)); R(access("p/f", F_OK)); R(access("p/f", R_OK)); R(access("p/f", X_OK)); OPEN(fd, open("p/f", O_RDWR)); R(chmod("p/f", 0111)); R(access("p/f", X_OK)); R(truncate("p/f", 0)); R(access("p/f", 8)); R(faccessat(AT_FDCWD, "p/f", X_OK, AT_EACCESS)); R(syscall(439, AT_FDCWD, "p/f", X_OK, 0x800));
  R(chmod("none", 0)); R(chmod("p/f", 07777)); STAT("p/f"); R(chown("p/f", -1, -1)); STAT("p/f"); R(chown("p/f", geteuid(), getegid())); R(chown("p/f", 0, -1)); R(chown("p/f", -1, 0)); R(fchownat(AT_FDCWD, "p/f", -1, -1, 0x4)); R(lchown("p/f", geteuid(), -1)); R(chmod("/", 0755) == -1 && errno == EPERM ? 1 : 1);
  R(umask(077)); R(mkdir("p/m", 0777)); STAT("p/m"); put("p/n", ""); STAT("p/n"); R(umask(022)); R(rmdir("p/m")); R(unlink("p/n")); R(unlink("p/f")); R(rmdir("p"));
  R(mkdir("w", 0755)); R(mkdir("w/sub", 0555)); R(mkdir("w2", 0755)); R(rename("w/sub", "w2/sub")); R(rename("w/sub", "w/sub2")); R(rmdir("w/sub2")); R(rmdir("w")); R(rmdir("w2"));
}

static void test_data(void) {
  int fd, fd2;
  char b[64];
  struct stat s;
  memset(b, 0, sizeof b);
  OPEN(fd, open("data", O_RDWR | O_CREAT | O_TRUNC, 0644)); R(write(fd, "0123456789", 10)); R(lseek(fd, 0, SEEK_CUR)); R(lseek(fd, -3, SEEK_END)); R(read(fd, b, 64)); R(read(fd, b, 64)); R(lseek(fd, -11, SEEK_END)); R(lseek(fd, 20, SEEK_SET)); R(read(fd, b, 5)); R(write(fd, "x", 1)); STAT("data"); CONTENT("data");
  R(pread(fd, b, 4, 2)); R(memcmp(b, "2345", 4)); R(pread(fd, b, 4, -1)); R(pwrite(fd, "AB", 2, 4)); R(lseek(fd, 0, SEEK_CUR)); CONTENT("data"); R(lseek(fd, 0, 9)); R(lseek(99, 0, SEEK_SET));
  R(ftruncate(fd, 5)); CONTENT("data"); R(ftruncate(fd, 8)); CONTENT("data"); R(ftruncate(fd, -1)); R(truncate("data", 3)); CONTENT("data"); R(truncate("none", 3)); R(truncate("g", 3)); R(truncate("data", -1)); R(ftruncate(99, 1));
  struct iovec v[3] = {{"one", 3}, {"", 0}, {"two!", 4}}; R(lseek(fd, 0, SEEK_SET)); R(writev(fd, v, 3)); R(writev(fd, v, 0)); R(writev(fd, v, -1)); R(writev(fd, v, 1025)); CONTENT("data");
  char c[3], d[10]; struct iovec w[2] = {{c, 3}, {d, 10}}; R(lseek(fd, 0, SEEK_SET)); R(readv(fd, w, 2)); R(memcmp(c, "one", 3)); R(memcmp(d, "two!", 4)); R(preadv(fd, w, 2, 1)); R(pwritev(fd, v, 3, 100)); STAT("data"); struct iovec bad = {b, (size_t)-1}; R(readv(fd, &bad, 1));
  R(preadv2(fd, w, 2, -1, 0)); R(preadv2(fd, w, 2, 0, 0x4000)); R(pwritev2(fd, v, 1, 0, RWF_APPEND)); STAT("data");
  R(read(fd, (void *)8, 10)); R(lseek(fd, 0, SEEK_SET)); R(read(fd, (void *)8, 10)); R(read(fd, (void *)8, 0)); R(write(fd, (void *)8, 10)); R(write(fd, (void *)8, 0)); R(lseek(fd, 0, SEEK_CUR));
  char *map = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); R(munmap(map + 4096, 4096)); memset(map, 'z', 4096);
  R(pwrite(fd, map + 4090, 20, 0)); R(pread(fd, map + 4090, 20, 0)); R(pread(fd, map + 4096, 20, 0)); R(pwrite(fd, map + 4096, 20, 0)); struct iovec split[2] = {{map + 4090, 20}, {b, 5}}; R(pwritev(fd, split, 2, 0)); R(preadv(fd, split, 2, 0));
  R(stat("data", (void *)8)); R(readlink("data", (void *)8, 5)); R(close(fd));
  OPEN(fd, open("app", O_RDWR | O_CREAT | O_APPEND, 0644)); R(write(fd, "aaa", 3)); R(lseek(fd, 0, SEEK_SET)); R(write(fd, "bbb", 3)); R(pwrite(fd, "ccc", 3, 0)); CONTENT("app"); R(lseek(fd, 0, SEEK_CUR)); R(fcntl(fd, F_SETFL, 0)); R(pwrite(fd, "ddd", 3, 0)); CONTENT("app");
  R(lseek(fd, 0, SEEK_SET)); OPEN(fd2, dup(fd)); R(write(fd2, "12", 2)); R(lseek(fd, 0, SEEK_CUR)); R(fcntl(fd2, F_SETFL, O_APPEND)); R(fcntl(fd, F_GETFL) & O_APPEND ? 1 : 0); R(close(fd2)); R(close(fd));
  OPEN(fd, open("sparse", O_RDWR | O_CREAT | O_TRUNC, 0644)); R(pwrite(fd, "x", 1, 1048576)); R(fsync(fd)); R(fstat(fd, &s)); R(s.st_size); R(s.st_blocks < 64); R(lseek(fd, 0, SEEK_DATA)); R(lseek(fd, 0, SEEK_HOLE)); R(lseek(fd, 1048576, SEEK_DATA)); R(lseek(fd, 1048576, SEEK_HOLE)); R(lseek(fd, 1048577, SEEK_DATA)); R(lseek(fd, -1, SEEK_DATA)); R(pread(fd, b, 4, 1000)); R(b[0] | b[1] | b[2] | b[3]); R(close(fd));
  OPEN(fd, open("alloc", O_RDWR | O_CREAT, 0644)); R(fallocate(fd, 0, 0, 10000)); STAT("alloc"); R(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 20000)); STAT("alloc"); R(fallocate(fd, 0, 0, 0)); R(fallocate(fd, 0, -1, 5)); R(pwrite(fd, "abcdef", 6, 4094)); R(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4095, 3)); R(pread(fd, b, 6, 4094)); R(b[0] == 'a' && b[1] == 0 && b[3] == 0 && b[4] == 'e'); R(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 5)); R(posix_fallocate(fd, 0, 30000)); STAT("alloc"); R(posix_fadvise(fd, 0, 0, 99)); R(close(fd));
  OPEN(fd, open("data", O_RDONLY)); R(ftruncate(fd, 0)); R(fallocate(fd, 0, 0, 10)); OPEN(fd2, open("copy", O_RDWR | O_CREAT | O_TRUNC, 0644)); R(sendfile(fd2, fd, NULL, 6)); off_t at = 1; R(sendfile(fd2, fd, &at, 4)); R(at); R(lseek(fd, 0, SEEK_CUR)); CONTENT("copy"); R(sendfile(fd, fd2, NULL, 4)); R(sendfile(fd2, 99, NULL, 4));
  off_t from = 0, to = 20; R(copy_file_range(fd, &from, fd2, &to, 5, 0)); R(from); R(to); R(copy_file_range(fd, NULL, fd2, NULL, 3, 0)); R(lseek(fd, 0, SEEK_CUR)); R(copy_file_range(fd, NULL, fd2, NULL, 3, 1)); R(copy_file_range(fd2, &(off_t){0}, fd2, &(off_t){2}, 5, 0)); R(copy_file_range(fd2, NULL, fd, NULL, 5, 0)); STAT("copy"); R(close(fd)); R(close(fd2));
  OPEN(fd, open("/dev/null", O_RDWR)); R(write(fd, "abc", 3)); R(write(fd, (void *)8, 3)); R(read(fd, b, 3)); R(lseek(fd, 5, SEEK_SET)); R(fstat(fd, &s)); R(s.st_rdev); R(close(fd)); OPEN(fd, open("/dev/full", O_RDWR)); R(write(fd, "abc", 3)); R(read(fd, b, 3)); R(close(fd)); OPEN(fd, open("/dev/zero", O_RDWR)); R(read(fd, b, 30)); R(b[29]); R(write(fd, "a", 1)); R(close(fd));
}

static void test_descriptors(void) {
  int fd, fd2, p[2];
  char b[70000];
  memset(b, 'p', sizeof b);
  OPEN(fd, open("a", O_RDWR)); OPEN(fd2, dup(fd)); R(dup2(fd, fd)); R(dup2(fd, 20)); R(dup2(99, 21)); R(dup2(fd, -1)); R(dup2(fd, 100000)); R(dup3(fd, fd, 0)); R(dup3(fd, 21, O_CLOEXEC)); R(fcntl(21, F_GETFD)); R(fcntl(20, F_GETFD)); R(dup3(fd, 22, 1)); R(fcntl(fd, F_DUPFD, 30)); R(fcntl(fd, F_DUPFD_CLOEXEC, 30)); R(fcntl(31, F_GETFD)); R(fcntl(31, F_SETFD, 0)); R(fcntl(31, F_GETFD)); R(fcntl(fd, F_DUPFD, -1)); R(fcntl(99, F_GETFD)); R(fcntl(fd, 12345)); R(dup(99)); R(syscall(436, 20, 40, 0)); R(fcntl(30, F_GETFD)); R(syscall(436, 5, 4, 0)); R(close(fd2));
  R(flock(fd, LOCK_EX)); int fd3; OPEN(fd3, open("a", O_RDWR)); R(flock(fd3, LOCK_SH | LOCK_NB)); R(flock(fd, LOCK_SH)); R(flock(fd3, LOCK_SH | LOCK_NB)); R(flock(fd3, 77)); R(flock(fd, LOCK_UN)); R(flock(fd3, LOCK_EX | LOCK_NB));
  struct flock k = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10}; R(fcntl(fd, F_SETLK, &k)); R(fcntl(fd3, F_SETLK, &k)); R(fcntl(fd3, F_GETLK, &k)); R(k.l_type); k.l_type = F_RDLCK; R(fcntl(fd, F_OFD_SETLK, &k)); k.l_pid = 0; R(k.l_type); k = (struct flock){.l_type = 7}; R(fcntl(fd, F_SETLK, &k)); k = (struct flock){.l_type = F_UNLCK}; R(fcntl(fd, F_SETLK, &k));
  k = (struct flock){.l_type = F_WRLCK, .l_start = 5, .l_len = 5}; R(fcntl(fd, F_OFD_SETLK, &k)); k = (struct flock){.l_type = F_RDLCK, .l_start = 0, .l_len = 6}; R(fcntl(fd3, F_OFD_SETLK, &k)); R(fcntl(fd3, F_OFD_GETLK, &k)); R(k.l_type); R(k.l_start); R(k.l_len); k = (struct flock){.l_type = F_RDLCK, .l_start = 0, .l_len = 5}; R(fcntl(fd3, F_OFD_SETLK, &k)); R(close(fd3)); R(close(fd));
  R(pipe2(p, 12345)); R(pipe((int *)8)); R(pipe2(p, O_NONBLOCK | O_CLOEXEC)); R(fcntl(p[0], F_GETFL) & (O_ACCMODE | O_NONBLOCK)); R(fcntl(p[1], F_GETFL) & (O_ACCMODE | O_NONBLOCK)); R(read(p[0], b, 10)); R(write(p[1], "hello", 5)); int n; R(ioctl(p[0], FIONREAD, &n)); R(n); R(read(p[0], b, 2)); R(read(p[0], b, 20)); R(write(p[0], "x", 1)); R(read(p[1], b, 1)); R(lseek(p[0], 0, SEEK_SET)); R(pread(p[0], b, 1, 0)); R(write(p[1], b, 70000)); R(write(p[1], b, 10)); R(read(p[0], b, 4096)); R(write(p[1], b, 4096)); R(write(p[1], b, 4096)); R(fsync(p[0])); R(ftruncate(p[1], 0)); R(write(p[1], (void *)8, 1));
  struct stat s; R(fstat(p[0], &s)); R(s.st_mode); R(s.st_nlink); R(s.st_size); R(fcntl(p[0], F_GETPIPE_SZ)); R(write(p[1], "", 0)); R(close(p[1])); while (read(p[0], b, 65536) > 0) {} R(read(p[0], b, 10)); R(close(p[0]));
  signal(SIGPIPE, SIG_IGN); R(pipe(p)); R(close(p[0])); R(write(p[1], "x", 1)); R(close(p[1]));
  R(mkfifo("fifo", 0666)); STAT("fifo"); R(mkfifo("fifo", 0666)); OPEN(fd, open("fifo", O_WRONLY | O_NONBLOCK)); OPEN(fd, open("fifo", O_RDWR)); R(write(fd, "abc", 3)); OPEN(fd2, open("fifo", O_RDONLY | O_NONBLOCK)); R(read(fd2, b, 10)); R(read(fd2, b, 10)); R(close(fd)); R(read(fd2, b, 10)); R(close(fd2)); R(unlink("fifo")); R(mknod("node", S_IFREG | 0640, 0)); STAT("node"); R(mknod("dev", S_IFCHR | 0600, 259)); R(mknod("x", S_IFDIR, 0)); R(mknod("x", 0170000, 0)); R(unlink("node"));
  OPEN(fd, eventfd(3, EFD_NONBLOCK)); unsigned long v; R(read(fd, &v, 4)); R(read(fd, &v, 8)); R(v); R(read(fd, &v, 8)); v = 5; R(write(fd, &v, 8)); v = -1; R(write(fd, &v, 8)); v = -2UL; R(write(fd, &v, 8)); R(write(fd, &v, 4)); R(lseek(fd, 0, SEEK_CUR)); R(close(fd)); OPEN(fd, eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK)); R(read(fd, &v, 8)); R(v); R(read(fd, &v, 8)); R(read(fd, &v, 8)); R(close(fd)); OPEN(fd, eventfd(0, 7));
  OPEN(fd, memfd_create("m", MFD_ALLOW_SEALING)); R(write(fd, "memory", 6)); R(fcntl(fd, F_GET_SEALS)); R(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)); R(ftruncate(fd, 2)); R(ftruncate(fd, 9)); R(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)); R(write(fd, "x", 1)); R(fcntl(fd, F_GET_SEALS)); R(close(fd)); OPEN(fd, memfd_create("m", 0)); R(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW)); R(close(fd));
  OPEN(fd, open("a", O_RDONLY)); R(ioctl(fd, TCGETS, b)); R(isatty(fd)); R(ioctl(fd, FIOCLEX)); R(fcntl(fd, F_GETFD)); R(ioctl(fd, FIONCLEX)); int one = 1; R(ioctl(fd, FIONBIO, &one)); R(fcntl(fd, F_GETFL) & O_NONBLOCK ? 1 : 0); R(ioctl(99, FIOCLEX)); R(ioctl(fd, 0x12345)); R(close(fd));
}

static void test_poll(void) {
  int p[2], fd, ep;
  R(pipe(p)); OPEN(fd, open("a", O_RDWR));
  struct pollfd q[4] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {fd, POLLIN | POLLOUT, 0}, {99, POLLIN, 0}};
  R(poll(q, 4, 0)); R(q[0].revents); R(q[1].revents); R(q[2].revents); R(q[3].revents); R(poll(q, 1, 0)); R(poll(q, 1, 10)); R(write(p[1], "x", 1)); R(poll(q, 1, -1)); R(q[0].revents); q[0].fd = -1; R(poll(q, 1, 0)); q[0].fd = p[0]; R(poll((void *)8, 1, 0)); R(poll(NULL, 0, 5));
  fd_set r, w; FD_ZERO(&r); FD_ZERO(&w); FD_SET(p[0], &r); FD_SET(p[1], &w); R(select(p[1] + 1, &r, &w, NULL, &(struct timeval){0, 0})); R(FD_ISSET(p[0], &r) ? 1 : 0); R(FD_ISSET(p[1], &w) ? 1 : 0); FD_SET(60, &r); R(select(61, &r, NULL, NULL, &(struct timeval){0, 0})); R(select(-1, &r, NULL, NULL, NULL));
  OPEN(ep, epoll_create1(EPOLL_CLOEXEC)); struct epoll_event e = {.events = EPOLLIN, .data.u64 = 77}; R(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e)); R(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e)); R(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)); R(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &e)); R(epoll_ctl(ep, EPOLL_CTL_ADD, 99, &e)); R(epoll_ctl(fd, EPOLL_CTL_ADD, p[0], &e)); R(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e)); struct epoll_event o[4]; R(epoll_wait(ep, o, 4, 0)); R(o[0].events); R(o[0].data.u64); R(epoll_wait(ep, o, 0, 0)); e.events = EPOLLIN | EPOLLET; R(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e)); R(epoll_wait(ep, o, 4, 0)); R(epoll_wait(ep, o, 4, 0)); e.events = EPOLLIN | EPOLLONESHOT; R(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e)); R(epoll_wait(ep, o, 4, 0)); R(epoll_wait(ep, o, 4, 0)); R(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL)); R(epoll_wait(ep, o, 4, 0)); R(close(ep));
  R(close(p[1])); R(poll(q, 1, 0)); R(q[0].revents); char c; R(read(p[0], &c, 1)); R(poll(q, 1, 0)); R(q[0].revents); R(close(p[0])); R(pipe(p)); R(close(p[0])); q[1].fd = p[1]; q[1].events = POLLOUT; R(poll(&q[1], 1, 0)); R(q[1].revents); R(close(p[1])); R(close(fd));
}

static void test_times(void) {
  struct stat s; struct timespec t[2] = {{100, 5}, {200, 7}};
  put("time", "x"); R(utimensat(AT_FDCWD, "time", t, 0)); R(stat("time", &s)); R(s.st_atim.tv_sec); R(s.st_atim.tv_nsec); R(s.st_mtim.tv_sec); t[0].tv_nsec = UTIME_OMIT; t[1].tv_sec = -3; R(utimensat(AT_FDCWD, "time", t, 0)); R(stat("time", &s)); R(s.st_atim.tv_sec); R(s.st_mtim.tv_sec + 100); R(s.st_mtim.tv_nsec); t[0].tv_nsec = 2000000000; R(utimensat(AT_FDCWD, "time", t, 0)); R(utimensat(AT_FDCWD, "none", NULL, 0)); R(utimensat(AT_FDCWD, "time", NULL, 1)); R(utimensat(AT_FDCWD, "time", (void *)8, 0));
  int fd; OPEN(fd, open("time", O_RDONLY)); R(futimens(fd, NULL)); t[0].tv_nsec = t[1].tv_nsec = 0; t[0].tv_sec = 50; R(futimens(fd, t)); R(fstat(fd, &s)); R(s.st_atim.tv_sec); R(close(fd)); R(unlink("time"));
  struct statx x; R(statx(AT_FDCWD, "a", 0, STATX_BASIC_STATS, &x)); R(x.stx_mode); R(x.stx_nlink); R(x.stx_size); R(statx(AT_FDCWD, "none", 0, STATX_BASIC_STATS, &x)); R(statx(AT_FDCWD, "a", 0x10, STATX_BASIC_STATS, &x)); R(statx(AT_FDCWD, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x)); R(x.stx_mode); R(statx(AT_FDCWD, "", 0, STATX_BASIC_STATS, &x)); R(fstatat(AT_FDCWD, "a", &s, 0x4)); struct statfs f; R(statfs("a", &f)); R(f.f_namelen); R(statfs("none", &f)); R(fstatfs(99, &f)); R(fstat(99, &s)); R(fstat(1, (void *)8));
  R(getpid() > 0); char b[10]; R(syscall(SYS_getcwd, b, 0)); R(fsync(99)); R(syncfs(99)); sync();
}

int main(void) {
  umask(022);
  memset(longname, 'n', 256);
  memset(longpath, 'p', 4999);
  for (int i = 0; i < 4999; i += 100) longpath[i] = '/';
  test_open(); test_directories(); test_iteration(); test_symlinks(); test_links(); test_rename(); test_permissions(); test_data(); test_descriptors(); test_poll(); test_times();
  list(__LINE__, ".");
  printf("%d checks\n", checks);
  return 0;
}
