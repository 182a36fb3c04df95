/* Opening a FIFO: readers and writers wait for each other, and both have it open in the same moment.
 * What a writer writes and closes before its reader runs again is there; a reader that makes its end nonblocking sees no false end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char bytes[64];
static void *write_and_close(void *text) {
  int fd = open("fifo", O_WRONLY);
  ssize_t n = write(fd, text, strlen(text));
  close(fd);
  return (void *) n;
}
static void *open_and_read(void *how) {
  int fd = open("fifo", O_RDONLY);
  if (how) fcntl(fd, F_SETFL, O_NONBLOCK);
  ssize_t n = read(fd, bytes, sizeof bytes);
  if (n < 0 && errno == EAGAIN) { struct pollfd p = { fd, POLLIN, 0 }; poll(&p, 1, -1); n = read(fd, bytes, sizeof bytes); }
  close(fd);
  return (void *) n;
}
static void threads(void) {
  pthread_t other; void *n;
  pthread_create(&other, 0, write_and_close, "from a thread");
  n = open_and_read(0);
  printf("read %ld '%.*s'\n", (long) n, (int) (long) n, bytes);
  pthread_join(other, &n); printf("written %ld\n", (long) n);
  pthread_create(&other, 0, open_and_read, 0); usleep(10000);
  printf("written %ld\n", (long) write_and_close("to a thread"));
  pthread_join(other, &n); printf("read %ld\n", (long) n);
  pthread_create(&other, 0, open_and_read, "nonblocking");
  int fd = open("fifo", O_WRONLY); usleep(20000);
  n = (void *) write(fd, "late", 4); close(fd); printf("written %ld\n", (long) n);
  pthread_join(other, &n); printf("read %ld\n", (long) n);
}
static void processes(void) {
  pid_t child = fork();
  if (child == 0) { /* Its directory is another one. */
    chdir("box"); int fd = open("../fifo", O_WRONLY); dprintf(fd, "one\n"); close(fd); _exit(0);
  }
  usleep(10000);
  int fd = open("fifo", O_RDONLY); ssize_t n, all = 0;
  while ((n = read(fd, bytes + all, sizeof bytes - all)) > 0) all += n;
  close(fd); printf("from a process: %.*s", (int) all, bytes); waitpid(child, 0, 0);
  int told[2]; pipe(told);
  child = fork();
  if (child == 0) { for (int i = 0; i < 3; i++) { int r = open("link", O_RDONLY); char c[8]; ssize_t m = read(r, c, 8); close(r); write(told[1], c, 1); if (m != 2) _exit(i + 1); } _exit(0); }
  for (int i = 0; i < 3; i++) { char c; int w = open("fifo", O_WRONLY); write(w, "x\n", 2); close(w); read(told[0], &c, 1); }
  int status; waitpid(child, &status, 0); printf("three turns: %d\n", WEXITSTATUS(status));
  pid_t readers[3];
  for (int i = 0; i < 3; i++) if ((readers[i] = fork()) == 0) { int r = open("fifo", O_RDONLY); write(told[1], "o", 1); char c; ssize_t m = read(r, &c, 1); _exit(m == 1 ? 1 : 0); }
  usleep(10000); /* That they wait is likely, and sure in a machine; a later one finds the writer, who stays until the third has told that it is in. */
  int w = open("fifo", O_WRONLY); for (int i = 0; i < 3; i++) { char c; read(told[0], &c, 1); }
  write(w, "ab", 2); close(w);
  int got = 0; for (int i = 0; i < 3; i++) { waitpid(readers[i], &status, 0); got += WEXITSTATUS(status); }
  printf("one writer let three readers in, %d got a byte\n", got);
}
static void handler(int signal) { (void) signal; }
static void others(void) {
  int w = open("fifo", O_WRONLY | O_NONBLOCK); printf("no reader: %s\n", w < 0 ? strerrorname_np(errno) : "ok");
  int r = open("fifo", O_RDONLY | O_NONBLOCK); printf("nonblocking reader: %s\n", r < 0 ? strerrorname_np(errno) : "ok");
  printf("no writer yet: %zd\n", read(r, bytes, 8));
  fcntl(r, F_SETFL, 0); printf("no writer, blocking: %zd\n", read(r, bytes, 8));
  w = open("fifo", O_WRONLY); printf("writer: %s\n", w < 0 ? "no" : "ok"); close(w); close(r);
  int both = open("fifo", O_RDWR); write(both, "own", 3); printf("both ends: %zd\n", read(both, bytes, 8)); close(both);
  struct sigaction action = { .sa_handler = handler }; sigaction(SIGALRM, &action, 0);
  for (int restarts = 0; restarts < 2; restarts++) {
    action.sa_flags = restarts ? SA_RESTART : 0; sigaction(SIGALRM, &action, 0); ualarm(20000, restarts ? 0 : 20000);
    pid_t child = restarts ? fork() : 0;
    if (restarts && child == 0) { usleep(100000); write_and_close("restart"); _exit(0); }
    int fd = open("fifo", O_RDONLY); printf("alarm: %s\n", fd < 0 ? strerrorname_np(errno) : "ok");
    ualarm(0, 0);
    if (restarts) { printf("then %zd\n", read(fd, bytes, 8)); close(fd); waitpid(child, 0, 0); }
  }
}
int main(void) {
  char dir[] = "/tmp/fifo-XXXXXX";
  if (!mkdtemp(dir) || chdir(dir) < 0) return 1;
  setvbuf(stdout, 0, _IONBF, 0);
  mkfifo("fifo", 0600); mkdir("box", 0700); symlink("fifo", "link");
  threads(); processes(); others();
  int pair[2]; char path[40], byte = '-'; pipe(pair); write(pair[1], "p", 1); snprintf(path, 40, "/proc/self/fd/%d", pair[0]); close(pair[1]);
  int again = open(path, O_RDONLY); printf("a pipe without a writer: %s", again >= 0 && read(again, &byte, 1) == 1 ? "opened" : "not opened"); printf(" %c %d\n", byte, (int) read(again, &byte, 1));
  return 0;
}
