#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static long sum; static int turn; static volatile int go; static __thread int mine;
static void *add(void *p) { for (int i = 0; i < 1000; i++) { pthread_mutex_lock(&m); sum += (long)p; if (i % 100 == 0) usleep(10); pthread_mutex_unlock(&m); } mine = (int)(long)p; return (void *)(long)(mine * 2); }
static void *pong(void *p) { for (int i = 0; i < 5; i++) { pthread_mutex_lock(&m); while (turn != 1) pthread_cond_wait(&c, &m); printf("pong %d\n", i); turn = 0; pthread_cond_signal(&c); pthread_mutex_unlock(&m); } return 0; }
static void *spin(void *p) { while (!go) ; return (void *)7; }
int main(void) {
  pthread_t t[8]; void *r; long total = 0;
  for (long i = 0; i < 8; i++) pthread_create(&t[i], 0, add, (void *)(i + 1));
  for (int i = 0; i < 8; i++) { pthread_join(t[i], &r); total += (long)r; }
  printf("sum %ld results %ld mine %d\n", sum, total, mine);
  pthread_create(&t[0], 0, pong, 0);
  for (int i = 0; i < 5; i++) { pthread_mutex_lock(&m); while (turn != 0) pthread_cond_wait(&c, &m); printf("ping %d\n", i); turn = 1; pthread_cond_signal(&c); pthread_mutex_unlock(&m); }
  pthread_join(t[0], 0);
  pthread_create(&t[0], 0, spin, 0); pthread_create(&t[1], 0, spin, 0);
  usleep(1); go = 1; pthread_join(t[0], &r); pthread_join(t[1], 0); printf("spun %ld\n", (long)r);
  return 3;
}
