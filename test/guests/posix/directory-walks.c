/* Directories that change while somebody walks through them with a small buffer: descriptors that are closed, processes that end, files that go.
 * oracle: host */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 30, CHILDREN = 8 };
struct entry { unsigned long inode; long offset; unsigned short length; unsigned char type; char name[]; };

/* What `take` is told of, a few names at a time; it answers whether it wanted the name. */
static int walk(const char *path, int (*take)(int directory, const char *name)) {
  char buffer[120]; int directory = open(path, O_RDONLY | O_DIRECTORY), taken = 0; long length;
  while ((length = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0)
    for (long at = 0; at < length; at += ((struct entry *) (buffer + at))->length) taken += take(directory, ((struct entry *) (buffer + at))->name);
  close(directory);
  return length < 0 ? -1 : taken;
}
static int close_it(int directory, const char *name) { int fd = atoi(name); if (fd < 10 || fd == directory) return 0; close(fd); return 1; }
static int count_it(int directory, const char *name) { return name[0] != '.' && atoi(name) != directory && atoi(name) >= 10; }
static int remove_it(int directory, const char *name) { return name[0] == 'f' && unlinkat(directory, name, 0) == 0; }

static pid_t children[CHILDREN];
static int end_it(int directory, const char *name) {
  for (int i = 0; i < CHILDREN; i++) if (children[i] != 0 && children[i] == atoi(name)) { kill(children[i], SIGKILL); waitpid(children[i], 0, 0); children[i] = 0; return 1; }
  return 0;
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  syscall(SYS_close_range, 3, ~0u, 0);
  for (int i = 0; i < COUNT; i++) fcntl(0, F_DUPFD, 10 + 3 * i);
  printf("descriptors: %d closed", walk("/proc/self/fd", close_it)); printf(", %d left\n", walk("/proc/self/fd", count_it));
  for (int i = 0; i < COUNT; i++) fcntl(0, F_DUPFD, 10 + 2 * i);
  printf("their facts: %d closed", walk("/proc/self/fdinfo", close_it)); printf(", %d left\n", walk("/proc/self/fdinfo", count_it));
  for (int i = 0; i < CHILDREN; i++) if ((children[i] = fork()) == 0) for (;;) pause();
  printf("processes: %d ended\n", walk("/proc", end_it));
  char name[] = "/tmp/walkXXXXXX"; if (mkdtemp(name) == 0) strcpy(name, "walk"), mkdir(name, 0700);
  for (int i = 0; i < COUNT; i++) { char file[64]; snprintf(file, 64, "%s/f%d", name, i); close(open(file, O_CREAT | O_WRONLY, 0600)); }
  printf("files: %d removed", walk(name, remove_it)); printf(", %d left", walk(name, remove_it)); printf(", %s\n", rmdir(name) == 0 ? "empty" : "not empty");
  return 0;
}
