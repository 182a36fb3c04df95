#include <pthread.h>
#include <stdio.h>
int main(void) {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&m);
  puts("about to wait");
  fflush(stdout);
  pthread_mutex_lock(&m);
  return 0;
}
