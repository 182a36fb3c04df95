/* Rule: pipes, poll and select inside one process: capacity, end of file, EPIPE, non-blocking (POSIX). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t pipes;
static void on_pipe(int s) { pipes++; }
static void result(const char *what, long rc) { printf("%s %ld %s\n", what, rc, rc < 0 ? strerror(errno) : "-"); }

int main(void) {
  int p[2];
  char buffer[70000] = {0};
  result("pipe", pipe(p));
  result("write", write(p[1], "hello pipe", 10));
  result("read 5", read(p[0], buffer, 5));
  result("read rest", read(p[0], buffer + 5, 100));
  puts(buffer);
  struct pollfd pf[3] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {-1, POLLIN, 0}};
  result("poll", poll(pf, 3, 0));
  printf("%d %d %d\n", pf[0].revents, pf[1].revents, pf[2].revents);
  write(p[1], "x", 1);
  result("poll", poll(pf, 2, -1));
  printf("%d %d\n", pf[0].revents, pf[1].revents);
  fd_set r, w;
  FD_ZERO(&r);
  FD_ZERO(&w);
  FD_SET(p[0], &r);
  FD_SET(p[1], &w);
  struct timeval none = {0, 0};
  result("select", select(p[1] + 1, &r, &w, NULL, &none));
  printf("%d %d\n", FD_ISSET(p[0], &r) != 0, FD_ISSET(p[1], &w) != 0);
  read(p[0], buffer, 1);
  fcntl(p[0], F_SETFL, O_NONBLOCK);
  fcntl(p[1], F_SETFL, O_NONBLOCK);
  result("empty", read(p[0], buffer, 1));
  long total = 0, n;
  memset(buffer, 'z', sizeof buffer);
  while ((n = write(p[1], buffer, 4096)) > 0) total += n;
  result("full", n);
  printf("%ld\n", total);
  while ((n = read(p[0], buffer, sizeof buffer)) > 0) total -= n;
  printf("%ld\n", total);
  result("seek", lseek(p[0], 0, SEEK_SET));
  result("wrong end", read(p[1], buffer, 1));
  struct stat st;
  fstat(p[0], &st);
  printf("%d\n", S_ISFIFO(st.st_mode));
  write(p[1], "last", 4);
  close(p[1]);
  result("drain", read(p[0], buffer, 100));
  result("end of file", read(p[0], buffer, 100));
  pf[0].revents = 0;
  poll(pf, 1, 0);
  printf("%d\n", (pf[0].revents & POLLHUP) != 0);
  close(p[0]);
  pipe2(p, O_CLOEXEC);
  result("cloexec", fcntl(p[0], F_GETFD));
  close(p[0]);
  signal(SIGPIPE, SIG_IGN);
  result("ignored", write(p[1], "x", 1));
  signal(SIGPIPE, on_pipe);
  result("broken", write(p[1], "x", 1));
  printf("%d\n", pipes);
  close(p[1]);
  pf[0].fd = 77;
  poll(pf, 1, 0);
  printf("%d\n", pf[0].revents == POLLNVAL);
  FILE *f = fopen("plain", "w+");
  struct pollfd file = {fileno(f), POLLIN | POLLOUT, 0};
  poll(&file, 1, -1);
  printf("%d\n", file.revents);
  int efd = dup(1);
  result("fdopen", fdopen(efd, "w") ? 0 : -1);
  return 0;
}
