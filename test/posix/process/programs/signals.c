#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
static volatile int depth; static sigjmp_buf env; static char alt[65536];
static void plain(int s) { printf("handler %d depth %d\n", s, ++depth); depth--; }
static void nested(int s) { printf("enter %d\n", s); if (s == SIGUSR1) raise(SIGUSR2); printf("leave %d\n", s); }
static void info(int s, siginfo_t *i, void *c) {
  printf("info %d code %d value %d self %d\n", s, i->si_code, i->si_value.sival_int, i->si_pid == getpid());
}
static void skip(int s, siginfo_t *i, void *c) {
  ucontext_t *u = c;
  printf("fault %d code %d at pc %d\n", s, i->si_code, s == SIGSEGV ? i->si_addr == (void *)0x40 : (long)i->si_addr == (long)u->uc_mcontext.__gregs[0]);
  u->uc_mcontext.__gregs[0] += (*(uint16_t *)u->uc_mcontext.__gregs[0] & 3) == 3 ? 4 : 2;
}
static void overflow(int s, siginfo_t *i, void *c) {
  stack_t st; sigaltstack(0, &st);
  char here; printf("overflow on alternate %d flags %d\n", &here > alt && &here < alt + sizeof alt, st.ss_flags);
  siglongjmp(env, 1);
}
static int eat(int n) { volatile char b[4096]; b[0] = n; return eat(n + 1) + b[0]; }
static void set(int s, void (*h)(int), int flags) {
  struct sigaction a = { .sa_handler = h, .sa_flags = flags }; sigemptyset(&a.sa_mask); sigaction(s, &a, 0);
}
int main(void) {
  setbuf(stdout, 0);
  set(SIGUSR1, plain, 0); raise(SIGUSR1);
  set(SIGUSR1, nested, 0); set(SIGUSR2, nested, 0); raise(SIGUSR1);
  sigset_t m, o, w; sigemptyset(&m); sigaddset(&m, SIGUSR1); sigaddset(&m, SIGRTMIN); sigaddset(&m, SIGUSR2);
  sigprocmask(SIG_BLOCK, &m, &o);
  set(SIGUSR1, plain, 0); set(SIGUSR2, plain, 0); set(SIGRTMIN, (void *)info, SA_SIGINFO);
  for (int i = 0; i < 3; i++) { union sigval v = { .sival_int = i }; sigqueue(getpid(), SIGRTMIN, v); kill(getpid(), SIGUSR1); }
  sigpending(&w); printf("pending %d %d %d\n", sigismember(&w, SIGUSR1), sigismember(&w, SIGRTMIN), sigismember(&w, SIGUSR2));
  sigprocmask(SIG_SETMASK, &o, 0);
  set(SIGUSR1, plain, SA_RESETHAND); raise(SIGUSR1);
  struct sigaction q; sigaction(SIGUSR1, 0, &q); printf("reset %d\n", q.sa_handler == SIG_DFL);
  sigprocmask(SIG_BLOCK, &m, 0); kill(getpid(), SIGUSR2);
  sigset_t none; sigemptyset(&none); int r = sigsuspend(&none); printf("suspend %d %d\n", r, errno == EINTR);
  sigprocmask(0, 0, &w); printf("mask kept %d\n", sigismember(&w, SIGUSR2));
  kill(getpid(), SIGUSR2); siginfo_t si; r = sigwaitinfo(&m, &si); printf("waited %d %d\n", r, si.si_code);
  struct timespec t = { 0, 1000 }; r = sigtimedwait(&m, 0, &t); printf("timed %d %d\n", r, errno == EAGAIN);
  sigprocmask(SIG_SETMASK, &o, 0);
  struct sigaction f = { .sa_sigaction = skip, .sa_flags = SA_SIGINFO }; sigemptyset(&f.sa_mask);
  sigaction(SIGSEGV, &f, 0); sigaction(SIGILL, &f, 0); sigaction(SIGTRAP, &f, 0);
  double keep = 1.25; register long s5 asm("s5") = 12345; asm volatile("" : "+r"(s5));
  *(volatile int *)0x40 = 1; asm volatile(".word 0"); asm volatile("ebreak");
  printf("kept %g %ld\n", keep, s5);
  stack_t st = { .ss_sp = alt, .ss_size = sizeof alt }; sigaltstack(&st, 0);
  struct sigaction v = { .sa_sigaction = overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK }; sigemptyset(&v.sa_mask); sigaction(SIGSEGV, &v, 0);
  if (sigsetjmp(env, 1) == 0) eat(0);
  printf("errors %d %d %d\n", kill(getpid(), 99), kill(999999, 0), (int)syscall(SYS_tgkill, 0, 1, 1));
  signal(SIGCHLD, SIG_DFL); raise(SIGCHLD); raise(SIGWINCH); signal(SIGTERM, SIG_IGN); raise(SIGTERM);
  printf("alive\n"); fflush(stdout);
  signal(SIGFPE, SIG_DFL); raise(SIGFPE);
  return 0;
}
