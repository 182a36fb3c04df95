/**
 * Oracle harness: the same machine code through our interpreter and through qemu-riscv64.
 * A snippet is assembly text (one instruction, or several separated by ';') over a0..a3, fa0..fa3, t0..t6 and the 32 bytes at SCRATCH. A case
 * is a snippet number with input values; its outcome is a0, fa0, fcsr and the scratch bytes afterwards.
 * All snippets lie in one program at a fixed address, 64 bytes apart and followed by `ret`, so that pc-relative results agree as well;
 * cases travel over standard input, so a million of them cost one process. Programs are cached in build/ under the hash of their source.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Cpu, GuestMemory } from '../../src/engine/index.ts';
import { BIAS, CONTROL, PAGE_FLAG, riscv64, STOP } from '../../src/isa/index.ts';

/** Guest address of the scratch bytes; cases put it (plus an offset) into a register for loads and stores. */
export const SCRATCH = 0x8000000n;
const SNIPPETS = 0x4000000;
const SNIPPET_BYTES = 64;
const RETURN = 0x9000000;
const CASE_WORDS = 14;
const OUTCOME_WORDS = 7;
const BUILD = resolve(import.meta.dirname, '../../build/isa-oracle');

export interface OracleCase {
  readonly snippet: number;
  /** a0..a3 and fa0..fa3 as 64-bit patterns. */
  readonly x: readonly [bigint, bigint, bigint, bigint];
  readonly f?: readonly [bigint, bigint, bigint, bigint];
  readonly fcsr?: number;
  /** Four 64-bit words at SCRATCH. */
  readonly memory?: readonly [bigint, bigint, bigint, bigint];
}

/** a0, fa0, fcsr, then the four words at SCRATCH. */
export type Outcome = BigUint64Array;

const SOURCE = (snippets: readonly string[]): string => `
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
struct in { uint64_t index, x[4], f[4], fcsr, memory[4]; };
struct out { uint64_t x, f, fcsr, memory[4]; };
void step(const struct in *, struct out *);
asm(".section .text\\nstep:\\n addi sp,sp,-32\\n sd ra,0(sp)\\n sd s0,8(sp)\\n sd s1,16(sp)\\n mv s0,a0\\n mv s1,a1\\n"
    " ld t0,72(s0)\\n fscsr t0\\n fld fa0,40(s0)\\n fld fa1,48(s0)\\n fld fa2,56(s0)\\n fld fa3,64(s0)\\n"
    " ld t0,0(s0)\\n slli t0,t0,6\\n li t1,${SNIPPETS}\\n add t0,t0,t1\\n ld a0,8(s0)\\n ld a1,16(s0)\\n ld a2,24(s0)\\n ld a3,32(s0)\\n"
    " jalr t0\\n sd a0,0(s1)\\n fsd fa0,8(s1)\\n frcsr t0\\n sd t0,16(s1)\\n ld ra,0(sp)\\n ld s0,8(sp)\\n ld s1,16(sp)\\n addi sp,sp,32\\n ret\\n"
    ".section .snippets,\\"ax\\"\\n.option norelax\\n"
${snippets.map((text) => `    ".balign ${SNIPPET_BYTES}\\n${text.replaceAll(';', '\\n')}\\nret\\n"`).join('\n')}
    ".section .text\\n");
static struct in ins[4096];
static struct out outs[4096];
int main(void) {
  uint64_t *scratch = mmap((void *)${SCRATCH}, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  size_t n;
  while ((n = fread(ins, sizeof *ins, 4096, stdin)) > 0) {
    for (size_t i = 0; i < n; i++) {
      memcpy(scratch, ins[i].memory, 32);
      step(&ins[i], &outs[i]);
      memcpy(outs[i].memory, scratch, 32);
    }
    fwrite(outs, sizeof *outs, n, stdout);
  }
  return 0;
}
`;

/** One program that holds `snippets`, built once. */
export class Oracle {
  readonly #program: string;
  readonly #code: Uint8Array;

  constructor(snippets: readonly string[]) {
    const source = SOURCE(snippets);
    this.#program = join(BUILD, createHash('sha256').update(source).digest('hex').slice(0, 16));
    if (!existsSync(this.#program)) build(source, this.#program);
    this.#code = readFileSync(`${this.#program}.bin`);
  }

  /** Outcomes of qemu-riscv64, one row of 7 words a case. */
  runOnQemu(cases: readonly OracleCase[]): BigUint64Array {
    const input = new BigUint64Array(cases.length * CASE_WORDS);
    cases.forEach((one, index) => input.set(caseWords(one), index * CASE_WORDS));
    const result = spawnSync('qemu-riscv64', ['-cpu', 'rv64,v=false', this.#program], {
      input: new Uint8Array(input.buffer), maxBuffer: cases.length * OUTCOME_WORDS * 8 + 65536,
    });
    if (result.status !== 0) throw new Error(`qemu-riscv64 failed: ${result.status} ${result.signal} ${result.stderr?.toString()}`);
    return new BigUint64Array(result.stdout.buffer.slice(result.stdout.byteOffset, result.stdout.byteOffset + result.stdout.length));
  }

  /** Outcomes of our interpreter, in the same form. `slice`: budget of one run() call. */
  runOnOurs(cases: readonly OracleCase[], slice = 1000): BigUint64Array {
    const memory = new GuestMemory(0xa000000);
    memory.install(SNIPPETS, this.#code);
    memory.setRights(SNIPPETS >>> 12, (this.#code.length + 4095) >>> 12, PAGE_FLAG.read | PAGE_FLAG.execute);
    memory.setRights(Number(SCRATCH) >>> 12, 2, PAGE_FLAG.read | PAGE_FLAG.write);
    const cpu = new Cpu(riscv64, memory);
    const outcomes = new BigUint64Array(cases.length * OUTCOME_WORDS);
    const scratch = new BigUint64Array(memory.buffer, Number(SCRATCH) - BIAS, 4);
    cases.forEach((one, index) => {
      const words = caseWords(one);
      load(cpu, words);
      scratch.set(words.slice(10));
      let stop: number = STOP.budget;
      while (stop === STOP.budget) stop = cpu.run(slice);
      if (stop !== STOP.fetchFault || cpu.faultAddress !== BigInt(RETURN)) {
        throw new Error(`case ${index} stopped with ${stop} at ${riscv64.abi.programCounter(cpu.state).toString(16)}`);
      }
      const x = registersOf(cpu);
      outcomes.set([x[10]!, x[32 + 10]!, BigInt(cpu.state.control[CONTROL.fcsr]! & 0xff), ...scratch], index * OUTCOME_WORDS);
    });
    return outcomes;
  }
}

/** x0..x31, then f0..f31, which follow them in the register block. */
function registersOf(cpu: Cpu): BigUint64Array {
  return new BigUint64Array(cpu.state.x.buffer, cpu.state.x.byteOffset, 64);
}

function load(cpu: Cpu, words: readonly bigint[]): void {
  riscv64.abi.startProgram(cpu.state, { entry: SNIPPETS + SNIPPET_BYTES * Number(words[0]), stackPointer: 0 });
  const registers = registersOf(cpu);
  registers[1] = BigInt(RETURN);
  for (let index = 0; index < 4; index++) {
    registers[10 + index] = words[1 + index]!;
    registers[32 + 10 + index] = words[5 + index]!;
  }
  cpu.state.control[CONTROL.fcsr] = Number(words[9]);
}

function caseWords(one: OracleCase): bigint[] {
  const zeros = [0n, 0n, 0n, 0n] as const;
  return [BigInt(one.snippet), ...one.x, ...(one.f ?? zeros), BigInt(one.fcsr ?? 0), ...(one.memory ?? zeros)];
}

function build(source: string, program: string): void {
  mkdirSync(BUILD, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'isa-oracle-'));
  const partial = `${program}.${process.pid}`;
  try {
    writeFileSync(join(folder, 'oracle.c'), source);
    execFileSync('riscv64-linux-gnu-gcc', ['-O1', '-static', '-march=rv64gc_zba_zbb_zbs', '-mabi=lp64d',
      `-Wl,--section-start=.snippets=0x${SNIPPETS.toString(16)}`, '-o', partial, join(folder, 'oracle.c')], { stdio: ['ignore', 'inherit', 'pipe'] });
    execFileSync('riscv64-linux-gnu-objcopy', ['-O', 'binary', '-j', '.snippets', partial, `${partial}.bin`]);
    renameSync(`${partial}.bin`, `${program}.bin`);
    renameSync(partial, program);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
