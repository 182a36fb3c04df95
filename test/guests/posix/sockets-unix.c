/* AF_UNIX between processes: pairs of all types, names, connections, ends, readiness. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
static int fails(long result, int error) { return result == -1 && errno == error; }
static struct sockaddr_un name_of(const char *path) { struct sockaddr_un a = {.sun_family = AF_UNIX}; strcpy(a.sun_path, path); return a; }
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0); signal(SIGPIPE, SIG_IGN);
  int pair[2], status; char text[64] = {0}; ssize_t n;
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  if (fork() == 0) { close(pair[0]); while ((n = read(pair[1], text, 63)) > 0) { for (int i = 0; i < n; i++) text[i] ^= 32; write(pair[1], text, n); } _exit(1); }
  close(pair[1]); write(pair[0], "Hello Unix", 10); n = read(pair[0], text, 63); text[n] = 0; printf("stream %s\n", text);
  shutdown(pair[0], SHUT_WR); n = read(pair[0], text, 63); wait(&status); printf("end %zd status %d\n", n, WEXITSTATUS(status)); close(pair[0]);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, pair); send(pair[0], "one", 3, 0); send(pair[0], "two2", 4, 0); send(pair[0], "", 0, 0);
  n = recv(pair[1], text, 2, MSG_TRUNC); printf("datagram %zd %.2s", n, text); n = recv(pair[1], text, 63, MSG_PEEK); printf(" peek %zd", n);
  n = recv(pair[1], text, 63, 0); printf(" then %zd %.4s", n, text); n = recv(pair[1], text, 63, 0); printf(" empty %zd\n", n);
  printf("nothing %d\n", fails(recv(pair[1], text, 1, MSG_DONTWAIT), EAGAIN)); close(pair[0]); close(pair[1]);
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair); write(pair[0], "abc", 3); write(pair[0], "de", 2); n = read(pair[1], text, 63); printf("packet %zd", n); n = read(pair[1], text, 63); printf(" %zd", n);
  close(pair[0]); n = read(pair[1], text, 63); printf(" end %zd", n); printf(" epipe %d\n", fails(write(pair[1], "x", 1), EPIPE)); close(pair[1]);
  /* A server with a name and three clients. */
  struct sockaddr_un address = name_of("server.sock"); int server = socket(AF_UNIX, SOCK_STREAM, 0);
  printf("bind %d", bind(server, (void *)&address, sizeof address)); printf(" listen %d\n", listen(server, 5));
  struct stat st; stat("server.sock", &st); printf("is socket %d open %d\n", S_ISSOCK(st.st_mode), fails(open("server.sock", O_RDWR), ENXIO));
  int again = socket(AF_UNIX, SOCK_STREAM, 0); printf("in use %d\n", fails(bind(again, (void *)&address, sizeof address), EADDRINUSE)); close(again);
  for (int i = 0; i < 3; i++) if (fork() == 0) {
    close(server); int c = socket(AF_UNIX, SOCK_STREAM, 0); if (connect(c, (void *)&address, sizeof address)) _exit(99);
    char line[32]; int l = snprintf(line, 32, "client %d", i); write(c, line, l); l = read(c, line, 32); _exit(l);
  }
  int sum = 0;
  for (int i = 0; i < 3; i++) { int c = accept(server, 0, 0); n = read(c, text, 63); sum += text[7] - '0'; write(c, "reply", n - 3); close(c); }
  int total = 0; while (wait(&status) > 0) total += WEXITSTATUS(status); printf("clients %d replies %d\n", sum, total);
  struct sockaddr_un mine; socklen_t length = sizeof mine; getsockname(server, (void *)&mine, &length); printf("name %s %d\n", mine.sun_path, (int)(length - offsetof(struct sockaddr_un, sun_path)) == 12);
  close(server); int late = socket(AF_UNIX, SOCK_STREAM, 0); printf("refused %d", fails(connect(late, (void *)&address, sizeof address), ECONNREFUSED)); unlink("server.sock"); printf(" gone %d\n", fails(connect(late, (void *)&address, sizeof address), ENOENT));
  printf("not connected %d %d\n", fails(send(late, "x", 1, 0), ENOTCONN), fails(getpeername(late, (void *)&mine, (length = sizeof mine, &length)), ENOTCONN)); close(late);
  /* Abstract names, readiness. */
  struct sockaddr_un hidden = {.sun_family = AF_UNIX, .sun_path = "\0stillpoint-test"}; socklen_t hl = offsetof(struct sockaddr_un, sun_path) + 16;
  server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0); bind(server, (void *)&hidden, hl); listen(server, 1); printf("none yet %d\n", fails(accept(server, 0, 0), EAGAIN));
  int epoll = epoll_create1(0); struct epoll_event event = {.events = EPOLLIN, .data.fd = server}; epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event);
  printf("quiet %d", epoll_wait(epoll, &event, 1, 0)); int client = socket(AF_UNIX, SOCK_STREAM, 0); connect(client, (void *)&hidden, hl); printf(" knock %d\n", epoll_wait(epoll, &event, 1, -1));
  int c = accept(server, 0, 0); struct pollfd p = {client, POLLIN | POLLOUT, 0}; poll(&p, 1, 0); printf("poll %x", p.revents); write(c, "z", 1); poll(&p, 1, -1); printf(" %x", p.revents); close(c); read(client, text, 1); poll(&p, 1, -1); printf(" %x\n", p.revents);
  int error; length = 4; getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &length); printf("error %d", error); int type; getsockopt(client, SOL_SOCKET, SO_TYPE, &type, &length); printf(" type %d\n", type == SOCK_STREAM);
  printf("no socket %d\n", fails(listen(epoll, 1), ENOTSOCK));
  return 0;
}
