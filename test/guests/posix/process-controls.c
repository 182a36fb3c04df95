/* prctl: a signal when the parent ends, who takes orphans, switches and who inherits them.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#define PR_GET_AUXV 0x41555856

static const char *word(int result) { return result < 0 ? strerrorname_np(errno) : "ok"; }
static int told[2];
static void say(const char *text) { write(told[1], text, strlen(text)); }
static void hear(void) { char text[64]; ssize_t n = read(told[0], text, sizeof text); printf("%.*s\n", (int) n, text); }

static void deaths(void) {
  for (int way = 0; way < 3; way++) {
    pid_t middle = fork();
    if (middle == 0) {
      int ready[2]; pipe(ready);
      if (fork() == 0) {
        sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR1); sigprocmask(SIG_BLOCK, &set, 0);
        prctl(PR_SET_PDEATHSIG, SIGUSR1);
        if (way == 1 && fork() > 0) { int s; wait(&s); say(WIFEXITED(s) ? "its child has no signal" : "?"); _exit(0); } /* Not inherited. */
        if (way == 1) { int s = -1; prctl(PR_GET_PDEATHSIG, &s); write(ready[1], "r", 1); _exit(s); }
        write(ready[1], "r", 1);
        siginfo_t info; int got = sigwaitinfo(&set, &info); say(got == SIGUSR1 ? "told of its parent's end" : "?"); _exit(0);
      }
      char c; read(ready[0], &c, 1);
      if (way == 2) raise(SIGKILL);
      if (way == 1) { int s; wait(&s); }
      _exit(0);
    }
    waitpid(middle, 0, 0); hear();
  }
  int signal = -1; printf("%s %s", word(prctl(PR_SET_PDEATHSIG, 65)), word(prctl(PR_SET_PDEATHSIG, SIGTERM))); prctl(PR_GET_PDEATHSIG, &signal); printf(" %d\n", signal); prctl(PR_SET_PDEATHSIG, 0);
}
static void orphans(void) {
  int is = -1; prctl(PR_GET_CHILD_SUBREAPER, &is); printf("reaper: %d", is);
  prctl(PR_SET_CHILD_SUBREAPER, 1); prctl(PR_GET_CHILD_SUBREAPER, &is); printf(" %d\n", is);
  pid_t middle = fork();
  if (middle == 0) {
    prctl(PR_GET_CHILD_SUBREAPER, &is); if (is) say("inherited");
    if (fork() == 0) { pid_t parent = getppid(); while (getppid() == parent) usleep(1000); _exit(getppid() == getpgrp() ? 7 : 8); }
    if (fork() == 0) { usleep(1000); _exit(9); } /* Is over before its parent is. */
    usleep(100000); _exit(5);
  }
  int codes = 0, count = 0, status;
  while (wait(&status) > 0) { codes += WEXITSTATUS(status); count++; }
  printf("%d children, %d\n", count, codes);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}
static void switches(void) {
  printf("dumpable %d", prctl(PR_GET_DUMPABLE)); printf(" %s", word(prctl(PR_SET_DUMPABLE, 2))); printf(" %s", word(prctl(PR_SET_DUMPABLE, 0))); printf(" %d\n", prctl(PR_GET_DUMPABLE)); prctl(PR_SET_DUMPABLE, 1);
  printf("keepcaps %d", prctl(PR_GET_KEEPCAPS)); printf(" %s", word(prctl(PR_SET_KEEPCAPS, 1))); printf(" %d", prctl(PR_GET_KEEPCAPS)); printf(" %s\n", word(prctl(PR_SET_KEEPCAPS, 3))); prctl(PR_SET_KEEPCAPS, 0);
  printf("slack %s", word(prctl(PR_SET_TIMERSLACK, 1234))); printf(" %d\n", prctl(PR_GET_TIMERSLACK));
  printf("privileges %s", word(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0))); printf(" %d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)); printf(" %s", word(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
  int status; if (fork() == 0) _exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)); wait(&status); printf(" %d, child %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), WEXITSTATUS(status));
  printf("unknown %s\n", word(prctl(9999)));
}
static void code(void) {
  printf("code %d", prctl(PR_GET_MDWE, 0, 0, 0, 0)); printf(" %s", word(prctl(PR_SET_MDWE, 2, 0, 0, 0))); printf(" %s", word(prctl(PR_SET_MDWE, 1, 1, 0, 0)));
  fflush(stdout);
  for (int way = 1; way <= 3; way += 2) {
    if (fork() > 0) { wait(0); continue; }
    char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("; %s", word(prctl(PR_SET_MDWE, way, 0, 0, 0))); printf(" %d", prctl(PR_GET_MDWE, 0, 0, 0, 0)); printf(" %s", word(prctl(PR_SET_MDWE, 0, 0, 0, 0)));
    printf(" %s", word(mprotect(page, 4096, PROT_READ | PROT_EXEC))); printf(" %s", word(mprotect(page, 4096, PROT_READ)));
    printf(" %s", mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? strerrorname_np(errno) : "ok");
    page = mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf(" %s", word(mprotect(page, 4096, PROT_READ | PROT_EXEC))); printf(" %s", word(mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC))); fflush(stdout);
    if (fork() == 0) { printf(" child %d", prctl(PR_GET_MDWE, 0, 0, 0, 0)); fflush(stdout); _exit(0); }
    wait(0); _exit(0);
  }
  printf("\n");
  unsigned long auxiliary[128]; long length = prctl(PR_GET_AUXV, auxiliary, sizeof auxiliary, 0, 0), first = -1; for (long i = 0; i < length / 8; i += 2) if (auxiliary[i] == AT_PAGESZ) first = auxiliary[i + 1];
  printf("auxiliary vector %ld %ld %d", length % 16, first, prctl(PR_GET_AUXV, auxiliary, 16, 0, 0) == length); printf(" %s", word(prctl(PR_GET_AUXV, 8, 16, 0, 0))); printf(" %s\n", word(prctl(PR_GET_AUXV, auxiliary, 16, 1, 0)));
  printf("others %s", word(prctl(PR_SET_MM, 1, 0, 0, 0))); printf(" %s", word(prctl(PR_MCE_KILL, 0, 0, 0, 0))); printf(" %s\n", word(prctl(68, 0, 0, 0, 0)));
}
int main(void) { setvbuf(stdout, 0, _IONBF, 0); setpgid(0, 0); pipe(told); deaths(); orphans(); switches(); code(); return 0; }
