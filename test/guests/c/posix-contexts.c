/* Rule: makecontext and swapcontext run coroutines on stacks of their own. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

static ucontext_t main_context, generators[3];
static int yielded, finished;

static void yield(int which, int value) {
  yielded = value;
  swapcontext(&generators[which], &main_context);
}
static void squares(int which, int limit) {
  double kept = which + 0.5;
  for (int i = 1; i <= limit; i++) yield(which, i * i + (int)kept), kept += 1;
  finished++;
}

int main(void) {
  for (int g = 0; g < 3; g++) {
    getcontext(&generators[g]);
    generators[g].uc_stack.ss_sp = malloc(65536), generators[g].uc_stack.ss_size = 65536, generators[g].uc_link = &main_context;
    makecontext(&generators[g], (void (*)(void))squares, 2, g, 3 + g * 2);
  }
  for (int round = 0; round < 9 && finished < 3; round++)
    for (int g = 0; g < 3; g++) {
      if (round > 3 + g * 2) continue;
      yielded = -1;
      swapcontext(&main_context, &generators[g]);
      printf("%d ", yielded);
    }
  printf("%d\n", finished);
  return 0;
}
