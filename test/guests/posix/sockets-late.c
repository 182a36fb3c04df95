/* Sending on a connection of which the other end has gone: what Linux takes, what it refuses, and what is heard of it; addresses beside what is sent on a connection. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int pipes;
static void onPipe(int signal) { (void) signal; pipes++; }
static const char *word(long result) {
  static char text[16][40]; static int turn;
  char *out = text[turn++ & 15];
  if (result >= 0) snprintf(out, 40, "%ld", result); else snprintf(out, 40, "%s", strerrorname_np(errno));
  return out;
}
static const char *pendingError(int fd) {
  int error = 0; socklen_t length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  return error ? strerrorname_np(error) : "none";
}
static void events(int fd) {
  struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };
  poll(&p, 1, 1000);
  printf(" [%s%s%s%s%s]", p.revents & POLLIN ? "IN " : "", p.revents & POLLOUT ? "OUT " : "", p.revents & POLLERR ? "ERR " : "", p.revents & POLLHUP ? "HUP " : "", p.revents & POLLRDHUP ? "RDHUP" : "");
}
/* Waits for what the other end did to be seen: its end (POLLRDHUP), or the reset that answers what was sent to nobody (POLLERR, POLLHUP). */
static void settle(int fd, int what) { struct pollfd p = { fd, what, 0 }; poll(&p, 1, -1); }
static struct sockaddr_in at = { .sin_family = AF_INET };
static int listener;
static void connectPair(int ends[2]) {
  ends[0] = socket(AF_INET, SOCK_STREAM, 0);
  connect(ends[0], (void *) &at, sizeof at);
  ends[1] = accept(listener, 0, 0);
}
/* `unread`: the other end leaves something unread, which resets the connection at once. */
static void late(int unread, int asksFirst) {
  int e[2]; char bytes[8]; connectPair(e); pipes = 0;
  write(e[1], "bye", 3);
  if (unread) write(e[0], "unread", 6);
  if (unread) settle(e[1], POLLIN);
  settle(e[0], POLLIN); close(e[1]); settle(e[0], POLLRDHUP);
  printf("%s%s:", unread ? "reset" : "closed", asksFirst ? ", asked" : ""); events(e[0]);
  if (asksFirst) printf(" error %s", pendingError(e[0]));
  printf(" send %s", word(send(e[0], "a", 1, 0))); settle(e[0], 0); events(e[0]);
  printf(" send %s", word(send(e[0], "b", 1, MSG_NOSIGNAL)));
  printf(" send %s", word(send(e[0], "c", 1, 0)));
  printf(" read %s", word(recv(e[0], bytes, 8, 0))); printf(" read %s", word(recv(e[0], bytes, 8, 0)));
  printf(" error %s, signals %d\n", pendingError(e[0]), pipes); close(e[0]);
}
static void readFirst(void) {
  int e[2]; char bytes[8]; connectPair(e); pipes = 0;
  write(e[1], "bye", 3); close(e[1]); settle(e[0], POLLRDHUP);
  printf("read first: %s", word(recv(e[0], bytes, 8, 0))); printf(" %s", word(recv(e[0], bytes, 8, 0)));
  printf(" send %s", word(send(e[0], "a", 1, 0))); settle(e[0], 0);
  printf(" read %s", word(recv(e[0], bytes, 8, 0))); printf(" read %s", word(recv(e[0], bytes, 8, 0)));
  printf(" send %s", word(send(e[0], "b", 1, 0))); printf(" error %s, signals %d\n", pendingError(e[0]), pipes); close(e[0]);
}
static void half(void) {
  int e[2]; char bytes[8]; connectPair(e); pipes = 0;
  shutdown(e[1], SHUT_WR); settle(e[0], POLLRDHUP); printf("half:"); events(e[0]);
  printf(" send %s", word(send(e[0], "a", 1, 0))); printf(" read %s", word(recv(e[1], bytes, 8, 0)));
  shutdown(e[0], SHUT_WR); printf(" send %s,", word(send(e[0], "b", 1, 0))); printf(" signals %d\n", pipes); close(e[0]); close(e[1]);
}
static void addresses(void) {
  int fresh = socket(AF_INET, SOCK_STREAM, 0); printf("unconnected: %s, %s\n", word(sendto(fresh, "a", 1, MSG_NOSIGNAL, (void *) &at, sizeof at)), word(send(fresh, "a", 1, MSG_NOSIGNAL))); close(fresh);
  int e[2]; char bytes[8]; connectPair(e);
  struct sockaddr_in other = at; other.sin_port = htons(1);
  printf("address: tcp %s", word(sendto(e[0], "a", 1, 0, (void *) &other, sizeof other))); printf(" %s", word(recv(e[1], bytes, 8, 0)));
  close(e[0]); close(e[1]);
  struct sockaddr_un name = { AF_UNIX, "nobody" };
  socketpair(AF_UNIX, SOCK_STREAM, 0, e); printf(", unix %s", word(sendto(e[0], "a", 1, 0, (void *) &name, sizeof name))); close(e[0]); close(e[1]);
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, e); printf(", packets %s", word(sendto(e[0], "a", 1, 0, (void *) &name, sizeof name))); printf(" %s\n", word(recv(e[1], bytes, 8, 0)));
  close(e[1]); printf("packets, closed: %s\n", word(send(e[0], "a", 1, MSG_NOSIGNAL))); close(e[0]);
}
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0); signal(SIGPIPE, onPipe);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK); socklen_t length = sizeof at;
  listener = socket(AF_INET, SOCK_STREAM, 0); bind(listener, (void *) &at, sizeof at); getsockname(listener, (void *) &at, &length); listen(listener, 4);
  late(0, 0); late(0, 1); late(1, 0); late(1, 1); readFirst(); half(); addresses();
  return 0;
}
