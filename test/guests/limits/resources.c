/* Greed ends in the guest's own errors, at the same place in every run, and the machine is usable afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
static char block[1 << 20];
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  for (int turn = 0; turn < 2; turn++) {
    int count = 0; void *first = 0;
    for (;;) { void **page = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); if (page == MAP_FAILED) break; *page = first; first = page; count++; }
    printf("memory %d %s\n", count, errno == ENOMEM ? "ENOMEM" : "another");
    pid_t child = fork();
    if (child == 0) _exit(0);
    printf("fork without memory %s\n", child < 0 && errno == ENOMEM ? "ENOMEM" : "another");
    if (child > 0) wait(0);
    while (first != 0) { void *next = *(void **)first; munmap(first, 1 << 20); first = next; }
  }
  for (int turn = 0; turn < 2; turn++) {
    int last = 0, count = 0, fds[2048];
    while ((last = (count % 3 == 0 ? open("/dev/null", O_RDONLY) : count % 3 == 1 ? socket(AF_UNIX, SOCK_STREAM, 0) : dup(0))) >= 0) fds[count++] = last;
    printf("descriptors %d %s\n", count, errno == EMFILE ? "EMFILE" : "another");
    while (count > 0) close(fds[--count]);
  }
  for (int turn = 0; turn < 2; turn++) {
    int fd = open("grows", O_CREAT | O_WRONLY | O_TRUNC, 0600); long count = 0; ssize_t n;
    while ((n = write(fd, block, sizeof block)) == sizeof block) count++;
    printf("file %ld %s\n", count, n < 0 && errno == ENOSPC ? "ENOSPC" : "partly");
    while ((n = write(fd, block, 4096)) > 0);
    printf("full %s\n", errno == ENOSPC ? "ENOSPC" : "another"); close(fd); unlink("grows");
  }
  char *deep = alloca(4 << 20); memset(deep, 1, 4 << 20); printf("stack %d\n", deep[12345]);
  return 0;
}
