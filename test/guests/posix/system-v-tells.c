/* /proc/sysvipc: a line for a segment, a set and a queue, its times left out; and advice about memory that is taken or refused, never taken and ignored where that can be seen.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

/* The line of an id, without its key, its times and what follows them. */
static void told(const char *name, int id, int numbers) {
  char path[64], line[400], *word;
  int lines = 0, own;
  snprintf(path, sizeof path, "/proc/sysvipc/%s", name);
  FILE *file = fopen(path, "r");
  if (!file) { puts("not there"); return; }
  while (fgets(line, sizeof line, file)) {
    if (lines++ == 0) { printf("%s", line); continue; }
    if (sscanf(line, "%*d %d", &own) != 1 || own != id) continue;
    printf("%s of %zu:", name, strlen(line));
    word = strtok(line, " ");
    for (int i = 0; i < numbers && (word = strtok(NULL, " ")); i++) if (i > 0) printf(" %s", atoi(word) == getpid() ? "self" : word);
    puts("");
  }
  fclose(file);
}

static int first_of_child(char *place) {
  int status;
  pid_t child = fork();
  if (child == 0) _exit(*place);
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

int main(void) {
  struct { long type; char bytes[8]; } message = { 5, "word" };
  int segment = shmget(IPC_PRIVATE, 5000, 0640 | IPC_CREAT), set = semget(IPC_PRIVATE, 3, 0600), queue = msgget(IPC_PRIVATE, 0604);
  char *place = shmat(segment, 0, 0);
  setvbuf(stdout, 0, _IOLBF, 0);
  msgsnd(queue, &message, 4, 0);
  told("shm", segment, 6), told("sem", set, 3), told("msg", queue, 6);
  shmctl(segment, IPC_RMID, 0);
  told("shm", segment, 6);
  shmdt(place), semctl(set, 0, IPC_RMID), msgctl(queue, IPC_RMID, 0);
  told("shm", segment, 6);
  place = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(place, 7, 8192);
  printf("for the child %s\n", madvise(place, 4096, 18) < 0 || first_of_child(place) == 0 ? "wiped, or refused" : "neither wiped nor refused");
  printf("dropped %d", madvise(place + 4096, 4096, 24)), printf(" %d\n", place[4096]);
  errno = 0, printf("validated %d", mmap(0, 4096, PROT_READ, 3 | MAP_ANONYMOUS, -1, 0) == MAP_FAILED), printf(" %d\n", errno);
  return 0;
}
