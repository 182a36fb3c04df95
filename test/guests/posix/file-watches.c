/* inotify: events of names, files and directories in the order of Linux, masks, the queue, poll and epoll.
 * oracle: host
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int watcher;
static uint32_t lastCookie;

static const char *NAMES[] = {"ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM", "MOVED_TO", "CREATE", "DELETE", "DELETE_SELF", "MOVE_SELF", "", "", "Q_OVERFLOW", "IGNORED"};

/* Cookies are told by whether they are those of the event before. */
static void drain(const char *what) {
  char buffer[4096] __attribute__((aligned(8)));
  printf("%s:", what);
  for (;;) {
    ssize_t got = read(watcher, buffer, sizeof buffer);
    if (got <= 0) break;
    for (char *at = buffer; at < buffer + got;) {
      struct inotify_event *event = (struct inotify_event *)at;
      printf(" %d", event->wd);
      for (int bit = 0; bit < 16; bit++) if (event->mask & (1u << bit)) printf(" %s", NAMES[bit]);
      if (event->mask & IN_ISDIR) printf(" dir");
      if (event->len != 0) printf(" %s/%u", event->name, event->len);
      if (event->cookie != 0) printf(" %s", event->cookie == lastCookie ? "same" : "new");
      lastCookie = event->cookie;
      printf(";");
      at += sizeof *event + event->len;
    }
  }
  printf(" (%d)\n", errno);
}

static int fails(long result, int error) { return result == -1 && errno == error; }

static void put(const char *path, const char *text, int flags) {
  int file = open(path, flags, 0644);
  if (text) write(file, text, strlen(text));
  close(file);
}

static void names(void) {
  put("d/a", "hello", O_CREAT | O_WRONLY | O_TRUNC); drain("made");
  put("d/a", "again", O_WRONLY | O_TRUNC); drain("cut");
  put("d/a", 0, O_RDONLY); drain("looked at");
  put("d/a", "more", O_WRONLY | O_APPEND); drain("appended");
  char buffer[64]; int file = open("d/a", O_RDONLY);
  read(file, buffer, 2); read(file, buffer, 2); pread(file, buffer, 2, 0); read(file, buffer, 64); read(file, buffer, 64); close(file); drain("read");
  chmod("d/a", 0600); drain("chmod"); truncate("d/a", 3); drain("truncate");
  struct timeval times[2] = {{1, 0}, {2, 0}}; utimes("d/a", times); drain("utimes");
  struct timespec later[2] = {{0, UTIME_OMIT}, {3, 0}}; utimensat(AT_FDCWD, "d/a", later, 0); drain("mtime");
  struct timespec seen[2] = {{3, 0}, {0, UTIME_OMIT}}; utimensat(AT_FDCWD, "d/a", seen, 0); drain("atime");
  link("d/a", "d/b"); drain("link"); symlink("a", "d/s"); drain("symlink");
  rename("d/b", "d/c"); drain("rename"); rename("d/c", "e/c"); drain("moved out"); rename("e/c", "d/c"); drain("moved in"); rename("d/c", "d/s"); drain("moved over");
  mkdir("d/sub", 0755); drain("mkdir"); mkfifo("d/p", 0600); drain("mkfifo"); rmdir("d/sub"); drain("rmdir");
  unlink("d/p"); unlink("d/s"); drain("unlink");
  int directory = open("d", O_RDONLY | O_DIRECTORY); fchmod(directory, 0700); close(directory); drain("of itself");
}

static void files(void) {
  int one = inotify_add_watch(watcher, "d/a", IN_ALL_EVENTS); printf("the file is %d\n", one);
  put("d/a", "x", O_WRONLY); drain("both");
  link("d/a", "e/other"); drain("linked elsewhere"); unlink("e/other"); drain("and unlinked");
  int open1 = open("d/a", O_RDWR); unlink("d/a"); drain("unlinked while open");
  write(open1, "y", 1); drain("written still"); fchmod(open1, 0644); drain("chmod still"); close(open1); drain("closed");
  put("d/a", "1", O_CREAT | O_WRONLY); put("d/b", "2", O_CREAT | O_WRONLY); drain("two");
  int b = inotify_add_watch(watcher, "d/b", IN_ALL_EVENTS), a = inotify_add_watch(watcher, "d/a", IN_ALL_EVENTS); printf("%d %d\n", b, a);
  rename("d/a", "d/b"); drain("over a watched one");
  unlink("d/b"); drain("gone");
}

static void directories(void) {
  mkdir("d/sub", 0755); drain("sub");
  int sub = inotify_add_watch(watcher, "d/sub", IN_ALL_EVENTS | IN_ONLYDIR); printf("sub is %d\n", sub);
  put("d/sub/x", "x", O_CREAT | O_WRONLY); drain("inside");
  rename("d/sub", "e/sub"); drain("moved"); put("e/sub/x", "y", O_WRONLY); drain("inside still");
  rename("e/sub", "d/sub"); unlink("d/sub/x"); drain("back"); rmdir("d/sub"); drain("removed");
}

static void masks(void) {
  int other = inotify_add_watch(watcher, "e", IN_CREATE); printf("e %d\n", other);
  printf("again %d\n", inotify_add_watch(watcher, "e", IN_DELETE) == other); put("e/f", 0, O_CREAT | O_WRONLY); unlink("e/f"); drain("deletions");
  inotify_add_watch(watcher, "e", IN_CREATE | IN_MASK_ADD); put("e/f", 0, O_CREAT | O_WRONLY); drain("both");
  printf("must be new %d\n", fails(inotify_add_watch(watcher, "e", IN_OPEN | IN_MASK_CREATE), EEXIST));
  inotify_add_watch(watcher, "e", IN_DELETE | IN_ONESHOT); unlink("e/f"); put("e/f", 0, O_CREAT | O_WRONLY); drain("once");
  printf("gone %d\n", fails(inotify_rm_watch(watcher, other), EINVAL));
  other = inotify_add_watch(watcher, "e", IN_ALL_EVENTS | IN_EXCL_UNLINK); int file = open("e/f", O_RDWR); unlink("e/f"); drain("before"); write(file, "z", 1); close(file); drain("not after unlink");
  printf("removed %d\n", inotify_rm_watch(watcher, other)); drain("ignored");
  printf("%d", fails(inotify_add_watch(watcher, "e", 0), EINVAL)); printf("%d", fails(inotify_add_watch(watcher, "none", IN_OPEN), ENOENT));
  printf("%d", fails(inotify_add_watch(watcher, "e/../plain", IN_OPEN | IN_ONLYDIR), ENOTDIR)); printf("%d", fails(inotify_add_watch(0, "e", IN_OPEN), EINVAL));
  printf("%d", fails(inotify_add_watch(99, "e", IN_OPEN), EBADF)); printf("%d\n", fails(inotify_init1(1), EINVAL));
}

static void queue(void) {
  char small[20]; int count = 0;
  put("plain", "q", O_WRONLY); struct pollfd ask = {watcher, POLLIN | POLLOUT, 0}; printf("poll %d %x\n", poll(&ask, 1, 0), ask.revents);
  mkdir("d/a-name-that-is-long", 0755); ioctl(watcher, FIONREAD, &count); printf("bytes %d, too small %d", count, fails(read(watcher, small, 16), EINVAL)); printf(", no writes %d\n", fails(write(watcher, small, 1), EBADF));
  drain("long"); rmdir("d/a-name-that-is-long"); drain("rmdir"); printf("poll %d\n", poll(&ask, 1, 0));
  int epoll = epoll_create1(0); struct epoll_event event = {EPOLLIN | EPOLLET, {.u32 = 7}}; epoll_ctl(epoll, EPOLL_CTL_ADD, watcher, &event);
  printf("epoll %d", epoll_wait(epoll, &event, 1, 0)); mkdir("d/n", 0755); printf(" %d", epoll_wait(epoll, &event, 1, 0)); printf(" %d", epoll_wait(epoll, &event, 1, 0));
  rmdir("d/n"); printf(" %d\n", epoll_wait(epoll, &event, 1, 0)); drain("edges"); close(epoll);
  fcntl(watcher, F_SETFL, 0);
  if (fork() == 0) { usleep(1000); mkdir("d/late", 0755); _exit(0); }
  char buffer[256]; printf("waited %zd\n", read(watcher, buffer, sizeof buffer)); wait(0); fcntl(watcher, F_SETFL, O_NONBLOCK); rmdir("d/late"); drain("late");
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  mkdir("d", 0755); mkdir("e", 0755); put("plain", "p", O_CREAT | O_WRONLY);
  watcher = inotify_init1(IN_NONBLOCK | IN_CLOEXEC); printf("d is %d\n", inotify_add_watch(watcher, "d", IN_ALL_EVENTS));
  drain("nothing");
  names(); files(); directories(); masks(); queue();
  return 0;
}
