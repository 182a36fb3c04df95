/* Rule: SIGSEGV's handler sees the faulting address and its cause, may repair the mapping, or jump away, on its own stack. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static volatile char *page;
static sigjmp_buf back;
static volatile int repairs, code, on_alternate, same_address;
static char alternate[65536];

static void repair(int s, siginfo_t *info, void *context) {
  char here;
  on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
  code = info->si_code;
  same_address = (char *)info->si_addr == page + 100;
  repairs++;
  mprotect((void *)page, 4096, PROT_READ | PROT_WRITE);
}
static void leave(int s, siginfo_t *info, void *context) {
  code = info->si_code;
  siglongjmp(back, 1);
}
static volatile int depth;
static int __attribute__((noinline)) overflow(volatile char *above) {
  volatile char frame[1024];
  frame[5] = above[0];
  depth++;
  return overflow(frame) + frame[5];
}

int main(void) {
  page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack_t ss = {.ss_sp = alternate, .ss_size = sizeof alternate};
  sigaltstack(&ss, NULL);
  struct sigaction sa = {.sa_sigaction = repair, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGSEGV, &sa, NULL);
  page[100] = 42;
  printf("%d %d %d %d %d\n", page[100], repairs, code == SEGV_ACCERR, on_alternate, same_address);
  mprotect((void *)page, 4096, PROT_READ);
  page[100]++;
  printf("%d %d\n", page[100], repairs);
  sa.sa_sigaction = leave;
  sigaction(SIGSEGV, &sa, NULL);
  for (volatile int i = 0; i < 4; i++) {
    volatile char *where = i == 0 ? (char *)8 : i == 1 ? (char *)UINT64_C(0x123456789000) : i == 2 ? (char *)UINTPTR_MAX - 4095 : (char *)(UINT64_C(1) << 40);
    if (sigsetjmp(back, 1) == 0) {
      *where = 1;
      printf("no fault\n");
    } else {
      printf("%d ", i == 2 ? 1 : code == SEGV_MAPERR);
    }
  }
  munmap((void *)page, 4096);
  if (sigsetjmp(back, 1) == 0) printf("%d\n", *(volatile char *)page);
  else printf("%d\n", code == SEGV_MAPERR);
  volatile char start = 1;
  if (sigsetjmp(back, 1) == 0) overflow(&start);
  else printf("%d\n", depth > 1000);
  stack_t now;
  sigaltstack(NULL, &now);
  printf("%d %d\n", now.ss_sp == alternate, now.ss_size == sizeof alternate);
  ss.ss_flags = SS_DISABLE;
  printf("%d\n", sigaltstack(&ss, NULL));
  return 0;
}
