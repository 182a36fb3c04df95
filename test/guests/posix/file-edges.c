/* Edges of files: bounds of openat2, access mode 3, a program that is written while it runs, offsets at their end, appending targets, rings of waits for locks.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAY(call) do { errno = 0; long answer = (long)(call); printf("%s: %ld %s\n", #call, answer, answer < 0 ? strerrorname_np(errno) : ""); } while (0)
#define FAR 0x7ffffffffffffffcL

static int open_within(const char *path, uint64_t resolve) {
  struct open_how how = { .flags = O_RDONLY, .resolve = resolve };
  int number = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
  if (number >= 0) close(number);
  return number < 0 ? number : 0;
}

static void bounds(void) {
  SAY(open_within("/proc/self/cwd", RESOLVE_NO_MAGICLINKS));
  SAY(open_within("/proc/self/root", RESOLVE_NO_MAGICLINKS));
  SAY(open_within("/proc/self/fd/0", RESOLVE_NO_MAGICLINKS));
  SAY(open_within("/proc/self", RESOLVE_NO_MAGICLINKS));
  SAY(open_within("/proc", RESOLVE_NO_XDEV));
  SAY(open_within("/proc/self/cwd", RESOLVE_NO_XDEV));
  SAY(open_within("made", RESOLVE_NO_XDEV));
}

static void modes(void) {
  char bytes[4];
  int number = open("made", 3), left;
  SAY(read(number, bytes, 1));
  SAY(write(number, bytes, 1));
  SAY(ioctl(number, FIONREAD, &left));
  SAY(mmap(0, 4096, PROT_READ, MAP_PRIVATE, number, 0) == MAP_FAILED);
  close(number);
}

/* A copy of this program, which stays in pause() or is never run. */
static void busy(void) {
  char bytes[4096];
  int from = open("/proc/self/exe", O_RDONLY), to = open("run", O_WRONLY | O_CREAT | O_TRUNC, 0755), doors[2];
  for (ssize_t got; (got = read(from, bytes, sizeof bytes)) > 0;) write(to, bytes, got);
  close(from);
  SAY(execl("./run", "run", "wait", (char *)0));
  close(to);
  pipe2(doors, O_CLOEXEC);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) { execl("./run", "run", "wait", (char *)0); _exit(1); }
  close(doors[1]);
  read(doors[0], bytes, 1); /* It has become the other program: the end of the pipe. */
  SAY(open("run", O_WRONLY));
  SAY(open("run", O_RDWR | O_TRUNC));
  SAY(truncate("run", 0));
  SAY(open("run", O_RDONLY) >= 0);
  kill(child, SIGKILL), waitpid(child, 0, 0);
  SAY(open("run", O_WRONLY) >= 0);
  close(doors[0]);
}

static void transfers(void) {
  char bytes[64];
  int made = open("made", O_RDWR), end = open("made", O_WRONLY | O_APPEND), zero = open("/dev/zero", O_RDONLY), here = open(".", O_RDONLY), doors[2], seals;
  pipe(doors);
  write(doors[1], "pipe", 4);
  SAY(splice(doors[0], 0, end, 0, 2, 0));
  SAY(splice(here, 0, doors[1], 0, 2, 0));
  SAY(sendfile(made, zero, 0, 5));
  SAY(sendfile(made, made, 0, -1));
  SAY(read(made, bytes, -1));
  SAY(write(made, bytes, -1));
  SAY(pread(made, bytes, 5, FAR));
  SAY(pwrite(made, bytes, 5, FAR));
  SAY(seals = syscall(SYS_memfd_create, "both", 8 | 16));
  close(made), close(end), close(zero), close(here), close(doors[0]), close(doors[1]);
}

static int lock(int number, int command, int type, long start, long length) {
  struct flock range = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
  return fcntl(number, command, &range);
}

static void locks(void) {
  int made = open("made", O_RDWR), doors[2], status;
  char byte;
  SAY(lock(made, F_SETLK, F_WRLCK, INT64_MAX, 0));
  SAY(lock(made, F_SETLK, F_WRLCK, INT64_MAX, 1));
  SAY(lock(made, F_SETLK, F_WRLCK, INT64_MAX, 2));
  SAY(lock(made, F_SETLK, F_UNLCK, 0, 0));
  SAY(lock(made, F_SETLK, F_WRLCK, 0, 1));
  pipe(doors);
  fflush(stdout);
  /* Each of three waits for the byte of the one before; the first of them closes the ring. */
  pid_t second = fork();
  if (second == 0) {
    lock(made, F_SETLK, F_WRLCK, 1, 1);
    pid_t third = fork();
    if (third == 0) {
      lock(made, F_SETLK, F_WRLCK, 2, 1);
      write(doors[1], "x", 1);
      int answer = lock(made, F_SETLKW, F_WRLCK, 1, 1);
      _exit(answer < 0 ? errno : 0);
    }
    int answer = lock(made, F_SETLKW, F_WRLCK, 0, 1);
    lock(made, F_SETLK, F_UNLCK, 0, 0);
    waitpid(third, &status, 0);
    _exit(answer < 0 ? errno : WEXITSTATUS(status));
  }
  read(doors[0], &byte, 1);
  usleep(300000); /* Both wait now. */
  SAY(lock(made, F_SETLKW, F_WRLCK, 2, 1));
  SAY(lock(made, F_SETLK, F_UNLCK, 0, 0));
  waitpid(second, &status, 0);
  printf("the others: %x\n", status);
}

int main(int count, char **words) {
  if (count > 1) { for (;;) pause(); }
  int made = open("made", O_RDWR | O_CREAT | O_TRUNC, 0644);
  write(made, "0123456789", 10), close(made);
  bounds(), modes(), busy(), transfers(), locks();
  return 0;
}
