/* Looking into another process: process_vm_readv, process_vm_writev, kcmp, unshare, ioprio. The lines are those of Linux (run by an ordinary user). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *word(long result) { static char text[8][24]; static int turn; char *out = text[turn++ & 7]; if (result < 0) snprintf(out, 24, "%s", strerrorname_np(errno)); else snprintf(out, 24, "%ld", result); return out; }
static long compare(pid_t a, pid_t b, int type, int x, int y) { return syscall(SYS_kcmp, a, b, type, x, y); }

int main(void) {
  static char text[64] = "a text of the parent", mine[64]; int ready[2], go[2];
  if (pipe(ready) || pipe(go)) return 1;
  char *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *edge = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(edge + 4096, 4096, PROT_NONE);
  fflush(stdout); pid_t child = fork();
  if (child == 0) { char c; prctl(PR_SET_PDEATHSIG, SIGKILL); strcpy(text, "a text of the child"); strcpy(edge + 4090, "edge"); if (write(ready[1], "r", 1) != 1 || read(go[0], &c, 1) != 1) _exit(1); printf("child has: %s, %s\n", text, shared); fflush(stdout); _exit(7); }
  char c; if (read(ready[0], &c, 1) != 1) return 1;
  struct iovec own[2] = { { mine, 7 }, { mine + 10, 12 } }, other[2] = { { text, 10 }, { text + 10, 9 } };
  printf("read %s %.7s|%s\n", word(process_vm_readv(child, own, 2, other, 2, 0)), mine, mine + 10);
  printf("own %s\n", word(process_vm_readv(getpid(), own, 1, other, 1, 0)));
  struct iovec over = { edge + 4090, 20 }, wide = { mine, 20 }, none = { edge + 4096, 4 }, written = { text + 2, 4 }, from = { "WORD", 4 }, common = { shared, 6 }, news = { "shared", 6 };
  memset(mine, 0, 64); printf("edge %s %s\n", word(process_vm_readv(child, &wide, 1, &over, 1, 0)), mine);
  printf("none %s\n", word(process_vm_readv(child, &wide, 1, &none, 1, 0)));
  printf("flags %s\n", word(process_vm_readv(child, &wide, 1, &over, 1, 1)));
  printf("count %s\n", word(process_vm_readv(child, &wide, 1, &over, 1025, 0)));
  printf("nobody %s\n", word(process_vm_readv(999999, &wide, 1, &over, 1, 0)));
  printf("empty %s\n", word(process_vm_readv(child, &wide, 0, &over, 1, 0)));
  printf("write %s\n", word(process_vm_writev(child, &from, 1, &written, 1, 0)));
  printf("shared %s", word(process_vm_writev(child, &news, 1, &common, 1, 0))); printf(" %s %s\n", shared, text);
  printf("same %s", word(compare(getpid(), getpid(), 0, 1, 1))); int twice = dup(1); printf(" %s", word(compare(getpid(), child, 0, twice, 1))); printf(" %d", compare(getpid(), getpid(), 0, 0, ready[0]) > 0); printf(" %s\n", word(compare(getpid(), child, 0, 77, 1)));
  printf("kinds %s", word(compare(child, child, 1, 0, 0))); printf(" %d", compare(getpid(), child, 1, 0, 0) > 0); printf(" %d", compare(getpid(), child, 2, 0, 0) > 0); printf(" %s", word(compare(getpid(), child, 6, 0, 0))); printf(" %s\n", word(compare(getpid(), child, 99, 0, 0)));
  if (write(go[1], "g", 1) != 1) return 1;
  int status; waitpid(child, &status, 0); printf("ended %d %s\n", WEXITSTATUS(status), word(process_vm_readv(child, &wide, 1, &over, 1, 0)));
  printf("unshare %s", word(unshare(0))); printf(" %s", word(unshare(CLONE_FILES | CLONE_FS))); printf(" %s\n", word(unshare(1)));
  printf("io %s", word(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 4))); printf(" %s", word(syscall(SYS_ioprio_get, 1, 0))); printf(" %s", word(syscall(SYS_ioprio_get, 9, 0))); printf(" %s", word(syscall(SYS_ioprio_set, 1, 0, 9 << 13))); printf(" %s\n", word(syscall(SYS_ioprio_get, 1, 999999)));
  return 0;
}
