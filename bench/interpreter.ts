/**
 * Speed of the interpreters in millions of guest instructions a second of processor time, on a few loops that need no system call.
 * Run: node --import ./scripts/typescript-loader.mjs bench/interpreter.ts. Needs riscv64-linux-gnu-gcc.
 * Prints one line a loop: name, MIPS of the TypeScript interpreter and of the WebAssembly interpreter (best of five slices after a warm-up), ratio.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cpu, GuestMemory, interpretingInWasm } from '../src/engine/index.ts';
import { PAGE_FLAG, riscv64, STOP, type Isa } from '../src/isa/index.ts';

const LOOPS: Readonly<Record<string, string>> = {
  'register arithmetic': `
    li a0, 0
    li a1, 1
1:  add a0, a0, a1
    xor a2, a0, a1
    slli a3, a2, 7
    srli a4, a2, 9
    or a5, a3, a4
    sub a6, a5, a0
    addi a1, a1, 3
    addiw a7, a6, 5
    bnez a1, 1b
    j 1b`,
  'sieve (bytes)': `
    li s0, 0x200000
    li s1, 0x40000
0:  li a0, 2
1:  mul a1, a0, a0
    bgeu a1, s1, 3f
2:  add a2, s0, a1
    li a3, 1
    sb a3, 0(a2)
    add a1, a1, a0
    bltu a1, s1, 2b
3:  addi a0, a0, 1
    li a4, 512
    bltu a0, a4, 1b
    j 0b`,
  'fib (calls, stack)': `
    li sp, 0x300000
0:  li a0, 22
    call fib
    j 0b
fib: li t0, 2
    bltu a0, t0, 2f
    addi sp, sp, -32
    sd ra, 24(sp)
    sd s0, 16(sp)
    sd s1, 8(sp)
    mv s0, a0
    addi a0, s0, -1
    call fib
    mv s1, a0
    addi a0, s0, -2
    call fib
    add a0, a0, s1
    ld ra, 24(sp)
    ld s0, 16(sp)
    ld s1, 8(sp)
    addi sp, sp, 32
2:  ret`,
  'memory (ld, sd)': `
0:  li s0, 0x200000
    li s1, 0x220000
1:  ld a0, 0(s0)
    ld a1, 8(s0)
    add a0, a0, a1
    sd a0, 0(s0)
    lw a2, 16(s0)
    sw a2, 20(s0)
    addi s0, s0, 32
    bltu s0, s1, 1b
    j 0b`,
  'divide': `
    li a0, 0x123456789abcdef
    li a1, 12345
1:  divu a2, a0, a1
    remu a3, a0, a1
    add a0, a0, a3
    addi a1, a1, 2
    j 1b`,
  'bit manipulation': `
    li a0, 0x123456789abcdef
1:  rori a1, a0, 13
    andn a2, a1, a0
    clz a3, a2
    rev8 a4, a1
    sh1add a0, a4, a3
    cpop a5, a0
    max a6, a5, a3
    j 1b`,
  'atomics': `
    li s0, 0x200000
    li a1, 1
1:  amoadd.d a0, a1, (s0)
2:  lr.w a2, (s0)
    addi a2, a2, 1
    sc.w a3, a2, (s0)
    bnez a3, 2b
    j 1b`,
  'double arithmetic': `
    li a0, 3
    fcvt.d.l fa0, a0
    fcvt.d.l fa1, a0
    li a0, 7
    fcvt.d.l fa2, a0
    fdiv.d fa3, fa1, fa2
1:  fmadd.d fa0, fa0, fa3, fa1
    fmul.d fa4, fa0, fa3
    fadd.d fa5, fa4, fa1
    fsub.d fa0, fa5, fa4
    j 1b`,
};

const directory = mkdtempSync(join(tmpdir(), 'stillpoint-bench-'));
try {
  for (const [name, source] of Object.entries(LOOPS)) {
    const code = assemble(source);
    const [typescript, wasm] = [measure(code, riscv64), measure(code, interpretingInWasm(riscv64))];
    console.log(`${name.padEnd(24)}${typescript.toFixed(0).padStart(5)}${wasm.toFixed(0).padStart(6)} MIPS ${(wasm / typescript).toFixed(1).padStart(6)}`);
  }
} finally {
  rmSync(directory, { recursive: true });
}

function assemble(source: string): Uint8Array {
  const path = join(directory, 'loop');
  writeFileSync(`${path}.s`, `.globl _start\n_start:${source}\n`);
  execFileSync('riscv64-linux-gnu-gcc', ['-march=rv64gc_zba_zbb_zbs', '-nostdlib', '-static', '-Wl,-Ttext=0x10000', '-o', path, `${path}.s`]);
  execFileSync('riscv64-linux-gnu-objcopy', ['-O', 'binary', '-j', '.text', path, `${path}.bin`]);
  return readFileSync(`${path}.bin`);
}

function measure(code: Uint8Array, isa: Isa): number {
  const memory = new GuestMemory(0x1000000);
  memory.setRights(0x10, 1, PAGE_FLAG.read | PAGE_FLAG.execute);
  memory.setRights(0x200, 0x100, PAGE_FLAG.read | PAGE_FLAG.write);
  memory.install(0x10000, code);
  const cpu = new Cpu(isa, memory);
  riscv64.abi.startProgram(cpu.state, { entry: 0x10000, stackPointer: 0 });
  let best = 0;
  for (let slice = 0; slice < 6; slice++) {
    const start = process.cpuUsage();
    const stop = cpu.run(30_000_000);
    if (stop !== STOP.budget) throw new Error(`the loop stopped: ${stop} at ${riscv64.abi.programCounter(cpu.state).toString(16)}`);
    if (slice > 0) best = Math.max(best, 30_000_000 / process.cpuUsage(start).user);
  }
  return best;
}
