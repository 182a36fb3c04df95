/* Errors that sockets hear of later: datagrams to a port that nobody has, a connection that is reset by SO_LINGER; flags of received messages. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *word(long result) {
  static char text[16][40]; static int turn;
  char *out = text[turn++ & 15];
  if (result >= 0) snprintf(out, 40, "%ld", result); else snprintf(out, 40, "%s", strerrorname_np(errno));
  return out;
}
static struct sockaddr_in unused(void) {
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } }; socklen_t length = sizeof at;
  int fd = socket(AF_INET, SOCK_DGRAM, 0); bind(fd, (void *) &at, sizeof at); getsockname(fd, (void *) &at, &length); close(fd);
  return at;
}
static void datagrams(void) {
  struct sockaddr_in at = unused(); char bytes[8];
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  printf("to nobody: %s, again %s\n", word(sendto(fd, "a", 1, 0, (void *) &at, sizeof at)), word(sendto(fd, "a", 1, 0, (void *) &at, sizeof at)));
  connect(fd, (void *) &at, sizeof at);
  printf("connected: %s\n", word(send(fd, "a", 1, 0)));
  struct pollfd p = { fd, POLLIN, 0 }; int n = poll(&p, 1, -1); printf("poll: %d %s%s\n", n, p.revents & POLLERR ? "ERR " : "", p.revents & POLLIN ? "IN" : "");
  printf("read: %s\n", word(recv(fd, bytes, 8, 0)));
  printf("then: %s\n", word(recv(fd, bytes, 8, MSG_DONTWAIT)));
  printf("send: %s", word(send(fd, "b", 1, 0))); printf(", send: %s", word(send(fd, "c", 1, 0))); printf(", send: %s\n", word(send(fd, "d", 1, 0)));
  int error = 0; socklen_t length = sizeof error; getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length); printf("SO_ERROR: %s", error ? strerrorname_np(error) : "none");
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length); printf(", then %s\n", error ? strerrorname_np(error) : "none");
  int other = socket(AF_INET, SOCK_DGRAM, 0); bind(other, (void *) &at, sizeof at);
  printf("somebody: %s", word(send(fd, "e", 1, 0))); printf(" %s\n", word(recv(other, bytes, 8, 0)));
  close(other); printf("gone: %s", word(send(fd, "f", 1, 0))); printf(" %s\n", word(recv(fd, bytes, 8, 0)));
  close(fd);
}
static void lingers(void) {
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } }; socklen_t length = sizeof at;
  int listener = socket(AF_INET, SOCK_STREAM, 0); bind(listener, (void *) &at, sizeof at); getsockname(listener, (void *) &at, &length); listen(listener, 4);
  struct linger how[] = { { 0, 0 }, { 1, 30 }, { 1, 0 }, { 0, 5 } };
  for (int i = 0; i < 4; i++) {
    int a = socket(AF_INET, SOCK_STREAM, 0); connect(a, (void *) &at, sizeof at); int b = accept(listener, 0, 0);
    struct linger got; socklen_t size = sizeof got; char bytes[8];
    setsockopt(b, SOL_SOCKET, SO_LINGER, &how[i], sizeof how[i]); getsockopt(b, SOL_SOCKET, SO_LINGER, &got, &size);
    write(b, "last", 4); printf("linger %d %d %d:", got.l_onoff != 0, got.l_onoff ? got.l_linger : 0, (int) size); close(b);
    struct pollfd over = { a, POLLRDHUP, 0 }; poll(&over, 1, -1); if (i != 2) printf(" %s", word(read(a, bytes, 8)));
    printf(" %s", word(read(a, bytes, 8))); if (i == 2) printf(" %s", word(read(a, bytes, 8))); printf("\n"); close(a);
  }
  printf("short: %s\n", word(setsockopt(listener, SOL_SOCKET, SO_LINGER, &how[1], 4)));
  close(listener);
}
static void flags(void) {
  int pair[2]; socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
  for (int i = 0; i < 2; i++) {
    char bytes[4]; struct iovec part = { bytes, 4 }; char room[64]; struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
    write(pair[0], "longer", i ? 6 : 2); ssize_t n = recvmsg(pair[1], &m, i ? MSG_CMSG_CLOEXEC : 0); printf("recvmsg: %zd, flags %x\n", n, m.msg_flags);
  }
}
int main(void) { setvbuf(stdout, 0, _IONBF, 0); datagrams(); lingers(); flags(); return 0; }
