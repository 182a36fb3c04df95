/* What options a socket has, what they are before they are set, what they may be set to, and which levels are there. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fd;
static void get(const char *name, int level, int option) {
  int value = -77; socklen_t length = sizeof value;
  if (getsockopt(fd, level, option, &value, &length) < 0) printf("%s? %s\n", name, strerrorname_np(errno)); else printf("%s? %d\n", name, value);
}
static void set(const char *name, int level, int option, int value, int isTold) {
  int result = setsockopt(fd, level, option, &value, sizeof value);
  printf("%s = %d: %s\n", name, value, result < 0 ? strerrorname_np(errno) : "yes");
  if (isTold) get(name, level, option);
}
#define GET(level, option) get(#option, level, option)
#define SET(level, option, value) set(#option, level, option, value, 1)
#define TRY(level, option, value) set(#option, level, option, value, 0)
#define S(option, value) SET(SOL_SOCKET, option, value)

static void common(void) {
  GET(SOL_SOCKET, SO_KEEPALIVE); S(SO_KEEPALIVE, 7); S(SO_REUSEADDR, -1); S(SO_BROADCAST, 2); S(SO_OOBINLINE, 9); S(SO_DONTROUTE, 0); S(SO_TIMESTAMP, 3);
  GET(SOL_SOCKET, SO_PRIORITY); S(SO_PRIORITY, 3); GET(SOL_SOCKET, SO_RCVLOWAT); S(SO_RCVLOWAT, 4); S(SO_RCVLOWAT, 0); S(SO_SNDLOWAT, 4);
  S(SO_RCVBUF, 5000); S(SO_RCVBUF, 1); S(SO_SNDBUF, 1); S(SO_SNDBUF, 6000); S(SO_TYPE, 1); TRY(SOL_SOCKET, SO_ERROR, 1); S(9999, 1);
}
static void internet(void) {
  GET(IPPROTO_IP, IP_TTL); SET(IPPROTO_IP, IP_TTL, 9); SET(IPPROTO_IP, IP_TTL, 300); SET(IPPROTO_IP, IP_TTL, 0); SET(IPPROTO_IP, IP_TTL, -1); SET(IPPROTO_IP, IP_TOS, 16);
  SET(IPPROTO_IP, IP_PKTINFO, 5); SET(7777, 1, 1); SET(IPPROTO_IPV6, IPV6_UNICAST_HOPS, 5);
}
int main(void) {
  fd = socket(AF_INET, SOCK_STREAM, 0); puts("stream"); common(); internet();
  SET(IPPROTO_TCP, TCP_NODELAY, 5); SET(IPPROTO_TCP, TCP_CORK, 2); GET(IPPROTO_TCP, TCP_KEEPIDLE); SET(IPPROTO_TCP, TCP_KEEPIDLE, 30); SET(IPPROTO_TCP, TCP_KEEPIDLE, 0); SET(IPPROTO_TCP, TCP_KEEPIDLE, 40000);
  GET(IPPROTO_TCP, TCP_KEEPINTVL); SET(IPPROTO_TCP, TCP_KEEPINTVL, 11); GET(IPPROTO_TCP, TCP_KEEPCNT); SET(IPPROTO_TCP, TCP_KEEPCNT, 200); SET(IPPROTO_TCP, TCP_KEEPCNT, 3); GET(IPPROTO_TCP, TCP_SYNCNT);
  SET(IPPROTO_TCP, TCP_USER_TIMEOUT, 500); SET(IPPROTO_TCP, TCP_USER_TIMEOUT, -1); GET(IPPROTO_TCP, TCP_MAXSEG); SET(IPPROTO_TCP, 9999, 1); SET(IPPROTO_UDP, 1, 1); close(fd);
  fd = socket(AF_INET, SOCK_DGRAM, 0); puts("datagram"); internet(); SET(IPPROTO_TCP, TCP_NODELAY, 1);
  GET(IPPROTO_IP, IP_MULTICAST_TTL); SET(IPPROTO_IP, IP_MULTICAST_TTL, 4); SET(IPPROTO_IP, IP_MULTICAST_TTL, 256); GET(IPPROTO_IP, IP_MULTICAST_LOOP); SET(IPPROTO_IP, IP_MULTICAST_LOOP, 0);
  unsigned char byte = 7; printf("one byte: %d\n", setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &byte, 1)); GET(IPPROTO_IP, IP_MULTICAST_TTL);
  printf("no byte: %d, two of SOL_SOCKET: %d\n", setsockopt(fd, IPPROTO_TCP, 1, &byte, 0), setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &byte, 1)); close(fd);
  fd = socket(AF_UNIX, SOCK_STREAM, 0); puts("unix"); common(); SET(IPPROTO_TCP, TCP_NODELAY, 1); SET(IPPROTO_IP, IP_TTL, 1); close(fd);
  int kind; socklen_t length = sizeof kind; fd = socket(AF_UNIX, SOCK_RAW, 0); getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &length); printf("raw: %d\n", kind == SOCK_DGRAM); close(fd);
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }; char bytes[8];
  int listener = socket(AF_INET, SOCK_STREAM, 0); bind(listener, (void *) &at, sizeof at); listen(listener, 1); length = sizeof at; getsockname(listener, (void *) &at, &length);
  fd = socket(AF_INET, SOCK_STREAM, 0); printf("urgent, unconnected: %d", (int) recv(fd, bytes, 8, MSG_OOB)); printf(" %s\n", strerrorname_np(errno));
  connect(fd, (void *) &at, sizeof at); printf("urgent: %d", (int) recv(fd, bytes, 8, MSG_OOB)); printf(" %s\n", strerrorname_np(errno));
  return 0;
}
