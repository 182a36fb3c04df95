/* Four threads count with lr and sc, with work between the two: another thread that counts meanwhile must make the sc fail.
 * Prints the count. */
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 4, TURNS = 3000 };
static long count;

static void *work(void *unused) {
  (void)unused;
  for (int turn = 0; turn < TURNS; turn++) {
    long value, failed;
    do {
      __asm__ volatile("lr.d %0, (%2)\n addi %0, %0, 1\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n sc.d %1, %0, (%2)" : "=&r"(value), "=&r"(failed) : "r"(&count) : "memory");
    } while (failed);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  printf("%ld\n", count);
  return 0;
}
