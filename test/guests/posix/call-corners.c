/* Programs that are being written, signals that go before others, and other corners of calls that test suites look into.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *word(long result) { return result >= 0 ? "ok" : strerrorname_np(errno); }
static int order[16], count;
static void note(int signal) { order[count++ & 15] = signal; }

static void busy(void) {
  int file = open("script", O_CREAT | O_WRONLY | O_CLOEXEC, 0755); write(file, "no program\n", 11);
  printf("open to write: %s\n", word(execl("./script", "script", (char *)0)));
  int other = open("script", O_RDONLY); close(file); printf("open to read: %s\n", word(execl("./script", "script", (char *)0))); close(other);
  int memory = memfd_create("program", MFD_CLOEXEC); write(memory, "no program\n", 11); printf("in memory: %s\n", word(fexecve(memory, (char *[]){"x", 0}, (char *[]){0})));
}
static void signals(void) {
  sigset_t all, old; sigfillset(&all); struct sigaction how = {.sa_handler = note, .sa_mask = all};
  const int sent[] = {SIGTERM, SIGHUP, SIGFPE, SIGUSR1, SIGSEGV, SIGRTMIN, SIGINT};
  sigprocmask(SIG_BLOCK, &all, &old);
  for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) { sigaction(sent[i], &how, 0); kill(getpid(), sent[i]); }
  sigset_t two; sigemptyset(&two); sigaddset(&two, SIGHUP); sigaddset(&two, SIGFPE); printf("first %d\n", sigwaitinfo(&two, 0));
  sigprocmask(SIG_SETMASK, &old, 0);
  printf("order"); for (int i = count - 1; i >= 0; i--) printf(" %d", order[i]); printf("\n"); /* The handler that begins last ends first, and nothing comes between. */
}
static void children(void) {
  siginfo_t info; int status; fflush(stdout); pid_t child = fork(); if (child == 0) _exit(3);
  waitid(P_PID, child, &info, WEXITED | WNOWAIT);
  printf("ended, asked for stops: %s", word(waitid(P_PID, child, &info, WSTOPPED | WNOHANG))); printf(" %s\n", word(waitid(P_ALL, 0, &info, WCONTINUED)));
  printf("its end: %d", waitpid(child, &status, 0) == child); printf(" %x\n", status);
  printf("groups %s", word(setpgid(-1, 0))); printf(" %s\n", word(setpgid(0, -1)));
}
static void controls(void) {
  printf("prctl %d %d %s", prctl(PR_GET_TIMING), prctl(PR_SET_TIMING, 0), word(prctl(PR_SET_TIMING, 1)));
  printf(" %d %d %d\n", prctl(PR_TASK_PERF_EVENTS_DISABLE), prctl(PR_TASK_PERF_EVENTS_ENABLE), prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
  int memory = memfd_create("sealed", MFD_ALLOW_SEALING); ftruncate(memory, 8192); fcntl(memory, F_ADD_SEALS, F_SEAL_GROW);
  printf("sealed %s", word(fallocate(memory, 0, 0, 16384))); printf(" %s", word(fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096))); fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE);
  printf(" %s\n", word(fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096)));
  int file = open("plain", O_CREAT | O_RDWR, 0600), ends[2]; pipe(ends); fcntl(file, F_SETFL, O_ASYNC | O_APPEND); fcntl(ends[0], F_SETFL, O_ASYNC);
  printf("flags %o %o\n", fcntl(file, F_GETFL) & (O_ASYNC | O_APPEND), fcntl(ends[0], F_GETFL) & (O_ASYNC | O_APPEND));
}
/* Of two mistakes in one call the first that Linux looks at is told. */
static void order_of_mistakes(void) {
  int file = open("plain", O_CREAT | O_RDWR, 0600), ends[2], path = open("plain", O_PATH); off_t before = -1, zero = 0; pipe(ends);
  printf("mmap %s", mmap(0, 0, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED ? strerrorname_np(errno) : "ok"); printf(" %s", mmap(0, 0, PROT_READ, MAP_PRIVATE, 99, 1) == MAP_FAILED ? strerrorname_np(errno) : "ok");
  printf(" %s", mmap(0, 4096, PROT_READ, 0, path, 0) == MAP_FAILED ? strerrorname_np(errno) : "ok"); printf(" %s\n", mmap(0, 0, PROT_READ, MAP_PRIVATE, file, 0) == MAP_FAILED ? strerrorname_np(errno) : "ok");
  printf("open %s", word(open("", O_TMPFILE | O_RDONLY, 0600))); printf(" %s\n", word(open((char *)8, O_TMPFILE | O_RDONLY, 0600)));
  printf("sendfile %s", word(sendfile(99, file, &before, 5))); printf(" %s", word(sendfile(99, 98, (off_t *)8, 5))); printf(" %s", word(sendfile(99, ends[0], &zero, 5)));
  printf(" %s", word(sendfile(99, file, &zero, 5))); printf(" %s\n", word(sendfile(file, ends[1], &before, 5)));
}
int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  busy(); signals(); children(); controls(); order_of_mistakes();
  return 0;
}
