/* Processes that share descriptors (CLONE_FILES), or working directory and umask (CLONE_FS), until one of them leaves, unshares or executes.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST = 50 };
static char stack[1 << 16] __attribute__((aligned(16)));
static int go[2], told[2], home;
static void say(void) { write(told[1], "x", 1); }
static void hear(void) { char c; read(told[0], &c, 1); }
static void step(void) { char c; read(go[0], &c, 1); }
static void next(void) { write(go[1], "x", 1); }
static int is_open(int number) { return fcntl(number, F_GETFD) >= 0; }
static int mask(void) { int old = umask(0); umask(old); return old; }
static int is_home(void) { struct stat here, there; stat(".", &here); fstat(home, &there); return here.st_ino == there.st_ino; }
static void show(const char *who) { printf(" %s", who); for (int i = 0; i < 4; i++) putchar(is_open(FIRST + i) ? 'o' : '-'); printf(" %s %03o", is_home() ? "home" : "away", mask()); }

static int works(void *way) { /* In steps, so that the machine may stop at any place between. */
  dup2(0, FIRST); dup2(0, FIRST + 1); umask(077); say(); step();
  close(FIRST); chdir("/dev"); say(); step();
  switch ((long)way) {
    case 1: unshare(CLONE_FILES | CLONE_FS); break;
    case 2: close_range(FIRST + 1, FIRST + 1, CLOSE_RANGE_UNSHARE); break;
    case 3: raise(SIGKILL); break;
    case 4: fcntl(FIRST + 1, F_SETFD, FD_CLOEXEC); char name[8]; sprintf(name, "%d", told[1]); execl("/proc/self/exe", "again", name, (char *)0); _exit(9);
  }
  dup2(0, FIRST + 2); umask(007); say(); step();
  return 0;
}
static void run(const char *name, int flags, long way) {
  fchdir(home); umask(022); for (int i = 0; i < 4; i++) close(FIRST + i);
  printf("%s:", name); fflush(stdout);
  pid_t child = clone(works, stack + sizeof stack, flags | SIGCHLD, (void *)way); hear(); show("begun"); next();
  printf(" same %d%d", syscall(SYS_kcmp, getpid(), child, 2, 0, 0) == 0, syscall(SYS_kcmp, getpid(), child, 3, 0, 0) == 0);
  hear(); show("moved"); dup2(0, FIRST + 3); next();
  int status = 0; if (way == 3) waitpid(child, &status, 0); else hear();
  show("then"); if (way != 3) { if (way != 4) next(); waitpid(child, &status, 0); }
  show("over"); printf(" %x\n", status);
}
int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IOFBF, 4096);
  if (argc > 1) { dup2(0, FIRST + 2); write(atoi(argv[1]), "x", 1); return 0; }
  home = open(".", O_RDONLY | O_DIRECTORY); pipe(go); pipe(told);
  run("nothing", 0, 0); run("descriptors", CLONE_FILES, 0); run("place", CLONE_FS, 0); run("both", CLONE_FILES | CLONE_FS, 0); run("memory, too", CLONE_VM | CLONE_FILES | CLONE_FS, 0);
  run("unshared", CLONE_FILES | CLONE_FS, 1); run("closed apart", CLONE_FILES | CLONE_FS, 2); run("killed", CLONE_FILES | CLONE_FS, 3); run("executed", CLONE_FILES | CLONE_FS, 4);
  run("and on", CLONE_FILES, 0);
  return 0;
}
