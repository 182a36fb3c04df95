/* Edges of sockets: a listener that connects, a peer that has another, the queue of errors, what poll says when both ways are shut, what is unread, options with names and bounds.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SAY(call) do { errno = 0; long answer = (long)(call); printf("%s: %ld %s\n", #call, answer, answer < 0 ? strerrorname_np(errno) : ""); } while (0)
#define OUTQ 0x5411

static struct sockaddr_un at(const char *path) {
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  strcpy(address.sun_path, path);
  return address;
}

static int named(int type, const char *path) {
  int number = socket(AF_UNIX, type, 0);
  struct sockaddr_un address = at(path);
  bind(number, (void *)&address, sizeof address);
  return number;
}

static int reach(int number, const char *path) {
  struct sockaddr_un address = at(path);
  return connect(number, (void *)&address, sizeof address);
}

static void connections(void) {
  struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int listener = socket(AF_INET, SOCK_STREAM, 0), unix_listener = named(SOCK_STREAM, "listener"), one = named(SOCK_DGRAM, "one"), two = named(SOCK_DGRAM, "two"), three = named(SOCK_DGRAM, "three");
  bind(listener, (void *)&here, sizeof here), listen(listener, 1), listen(unix_listener, 1);
  SAY(connect(listener, (void *)&here, sizeof here));
  SAY(reach(unix_listener, "listener"));
  SAY(reach(one, "two"));
  SAY(reach(three, "one"));
  SAY(reach(two, "one"));
  SAY(socket(AF_INET, SOCK_RAW, 0));
  close(listener), close(unix_listener), close(one), close(two), close(three);
}

static void messages(void) {
  int pair[2], left, datagram = socket(AF_INET, SOCK_DGRAM, 0);
  char bytes[8];
  struct iovec vector = { bytes, 3 };
  struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
  SAY(recv(datagram, bytes, 8, MSG_ERRQUEUE));
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
  send(pair[0], "abcdef", 6, 0), send(pair[0], "gh", 2, 0);
  SAY(ioctl(pair[0], OUTQ, &left));
  printf("unread %d\n", left > 0);
  for (int i = 0; i < 2; i++) { SAY(recvmsg(pair[1], &header, 0)); printf("flags %x\n", header.msg_flags); }
  SAY(ioctl(pair[0], OUTQ, &left));
  printf("unread %d\n", left);
  close(pair[0]), close(pair[1]), close(datagram);
}

/* A look at a message gives its open files too, and they stay with it. */
static void looks(int type) {
  int pair[2], doors[2];
  char byte = 'x', room[CMSG_SPACE(sizeof(int))];
  struct iovec vector = { &byte, 1 };
  struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
  struct mmsghdr many = { header };
  struct timespec never = { 0, -1 };
  socketpair(AF_UNIX, type, 0, pair), pipe(doors);
  struct cmsghdr *part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET, part->cmsg_type = SCM_RIGHTS, part->cmsg_len = CMSG_LEN(sizeof(int)), memcpy(CMSG_DATA(part), &doors[1], sizeof(int));
  sendmsg(pair[0], &header, 0), close(doors[1]);
  for (int look = 0; look < 3; look++) {
    int number = -1;
    header.msg_controllen = sizeof room;
    SAY(recvmsg(pair[1], &header, look < 2 ? MSG_PEEK : 0));
    if ((part = CMSG_FIRSTHDR(&header))) memcpy(&number, CMSG_DATA(part), sizeof number);
    printf("part of %d, written %zd\n", (int)header.msg_controllen, write(number, "ab", 2)), close(number);
  }
  SAY(recvmmsg(pair[1], &many, 1, MSG_DONTWAIT, &never));
  close(pair[0]), close(pair[1]);
  char bytes[16];
  printf("read %zd", read(doors[0], bytes, sizeof bytes)), printf(" then the end %zd\n", read(doors[0], bytes, sizeof bytes)), close(doors[0]);
}

static void polled(int number) {
  struct pollfd look = { number, 0x3ff | POLLRDHUP };
  poll(&look, 1, 0);
  printf(" %x", look.revents);
}

static void both_ways(int type) {
  int pair[2];
  socketpair(AF_UNIX, type, 0, pair);
  polled(pair[0]), polled(pair[1]);
  shutdown(pair[0], SHUT_WR), polled(pair[0]), polled(pair[1]);
  shutdown(pair[0], SHUT_RD), polled(pair[0]), polled(pair[1]);
  close(pair[0]), polled(pair[1]), puts("");
  close(pair[1]);
}

static void options(void) {
  int kinds[] = { socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_DGRAM, 0) };
  for (int i = 0; i < 2; i++) {
    int number = kinds[i], value = 5, told = 7;
    char name[16] = "";
    socklen_t length = sizeof told;
    getsockopt(number, SOL_SOCKET, SO_INCOMING_CPU, &told, &length), printf("processor %d\n", told);
    SAY(setsockopt(number, SOL_SOCKET, SO_ZEROCOPY, &value, 4));
    SAY(setsockopt(number, SOL_SOCKET, SO_BINDTODEVICE, "nothing", 8));
    length = sizeof name;
    SAY(getsockopt(number, SOL_SOCKET, SO_BINDTODEVICE, name, &length)); printf("'%s' %d\n", name, length);
    SAY(setsockopt(number, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    length = sizeof name;
    SAY(getsockopt(number, SOL_SOCKET, SO_BINDTODEVICE, name, &length)); printf("'%s' %d\n", name, length);
    polled(number), puts("");
    close(number);
  }
}

int main(void) {
  connections(), messages(), looks(SOCK_STREAM), looks(SOCK_SEQPACKET);
  both_ways(SOCK_STREAM), both_ways(SOCK_SEQPACKET);
  options();
  return 0;
}
