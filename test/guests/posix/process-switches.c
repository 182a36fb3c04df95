/* Small switches of processes and descriptors: niceness, prctl, asynchronous input by ioctl, the size of a pipe.
 * oracle: host
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int fails(long result, int error) { return result == -1 && errno == error; }

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0); signal(SIGIO, SIG_IGN);
  int before = getpriority(PRIO_PROCESS, 0); printf("nice %d\n", nice(3) - before); printf("got %d\n", getpriority(PRIO_PROCESS, getpid()) - before);
  if (fork() == 0) { printf("child %d\n", getpriority(PRIO_PROCESS, 0) - before); setpriority(PRIO_PROCESS, 0, before + 5); printf("more %d\n", getpriority(PRIO_PROCESS, 0) - before); _exit(0); }
  wait(0); printf("own %d\n", getpriority(PRIO_PROCESS, 0) - before); setpriority(PRIO_PROCESS, 0, 100); printf("most %d\n", getpriority(PRIO_PROCESS, 0));
  printf("no such %d\n", fails(getpriority(PRIO_PROCESS, 99999999), ESRCH)); printf("no kind %d\n", fails(setpriority(7, 0, 1), EINVAL));
  printf("ambient %d", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)); printf(" %d", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 1, 0, 0)); printf(" %d", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, 1, 0, 0)); printf(" %d", fails(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 1, 0, 0), EPERM));
  printf(" %d\n", fails(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 99, 0, 0), EINVAL)); printf("keep %d\n", prctl(PR_GET_KEEPCAPS)); printf("secure %d\n", prctl(PR_GET_SECCOMP));
  int ends[2], on = 1, off = 0; socketpair(AF_UNIX, SOCK_STREAM, 0, ends); printf("async %d", ioctl(ends[0], FIOASYNC, &on)); printf(" %d", (fcntl(ends[0], F_GETFL) & O_ASYNC) != 0); ioctl(ends[0], FIOASYNC, &off); printf(" %d\n", (fcntl(ends[0], F_GETFL) & O_ASYNC) != 0);
  pipe(ends); printf("pipe %d", ioctl(ends[0], FIOASYNC, &on)); int file = open("plain", O_CREAT | O_RDWR, 0600); printf(" file %d\n", fails(ioctl(file, FIOASYNC, &on), ENOTTY));
  pipe(ends); fcntl(ends[1], F_SETFL, O_NONBLOCK); char page[4096] = {0}; int pages = 0; printf("size %d", fcntl(ends[0], F_GETPIPE_SZ)); printf(" %d", fcntl(ends[1], F_SETPIPE_SZ, 10000)); printf(" %d", fcntl(ends[0], F_GETPIPE_SZ));
  while (write(ends[1], page, sizeof page) > 0) pages++;
  printf(" pages %d", pages); printf(" busy %d", fails(fcntl(ends[1], F_SETPIPE_SZ, 4096), EBUSY)); printf(" %d", fcntl(ends[1], F_SETPIPE_SZ, 1 << 20)); printf(" %d\n", (int)write(ends[1], page, sizeof page)); printf("no pipe %d\n", fails(fcntl(file, F_SETPIPE_SZ, 4096), EBADF));
  return 0;
}
