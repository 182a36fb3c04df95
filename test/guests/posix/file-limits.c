/* Files that may not grow: RLIMIT_FSIZE with its signal, and seals with mappings that could write.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int signals;
static void count(int signal) { (void) signal; signals++; }
static const char *word(long long result) {
  static char text[16][40]; static int turn;
  char *out = text[turn++ & 15];
  if (result >= 0) snprintf(out, 40, "%lld", result); else snprintf(out, 40, "%s", strerrorname_np(errno));
  return out;
}
static void limit(rlim_t soft) { struct rlimit l = { soft, RLIM_INFINITY }; setrlimit(RLIMIT_FSIZE, &l); }
static void tell(const char *what, long long result, int fd) {
  const char *answer = word(result); struct stat s; fstat(fd, &s);
  printf("%s: %s, size %lld, %d signals\n", what, answer, (long long) s.st_size, signals); signals = 0;
}

/* How often the kernel comes back to the end, with a signal each time, is its own affair. */
static void tell_moved(const char *what, long long result, int fd) { const char *answer = word(result); struct stat s; fstat(fd, &s); printf("%s: %s, size %lld\n", what, answer, (long long) s.st_size); signals = 0; }

static int nameless(void) {
  int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  if (fd < 0) { fd = open("limited", O_CREAT | O_RDWR | O_TRUNC, 0600); unlink("limited"); }
  return fd;
}

static void sizes(void) {
  char bytes[3000]; memset(bytes, 'x', sizeof bytes);
  signal(SIGXFSZ, count);
  int fd = nameless();
  limit(4000);
  tell("write", write(fd, bytes, 3000), fd); tell("write, cut", write(fd, bytes, 3000), fd); tell("write, refused", write(fd, bytes, 1), fd); tell("nothing", write(fd, bytes, 0), fd);
  tell("pwrite inside", pwrite(fd, bytes, 10, 3995), fd); tell("pwrite beyond", pwrite(fd, bytes, 10, 5000), fd);
  struct iovec parts[2] = { { bytes, 100 }, { bytes, 100 } }; tell("pwritev", pwritev(fd, parts, 2, 3850), fd);
  tell("ftruncate longer", ftruncate(fd, 4001), fd); tell("ftruncate same", ftruncate(fd, 4000), fd); tell("fallocate", fallocate(fd, 0, 3000, 2000), fd); tell("fallocate, size kept", fallocate(fd, FALLOC_FL_KEEP_SIZE, 3000, 2000), fd);
  int other = nameless(), pipes[2]; write(other, bytes, 2000); pipe(pipes);
  off_t from = 0, to = 3900; lseek(fd, 3950, SEEK_SET);
  tell_moved("sendfile", sendfile(fd, other, &from, 500), fd); tell_moved("copy_file_range", copy_file_range(other, &(off_t) { 0 }, fd, &to, 500, 0), fd); write(pipes[1], bytes, 100); to = 3990;
  tell_moved("splice", splice(pipes[0], 0, fd, &to, 100, 0), fd); tell("splice, refused", splice(pipes[0], 0, fd, &to, 100, 0), fd);
  limit(1000); tell("above the limit", pwrite(fd, bytes, 10, 500), fd); tell("refused there", pwrite(fd, bytes, 10, 1500), fd); tell("shorter", ftruncate(fd, 2000), fd); tell("longer", ftruncate(fd, 2001), fd);
  tell("a pipe", write(pipes[1], bytes, 2000), fd);
  signal(SIGXFSZ, SIG_IGN); lseek(fd, 0, SEEK_END); tell("ignored", write(fd, bytes, 1), fd); signal(SIGXFSZ, SIG_DFL); fflush(stdout);
  pid_t pid = fork(); if (pid == 0) { write(fd, bytes, 1); _exit(3); }
  int status; waitpid(pid, &status, 0); printf("by default: %s %d\n", WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  limit(RLIM_INFINITY); tell("no limit", write(fd, bytes, 1000), fd);
}

static void seals(void) {
  int fd = memfd_create("sealed", MFD_ALLOW_SEALING); ftruncate(fd, 8192);
  char *map = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *private = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0); strcpy(map, "before");
  printf("mapped to write: %s\n", word(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)));
  mprotect(map, 8192, PROT_READ); printf("mapped to read, may write: %s\n", word(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE))); munmap(map, 4096);
  printf("a part: %s\n", word(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)));
  fflush(stdout); int turns[2]; pipe(turns);
  pid_t pid = fork(); if (pid == 0) { char c; close(turns[1]); read(turns[0], &c, 1); _exit(0); }
  munmap(map + 4096, 4096); printf("of another process: %s\n", word(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)));
  close(turns[1]); waitpid(pid, 0, 0);
  printf("nobody: %s", word(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE))); printf(", twice: %s", word(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE))); printf(", have %x\n", fcntl(fd, F_GET_SEALS));
  map = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); printf("map to write: %s", map == MAP_FAILED ? strerrorname_np(errno) : "done");
  map = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0); printf(", to read: %s, then to write: %s", map == MAP_FAILED ? strerrorname_np(errno) : map, word(mprotect(map, 4096, PROT_READ | PROT_WRITE)));
  private[0] = 'P'; printf(", private: %c, write: %s\n", private[0], word(write(fd, "x", 1)));
  fd = memfd_create("future", MFD_ALLOW_SEALING); ftruncate(fd, 4096); map = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  printf("future: %s", word(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE))); strcpy(map, "still"); printf(" %s", map);
  map = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); printf(", map to write: %s", map == MAP_FAILED ? strerrorname_np(errno) : "done");
  map = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0); printf(", to read: %s, then to write: %s\n", map == MAP_FAILED ? strerrorname_np(errno) : map, word(mprotect(map, 4096, PROT_READ | PROT_WRITE)));
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  sizes(); seals();
  return 0;
}
