/* Creation, joining, detaching, cancellation, cleanup, keys, once, thread-local storage, signals to threads, attributes.
 * flags: -pthread
 * oracle: host
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static __thread int local = 7; static __thread char big[3000]; static pthread_key_t key; static int destroyed, onces, cleaned; static pthread_once_t once = PTHREAD_ONCE_INIT; static sem_t ready; static volatile sig_atomic_t got; static pthread_t gotBy;
static void destroy(void *v) { destroyed += *(int *)v; free(v); }
static void init(void) { onces++; }
static void *locals(void *a) { int me = (long)a; if (local != 7 || big[2999]) return (void *)-1; local = me; big[2999] = me; pthread_once(&once, init); int *v = malloc(sizeof *v); *v = me; pthread_setspecific(key, v); sched_yield(); return (void *)(long)(local == me && big[2999] == me && *(int *)pthread_getspecific(key) == me); }
static void clean(void *a) { cleaned += (long)a; }
static void *waits(void *a) { pthread_cleanup_push(clean, (void *)1); pthread_cleanup_push(clean, (void *)10); sem_post(&ready); for (;;) pause(); pthread_cleanup_pop(0); pthread_cleanup_pop(0); return 0; }
static void *works(void *a) { int old; pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old); sem_post(&ready); struct timespec t = {0, 30000000}; nanosleep(&t, 0); cleaned += 100; pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old); pthread_testcancel(); cleaned += 100000; return 0; }
static void *spins(void *a) { int old; pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old); sem_post(&ready); for (volatile long i = 0;; i++); return 0; }
static void *exits(void *a) { pthread_cleanup_push(clean, (void *)1000); pthread_exit((void *)55); pthread_cleanup_pop(0); return 0; }
static void handler(int s) { got++; gotBy = pthread_self(); }
static void *sleeps(void *a) { sem_post(&ready); struct timespec t = {100, 0}; int r = nanosleep(&t, 0); return (void *)(long)(r == -1 && errno == EINTR); }
static void *stack(void *a) { char room[200000]; memset(room, 1, sizeof room); pthread_attr_t at; size_t size; pthread_getattr_np(pthread_self(), &at); pthread_attr_getstacksize(&at, &size); return (void *)(long)(size >= 400000 && size < 600000 && room[100000]); }
static void *detached(void *a) { sem_post(&ready); return 0; }
static void *nested(void *a) { long depth = (long)a; if (depth == 0) return 0; pthread_t t; void *r; pthread_create(&t, 0, nested, (void *)(depth - 1)); pthread_join(t, &r); return (void *)((long)r + 1); }
int main(void) {
  pthread_t t[64]; void *r; int good = 0; sem_init(&ready, 0, 0); pthread_key_create(&key, destroy);
  for (long i = 0; i < 20; i++) pthread_create(&t[i], 0, locals, (void *)(i + 1)); for (int i = 0; i < 20; i++) { pthread_join(t[i], &r); good += r == (void *)1; } printf("locals %d destroyed %d once %d main %d\n", good, destroyed, onces, local);
  pthread_create(t, 0, waits, 0); sem_wait(&ready); pthread_cancel(*t); pthread_join(*t, &r); printf("canceled %d cleaned %d\n", r == PTHREAD_CANCELED, cleaned);
  pthread_create(t, 0, works, 0); sem_wait(&ready); pthread_cancel(*t); pthread_join(*t, &r); printf("later %d cleaned %d\n", r == PTHREAD_CANCELED, cleaned);
  pthread_create(t, 0, spins, 0); sem_wait(&ready); pthread_cancel(*t); pthread_join(*t, &r); printf("spinner %d\n", r == PTHREAD_CANCELED);
  pthread_create(t, 0, exits, 0); pthread_join(*t, &r); printf("exit %ld cleaned %d\n", (long)r, cleaned);
  struct sigaction sa = {.sa_handler = handler}; sigaction(SIGUSR1, &sa, 0); pthread_create(t, 0, sleeps, 0); sem_wait(&ready); while (pthread_tryjoin_np(*t, &r) == EBUSY) { pthread_kill(*t, SIGUSR1); sched_yield(); } printf("signal %d by the thread %d interrupted %ld\n", got > 0, pthread_equal(gotBy, *t), (long)r);
  sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR2); pthread_sigmask(SIG_BLOCK, &set, 0); kill(getpid(), SIGUSR2); int s; printf("sigwait %d", sigwait(&set, &s)); printf(" %d\n", s == SIGUSR2);
  pthread_attr_t at; pthread_attr_init(&at); pthread_attr_setstacksize(&at, 500000); pthread_create(t, &at, stack, 0); pthread_join(*t, &r); printf("stack %ld\n", (long)r);
  pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED); for (int i = 0; i < 5; i++) pthread_create(t, &at, detached, 0); for (int i = 0; i < 5; i++) sem_wait(&ready); printf("detached\n");
  pthread_create(t, 0, nested, (void *)12); pthread_join(*t, &r); printf("nested %ld\n", (long)r);
  printf("self %d deadlock %d\n", pthread_equal(pthread_self(), pthread_self()) != 0, pthread_join(pthread_self(), 0) == EDEADLK);
  pthread_exit(0);
}
