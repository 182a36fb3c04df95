/* Connections that nobody waited for: what the next connect says. And connections of which both directions have ended.
 * oracle: host */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOON = 20000 }; /* Microseconds: the host's packets take a moment. */
static const char *word(long result) { return result >= 0 ? "ok" : strerrorname_np(errno); }
static struct sockaddr_in here = {.sin_family = AF_INET};
static int make(int flags) { return socket(AF_INET, SOCK_STREAM | flags, 0); }
static long join(int s) { return connect(s, (struct sockaddr *)&here, sizeof here); }
static int events(int fd) { struct pollfd one = {fd, POLLIN | POLLOUT | POLLRDHUP, 0}; poll(&one, 1, 1000); return one.revents; }
static int pending(int fd) { int error; socklen_t size = sizeof error; getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size); return error; }
static long name(int fd) { struct sockaddr_in other; socklen_t size = sizeof other; return getpeername(fd, (struct sockaddr *)&other, &size); }
static void pair(int listener, int ends[2]) { ends[0] = make(0); join(ends[0]); ends[1] = accept(listener, 0, 0); }

int main(void) {
  char text[16]; int ends[2], listener = make(0); socklen_t size = sizeof here; struct sockaddr nobody = {.sa_family = AF_UNSPEC};
  setvbuf(stdout, 0, _IOLBF, 0); signal(SIGPIPE, SIG_IGN); here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(listener, (struct sockaddr *)&here, sizeof here); listen(listener, 5); getsockname(listener, (struct sockaddr *)&here, &size);

  int s = make(SOCK_NONBLOCK); printf("first %s", word(join(s))); printf(" events %x", events(s)); printf(" error %d", pending(s)); printf(" second %s", word(join(s))); printf(" third %s\n", word(join(s)));
  close(accept(listener, 0, 0)); printf("left %s", word(connect(s, &nobody, sizeof nobody))); close(s); printf("\n");

  pair(listener, ends); shutdown(ends[0], SHUT_WR); usleep(SOON); printf("half: name %s", word(name(ends[1]))); printf(" read %zd", read(ends[1], text, 1)); shutdown(ends[1], SHUT_RDWR); usleep(SOON);
  for (int i = 0; i < 2; i++) { printf(" end %d: name %s", i, word(name(ends[i]))); printf(" shut %s", word(shutdown(ends[i], SHUT_RDWR))); printf(" write %s", word(write(ends[i], "x", 1))); printf(" read %zd", read(ends[i], text, 1)); printf(" events %x", events(ends[i])); }
  printf("\n"); close(ends[0]); close(ends[1]);

  pair(listener, ends); shutdown(ends[0], SHUT_WR); usleep(SOON); write(ends[1], "unread", 6); usleep(SOON); close(ends[0]); usleep(SOON);
  printf("unread: events %x", events(ends[1])); printf(" write %s", word(write(ends[1], "x", 1))); printf(" write %s", word(write(ends[1], "x", 1))); printf(" read %zd", read(ends[1], text, 1)); printf(" name %s\n", word(name(ends[1]))); close(ends[1]);
  pair(listener, ends); write(ends[1], "unread", 6); usleep(SOON); close(ends[0]); usleep(SOON); printf("reset: events %x", events(ends[1])); printf(" write %s", word(write(ends[1], "x", 1))); printf(" read %zd", read(ends[1], text, 1)); printf(" name %s\n", word(name(ends[1]))); close(ends[1]);

  close(listener); s = make(SOCK_NONBLOCK); printf("refused: first %s", word(join(s))); printf(" events %x", events(s)); printf(" second %s", word(join(s))); printf(" third %s", word(join(s))); printf(" events %x", events(s)); printf(" error %d", pending(s)); printf(" fourth %s", word(join(s))); printf(" error %d\n", pending(s));
  int d = socket(AF_INET, SOCK_DGRAM, 0); here.sin_port = 0; printf("to no port %s\n", word(sendto(d, "x", 1, 0, (struct sockaddr *)&here, sizeof here)));
  return 0;
}
