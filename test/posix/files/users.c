/*
 * Users: what root may do and an ordinary user may not, how set*id changes who a process is, and what that means for files and signals, each call
 * printed with its result. Run as root in an empty directory; Linux on the host is the oracle. A child does what cannot be taken back.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "report.h"

/* The calls themselves: libc's would change all threads, and caches. */
#define SETUID(u) syscall(SYS_setuid, u)
#define SETGID(u) syscall(SYS_setgid, u)
#define SETREUID(r, e) syscall(SYS_setreuid, r, e)
#define SETREGID(r, e) syscall(SYS_setregid, r, e)
#define SETRESUID(r, e, s) syscall(SYS_setresuid, r, e, s)
#define SETRESGID(r, e, s) syscall(SYS_setresgid, r, e, s)
#define SETGROUPS(n, list) syscall(SYS_setgroups, n, list)

static void who(int line) {
  uid_t r, e, s; gid_t rg, eg, sg, list[20];
  getresuid(&r, &e, &s); getresgid(&rg, &eg, &sg);
  int n = getgroups(20, list);
  checks++;
  printf("%d who: uid %d %d %d %d, gid %d %d %d %d, groups", line, r, e, s, setfsuid(-1), rg, eg, sg, setfsgid(-1));
  for (int i = 0; i < n; i++) printf(" %d", list[i]);
  printf("; %d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
}
#define WHO() who(__LINE__)

static void owner(int line, const char *path) {
  struct stat s;
  checks++;
  if (lstat(path, &s) < 0) { printf("%d owner %s: %s\n", line, path, strerrorname_np(errno)); return; }
  printf("%d owner %s: %d:%d mode %o\n", line, path, s.st_uid, s.st_gid, s.st_mode & 07777);
}
#define OWNER(path) owner(__LINE__, path)

static void put(const char *path, int mode, int uid, int gid) {
  int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
  if (fd < 0 || write(fd, "x", 1) != 1 || fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0) { perror(path); exit(1); }
  close(fd);
}

static int opened(const char *path, int flags) { int fd = open(path, flags, 0644); if (fd >= 0) close(fd); return fd < 0 ? -1 : 0; }

/* Everything in a child of its own, which begins as root. */
static void in_child(void (*work)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) { work(); fflush(stdout); _exit(checks & 255); }
  int status;
  waitpid(child, &status, 0);
  printf("child: %x\n", status);
  checks += 1;
}

static void as(int uid, int gid) { gid_t g = gid; SETGROUPS(1, &g); SETRESGID(gid, gid, gid); SETRESUID(uid, uid, uid); }

static void ids_of_root(void) {
  R(SETUID(-1)); R(SETGID(-1)); WHO(); R(SETREUID(-1, 5)); WHO(); R(SETREUID(-1, 0)); WHO(); R(SETRESUID(7, -1, -1)); WHO(); R(SETRESUID(-1, 8, 9)); WHO(); R(SETRESUID(0, 0, 0)); R(SETUID(9)); WHO(); R(SETUID(0)); R(SETUID(9)); WHO();
}
static void reuid_root(void) { R(SETREUID(10, -1)); WHO(); R(SETREUID(11, 12)); WHO(); R(SETREUID(12, 11)); WHO(); R(SETREUID(11, 12)); WHO(); R(SETREUID(0, -1)); R(SETREUID(-1, 0)); R(SETREUID(13, -1)); R(SETREUID(-1, -1)); WHO(); }
static void resuid_user(void) { R(SETRESUID(20, 21, 22)); WHO(); R(SETRESUID(21, 22, 20)); WHO(); R(SETRESUID(23, -1, -1)); R(SETRESUID(-1, 0, -1)); R(SETUID(20)); WHO(); R(SETUID(22)); WHO(); R(SETUID(21)); WHO(); R(SETREUID(-1, 20)); WHO(); R(SETREUID(-1, 99)); }
static void saved_root(void) { R(SETRESUID(30, 30, 0)); WHO(); R(SETUID(31)); R(SETGID(31)); R(SETUID(0)); WHO(); R(SETUID(32)); WHO(); R(SETRESUID(30, 30, 0)); }
static void ids_of_group(void) { R(SETRESGID(40, 41, 42)); WHO(); R(SETREGID(43, -1)); WHO(); R(SETREGID(-1, 44)); WHO(); R(SETGID(45)); WHO(); R(SETRESUID(1, 1, 1)); R(SETGID(46)); R(SETREGID(46, -1)); R(SETRESGID(-1, 46, -1)); R(SETRESGID(45, 45, 45)); WHO(); }
static void group_user(void) { R(SETRESGID(50, 51, 52)); R(SETRESUID(1, 1, 1)); R(SETGID(51)); R(SETGID(52)); WHO(); R(SETREGID(52, 50)); WHO(); R(SETREGID(51, -1)); R(SETRESGID(52, 52, 50)); WHO(); }
static void file_ids(void) { R(setfsuid(60)); WHO(); R(setfsgid(61)); WHO(); OWNER("made-by-60"); R(opened("made-by-60", O_CREAT | O_WRONLY)); OWNER("made-by-60"); R(opened("secret", O_RDONLY)); R(setfsuid(0)); R(opened("secret", O_RDONLY)); R(SETRESUID(62, 62, 62)); WHO(); R(setfsuid(63)); WHO(); R(setfsgid(99)); R(setfsgid(0)); R(setfsgid(-1)); }
static void groups(void) {
  gid_t list[4] = {73, 71, 72, 71}, back[20];
  R(SETGROUPS(4, list)); WHO(); R(getgroups(0, back)); R(getgroups(2, back)); R(getgroups(-1, back)); R(syscall(SYS_getgroups, 20, 8)); R(SETGROUPS(65537, list)); R(SETGROUPS(-1, list)); R(SETGROUPS(3, 8)); R(SETGROUPS(0, 0)); WHO(); R(SETGROUPS(2, list)); R(SETRESUID(70, 70, 70)); WHO(); R(SETGROUPS(1, list));
  R(opened("of-group-71", O_RDONLY)); R(opened("of-group-71", O_WRONLY)); R(opened("of-group-72", O_RDONLY)); R(access("of-group-71", R_OK)); R(access("of-group-72", R_OK));
}
static void rights_of_user(void) {
  as(80, 81);
  R(opened("secret", O_RDONLY)); R(opened("readable", O_RDONLY)); R(opened("readable", O_WRONLY)); R(opened("owned-80", O_RDWR)); R(opened("owned-80-no", O_RDONLY)); R(opened("group-81", O_RDWR)); R(opened("group-81-no", O_RDONLY)); R(opened("closed/in", O_RDONLY)); R(opened("searchable/in", O_RDONLY)); R(opened("new", O_CREAT | O_WRONLY)); R(mkdir("newdir", 0755)); R(unlink("readable")); R(rename("readable", "x")); R(link("owned-80", "x")); R(symlink("a", "x")); R(mkfifo("x", 0600)); R(rmdir("closed")); R(opened("closed", O_RDONLY | O_DIRECTORY)); R(opened("searchable", O_RDONLY | O_DIRECTORY)); R(chdir("closed")); R(chdir("searchable")); R(chdir("..")); R(truncate("readable", 0)); R(truncate("owned-80", 0));
  R(chmod("readable", 0777)); R(chmod("owned-80", 0644)); R(chmod("owned-80-no", 06755)); OWNER("owned-80-no"); R(chmod("owned-80", 02755)); OWNER("owned-80"); R(chown("owned-80", 80, -1)); R(chown("owned-80", 82, -1)); R(chown("owned-80", -1, 81)); OWNER("owned-80"); R(chown("owned-80", -1, 83)); R(chown("readable", 80, -1)); R(chown("owned-80", -1, -1)); R(chown("readable", -1, -1)); R(lchown("link", 80, 81));
  R(utimensat(AT_FDCWD, "readable", NULL, 0)); R(utimensat(AT_FDCWD, "writable", NULL, 0)); struct timespec t[2] = {{1, 0}, {2, 0}}; R(utimensat(AT_FDCWD, "writable", t, 0)); R(utimensat(AT_FDCWD, "owned-80", t, 0));
  R(opened("sticky/mine", O_CREAT | O_WRONLY)); OWNER("sticky/mine"); R(unlink("sticky/theirs")); R(rename("sticky/theirs", "sticky/x")); R(rename("sticky/mine", "sticky/theirs")); R(unlink("sticky/mine")); R(opened("setgid/new", O_CREAT | O_WRONLY)); OWNER("setgid/new"); R(mkdir("setgid/dir", 0755)); OWNER("setgid/dir"); R(opened("world/new", O_CREAT | O_WRONLY)); OWNER("world/new"); R(link("world/new", "world/two")); R(unlink("world/theirs")); R(rmdir("world/empty")); R(opened("execute-only", O_RDONLY)); R(access("execute-only", X_OK)); R(access("secret", F_OK)); R(access("closed/in", F_OK)); R(access("secret", R_OK)); R(faccessat(AT_FDCWD, "owned-80", R_OK | W_OK, AT_EACCESS));
  R(mknod("world/device", S_IFCHR | 0666, 259)); R(chroot(".")); R(SETUID(0)); R(SETREUID(0, 0)); R(SETGID(0)); R(opened("/proc/1/environ", O_RDONLY) == 0);
}
static void rights_of_root(void) {
  R(opened("closed/in", O_RDWR)); R(opened("owned-80-no", O_RDWR)); R(access("secret", R_OK | W_OK)); R(access("secret", X_OK)); R(access("execute-only", X_OK)); R(chmod("owned-80", 02755)); OWNER("owned-80"); R(chown("owned-80", 84, 85)); OWNER("owned-80"); R(chmod("owned-80", 06755)); R(chown("owned-80", 80, 80)); OWNER("owned-80"); R(chmod("owned-80", 06644)); R(chown("owned-80", -1, 81)); OWNER("owned-80"); R(lchown("link", 86, 87)); OWNER("link"); int set = open("owned-80-no", O_RDWR); R(chmod("owned-80-no", 06755)); R(write(set, "y", 1)); R(ftruncate(set, 3)); R(fallocate(set, 0, 0, 8)); R(opened("owned-80-no", O_WRONLY | O_TRUNC)); OWNER("owned-80-no"); close(set); R(unlink("sticky/theirs")); R(mkdir("as-root", 0700)); R(chown("as-root", 80, 81)); OWNER("as-root"); R(fchownat(AT_FDCWD, "as-root", 88, 89, 0)); OWNER("as-root"); put("sticky/theirs", 0644, 90, 90);
}
/* access(2) asks with the real ids, open with those of files. */
static void real_and_effective(void) { R(SETRESGID(81, 81, 0)); R(SETRESUID(80, 0, 0)); R(access("secret", R_OK)); R(faccessat(AT_FDCWD, "secret", R_OK, AT_EACCESS)); R(opened("secret", O_RDONLY)); R(access("owned-80-no", R_OK)); R(opened("owned-80-no", O_RDONLY)); R(SETRESUID(0, 80, 0)); R(access("secret", R_OK)); R(faccessat(AT_FDCWD, "secret", R_OK, AT_EACCESS)); R(opened("secret", O_RDONLY)); R(SETREUID(80, 0)); WHO(); }
static void signals(void) {
  int ready[2], go[2]; char c;
  for (int who = 0; who < 3; who++) {
    if (pipe(ready) < 0 || pipe(go) < 0) _exit(1);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) { int id = who == 0 ? 0 : who == 1 ? 100 : 101; if (who == 1) SETRESUID(100, 100, 100); else SETRESUID(id, id, id); (void)!write(ready[1], "r", 1); (void)!read(go[0], &c, 1); _exit(3); }
    (void)!read(ready[0], &c, 1);
    fflush(stdout);
    pid_t sender = fork();
    if (sender == 0) { SETRESUID(100, 100, 100); R(kill(child, 0)); R(syscall(SYS_tgkill, child, child, 0)); R(kill(child, SIGCONT)); R(kill(child, SIGUSR1)); fflush(stdout); _exit(0); }
    int status; waitpid(sender, &status, 0);
    (void)!write(go[1], "g", 1);
    waitpid(child, &status, 0);
    printf("receiver %d: %x\n", who, status);
    close(ready[0]); close(ready[1]); close(go[0]); close(go[1]);
  }
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) { SETRESUID(102, 103, 104); pause(); _exit(0); }
  R(kill(child, SIGTERM)); int status; waitpid(child, &status, 0); printf("root's: %x\n", status);
}

/* Ports below 1024 are root's; whether others may have them a container's settings say. */
static void ports(void) {
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(987), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  R(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&address, sizeof address));
  R(bind(socket(AF_INET, SOCK_DGRAM, 0), (void *)&address, sizeof address));
}

int main(void) {
  umask(022);
  gid_t none = 0;
  SETGROUPS(1, &none);
  put("secret", 0600, 0, 0); put("readable", 0644, 0, 0); put("writable", 0666, 0, 0); put("owned-80", 0600, 80, 0); put("owned-80-no", 0077, 80, 0); put("group-81", 0060, 0, 81); put("group-81-no", 0606, 0, 81); put("of-group-71", 0640, 0, 71); put("of-group-72", 0640, 0, 72); put("execute-only", 0711, 0, 0);
  mkdir("closed", 0700); put("closed/in", 0666, 0, 0); mkdir("searchable", 0711); put("searchable/in", 0666, 0, 0); mkdir("sticky", 0); chmod("sticky", 01777); put("sticky/theirs", 0666, 90, 90); mkdir("setgid", 0); chown("setgid", 80, 91); chmod("setgid", 02777); mkdir("world", 0); chmod("world", 0777); put("world/theirs", 0600, 0, 0); mkdir("world/empty", 0700);
  if (symlink("readable", "link") < 0) return 1;
  WHO();
  in_child(ids_of_root); in_child(reuid_root); in_child(resuid_user); in_child(saved_root); in_child(ids_of_group); in_child(group_user); in_child(file_ids); in_child(groups); in_child(rights_of_user); in_child(rights_of_root); in_child(real_and_effective); in_child(signals); in_child(ports); in_child(rights_of_user);
  WHO();
  printf("%d checks\n", checks);
  return 0;
}
