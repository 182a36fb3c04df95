/* Epolls in epolls: no rings, no long chains from either end; exclusive registrations; edges that were told are not told again further out.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static const char *word(int result) { return result >= 0 ? "done" : strerrorname_np(errno); }
static int control(int epoll, int operation, int fd, unsigned events) { struct epoll_event event = { events, { .fd = fd } }; return epoll_ctl(epoll, operation, fd, &event); }
static int add(int epoll, int fd) { return control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN); }

static int waits(int epoll) { struct epoll_event found[2]; return epoll_wait(epoll, found, 2, 0); }
static void waits_twice(const char *name, int epoll) { int first = waits(epoll), second = waits(epoll); printf(" %s %d%d", name, first, second); }
static int polls(int epoll) { struct pollfd looked = { epoll, POLLIN, 0 }; return poll(&looked, 1, 0); }

/* A pipe in an inner epoll in an outer one: what each says after a byte, after it was told, and after another byte. */
static void edges(const char *name, unsigned inner_events, unsigned outer_events) {
  int outer = epoll_create1(0), inner = epoll_create1(0), ends[2];
  pipe(ends);
  control(inner, EPOLL_CTL_ADD, ends[0], EPOLLIN | inner_events); control(outer, EPOLL_CTL_ADD, inner, EPOLLIN | outer_events);
  printf("%s: %d%d", name, polls(inner), polls(outer));
  for (int i = 0; i < 2; i++) {
    write(ends[1], "x", 1);
    printf(", %d%d", polls(inner), polls(outer)); waits_twice("outer", outer); waits_twice("inner", inner); printf(" then %d%d", polls(inner), polls(outer)); waits_twice("and", outer);
  }
  control(inner, EPOLL_CTL_MOD, ends[0], EPOLLIN | inner_events); waits_twice("again", inner);
  close(ends[1]); waits_twice("hung up", inner); printf("\n");
  close(ends[0]); close(inner); close(outer);
}

int main(void) {
  int a = epoll_create1(0), b = epoll_create1(0), c = epoll_create1(0), ends[2]; pipe(ends);
  printf("itself: %s\n", word(add(a, a)));
  printf("a ring of two: %s", word(add(a, b))); printf(" %s\n", word(add(b, a)));
  printf("a ring of three: %s", word(add(b, c))); printf(" %s\n", word(add(c, a)));
  printf("twice: %s\n", word(add(a, b)));
  add(c, ends[0]); write(ends[1], "x", 1);
  struct epoll_event found[4]; struct pollfd looked = { a, POLLIN };
  int count = epoll_wait(a, found, 4, 0); printf("seen through two: %d, %d\n", count, poll(&looked, 1, 0));
  printf("gone, then the other way: %s", word(control(a, EPOLL_CTL_DEL, b, 0))); printf(" %s\n", word(add(c, a)));
  int chain[8]; for (int i = 0; i < 8; i++) chain[i] = epoll_create1(0);
  printf("from the inside:"); for (int i = 1; i < 8; i++) printf(" %s", word(add(chain[i], chain[i - 1])));
  for (int i = 1; i < 8; i++) control(chain[i], EPOLL_CTL_DEL, chain[i - 1], 0);
  printf("\nfrom the outside:"); for (int i = 7; i > 0; i--) printf(" %s", word(add(chain[i], chain[i - 1])));
  for (int i = 1; i < 8; i++) control(chain[i], EPOLL_CTL_DEL, chain[i - 1], 0);
  add(chain[1], chain[0]); add(chain[2], chain[1]); add(chain[4], chain[3]); add(chain[5], chain[4]);
  printf("\njoined: %s", word(add(chain[3], chain[2]))); close(chain[0]); printf(", after an end: %s\n", word(add(chain[3], chain[2])));
  printf("exclusive: epoll %s", word(control(a, EPOLL_CTL_ADD, chain[7], EPOLLIN | EPOLLEXCLUSIVE)));
  printf(", pipe %s", word(control(a, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLET)));
  printf(", changed %s", word(control(a, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLEXCLUSIVE))); printf(" %s", word(control(a, EPOLL_CTL_MOD, ends[0], EPOLLIN)));
  printf(", once %s", word(control(a, EPOLL_CTL_ADD, ends[1], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT))); printf(", %d\n", epoll_wait(a, found, 4, 0));
  edges("levels", 0, 0); edges("an edge inside", EPOLLET, 0); edges("an edge outside", 0, EPOLLET); edges("edges", EPOLLET, EPOLLET);
  edges("once inside", EPOLLONESHOT, 0); edges("once outside", 0, EPOLLONESHOT);
  return 0;
}
