/* Who a datagram of IPv4 comes from for a receiver of both families, by each call that tells; epoll_ctl of nothing.
 * oracle: host */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int receiver; static struct sockaddr_in6 from; static char bytes[64], name[64];

static void tell(const char *call, ssize_t n, socklen_t length, int sender) {
  struct sockaddr_in6 own = {0}; socklen_t size = sizeof own; getsockname(sender, (void *) &own, &size);
  printf("  %s: %zd, family %d, %u bytes, %s, %s\n", call, n, from.sin6_family, length, inet_ntop(AF_INET6, &from.sin6_addr, name, sizeof name), from.sin6_port == own.sin6_port ? "its port" : "another port");
  memset(&from, 0, sizeof from);
}

static void hear(const char *who, int sender, void *to, socklen_t size) {
  struct iovec part = { bytes, sizeof bytes }; struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1 }; struct mmsghdr many = { .msg_hdr = message };
  printf("%s\n", who); socklen_t length = sizeof from;
  sendto(sender, "one", 3, 0, to, size); ssize_t n = recvfrom(receiver, bytes, sizeof bytes, 0, (void *) &from, &length); tell("recvfrom", n, length, sender);
  sendto(sender, "two", 3, 0, to, size); n = recvmsg(receiver, &message, 0); tell("recvmsg", n, message.msg_namelen, sender);
  sendto(sender, "three", 5, 0, to, size); n = recvmmsg(receiver, &many, 1, 0, NULL); tell("recvmmsg", n, many.msg_hdr.msg_namelen, sender);
  close(sender);
}

int main(void) {
  receiver = socket(AF_INET6, SOCK_DGRAM, 0); int off = 0; struct sockaddr_in6 own = { .sin6_family = AF_INET6 }; socklen_t size = sizeof own;
  setsockopt(receiver, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off); bind(receiver, (void *) &own, size); getsockname(receiver, (void *) &own, &size);
  struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = own.sin6_port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }; struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = own.sin6_port, .sin6_addr = IN6ADDR_LOOPBACK_INIT }, mapped = six;
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
  hear("of IPv4", socket(AF_INET, SOCK_DGRAM, 0), &four, sizeof four); hear("of IPv6", socket(AF_INET6, SOCK_DGRAM, 0), &six, sizeof six); hear("of IPv6, to an address of IPv4", socket(AF_INET6, SOCK_DGRAM, 0), &mapped, sizeof mapped);
  int connected = socket(AF_INET, SOCK_DGRAM, 0); connect(connected, (void *) &four, sizeof four); hear("connected", connected, NULL, 0);
  int epoll = epoll_create1(0), ends[2]; struct epoll_event event = { .events = EPOLLIN }; pipe(ends); epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
  for (int operation = 0; operation < 6; operation += operation == 0 ? 4 : 1) printf("operation %d: %s\n", operation, epoll_ctl(epoll, operation, ends[0], &event) < 0 ? strerrorname_np(errno) : "done");
  return 0;
}
