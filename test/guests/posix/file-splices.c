/* splice, tee and vmsplice between pipes, files and sockets; /proc of threads and descriptors.
 * flags: -pthread
 * oracle: host
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
static int fails(long result, int error) { return result == -1 && errno == error; }
static void show(const char *label, int fd) { char text[64]; long n = read(fd, text, 64); printf("%s %ld %.*s\n", label, n, n > 0 ? (int)n : 0, text); }
static int entries(const char *path) { DIR *d = opendir(path); int n = 0; if (d == NULL) return -1; for (struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.'; closedir(d); return n; }
static pthread_barrier_t barrier;
static void *stays(void *a) { prctl(PR_SET_NAME, "helper"); pthread_barrier_wait(&barrier); pthread_barrier_wait(&barrier); return 0; }
static void line_of(const char *path, const char *start) { char line[256]; FILE *f = fopen(path, "r"); if (f == NULL) { printf("no %s\n", path); return; } while (fgets(line, sizeof line, f)) if (strncmp(line, start, strlen(start)) == 0) printf("%s", line); fclose(f); }
int main(void) {
  int a[2], b[2], s[2]; loff_t at = 2, to = 4; signal(SIGPIPE, SIG_IGN); setvbuf(stdout, 0, _IONBF, 0);
  pipe(a); pipe(b); socketpair(AF_UNIX, SOCK_STREAM, 0, s); int f = open("splices", O_CREAT | O_RDWR | O_TRUNC, 0600); write(f, "0123456789", 10);
  long n = splice(f, &at, a[1], 0, 5, 0); printf("file to pipe %ld at %ld offset %ld\n", n, (long)at, (long)lseek(f, 0, SEEK_CUR)); show("pipe", a[0]);
  lseek(f, 0, SEEK_SET); n = splice(f, 0, a[1], 0, 3, 0); printf("own offset %ld %ld\n", n, (long)lseek(f, 0, SEEK_CUR)); n = splice(a[0], 0, f, &to, 100, 0); printf("pipe to file %ld to %ld\n", n, (long)to); pread(f, (char[16]){0}, 10, 0); lseek(f, 0, SEEK_SET); show("file", f);
  write(a[1], "hello", 5); printf("tee %zd", tee(a[0], b[1], 3, 0)); printf(" splice %zd\n", splice(a[0], 0, b[1], 0, 10, 0)); show("both", b[0]);
  write(a[1], "net", 3); printf("to a socket %zd ", splice(a[0], 0, s[0], 0, 10, 0)); show("socket", s[1]); write(s[1], "back", 4); printf("from a socket %zd ", splice(s[0], 0, a[1], 0, 10, 0)); show("pipe", a[0]);
  struct iovec parts[2] = {{"one ", 4}, {"two", 3}}; printf("memory %zd ", vmsplice(a[1], parts, 2, 0)); show("pipe", a[0]);
  printf("nothing %d bad %d %d seek %d self %d\n", fails(splice(a[0], 0, b[1], 0, 5, SPLICE_F_NONBLOCK), EAGAIN), fails(splice(f, 0, f, 0, 5, 0), EINVAL), fails(splice(99, 0, a[1], 0, 5, 0), EBADF), fails(splice(a[0], &at, f, 0, 5, 0), ESPIPE), fails(tee(a[0], f, 5, 0), EINVAL));
  printf("end of file %zd ", splice(f, &(loff_t){100}, a[1], 0, 5, 0)); close(a[1]); printf("end of pipe %zd ", splice(a[0], 0, f, 0, 5, 0)); close(b[0]); printf("no reader %d\n", fails(splice(f, &(loff_t){0}, b[1], 0, 5, 0), EPIPE));
  pthread_t t; pthread_barrier_init(&barrier, 0, 2); pthread_create(&t, 0, stays, 0); pthread_barrier_wait(&barrier);
  printf("threads %d ", entries("/proc/self/task")); DIR *d = opendir("/proc/self/task"); char path[64], name[32] = {0}; int helpers = 0; for (struct dirent *e; (e = readdir(d)) != NULL;) { if (e->d_name[0] == '.') continue; snprintf(path, 64, "/proc/self/task/%.20s/comm", e->d_name); int c = open(path, O_RDONLY); memset(name, 0, 32); read(c, name, 31); close(c); helpers += !strcmp(name, "helper\n"); } closedir(d);
  printf("helper %d own %d gone %d\n", helpers, (snprintf(path, 64, "/proc/%d/task/%d/status", getpid(), getpid()), access(path, F_OK)), access("/proc/self/task/1/status", F_OK));
  line_of("/proc/self/status", "Threads:"); pthread_barrier_wait(&barrier); pthread_join(t, 0);
  sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR1); sigaddset(&set, SIGRTMIN); sigprocmask(SIG_BLOCK, &set, 0); raise(SIGUSR1); line_of("/proc/self/status", "SigBlk:"); line_of("/proc/self/status", "SigPnd:"); line_of("/proc/self/status", "SigIgn:");
  dup2(f, 20); lseek(20, 7, SEEK_SET); fcntl(20, F_SETFD, FD_CLOEXEC); line_of("/proc/self/fdinfo/20", "pos:"); line_of("/proc/self/fdinfo/20", "flags:"); printf("closed %d\n", access("/proc/self/fdinfo/77", F_OK)); int e = eventfd(5, 0); snprintf(path, 64, "/proc/self/fdinfo/%d", e); line_of(path, "eventfd-count:");
  line_of("/proc/self/limits", "Limit"); unlink("splices");
  return 0;
}
