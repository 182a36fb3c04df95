/* Options of the internet that are no words: what there is none of has no bytes (sshd hangs up where IP options have some), what TCP says of a connection, options that can be set only.
 * oracle: host
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void size(const char *what, int fd, int level, int option) {
  unsigned char bytes[64]; socklen_t length = sizeof bytes;
  if (getsockopt(fd, level, option, bytes, &length) < 0) printf("%s? %s\n", what, strerrorname_np(errno)); else printf("%s? %d bytes\n", what, (int) length);
}
#define SIZE(fd, level, option) size(#option, fd, level, option)
static void info(const char *what, int fd) {
  struct tcp_info told; socklen_t length = sizeof told; memset(&told, 0xee, sizeof told);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &told, &length) < 0) { printf("%s: %s\n", what, strerrorname_np(errno)); return; }
  printf("%s: %d bytes or more %d, state %d, lost %u, retransmitted %u, window %u, of %u", what, 192, length >= 192, told.tcpi_state, told.tcpi_lost, told.tcpi_total_retrans, told.tcpi_snd_cwnd, told.tcpi_pmtu);
  printf(told.tcpi_state == 10 ? ", waiting %u of %u\n" : "\n", told.tcpi_unacked, told.tcpi_sacked);
}
static void name(int fd, int option, const char *asked) {
  char told[32]; socklen_t length = sizeof told; memset(told, 0, sizeof told);
  int set = setsockopt(fd, IPPROTO_TCP, option, asked, strlen(asked)); printf("%s: %s", asked, set < 0 ? strerrorname_np(errno) : "yes");
  if (set == 0 && getsockopt(fd, IPPROTO_TCP, option, told, &length) == 0) printf(" %s %d", told, (int) length);
  puts("");
}
static void levels(const char *what, int fd) {
  char many[44] = { 0 };
  puts(what); SIZE(fd, IPPROTO_IP, IP_OPTIONS); SIZE(fd, IPPROTO_IP, IP_PKTOPTIONS); SIZE(fd, IPPROTO_IP, IP_MTU); SIZE(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP); SIZE(fd, IPPROTO_IP, MCAST_JOIN_GROUP);
  SIZE(fd, SOL_SOCKET, SO_MAX_PACING_RATE); SIZE(fd, SOL_SOCKET, SO_TXTIME); SIZE(fd, SOL_SOCKET, 54); SIZE(fd, SOL_SOCKET, SO_BPF_EXTENSIONS);
  printf("no options: %d", setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0)); printf(", too many: %d", setsockopt(fd, IPPROTO_IP, IP_OPTIONS, many, sizeof many)); printf(" %s\n", strerrorname_np(errno));
}
int main(void) {
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }; socklen_t length = sizeof at;
  int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_STREAM, 0), datagram = socket(AF_INET, SOCK_DGRAM, 0);
  bind(listener, (void *) &at, sizeof at); listen(listener, 5); getsockname(listener, (void *) &at, &length);
  levels("stream", fd); levels("datagram", datagram); info("new", fd); connect(fd, (void *) &at, sizeof at); info("listener", listener);
  int accepted = accept(listener, NULL, NULL); levels("connected", fd); info("connected", accepted); SIZE(fd, IPPROTO_TCP, TCP_ULP); SIZE(fd, IPPROTO_TCP, TCP_SAVED_SYN); SIZE(fd, IPPROTO_TCP, TCP_CONGESTION); SIZE(fd, IPPROTO_TCP, TCP_MD5SIG);
  name(fd, TCP_CONGESTION, "reno"); name(fd, TCP_CONGESTION, "nonesuch"); name(fd, TCP_ULP, "nonesuch");
  puts("six"); SIZE(six, IPPROTO_IPV6, IPV6_HOPOPTS); SIZE(six, IPPROTO_IPV6, IPV6_RTHDR); SIZE(six, IPPROTO_IPV6, IPV6_MTU); SIZE(six, IPPROTO_IPV6, IPV6_JOIN_GROUP); SIZE(six, IPPROTO_IP, IP_OPTIONS);
  close(accepted); char byte; printf("end: %d\n", (int) read(fd, &byte, 1)); info("half closed", fd); SIZE(datagram, IPPROTO_UDP, 7); info("datagram", datagram);
  struct tcp_info part; length = 8; printf("part: %d", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &part, &length)); printf(" %d bytes\n", (int) length);
  return 0;
}
