/* Rule: mutexes, once, thread-specific data and thread-locals work in a program of one thread (POSIX, C11). */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>

static _Thread_local int counter = 5;
static _Thread_local char zeroed[100];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialised;
static void initialise(void) { initialised++; }

int main(void) {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  int l = pthread_mutex_lock(&m), t = pthread_mutex_trylock(&m), u = pthread_mutex_unlock(&m);
  printf("%d %d %d\n", l, t == EBUSY, u);
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr), pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_t checked;
  pthread_mutex_init(&checked, &attr);
  int a = pthread_mutex_lock(&checked), b = pthread_mutex_lock(&checked), c = pthread_mutex_unlock(&checked), d = pthread_mutex_unlock(&checked);
  printf("%d %d %d %d\n", a, b == EDEADLK, c, d == EPERM);
  pthread_once(&once, initialise), pthread_once(&once, initialise);
  pthread_key_t key;
  pthread_key_create(&key, NULL);
  pthread_setspecific(key, &initialised);
  counter += 3;
  int sum = 0;
  for (int i = 0; i < 100; i++) sum += zeroed[i];
  printf("%d %d %d %d\n", initialised, *(int *)pthread_getspecific(key), counter, sum);
  sem_t s;
  sem_init(&s, 0, 2);
  int value;
  sem_wait(&s), sem_wait(&s);
  int rc = sem_trywait(&s), e = errno;
  sem_post(&s), sem_getvalue(&s, &value);
  printf("%d %d %d\n", rc, e == EAGAIN, value);
  pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
  rc = pthread_rwlock_rdlock(&rw);
  int busy = pthread_rwlock_trywrlock(&rw);
  printf("%d %d\n", rc, busy == EBUSY);
  pthread_rwlock_unlock(&rw);
  pthread_spinlock_t spin;
  pthread_spin_init(&spin, 0);
  l = pthread_spin_lock(&spin), u = pthread_spin_unlock(&spin);
  printf("%d %d\n", l, u);
  printf("%d %d\n", pthread_equal(pthread_self(), pthread_self()) != 0, thrd_equal(thrd_current(), thrd_current()) != 0);
  return 0;
}
