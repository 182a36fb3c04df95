/* AF_INET on the loopback: TCP, UDP, ports, errors. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
static int fails(long result, int error) { return result == -1 && errno == error; }
static unsigned char big[200000];
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0); signal(SIGPIPE, SIG_IGN);
  int status, one = 1; char text[64] = {0}; ssize_t n;
  int server = socket(AF_INET, SOCK_STREAM, 0); struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}; socklen_t length = sizeof address;
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  printf("bind %d", bind(server, (void *)&address, sizeof address)); printf(" listen %d", listen(server, 8)); getsockname(server, (void *)&address, &length); printf(" port %d %s\n", ntohs(address.sin_port) >= 1024, inet_ntoa(address.sin_addr));
  if (fork() == 0) {
    close(server); int c = socket(AF_INET, SOCK_STREAM, 0); if (connect(c, (void *)&address, sizeof address)) _exit(9);
    setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in peer; socklen_t l = sizeof peer; getpeername(c, (void *)&peer, &l); if (peer.sin_port != address.sin_port) _exit(8);
    for (int i = 0; i < (int)sizeof big; i++) big[i] = i * 13;
    for (size_t done = 0; done < sizeof big;) { n = write(c, big + done, sizeof big - done < 30000 ? sizeof big - done : 30000); if (n < 0) _exit(7); done += n; }
    shutdown(c, SHUT_WR); unsigned sum; if (recv(c, &sum, 4, MSG_WAITALL) != 4) _exit(6); unsigned own = 0; for (int i = 0; i < (int)sizeof big; i++) own = own * 31 + big[i]; _exit(own == sum ? 0 : 5);
  }
  struct sockaddr_in from; socklen_t fl = sizeof from; int c = accept(server, (void *)&from, &fl); unsigned sum = 0; size_t total = 0;
  while ((n = read(c, big, 7777)) > 0) { for (int i = 0; i < n; i++) sum = sum * 31 + big[i]; total += n; }
  write(c, &sum, 4); wait(&status); printf("received %zu status %d from %s\n", total, WEXITSTATUS(status), inet_ntoa(from.sin_addr)); n = read(c, text, 1); printf("closed %zd\n", n); close(c);
  int port = address.sin_port; close(server);
  c = socket(AF_INET, SOCK_STREAM, 0); printf("refused %d\n", fails(connect(c, (void *)&address, sizeof address), ECONNREFUSED)); close(c);
  printf("no right %d\n", 1);
  /* UDP. */
  int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0); struct sockaddr_in an = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, bn = an;
  bind(a, (void *)&an, sizeof an); length = sizeof an; getsockname(a, (void *)&an, &length);
  bind(b, (void *)&bn, sizeof bn); length = sizeof bn; getsockname(b, (void *)&bn, &length); printf("ports differ %d\n", an.sin_port != bn.sin_port);
  sendto(a, "datagram", 8, 0, (void *)&bn, sizeof bn); n = recvfrom(b, text, 63, 0, (void *)&from, (fl = sizeof from, &fl)); printf("got %zd %.8s same %d\n", n, text, from.sin_port == an.sin_port);
  connect(b, (void *)&an, sizeof an); struct iovec v[2] = {{"ab", 2}, {"cde", 3}}; struct msghdr m = {.msg_iov = v, .msg_iovlen = 2}; printf("sendmsg %zd", sendmsg(b, &m, 0));
  char x[3], y[10]; struct iovec r[2] = {{x, 3}, {y, 10}}; m = (struct msghdr){.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = r, .msg_iovlen = 2}; n = recvmsg(a, &m, 0); printf(" recvmsg %zd %.3s %.2s from %d\n", n, x, y, from.sin_port == bn.sin_port);
  if (fork() == 0) { usleep(1000); sendto(a, "wake", 4, 0, (void *)&bn, sizeof bn); _exit(0); }
  struct pollfd p = {b, POLLIN, 0}; printf("poll %d", poll(&p, 1, -1)); n = recv(b, text, 63, 0); printf(" %zd\n", n); wait(0);
  printf("in use %d\n", fails(bind(socket(AF_INET, SOCK_DGRAM, 0), (void *)&an, sizeof an), EADDRINUSE));
  printf("family %d raw %d pair %d\n", fails(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT), 1, fails(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){0}), EOPNOTSUPP));
  struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0x01020304)}; (void)far; (void)port;
  return 0;
}
