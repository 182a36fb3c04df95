/* Edges of memory: offsets and lengths at their end, advice for memory of files, other pages of a file in a mapping (remap_file_pages); System V: a look at a message, whose numbers nobody has, limits.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SAY(call) do { errno = 0; long answer = (long)(call); printf("%s: %ld %s\n", #call, answer, answer < 0 ? strerrorname_np(errno) : ""); } while (0)
#define PAGE 4096

static int maps(int flags, int number, off_t offset) {
  return mmap(0, PAGE, PROT_READ, flags, number, offset) == MAP_FAILED ? -1 : 0;
}

static void memory(void) {
  unsigned char present[4];
  int made = open("made", O_RDWR | O_CREAT | O_TRUNC, 0644);
  for (int page = 0; page < 4; page++) pwrite(made, &"abcd"[page], 1, page * PAGE);
  SAY(maps(MAP_PRIVATE, made, -PAGE));
  SAY(maps(MAP_PRIVATE, made, INT64_MAX - 4095));
  SAY(maps(MAP_SHARED_VALIDATE | MAP_SYNC, made, 0));
  char *own = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *private = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, made, 0), *shared = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
  SAY(madvise(own, PAGE, MADV_FREE));
  SAY(madvise(private, PAGE, MADV_FREE));
  SAY(madvise(shared, PAGE, MADV_FREE));
  SAY(mincore(own, -1UL, present));
  SAY(mincore(own + 1, -1UL, present));
  SAY(msync(own, -1UL, MS_ASYNC));
  SAY(msync(own, 1UL << 62, MS_ASYNC));
  SAY(mlock(own, -1UL));
  SAY(munlock(own, -1UL));
  SAY(munlock(own, 1UL << 62));
  SAY(syscall(SYS_remap_file_pages, shared, 2 * PAGE, 0, 2, 0));
  printf("%c%c%c%c", shared[0], shared[PAGE], shared[2 * PAGE], shared[3 * PAGE]);
  SAY(syscall(SYS_remap_file_pages, shared + PAGE, PAGE, 0, 0, 0));
  shared[PAGE] = 'A';
  msync(shared + PAGE, PAGE, MS_SYNC);
  pread(made, present, 1, 0);
  printf("%c%c%c%c in the file %c\n", shared[0], shared[PAGE], shared[2 * PAGE], shared[3 * PAGE], present[0]);
  SAY(syscall(SYS_remap_file_pages, own, PAGE, 0, 1, 0));
  SAY(syscall(SYS_remap_file_pages, private, PAGE, 0, 1, 0));
  SAY(syscall(SYS_remap_file_pages, shared, PAGE, PROT_READ, 1, 0));
  SAY(syscall(SYS_remap_file_pages, shared, 0, 0, 1, 0));
}

static void system_v(void) {
  struct { long type; char bytes[8]; } message = { 7, "word" };
  struct shmid_ds segment_status;
  struct semid_ds set_status;
  struct seminfo most;
  int queue = msgget(IPC_PRIVATE, 0600), segment = shmget(IPC_PRIVATE, 5000, 0600), set = semget(IPC_PRIVATE, 1, 0600);
  msgsnd(queue, &message, 4, 0), message.type = 8, msgsnd(queue, &message, 2, 0);
  SAY(msgrcv(queue, &message, 8, 1, MSG_COPY | IPC_NOWAIT));
  printf("type %ld\n", message.type);
  SAY(msgrcv(queue, &message, 8, 2, MSG_COPY | IPC_NOWAIT));
  SAY(msgrcv(queue, &message, 8, 0, MSG_COPY));
  SAY(msgrcv(queue, &message, 8, 0, MSG_COPY | IPC_NOWAIT | MSG_EXCEPT));
  SAY(msgrcv(queue, &message, 1, 0, MSG_COPY | IPC_NOWAIT));
  SAY(msgrcv(queue, &message, 1, 0, MSG_COPY | IPC_NOWAIT | MSG_NOERROR));
  SAY(msgrcv(queue, &message, 8, 0, IPC_NOWAIT));
  semctl(set, 0, IPC_STAT, &set_status);
  set_status.sem_perm.uid = -1;
  SAY(semctl(set, 0, IPC_SET, &set_status));
  semctl(set, 0, IPC_INFO, &most);
  printf("semmap is semmns %d\n", most.semmap == most.semmns);
  SAY(shmget(IPC_PRIVATE, -1, 0600));
  SAY(shmctl(segment, SHM_LOCK, 0));
  shmctl(segment, IPC_STAT, &segment_status), printf("mode %o\n", segment_status.shm_perm.mode);
  SAY(shmctl(segment, SHM_UNLOCK, 0));
  shmctl(segment, IPC_STAT, &segment_status), printf("mode %o\n", segment_status.shm_perm.mode);
  msgctl(queue, IPC_RMID, 0), shmctl(segment, IPC_RMID, 0), semctl(set, 0, IPC_RMID);
}

int main(void) {
  memory(), system_v();
  return 0;
}
