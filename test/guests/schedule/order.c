/* The order in which threads get on: a trace that tells schedules apart. The sum is the same in all.
 * flags: -pthread
 * oracle: qemu
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
static char trace[4096]; static int length; static long racy;
static void *work(void *a) { for (int i = 0; i < 20; i++) { trace[__atomic_fetch_add(&length, 1, __ATOMIC_SEQ_CST)] = 'a' + (int)(long)a; for (volatile int spin = 0; spin < 6000; spin++); long seen = racy; for (volatile int spin = 0; spin < 2000; spin++); racy = seen + 1; } return 0; }
int main(void) {
  pthread_t t[5];
  for (long i = 0; i < 5; i++) pthread_create(&t[i], 0, work, (void *)i);
  for (int i = 0; i < 5; i++) pthread_join(t[i], 0);
  printf("%s %d racy %ld\n", trace, length, racy);
  return 0;
}
