/* Urgent data of streams (MSG_OOB, SIOCATMARK, SO_OOBINLINE, SIGURG), what a connection inherits of its listener's options, flags of what nobody opened by a name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#ifndef TCP_INQ
#define TCP_INQ 36
#endif
#ifndef SIOCATMARK
#define SIOCATMARK 0x8905
#endif

static volatile int urgent;
static void count(int signal) { (void)signal; urgent++; }

static int listener(struct sockaddr_in *address) {
  socklen_t length = sizeof *address;
  int server = socket(AF_INET, SOCK_STREAM, 0);
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(server, (void *)address, length);
  listen(server, 1);
  getsockname(server, (void *)address, &length);
  return server;
}

static void connection(int ends[2]) {
  struct sockaddr_in address;
  int server = listener(&address);
  ends[0] = socket(AF_INET, SOCK_STREAM, 0);
  connect(ends[0], (void *)&address, sizeof address);
  ends[1] = accept(server, 0, 0);
  close(server);
}

static void put(int end, const char *text, int flags) {
  send(end, text, strlen(text), flags);
}

/* What comes within a second: on the loopback of Linux bytes arrive with the call that sent them, or soon. */
static void await(int end, int events) {
  struct pollfd one = { end, events, 0 };
  int ready = poll(&one, 1, 1000);
  printf("%d %x ", ready, one.revents & events);
}

static void get(int end, int flags) {
  char bytes[100];
  int at = -1, count;
  ioctl(end, SIOCATMARK, &at);
  errno = 0;
  count = recv(end, bytes, sizeof bytes, flags | MSG_DONTWAIT);
  printf("mark %d: %d %d %.*s\n", at, count, count < 0 ? errno : 0, count < 0 ? 0 : count, bytes);
}

static void stream(int a, int b, int isInternet) {
  int on = 1, waiting = -1;
  get(b, MSG_OOB);
  put(a, "abc", 0), put(a, "X", MSG_OOB), put(a, "def", 0);
  await(b, POLLIN | POLLPRI);
  get(b, MSG_OOB | MSG_PEEK);
  get(b, MSG_OOB);
  get(b, MSG_OOB);
  get(b, MSG_PEEK);
  get(b, 0), get(b, 0), get(b, 0), get(b, MSG_OOB);
  put(a, "12", MSG_OOB), put(a, "34", MSG_OOB); /* The 2 is an ordinary byte again. */
  await(b, POLLPRI);
  get(b, 0), get(b, 0), get(b, MSG_OOB);
  put(a, "gh", MSG_OOB), put(a, "i", 0); /* Nobody fetches the h. */
  await(b, POLLPRI);
  get(b, 0), get(b, 0), get(b, MSG_OOB);
  setsockopt(b, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
  put(a, "uv", 0), put(a, "W", MSG_OOB), put(a, "xy", 0);
  await(b, POLLPRI);
  if (isInternet) ioctl(b, FIONREAD, &waiting); /* Of AF_UNIX Linux counts what was passed over. */
  printf("%d bytes\n", waiting);
  get(b, MSG_OOB), get(b, MSG_PEEK), get(b, 0), get(b, 0), get(b, 0);
  put(a, "z", MSG_OOB), close(a);
  await(b, POLLPRI);
  get(b, 0), get(b, 0);
  close(b);
}

static void others(void) {
  int pair[2], tcp, udp = socket(AF_INET, SOCK_DGRAM, 0), at = -1;
  struct sockaddr_in address;
  char byte = 'x';
  socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
  printf("datagram %zd", send(pair[0], &byte, 1, MSG_OOB)), printf(" %d", errno), printf(" %zd", recv(pair[1], &byte, 1, MSG_OOB | MSG_DONTWAIT)), printf(" %d\n", errno);
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
  printf("packet %zd", send(pair[0], &byte, 1, MSG_OOB)), printf(" %d", errno), printf(" %zd", recv(pair[1], &byte, 1, MSG_OOB | MSG_DONTWAIT)), printf(" %d\n", errno);
  tcp = listener(&address);
  printf("listener %zd", recv(tcp, &byte, 1, MSG_OOB)), printf(" %d\n", errno);
  printf("udp %zd", sendto(udp, &byte, 1, MSG_OOB, (void *)&address, sizeof address)), printf(" %d", errno), printf(" %d", ioctl(udp, SIOCATMARK, &at)), printf(" %d\n", errno);
}

static void owner(void) {
  int ends[2], group = -getpgrp(), told = 0;
  struct f_owner_ex owner = { 9, 9 };
  connection(ends);
  signal(SIGURG, count);
  put(ends[0], "a", MSG_OOB);
  printf("own %d", fcntl(ends[1], F_GETOWN)), printf(" %d", fcntl(ends[1], F_SETOWN, getpid())), printf(" %d\n", fcntl(ends[1], F_GETOWN) == getpid());
  put(ends[0], "b", MSG_OOB);
  await(ends[1], POLLPRI);
  printf("urgent %d", urgent), printf(" group %d", ioctl(ends[1], 0x8902, &group)), ioctl(ends[1], 0x8904, &told);
  printf(" %d", told == group), printf(" %d", fcntl(ends[1], F_GETOWN_EX, &owner)), printf(" %d %d\n", owner.type, owner.pid == -group);
  put(ends[0], "c", MSG_OOB);
  await(ends[1], POLLPRI);
  printf("urgent %d\n", urgent);
}

static const struct { int level, name, value; const char *text; } options[] = {
  { SOL_SOCKET, SO_KEEPALIVE, 1, "keepalive" }, { SOL_SOCKET, SO_OOBINLINE, 1, "oobinline" }, { SOL_SOCKET, SO_REUSEADDR, 1, "reuseaddr" }, { SOL_SOCKET, SO_RCVBUF, 5000, "rcvbuf" },
  { SOL_SOCKET, SO_PRIORITY, 3, "priority" }, { SOL_SOCKET, SO_RCVLOWAT, 4, "rcvlowat" }, { IPPROTO_TCP, TCP_NODELAY, 1, "nodelay" }, { IPPROTO_TCP, TCP_KEEPIDLE, 77, "keepidle" },
  { IPPROTO_TCP, TCP_USER_TIMEOUT, 9, "user timeout" }, { IPPROTO_TCP, TCP_INQ, 1, "inq" }, { IPPROTO_IP, IP_TOS, 16, "tos" }, { IPPROTO_IP, IP_FREEBIND, 1, "freebind" },
};

static void inherited(void) {
  struct sockaddr_in address = { .sin_family = AF_INET };
  struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0urgent" };
  struct linger linger = { 1, 5 };
  socklen_t length = sizeof address;
  int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), on = 1, end, value;
  char control[100];
  struct iovec vector = { control, 2 };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (unsigned i = 0; i < sizeof options / sizeof *options; i++) setsockopt(server, options[i].level, options[i].name, &options[i].value, sizeof(int));
  setsockopt(server, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  fcntl(server, F_SETOWN, getpid());
  bind(server, (void *)&address, length), listen(server, 1), getsockname(server, (void *)&address, &length);
  connect(client, (void *)&address, length);
  end = accept(server, 0, 0);
  for (unsigned i = 0; i < sizeof options / sizeof *options; i++) {
    length = sizeof value, value = -1, getsockopt(end, options[i].level, options[i].name, &value, &length);
    printf("%s %d, ", options[i].text, value);
  }
  length = sizeof linger, memset(&linger, 0, sizeof linger), getsockopt(end, SOL_SOCKET, SO_LINGER, &linger, &length);
  printf("linger %d %d, owner %d\n", linger.l_onoff, linger.l_linger, fcntl(end, F_GETOWN));
  put(client, "abcdef", 0);
  await(end, POLLIN);
  printf("%zd", recvmsg(end, &message, 0));
  for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) printf(" %d %d: %d", part->cmsg_level, part->cmsg_type, *(int *)CMSG_DATA(part));
  server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  setsockopt(server, SOL_SOCKET, SO_PASSCRED, &on, sizeof on), setsockopt(server, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
  bind(server, (void *)&name, sizeof(sa_family_t) + 7), listen(server, 1), connect(client, (void *)&name, sizeof(sa_family_t) + 7);
  end = accept(server, 0, 0);
  length = sizeof value, getsockopt(end, SOL_SOCKET, SO_PASSCRED, &value, &length), printf("\nunix %d", value);
  length = sizeof value, getsockopt(end, SOL_SOCKET, SO_OOBINLINE, &value, &length), printf(" %d\n", value);
  address.sin_addr.s_addr = htonl(0xc0000201), address.sin_port = 0;
  server = socket(AF_INET, SOCK_STREAM, 0);
  errno = 0, printf("free %d", bind(server, (void *)&address, sizeof address)), printf(" %d", errno);
  setsockopt(server, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
  printf(" %d\n", bind(server, (void *)&address, sizeof address));
}

/* Flags without O_LARGEFILE (0x8000), of which a 64-bit libc knows nothing: files that have a name show it. */
static void flags(void) {
  int pair[2];
  pipe2(pair, O_NONBLOCK);
  printf("%x %x %x %x\n", fcntl(pair[1], F_GETFL), fcntl(socket(AF_UNIX, SOCK_STREAM, 0), F_GETFL), fcntl(eventfd(0, 0), F_GETFL), fcntl(epoll_create1(0), F_GETFL));
}

int main(void) {
  int ends[2];
  setvbuf(stdout, 0, _IOLBF, 0);
  connection(ends), printf("tcp\n"), stream(ends[0], ends[1], 1);
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends), printf("unix\n"), stream(ends[0], ends[1], 0);
  others();
  owner();
  inherited();
  flags();
  return 0;
}
