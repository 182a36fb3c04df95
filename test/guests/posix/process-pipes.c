/* Pipes between processes: pipelines, ends, SIGPIPE, large transfers, readiness. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>
static int fails(long result, int error) { return result == -1 && errno == error; }
#define BIG (300 * 1024)
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  int up[2], down[2], status;
  pipe(up); pipe(down);
  if (fork() == 0) {
    close(up[1]); close(down[0]);
    char c; while (read(up[0], &c, 1) == 1) { if (c >= 'a' && c <= 'z') c -= 32; write(down[1], &c, 1); }
    _exit(4);
  }
  close(up[0]); close(down[1]);
  write(up[1], "hello pipes", 11); close(up[1]);
  char text[64] = {0}; size_t got = 0; ssize_t n;
  while ((n = read(down[0], text + got, 63 - got)) > 0) got += n;
  wait(&status); printf("%s %d\n", text, WEXITSTATUS(status)); close(down[0]);
  /* More than a pipe holds, through two filters. */
  int a[2], b[2]; pipe(a);
  if (fork() == 0) {
    close(a[0]); unsigned char *bytes = malloc(BIG); for (int i = 0; i < BIG; i++) bytes[i] = i * 7 + (i >> 8);
    for (int done = 0; done < BIG;) { ssize_t w = write(a[1], bytes + done, BIG - done < 50000 ? BIG - done : 50000); if (w < 0) _exit(1); done += w; }
    _exit(0);
  }
  close(a[1]); pipe(b);
  if (fork() == 0) { close(b[0]); char page[4096]; while ((n = read(a[0], page, sizeof page)) > 0) { for (int i = 0; i < n; i++) page[i] ^= 0x55; for (ssize_t w = 0; w < n;) w += write(b[1], page + w, n - w); } _exit(0); }
  close(a[0]); close(b[1]);
  unsigned sum = 0; size_t total = 0; unsigned char page[1000];
  while ((n = read(b[0], page, sizeof page)) > 0) { for (int i = 0; i < n; i++) sum = sum * 31 + page[i]; total += n; }
  printf("total %zu sum %08x\n", total, sum);
  while (wait(&status) > 0) printf("filter %d\n", WEXITSTATUS(status));
  close(b[0]);
  /* Nobody reads any more. */
  pipe(a);
  pid_t writer = fork();
  if (writer == 0) { close(a[0]); for (;;) write(a[1], text, sizeof text); }
  close(a[1]); read(a[0], text, 64); close(a[0]);
  waitpid(writer, &status, 0); printf("writer signal %d\n", WTERMSIG(status));
  signal(SIGPIPE, SIG_IGN);
  pipe(a); close(a[0]); printf("epipe %d\n", fails(write(a[1], "x", 1), EPIPE)); close(a[1]);
  /* Waiting for one of two. */
  int go[2]; pipe(a); pipe(b); pipe(go);
  if (fork() == 0) { char c; usleep(1000); write(b[1], "b", 1); read(go[0], &c, 1); write(a[1], "a", 1); _exit(0); }
  struct pollfd polls[2] = {{a[0], POLLIN, 0}, {b[0], POLLIN, 0}};
  printf("poll %d", poll(polls, 2, -1)); printf(" %d %d\n", polls[0].revents, polls[1].revents); read(b[0], text, 1);
  write(go[1], "g", 1);
  fd_set set; FD_ZERO(&set); FD_SET(a[0], &set); FD_SET(b[0], &set);
  printf("select %d", select(64, &set, 0, 0, 0)); printf(" %d %d\n", !!FD_ISSET(a[0], &set), !!FD_ISSET(b[0], &set)); read(a[0], text, 1);
  wait(0);
  printf("time-out %d\n", poll(polls, 2, 5));
  /* A child keeps the end open: no end of file before it has gone. */
  close(b[0]); close(b[1]);
  if (fork() == 0) { close(a[0]); usleep(2000); write(a[1], "late", 4); _exit(0); }
  close(a[1]); memset(text, 0, 8); printf("read %zd", read(a[0], text, 64)); printf(" %s end %zd\n", text, read(a[0], text + 8, 1));
  wait(0);
  return 0;
}
