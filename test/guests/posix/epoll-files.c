/* What an epoll takes of devices, /proc and descriptors of processes, and that an edge of what does not change is told once.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int waits(int ep) { struct epoll_event event; return epoll_wait(ep, &event, 1, 0); }

static void look(const char *path) {
  int fd = open(path, O_RDONLY), level = epoll_create1(0), edge = epoll_create1(0);
  if (fd < 0) { printf("%s? %s\n", path, strerrorname_np(errno)); return; }
  struct epoll_event wish = {EPOLLIN, {0}};
  int result = epoll_ctl(level, EPOLL_CTL_ADD, fd, &wish);
  printf("%s: %s", path, result < 0 ? strerrorname_np(errno) : "taken");
  wish.events |= EPOLLET; epoll_ctl(edge, EPOLL_CTL_ADD, fd, &wish);
  if (result == 0) { int a = waits(level), b = waits(level), c = waits(edge), d = waits(edge); printf(", level %d %d, edge %d %d", a, b, c, d); }
  puts(""); close(fd); close(level); close(edge);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  static const char *const paths[] = {
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/proc", "/proc/self/mountinfo", "/proc/self/mounts", "/proc/self/status", "/proc/self/maps", "/proc/self/stat", "/proc/self/comm", "/proc/self/cmdline",
    "/proc/self/fd", "/proc/thread-self/status", "/proc/cpuinfo", "/proc/meminfo", "/proc/net/tcp", "/proc/version", "/proc/stat", "/proc/uptime", "/proc/sys/kernel/pid_max",
  };
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) look(paths[i]);
  int hold[2]; pipe(hold);
  pid_t child = fork();
  if (child == 0) { char byte; close(hold[1]); read(hold[0], &byte, 1); _exit(0); }
  int pidfd = (int) syscall(SYS_pidfd_open, child, 0), ep = epoll_create1(0); struct epoll_event wish = {EPOLLIN | EPOLLET, {0}};
  epoll_ctl(ep, EPOLL_CTL_ADD, pidfd, &wish); printf("a process: %d", waits(ep));
  close(hold[1]); siginfo_t info; waitid(P_PID, child, &info, WEXITED | WNOWAIT);
  printf(", over %d", waits(ep)); printf(" %d\n", waits(ep));
  return 0;
}
