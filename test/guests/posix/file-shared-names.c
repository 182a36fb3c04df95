/* /dev/shm and named semaphores, /proc of other processes, eventfd and epoll between processes.
 * flags: -pthread
 * oracle: host
 */
#include <fcntl.h>
#include <signal.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  char name[64]; snprintf(name, 64, "/stillpoint-%d", getpid());
  int fd = shm_open(name, O_CREAT | O_RDWR, 0600); ftruncate(fd, 4096); int *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fork() == 0) { int other = shm_open(name, O_RDWR, 0); int *view = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0); view[3] = 33; _exit(0); }
  wait(0); printf("shm %d %d\n", fd >= 0, shared[3]); shm_unlink(name);
  sem_t *sem = sem_open(name, O_CREAT, 0600, 0);
  if (fork() == 0) { for (int i = 0; i < 3; i++) sem_post(sem); _exit(0); }
  for (int i = 0; i < 3; i++) sem_wait(sem); wait(0); printf("sem %d\n", sem_trywait(sem)); sem_unlink(name);
  int event = eventfd(0, 0), taken = eventfd(0, 0), epoll = epoll_create1(0); struct epoll_event e = {.events = EPOLLIN, .data.u64 = 7}; epoll_ctl(epoll, EPOLL_CTL_ADD, event, &e);
  pid_t child = fork();
  if (child == 0) { unsigned long long v = 5; usleep(1000); write(event, &v, 8); read(taken, &v, 8); v = 6; write(event, &v, 8); for (;;) pause(); }
  unsigned long long value; printf("epoll %d %d\n", epoll_wait(epoll, &e, 1, -1), (int)e.data.u64); read(event, &value, 8); printf("event %llu", value); unsigned long long one = 1; write(taken, &one, 8); read(event, &value, 8); printf(" %llu\n", value);
  char path[64], text[4096] = {0}; snprintf(path, 64, "/proc/%d/status", child); FILE *f = fopen(path, "r"); int ppid = 0; while (fgets(text, 4096, f)) sscanf(text, "PPid: %d", &ppid); fclose(f); printf("parent %d\n", ppid == getpid());
  snprintf(path, 64, "/proc/%d/cmdline", child); f = fopen(path, "r"); size_t n = fread(text, 1, 4096, f); fclose(f); printf("cmdline %d\n", n > 0);
  snprintf(path, 64, "/proc/%d/fd/1", child); printf("fd link %d\n", readlink(path, text, 4096) > 0); snprintf(path, 64, "/proc/%d/stat", child); int pid; char state; do { f = fopen(path, "r"); fscanf(f, "%d (%*[^)]) %c", &pid, &state); fclose(f); } while (state == 'R');
  printf("stat %d %c\n", pid == child, state);
  kill(child, 9); siginfo_t info; waitid(P_PID, child, &info, WEXITED | WNOWAIT); f = fopen(path, "r"); fscanf(f, "%d (%*[^)]) %c", &pid, &state); fclose(f); printf("zombie %c\n", state); waitpid(child, 0, 0); printf("gone %d\n", fopen(path, "r") == 0);
  return 0;
}
