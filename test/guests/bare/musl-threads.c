/* Threads of musl's C library, linked dynamically: create, join, detach, locks of every kind, conditions, barriers, semaphores, once, keys, cancellation,
   local storage, signals to threads, fork from a thread, C11 threads, dlopen of itself. No robust locks: qemu-riscv64, the oracle, has none. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER, recursive, checking;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static sem_t sem, ready;
static long counter, turn;
static int onces, destroyed, cleaned, serial, inside, insideMax, handled;
static atomic_int told;
static __thread int local = 7;
static __thread char big[10000];

static void *adds(void *a) { for (int i = 0; i < 2000; i++) { pthread_mutex_lock(&m); counter++; pthread_mutex_unlock(&m); } return a; }
static void *takes_turns(void *a) { for (long i = (long)a; i < 40; i += 4) { pthread_mutex_lock(&m); while (turn != i) pthread_cond_wait(&changed, &m); turn++; pthread_cond_broadcast(&changed); pthread_mutex_unlock(&m); } return 0; }
static void *meets(void *a) { for (int i = 0; i < 20; i++) if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) serial++; return 0; }
static void *enters(void *a) { for (int i = 0; i < 10; i++) { sem_wait(&sem); pthread_mutex_lock(&m); if (++inside > insideMax) insideMax = inside; pthread_mutex_unlock(&m); sched_yield(); pthread_mutex_lock(&m); inside--; pthread_mutex_unlock(&m); sem_post(&sem); } return 0; }
static void *reads(void *a) { long seen = 0; for (int i = 0; i < 50; i++) { pthread_rwlock_rdlock(&rw); seen += counter >= 0; pthread_rwlock_unlock(&rw); } return (void *)seen; }
static void *writes(void *a) { for (int i = 0; i < 50; i++) { pthread_rwlock_wrlock(&rw); counter += 2; counter--; pthread_rwlock_unlock(&rw); } return 0; }
static void first(void) { onces++; }
static void destroy(void *p) { destroyed += (int)(long)p; }
static void *locals(void *a) { pthread_once(&once, first); pthread_setspecific(key, a); local += (int)(long)a; memset(big, local, sizeof big); sched_yield(); return (void *)(long)(local == 7 + (long)a && big[9999] == (char)local); }
static void clean(void *a) { cleaned++; }
static void *waits(void *a) { pthread_cleanup_push(clean, 0); sem_post(&ready); for (;;) pause(); pthread_cleanup_pop(0); return 0; }
static void *waits_for_condition(void *a) { pthread_mutex_lock(&m); pthread_cleanup_push((void (*)(void *))pthread_mutex_unlock, &m); sem_post(&ready); for (;;) pthread_cond_wait(&changed, &m); pthread_cleanup_pop(0); return 0; }
static void *spins(void *a) { int old; pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old); sem_post(&ready); for (volatile long i = 0;; i++); return 0; }
static void *works_on(void *a) { int old; pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old); sem_post(&ready); while (!atomic_load(&told)) sched_yield(); pthread_setcancelstate(old, &old); counter = -1; pthread_testcancel(); counter = -2; return 0; }
static void *unlocks(void *lock) { return (void *)(long)pthread_mutex_unlock(lock); }
static void *tries(void *lock) { return (void *)(long)pthread_mutex_trylock(lock); }
static void handler(int s) { handled += s == SIGUSR1 && local == 70; }
static void *is_signalled(void *a) { local = 70; sem_post(&ready); return (void *)(long)(pause() == -1 && errno == EINTR); }
static void *forks(void *a) { int status; pid_t p = fork(); if (p == 0) _exit(local == 7 ? 33 : 1); waitpid(p, &status, 0); return (void *)(long)WEXITSTATUS(status); }
static void *detached(void *a) { sem_post(&ready); return 0; }
static int c11(void *a) { mtx_lock(a); counter++; mtx_unlock(a); return 5; }
static void *deep(void *a) { volatile char room[90000]; memset((char *)room, 1, sizeof room); return (void *)(long)room[80000]; }

static long join(pthread_t t) { void *r; pthread_join(t, &r); return (long)r; }
static pthread_t start(void *(*f)(void *), void *a) { pthread_t t; if (pthread_create(&t, 0, f, a)) abort(); return t; }
static void many(int count, void *(*f)(void *), int step) { pthread_t t[32]; for (long i = 0; i < count; i++) t[i] = start(f, (void *)(i * step)); for (int i = 0; i < count; i++) join(t[i]); }
static struct timespec in_ms(clockid_t clock, long ms) { struct timespec t; clock_gettime(clock, &t); t.tv_nsec += ms * 1000000; t.tv_sec += t.tv_nsec / 1000000000; t.tv_nsec %= 1000000000; return t; }

int main(int count, char **words) {
  setvbuf(stdout, 0, _IONBF, 0);
  sem_init(&ready, 0, 0); sem_init(&sem, 0, 2); pthread_key_create(&key, destroy); pthread_barrier_init(&barrier, 0, 5);
  many(THREADS, adds, 1); printf("counter %ld\n", counter);
  many(4, takes_turns, 1); printf("turns %ld\n", turn);
  many(5, meets, 1); printf("serial %d\n", serial);
  many(6, enters, 1); printf("inside %d value %d\n", insideMax <= 2, (sem_getvalue(&sem, &inside), inside));
  pthread_t r[3], w = start(writes, 0); for (int i = 0; i < 3; i++) r[i] = start(reads, 0); long seen = 0; for (int i = 0; i < 3; i++) seen += join(r[i]); join(w); printf("read %ld counter %ld\n", seen, counter);
  pthread_t l[20]; int good = 0; for (long i = 0; i < 20; i++) l[i] = start(locals, (void *)(i + 1)); for (int i = 0; i < 20; i++) good += join(l[i]); printf("locals %d destroyed %d once %d main %d %d\n", good, destroyed, onces, local, big[0]);
  pthread_mutexattr_t a; pthread_mutexattr_init(&a); pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE); pthread_mutex_init(&recursive, &a); pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK); pthread_mutex_init(&checking, &a);
  printf("recursive %d %d", pthread_mutex_lock(&recursive), pthread_mutex_lock(&recursive)); printf(" %ld", join(start(tries, &recursive)) == EBUSY); pthread_mutex_unlock(&recursive); pthread_mutex_unlock(&recursive); printf(" %d\n", pthread_mutex_unlock(&recursive) == EPERM);
  pthread_mutex_lock(&checking); printf("checking %d %d\n", pthread_mutex_lock(&checking) == EDEADLK, join(start(unlocks, &checking)) == EPERM);
  struct timespec at = in_ms(CLOCK_REALTIME, 2); pthread_mutex_lock(&m); printf("timed %d", pthread_cond_timedwait(&changed, &m, &at) == ETIMEDOUT); pthread_mutex_unlock(&m); while (sem_trywait(&sem) == 0); at = in_ms(CLOCK_REALTIME, 2); printf(" %d", sem_timedwait(&sem, &at) == -1 && errno == ETIMEDOUT); at = in_ms(CLOCK_REALTIME, 2); printf(" %d\n", pthread_mutex_timedlock(&checking, &at) != 0);
  pthread_t t = start(waits, 0); sem_wait(&ready); pthread_cancel(t); printf("cancelled %d cleaned %d", join(t) == (long)PTHREAD_CANCELED, cleaned); t = start(waits_for_condition, 0); sem_wait(&ready); pthread_mutex_lock(&m); pthread_mutex_unlock(&m); pthread_cancel(t); printf(" %d free %d", join(t) == (long)PTHREAD_CANCELED, pthread_mutex_trylock(&m)); pthread_mutex_unlock(&m);
  t = start(spins, 0); sem_wait(&ready); pthread_cancel(t); printf(" %d", join(t) == (long)PTHREAD_CANCELED); t = start(works_on, 0); sem_wait(&ready); pthread_cancel(t); atomic_store(&told, 1); printf(" %d %ld\n", join(t) == (long)PTHREAD_CANCELED, counter);
  sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handler}, 0); t = start(is_signalled, 0); sem_wait(&ready); for (void *ended; pthread_tryjoin_np(t, &ended) == EBUSY; nanosleep(&(struct timespec){0, 1000000}, 0)) pthread_kill(t, SIGUSR1); printf("signalled %d\n", handled > 0);
  printf("forked %ld\n", join(start(forks, 0)));
  pthread_attr_t at2; pthread_attr_init(&at2); pthread_attr_setdetachstate(&at2, PTHREAD_CREATE_DETACHED); for (int i = 0; i < 5; i++) pthread_create(&t, &at2, detached, 0); for (int i = 0; i < 5; i++) sem_wait(&ready); size_t size; pthread_attr_getstacksize(&at2, &size); printf("detached, stack %zu deep %ld\n", size, join(start(deep, 0)));
  thrd_t c[3]; mtx_t cm; mtx_init(&cm, mtx_plain); counter = 0; int result; for (int i = 0; i < 3; i++) thrd_create(&c[i], c11, &cm); for (int i = 0; i < 3; i++) thrd_join(c[i], &result); printf("c11 %ld %d\n", counter, result);
  void *self = dlopen(0, RTLD_NOW); int (*puts_)(const char *) = (int (*)(const char *))dlsym(self, "puts"); puts_("found by name"); printf("%d %s\n", dlsym(self, "not_there") == 0, dlopen("/no/such.so", RTLD_NOW) == 0 ? "no library" : "a library");
  return count + 10;
}
