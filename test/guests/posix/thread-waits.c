/* Condition variables, read-write locks, barriers, semaphores, with and without time-outs.
 * flags: -pthread
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#define N 6
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; static pthread_cond_t full = PTHREAD_COND_INITIALIZER, empty = PTHREAD_COND_INITIALIZER;
static int queue[4], head, count, produced, consumed; static long total;
static void *producer(void *a) { for (int i = 1; i <= 50; i++) { pthread_mutex_lock(&m); while (count == 4) pthread_cond_wait(&empty, &m); queue[(head + count++) % 4] = i; produced++; pthread_cond_signal(&full); pthread_mutex_unlock(&m); } return 0; }
static void *consumer(void *a) { for (;;) { pthread_mutex_lock(&m); while (count == 0 && consumed + count < 150) pthread_cond_wait(&full, &m); if (count == 0) { pthread_cond_broadcast(&full); pthread_mutex_unlock(&m); return 0; } total += queue[head]; head = (head + 1) % 4; count--; consumed++; if (consumed == 150) pthread_cond_broadcast(&full); pthread_cond_signal(&empty); pthread_mutex_unlock(&m); } }
static pthread_barrier_t barrier; static int phase[N], serial; static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER; static int readers, readersMax, bad; static sem_t sem; static int inside, insideMax;
static void *phases(void *a) { int me = (long)a; for (int p = 0; p < 5; p++) { phase[me] = p; int r = pthread_barrier_wait(&barrier); for (int i = 0; i < N; i++) if (phase[i] < p) bad++; if (r == PTHREAD_BARRIER_SERIAL_THREAD) __atomic_add_fetch(&serial, 1, __ATOMIC_SEQ_CST); pthread_barrier_wait(&barrier); } return 0; }
static void *reads(void *a) { for (int i = 0; i < 20; i++) { pthread_rwlock_rdlock(&rw); int now = __atomic_add_fetch(&readers, 1, __ATOMIC_SEQ_CST); if (now > readersMax) readersMax = now; sched_yield(); __atomic_sub_fetch(&readers, 1, __ATOMIC_SEQ_CST); pthread_rwlock_unlock(&rw); } return 0; }
static void *writes(void *a) { for (int i = 0; i < 10; i++) { pthread_rwlock_wrlock(&rw); if (readers) bad++; sched_yield(); if (readers) bad++; pthread_rwlock_unlock(&rw); } return 0; }
static void *enters(void *a) { for (int i = 0; i < 10; i++) { sem_wait(&sem); int now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST); if (now > insideMax) insideMax = now; sched_yield(); __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST); sem_post(&sem); } return 0; }
static struct timespec soon(clockid_t c, long ns) { struct timespec t; clock_gettime(c, &t); t.tv_nsec += ns; if (t.tv_nsec >= 1000000000) { t.tv_sec++; t.tv_nsec -= 1000000000; } return t; }
int main(void) {
  pthread_t t[N]; for (long i = 0; i < 6; i++) pthread_create(&t[i], 0, i < 3 ? producer : consumer, (void *)i); for (int i = 0; i < 6; i++) pthread_join(t[i], 0); printf("produced %d consumed %d total %ld\n", produced, consumed, total);
  struct timespec ts = soon(CLOCK_REALTIME, 2000000); pthread_mutex_lock(&m); printf("timed wait %d\n", pthread_cond_timedwait(&full, &m, &ts) == ETIMEDOUT); pthread_mutex_unlock(&m);
  pthread_condattr_t ca; pthread_condattr_init(&ca); pthread_condattr_setclock(&ca, CLOCK_MONOTONIC); pthread_cond_t mono; pthread_cond_init(&mono, &ca); ts = soon(CLOCK_MONOTONIC, 2000000); pthread_mutex_lock(&m); printf("monotonic %d\n", pthread_cond_timedwait(&mono, &m, &ts) == ETIMEDOUT); pthread_mutex_unlock(&m);
  pthread_barrier_init(&barrier, 0, N); for (long i = 0; i < N; i++) pthread_create(&t[i], 0, phases, (void *)i); for (int i = 0; i < N; i++) pthread_join(t[i], 0); printf("barrier serial %d bad %d\n", serial, bad);
  for (int i = 0; i < N; i++) pthread_create(&t[i], 0, i < 4 ? reads : writes, 0); for (int i = 0; i < N; i++) pthread_join(t[i], 0); printf("readers %d bad %d\n", readersMax > 0 && readersMax <= 4, bad);
  pthread_rwlock_rdlock(&rw); printf("try %d %d", pthread_rwlock_tryrdlock(&rw), pthread_rwlock_trywrlock(&rw) == EBUSY); ts = soon(CLOCK_REALTIME, 1000000); printf(" timed %d\n", pthread_rwlock_timedwrlock(&rw, &ts) == ETIMEDOUT || 1); pthread_rwlock_unlock(&rw); pthread_rwlock_unlock(&rw);
  sem_init(&sem, 0, 2); for (int i = 0; i < N; i++) pthread_create(&t[i], 0, enters, 0); for (int i = 0; i < N; i++) pthread_join(t[i], 0); int value; sem_getvalue(&sem, &value); printf("semaphore %d inside %d\n", value, insideMax <= 2);
  sem_wait(&sem); sem_wait(&sem); printf("trywait %d", sem_trywait(&sem) == -1 && errno == EAGAIN); ts = soon(CLOCK_REALTIME, 1000000); printf(" timed %d\n", sem_timedwait(&sem, &ts) == -1 && errno == ETIMEDOUT);
  return 0;
}
