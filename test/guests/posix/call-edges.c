/* Signal masks of poll, select and epoll that are not of the right size, places that are not there before rights that nobody has, and names in /proc that tools look for.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAY(call) do { errno = 0; long answer = (long)(call); printf("%s: %ld %s\n", #call, answer, answer < 0 ? strerrorname_np(errno) : ""); } while (0)

static void masks(void) {
  uint64_t mask = 0;
  struct { void *mask; size_t bytes; } pair = { &mask, 4 }, far = { (void *)8, 8 };
  struct timespec none = { 0, 0 };
  struct epoll_event events[1];
  struct pollfd look = { -1, POLLIN };
  int watch = epoll_create1(0);
  SAY(syscall(SYS_ppoll, &look, 1, &none, &mask, 4));
  SAY(syscall(SYS_ppoll, &look, 1, &none, 8, 8));
  SAY(syscall(SYS_ppoll, &look, 1, &none, 0, 4));
  SAY(syscall(SYS_pselect6, 0, 0, 0, 0, &none, &pair));
  SAY(syscall(SYS_pselect6, -1, 0, 0, 0, &none, &pair));
  SAY(syscall(SYS_pselect6, 0, 0, 0, 0, &none, &far));
  SAY(syscall(SYS_pselect6, 0, 0, 0, 0, &none, 8));
  SAY(syscall(SYS_epoll_pwait, watch, events, 1, 0, &mask, 4));
  SAY(syscall(SYS_epoll_pwait, watch, events, 1, 0, 8, 8));
  SAY(syscall(SYS_epoll_pwait, watch, events, 1 << 28, 0, 0, 8));
}

static void places(void) {
  struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, -1 };
  struct __user_cap_data_struct sets[2];
  struct timespec times[2] = { { 1, 0 }, { 2, 0 } };
  int file = open("file", O_CREAT | O_RDWR, 0644);
  SAY(chroot("nothing"));
  SAY(chroot("file"));
  SAY(mount("x", "nothing", "tmpfs", 0, 0));
  SAY(umount("nothing"));
  SAY(syscall(SYS_utimensat, file, 0, times, AT_SYMLINK_NOFOLLOW));
  SAY(syscall(SYS_utimensat, file, 0, times, 0));
  SAY(syscall(SYS_capget, &head, sets));
  head.pid = 999999;
  SAY(syscall(SYS_capget, &head, sets));
  head.pid = getpid();
  SAY(syscall(SYS_capget, &head, sets));
}

/* Of the names those that the file has. */
static void has(const char *path, const char *const *names) {
  char line[4096];
  int there = 0, wanted = 0;
  for (; *names; names++, wanted++) {
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
      size_t length = strlen(*names);
      if (strncmp(line, *names, length) == 0 && line[length] == ':') { there++; break; }
    }
    if (file) fclose(file);
  }
  printf("%s has %d of %d\n", path, there, wanted);
}

static void names(void) {
  static const char *const status[] = { "VmLck", "VmPin", "RssAnon", "RssFile", "RssShmem", "VmStk", "VmExe", "VmLib", "VmPTE", "VmSwap", "NoNewPrivs", "Seccomp", "Mems_allowed_list", 0 };
  static const char *const memory[] = { "Active", "Inactive", "Shmem", "Slab", "SReclaimable", "CommitLimit", "Committed_AS", "HugePages_Total", "Hugepagesize", "AnonPages", "Mapped", "Dirty", 0 };
  static const char *const files[] = { "/proc/tty/drivers", "/proc/sys/kernel/pty/max", "/proc/sys/fs/dentry-state", "/proc/sys/net/ipv4/tcp_timestamps", "/proc/sys/vm/panic_on_oom", "/proc/sys/user/max_user_namespaces", 0 };
  static const char *const own[] = { "environ", "auxv", "io", "personality", "maps", 0 };
  char line[4096];
  struct stat about;
  int fields = 0;
  has("/proc/self/status", status), has("/proc/meminfo", memory);
  for (int i = 0; files[i]; i++) printf("%s %s\n", files[i], access(files[i], R_OK) == 0 ? "is there" : "is not there");
  for (int i = 0; own[i]; i++) { snprintf(line, sizeof line, "/proc/self/%s", own[i]); stat(line, &about); printf("%s %o\n", own[i], about.st_mode); }
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    signal(SIGUSR1, SIG_IGN), signal(SIGUSR2, (void (*)(int))exit), prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    FILE *file = fopen("/proc/self/stat", "r");
    fgets(line, sizeof line, file), fclose(file);
    for (char *word = strtok(line, " \n"); word; word = strtok(0, " \n")) {
      fields++;
      if (fields == 33 || fields == 34 || fields == 38) printf("field %d is %s\n", fields, word);
    }
    printf("%d fields\n", fields);
    file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file)) if (strncmp(line, "NoNewPrivs", 10) == 0) fputs(line, stdout);
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, 0, 0);
}

int main(void) {
  masks(), places(), names();
  return 0;
}
