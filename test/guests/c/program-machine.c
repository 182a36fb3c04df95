/* Rule: a small stack machine with computed goto and one with function pointers run the same byte code. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { PUSH, ADD, SUB, MUL, DUP, SWAP, LOAD, STORE, JNZ, LESS, PRINT, HALT };
static const int program[] = {PUSH, 1, STORE, 0, PUSH, 0, STORE, 1,
  LOAD, 1, LOAD, 0, DUP, MUL, ADD, STORE, 1, LOAD, 0, PUSH, 1, ADD, STORE, 0, LOAD, 0, PUSH, 20001, LESS, JNZ, 8, LOAD, 1, PRINT,
  PUSH, 7, PUSH, 9, SWAP, SUB, PRINT, HALT};
static int64_t stack[64], memory[8];
static long count;

static void direct(void) {
  static void *const labels[] = {&&push, &&add, &&sub, &&mul, &&dup, &&swap, &&load, &&store, &&jnz, &&less, &&print, &&halt};
  const int *pc = program;
  int64_t *sp = stack, t;
#define NEXT do { count++; goto *labels[*pc++]; } while (0)
  NEXT;
push: *sp++ = *pc++; NEXT;
add: sp--; sp[-1] += *sp; NEXT;
sub: sp--; sp[-1] -= *sp; NEXT;
mul: sp--; sp[-1] *= *sp; NEXT;
dup: *sp = sp[-1]; sp++; NEXT;
swap: t = sp[-1]; sp[-1] = sp[-2]; sp[-2] = t; NEXT;
load: *sp++ = memory[*pc++]; NEXT;
store: memory[*pc++] = *--sp; NEXT;
jnz: t = *pc++; if (*--sp) pc = program + t; NEXT;
less: sp--; sp[-1] = sp[-1] < *sp; NEXT;
print: printf("%lld\n", (long long)*--sp); NEXT;
halt: return;
}
static const int *at;
static int64_t *top;
static void f_push(void) { *top++ = *at++; }
static void f_add(void) { top--, top[-1] += *top; }
static void f_sub(void) { top--, top[-1] -= *top; }
static void f_mul(void) { top--, top[-1] *= *top; }
static void f_dup(void) { *top = top[-1], top++; }
static void f_swap(void) { int64_t t = top[-1]; top[-1] = top[-2], top[-2] = t; }
static void f_load(void) { *top++ = memory[*at++]; }
static void f_store(void) { memory[*at++] = *--top; }
static void f_jnz(void) { int to = *at++; if (*--top) at = program + to; }
static void f_less(void) { top--, top[-1] = top[-1] < *top; }
static void f_print(void) { printf("%lld\n", (long long)*--top); }

int main(void) {
  direct();
  long first = count;
  memset(memory, 0, sizeof memory);
  static void (*const table[])(void) = {f_push, f_add, f_sub, f_mul, f_dup, f_swap, f_load, f_store, f_jnz, f_less, f_print};
  count = 0, at = program, top = stack;
  for (;;) {
    count++;
    int op = *at++;
    if (op == HALT) break;
    table[op]();
  }
  printf("%ld %d\n", first, first == count);
  return 0;
}
