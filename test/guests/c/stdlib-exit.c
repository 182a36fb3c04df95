/* Rule: atexit handlers run last first, may add more, then streams are flushed and the status is masked (C99 7.20.4.3).
 * exit: 44
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

static void late(void) { printf("late\n"); }
static void first(void) { printf("first registered, last run\n"); }
static void second(void) {
  printf("second\n");
  atexit(late);
}
static void third(int status, void *arg) { printf("on_exit %d %s\n", status, (char *)arg); }
static void repeated(void) { printf("again\n"); }
__attribute__((constructor)) static void before(void) { printf("constructor\n"); }
__attribute__((destructor)) static void after(void) { printf("destructor, unflushed until the end"); }

int main(void) {
  atexit(first);
  for (int i = 0; i < 40; i++) atexit(i % 20 ? second + 0 : repeated);
  on_exit(third, "arg");
  FILE *f = fopen("left-open", "w");
  fputs("flushed by exit", f);
  printf("main\n");
  exit(300);
}
