/* Rule: open, read, write, lseek, dup, fcntl and friends on files, with every usual error (POSIX). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void result(const char *what, long rc) { printf("%s %ld %s\n", what, rc, rc < 0 ? strerror(errno) : "-"); }

int main(void) {
  char buffer[64] = {0};
  int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0640);
  printf("%d\n", fd);
  result("excl", open("f", O_CREAT | O_EXCL | O_RDWR, 0600));
  result("missing", open("missing", O_RDONLY));
  result("dir write", open(".", O_WRONLY));
  result("not dir", open("f/x", O_RDONLY));
  result("directory", open("f", O_DIRECTORY));
  result("write", write(fd, "0123456789", 10));
  result("seek", lseek(fd, 3, SEEK_SET));
  result("read", read(fd, buffer, 4));
  puts(buffer);
  result("cur", lseek(fd, -2, SEEK_CUR));
  result("end", lseek(fd, 5, SEEK_END));
  result("negative", lseek(fd, -100, SEEK_SET));
  result("whence", lseek(fd, 0, 77));
  result("write hole", write(fd, "X", 1));
  result("pread", pread(fd, buffer, 16, 8));
  for (int i = 0; i < 8; i++) printf("%d ", buffer[i]);
  puts("");
  result("pwrite", pwrite(fd, "ab", 2, 0));
  result("position", lseek(fd, 0, SEEK_CUR));
  int copy = dup(fd);
  result("dup", copy);
  lseek(copy, 2, SEEK_SET);
  result("shared", lseek(fd, 0, SEEK_CUR));
  result("dup2", dup2(fd, 20));
  result("same", dup2(fd, fd));
  result("bad dup2", dup2(99, 5));
  result("dup3 same", dup3(fd, fd, 0));
  result("F_DUPFD", fcntl(fd, F_DUPFD, 30));
  result("F_GETFD", fcntl(fd, F_GETFD));
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  result("F_GETFD", fcntl(fd, F_GETFD));
  result("F_GETFD dup", fcntl(copy, F_GETFD));
  result("F_GETFL", fcntl(fd, F_GETFL) & O_ACCMODE);
  fcntl(fd, F_SETFL, O_APPEND);
  result("append on", (fcntl(copy, F_GETFL) & O_APPEND) != 0);
  lseek(fd, 0, SEEK_SET);
  write(fd, "END", 3);
  result("appended at", lseek(fd, 0, SEEK_CUR));
  result("bad fcntl", fcntl(fd, 9999));
  result("close", close(copy));
  result("close twice", close(copy));
  result("read closed", read(copy, buffer, 1));
  int ro = open("f", O_RDONLY);
  result("write ro", write(ro, "x", 1));
  int wo = open("f", O_WRONLY);
  result("read wo", read(wo, buffer, 1));
  result("bad pointer", read(ro, (void *)8, 4));
  result("bad path", open((const char *)8, O_RDONLY));
  char a[3], b[5], c[4];
  struct iovec in[3] = {{a, 3}, {b, 5}, {c, 4}}, out[2] = {{"vector", 6}, {"ed", 2}};
  lseek(ro, 0, SEEK_SET);
  result("readv", readv(ro, in, 3));
  printf("%.3s %.2s %d\n", a, b, c[3]);
  result("writev", writev(wo, out, 2));
  result("pwritev", pwritev(wo, out, 1, 20));
  result("preadv", preadv(ro, in, 2, 0));
  printf("%.3s %.5s\n", a, b);
  result("iov count", readv(ro, in, -1));
  result("ftruncate", ftruncate(wo, 4));
  struct stat st;
  fstat(ro, &st);
  printf("%ld %o %d\n", (long)st.st_size, st.st_mode & 07777, S_ISREG(st.st_mode));
  result("truncate grow", truncate("f", 100));
  result("truncate negative", truncate("f", -1));
  result("truncate missing", truncate("gone", 1));
  result("ftruncate ro", ftruncate(ro, 1));
  result("fsync", fsync(wo));
  result("fallocate", posix_fallocate(wo, 0, 200));
  fstat(ro, &st);
  printf("%ld\n", (long)st.st_size);
  result("O_TRUNC", open("f", O_WRONLY | O_TRUNC));
  fstat(ro, &st);
  printf("%ld\n", (long)st.st_size);
  result("isatty file", isatty(ro));
  result("read eof", read(ro, buffer, 8));
  result("zero", read(ro, buffer, 0));
  result("copy", copy_file_range(ro, NULL, wo, NULL, 10, 0));
  return 0;
}
