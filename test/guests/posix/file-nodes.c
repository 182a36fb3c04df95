/* Names of sockets that mknod makes and that sockets leave behind, and what small controls of files answer. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void tell(const char *what, long result) { printf("%s: %ld %s\n", what, result < 0 ? -1 : result, result < 0 ? strerrorname_np(errno) : ""); }
static void reach(const char *name) {
  static const int kinds[3] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
  struct sockaddr_un at = { .sun_family = AF_UNIX }; strcpy(at.sun_path, name);
  struct stat s; tell("stat", stat(name, &s)); printf("mode %o, links %d\n", s.st_mode, (int) s.st_nlink); tell("open", open(name, O_RDWR));
  for (int i = 0; i < 3; i++) { int fd = socket(AF_UNIX, kinds[i], 0); tell("connect", connect(fd, (void *) &at, sizeof at)); close(fd); }
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0); tell("sendto", sendto(fd, "a", 1, 0, (void *) &at, sizeof at)); tell("bind", bind(fd, (void *) &at, sizeof at)); close(fd);
  char other[32]; snprintf(other, sizeof other, "%s2", name); tell("link", link(name, other)); tell("rename", rename(other, name)); tell("unlink", unlink(other)); tell("unlink", unlink(name)); tell("stat", stat(name, &s));
}
int main(void) {
  char directory[] = "/tmp/nodes-XXXXXX"; if (mkdtemp(directory) == NULL || chdir(directory) < 0) return 1;
  umask(022);
  tell("mknod", mknod("made", S_IFSOCK | 0666, 0)); tell("again", mknod("made", S_IFSOCK | 0666, 0)); reach("made");
  struct sockaddr_un at = { AF_UNIX, "left" }; int fd = socket(AF_UNIX, SOCK_STREAM, 0); bind(fd, (void *) &at, sizeof at); close(fd); reach("left");
  int file = open("file", O_RDWR | O_CREAT, 0600), copy = open("copy", O_RDWR | O_CREAT, 0600), path = open("file", O_PATH), tree = open(".", O_RDONLY | O_DIRECTORY), ends[2], size = 0; if (pipe(ends) < 0) return 1;
  tell("block size", ioctl(file, FIGETBSZ, &size)); printf("%d\n", size);
  printf("path: %o\n", fcntl(path, F_GETFL)); printf("file: %d\n", (fcntl(file, F_GETFL) & O_ACCMODE) == O_RDWR);
  tell("range", sync_file_range(file, 0, 10, SYNC_FILE_RANGE_WRITE)); tell("range of a directory", sync_file_range(tree, 0, 0, 0)); tell("range of a pipe", sync_file_range(ends[0], 0, 1, 0)); tell("flags", sync_file_range(file, 0, 1, 8)); tell("offset", sync_file_range(file, -1, 1, 0));
  (void) copy; unlink("file"); unlink("copy"); chdir("/"); rmdir(directory);
  return 0;
}
