/*
 * LD_PRELOAD: records what a process does to the files below $RECORD_DIRECTORY, in order, into $RECORD_LOG, with what it writes to standard output in between.
 * power-cut.test.ts makes disks of it, as they may be after a power cut at any moment.
 *
 *   record: op (1 byte), flags (1: durable when it returns), length of path (u16), offset (u64), length (u64), path, bytes        little-endian
 *   ops: C created or truncated   W written   T truncated to offset   S synced   R renamed, L linked (bytes: new path)   U removed   O said on standard output
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 4096
static char *paths[FDS];
static unsigned char durable[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int logfd = -1;
static const char *directory;

__attribute__((constructor)) static void begin(void) {
  directory = getenv("RECORD_DIRECTORY");
  const char *log = getenv("RECORD_LOG");
  if (directory && log) logfd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int mine(const char *path) { return logfd >= 0 && path && strncmp(path, directory, strlen(directory)) == 0; }
static int open_here(int fd) { return logfd >= 0 && fd >= 0 && fd < FDS && paths[fd]; }

static void put(const void *bytes, size_t length) {
  for (const char *at = bytes; length > 0;) {
    long done = syscall(SYS_write, logfd, at, length);
    if (done <= 0) _exit(99);
    at += done;
    length -= done;
  }
}

static void note(char op, int flags, const char *path, uint64_t offset, const struct iovec *pieces, int count) {
  unsigned char head[20];
  uint16_t name = strlen(path);
  uint64_t length = 0;
  for (int i = 0; i < count; i++) length += pieces[i].iov_len;
  head[0] = op;
  head[1] = flags;
  memcpy(head + 2, &name, 2);
  memcpy(head + 4, &offset, 8);
  memcpy(head + 12, &length, 8);
  put(head, 20);
  put(path, name);
  for (int i = 0; i < count; i++) put(pieces[i].iov_base, pieces[i].iov_len);
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static void opened(int fd, const char *path, int flags, int was) {
  if (fd < 0 || fd >= FDS || !mine(path)) return;
  pthread_mutex_lock(&lock);
  free(paths[fd]);
  paths[fd] = strdup(path);
  durable[fd] = (flags & O_DSYNC) != 0;
  if ((flags & O_TRUNC) || ((flags & O_CREAT) && !was)) note('C', 0, path, 0, 0, 0);
  pthread_mutex_unlock(&lock);
}
#define OPEN(NAME) int NAME(const char *path, int flags, ...) { \
  REAL(NAME); va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); \
  int was = mine(path) && access(path, F_OK) == 0, fd = real(path, flags, mode); opened(fd, path, flags, was); return fd; }
OPEN(open) OPEN(open64)
#define OPENAT(NAME) int NAME(int at, const char *path, int flags, ...) { \
  REAL(NAME); va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); \
  int was = mine(path) && access(path, F_OK) == 0, fd = real(at, path, flags, mode); opened(fd, path, flags, was); return fd; }
OPENAT(openat) OPENAT(openat64)

int close(int fd) {
  REAL(close);
  pthread_mutex_lock(&lock);
  if (open_here(fd)) { free(paths[fd]); paths[fd] = 0; }
  pthread_mutex_unlock(&lock);
  return real(fd);
}

/* The order in the log is that of the calls: the lock is held around the call itself. */
#define AROUND(FD, OFFSET, PIECES, COUNT, CALL) \
  if (!open_here(FD) && (logfd < 0 || FD != 1)) return CALL; \
  pthread_mutex_lock(&lock); \
  uint64_t at = FD == 1 ? 0 : (OFFSET); \
  if (FD != 1) note('W', durable[FD], paths[FD], at, PIECES, COUNT); \
  ssize_t done = CALL; \
  if (FD == 1) note('O', 0, "", 0, PIECES, COUNT); \
  pthread_mutex_unlock(&lock); \
  return done

static uint64_t here(int fd) { return fcntl(fd, F_GETFL) & O_APPEND ? lseek64(fd, 0, SEEK_END) : lseek64(fd, 0, SEEK_CUR); }
ssize_t write(int fd, const void *bytes, size_t length) { REAL(write); struct iovec one = { (void *)bytes, length }; AROUND(fd, here(fd), &one, 1, real(fd, bytes, length)); }
ssize_t writev(int fd, const struct iovec *pieces, int count) { REAL(writev); AROUND(fd, here(fd), pieces, count, real(fd, pieces, count)); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { REAL(pwrite); struct iovec one = { (void *)bytes, length }; AROUND(fd, offset, &one, 1, real(fd, bytes, length, offset)); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { REAL(pwrite64); struct iovec one = { (void *)bytes, length }; AROUND(fd, offset, &one, 1, real(fd, bytes, length, offset)); }
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) { REAL(pwritev); AROUND(fd, offset, pieces, count, real(fd, pieces, count, offset)); }
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset) { REAL(pwritev64); AROUND(fd, offset, pieces, count, real(fd, pieces, count, offset)); }

/* What was written before a sync began is durable when it ends. */
#define SYNC(NAME) int NAME(int fd) { REAL(NAME); int done = real(fd); if (!open_here(fd)) return done; \
  pthread_mutex_lock(&lock); if (open_here(fd)) note('S', 0, paths[fd], 0, 0, 0); pthread_mutex_unlock(&lock); return done; }
SYNC(fsync) SYNC(fdatasync)

static void cut(int fd, uint64_t length) { if (open_here(fd)) { pthread_mutex_lock(&lock); note('T', 0, paths[fd], length, 0, 0); pthread_mutex_unlock(&lock); } }
int ftruncate(int fd, off_t length) { REAL(ftruncate); cut(fd, length); return real(fd, length); }
int ftruncate64(int fd, off64_t length) { REAL(ftruncate64); cut(fd, length); return real(fd, length); }
#define NAMED(NAME, OP) int NAME(const char *from, const char *to) { \
  REAL(NAME); struct iovec one = { (void *)to, strlen(to) }; int done = real(from, to); \
  if (done == 0 && mine(from)) { pthread_mutex_lock(&lock); note(OP, 0, from, 0, &one, 1); pthread_mutex_unlock(&lock); } return done; }
NAMED(rename, 'R') NAMED(link, 'L')
int unlink(const char *path) {
  REAL(unlink);
  int done = real(path);
  if (done == 0 && mine(path)) { pthread_mutex_lock(&lock); note('U', 0, path, 0, 0, 0); pthread_mutex_unlock(&lock); }
  return done;
}
