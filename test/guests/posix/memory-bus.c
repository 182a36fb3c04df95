/* Access behind the end of a mapped file: SIGBUS with its address, EFAULT in calls, and what a file that grows or shrinks under its mappings does to them,
 * shared and private, here and in another process; mappings beyond System V segments and shared memory that grew; many mappings of one file.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, MANY = 300 };

static sigjmp_buf back;
static volatile int seen, code;
static char *volatile where;

static void handler(int signal, siginfo_t *info, void *context) {
  (void)context;
  seen = signal, code = info->si_code, where = info->si_addr;
  siglongjmp(back, 1);
}

/* What reading and writing one byte does. */
static void touch(const char *what, char *base, long offset) {
  for (int writes = 0; writes < 2; writes++) {
    volatile char *at = base + offset;
    int value = -1;
    seen = 0;
    if (sigsetjmp(back, 1) == 0) {
      value = *at;
      if (writes) *at = (char)(value + 1);
    }
    printf("%s %ld %s: %d", what, offset, writes ? "write" : "read", value);
    if (seen) printf(" signal %d code %d at %ld", seen, code, (long)(where - base));
    printf("\n");
  }
}

static void child(const char *what, char *base, long offset) {
  fflush(stdout);
  int pid = fork(), status = 0;
  if (pid == 0) touch(what, base, offset), fflush(stdout), _exit(0);
  waitpid(pid, &status, 0);
  printf("%s ended %x\n", what, status);
}

int main(void) {
  char name[] = "bus-XXXXXX", bytes[2 * PAGE];
  int file = mkstemp(name), there[2], status = 0;
  struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
  sigaction(SIGBUS, &action, NULL), sigaction(SIGSEGV, &action, NULL);
  memset(bytes, 'a', sizeof bytes);
  if (write(file, bytes, PAGE + 100) != PAGE + 100 || pipe(there) != 0) return 1;
  char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  char *private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  char *tail = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 2 * PAGE);
  touch("shared", shared, PAGE + 99), touch("shared", shared, PAGE + 100), touch("shared", shared, 2 * PAGE), touch("shared", shared, 4 * PAGE - 1);
  touch("private", private, 2 * PAGE - 1), touch("private", private, 2 * PAGE), touch("tail", tail, 1);
  printf("call %zd", write(there[1], shared + 2 * PAGE, 1)), printf(" %d\n", errno);
  printf("call %zd", pread(file, private + 3 * PAGE, 1, 0)), printf(" %d\n", errno);
  printf("part %zd", write(there[1], shared + 2 * PAGE - 10, 20)), printf(" %d\n", errno);
  child("child", shared, 3 * PAGE);
  if (ftruncate(file, 3 * PAGE) != 0) return 1;
  touch("grown", shared, 2 * PAGE), touch("grown", shared, 3 * PAGE), touch("grown", private, 2 * PAGE + 5), touch("grown", tail, 1), touch("grown", tail, PAGE);
  if (pwrite(file, "xyz", 3, 3 * PAGE) != 3) return 1;
  touch("written", shared, 3 * PAGE + 1), touch("written", private, 3 * PAGE + 2), touch("written", tail, PAGE + 2);
  fflush(stdout);
  int pid = fork();
  if (pid == 0) {
    if (ftruncate(file, PAGE) != 0) _exit(1);
    touch("cut by child", shared, PAGE), touch("cut by child", private, PAGE), fflush(stdout);
    _exit(0);
  }
  waitpid(pid, &status, 0);
  touch("cut", shared, PAGE - 1), touch("cut", shared, PAGE), touch("cut", private, 3 * PAGE), touch("cut", tail, 0);
  if (ftruncate(file, 4 * PAGE) != 0) return 1;
  touch("again", shared, PAGE), touch("again", private, 3 * PAGE), touch("again", tail, 0);
  printf("protect %d\n", mprotect(shared, 4 * PAGE, PROT_READ)), touch("read only", shared, PAGE);
  if (ftruncate(file, 2 * PAGE) != 0) return 1;
  touch("read only", shared, 3 * PAGE);
  printf("protect %d\n", mprotect(shared, 4 * PAGE, PROT_READ | PROT_WRITE)), touch("both", shared, 3 * PAGE), touch("both", shared, PAGE);
  char *anonymous = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  anonymous = mremap(anonymous, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
  touch("remapped", anonymous, PAGE - 1), touch("remapped", anonymous, PAGE);
  munmap(shared, 4 * PAGE), munmap(tail, 2 * PAGE);
  long sum = 0;
  char **many = calloc(MANY, sizeof *many);
  for (int i = 0; i < MANY; i++) {
    many[i] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, i % 3 ? MAP_SHARED : MAP_PRIVATE, file, i % 2 ? PAGE : 0);
    if (many[i] == MAP_FAILED) return 1;
    many[i][i] += 1;
  }
  for (int i = 0; i < MANY; i += 2) sum += many[i][i % PAGE], munmap(many[i], PAGE);
  if (ftruncate(file, PAGE) != 0) return 1;
  touch("many", many[1], 7);
  for (int i = 1; i < MANY; i += 2) munmap(many[i], PAGE);
  printf("sum %ld\n", sum);
  signal(SIGBUS, SIG_DFL), fflush(stdout);
  pid = fork();
  if (pid == 0) _exit(private[3 * PAGE]);
  waitpid(pid, &status, 0);
  printf("ends %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
  unlink(name);
  return 0;
}
