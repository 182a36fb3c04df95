/* Rule: an illegal instruction is SIGILL; a handler sees its address and may step over it.
 * oracle: qemu
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

static volatile int seen, code_ok, address_ok;

static void handler(int s, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
#ifdef __riscv
  code_ok = s == SIGILL;
  address_ok = (unsigned long)info->si_addr == uc->uc_mcontext.__gregs[REG_PC];
  uc->uc_mcontext.__gregs[REG_PC] += seen % 2 ? 4 : 2;
#endif
  seen++;
}

int main(void) {
  struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGILL, &sa, NULL);
#ifdef __riscv
  __asm__ volatile(".short 0");
  printf("%d %d %d\n", seen, code_ok, address_ok);
  __asm__ volatile(".word 0xffffffff");
  printf("%d %d %d\n", seen, code_ok, address_ok);
#endif
  return seen == 2 ? 0 : 1;
}
