/* System V: shared memory, semaphores and messages, among processes and with their errors.
 * oracle: host
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fails(long result, int error) { return result == -1 && errno == error; }
static void join(pid_t child) { int status; waitpid(child, &status, 0); printf("child %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)); }
static int operate(int set, int index, int amount, int flags) { struct sembuf one = {index, amount, flags}; return semop(set, &one, 1); }

static void memory(void) {
  key_t key = 0x5717 + getpid() * 256; struct shmid_ds status;
  printf("none %d\n", fails(shmget(key, 100, 0), ENOENT)); printf("empty %d\n", fails(shmget(key, 0, IPC_CREAT | 0600), EINVAL));
  int id = shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0600); printf("made %d\n", id >= 0);
  printf("again %d\n", fails(shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0600), EEXIST)); printf("found %d\n", shmget(key, 100, 0) == id); printf("too large %d\n", fails(shmget(key, 5001, 0), EINVAL));
  char *at = shmat(id, 0, 0); int *numbers = (int *)at; strcpy(at + 4990, "end"); printf("zero %d\n", numbers[0]);
  shmctl(id, IPC_STAT, &status); printf("%zu %lu %d %d %o\n", status.shm_segsz, status.shm_nattch, status.shm_cpid == getpid(), status.shm_lpid == getpid(), status.shm_perm.mode);
  pid_t child = fork();
  if (child == 0) { shmctl(id, IPC_STAT, &status); numbers[0] = (int)status.shm_nattch; char *other = shmat(id, 0, 0); other[100] = 'x'; printf("detached %d\n", shmdt(other)); _exit(strcmp(at + 4990, "end")); }
  join(child); printf("%d %c\n", numbers[0], at[100]);
  char *room = mmap(0, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); munmap(room, 1 << 20);
  char *fixed = shmat(id, room + 65536, 0), *twice = shmat(id, room + 131072 + 5, SHM_RND); printf("fixed %d %d\n", fixed == room + 65536, twice == room + 131072); fixed[7] = 'f'; printf("unaligned %d\n", fails((long)shmat(id, room + 200001, 0), EINVAL)); printf("taken %d\n", fails((long)shmat(id, at, 0), EINVAL));
  shmdt(twice); shmdt(fixed); printf("twice %d\n", fails(shmdt(fixed), EINVAL));
  const char *readonly = shmat(id, 0, SHM_RDONLY); child = fork(); if (child == 0) { signal(SIGSEGV, SIG_DFL); ((char *)readonly)[0] = 1; _exit(0); } join(child); shmdt(readonly);
  status.shm_perm.mode = 0640; printf("set %d\n", shmctl(id, IPC_SET, &status)); shmctl(id, IPC_STAT, &status); printf("%o %lu\n", status.shm_perm.mode, status.shm_nattch);
  printf("removed %d\n", shmctl(id, IPC_RMID, 0)); shmctl(id, IPC_STAT, &status); printf("%o %lu\n", status.shm_perm.mode, status.shm_nattch); printf("no key %d\n", fails(shmget(key, 0, 0), ENOENT)); at[1] = 'k';
  shmdt(at); printf("gone %d\n", fails(shmctl(id, IPC_STAT, &status), EINVAL)); printf("gone %d\n", fails((long)shmat(id, 0, 0), EINVAL));
  int own = shmget(IPC_PRIVATE, 4096, 0600); at = shmat(own, 0, 0); shmctl(own, IPC_RMID, 0); child = fork(); if (child == 0) { at[0] = 'c'; _exit(0); } join(child); printf("private %c\n", at[0]); shmdt(at);
}

static void semaphores(void) {
  union semun { int val; struct semid_ds *buf; unsigned short *array; } argument; struct semid_ds status; unsigned short values[3] = {3, 0, 1};
  int set = semget(IPC_PRIVATE, 3, 0600); printf("set %d\n", set >= 0); printf("none %d\n", fails(semget(IPC_PRIVATE, 0, 0600), EINVAL));
  argument.array = values; semctl(set, 0, SETALL, argument); memset(values, 9, sizeof values); semctl(set, 0, GETALL, argument); printf("%d %d %d\n", values[0], values[1], values[2]);
  printf("take %d\n", operate(set, 0, -2, 0)); printf("value %d pid %d\n", semctl(set, 0, GETVAL), semctl(set, 0, GETPID) == getpid()); printf("not more %d\n", fails(operate(set, 0, -2, IPC_NOWAIT), EAGAIN));
  printf("not zero %d\n", fails(operate(set, 0, 0, IPC_NOWAIT), EAGAIN)); printf("no such %d\n", fails(operate(set, 3, 1, 0), EFBIG)); printf("range %d\n", fails(operate(set, 0, 32767, 0), ERANGE));
  struct sembuf both[2] = {{0, -1, 0}, {1, -1, IPC_NOWAIT}}; printf("all or none %d %d\n", fails(semop(set, both, 2), EAGAIN), semctl(set, 0, GETVAL));
  struct timespec soon = {0, 2000000}; struct sembuf one = {1, -1, 0}; printf("in time %d\n", fails(semtimedop(set, &one, 1, &soon), EAGAIN));
  pid_t child = fork(); if (child == 0) { int answer = operate(set, 1, -2, 0); printf("woken %d\n", answer); operate(set, 2, 5, SEM_UNDO); operate(set, 2, -2, SEM_UNDO); _exit(semctl(set, 2, GETVAL)); }
  while (semctl(set, 1, GETNCNT) == 0) usleep(1000);
  printf("waits %d %d\n", semctl(set, 1, GETNCNT), semctl(set, 1, GETZCNT)); operate(set, 1, 1, 0); operate(set, 1, 1, 0); join(child); printf("undone %d\n", semctl(set, 2, GETVAL));
  child = fork(); if (child == 0) { printf("zero %d\n", operate(set, 0, 0, 0)); _exit(0); } while (semctl(set, 0, GETZCNT) == 0) usleep(1000); argument.val = 0; semctl(set, 0, SETVAL, argument); join(child);
  printf("range %d\n", fails(semctl(set, 0, SETVAL, (union semun){.val = 40000}), ERANGE)); argument.buf = &status; semctl(set, 0, IPC_STAT, argument); printf("%lu %o\n", status.sem_nsems, status.sem_perm.mode);
  child = fork(); if (child == 0) { printf("removed %d\n", fails(operate(set, 0, -1, 0), EIDRM)); _exit(0); } while (semctl(set, 0, GETNCNT) == 0) usleep(1000); semctl(set, 0, IPC_RMID); join(child); printf("gone %d\n", fails(operate(set, 0, 1, 0), EINVAL));
}

#define GOT(call, type, text) do { long got = (call); printf("%ld %s %ld\n", got, text, type); } while (0)

/* Until a child sleeps in its call. */
static void until_it_waits(pid_t child) {
  char name[32], state; snprintf(name, sizeof name, "/proc/%d/stat", child);
  do { FILE *file = fopen(name, "r"); fscanf(file, "%*d (%*[^)]) %c", &state); fclose(file); if (state != 'S') usleep(1000); } while (state != 'S');
}
static void messages(void) {
  struct { long type; char text[64]; } message; struct msqid_ds status; int queue = msgget(IPC_PRIVATE, 0600);
  for (int turn = 0; turn < 5; turn++) { message.type = 5 - turn; snprintf(message.text, sizeof message.text, "message %d", turn); printf("%d", msgsnd(queue, &message, strlen(message.text) + 1, 0)); }
  msgctl(queue, IPC_STAT, &status); printf(" %lu %lu %lu\n", status.msg_qnum, status.msg_qbytes, status.__msg_cbytes);
  GOT(msgrcv(queue, &message, 64, 3, 0), message.type, message.text); GOT(msgrcv(queue, &message, 64, -3, 0), message.type, message.text); GOT(msgrcv(queue, &message, 64, 5, MSG_EXCEPT), message.type, message.text);
  printf("short %d\n", fails(msgrcv(queue, &message, 4, 0, 0), E2BIG)); printf("cut %zd", msgrcv(queue, &message, 4, 0, MSG_NOERROR)); printf(" %.4s\n", message.text); printf("none %d\n", fails(msgrcv(queue, &message, 64, 77, IPC_NOWAIT), ENOMSG));
  message.type = 0; printf("type %d\n", fails(msgsnd(queue, &message, 1, 0), EINVAL)); message.type = 1; static struct { long type; char bytes[9000]; } large = {1, {0}}; printf("large %d\n", fails(msgsnd(queue, &large, 8193, 0), EINVAL));
  pid_t child = fork(); if (child == 0) { printf("waited %zd", msgrcv(queue, &message, 64, 42, 0)); printf(" %s\n", message.text); _exit(0); }
  usleep(30000); message.type = 42; strcpy(message.text, "for the child"); msgsnd(queue, &message, 14, 0); join(child);
  while (msgsnd(queue, &large, 4000, IPC_NOWAIT) == 0) putchar('.');
  printf(" full %d\n", errno == EAGAIN); child = fork(); if (child == 0) { printf("sent %d\n", msgsnd(queue, &large, 4001, 0)); _exit(0); }
  usleep(30000); msgrcv(queue, &large, 8000, 0, MSG_NOERROR); msgrcv(queue, &large, 8000, 0, MSG_NOERROR); join(child);
  child = fork(); if (child == 0) { printf("removed %d\n", fails(msgrcv(queue, &message, 64, 99, 0), EIDRM)); _exit(0); } until_it_waits(child); msgctl(queue, IPC_RMID, 0); join(child); printf("gone %d\n", fails(msgsnd(queue, &message, 1, 0), EINVAL));
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  memory(); semaphores(); messages();
  return 0;
}
