/**
 * One system call as its handler sees it. Handlers live in calls/*.ts, are registered by number in dispatch.ts, and are pure functions of
 * guest state: they never wait, never throw for guest mistakes, and have no effect at all when they answer BLOCKED
 * (but a write to a pipe, which remembers what it has moved: Thread.moved).
 * Paths and names are byte strings: JavaScript strings whose char codes 0..255 are the bytes.
 */
import type { GuestMemory } from '../engine/index.ts';
import type { Abi, CpuState } from '../isa/index.ts';
import type { Kernel } from './kernel.ts';
import type { Process } from './process.ts';
import type { Thread } from './thread.ts';

/** The call cannot finish now and had no effect; it is issued again when something it waits for changes. */
export const BLOCKED = Symbol('blocked');
/** The handler has set the registers itself (sigreturn, execve): no result is stored. */
export const NO_RESULT = Symbol('no result');
/** 0 or more: the result. Negative: -errno. */
export type CallResult = number | bigint | typeof BLOCKED | typeof NO_RESULT;
export type CallHandler = (call: Call) => CallResult;
/** System call number (asm-generic, as riscv64 and arm64 use) → name and handler. */
export type CallTable = ReadonlyMap<number, { readonly name: string; readonly handle: CallHandler }>;

export class Call {
  readonly kernel: Kernel;
  readonly process: Process;
  readonly thread: Thread;
  readonly #abi: Abi;
  readonly #state: CpuState;

  constructor(kernel: Kernel, thread: Thread, cpu: { readonly abi: Abi; readonly state: CpuState }) {
    this.kernel = kernel;
    this.thread = thread;
    this.process = thread.process;
    this.#abi = cpu.abi;
    this.#state = cpu.state;
  }

  get memory(): GuestMemory {
    return this.process.memory;
  }

  /** Argument as C `int`. */
  int(index: number): number {
    return this.#abi.argumentLow(this.#state, index);
  }

  /** Argument as `unsigned int` (flags, modes). */
  unsigned(index: number): number {
    return this.#abi.argumentLow(this.#state, index) >>> 0;
  }

  /** Argument as an address or size_t: exact below 2^53, rounded above (where every use of it fails anyway). */
  size(index: number): number {
    return (this.#abi.argumentHigh(this.#state, index) >>> 0) * 2 ** 32 + (this.#abi.argumentLow(this.#state, index) >>> 0);
  }

  /** Argument as a signed 64-bit offset: exact within +-2^53. */
  offset(index: number): number {
    return this.#abi.argumentHigh(this.#state, index) * 2 ** 32 + (this.#abi.argumentLow(this.#state, index) >>> 0);
  }

  /** Argument as an exact unsigned 64-bit value. */
  wide(index: number): bigint {
    return (BigInt(this.#abi.argumentHigh(this.#state, index) >>> 0) << 32n) | BigInt(this.#abi.argumentLow(this.#state, index) >>> 0);
  }
}
