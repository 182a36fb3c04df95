/* Sessions, groups, orphans, record locks between processes.
 * oracle: host
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
static int fails(long result, int error) { return result == -1 && errno == error; }
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  int status, ends[2]; char c; pipe(ends);
  pid_t child = fork();
  if (child == 0) {
    printf("own group first: %d\n", getpgrp() != getpid()); printf("setsid %d\n", setsid() == getpid());
    printf("leads %d %d\n", getpgrp() == getpid(), getsid(0) == getpid()); printf("twice %d\n", fails(setsid(), EPERM));
    printf("setpgid of a leader %d\n", fails(setpgid(0, 0), EPERM));
    pid_t grand = fork();
    if (grand == 0) { setpgid(0, 0); _exit(getpgrp() == getpid()); }
    waitpid(grand, &status, 0); _exit(WEXITSTATUS(status));
  }
  waitpid(child, &status, 0); printf("status %d\n", WEXITSTATUS(status));
  child = fork();
  if (child == 0) { read(ends[0], &c, 1); _exit(getpgrp() == getpid()); }
  printf("setpgid %d", setpgid(child, child)); printf(" getpgid %d\n", getpgid(child) == child);
  printf("other session %d\n", fails(setpgid(child, 1), EPERM)); write(ends[1], "x", 1);
  waitpid(child, &status, 0); printf("moved %d\n", WEXITSTATUS(status));
  printf("nobody %d\n", fails(getpgid(99999), ESRCH));
  int fd = open("locked", O_RDWR | O_CREAT, 0600); ftruncate(fd, 100);
  struct flock lock = {.l_type = F_WRLCK, .l_start = 10, .l_len = 10};
  fcntl(fd, F_SETLK, &lock);
  child = fork();
  if (child == 0) {
    struct flock other = {.l_type = F_WRLCK, .l_start = 15, .l_len = 10};
    printf("refused %d\n", fails(fcntl(fd, F_SETLK, &other), EAGAIN));
    fcntl(fd, F_GETLK, &other); printf("holder %d from %ld\n", other.l_pid == getppid(), (long)other.l_start);
    other = (struct flock){.l_type = F_WRLCK, .l_start = 20, .l_len = 10}; printf("beside %d\n", fcntl(fd, F_SETLK, &other));
    other = (struct flock){.l_type = F_WRLCK, .l_start = 0, .l_len = 0}; write(ends[1], "w", 1); printf("waited %d\n", fcntl(fd, F_SETLKW, &other)); _exit(0);
  }
  read(ends[0], &c, 1); usleep(1000); lock.l_type = F_UNLCK; fcntl(fd, F_SETLK, &lock); wait(&status); printf("lock child %d\n", WEXITSTATUS(status));
  lock.l_type = F_WRLCK; printf("free again %d\n", fcntl(fd, F_SETLK, &lock));
  flock(fd, LOCK_EX);
  child = fork();
  if (child == 0) { int again = open("locked", O_RDWR); printf("flock %d\n", fails(flock(again, LOCK_EX | LOCK_NB), EWOULDBLOCK)); printf("inherited %d\n", flock(fd, LOCK_EX | LOCK_NB)); _exit(0); }
  wait(0);
  /* An orphan goes on. */
  pipe(ends);
  if (fork() == 0) { if (fork() == 0) { usleep(2000); write(ends[1], "orphan", 6); _exit(0); } _exit(0); }
  char text[8] = {0}; wait(0); close(ends[1]); read(ends[0], text, 6); printf("%s\n", text);
  return 0;
}
