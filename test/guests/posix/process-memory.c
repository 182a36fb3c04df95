/* What processes share and what not: private and shared memory, files, semaphores, mutexes, vfork.
 * flags: -pthread
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
struct shared { sem_t ping, pong; pthread_mutex_t mutex; pthread_cond_t cond; pthread_barrier_t barrier; int counter, turn; char text[32]; };
static int global = 5;
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  char *heap = strdup("parent"); volatile int local = 1;
  if (fork() == 0) { global = 6; local = 2; strcpy(heap, "child"); _exit(0); }
  wait(0); printf("private %d %d %s\n", global, local, heap);
  struct shared *s = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char *own = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (fork() == 0) { strcpy(s->text, "from the child"); strcpy(own, "lost"); _exit(0); }
  wait(0); printf("shared %s own [%s]\n", s->text, own);
  sem_init(&s->ping, 1, 0); sem_init(&s->pong, 1, 0);
  if (fork() == 0) { for (int i = 0; i < 5; i++) { sem_wait(&s->ping); s->counter += 10; sem_post(&s->pong); } _exit(0); }
  for (int i = 0; i < 5; i++) { s->counter++; sem_post(&s->ping); sem_wait(&s->pong); }
  wait(0); printf("semaphores %d\n", s->counter);
  pthread_mutexattr_t ma; pthread_mutexattr_init(&ma); pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED); pthread_mutex_init(&s->mutex, &ma);
  pthread_condattr_t ca; pthread_condattr_init(&ca); pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED); pthread_cond_init(&s->cond, &ca);
  s->counter = 0;
  for (int p = 0; p < 3; p++) if (fork() == 0) {
    for (int i = 0; i < 20; i++) { pthread_mutex_lock(&s->mutex); while (s->turn % 3 != p) pthread_cond_wait(&s->cond, &s->mutex); s->counter += p + 1; s->turn++; pthread_cond_broadcast(&s->cond); pthread_mutex_unlock(&s->mutex); }
    _exit(0);
  }
  while (wait(0) > 0); printf("turns %d counter %d\n", s->turn, s->counter);
  /* A file mapped by two processes. */
  int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600); ftruncate(fd, 10000);
  char *file = mmap(0, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fork() == 0) { char *again = mmap(0, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); strcpy(again + 5000, "seen"); file[9999] = 'z'; _exit(again[0]); }
  file[0] = 7; int status; wait(&status); char back[5] = {0}; pread(fd, back, 4, 5000);
  printf("file %s %s %c status %d\n", file + 5000, back, file[9999], WEXITSTATUS(status) == 7 || WEXITSTATUS(status) == 0);
  char *copy = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0); copy[1] = 'x'; pread(fd, back, 1, 1); printf("copy on write %d\n", back[0]);
  pid_t child = vfork();
  if (child == 0) _exit(8);
  waitpid(child, &status, 0); printf("vfork status %d\n", WEXITSTATUS(status));
  return 0;
}
