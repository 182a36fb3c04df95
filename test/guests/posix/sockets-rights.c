/* Open files and credentials in messages of AF_UNIX, time-outs of sockets, IPv6 on the loopback beside IPv4.
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
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
static int fails(long result, int error) { return result == -1 && errno == error; }
static long send_fds(int to, const char *text, size_t length, const int *fds, int count) {
  char control[CMSG_SPACE(8 * sizeof(int))] = {0};
  struct iovec part = {(void *)text, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET; c->cmsg_type = SCM_RIGHTS; c->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(c), fds, count * sizeof(int));
  return sendmsg(to, &message, 0);
}
/* Number of descriptors that came, in fds; the text is printed. */
static int receive_fds(int from, size_t length, size_t room, int *fds, int flags) {
  char control[256] = {0}, text[64] = {0};
  struct iovec part = {text, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
  long n = recvmsg(from, &message, flags);
  int count = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_type == SCM_RIGHTS) { count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); memcpy(fds, CMSG_DATA(c), count * sizeof(int)); }
    if (c->cmsg_type == SCM_CREDENTIALS) { struct ucred u; memcpy(&u, CMSG_DATA(c), sizeof u); printf("[own %d] ", u.pid == getpid() && u.uid == getuid()); }
  }
  printf("%ld '%s' with %d%s; ", n, text, count, message.msg_flags & MSG_CTRUNC ? " cut" : "");
  return count;
}
static void rights(int type) {
  int pair[2], ends[2], got[8], status; char text[16] = {0};
  socketpair(AF_UNIX, type, 0, pair); pipe(ends);
  if (fork() == 0) { /* The child gets the pipe's end from a message only. */
    close(ends[0]); close(ends[1]); close(pair[0]);
    int count = receive_fds(pair[1], 32, 256, got, MSG_CMSG_CLOEXEC);
    printf("cloexec %d\n", fcntl(got[0], F_GETFD)); write(got[0], "through", 7); _exit(count);
  }
  close(pair[1]); send_fds(pair[0], "take", 4, &ends[1], 1); close(ends[1]); close(pair[0]);
  long n = read(ends[0], text, 16); printf("pipe %ld %s, then %zd", n, text, read(ends[0], text, 16)); wait(&status); printf(" status %d\n", WEXITSTATUS(status)); close(ends[0]);
}
static void edges(void) {
  int pair[2], ends[2], got[8]; char text[16];
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair); pipe(ends);
  write(pair[0], "ab", 2); send_fds(pair[0], "cd", 2, ends, 2); write(pair[0], "ef", 2);
  receive_fds(pair[1], 1, 256, got, 0); int n = receive_fds(pair[1], 10, 256, got, 0); for (int i = 0; i < n; i++) close(got[i]); receive_fds(pair[1], 10, 256, got, 0); printf("stream\n");
  send_fds(pair[0], "x", 1, ends, 2); n = receive_fds(pair[1], 4, CMSG_LEN(sizeof(int)), got, 0); printf("room for one\n"); for (int i = 0; i < n; i++) close(got[i]);
  send_fds(pair[0], "y", 1, ends, 1); printf("read drops %zd; ", read(pair[1], text, 4)); close(ends[1]);
  printf("end of pipe %zd\n", read(ends[0], text, 4)); close(ends[0]);
  pipe(ends); send_fds(pair[0], "z", 1, &ends[1], 1); close(ends[1]); close(pair[1]); close(pair[0]); printf("unread goes with the socket %zd\n", read(ends[0], text, 4)); close(ends[0]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair); int bad = 77; printf("bad %d\n", fails(send_fds(pair[0], "x", 1, &bad, 1), EBADF));
  pipe(ends); send_fds(pair[0], "own", 3, &pair[1], 1); n = receive_fds(pair[1], 4, 256, got, 0); printf("itself %d\n", n == 1 && write(pair[0], "q", 1) == 1 && read(got[0], text, 1) == 1);
  int on = 1; setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on); write(pair[0], "who", 3); receive_fds(pair[1], 8, 256, got, 0); printf("credentials\n");
}
static void times(void) {
  int pair[2]; char text[4096] = {0}; struct timeval time = {0, 20000}, back; socklen_t size = sizeof back;
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time); setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  getsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &back, &size); printf("time-out %ld.%06ld size %u\n", (long)back.tv_sec, (long)back.tv_usec, size);
  printf("recv %d read %d", fails(recv(pair[0], text, 1, 0), EAGAIN), fails(read(pair[0], text, 1), EAGAIN));
  while (write(pair[0], text, sizeof text) > 0) ;
  printf(" write %d\n", errno == EAGAIN);
  printf("short %d bad %d\n", fails(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, 4), EINVAL), fails(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, 1000000}, sizeof time), EDOM));
  int server = socket(AF_INET, SOCK_STREAM, 0); listen(server, 1); setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time); printf("accept %d\n", fails(accept(server, 0, 0), EAGAIN));
}
static void six(int type) {
  int server = socket(AF_INET6, type, 0), on = 1, status; char text[64]; struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any}, peer; socklen_t size = sizeof a;
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  printf("bind %d ", bind(server, (void *)&a, sizeof a)); if (type == SOCK_STREAM) listen(server, 5); getsockname(server, (void *)&a, &size); int port = a.sin6_port; printf("size %u port %d\n", size, port != 0);
  for (int family = 0; family < 2; family++) {
    if (fork() == 0) {
      struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
      struct sockaddr_in6 local = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = in6addr_loopback};
      int c = socket(family == 0 ? AF_INET6 : AF_INET, type, 0); status = family == 0 ? connect(c, (void *)&local, sizeof local) : connect(c, (void *)&four, sizeof four);
      write(c, "hello", 5); long n = read(c, text, 64); size = sizeof peer; getpeername(c, (void *)&peer, &size); _exit(status == 0 && n == 2 && size == (family == 0 ? 28 : 16) ? 7 : 1);
    }
    int c = server; size = sizeof peer; memset(&peer, 0, sizeof peer);
    if (type == SOCK_STREAM) { c = accept(server, (void *)&peer, &size); read(c, text, 64); write(c, "ok", 2); }
    else { recvfrom(c, text, 64, 0, (void *)&peer, &size); sendto(c, "ok", 2, 0, (void *)&peer, size); }
    inet_ntop(AF_INET6, &peer.sin6_addr, text, 64); wait(&status); printf("from %s size %u status %d\n", text, size, WEXITSTATUS(status)); if (c != server) close(c);
  }
  close(server);
}
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0); signal(SIGPIPE, SIG_IGN);
  rights(SOCK_STREAM); rights(SOCK_SEQPACKET); rights(SOCK_DGRAM); edges(); times(); six(SOCK_STREAM); six(SOCK_DGRAM);
  int only = socket(AF_INET6, SOCK_STREAM, 0), on = 1, both = socket(AF_INET, SOCK_STREAM, 0); struct sockaddr_in6 a = {.sin6_family = AF_INET6}; socklen_t size = sizeof a;
  setsockopt(only, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on); bind(only, (void *)&a, sizeof a); listen(only, 1); getsockname(only, (void *)&a, &size);
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = a.sin6_port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  printf("v6 only %d", fails(connect(both, (void *)&four, sizeof four), ECONNREFUSED)); both = socket(AF_INET, SOCK_STREAM, 0); printf(", port is free %d\n", bind(both, (void *)&four, sizeof four));
  int quick = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), server = socket(AF_INET, SOCK_STREAM, 0), error; struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}; bind(server, (void *)&to, sizeof to); size = sizeof to; getsockname(server, (void *)&to, &size);
  printf("refused %d", fails(connect(quick, (void *)&to, sizeof to), EINPROGRESS)); struct pollfd one = {quick, POLLIN | POLLOUT, 0}; poll(&one, 1, -1); size = sizeof error; getsockopt(quick, SOL_SOCKET, SO_ERROR, &error, &size); printf(" %x then %d", one.revents, error == ECONNREFUSED); close(quick);
  listen(server, 1); quick = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); printf("; at once %d", fails(connect(quick, (void *)&to, sizeof to), EINPROGRESS)); one.fd = quick; poll(&one, 1, -1); size = sizeof error; getsockopt(quick, SOL_SOCKET, SO_ERROR, &error, &size); printf(" %x then %d\n", one.revents, error);
  printf("wrong family %d\n", fails(connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&(struct sockaddr_in6){.sin6_family = AF_INET, .sin6_port = 1}, 28), EAFNOSUPPORT));
  return 0;
}
