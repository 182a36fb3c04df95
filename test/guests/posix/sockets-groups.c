/* Groups (multicast) and broadcasts on the loopback, what datagrams tell of their way (IP_PKTINFO and its kin), datagram sockets connected to nobody again.
 * oracle: host */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int on = 1, off = 0;
static void told(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : ""); }
static struct sockaddr_in place(const char *host, int port) { struct sockaddr_in at = { AF_INET, htons(port) }; inet_aton(host, &at.sin_addr); return at; }
static int member(int socket, int name, const char *group, in_addr_t at, size_t length) { struct ip_mreq m = { { inet_addr(group) }, { at } }; return setsockopt(socket, IPPROTO_IP, name, &m, length); }
static int receiver(const char *host, int port, int joins) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0); struct sockaddr_in at = place(host, port);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); told("bind", bind(fd, (void *) &at, sizeof at));
  if (joins) told("join", member(fd, IP_ADD_MEMBERSHIP, "239.1.2.3", htonl(INADDR_LOOPBACK), 8));
  return fd;
}
static void get(int from) { char text[64]; struct sockaddr_in at; socklen_t length = sizeof at; int n = recvfrom(from, text, 64, MSG_DONTWAIT, (void *) &at, &length); if (n < 0) printf("  %s\n", strerrorname_np(errno)); else printf("  %.*s from %s\n", n, text, inet_ntoa(at.sin_addr)); }
static void put(int by, const char *host, int port, const char *text) { struct sockaddr_in at = place(host, port); told(text, sendto(by, text, strlen(text), 0, (void *) &at, sizeof at)); }
static void own(int fd) { struct sockaddr_in at; socklen_t length = sizeof at; getsockname(fd, (void *) &at, &length); int port = ntohs(at.sin_port); printf("  is %s, %s port\n", inet_ntoa(at.sin_addr), port == 0 ? "no" : port < 10000 ? "its" : "a"); }
static void joined(int fd, const char *host, int port) { struct sockaddr_in at = place(host, port); if (port == 0) at.sin_family = AF_UNSPEC; told(port == 0 ? "to nobody" : "to somebody", connect(fd, (void *) &at, sizeof at)); own(fd); }

static void groups(void) {
  struct in_addr lo = { htonl(INADDR_LOOPBACK) }, other; struct ip_mreqn byIndex = { { 0 }, { 0 }, 1 }; socklen_t length = 4;
  int a = receiver("0.0.0.0", 4000, 1), b = receiver("0.0.0.0", 4000, 0), c = receiver("239.1.2.3", 4000, 0), d = receiver("127.0.0.1", 4000, 1), s = socket(AF_INET, SOCK_DGRAM, 0), t = socket(AF_INET, SOCK_DGRAM, 0), u = receiver("127.0.0.1", 4001, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
  put(s, "239.1.2.3", 4000, "no way"); told("interface", setsockopt(s, 0, IP_MULTICAST_IF, &lo, 4)); getsockopt(s, 0, IP_MULTICAST_IF, &other, &length); printf("%s %d\n", inet_ntoa(other), length);
  put(s, "239.1.2.3", 4000, "by address"); get(a); get(b); get(c); get(d);
  setsockopt(b, 0, IP_MULTICAST_ALL, &off, 4); put(s, "239.1.2.3", 4000, "own groups"); get(a); get(b); get(c);
  put(s, "239.9.9.9", 4000, "no member"); get(a); setsockopt(s, 0, IP_MULTICAST_LOOP, &off, 4); put(s, "239.1.2.3", 4000, "no loop"); get(a); get(c);
  told("by index", setsockopt(t, 0, IP_MULTICAST_IF, &byIndex, sizeof byIndex)); put(t, "239.1.2.3", 4000, "by index"); get(a); get(c); put(u, "239.1.2.3", 4000, "bound"); get(a); get(c); put(c, "239.1.2.3", 4000, "by the group"); put(s, "239.1.2.3", 4999, "no port"); put(s, "224.0.0.1", 4000, "everybody"); get(a);
  told("drop elsewhere", member(s, IP_DROP_MEMBERSHIP, "239.1.2.3", lo.s_addr, 8)); told("again", member(a, IP_ADD_MEMBERSHIP, "239.1.2.3", lo.s_addr, 8)); told("drop", member(a, IP_DROP_MEMBERSHIP, "239.1.2.3", lo.s_addr, 8)); told("drop again", member(a, IP_DROP_MEMBERSHIP, "239.1.2.3", lo.s_addr, 8));
  put(s, "239.1.2.3", 4000, "another is in it"); get(a); get(c); close(d); put(s, "239.1.2.3", 4000, "nobody is"); get(a); get(c);
  told("no interface", member(a, IP_ADD_MEMBERSHIP, "239.1.2.3", 0, 8)); told("nor to leave", member(a, IP_DROP_MEMBERSHIP, "239.1.2.3", 0, 8)); told("no group", member(a, IP_ADD_MEMBERSHIP, "10.1.2.3", lo.s_addr, 8)); told("short", member(a, IP_ADD_MEMBERSHIP, "239.1.2.3", lo.s_addr, 4)); told("of a stream", member(tcp, IP_ADD_MEMBERSHIP, "239.1.2.3", lo.s_addr, 8));
  told("interface of a stream", setsockopt(tcp, 0, IP_MULTICAST_IF, &lo, 4)); other.s_addr = inet_addr("10.0.0.1"); told("no such interface", setsockopt(s, 0, IP_MULTICAST_IF, &other, 4));
  struct group_req request = { 1 }; *(struct sockaddr_in *) &request.gr_group = place("239.4.5.6", 0); told("request", setsockopt(a, 0, MCAST_JOIN_GROUP, &request, sizeof request)); put(s, "239.4.5.6", 4000, "requested"); get(a); told("leave", setsockopt(a, 0, MCAST_LEAVE_GROUP, &request, sizeof request));
  for (int i = 0; i < 21; i++) { char name[32]; sprintf(name, "239.7.7.%d", i); int result = member(a, IP_ADD_MEMBERSHIP, name, lo.s_addr, 8); if (i > 18) told("many", result); }
  put(s, "255.255.255.255", 4000, "all of the world"); put(s, "127.255.255.255", 4000, "all, not allowed"); setsockopt(s, SOL_SOCKET, SO_BROADCAST, &on, 4); put(s, "127.255.255.255", 4000, "all"); get(a); get(b); get(c);
  close(t); t = socket(AF_INET, SOCK_DGRAM, 0); joined(t, "239.4.5.6", 4000); setsockopt(t, 0, IP_MULTICAST_IF, &lo, 4); joined(t, "239.7.7.7", 4000); told("send", send(t, "connected", 9, 0)); get(a);
}
static void groups6(void) {
  struct ipv6_mreq m = { 0 }; struct sockaddr_in6 at = { AF_INET6, htons(4000) }; int fd = socket(AF_INET6, SOCK_DGRAM, 0), index = 9;
  inet_pton(AF_INET6, "ff02::1234", &m.ipv6mr_multiaddr); told("no interface", setsockopt(fd, 41, IPV6_JOIN_GROUP, &m, sizeof m)); m.ipv6mr_interface = 1;
  told("join", setsockopt(fd, 41, IPV6_JOIN_GROUP, &m, sizeof m)); told("again", setsockopt(fd, 41, IPV6_JOIN_GROUP, &m, sizeof m)); told("leave", setsockopt(fd, 41, IPV6_LEAVE_GROUP, &m, sizeof m)); told("leave again", setsockopt(fd, 41, IPV6_LEAVE_GROUP, &m, sizeof m));
  m.ipv6mr_interface = 9; told("no such", setsockopt(fd, 41, IPV6_JOIN_GROUP, &m, sizeof m)); told("no such", setsockopt(fd, 41, IPV6_MULTICAST_IF, &index, 4)); told("lo", setsockopt(fd, 41, IPV6_MULTICAST_IF, &on, 4)); at.sin6_addr = m.ipv6mr_multiaddr; told("send", sendto(fd, "x", 1, 0, (void *) &at, sizeof at));
}
static void nobody(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0); joined(fd, "127.0.0.1", 4000); joined(fd, "0.0.0.0", 0); put(fd, "127.0.0.1", 4000, "sent"); own(fd); joined(fd, "127.0.0.1", 4000); joined(fd, "0.0.0.0", 0);
  fd = receiver("0.0.0.0", 4555, 0); joined(fd, "127.0.0.1", 4000); joined(fd, "0.0.0.0", 0); fd = receiver("127.0.0.1", 4556, 0); joined(fd, "127.0.0.1", 4000); joined(fd, "0.0.0.0", 0);
}
/* What a message came with. */
static void facts(int fd, size_t room) {
  char text[16], control[256]; struct iovec part = { text, sizeof text }; struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room };
  int n = recvmsg(fd, &m, MSG_DONTWAIT); if (n < 0) { told("  facts", n); return; }
  printf("  %.*s, flags %x, %zd bytes", n, text, m.msg_flags, m.msg_controllen);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) { printf(" | %d %d:", c->cmsg_level, c->cmsg_type); for (size_t i = 0; i < c->cmsg_len - CMSG_LEN(0); i++) printf(" %02x", CMSG_DATA(c)[i]); }
  puts("");
}
static void say(int fd, int port, int level, int type, const void *data, size_t length, const char *text) {
  struct sockaddr_in at = place("127.0.0.1", port); struct sockaddr_in6 at6 = { AF_INET6, htons(port), 0, IN6ADDR_LOOPBACK_INIT }; char control[64] = { 0 }; struct iovec part = { (char *) text, strlen(text) };
  struct msghdr m = { .msg_name = level == 41 ? (void *) &at6 : &at, .msg_namelen = level == 41 ? sizeof at6 : sizeof at, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(length) };
  struct cmsghdr *c = CMSG_FIRSTHDR(&m); c->cmsg_level = level; c->cmsg_type = type; c->cmsg_len = CMSG_LEN(length); memcpy(CMSG_DATA(c), data, length); told(text, sendmsg(fd, &m, 0));
}
static void ways(void) {
  int r = receiver("0.0.0.0", 4100, 0), s = socket(AF_INET, SOCK_DGRAM, 0), ttl = 9, wrong = 300; struct in_pktinfo from = { 1, { inet_addr("127.0.0.9") } }, bad = { 7 }, far = { 0, { inet_addr("10.0.0.1") } };
  setsockopt(r, 0, IP_PKTINFO, &on, 4); put(s, "127.0.0.1", 4100, "one"); facts(r, 256); put(s, "127.0.0.5", 4100, "five"); facts(r, 256);
  setsockopt(r, 0, IP_RECVTTL, &on, 4); setsockopt(r, 0, IP_RECVTOS, &on, 4); put(s, "127.0.0.1", 4100, "all"); facts(r, 256); put(s, "127.0.0.1", 4100, "less"); facts(r, 40); put(s, "127.0.0.1", 4100, "none"); facts(r, 0);
  setsockopt(s, 0, IP_TTL, &ttl, 4); setsockopt(s, 0, IP_TOS, &(int) { 16 }, 4); put(s, "127.0.0.1", 4100, "set"); facts(r, 256);
  say(s, 4100, 0, IP_TTL, &(int) { 77 }, 4, "ttl"); facts(r, 256); say(s, 4100, 0, IP_TOS, &(int) { 8 }, 4, "tos"); facts(r, 256); say(s, 4100, 0, IP_TTL, &wrong, 4, "wrong"); say(s, 4100, 0, IP_PKTINFO, &bad, sizeof bad, "nowhere"); say(s, 4100, 0, IP_PKTINFO, &far, sizeof far, "far"); say(s, 4100, 0, 99, &wrong, 4, "unknown"); say(s, 4100, 0, IP_PKTINFO, &from, sizeof from, "source"); get(r);
  struct in_addr lo = { htonl(INADDR_LOOPBACK) }; member(r, IP_ADD_MEMBERSHIP, "239.1.2.3", lo.s_addr, 8); setsockopt(s, 0, IP_MULTICAST_IF, &lo, 4); put(s, "239.1.2.3", 4100, "group"); facts(r, 256);
  struct sockaddr_in6 at = { AF_INET6, htons(4200) }; int r6 = socket(AF_INET6, SOCK_DGRAM, 0), s6 = socket(AF_INET6, SOCK_DGRAM, 0); bind(r6, (void *) &at, sizeof at); setsockopt(r6, 41, IPV6_RECVPKTINFO, &on, 4); setsockopt(r6, 41, IPV6_RECVHOPLIMIT, &on, 4); setsockopt(r6, 41, IPV6_RECVTCLASS, &on, 4);
  at.sin6_addr = in6addr_loopback; told("six", sendto(s6, "six", 3, 0, (void *) &at, sizeof at)); facts(r6, 256); put(s, "127.0.0.1", 4200, "four"); facts(r6, 256);
  say(s6, 4200, 41, IPV6_HOPLIMIT, &(int) { 3 }, 4, "hops"); facts(r6, 256); say(s6, 4200, 41, IPV6_TCLASS, &(int) { 32 }, 4, "class"); facts(r6, 256); struct in6_pktinfo from6 = { IN6ADDR_LOOPBACK_INIT, 1 }; say(s6, 4200, 41, IPV6_PKTINFO, &from6, sizeof from6, "source"); facts(r6, 256); say(s6, 4200, 41, IPV6_HOPLIMIT, &wrong, 4, "wrong");
}
int main(void) {
  /* A network of its own has lo alone, as the machine. */
  if (unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) { struct ifreq lo = { "lo" }; int fd = socket(AF_INET, SOCK_DGRAM, 0); ioctl(fd, SIOCGIFFLAGS, &lo); lo.ifr_flags |= IFF_UP; ioctl(fd, SIOCSIFFLAGS, &lo); close(fd); }
  groups(); groups6(); nobody(); ways();
  return 0;
}
