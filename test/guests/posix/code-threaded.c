/* Threaded code: each instruction is the address of its handler and an operand, so that what looks like a table of targets is code.
 * oracle: host
 */
#include <stdio.h>
#include <stdlib.h>
struct word { void *handler; long operand; };
static long run(struct word *code, int make, long turns) {
  if (make) {
    void *handlers[] = {&&add, &&twice, &&exclusive, &&back, &&skip, &&stop, &&take};
    for (int at = 0; at < 64; at++) code[at].handler = handlers[code[at].operand & 7], code[at].operand >>= 3;
    return 0;
  }
  struct word *ip = code; unsigned long value = 1;
  goto *ip->handler;
add: value += ip->operand; ip++; goto *ip->handler;
twice: value = value * 2 + 1; ip++; goto *ip->handler;
exclusive: value ^= ip->operand * turns; ip++; goto *ip->handler;
take: value -= value >> 3; ip++; goto *ip->handler;
skip: ip += (value & 1) ? 2 : 1; goto *ip->handler;
back: if (--turns > 0) { ip = code + (value & 3); goto *ip->handler; } ip++; goto *ip->handler;
stop: return value;
}
int main(void) {
  static struct word code[64]; unsigned seed = 7;
  for (int at = 0; at < 64; at++) { seed = seed * 1103515245 + 12345; int kind = (seed >> 16) % 5; code[at].operand = ((long)(seed >> 20) << 3) | (at >= 62 ? 5 : at % 16 == 15 ? 3 : kind == 3 ? 6 : kind); }
  run(code, 1, 0);
  for (int turn = 1; turn < 60; turn++) printf("%ld\n", run(code, 0, turn * 5));
  return 0;
}
