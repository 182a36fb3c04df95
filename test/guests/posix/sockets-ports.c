/* Who may be bound to one port, who may listen there, and who of several is reached.
 * oracle: host */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *word(int result) { return result >= 0 ? "done" : strerrorname_np(errno); }
static struct sockaddr_in place(const char *host, int port) { struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) }; inet_pton(AF_INET, host, &at.sin_addr); return at; }
static int make(int type, int option) {
  int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0), on = 1;
  if (option) setsockopt(fd, SOL_SOCKET, option, &on, sizeof on);
  return fd;
}
static int bindAt(int fd, const char *host, int port) { struct sockaddr_in at = place(host, port); return bind(fd, (void *) &at, sizeof at); }
static int portOf(int fd) { struct sockaddr_in at; socklen_t length = sizeof at; getsockname(fd, (void *) &at, &length); return ntohs(at.sin_port); }
static int connectTo(int fd, int port) { struct sockaddr_in at = place("127.0.0.1", port); return connect(fd, (void *) &at, sizeof at); }
static void say(int fd, int port, const char *what) { struct sockaddr_in at = place("127.0.0.1", port); sendto(fd, what, strlen(what), 0, (void *) &at, sizeof at); }
static const char *heard(int fd) {
  static char text[4][64]; static int turn;
  char *out = text[turn++ & 3], piece[16]; ssize_t length; out[0] = 0;
  while ((length = recv(fd, piece, sizeof piece - 1, 0)) > 0) { piece[length] = 0; strcat(out, piece); }
  return out[0] ? out : "nothing";
}
static int accepted(int listener) { int count = 0, fd; while ((fd = accept(listener, 0, 0)) >= 0) { close(fd); count++; } return count; }

static void binds(const char *name, int type, int first, int second) {
  int a = make(type, first), b = make(type, second), c = make(type, second);
  bindAt(a, "127.0.0.1", 0);
  int port = portOf(a);
  printf("%s: %s", name, word(bindAt(b, "127.0.0.1", port)));
  if (type == SOCK_STREAM) { printf(", listen %s", word(listen(a, 5))); printf(" %s", word(listen(b, 5))); printf(", a third %s", word(bindAt(c, "0.0.0.0", port))); printf(" %s", word(listen(c, 5))); }
  close(a); close(c);
  c = make(type, second); printf(", when it is gone %s\n", word(bindAt(c, "127.0.0.1", port)));
  close(b); close(c);
}

static void streams(void) {
  int a = make(SOCK_STREAM, SO_REUSEPORT), b = make(SOCK_STREAM, SO_REUSEPORT), ends[24];
  bindAt(a, "127.0.0.1", 0); bindAt(b, "127.0.0.1", portOf(a)); listen(a, 32); listen(b, 32);
  for (int i = 0; i < 24; i++) { ends[i] = make(SOCK_STREAM, 0); connectTo(ends[i], portOf(a)); }
  int first = accepted(a), second = accepted(b);
  printf("two listen: %d come, both have some: %d\n", first + second, first > 0 && second > 0);
  for (int i = 0; i < 24; i++) close(ends[i]);
  close(a);
  int late = socket(AF_INET, SOCK_STREAM, 0); printf("one has gone: %s", word(connectTo(late, portOf(b)))); printf(", %d\n", accepted(b));
  close(b); close(late);
}

static void datagrams(void) {
  int a = make(SOCK_DGRAM, SO_REUSEADDR), b = make(SOCK_DGRAM, SO_REUSEADDR), any = make(SOCK_DGRAM, SO_REUSEADDR), one = make(SOCK_DGRAM, 0), two = make(SOCK_DGRAM, 0);
  bindAt(one, "127.0.0.1", 0); bindAt(two, "127.0.0.1", 0);
  bindAt(any, "0.0.0.0", 0);
  int port = portOf(any);
  say(one, port, "1"); printf("any alone: %s\n", heard(any));
  bindAt(a, "127.0.0.1", port); say(one, port, "2"); printf("the address itself: %s, any: %s\n", heard(a), heard(any));
  bindAt(b, "127.0.0.1", port); say(one, port, "3"); printf("the last: %s, the one before: %s\n", heard(b), heard(a));
  connectTo(b, portOf(two)); say(one, port, "4"); say(two, port, "5"); printf("connected to two: %s, not: %s\n", heard(b), heard(a));
  close(a); close(any); close(b); close(one); close(two);
  int group[3], sent = 0, got = 0; char byte;
  for (int i = 0; i < 3; i++) { group[i] = make(SOCK_DGRAM, SO_REUSEPORT); bindAt(group[i], "127.0.0.1", i ? portOf(group[0]) : 0); }
  for (int i = 0; i < 30; i++) { int fd = make(SOCK_DGRAM, 0); say(fd, portOf(group[0]), "x"); sent++; say(fd, portOf(group[0]), "y"); sent++; close(fd); }
  for (int i = 0; i < 3; i++) while (recv(group[i], &byte, 1, 0) == 1) got++;
  printf("a group: %d of %d\n", got, sent);
}

/* :: has the addresses of IPv4 too, unless somebody is bound to them. */
static void families(int type) {
  int on = 1, off = 0, a = socket(AF_INET6, type | SOCK_NONBLOCK, 0), b = make(type, SO_REUSEPORT), from = make(type, 0), late = make(type, 0);
  setsockopt(a, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on); setsockopt(a, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  struct sockaddr_in6 at = { .sin6_family = AF_INET6 }; bind(a, (void *) &at, sizeof at);
  int port = portOf(a); bindAt(b, "0.0.0.0", port);
  if (type == SOCK_DGRAM) { say(from, port, "1"); close(b); say(from, port, "2"); printf("of its own family, then of the other: %s\n", heard(a)); }
  else { listen(a, 5); listen(b, 5); connectTo(from, port); int own = accepted(b); close(b); connectTo(late, port); printf("of its own family: %d, then of the other: %d\n", own, accepted(a)); }
  close(a); close(from); close(late);
}

int main(void) {
  binds("stream, neither", SOCK_STREAM, 0, 0); binds("stream, one reuses the address", SOCK_STREAM, 0, SO_REUSEADDR); binds("stream, both", SOCK_STREAM, SO_REUSEADDR, SO_REUSEADDR);
  binds("stream, one reuses the port", SOCK_STREAM, SO_REUSEPORT, 0); binds("stream, both the port", SOCK_STREAM, SO_REUSEPORT, SO_REUSEPORT); binds("stream, one each", SOCK_STREAM, SO_REUSEPORT, SO_REUSEADDR);
  binds("datagram, neither", SOCK_DGRAM, 0, 0); binds("datagram, one", SOCK_DGRAM, SO_REUSEADDR, 0); binds("datagram, both", SOCK_DGRAM, SO_REUSEADDR, SO_REUSEADDR); binds("datagram, both the port", SOCK_DGRAM, SO_REUSEPORT, SO_REUSEPORT);
  streams(); datagrams(); families(SOCK_DGRAM); families(SOCK_STREAM);
  return 0;
}
