/* A register bytecode machine with a switch loop, running a program that counts Collatz steps. Argument: upper bound in thousands. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum opcode { LOAD, MOVE, ADD, ADDI, MUL, SHR, ANDI, XOR, BEQZ, BLT, JUMP, STORE, FETCH, HALT };
struct instruction { uint8_t op, a, b, c; int32_t immediate; };

static uint64_t memory[1024];

static uint64_t run(const struct instruction *program, uint64_t bound, uint64_t *steps) {
  uint64_t r[16] = {0};
  r[1] = bound;
  for (uint32_t pc = 0;; ++*steps) {
    const struct instruction i = program[pc++];
    switch (i.op) {
      case LOAD: r[i.a] = (uint64_t)(int64_t)i.immediate; break;
      case MOVE: r[i.a] = r[i.b]; break;
      case ADD: r[i.a] = r[i.b] + r[i.c]; break;
      case ADDI: r[i.a] = r[i.b] + (uint64_t)(int64_t)i.immediate; break;
      case MUL: r[i.a] = r[i.b] * r[i.c]; break;
      case SHR: r[i.a] = r[i.b] >> (i.immediate & 63); break;
      case ANDI: r[i.a] = r[i.b] & (uint64_t)(int64_t)i.immediate; break;
      case XOR: r[i.a] = r[i.b] ^ r[i.c]; break;
      case BEQZ: if (r[i.a] == 0) pc = (uint32_t)i.immediate; break;
      case BLT: if (r[i.a] < r[i.b]) pc = (uint32_t)i.immediate; break;
      case JUMP: pc = (uint32_t)i.immediate; break;
      case STORE: memory[r[i.a] & 1023] = r[i.b]; break;
      case FETCH: r[i.a] = memory[r[i.b] & 1023]; break;
      default: return r[0];
    }
  }
}

int main(int count, char **arguments) {
  uint64_t bound = (uint64_t)(count > 1 ? atol(arguments[1]) : 100) * 1000, steps = 0;
  static const struct instruction program[] = {
    {LOAD, 2, 0, 0, 1}, {LOAD, 5, 0, 0, 1}, {LOAD, 6, 0, 0, 3},
    /* 3: for each n in r2 < r1 */ {MOVE, 3, 2, 0, 0}, {LOAD, 4, 0, 0, 0},
    /* 5: while 1 < n */ {BLT, 5, 3, 0, 7}, {JUMP, 0, 0, 0, 14}, {ANDI, 7, 3, 0, 1}, {BEQZ, 7, 0, 0, 11}, {MUL, 3, 3, 6, 0}, {ADDI, 3, 3, 0, 1},
    /* 11: halve */ {SHR, 3, 3, 0, 1}, {ADDI, 4, 4, 0, 1}, {JUMP, 0, 0, 0, 5},
    /* 14: table[steps] += n, checksum */ {FETCH, 8, 4, 0, 0}, {ADD, 8, 8, 2, 0}, {STORE, 4, 8, 0, 0}, {MUL, 9, 4, 2, 0}, {XOR, 0, 0, 9, 0}, {ADD, 0, 0, 8, 0},
    {ADDI, 2, 2, 0, 1}, {BLT, 2, 1, 0, 3}, {HALT, 0, 0, 0, 0},
  };
  uint64_t digest = run(program, bound, &steps);
  printf("bcvm %llu %016llx\n", (unsigned long long)steps, (unsigned long long)digest);
  return 0;
}
