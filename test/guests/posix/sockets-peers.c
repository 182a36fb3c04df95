/* What a socket tells of its other end, and options that are asked for in shapes of their own or only set.
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
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEERGROUPS 59
#define PEERPIDFD 77

static const char *word(int result) { return result < 0 ? strerrorname_np(errno) : "yes"; }

static void credentials(int fd) {
  struct ucred of = {-5, 5, 5}; socklen_t length = sizeof of;
  const char *said = word(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &of, &length));
  printf(" credentials %s %u %s%s;", said, length, of.pid == getpid() ? "own" : of.pid == 0 ? "none" : "another", of.uid == (uid_t) -1 ? ", nobody" : "");
}

static void groups(int fd) {
  gid_t own[256], told[256]; int count = getgroups(256, own); socklen_t length = sizeof told;
  int result = getsockopt(fd, SOL_SOCKET, PEERGROUPS, told, &length);
  printf(" groups %s%s;", word(result), result < 0 ? "" : (int) (length / 4) == count && memcmp(own, told, length) == 0 ? ", ours" : ", others");
}

static void handle(int fd) {
  int pidfd = -7; socklen_t length = sizeof pidfd;
  int result = getsockopt(fd, SOL_SOCKET, PEERPIDFD, &pidfd, &length);
  printf(" pidfd %s", word(result));
  if (result == 0) {
    struct pollfd look = {pidfd, POLLIN, 0};
    printf(", closes on exec %d, signal %s, over %d", fcntl(pidfd, F_GETFD) & FD_CLOEXEC, word((int) syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0)), poll(&look, 1, 0));
    close(pidfd);
  }
  printf(";");
}

static void name(int fd, socklen_t length) {
  char bytes[128] = {0};
  int result = getsockopt(fd, SOL_SOCKET, SO_PEERNAME, bytes, &length);
  printf(" name %s", word(result)); if (result == 0) printf(" %u", length);
  printf(";");
}

static void peer(const char *what, int fd) {
  printf("%s:", what); credentials(fd); groups(fd); handle(fd); name(fd, 128); name(fd, 1);
  char label[64]; socklen_t length = sizeof label; printf(" label %s\n", word(getsockopt(fd, SOL_SOCKET, SO_PEERSEC, label, &length)));
}

static void shape(const char *what, int fd, int option, socklen_t length) {
  unsigned char bytes[64]; memset(bytes, 0xee, sizeof bytes);
  int result = getsockopt(fd, SOL_SOCKET, option, bytes, &length);
  printf(" %s %s", what, word(result)); if (result == 0) printf(" %u", length);
  printf(";");
}

static void shapes(const char *what, int fd) {
  printf("%s:", what);
  shape("filter", fd, SO_GET_FILTER, 8); shape("attach", fd, 50, 4); shape("detach", fd, SO_DETACH_FILTER, 4); shape("force", fd, SO_SNDBUFFORCE, 4); shape("force", fd, SO_RCVBUFFORCE, 4);
  shape("device", fd, SO_BINDTODEVICE, 16); shape("cookie", fd, 57, 8); shape("half a cookie", fd, 57, 4); shape("memory", fd, 55, 36); shape("cbpf", fd, 51, 4); shape("ebpf", fd, 52, 4); shape("advice", fd, 53, 4);
  shape("old", fd, 22, 4); shape("old", fd, 23, 4); shape("old", fd, 24, 4); shape("no cbpf", fd, 68, 4); shape("extensions", fd, 48, 4); shape("processor", fd, 49, 4);
  unsigned long long first = 1, again = 2; socklen_t length = sizeof first;
  getsockopt(fd, SOL_SOCKET, 57, &first, &length); getsockopt(fd, SOL_SOCKET, 57, &again, &length);
  printf(" the same cookie %d\n", first == again && first != 0);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int pair[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, pair); peer("pair", pair[0]); shapes("pair", pair[0]);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0); peer("new", fd);
  struct sockaddr_un here = {.sun_family = AF_UNIX, .sun_path = "\0peers"}; socklen_t size = sizeof here.sun_family + 6;
  bind(fd, (void *) &here, size); listen(fd, 4); peer("listening", fd);
  pid_t child = fork();
  if (child == 0) {
    int to = socket(AF_UNIX, SOCK_STREAM, 0); connect(to, (void *) &here, size); char byte; read(to, &byte, 1); _exit(0);
  }
  int from = accept(fd, NULL, NULL); peer("accepted", from); close(from); waitpid(child, NULL, 0); close(fd);
  fd = socket(AF_UNIX, SOCK_DGRAM, 0); peer("datagram", fd); close(fd);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}; socklen_t length = sizeof at;
  int listener = socket(AF_INET, SOCK_STREAM, 0); peer("internet, new", listener); bind(listener, (void *) &at, sizeof at); listen(listener, 1); getsockname(listener, (void *) &at, &length);
  fd = socket(AF_INET, SOCK_STREAM, 0); connect(fd, (void *) &at, sizeof at); peer("internet", fd); shapes("internet", fd); peer("internet, listening", listener);
  return 0;
}
