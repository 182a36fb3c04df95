/* Named cases of locks: mutexes with priority inheritance, condition variables, read-write locks, barriers, semaphores, C11's own.
 * flags: -pthread
 * oracle: host
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>
#define CASE(name) static void name(void)
#define RUN(name) do { printf("%s:", #name); name(); printf("\n"); } while (0)
#define SHOW(x) printf(" %ld", (long)(x))
static struct timespec in_ms(clockid_t clock, long ms) { struct timespec t; clock_gettime(clock, &t); t.tv_nsec += ms * 1000000; while (t.tv_nsec >= 1000000000) { t.tv_sec++; t.tv_nsec -= 1000000000; } return t; }
static void pause_ms(long ms) { struct timespec t = {0, ms * 1000000}; nanosleep(&t, 0); }
static void *join(pthread_t t) { void *r; pthread_join(t, &r); return r; }
static pthread_t start(void *(*f)(void *), void *a) { pthread_t t; pthread_create(&t, 0, f, a); return t; }
static pthread_mutex_t make(int type, int protocol, int robust) { pthread_mutexattr_t a; pthread_mutex_t m; pthread_mutexattr_init(&a); pthread_mutexattr_settype(&a, type); pthread_mutexattr_setprotocol(&a, protocol); pthread_mutexattr_setrobust(&a, robust); if (pthread_mutex_init(&m, &a)) printf(" init!"); return m; }
static void *shared_page(void) { return mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); }
static long count;
static void *adds(void *m) { for (int i = 0; i < 300; i++) { pthread_mutex_lock(m); long c = count; if (i % 50 == 0) sched_yield(); count = c + 1; pthread_mutex_unlock(m); } return 0; }
static void *trylock(void *m) { long r = pthread_mutex_trylock(m); if (r == 0) pthread_mutex_unlock(m); return (void *)r; }
static void *timedlock(void *m) { struct timespec t = in_ms(CLOCK_REALTIME, 5); return (void *)(long)pthread_mutex_timedlock(m, &t); }
static void *clocklock(void *m) { struct timespec t = in_ms(CLOCK_MONOTONIC, 5); return (void *)(long)pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &t); }
static void *dies(void *m) { pthread_mutex_lock(m); return 0; }
static void *unlocks(void *m) { return (void *)(long)pthread_mutex_unlock(m); }
static void *waits_for(void *m) { long r = pthread_mutex_lock(m); if (r == EOWNERDEAD) pthread_mutex_consistent(m); pthread_mutex_unlock(m); return (void *)r; }
CASE(inherit_counts) { pthread_mutex_t m = make(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, 0); pthread_t t[6]; count = 0; for (int i = 0; i < 6; i++) t[i] = start(adds, &m); for (int i = 0; i < 6; i++) join(t[i]); SHOW(count); SHOW(pthread_mutex_destroy(&m)); }
CASE(inherit_busy) { pthread_mutex_t m = make(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, 0); pthread_mutex_lock(&m); SHOW(join(start(trylock, &m))); SHOW(join(start(timedlock, &m)) == (void *)ETIMEDOUT); pthread_mutex_unlock(&m); SHOW(join(start(trylock, &m))); }
CASE(inherit_errors) { pthread_mutex_t m = make(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_INHERIT, 0); pthread_mutex_lock(&m); SHOW(pthread_mutex_lock(&m) == EDEADLK); SHOW(join(start(unlocks, &m)) == (void *)EPERM); pthread_mutex_unlock(&m); SHOW(pthread_mutex_unlock(&m) == EPERM); }
CASE(inherit_recursive) { pthread_mutex_t m = make(PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_INHERIT, 0); pthread_mutex_lock(&m); SHOW(pthread_mutex_trylock(&m)); pthread_mutex_unlock(&m); SHOW(join(start(trylock, &m)) == (void *)EBUSY); pthread_mutex_unlock(&m); SHOW(join(start(trylock, &m))); }
CASE(inherit_owner_died) { pthread_mutex_t m = make(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST); join(start(dies, &m)); SHOW(pthread_mutex_lock(&m) == EOWNERDEAD); SHOW(pthread_mutex_consistent(&m)); SHOW(pthread_mutex_unlock(&m)); SHOW(pthread_mutex_lock(&m)); pthread_mutex_unlock(&m); }
static pthread_mutex_t *passed; static void *holds(void *m) { pthread_mutex_lock(m); pause_ms(100); return 0; }
CASE(inherit_handed_over_by_death) { pthread_mutex_t m = make(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST); pthread_t a = start(holds, &m); pause_ms(30); pthread_t b = start(waits_for, &m); join(a); SHOW(join(b) == (void *)EOWNERDEAD); SHOW(pthread_mutex_trylock(&m)); }
CASE(inherit_between_processes) { pthread_mutexattr_t a; pthread_mutexattr_init(&a); pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT); pthread_mutexattr_setpshared(&a, 1); pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST); pthread_mutex_t *m = shared_page(); pthread_mutex_init(m, &a); if (fork() == 0) { pthread_mutex_lock(m); _exit(0); } wait(0); SHOW(pthread_mutex_lock(m) == EOWNERDEAD); pthread_mutex_consistent(m); pthread_mutex_unlock(m); long *n = (long *)(m + 1); for (int i = 0; i < 3; i++) if (fork() == 0) { for (int k = 0; k < 50; k++) { pthread_mutex_lock(m); long c = *n; sched_yield(); *n = c + 1; pthread_mutex_unlock(m); } _exit(0); } while (wait(0) > 0) ; SHOW(*n); }
CASE(adaptive) { pthread_mutex_t m = make(PTHREAD_MUTEX_ADAPTIVE_NP, 0, 0); pthread_t t[4]; count = 0; for (int i = 0; i < 4; i++) t[i] = start(adds, &m); for (int i = 0; i < 4; i++) join(t[i]); SHOW(count); }
CASE(clock_lock) { pthread_mutex_t m = make(PTHREAD_MUTEX_NORMAL, 0, 0); pthread_mutex_lock(&m); SHOW(join(start(clocklock, &m)) == (void *)ETIMEDOUT); struct timespec bad = {0, -1}; SHOW(pthread_mutex_timedlock(&m, &bad) == EINVAL); }
CASE(robust_waiter_is_told) { pthread_mutex_t m = make(PTHREAD_MUTEX_NORMAL, 0, PTHREAD_MUTEX_ROBUST); pthread_t a = start(holds, &m); pause_ms(30); pthread_t b = start(waits_for, &m); join(a); SHOW(join(b) == (void *)EOWNERDEAD); }
CASE(attributes) { pthread_mutexattr_t a; int v; pthread_mutexattr_init(&a); pthread_mutexattr_gettype(&a, &v); SHOW(v == PTHREAD_MUTEX_DEFAULT); pthread_mutexattr_getprotocol(&a, &v); SHOW(v); pthread_mutexattr_getpshared(&a, &v); SHOW(v); pthread_mutexattr_getrobust(&a, &v); SHOW(v); SHOW(pthread_mutexattr_settype(&a, 99) == EINVAL); SHOW(pthread_mutexattr_setprotocol(&a, 99) == EINVAL); }
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; static pthread_cond_t c = PTHREAD_COND_INITIALIZER; static int go, woken, waiting;
static void *waiter(void *a) { pthread_mutex_lock(&m); waiting++; while (!go) pthread_cond_wait(&c, &m); if (a == 0) go--; woken++; pthread_mutex_unlock(&m); return 0; }
static void until_waiting(int n) { for (;;) { pthread_mutex_lock(&m); int now = waiting; pthread_mutex_unlock(&m); if (now == n) break; sched_yield(); } }
CASE(signal_wakes_one) { pthread_t t[4]; go = woken = waiting = 0; for (int i = 0; i < 4; i++) t[i] = start(waiter, 0); until_waiting(4); for (int i = 0; i < 4; i++) { pthread_mutex_lock(&m); go++; pthread_cond_signal(&c); pthread_mutex_unlock(&m); pause_ms(20); SHOW(woken); } for (int i = 0; i < 4; i++) join(t[i]); }
CASE(broadcast_wakes_all) { pthread_t t[5]; go = woken = waiting = 0; for (int i = 0; i < 5; i++) t[i] = start(waiter, (void *)1); until_waiting(5); pthread_mutex_lock(&m); go = 1; pthread_cond_broadcast(&c); pthread_mutex_unlock(&m); for (int i = 0; i < 5; i++) join(t[i]); SHOW(woken); }
CASE(wait_times) { struct timespec t = in_ms(CLOCK_REALTIME, 3); pthread_mutex_lock(&m); SHOW(pthread_cond_timedwait(&c, &m, &t) == ETIMEDOUT); t = in_ms(CLOCK_MONOTONIC, 3); SHOW(pthread_cond_clockwait(&c, &m, CLOCK_MONOTONIC, &t) == ETIMEDOUT); t.tv_nsec = 2000000000; SHOW(pthread_cond_timedwait(&c, &m, &t) == EINVAL); SHOW(pthread_mutex_unlock(&m)); }
CASE(wait_with_recursive) { pthread_mutex_t r = make(PTHREAD_MUTEX_RECURSIVE, 0, 0); struct timespec t = in_ms(CLOCK_REALTIME, 2); pthread_mutex_lock(&r); SHOW(pthread_cond_timedwait(&c, &r, &t) == ETIMEDOUT); SHOW(pthread_mutex_unlock(&r)); SHOW(pthread_mutex_unlock(&r) == EPERM); }
CASE(wait_with_inherit) { pthread_mutex_t r = make(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, 0); struct timespec t = in_ms(CLOCK_REALTIME, 2); pthread_mutex_lock(&r); SHOW(pthread_cond_timedwait(&c, &r, &t) == ETIMEDOUT); SHOW(join(start(trylock, &r)) == (void *)EBUSY); SHOW(pthread_mutex_unlock(&r)); }
CASE(condition_between_processes) { struct { pthread_mutex_t m; pthread_cond_t c; int ready; } *s = shared_page(); pthread_mutexattr_t ma; pthread_condattr_t ca; pthread_mutexattr_init(&ma); pthread_mutexattr_setpshared(&ma, 1); pthread_condattr_init(&ca); pthread_condattr_setpshared(&ca, 1); pthread_mutex_init(&s->m, &ma); pthread_cond_init(&s->c, &ca); if (fork() == 0) { pause_ms(20); pthread_mutex_lock(&s->m); s->ready = 1; pthread_cond_broadcast(&s->c); pthread_mutex_unlock(&s->m); _exit(0); } pthread_mutex_lock(&s->m); while (!s->ready) pthread_cond_wait(&s->c, &s->m); pthread_mutex_unlock(&s->m); wait(0); SHOW(s->ready); }
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER; static void *rd_try(void *l) { long r = pthread_rwlock_tryrdlock(l); if (r == 0) pthread_rwlock_unlock(l); return (void *)r; } static void *wr_try(void *l) { long r = pthread_rwlock_trywrlock(l); if (r == 0) pthread_rwlock_unlock(l); return (void *)r; } static void *wr_wait(void *l) { pthread_rwlock_wrlock(l); count = 7; pthread_rwlock_unlock(l); return 0; }
CASE(readers_share) { pthread_rwlock_rdlock(&rw); SHOW(join(start(rd_try, &rw))); SHOW(join(start(wr_try, &rw)) == (void *)EBUSY); pthread_rwlock_unlock(&rw); SHOW(join(start(wr_try, &rw))); }
CASE(writer_excludes) { pthread_rwlock_wrlock(&rw); SHOW(join(start(rd_try, &rw)) == (void *)EBUSY); SHOW(pthread_rwlock_rdlock(&rw) == EDEADLK); SHOW(pthread_rwlock_wrlock(&rw) == EDEADLK); pthread_rwlock_unlock(&rw); }
CASE(writer_gets_its_turn) { count = 0; pthread_rwlock_rdlock(&rw); pthread_t t = start(wr_wait, &rw); pause_ms(20); SHOW(count); pthread_rwlock_unlock(&rw); join(t); SHOW(count); }
CASE(writers_preferred) { pthread_rwlockattr_t a; pthread_rwlock_t l; pthread_rwlockattr_init(&a); pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP); pthread_rwlock_init(&l, &a); pthread_rwlock_rdlock(&l); pthread_t t = start(wr_wait, &l); pause_ms(30); SHOW(join(start(rd_try, &l)) == (void *)EBUSY); pthread_rwlock_unlock(&l); join(t); SHOW(join(start(rd_try, &l))); }
static void *rd_timed(void *l) { struct timespec t = in_ms(CLOCK_REALTIME, 3); return (void *)(long)pthread_rwlock_timedrdlock(l, &t); } static void *wr_clock(void *l) { struct timespec t = in_ms(CLOCK_MONOTONIC, 3); return (void *)(long)pthread_rwlock_clockwrlock(l, CLOCK_MONOTONIC, &t); }
CASE(lock_times) { pthread_rwlock_wrlock(&rw); SHOW(join(start(rd_timed, &rw)) == (void *)ETIMEDOUT); SHOW(join(start(wr_clock, &rw)) == (void *)ETIMEDOUT); pthread_rwlock_unlock(&rw); }
static pthread_barrier_t barrier; static int serials; static void *meets(void *a) { for (int i = 0; i < 10; i++) if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) __atomic_add_fetch(&serials, 1, 5); return 0; }
CASE(barrier_again_and_again) { pthread_t t[5]; serials = 0; pthread_barrier_init(&barrier, 0, 5); for (int i = 0; i < 5; i++) t[i] = start(meets, 0); for (int i = 0; i < 5; i++) join(t[i]); SHOW(serials); SHOW(pthread_barrier_destroy(&barrier)); SHOW(pthread_barrier_init(&barrier, 0, 0) == EINVAL); pthread_barrier_init(&barrier, 0, 1); SHOW(pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD); }
CASE(barrier_between_processes) { pthread_barrierattr_t a; pthread_barrierattr_init(&a); pthread_barrierattr_setpshared(&a, 1); struct { pthread_barrier_t b; int n; } *s = shared_page(); pthread_barrier_init(&s->b, &a, 3); for (int i = 0; i < 2; i++) if (fork() == 0) { __atomic_add_fetch(&s->n, 1, 5); pthread_barrier_wait(&s->b); _exit(0); } pthread_barrier_wait(&s->b); SHOW(s->n); while (wait(0) > 0) ; }
CASE(spin) { pthread_spinlock_t l; pthread_spin_init(&l, 0); SHOW(pthread_spin_trylock(&l)); SHOW(pthread_spin_trylock(&l) == EBUSY); SHOW(pthread_spin_unlock(&l)); }
static sem_t sem; static void *posts(void *a) { pause_ms(20); sem_post(a); return 0; }
CASE(semaphore) { int v; sem_init(&sem, 0, 0); pthread_t t = start(posts, &sem); SHOW(sem_wait(&sem)); join(t); SHOW(sem_trywait(&sem) == -1 && errno == EAGAIN); struct timespec at = in_ms(CLOCK_MONOTONIC, 2); SHOW(sem_clockwait(&sem, CLOCK_MONOTONIC, &at) == -1 && errno == ETIMEDOUT); sem_post(&sem); sem_post(&sem); sem_getvalue(&sem, &v); SHOW(v); SHOW(sem_init(&sem, 0, 0x80000000u) == -1 && errno == EINVAL); }
CASE(semaphore_at_its_limit) { sem_init(&sem, 0, 0x7fffffff); SHOW(sem_post(&sem) == -1 && errno == EOVERFLOW); }
CASE(semaphore_by_name) { sem_unlink("/stillpoint-case"); sem_t *s = sem_open("/stillpoint-case", O_CREAT | O_EXCL, 0600, 1); SHOW(s != SEM_FAILED); SHOW(sem_open("/stillpoint-case", O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED && errno == EEXIST); if (fork() == 0) { sem_t *o = sem_open("/stillpoint-case", 0); sem_wait(o); sem_post(o); sem_post(o); _exit(0); } wait(0); int v; sem_getvalue(s, &v); SHOW(v); SHOW(sem_close(s)); SHOW(sem_unlink("/stillpoint-case")); SHOW(sem_open("/stillpoint-case", 0) == SEM_FAILED && errno == ENOENT); }
CASE(semaphore_between_processes) { sem_t *s = shared_page(); sem_init(s, 1, 0); if (fork() == 0) { pause_ms(10); sem_post(s); _exit(0); } SHOW(sem_wait(s)); wait(0); }
static void nothing(int s) { (void)s; }
CASE(semaphore_interrupted) { sem_init(&sem, 0, 0); sigaction(SIGALRM, &(struct sigaction){.sa_handler = nothing}, 0); alarm(1); SHOW(sem_wait(&sem) == -1 && errno == EINTR); }
static mtx_t mt; static cnd_t cn; static once_flag flag = ONCE_FLAG_INIT; static tss_t tss; static int dtors, onces; static void dtor(void *p) { dtors += *(int *)p; } static void once(void) { onces++; } static int thread11(void *a) { call_once(&flag, once); static thread_local int seven = 7; tss_set(tss, a); mtx_lock(&mt); count++; cnd_signal(&cn); mtx_unlock(&mt); return seven + *(int *)a; }
CASE(c11) { thrd_t t; int r, one = 1; struct timespec at; mtx_init(&mt, mtx_timed); cnd_init(&cn); tss_create(&tss, dtor); count = 0; thrd_create(&t, thread11, &one); mtx_lock(&mt); while (!count) cnd_wait(&cn, &mt); mtx_unlock(&mt); thrd_join(t, &r); SHOW(r); SHOW(dtors); SHOW(onces); mtx_lock(&mt); timespec_get(&at, TIME_UTC); SHOW(cnd_timedwait(&cn, &mt, &at) == thrd_timedout); SHOW(mtx_trylock(&mt) == thrd_busy); SHOW(mtx_timedlock(&mt, &at) == thrd_timedout); thrd_yield(); SHOW(thrd_equal(thrd_current(), thrd_current()) != 0); }
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  RUN(inherit_counts); RUN(inherit_busy); RUN(inherit_errors); RUN(inherit_recursive); RUN(inherit_owner_died); RUN(inherit_handed_over_by_death); RUN(inherit_between_processes); RUN(adaptive); RUN(clock_lock); RUN(robust_waiter_is_told); RUN(attributes);
  RUN(signal_wakes_one); RUN(broadcast_wakes_all); RUN(wait_times); RUN(wait_with_recursive); RUN(wait_with_inherit); RUN(condition_between_processes);
  RUN(readers_share); RUN(writer_excludes); RUN(writer_gets_its_turn); RUN(writers_preferred); RUN(lock_times); RUN(barrier_again_and_again); RUN(barrier_between_processes); RUN(spin);
  RUN(semaphore); RUN(semaphore_at_its_limit); RUN(semaphore_by_name); RUN(semaphore_between_processes); RUN(semaphore_interrupted); RUN(c11);
  return 0;
}
