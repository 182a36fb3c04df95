/* Mutexes of every kind, timed and robust, and spin locks.
 * flags: -pthread
 * oracle: host
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, recursive, checking, robust;
static pthread_spinlock_t spin;
static long counter, spun;
static void *adds(void *a) { for (int i = 0; i < 2000; i++) { pthread_mutex_lock(&plain); long c = counter; if (i % 100 == 0) sched_yield(); counter = c + 1; pthread_mutex_unlock(&plain); } return 0; }
static void *spins(void *a) { for (int i = 0; i < 500; i++) { pthread_spin_lock(&spin); spun++; pthread_spin_unlock(&spin); } return 0; }
static void *owner(void *a) { pthread_mutex_lock(a); return 0; }
static void *other(void *a) { return (void *)(long)pthread_mutex_unlock(&checking); }
static void *tries(void *a) { return (void *)(long)pthread_mutex_trylock(&plain); }
static void *timed(void *a) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); t.tv_nsec += 1000000; if (t.tv_nsec >= 1000000000) { t.tv_sec++; t.tv_nsec -= 1000000000; } return (void *)(long)pthread_mutex_timedlock(&plain, &t); }
int main(void) {
  pthread_t t[8]; void *r; pthread_mutexattr_t a;
  for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, adds, 0);
  for (int i = 0; i < 8; i++) pthread_join(t[i], 0);
  printf("counter %ld\n", counter);
  pthread_spin_init(&spin, 0); for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, spins, 0); for (int i = 0; i < 4; i++) pthread_join(t[i], 0); printf("spun %ld\n", spun);
  pthread_mutexattr_init(&a); pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE); pthread_mutex_init(&recursive, &a);
  printf("recursive %d", pthread_mutex_lock(&recursive)); printf(" %d", pthread_mutex_lock(&recursive)); printf(" %d", pthread_mutex_unlock(&recursive)); printf(" %d", pthread_mutex_unlock(&recursive)); printf(" %d\n", pthread_mutex_unlock(&recursive) == EPERM);
  pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK); pthread_mutex_init(&checking, &a); pthread_mutex_lock(&checking);
  printf("checking %d", pthread_mutex_lock(&checking) == EDEADLK); pthread_create(t, 0, other, 0); pthread_join(*t, &r); printf(" other %d\n", (long)r == EPERM);
  pthread_mutex_lock(&plain); pthread_create(t, 0, tries, 0); pthread_join(*t, &r); printf("busy %d", (long)r == EBUSY); pthread_create(t, 0, timed, 0); pthread_join(*t, &r); printf(" timed out %d\n", (long)r == ETIMEDOUT); pthread_mutex_unlock(&plain);
  pthread_mutexattr_t ra; pthread_mutexattr_init(&ra); pthread_mutexattr_setrobust(&ra, PTHREAD_MUTEX_ROBUST); pthread_mutex_init(&robust, &ra);
  pthread_create(t, 0, owner, &robust); pthread_join(*t, 0); printf("owner died %d", pthread_mutex_lock(&robust) == EOWNERDEAD); printf(" consistent %d", pthread_mutex_consistent(&robust)); printf(" %d\n", pthread_mutex_unlock(&robust));
  pthread_create(t, 0, owner, &robust); pthread_join(*t, 0); printf("again %d", pthread_mutex_lock(&robust) == EOWNERDEAD); pthread_mutex_unlock(&robust); printf(" lost %d\n", pthread_mutex_lock(&robust) == ENOTRECOVERABLE);
  /* A process dies with the lock of another's memory. */
  pthread_mutexattr_setpshared(&ra, PTHREAD_PROCESS_SHARED); pthread_mutex_t *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); pthread_mutex_init(shared, &ra);
  if (fork() == 0) { pthread_mutex_lock(shared); _exit(0); }
  wait(0); printf("process died %d\n", pthread_mutex_lock(shared) == EOWNERDEAD);
  return 0;
}
