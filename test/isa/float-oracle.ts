/**
 * The independent oracle: qemu-riscv64 executing each instruction itself, in a generated C program that reads binary cases and writes outcomes.
 *
 * Case, 32 bytes: u16 instruction index, u8 rm, u8 flags, u32 zero, u64 operands[3] (rs1 is loaded to an integer and a float register alike).
 * Outcome, 24 bytes: u64 float result, u64 integer result, u64 fcsr. Little-endian. The program is cached in build/ under its source's hash.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { INSTRUCTIONS, type Case, type Outcome } from './float-machine.ts';

const BUILD = resolve(import.meta.dirname, '../../build/float-oracle');
const OUTCOME_BYTES = 24;

/** Runs the cases on qemu. */
export function runOnQemu(cases: readonly Case[]): Outcome[] {
  const program = build('riscv64-linux-gnu-gcc', ['-O1', '-static'], qemuSource());
  const output = runOracle(['qemu-riscv64', program], encodeCases(cases), cases.length);
  return cases.map((one, index) => {
    const isInteger = one.instruction.target === 'l';
    const at = index * OUTCOME_BYTES;
    return { value: output.readBigUInt64LE(at + (isInteger ? 8 : 0)), flags: output.readUInt8(at + 16) & 31 };
  });
}

export function encodeCases(cases: readonly Case[]): Buffer {
  const input = Buffer.alloc(cases.length * 32);
  cases.forEach((one, index) => {
    const at = index * 32;
    input.writeUInt16LE(INSTRUCTIONS.indexOf(one.instruction), at);
    input.writeUInt8(one.rm, at + 2);
    input.writeUInt8(one.flags, at + 3);
    one.operands.forEach((operand, place) => input.writeBigUInt64LE(operand, at + 8 + 8 * place));
  });
  return input;
}

/** Feeds the cases to an oracle program and returns one outcome record for each. */
export function runOracle(command: readonly string[], input: Buffer, count: number): Buffer {
  const result = spawnSync(command[0]!, command.slice(1), { input, maxBuffer: count * OUTCOME_BYTES + 65536 });
  if (result.status !== 0 || result.stdout.length !== count * OUTCOME_BYTES) {
    throw new Error(`the oracle ${command.join(' ')} failed: status ${String(result.status)} ${String(result.error ?? '')} ${result.stderr?.toString() ?? ''}`);
  }
  return result.stdout;
}

/** Compiles `source` once; returns the path of the program. */
export function build(compiler: string, flags: readonly string[], source: string): string {
  const digest = createHash('sha256').update(JSON.stringify([compiler, flags, source])).digest('hex').slice(0, 16);
  const program = join(BUILD, digest);
  if (existsSync(program)) return program;
  mkdirSync(BUILD, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'float-oracle-'));
  try {
    writeFileSync(join(folder, 'oracle.c'), source);
    const partial = `${program}.${process.pid}`;
    const result = spawnSync(compiler, [...flags, '-o', partial, join(folder, 'oracle.c'), '-lm'], { encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`${compiler} failed: ${result.stderr ?? String(result.error)}`);
    renameSync(partial, program);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return program;
}

/** What both oracle programs share: records, and a loop over standard input. `body` defines step(in, out). */
export function oracleSource(body: string): string {
  return `
#include <stdint.h>
#include <stdio.h>
struct in { uint16_t op; uint8_t rm, flags; uint32_t zero; uint64_t operand[3]; };
struct out { uint64_t f, x, fcsr; };
${body}
static struct in ins[4096];
static struct out outs[4096];
int main(void) {
  size_t n;
  while ((n = fread(ins, sizeof *ins, 4096, stdin)) > 0) {
    for (size_t i = 0; i < n; i++) step(&ins[i], &outs[i]);
    if (fwrite(outs, sizeof *outs, n, stdout) != n) return 1;
  }
  return 0;
}
`;
}

function qemuSource(): string {
  const routines = INSTRUCTIONS.map(({ mnemonic, sources, target, rounds }, index) => {
    const isInteger = (kind: string | undefined): boolean => kind === 'w' || kind === 'l';
    const registers = [isInteger(target) ? 'a5' : 'fa5', ...sources.map((kind, place) => (isInteger(kind) ? 'a0' : `fa${place}`))];
    // The assembler takes a rounding mode only where the encoding has one to choose.
    const fixed = !rounds || /^fcvt\.d\.(s|w|wu)$/.test(mnemonic);
    return `  case ${index}: RUN("${mnemonic} ${registers.join(', ')}${fixed ? '' : ', dyn'}"); break;`;
  });
  return oracleSource(`
#define RUN(text) asm volatile("ld a0, 8(%0)\\n fld fa0, 8(%0)\\n fld fa1, 16(%0)\\n fld fa2, 24(%0)\\n li a5, 0\\n fmv.d.x fa5, zero\\n" \\
  "fscsr zero, %2\\n" text "\\n frcsr a6\\n fsd fa5, 0(%1)\\n sd a5, 8(%1)\\n sd a6, 16(%1)\\n fscsr zero, zero" \\
  : : "r"(in), "r"(out), "r"((uint64_t)in->rm << 5 | in->flags) : "a0", "a5", "a6", "fa0", "fa1", "fa2", "fa5", "memory")
static void step(const struct in *in, struct out *out) {
  switch (in->op) {
${routines.join('\n')}
  }
}`);
}
