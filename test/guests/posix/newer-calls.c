/* Calls that C libraries try first and old kernels lack: clone3, openat2, the scheduling calls with odd arguments.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct how { uint64_t flags, mode, resolve; };
struct args { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; };
struct attr { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; uint32_t low, high; };

static const char *word(long result) {
  static char text[32][32]; static int turn;
  char *out = text[turn++ & 31];
  if (result >= 0) snprintf(out, 32, "ok"); else snprintf(out, 32, "%s", strerrorname_np(errno));
  return out;
}
static long open2(int at, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve, size_t size) {
  struct { struct how how; uint64_t more; } h = { { flags, mode, resolve }, size > 32 ? 1 : 0 };
  long fd = syscall(437, at, path, &h, size > 32 ? 32 : size);
  if (fd >= 0) close(fd);
  return fd;
}
static void opens(void) {
  mkdir("box", 0755); mkdir("box/in", 0755); symlink("/etc", "box/absolute"); symlink("in", "box/relative"); symlink("../..", "box/up"); symlink("../in/file", "box/in/around");
  close(open("box/in/file", O_CREAT | O_WRONLY, 0644));
  int box = open("box", O_PATH | O_DIRECTORY);
  const char *paths[] = { "in/file", "relative/file", "absolute", "up", "..", "in/../..", "in/..", "/in/file", "/", "in/around", "absolute/passwd", "../box/in/file" };
  for (int resolve = 0; resolve < 0x20; resolve += resolve == 0 ? 2 : 2) {
    if (resolve == 0x1a || resolve == 0x1c || resolve == 0x1e || resolve == 0x18) continue;
    printf("resolve %x:", resolve);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) printf(" %s", word(open2(box, paths[i], O_RDONLY, 0, resolve, 24)));
    printf("\n");
  }
  printf("magic %s %s %s %s\n", word(open2(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0, 0, 24)), word(open2(AT_FDCWD, "/proc/self/fd/1", O_WRONLY, 0, 2, 24)), word(open2(AT_FDCWD, "/proc/self/fd/1", O_WRONLY, 0, 4, 24)), word(open2(AT_FDCWD, "/proc/self/fd/1", O_PATH | O_NOFOLLOW, 0, 4, 24)));
  printf("odd %s %s %s %s %s %s %s %s\n", word(open2(box, "in", 0, 0, 0, 8)), word(open2(box, "in", 0, 0, 0, 40)), word(open2(box, "in", 1ull << 40, 0, 0, 24)), word(open2(box, "in", 0, 0644, 0, 24)), word(open2(box, "in", 0, 0, 0x40, 24)),
    word(open2(box, "in", 0, 0, 0x18, 24)), word(open2(box, "new", O_CREAT | O_RDWR, 010644, 0, 24)), word(open2(box, "new", O_CREAT | O_RDWR, 0600, 8, 24)));
  printf("link %s %s\n", word(open2(box, "relative", O_PATH | O_NOFOLLOW, 0, 4, 24)), word(open2(box, "relative", O_PATH, 0, 4, 24)));
  close(box);
}

static void births(void) {
  struct args a = { .exit_signal = SIGCHLD };
  pid_t child; int status, pidfd = -1;
  fflush(stdout);
  if ((child = syscall(435, &a, sizeof a)) == 0) _exit(7);
  waitpid(child, &status, 0); printf("child %d\n", WEXITSTATUS(status));
  pid_t told = 0;
  a = (struct args){ .flags = CLONE_PIDFD | CLONE_PARENT_SETTID | (1ull << 32), .pidfd = (uintptr_t)&pidfd, .parent_tid = (uintptr_t)&told, .exit_signal = SIGCHLD };
  signal(SIGUSR1, (void (*)(int))births); signal(SIGUSR2, SIG_IGN);
  if ((child = syscall(435, &a, sizeof a)) == 0) { struct sigaction one, two; sigaction(SIGUSR1, 0, &one); sigaction(SIGUSR2, 0, &two); _exit((one.sa_handler == SIG_DFL) + 2 * (two.sa_handler == SIG_IGN)); }
  siginfo_t info = { 0 };
  printf("descriptor %d told %d waited %d", pidfd > 2, told == child, waitid(3, pidfd, &info, WEXITED)); printf(" status %d\n", info.si_status); close(pidfd);
  signal(SIGUSR1, SIG_DFL);
  static char stack[65536] __attribute__((aligned(16)));
  long tries[][3] = { { 0, 300, sizeof a }, { 0xff, 0, sizeof a }, { 0x400000, 0, sizeof a }, { CLONE_THREAD, SIGCHLD, sizeof a }, { CLONE_SIGHAND, SIGCHLD, sizeof a }, { 0, SIGCHLD, 56 }, { 0, SIGCHLD, 8192 }, { CLONE_THREAD | CLONE_VM, 0, sizeof a } };
  for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) { a = (struct args){ .flags = tries[i][0], .exit_signal = tries[i][1] }; printf("%s ", word(syscall(435, &a, tries[i][2]))); }
  a = (struct args){ .exit_signal = SIGCHLD, .stack = (uintptr_t)stack }; printf("%s ", word(syscall(435, &a, sizeof a)));
  a = (struct args){ .flags = 1ull << 40 }; printf("%s ", word(syscall(435, &a, sizeof a)));
  printf("%s\n", word(syscall(435, 0, sizeof a)));
  a = (struct args){ .exit_signal = SIGUSR2 };
  if ((child = syscall(435, &a, 64)) == 0) _exit(3);
  printf("other signal %s", word(waitpid(child, &status, 0))); printf(" %s", word(waitpid(child, &status, __WALL))); printf(" %d\n", WEXITSTATUS(status));
}

static void schedules(void) {
  cpu_set_t set; struct sched_param p = { 0 }, p1 = { 1 }; struct timespec t = { -1, -1 }; int gone;
  if ((gone = fork()) == 0) _exit(0);
  waitpid(gone, 0, 0);
  printf("%s %s %s\n", word(sched_getaffinity(0, sizeof set, &set)), word(sched_getaffinity(gone, sizeof set, &set)), word(sched_getaffinity(-1, sizeof set, &set)));
  printf("%s %s %s ", word(syscall(SYS_sched_getaffinity, 0, 3, &set)), word(sched_getaffinity(0, sizeof set, (void *)8)), word(sched_setaffinity(gone, sizeof set, &set)));
  CPU_ZERO(&set); printf("%s ", word(sched_setaffinity(0, sizeof set, &set))); CPU_SET(0, &set); printf("%s %s\n", word(sched_setaffinity(0, sizeof set, &set)), word(sched_setaffinity(0, sizeof set, (void *)8)));
  printf("policy %d %s %s\n", sched_getscheduler(0), word(sched_getscheduler(-1)), word(sched_getscheduler(gone)));
  printf("%s %s %s %s\n", word(sched_getparam(0, &p)), word(sched_getparam(-1, &p)), word(sched_getparam(0, 0)), word(sched_getparam(gone, &p)));
  printf("%s %s %s %s\n", word(sched_setparam(0, &p)), word(sched_setparam(0, &p1)), word(sched_setparam(-1, &p)), word(sched_setparam(gone, &p)));
  /* Real time is for root, and so is the way back from SCHED_IDLE (user-rights.c). */
  for (int policy = -1; policy < 9; policy++) printf("%s/%s ", word(policy == 1 || policy == 2 || policy == SCHED_IDLE ? 0 : sched_setscheduler(0, policy, &p)), word(sched_setscheduler(0, policy, policy == 1 || policy == 2 ? &p : &p1)));
  sched_setscheduler(0, SCHED_OTHER, &p);
  printf("\n%s ", word(sched_rr_get_interval(0, &t))); printf("%s %s %d %d\n", word(sched_rr_get_interval(-1, &t)), word(sched_rr_get_interval(gone, &t)), (int)t.tv_sec, t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
  printf("max %d %d %d %s\n", sched_get_priority_max(0), sched_get_priority_max(2), sched_get_priority_min(1), word(sched_get_priority_max(77)));
  int own = open("/proc/self", O_DIRECTORY), other = open("/proc", O_DIRECTORY);
  printf("parent %s directory %s %s\n", word(sched_getscheduler(getppid())), word(syscall(424, own, 0, 0, 0)), word(syscall(424, other, 0, 0, 0)));
  struct attr a; memset(&a, 0xff, sizeof a);
  printf("attr %s ", word(syscall(SYS_sched_getattr, 0, &a, 56, 0))); int before = getpriority(PRIO_PROCESS, 0); printf("%u %u %d %u ", a.size, a.policy, a.nice - before, a.priority);
  printf("%s %s %s %s\n", word(syscall(SYS_sched_getattr, 0, &a, 8, 0)), word(syscall(SYS_sched_getattr, 0, &a, 56, 1)), word(syscall(SYS_sched_getattr, -1, &a, 56, 0)), word(syscall(SYS_sched_getattr, gone, &a, 56, 0)));
  a = (struct attr){ .size = 48, .nice = before + 5 }; printf("%s ", word(syscall(SYS_sched_setattr, 0, &a, 0))); printf("nice %d ", getpriority(PRIO_PROCESS, 0) - before);
  a.policy = 77; printf("%s ", word(syscall(SYS_sched_setattr, 0, &a, 0))); a.policy = 0; a.priority = 4; printf("%s ", word(syscall(SYS_sched_setattr, 0, &a, 0)));
  a.priority = 0; printf("%s ", word(syscall(SYS_sched_setattr, 0, &a, 1))); a.size = 40; printf("%s ", word(syscall(SYS_sched_setattr, 0, &a, 0))); printf("%u\n", a.size >= 56);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  opens(); births(); schedules();
  return 0;
}
