/* Edges of edge-triggered registrations: what is new to which end of sockets and pipes.
 * oracle: host */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static int ep; static char big[1 << 16];

static void add(int fd, int events) { struct epoll_event e = { .events = events | EPOLLET, .data.fd = fd }; if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)) printf("add: %s\n", strerrorname_np(errno)); }

static void look(const char *when) {
  struct epoll_event e[8]; usleep(3000); int n = epoll_wait(ep, e, 8, 0); printf("  %s:", when);
  if (n == 0) printf(" nothing");
  for (int i = 0; i < n; i++) printf(" %s%s%s%s%s", e[i].events & EPOLLIN ? "in" : "", e[i].events & EPOLLOUT ? "out" : "", e[i].events & EPOLLRDHUP ? "rdhup" : "", e[i].events & EPOLLHUP ? "hup" : "", e[i].events & EPOLLERR ? "err" : "");
  printf("\n");
}

static void fill(int fd) { while (write(fd, big, sizeof big) > 0) ; while (write(fd, big, 1) > 0) ; }
static void drain(int fd) { while (read(fd, big, sizeof big) > 0) ; }

static void pair(const char *name, int a, int b) {
  fcntl(a, F_SETFL, O_NONBLOCK); fcntl(b, F_SETFL, O_NONBLOCK);
  printf("%s\n", name); ep = epoll_create1(0); add(a, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
  look("at first"); look("again");
  write(b, "hello", 5); look("bytes came"); look("again");
  read(a, big, 2); look("some read"); write(b, "x", 1); look("more came"); read(a, big, 1); look("one read");
  drain(a); look("all read"); write(a, "y", 1); look("own write"); drain(b); look("the other read one");
  fill(a); look("full"); read(b, big, 1); look("the other read a byte of many"); drain(b); look("the other read all"); look("again");
  fill(a); drain(b); look("full and read again");
  write(b, "tail", 4); shutdown(b, SHUT_WR); look("bytes and the end"); read(a, big, 1); look("a byte of them read"); drain(a); look("read to the end");
  close(b); look("closed"); look("again"); close(a); close(ep);
}

static void pipes(void) {
  int p[2]; pipe2(p, O_NONBLOCK); printf("pipe, reading\n"); ep = epoll_create1(0); add(p[0], EPOLLIN);
  look("at first"); write(p[1], "hello", 5); look("bytes came"); read(p[0], big, 2); look("some read"); write(p[1], "x", 1); look("more came"); drain(p[0]); look("all read"); write(p[1], "abc", 3); read(p[0], big, 1); close(p[1]); look("closed"); read(p[0], big, 1); look("read after it"); close(p[0]); close(ep);
  pipe2(p, O_NONBLOCK); printf("pipe, writing\n"); ep = epoll_create1(0); add(p[1], EPOLLOUT);
  look("at first"); write(p[1], "hello", 5); look("own write"); read(p[0], big, 2); look("some read"); fill(p[1]); look("full"); drain(p[0]); look("all read"); fill(p[1]); drain(p[0]); look("full and read"); close(p[0]); look("closed"); close(p[1]); close(ep);
}

static void counter(void) {
  int e = eventfd(0, EFD_NONBLOCK); long long v = 3; printf("counter\n"); ep = epoll_create1(0); add(e, EPOLLIN | EPOLLOUT);
  look("at first"); write(e, &v, 8); look("added"); look("again"); write(e, &v, 8); look("added more"); read(e, &v, 8); look("read"); close(e); close(ep);
}

static void terminal(void) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK); grantpt(master); unlockpt(master);
  int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_NONBLOCK); struct termios raw; tcgetattr(slave, &raw); cfmakeraw(&raw); tcsetattr(slave, TCSANOW, &raw);
  printf("terminal, the program's side\n"); ep = epoll_create1(0); add(slave, EPOLLIN);
  look("at first"); write(master, "hello", 5); look("bytes came"); read(slave, big, 2); look("some read"); write(master, "x", 1); look("more came"); drain(slave); look("all read"); close(ep);
  printf("terminal, the other side\n"); ep = epoll_create1(0); add(master, EPOLLIN);
  look("at first"); write(slave, "hello", 5); look("bytes came"); look("again"); read(master, big, 2); look("some read"); write(slave, "x", 1); look("more came"); drain(master); look("all read"); close(ep);
  ep = epoll_create1(0); add(master, EPOLLOUT); look("room"); look("again"); close(ep); close(slave); close(master);
}

static void watch(void) {
  int watches = inotify_init1(IN_NONBLOCK); mkdir("epoll-edges.d", 0700); inotify_add_watch(watches, "epoll-edges.d", IN_CREATE); printf("watches\n"); ep = epoll_create1(0); add(watches, EPOLLIN);
  look("at first"); close(open("epoll-edges.d/a", O_CREAT, 0600)); close(open("epoll-edges.d/b", O_CREAT, 0600)); look("two files"); read(watches, big, 32); look("one of them read"); close(open("epoll-edges.d/c", O_CREAT, 0600)); look("a third");
  unlink("epoll-edges.d/a"); unlink("epoll-edges.d/b"); unlink("epoll-edges.d/c"); rmdir("epoll-edges.d"); close(watches); close(ep);
}

static void packets(void) {
  int p[2]; socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, p); printf("packets\n"); ep = epoll_create1(0); add(p[0], EPOLLIN | EPOLLOUT);
  look("at first"); write(p[1], "a", 1); write(p[1], "b", 1); look("two came"); read(p[0], big, 9); look("one read"); drain(p[0]); look("all read"); while (write(p[0], big, 2000) > 0) ; look("full"); drain(p[1]); look("the other read all"); close(p[1]); look("closed"); close(p[0]); close(ep);
}

int main(void) {
  int p[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, p); pair("unix stream", p[0], p[1]);
  int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), one = 1; struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }; socklen_t n = sizeof a;
  bind(l, (void *) &a, n); listen(l, 1); getsockname(l, (void *) &a, &n); connect(c, (void *) &a, n); setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); pair("tcp", c, accept(l, NULL, NULL));
  pipes(); counter(); terminal(); watch(); packets();
  return 0;
}
