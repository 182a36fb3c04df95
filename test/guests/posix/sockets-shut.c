/* Sockets that are shut, left or named without a connection; what is no owner of a file, no way to lock memory and no name of an attribute.
 * oracle: host */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static char bytes[4096] __attribute__((aligned(4096)));
static const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
static struct sockaddr_in here = { .sin_family = AF_INET };

static void say(const char *what, long result) { if (result < 0) printf("  %s: %s\n", what, strerrorname_np(errno)); else printf("  %s: %ld\n", what, result); }
static void polled(int descriptor) { struct pollfd one = { descriptor, POLLIN | POLLOUT | POLLRDHUP, 0 }; poll(&one, 1, 0); printf("  events %x\n", one.revents); }
static long take(int s) { return recv(s, bytes, 8, MSG_DONTWAIT); }
static long give(int s) { return send(s, "abc", 3, MSG_NOSIGNAL | MSG_DONTWAIT); }

static void named(int type) {
  struct sockaddr_un path = { .sun_family = AF_UNIX };
  int s = socket(AF_UNIX, type, 0);
  printf("AF_UNIX, type %d\n", type);
  say("connect to no name", connect(s, (void *) &path, 2)); say("to half a family", connect(s, (void *) &path, 1)); say("to nobody", connect(s, &nobody, 2));
  say("send to no name", sendto(s, "a", 1, MSG_NOSIGNAL, (void *) &path, 2));
  say("bind to nobody", bind(s, &nobody, 2)); say("to no name", bind(s, (void *) &path, 2)); say("again", bind(s, (void *) &path, 3));
  close(s);
}

static void shut(int domain, int type, int how) {
  int s = socket(domain, type, 0);
  printf("domain %d, type %d, how %d\n", domain, type, how);
  say("receive", take(s)); say("shutdown", shutdown(s, how)); say("receive", take(s)); polled(s);
  if (domain == AF_INET) say("send", give(s));
  close(s);
}

static void reset(void) {
  socklen_t length = sizeof here; struct sockaddr_in own;
  int listener = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0), other;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK); bind(listener, (void *) &here, sizeof here); listen(listener, 5); getsockname(listener, (void *) &here, &length);
  printf("a connection that is left\n");
  say("fresh", connect(s, &nobody, sizeof nobody)); say("connect", connect(s, (void *) &here, sizeof here)); other = accept(listener, 0, 0); say("give", give(other));
  say("nobody", connect(s, &nobody, sizeof nobody)); length = sizeof own; say("peer", getpeername(s, (void *) &own, &length)); getsockname(s, (void *) &own, &length); printf("  name %x\n", own.sin_addr.s_addr);
  say("receive", take(s)); say("send", give(s)); polled(s); polled(other);
  say("other receives", take(other)); say("again", take(other)); say("sends", give(other)); close(other);
  say("connect again", connect(s, (void *) &here, sizeof here)); other = accept(listener, 0, 0); say("give", give(other)); say("take", take(s));
  say("nobody", connect(s, &nobody, sizeof nobody)); say("send", give(s)); say("send", give(s)); say("other receives", take(other)); close(other); close(s);
  s = socket(AF_INET, SOCK_STREAM, 0); say("shut before", shutdown(s, SHUT_RD)); say("connect", connect(s, (void *) &here, sizeof here)); other = accept(listener, 0, 0); close(other); close(s);
  s = socket(AF_INET, SOCK_STREAM, 0); connect(s, (void *) &here, sizeof here); /* Waits to be accepted for ever. */
  say("listener", shutdown(listener, SHUT_RDWR)); say("accept", accept(listener, 0, 0)); say("receive", take(s)); polled(listener); close(s);
  s = socket(AF_INET, SOCK_STREAM, 0); say("refused", connect(s, (void *) &here, sizeof here)); close(s); close(listener);
}

static void *acceptor(void *number) { int answer = accept(*(int *) number, 0, 0); printf("  accept that waited: %s\n", answer < 0 ? strerrorname_np(errno) : "came"); return 0; }
static void woken(int domain) {
  struct sockaddr_un path = { .sun_family = AF_UNIX }; int listener = socket(domain, SOCK_STREAM, 0); pthread_t thread;
  printf("a listener of domain %d is shut\n", domain);
  if (domain == AF_UNIX) bind(listener, (void *) &path, 2);
  listen(listener, 3); pthread_create(&thread, 0, acceptor, &listener); usleep(50000); say("shutdown", shutdown(listener, SHUT_RDWR)); pthread_join(thread, 0);
  socklen_t length = sizeof path; getsockname(listener, (void *) &path, &length); int s = socket(domain, SOCK_STREAM, 0); say("connect", connect(s, (void *) &path, length)); close(s); close(listener);
}

static void owners(void) {
  pid_t gone = fork(); if (gone == 0) _exit(0);
  waitpid(gone, 0, 0); int s = socket(AF_UNIX, SOCK_STREAM, 0);
  printf("owners\n"); say("mine", fcntl(s, F_SETOWN, getpid())); say("gone", fcntl(s, F_SETOWN, gone)); say("my group", fcntl(s, F_SETOWN, -getpgrp())); say("group gone", fcntl(s, F_SETOWN, -gone)); say("least", fcntl(s, F_SETOWN, 0x80000000)); say("nobody", fcntl(s, F_SETOWN, 0));
  say("signal 65", fcntl(s, F_SETSIG, 65)); say("signal 0", fcntl(s, F_SETSIG, 0)); say("owner", fcntl(s, F_GETOWN)); close(s);
}

static void locks(void) {
  printf("locks\n"); say("now", syscall(SYS_mlock2, bytes, 4096, 0)); say("on fault", syscall(SYS_mlock2, bytes, 4096, 1)); say("flag 2", syscall(SYS_mlock2, bytes, 4096, 2)); say("all flags", syscall(SYS_mlock2, bytes, 4096, -1)); say("nowhere, flag 2", syscall(SYS_mlock2, 65536L * 3, 4096, 2)); say("nothing", syscall(SYS_mlock, 65536L * 3, 0));
}

static void attributes(const char *name) {
  printf("attribute %s\n", name); say("get", getxattr("/tmp/shut", name, bytes, 5)); say("set", setxattr("/tmp/shut", name, "a", 1, 0)); say("remove", removexattr("/tmp/shut", name));
}

static int events(int s) { struct pollfd one = {s, POLLIN | POLLOUT | POLLRDHUP, 0}; poll(&one, 1, 0); return one.revents; }
/* What is told of messages and of ends: no MSG_EOR, an error before what is there, POLLHUP where nothing comes and nothing goes. */
static void packets(void) {
  int s[2]; char some[8]; struct iovec part = {some, 8}; struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  printf("packets\n"); socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s); send(s[0], "abc", 3, MSG_EOR); say("receive", recvmsg(s[1], &message, 0)); printf("flags %x\n", message.msg_flags);
  send(s[0], "abc", 3, 0); send(s[1], "unread", 6, 0); close(s[0]); printf("events %x\n", events(s[1])); say("receive", recv(s[1], some, 8, MSG_DONTWAIT)); say("again", recv(s[1], some, 8, MSG_DONTWAIT)); say("end", recv(s[1], some, 8, MSG_DONTWAIT)); close(s[1]);
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s); send(s[1], "unread", 6, 0); close(s[0]); say("send", send(s[1], "a", 1, MSG_NOSIGNAL)); say("again", send(s[1], "a", 1, MSG_NOSIGNAL)); close(s[1]);
  for (int type = SOCK_STREAM; type < 6; type += 4) {
    socketpair(AF_UNIX, type, 0, s); shutdown(s[0], SHUT_RD); printf("events %x", events(s[1])); shutdown(s[0], SHUT_WR); printf(" %x", events(s[1])); close(s[0]); printf(" %x\n", events(s[1])); close(s[1]);
  }
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}; socklen_t length = sizeof here; int listener = socket(AF_INET, SOCK_STREAM, 0); bind(listener, (void *) &here, length); listen(listener, 1); getsockname(listener, (void *) &here, &length);
  s[0] = socket(AF_INET, SOCK_STREAM, 0); connect(s[0], (void *) &here, length); close(accept(listener, 0, 0)); usleep(10000); say("nothing", write(s[0], "", 0)); say("nothing", writev(s[0], &part, 0)); usleep(10000); printf("events %x\n", events(s[0])); say("something", write(s[0], "a", 1)); close(s[0]); close(listener);
}

int main(void) {
  int file = open("/tmp/shut", O_CREAT | O_RDWR | O_TRUNC, 0600);
  if (file < 0 || fchown(file, 1000, 1000) < 0 || setresgid(1000, 1000, 1000) < 0 || setresuid(1000, 1000, 1000) < 0) return 1;
  for (int type = 1; type < 6; type += type == 2 ? 3 : 1) named(type);
  for (int how = 0; how < 3; how++) { shut(AF_INET, SOCK_STREAM, how); shut(AF_INET, SOCK_DGRAM, how); shut(AF_UNIX, SOCK_STREAM, how); shut(AF_UNIX, SOCK_DGRAM, how); shut(AF_UNIX, SOCK_SEQPACKET, how); }
  reset(); packets(); woken(AF_INET); woken(AF_UNIX); owners(); locks();
  attributes("nothing"); attributes("foo.bar"); attributes(""); memset(bytes, 'a', 300); printf("long: "); say("", removexattr("/tmp/shut", bytes)); say("nowhere", syscall(SYS_removexattr, "/tmp/shut", 0)); say("trusted", removexattr("/tmp/shut", "trusted.a")); say("none", removexattr("/tmp/none", "user.a"));
  struct stat status; fchmod(file, 06777); if (write(file, "a", 1) == 1 && fstat(file, &status) == 0) printf("mode after a write %o\n", status.st_mode);
  unlink("/tmp/shut");
  return 0;
}
