/* Looking into another process of the same user: its memory, its descriptors, what both share; and after it said no (PR_SET_DUMPABLE).
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *word(long result) { static char text[8][24]; static int turn; char *out = text[turn++ & 7]; if (result >= 0) snprintf(out, 24, "%ld", result); else snprintf(out, 24, "%s", strerrorname_np(errno)); return out; }

static char secret[8] = "before";

static void look(const char *when, pid_t child, int pidfd, int end) {
  char found[8] = "nothing";
  struct iovec here = { found, 8 }, there = { secret, 8 };
  printf("%s: memory %s", when, word(process_vm_readv(child, &here, 1, &there, 1, 0))); printf(" %s", found);
  long taken = syscall(SYS_pidfd_getfd, pidfd, end, 0); printf(", descriptor %s", taken >= 0 ? "taken" : word(taken)); if (taken >= 0) close(taken);
  printf(", same file %s\n", word(syscall(SYS_kcmp, getpid(), child, KCMP_FILE, end, end)));
}

int main(void) {
  if (geteuid() == 0) { setresgid(1000, 1000, 1000); setresuid(1000, 1000, 1000); }
  prctl(PR_SET_DUMPABLE, 1); prctl(PR_SET_PTRACER, -1L);
  int ready[2], go[2]; char byte = 0; pipe(ready); pipe(go);
  pid_t child = fork();
  if (child == 0) {
    strcpy(secret, "child"); write(ready[1], "1", 1); read(go[0], &byte, 1);
    prctl(PR_SET_DUMPABLE, 0); write(ready[1], "2", 1); read(go[0], &byte, 1);
    prctl(PR_SET_DUMPABLE, 1); write(ready[1], "3", 1); pause();
  }
  int pidfd = syscall(SYS_pidfd_open, child, 0);
  read(ready[0], &byte, 1); look("open", child, pidfd, ready[1]);
  write(go[1], "x", 1); read(ready[0], &byte, 1); look("closed", child, pidfd, ready[1]);
  write(go[1], "x", 1); read(ready[0], &byte, 1); look("open again", child, pidfd, ready[1]);
  kill(child, SIGKILL); waitpid(child, NULL, 0);
  return 0;
}
