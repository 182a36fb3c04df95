/* Interfaces: what netlink, ioctl and the C library tell of lo, which is alone; getaddrinfo where AI_ADDRCONFIG is asked for.
 * oracle: host */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static int fd;
static void told(const char *what, long result) { printf("%s: %ld%s%s\n", what, result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : ""); }
/* Attributes that tell of what every kernel tells the same. */
static int is_shown(int type, int attribute) {
  if (type == RTM_NEWLINK) return attribute == IFLA_IFNAME || attribute == IFLA_MTU || attribute == IFLA_ADDRESS || attribute == IFLA_BROADCAST || attribute == IFLA_TXQLEN || attribute == IFLA_OPERSTATE || attribute == IFLA_QDISC || attribute == IFLA_CARRIER;
  return attribute != IFA_CACHEINFO || type != RTM_NEWADDR;
}
/* Reads until the list is over; messages about other interfaces than lo are of the host. */
static void answers(const char *name) {
  printf("%s\n", name);
  for (int done = 0; !done;) {
    static char bytes[65536]; struct sockaddr_nl from; struct iovec part = { bytes, sizeof bytes };
    struct msghdr head = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1 };
    int left = recvmsg(fd, &head, 0);
    if (left < 0) { told("recvmsg", left); return; }
    if (head.msg_namelen != sizeof from || from.nl_pid != 0) puts("  not by the kernel");
    for (struct nlmsghdr *h = (void *) bytes; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
      done = (h->nlmsg_flags & NLM_F_MULTI) == 0 || h->nlmsg_type == NLMSG_DONE;
      if (h->nlmsg_type == NLMSG_ERROR) { struct nlmsgerr *e = NLMSG_DATA(h); printf("  error %s of type %d, length %d flags %x\n", e->error == 0 ? "0" : strerrorname_np(-e->error), e->msg.nlmsg_type, h->nlmsg_len, h->nlmsg_flags); continue; }
      if (h->nlmsg_type == NLMSG_DONE) { printf("  done %d\n", *(int *) NLMSG_DATA(h)); continue; }
      unsigned char *data = NLMSG_DATA(h); int fixed = h->nlmsg_type == RTM_NEWLINK ? 16 : h->nlmsg_type == RTM_NEWADDR ? 8 : 12;
      if (fixed < 12 && data[0] != AF_INET && data[0] != AF_INET6) continue;
      printf("  type %d flags %x sequence %d %s:", h->nlmsg_type, h->nlmsg_flags, h->nlmsg_seq, (int) h->nlmsg_pid == getpid() ? "own" : "other");
      for (int i = 0; i < fixed; i++) printf(" %02x", data[i]);
      int rest = h->nlmsg_len - NLMSG_HDRLEN - fixed;
      /* The order is the kernel's business. */
      for (int type = 0; type < 64; type++) { int r = rest; for (struct rtattr *a = (void *) (data + fixed); RTA_OK(a, r); a = RTA_NEXT(a, r)) if (a->rta_type == type && is_shown(h->nlmsg_type, type)) { printf(" | %d", type); for (size_t i = 0; i < RTA_PAYLOAD(a); i++) printf(" %02x", ((unsigned char *) RTA_DATA(a))[i]); } }
      puts("");
    }
  }
}
static void ask(const char *name, int type, int flags, int family, int index, const char *text, int attribute, int length) {
  struct { struct nlmsghdr h; unsigned char fixed[16]; struct rtattr a; char text[64]; } q = { { 0, type, flags, 5, 0 }, { family } };
  int fixed = type == RTM_GETLINK ? 16 : type == RTM_GETROUTE ? 12 : type == RTM_GETADDR ? 8 : 16;
  memcpy(q.fixed + 4, &index, 4); q.h.nlmsg_len = NLMSG_HDRLEN + fixed;
  if (text != NULL) { struct rtattr a = { RTA_LENGTH(length), attribute }; memcpy((char *) &q + q.h.nlmsg_len, &a, sizeof a); memcpy((char *) &q + q.h.nlmsg_len + sizeof a, text, length); q.h.nlmsg_len += RTA_SPACE(length); }
  if (type == RTM_GETROUTE && length == 4) q.fixed[1] = 32;
  if (send(fd, &q, q.h.nlmsg_len, 0) < 0) told("send", -1); else answers(name);
}
static void netlink(void) {
  fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  struct sockaddr_nl at = { AF_NETLINK }; socklen_t length = sizeof at;
  told("bind", bind(fd, (void *) &at, sizeof at)); getsockname(fd, (void *) &at, &length); printf("port %d, %d bytes\n", (int) at.nl_pid == getpid(), length);
  told("bind again", bind(fd, (void *) &at, sizeof at)); at.nl_pid++; told("bind elsewhere", bind(fd, (void *) &at, sizeof at)); told("short", bind(fd, (void *) &at, 5));
  int other = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE); at.nl_pid--; told("taken", bind(other, (void *) &at, sizeof at)); at.nl_pid = 0; told("second", bind(other, (void *) &at, sizeof at));
  getsockname(other, (void *) &at, &length); printf("second port %d\n", (int) at.nl_pid < 0);
  at.nl_pid = 0; at.nl_groups = RTMGRP_LINK; told("groups", bind(other, (void *) &at, sizeof at)); told("nothing there", recv(other, &at, 1, MSG_DONTWAIT)); close(other);
  ask("links", RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, AF_UNSPEC, 0, NULL, 0, 0);
  ask("lo", RTM_GETLINK, NLM_F_REQUEST, AF_UNSPEC, 1, NULL, 0, 0); ask("by name", RTM_GETLINK, NLM_F_REQUEST, AF_UNSPEC, 0, "lo", IFLA_IFNAME, 3);
  ask("no such name", RTM_GETLINK, NLM_F_REQUEST, AF_UNSPEC, 0, "eth9", IFLA_IFNAME, 5); ask("no such index", RTM_GETLINK, NLM_F_REQUEST, AF_UNSPEC, 4711, NULL, 0, 0); ask("neither", RTM_GETLINK, NLM_F_REQUEST, AF_UNSPEC, 0, NULL, 0, 0);
  ask("addresses", RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, AF_UNSPEC, 0, NULL, 0, 0); ask("of IPv4", RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, AF_INET, 0, NULL, 0, 0); ask("of IPv6", RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, AF_INET6, 0, NULL, 0, 0);
  ask("routes", RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, AF_INET, 0, NULL, 0, 0); ask("the way to another host", RTM_GETROUTE, NLM_F_REQUEST, AF_INET, 0, "\x0a\x01\x02\x03", RTA_DST, 4);
  ask("neighbours", RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, AF_UNSPEC, 0, NULL, 0, 0); ask("nonsense", 98, NLM_F_REQUEST | NLM_F_DUMP, AF_UNSPEC, 0, NULL, 0, 0); ask("beyond", 4000, NLM_F_REQUEST, AF_UNSPEC, 0, NULL, 0, 0);
  ask("nothing, acknowledged", NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, AF_UNSPEC, 0, NULL, 0, 0);
  struct { struct nlmsghdr h; char more[60]; } q = { { 17, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1 } };
  told("no request", send(fd, &(struct nlmsghdr) { 16, RTM_GETLINK, NLM_F_DUMP }, 16, 0)); told("cut", send(fd, &(struct nlmsghdr) { 400, RTM_GETLINK, NLM_F_REQUEST }, 16, 0)); told("of it", recv(fd, &q, sizeof q, MSG_DONTWAIT));
  static char large[300000]; told("too large", send(fd, large, sizeof large, 0)); struct nlmsghdr *all = (void *) large; *all = (struct nlmsghdr) { 200000, 98, NLM_F_REQUEST }; told("large", send(fd, large, 200000, 0)); told("its error", recv(fd, large, sizeof large, MSG_DONTWAIT));
  told("listen", listen(fd, 1)); told("accept", accept(fd, NULL, NULL)); told("shutdown", shutdown(fd, SHUT_RD)); close(fd);
}
static void control(const char *name, int request, struct ifreq of) {
  int result = ioctl(fd, request, &of); told(name, result);
  if (result == 0) { for (int i = 0; i < 24; i++) printf(" %02x", ((unsigned char *) &of)[16 + i]); printf(" '%s'\n", of.ifr_name); }
}
static void controls(int family, int type) {
  struct ifreq lo = { "lo" }, one = { .ifr_ifindex = 1 }, none = { "eth9" }, many = { .ifr_ifindex = 4711 };
  fd = socket(family, type, 0); printf("family %d\n", family);
  control("name", SIOCGIFNAME, one); control("no name", SIOCGIFNAME, many); control("flags", SIOCGIFFLAGS, lo); control("of none", SIOCGIFFLAGS, none); control("index", SIOCGIFINDEX, lo); control("mtu", SIOCGIFMTU, lo);
  control("hardware", SIOCGIFHWADDR, lo); control("queue", SIOCGIFTXQLEN, lo); control("metric", SIOCGIFMETRIC, lo); control("map", SIOCGIFMAP, lo);
  if (family != AF_INET6) { control("address", SIOCGIFADDR, lo); control("mask", SIOCGIFNETMASK, lo); control("broadcast", SIOCGIFBRDADDR, lo); control("peer", SIOCGIFDSTADDR, lo); control("address of none", SIOCGIFADDR, none); }
  char room[400]; struct ifconf list = { .ifc_len = 39, .ifc_buf = room }; told("no room", ioctl(fd, SIOCGIFCONF, &list)); printf("%d bytes\n", list.ifc_len);
  list.ifc_len = sizeof room; told("list", ioctl(fd, SIOCGIFCONF, &list)); struct sockaddr_in *at = (void *) &list.ifc_req[0].ifr_addr; printf("%s %s\n", list.ifc_req[0].ifr_name, inet_ntoa(at->sin_addr)); told("nonsense", ioctl(fd, 0x5678, &lo)); close(fd);
}
static void library(void) {
  char text[INET6_ADDRSTRLEN]; struct ifaddrs *all;
  told("getifaddrs", getifaddrs(&all));
  for (struct ifaddrs *a = all; a != NULL; a = a->ifa_next) if (strcmp(a->ifa_name, "lo") == 0) {
    int family = a->ifa_addr->sa_family; printf("%s %d %x", a->ifa_name, family, a->ifa_flags);
    if (family != AF_PACKET) printf(" %s", inet_ntop(family, family == AF_INET ? (void *) &((struct sockaddr_in *) a->ifa_addr)->sin_addr : &((struct sockaddr_in6 *) a->ifa_addr)->sin6_addr, text, sizeof text)), printf(" / %s", inet_ntop(family, family == AF_INET ? (void *) &((struct sockaddr_in *) a->ifa_netmask)->sin_addr : &((struct sockaddr_in6 *) a->ifa_netmask)->sin6_addr, text, sizeof text));
    puts("");
  }
  freeifaddrs(all); printf("lo is %u, eth9 is %u", if_nametoindex("lo"), if_nametoindex("eth9")); printf(" %s, 1 is %s\n", strerrorname_np(errno), if_indextoname(1, text));
  struct if_nameindex *names = if_nameindex(); for (int i = 0; names[i].if_index != 0; i++) if (strcmp(names[i].if_name, "lo") == 0) printf("%u %s\n", names[i].if_index, names[i].if_name);
}
/* Numbers only: a static program has no names. */
static void look_up(const char *host, int family, int flags) {
  struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV }, *found = NULL; char text[64];
  int result = getaddrinfo(host, "80", &hints, &found); printf("%s in %d, %x: %d", host == NULL ? "nobody" : host, family, flags, result);
  for (struct addrinfo *a = found; result == 0 && a != NULL; a = a->ai_next) { getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST); printf(" %s", text); }
  puts(""); if (result == 0) freeaddrinfo(found);
}
int main(void) {
  /* The host's own network would be told of, too: one of its own has lo alone, as the machine. */
  if (unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) { struct ifreq lo = { "lo" }; fd = socket(AF_INET, SOCK_DGRAM, 0); ioctl(fd, SIOCGIFFLAGS, &lo); lo.ifr_flags |= IFF_UP; ioctl(fd, SIOCSIFFLAGS, &lo); close(fd); }
  static char text[4096]; for (int i = 0; i < 3; i++) { FILE *f = fopen((char *[]) { "/proc/net/dev", "/proc/net/if_inet6", "/proc/self/net/route" }[i], "r"); while (fgets(text, sizeof text, f) != NULL) { printf("%s", text); } fclose(f); }
  netlink(); controls(AF_INET, SOCK_DGRAM); controls(AF_UNIX, SOCK_STREAM); controls(AF_INET6, SOCK_STREAM); library();
  for (int i = 0; i < 2; i++) for (int family = 0; family < 3; family++) {
    int flags = (i == 0 ? 0 : AI_ADDRCONFIG) | AI_NUMERICHOST, f = family == 0 ? AF_UNSPEC : family == 1 ? AF_INET : AF_INET6;
    look_up("127.0.0.1", f, flags); look_up("::1", f, flags); look_up("10.1.2.3", f, flags); look_up(NULL, f, flags);
  }
  return 0;
}
