/* Being moved from a word to a lock that holds its owner (FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI). Every waiter is in its call before it is moved: its state says so.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT = 0, WAKE = 1, LOCK_PI = 6, UNLOCK_PI = 7, WAIT_REQUEUE_PI = 11, CMP_REQUEUE_PI = 12, PRIVATE = 128 };
static const char *word(long result) { static char text[4][32]; static int turn; char *at = text[turn++ & 3]; snprintf(at, 32, "%ld", result); return result < 0 ? strerrorname_np(errno) : at; }
static long futex(void *at, int operation, long value, long second, void *other, long third) { return syscall(SYS_futex, at, operation, value, second, other, third); }

/* Until the thread sleeps. */
static void until_it_waits(pid_t thread) {
  char name[64], state;
  snprintf(name, sizeof name, "/proc/%d/task/%d/stat", getpid(), thread);
  do { FILE *file = fopen(name, "r"); if (!file) return; fscanf(file, "%*d (%*[^)]) %c", &state); fclose(file); if (state != 'S') usleep(1000); } while (state != 'S');
}

static uint32_t condition, plain, lock;
static volatile pid_t waiting;
static volatile int isSet;
static int order[4], count;
static pthread_t start(void *(*body)(void *), void *argument) { pthread_t thread; isSet = 0; pthread_create(&thread, 0, body, argument); while (!isSet) usleep(1000); until_it_waits(waiting); return thread; }
static void *asks(void *number) {
  waiting = gettid(); isSet = 1;
  long answer = futex(&condition, WAIT_REQUEUE_PI | PRIVATE, 0, 0, &lock, 0);
  if (answer == 0) { order[count++] = (long) number; answer = (lock & 0x3fffffff) == gettid(); futex(&lock, UNLOCK_PI | PRIVATE, 0, 0, 0, 0); }
  return (void *) answer;
}
static void *waits(void *none) { waiting = gettid(); isSet = 1; return (void *) futex(&plain, WAIT | PRIVATE, 0, 0, 0, 0); }

int main(void) {
  pthread_t threads[3]; void *answer;
  setvbuf(stdout, 0, _IONBF, 0);
  for (long i = 0; i < 3; i++) threads[i] = start(asks, (void *) (i + 1));
  printf("two woken %s", word(futex(&condition, CMP_REQUEUE_PI | PRIVATE, 2, 1, &lock, 0))); printf(", other value %s", word(futex(&condition, CMP_REQUEUE_PI | PRIVATE, 1, 1, &lock, 1))); printf(", onto itself %s\n", word(futex(&condition, CMP_REQUEUE_PI | PRIVATE, 1, 1, &condition, 0)));
  printf("lock %s", word(futex(&lock, LOCK_PI | PRIVATE, 0, 0, 0, 0))); printf(" moved %s\n", word(futex(&condition, CMP_REQUEUE_PI | PRIVATE, 1, INT_MAX, &lock, 0)));
  printf("waiters %d, nobody yet %d\n", lock >> 31, count); futex(&lock, UNLOCK_PI | PRIVATE, 0, 0, 0, 0);
  for (int i = 0; i < 3; i++) { pthread_join(threads[i], &answer); printf("%ld", (long) answer); }
  printf(" in order %d%d%d, free %d\n", order[0], order[1], order[2], lock == 0);
  pthread_t thread = start(asks, (void *) 4); printf("a free lock %s", word(futex(&condition, CMP_REQUEUE_PI | PRIVATE, 1, 0, &lock, 0))); pthread_join(thread, &answer); printf(" %ld\n", (long) answer);
  thread = start(waits, 0); printf("who did not ask %s", word(futex(&plain, CMP_REQUEUE_PI | PRIVATE, 1, 0, &lock, 0))); printf(", woken %s\n", word(futex(&plain, WAKE | PRIVATE, 1, 0, 0, 0))); pthread_join(thread, 0);
  struct timespec past = { 0, 1 }; printf("over %s", word(futex(&condition, WAIT_REQUEUE_PI | PRIVATE, 0, (long) &past, &lock, 0))); printf(", other value %s", word(futex(&condition, WAIT_REQUEUE_PI | PRIVATE, 9, 0, &lock, 0))); printf(", itself %s\n", word(futex(&condition, WAIT_REQUEUE_PI | PRIVATE, 0, 0, &condition, 0)));
  return 0;
}
