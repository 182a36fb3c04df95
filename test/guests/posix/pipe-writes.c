/* Writes to pipes that are larger than the room: in parts, ended by signals and by the last reader, whole when they are small.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char bytes[100000];
static volatile sig_atomic_t rings, pipes;
static void ring(int signal) { (void)signal; rings++; }
static void broken(int signal) { (void)signal; pipes++; }
/* Until the child sleeps, which it does in its one write only. */
static void settle(pid_t child) {
  char path[64], line[512], state = 0; snprintf(path, sizeof path, "/proc/%d/stat", child);
  while (state != 'S') { sched_yield(); int fd = open(path, O_RDONLY); long n = read(fd, line, sizeof line - 1); close(fd); line[n > 0 ? n : 0] = 0; char *at = strrchr(line, ')'); state = at ? at[2] : 'S'; }
}
static void handle(int flags) { struct sigaction a = { .sa_handler = ring, .sa_flags = flags }; sigaction(SIGALRM, &a, 0); }
static void timer(int on) { struct itimerval t = { { 0, on * 20000 }, { 0, on * 20000 } }; setitimer(ITIMER_REAL, &t, 0); }
static int inside(int fd) { int n = -1; ioctl(fd, FIONREAD, &n); return n; }
static unsigned drain(int fd, size_t step, long *total) { static char in[65536]; unsigned hash = 5381; long n; *total = 0; while ((n = read(fd, in, step)) > 0) { for (long i = 0; i < n; i++) hash = hash * 33 + (unsigned char)in[i]; *total += n; } return hash; }

int main(void) {
  int p[2]; long total; pid_t child; int status;
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 7 + i / 251);
  setvbuf(stdout, 0, _IOLBF, 0); alarm(0);
  pipe(p); if ((child = fork()) == 0) { close(p[0]); long n = write(p[1], bytes, 90000); printf("wrote %ld\n", n); _exit(0); }
  close(p[1]); settle(child); printf("inside %d\n", inside(p[0])); unsigned hash = drain(p[0], 8192, &total); printf("read %ld %08x\n", total, hash); close(p[0]); waitpid(child, &status, 0);
  pipe(p); if ((child = fork()) == 0) { close(p[0]); struct iovec v[3] = { { bytes, 100 }, { bytes + 5000, 70000 }, { bytes + 9, 9000 } }; long n = writev(p[1], v, 3); printf("vector %ld\n", n); _exit(0); }
  close(p[1]); settle(child); printf("inside %d\n", inside(p[0])); hash = drain(p[0], 16384, &total); printf("read %ld %08x\n", total, hash); close(p[0]); waitpid(child, &status, 0);
  for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
    pipe(p); handle(flags); timer(1); long n = write(p[1], bytes, 90000); timer(0); printf("interrupted %ld inside %d rung %d\n", n, inside(p[0]), rings > 0);
    if (flags == 0) { timer(1); n = write(p[1], bytes, 100); timer(0); printf("small %ld %s inside %d\n", n, strerror(errno), inside(p[0])); timer(1); n = write(p[1], bytes, 100000); timer(0); printf("large %ld %s\n", n, strerror(errno)); }
    close(p[0]); close(p[1]);
  }
  signal(SIGPIPE, broken); pipe(p);
  if ((child = fork()) == 0) { close(p[0]); long n = write(p[1], bytes, 100000); printf("broken %ld %d\n", n, pipes); n = write(p[1], bytes, 100000); printf("broken %ld %d %s\n", n, pipes, strerror(errno)); _exit(0); }
  close(p[1]); settle(child); close(p[0]); waitpid(child, &status, 0);
  pipe(p); fcntl(p[1], F_SETPIPE_SZ, 4096); if ((child = fork()) == 0) { close(p[0]); long n = write(p[1], bytes, 9000); printf("narrow %ld\n", n); _exit(0); }
  close(p[1]); settle(child); printf("inside %d\n", inside(p[0])); hash = drain(p[0], 1000, &total); printf("read %ld %08x\n", total, hash); close(p[0]); waitpid(child, &status, 0);
  pipe(p); for (int i = 0; i < 3; i++) if (fork() == 0) { close(p[0]); memset(bytes, 'a' + i, 70000); _exit(write(p[1], bytes, 70000) != 70000); }
  close(p[1]); long counts[3] = { 0 }, n; char in[5000]; while ((n = read(p[0], in, sizeof in)) > 0) for (long i = 0; i < n; i++) counts[in[i] - 'a']++;
  int bad = 0; while (wait(&status) > 0) bad += status != 0; printf("three %ld %ld %ld %d\n", counts[0], counts[1], counts[2], bad);
  return 0;
}
