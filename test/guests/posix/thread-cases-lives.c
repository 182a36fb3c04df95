/* Named cases of threads' lives: cancellation at every kind of point, clean-up, keys, once, attributes, names, signals, forks, many at a time.
 * flags: -pthread
 * oracle: host
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define CASE(name) static void name(void)
#define RUN(name) do { printf("%s:", #name); name(); printf("\n"); } while (0)
#define SHOW(x) printf(" %ld", (long)(x))
static struct timespec in_ms(clockid_t clock, long ms) { struct timespec t; clock_gettime(clock, &t); t.tv_nsec += ms * 1000000; while (t.tv_nsec >= 1000000000) { t.tv_sec++; t.tv_nsec -= 1000000000; } return t; }
static void pause_ms(long ms) { struct timespec t = {0, ms * 1000000}; nanosleep(&t, 0); }
static void *join(pthread_t t) { void *r = (void *)-99; pthread_join(t, &r); return r; }
static pthread_t start(void *(*f)(void *), void *a) { pthread_t t; pthread_create(&t, 0, f, a); return t; }
static sem_t ready; static int log_[64], logged; static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static void note(void *a) { log_[logged++ % 64] = (long)a; } static void unlock(void *a) { note((void *)50); pthread_mutex_unlock(a); }
static void show_log(void) { for (int i = 0; i < logged; i++) SHOW(log_[i]); logged = 0; }
/* One thread that waits in the given way until it is cancelled. */
static int ends[2]; static pthread_t sleeper;
static void *waits(void *how) {
  char x; struct timespec t = {100, 0}; sigset_t set; struct pollfd p = {ends[0], POLLIN, 0}; fd_set f; int e;
  pthread_cleanup_push(note, how); sem_post(&ready);
  switch ((long)how) {
    case 1: read(ends[0], &x, 1); break; case 2: pause(); break; case 3: nanosleep(&t, 0); break; case 4: poll(&p, 1, -1); break;
    case 5: FD_ZERO(&f); FD_SET(ends[0], &f); select(ends[0] + 1, &f, 0, 0, 0); break; case 6: sem_wait(&(sem_t){0}); break; case 7: pthread_join(sleeper, 0); break;
    case 8: sigemptyset(&set); sigaddset(&set, SIGUSR2); sigwait(&set, &e); break; case 9: waitpid(-1, &e, 0); break; case 10: clock_nanosleep(CLOCK_MONOTONIC, 0, &t, 0); break;
    case 11: e = epoll_create1(0); epoll_wait(e, &(struct epoll_event){0}, 1, -1); break; case 12: for (;;) pthread_testcancel(); break; case 13: sigemptyset(&set); sigsuspend(&set); break;
    case 14: pthread_mutex_lock(&m); pthread_cleanup_push(unlock, &m); for (;;) pthread_cond_wait(&c, &m); pthread_cleanup_pop(0); break; case 15: recv(ends[0], &x, 1, 0); break; case 16: accept(ends[1], 0, 0); break;
  }
  pthread_cleanup_pop(0); return 0;
}
static void cancel_in(long how) { pthread_t t = start(waits, (void *)how); sem_wait(&ready); pause_ms(20); pthread_cancel(t); SHOW(join(t) == PTHREAD_CANCELED); show_log(); }
static void *forever(void *a) { for (;;) pause(); return 0; }
CASE(cancel_points) { pipe(ends); sleeper = start(forever, 0); for (long i = 1; i <= 8; i++) cancel_in(i); printf("\n "); pid_t child = fork(); if (child == 0) { pause(); _exit(0); } for (long i = 9; i <= 14; i++) cancel_in(i); kill(child, SIGKILL); waitpid(child, 0, 0); close(ends[0]); close(ends[1]); SHOW(pthread_mutex_trylock(&m)); pthread_mutex_unlock(&m); pthread_cancel(sleeper); join(sleeper); }
CASE(cancel_in_sockets) { socketpair(AF_UNIX, SOCK_STREAM, 0, ends); int other = ends[1]; ends[1] = socket(AF_UNIX, SOCK_STREAM, 0); struct sockaddr a = {AF_UNIX}; bind(ends[1], &a, 2); listen(ends[1], 1); cancel_in(15); cancel_in(16); close(other); close(ends[0]); close(ends[1]); }
static void *disabled(void *a) { int old; pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old); note((void *)(long)old); sem_post(&ready); pause_ms(30); pthread_testcancel(); note((void *)1); pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old); note((void *)(long)old); pthread_testcancel(); note((void *)2); return 0; }
CASE(cancel_disabled) { pthread_t t = start(disabled, 0); sem_wait(&ready); pthread_cancel(t); SHOW(join(t) == PTHREAD_CANCELED); show_log(); }
static void *busy(void *a) { int old; pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old); sem_post(&ready); for (volatile int i = 0;; i++) ; return 0; }
CASE(cancel_at_once) { pthread_t t = start(busy, 0); sem_wait(&ready); pthread_cancel(t); SHOW(join(t) == PTHREAD_CANCELED); }
static void *itself(void *a) { pthread_cleanup_push(note, (void *)1); pthread_cleanup_push(note, (void *)2); pthread_cleanup_push(note, (void *)3); pthread_cleanup_pop(1); pthread_cancel(pthread_self()); pthread_testcancel(); pthread_cleanup_pop(0); pthread_cleanup_pop(0); return 0; }
CASE(cancel_itself_and_order) { SHOW(join(start(itself, 0)) == PTHREAD_CANCELED); show_log(); }
static void deep(int n) { pthread_cleanup_push(note, (void *)(long)n); if (n == 3) pthread_exit((void *)77); deep(n + 1); pthread_cleanup_pop(0); } static void *deeper(void *a) { deep(0); return 0; }
CASE(exit_from_below) { SHOW(join(start(deeper, 0))); show_log(); }
static void *quick(void *a) { return a; }
CASE(cancel_when_over) { pthread_t t = start(quick, (void *)5); pause_ms(20); SHOW(pthread_cancel(t)); SHOW(join(t)); }
static void *long_one(void *a) { sem_wait(a); return (void *)9; }
CASE(join_with_times) { sem_t s; sem_init(&s, 0, 0); pthread_t t = start(long_one, &s); void *r; SHOW(pthread_tryjoin_np(t, &r) == EBUSY); struct timespec at = in_ms(CLOCK_REALTIME, 3); SHOW(pthread_timedjoin_np(t, &r, &at) == ETIMEDOUT); at = in_ms(CLOCK_MONOTONIC, 3); SHOW(pthread_clockjoin_np(t, &r, CLOCK_MONOTONIC, &at) == ETIMEDOUT); sem_post(&s); SHOW(join(t)); }
CASE(join_errors) { SHOW(pthread_join(pthread_self(), 0) == EDEADLK); pthread_attr_t a; pthread_attr_init(&a); pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED); sem_t s; sem_init(&s, 0, 0); pthread_t t; pthread_create(&t, &a, long_one, &s); SHOW(pthread_join(t, 0) == EINVAL); SHOW(pthread_detach(t) == EINVAL); sem_post(&s); pause_ms(10); }
static pthread_key_t key; static int rounds; static void again(void *v) { rounds++; if (rounds < 10) pthread_setspecific(key, v); } static void *sets(void *v) { pthread_setspecific(key, v); return 0; }
CASE(keys_that_come_again) { pthread_key_create(&key, again); join(start(sets, (void *)1)); SHOW(rounds == PTHREAD_DESTRUCTOR_ITERATIONS); SHOW(pthread_getspecific(key)); SHOW(pthread_key_delete(key)); SHOW(pthread_setspecific(key, 0) == EINVAL); SHOW(pthread_key_delete(key) == EINVAL); }
CASE(keys_all) { static pthread_key_t all[PTHREAD_KEYS_MAX + 1]; int n = 0, r; while (n <= PTHREAD_KEYS_MAX && (r = pthread_key_create(&all[n], 0)) == 0) n++; SHOW(n > 1000); SHOW(r == EAGAIN); pthread_setspecific(all[n - 1], (void *)4); SHOW(pthread_getspecific(all[n - 1])); for (int i = 0; i < n; i++) pthread_key_delete(all[i]); }
static pthread_once_t once1 = PTHREAD_ONCE_INIT; static int inits; static void slow(void) { inits++; sem_post(&ready); if (inits == 1) for (;;) pause(); } static void *onces(void *a) { pthread_once(&once1, slow); return (void *)(long)inits; }
CASE(once_cancelled) { pthread_t t = start(onces, 0); sem_wait(&ready); pthread_cancel(t); join(t); SHOW(join(start(onces, 0))); SHOW(join(start(onces, 0))); sem_wait(&ready); }
CASE(attributes) { pthread_attr_t a; size_t z; int v; void *p; struct sched_param s; pthread_attr_init(&a); pthread_attr_getdetachstate(&a, &v); SHOW(v); pthread_attr_getguardsize(&a, &z); SHOW(z == 4096); pthread_attr_getscope(&a, &v); SHOW(v == PTHREAD_SCOPE_SYSTEM); pthread_attr_getinheritsched(&a, &v); SHOW(v); pthread_attr_getschedpolicy(&a, &v); SHOW(v); pthread_attr_getschedparam(&a, &s); SHOW(s.sched_priority); SHOW(pthread_attr_setstacksize(&a, 100) == EINVAL); SHOW(pthread_attr_setdetachstate(&a, 7) == EINVAL); SHOW(pthread_attr_setscope(&a, PTHREAD_SCOPE_PROCESS) == ENOTSUP); SHOW(pthread_attr_setguardsize(&a, 65536)); }
static char room[300000] __attribute__((aligned(65536))); static void *where(void *a) { char here; pthread_attr_t at; void *p; size_t z; pthread_getattr_np(pthread_self(), &at); pthread_attr_getstack(&at, &p, &z); return (void *)(long)(&here > room && &here < room + sizeof room && p == room && z == sizeof room); }
CASE(own_stack) { pthread_attr_t a; pthread_attr_init(&a); pthread_attr_setstack(&a, room, sizeof room); pthread_t t; pthread_create(&t, &a, where, 0); SHOW(join(t)); }
CASE(names) { char n[16]; sem_t s; sem_init(&s, 0, 0); pthread_t t = start(long_one, &s); SHOW(pthread_setname_np(pthread_self(), "leader")); pthread_getname_np(pthread_self(), n, 16); printf(" %s", n); SHOW(pthread_setname_np(pthread_self(), "a name that is too long") == ERANGE); pthread_getname_np(t, n, 16); printf(" %d", (int)strlen(n) > 0); sem_post(&s); join(t); }
static volatile int got; static volatile pthread_t by; static void handler(int s, siginfo_t *i, void *u) { got = i->si_value.sival_int; by = pthread_self(); } static void *until_signal(void *a) { sem_post(&ready); while (!got) pause_ms(10); return (void *)(long)pthread_equal(by, pthread_self()); }
CASE(queue_to_a_thread) { sigaction(SIGRTMIN, &(struct sigaction){.sa_sigaction = handler, .sa_flags = SA_SIGINFO}, 0); pthread_t t = start(until_signal, 0); sem_wait(&ready); SHOW(pthread_sigqueue(t, SIGRTMIN, (union sigval){.sival_int = 31})); SHOW(join(t)); SHOW(got); SHOW(pthread_kill(pthread_self(), 0)); SHOW(pthread_kill(pthread_self(), 99) == EINVAL); }
static void *masks(void *a) { sigset_t s; pthread_sigmask(0, 0, &s); sigset_t p; sigpending(&p); return (void *)(long)(sigismember(&s, SIGUSR1) * 10 + sigismember(&p, SIGUSR1)); } static void *takes(void *a) { sigset_t s; int n; sigemptyset(&s); sigaddset(&s, SIGUSR1); sigwait(&s, &n); return (void *)(long)n; }
CASE(masks_are_inherited) { sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR1); pthread_sigmask(SIG_BLOCK, &s, 0); pthread_kill(pthread_self(), SIGUSR1); SHOW(join(start(masks, 0))); int n; sigwait(&s, &n); SHOW(n); pthread_t t = start(takes, 0); pause_ms(10); kill(getpid(), SIGUSR1); SHOW(join(t)); }
static void before(void) { note((void *)1); } static void parent(void) { note((void *)2); } static void child(void) { note((void *)3); } static void before2(void) { note((void *)4); }
CASE(at_fork) { pthread_atfork(before, parent, child); pthread_atfork(before2, 0, 0); int status; logged = 0; if (fork() == 0) _exit(logged == 3 && log_[0] == 4 && log_[1] == 1 && log_[2] == 3 ? 6 : 1); show_log(); wait(&status); SHOW(WEXITSTATUS(status)); }
static void *forks(void *a) { int status; pid_t p = fork(); if (p == 0) { pthread_t t = start(quick, (void *)3); _exit((int)(long)join(t) + 4); } waitpid(p, &status, 0); return (void *)(long)WEXITSTATUS(status); }
CASE(a_thread_forks) { pthread_t t = start(forever, 0); SHOW(join(start(forks, 0))); pthread_cancel(t); join(t); }
static void *leaves(void *a) { _exit(12); } static void *exits(void *a) { exit(13); } static void *execs(void *a) { execl("/proc/self/exe", "again", "exec", (char *)0); return 0; }
static int status_of(void *(*f)(void *)) { int status; fflush(stdout); pid_t p = fork(); if (p == 0) { start(f, 0); for (;;) pause(); } waitpid(p, &status, 0); return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }
static void *aborts(void *a) { abort(); } static void *faults(void *a) { *(volatile int *)8 = 1; return 0; }
CASE(ends_of_the_process) { SHOW(status_of(leaves)); SHOW(status_of(exits)); SHOW(status_of(execs)); SHOW(status_of(aborts)); SHOW(status_of(faults)); }
static void *outlives(void *a) { pause_ms(30); _exit(21); }
CASE(main_leaves_first) { int status; if (fork() == 0) { start(outlives, 0); pthread_exit(0); } wait(&status); SHOW(WEXITSTATUS(status)); }
static long sum; static void *plus(void *a) { __atomic_add_fetch(&sum, (long)a, 5); return 0; }
CASE(two_hundred) { pthread_t t[200]; pthread_attr_t a; pthread_attr_init(&a); pthread_attr_setstacksize(&a, 262144); for (long i = 0; i < 200; i++) pthread_create(&t[i], &a, plus, (void *)i); for (int i = 0; i < 200; i++) join(t[i]); SHOW(sum); }
CASE(a_thousand_in_turn) { sum = 0; for (int i = 0; i < 1000; i++) join(start(plus, (void *)1)); SHOW(sum); }
static __thread int mine = 3; static void *address(void *a) { mine++; *(int **)a = &mine; return (void *)(long)mine; }
CASE(local_storage) { int *p = 0; SHOW(join(start(address, &p))); SHOW(p != &mine); SHOW(mine); }
CASE(clocks) { clockid_t k; struct timespec t; SHOW(pthread_getcpuclockid(pthread_self(), &k)); SHOW(clock_gettime(k, &t)); SHOW(clock_getcpuclockid(0, &k)); }
CASE(affinity) { cpu_set_t s; CPU_ZERO(&s); SHOW(pthread_getaffinity_np(pthread_self(), sizeof s, &s)); SHOW(CPU_ISSET(0, &s) != 0 || CPU_COUNT(&s) > 0); int policy; struct sched_param p; SHOW(pthread_getschedparam(pthread_self(), &policy, &p)); SHOW(policy); SHOW(pthread_getconcurrency()); }
static sem_t expired; static void *value_; static void expires(union sigval v) { value_ = v.sival_ptr; sem_post(&expired); }
CASE(a_timer_starts_threads) { sem_init(&expired, 0, 0); timer_t t; struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = expires, .sigev_value = {.sival_ptr = &expired}}; SHOW(timer_create(CLOCK_MONOTONIC, &e, &t)); SHOW(timer_settime(t, 0, &(struct itimerspec){{0, 0}, {0, 1000000}}, 0)); sem_wait(&expired); SHOW(value_ == &expired); SHOW(timer_delete(t)); }
static void *where_it_is(void *a) { pthread_attr_t t; void *low; size_t size; char here; pthread_getattr_np(pthread_self(), &t); pthread_attr_getstack(&t, &low, &size); return (void *)(long)(&here > (char *)low && &here < (char *)low + size && size == 300000 / 4096 * 4096 + 4096); }
CASE(its_own_stack) { pthread_attr_t a; pthread_attr_init(&a); pthread_attr_setstacksize(&a, 303104); pthread_t t; pthread_create(&t, &a, where_it_is, 0); SHOW(join(t)); }
static void *second(void *a) { return a; } static void *leaves_a_child(void *a) { *(pthread_t *)a = start(second, (void *)77); return 0; }
CASE(joined_by_another) { pthread_t t; join(start(leaves_a_child, &t)); SHOW(join(t)); }
int main(int count, char **words) {
  if (count > 1 && !strcmp(words[1], "exec")) return 14;
  setvbuf(stdout, 0, _IONBF, 0); sem_init(&ready, 0, 0);
  RUN(cancel_points); RUN(cancel_in_sockets); RUN(cancel_disabled); RUN(cancel_at_once); RUN(cancel_itself_and_order); RUN(exit_from_below); RUN(cancel_when_over); RUN(join_with_times); RUN(join_errors); RUN(keys_that_come_again); RUN(keys_all); RUN(once_cancelled);
  RUN(attributes); RUN(own_stack); RUN(names); RUN(queue_to_a_thread); RUN(masks_are_inherited); RUN(at_fork); RUN(a_thread_forks); RUN(ends_of_the_process); RUN(main_leaves_first); RUN(two_hundred); RUN(a_thousand_in_turn); RUN(local_storage); RUN(clocks); RUN(affinity); RUN(a_timer_starts_threads); RUN(its_own_stack); RUN(joined_by_another);
  return 0;
}
