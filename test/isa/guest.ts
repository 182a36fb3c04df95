/** A small machine for tests of the interpreter: code from assembly text (with labels) at CODE, two data pages at DATA, run by hand. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Cpu, GuestMemory } from '../../src/engine/index.ts';
import { BIAS, PAGE_FLAG, riscv64, type Stop } from '../../src/isa/index.ts';

export const CODE = 0x20000;
export const DATA = 0x40000;
const BUILD = resolve(import.meta.dirname, '../../build/isa-guests');

/** Machine code of assembly text, linked at CODE. Cached under the hash of the text. */
export function assemble(text: string): Uint8Array {
  const path = join(BUILD, createHash('sha256').update(text).digest('hex').slice(0, 16));
  if (existsSync(path)) return readFileSync(path);
  mkdirSync(BUILD, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'isa-guest-'));
  try {
    const at = join(folder, 'guest');
    writeFileSync(`${at}.s`, `.option norelax\n.globl _start\n_start:\n${text.replaceAll(';', '\n')}\n`);
    execFileSync('riscv64-linux-gnu-gcc', ['-march=rv64gc_zba_zbb_zbs', '-nostdlib', '-static', `-Wl,-Ttext=0x${CODE.toString(16)}`, '-o', at, `${at}.s`]);
    execFileSync('riscv64-linux-gnu-objcopy', ['-O', 'binary', '-j', '.text', at, `${at}.bin`]);
    writeFileSync(`${path}.${process.pid}`, readFileSync(`${at}.bin`));
    renameSync(`${path}.${process.pid}`, path);
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export class Guest {
  readonly memory = new GuestMemory(0x100000);
  readonly cpu = new Cpu(riscv64, this.memory);

  /** `code`: assembly text, or bytes; on executable pages from CODE (writable too when asked). */
  constructor(code: string | Uint8Array, options: { readonly isWritable?: boolean } = {}) {
    const bytes = typeof code === 'string' ? assemble(code) : code;
    this.memory.install(CODE, bytes);
    const rights = PAGE_FLAG.read | PAGE_FLAG.execute | (options.isWritable === true ? PAGE_FLAG.write : 0);
    this.memory.setRights(CODE >>> 12, Math.ceil(bytes.length / 4096), rights);
    this.memory.setRights(DATA >>> 12, 2, PAGE_FLAG.read | PAGE_FLAG.write);
    riscv64.abi.startProgram(this.cpu.state, { entry: CODE, stackPointer: DATA + 8192 });
  }

  run(budget = 100_000): Stop {
    return this.cpu.run(budget);
  }

  get pc(): number {
    return Number(riscv64.abi.programCounter(this.cpu.state));
  }

  set pc(address: number) {
    riscv64.abi.setProgramCounter(this.cpu.state, address);
  }

  /** Integer register as an unsigned 64-bit number. */
  x(index: number): bigint {
    return BigInt.asUintN(64, (BigInt(this.cpu.state.x[2 * index + 1]!) << 32n) | BigInt(this.cpu.state.x[2 * index]! >>> 0));
  }

  setX(index: number, value: bigint): void {
    this.cpu.state.x[2 * index] = Number(BigInt.asIntN(32, value));
    this.cpu.state.x[2 * index + 1] = Number(BigInt.asIntN(32, value >> 32n));
  }

  /** Everything that a stop must leave alone, comparable with toEqual: the register block and the data pages. */
  picture(): { readonly registers: Uint8Array; readonly data: Uint8Array } {
    return { registers: this.cpu.save(), data: this.memory.u8.slice(DATA - BIAS, DATA - BIAS + 8192) };
  }
}
