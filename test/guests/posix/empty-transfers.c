/* Reads, receives, writes and sends of no bytes at all, and a second bind: sockets, pipes and descriptors of events each have their own way.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

static char room[16];
static void tell(const char *what, long result) { printf(" %s %s", what, result > 0 ? "bytes" : result == 0 ? "0" : strerrorname_np(errno)); }
static void pairs(const char *name, int type) {
  int ends[2]; socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends);
  printf("%s, empty:", name); tell("recv", recv(ends[0], room, 0, 0)); tell("read", read(ends[0], room, 0));
  write(ends[1], "abc", 3); printf("; full:"); tell("read", read(ends[0], room, 0)); tell("peek", recv(ends[0], room, 0, MSG_PEEK)); tell("recv", recv(ends[0], room, 0, 0)); tell("then", recv(ends[0], room, 9, 0));
  printf("; write:"); tell("write", write(ends[1], room, 0)); tell("read", read(ends[0], room, 9)); tell("send", send(ends[1], room, 0, 0)); tell("recv", recv(ends[0], room, 9, 0));
  close(ends[1]); printf("; closed:"); tell("write", write(ends[0], room, 0)); tell("send", send(ends[0], room, 0, MSG_NOSIGNAL)); tell("recv", recv(ends[0], room, 0, 0)); printf("\n");
  close(ends[0]);
}
static void internet(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0), caller = socket(AF_INET, SOCK_STREAM, 0); struct sockaddr_in here = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}}; socklen_t length = sizeof here;
  printf("stream, new:"); tell("recv", recv(listener, room, 0, 0)); tell("read", read(listener, room, 0)); tell("send", send(listener, room, 0, MSG_NOSIGNAL));
  bind(listener, (void *)&here, sizeof here); listen(listener, 1); getsockname(listener, (void *)&here, &length); connect(caller, (void *)&here, sizeof here); int other = accept(listener, 0, 0);
  printf("; listening:"); tell("recv", recv(listener, room, 0, 0)); printf("; empty:"); tell("recv", recv(caller, room, 0, MSG_DONTWAIT)); tell("write", write(other, room, 0));
  write(other, "x", 1); printf("; full:"); tell("recv", recv(caller, room, 0, 0)); close(other); tell("then", recv(caller, room, 9, 0)); printf("; ended:"); tell("recv", recv(caller, room, 0, 0)); printf("\n");
  int receiver = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), sender = socket(AF_INET, SOCK_DGRAM, 0); struct sockaddr_in there = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}};
  bind(receiver, (void *)&there, sizeof there); getsockname(receiver, (void *)&there, &length); connect(sender, (void *)&there, sizeof there);
  printf("datagrams:"); tell("write", write(sender, room, 0)); tell("recv", recv(receiver, room, 9, 0)); tell("then", recv(receiver, room, 9, 0)); printf("\n");
}
static void others(void) {
  sigset_t set; sigemptyset(&set); int ends[2]; pipe(ends);
  printf("pipe:"); tell("read", read(ends[0], room, 0)); close(ends[0]); tell("write", write(ends[1], room, 0)); printf("; events:");
  int event = eventfd(1, 0), signals = signalfd(-1, &set, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
  tell("read", read(event, room, 0)); tell("write", write(event, room, 0)); tell("signals", read(signals, room, 0)); tell("timer", read(timer, room, 0)); printf("\n");
}
static void names(void) {
  struct sockaddr_un one = {AF_UNIX, "one"}, two = {AF_UNIX, "two"}, chosen = {AF_UNIX}; int first = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_DGRAM, 0);
  printf("bind:"); tell("first", bind(first, (void *)&one, sizeof one)); tell("again", bind(first, (void *)&one, sizeof one)); tell("another", bind(first, (void *)&two, sizeof two)); tell("there", access("two", F_OK)); tell("chosen", bind(first, (void *)&chosen, 2));
  tell("chosen", bind(second, (void *)&chosen, 2)); tell("again", bind(second, (void *)&chosen, 2)); tell("named", bind(second, (void *)&two, sizeof two)); printf("\n");
}
int main(void) {
  signal(SIGPIPE, SIG_IGN);
  pairs("stream", SOCK_STREAM); pairs("datagrams", SOCK_DGRAM); pairs("packets", SOCK_SEQPACKET);
  internet(); others(); names();
  return 0;
}
