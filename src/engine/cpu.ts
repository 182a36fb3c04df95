/**
 * One processor of a machine: the register block, the executor over a guest memory, and the retired-instruction counter.
 * Threads take turns on it: load() and save() move a thread's registers in and out.
 */
import { assert, type Undo } from '../core/index.ts';
import { CONTROL, CPU_STATE_BYTES, CPU_STATE_OFFSET, STOP, type CpuState, type Executor, type Isa, type Stop } from '../isa/index.ts';
import { BLOCK_OFFSET } from './linear-memory.ts';
import type { GuestMemory } from './memory.ts';

/** Budget of one executor call; larger requests are made of several. Fits a positive int32. */
const SLICE_MAX = 1 << 30;
/** Copies of the register block in one piece of memory, which lives as long as any of them. */
const COPIES = 16;

export class Cpu {
  readonly isa: Isa;
  readonly memory: GuestMemory;
  readonly state: CpuState;
  readonly #block: Uint8Array;
  readonly #executor: Executor;
  /** Where the next copies of the block go: memory for each of them alone costs more than the copy. */
  #copies = new Uint8Array(0);
  #copiesUsed = 0;
  /** Instructions retired by everything that ran on this processor, including completed system calls. */
  retired = 0n;

  constructor(isa: Isa, memory: GuestMemory) {
    this.isa = isa;
    this.memory = memory;
    const { buffer } = memory;
    const base = BLOCK_OFFSET.cpuState;
    this.#block = new Uint8Array(buffer, base, CPU_STATE_BYTES);
    this.state = {
      x: new Int32Array(buffer, base + CPU_STATE_OFFSET.x, 64),
      f: new Int32Array(buffer, base + CPU_STATE_OFFSET.f, 64),
      f64: new Float64Array(buffer, base + CPU_STATE_OFFSET.f, 32),
      f32: new Float32Array(buffer, base + CPU_STATE_OFFSET.f, 64),
      control: new Int32Array(buffer, base + CPU_STATE_OFFSET.control, 64),
    };
    this.#executor = isa.createInterpreter(memory, this.state);
  }

  /**
   * Runs until a stop or until `budget` more instructions have retired (exactly then STOP.budget). System calls may go to `trap`, which finds
   * `retired` up to date, as it is after STOP.trapped.
   */
  run(budget: number, trap?: () => boolean): Stop {
    assert(Number.isSafeInteger(budget) && budget > 0, 'a budget is a positive integer');
    let left = budget;
    while (left > 0) {
      const base = this.retired;
      this.state.control[CONTROL.retiredLow] = Number(BigInt.asIntN(32, base));
      this.state.control[CONTROL.retiredHigh] = Number(BigInt.asIntN(32, base >> 32n));
      const stop = this.#executor.run(Math.min(left, SLICE_MAX), trap === undefined ? undefined : (executed) => {
        this.retired = base + BigInt(executed);
        return trap();
      });
      if (stop === STOP.trapped) return stop;
      this.retired = base + BigInt(this.#executor.executed);
      left -= this.#executor.executed;
      if (stop !== STOP.budget) return stop;
    }
    return STOP.budget;
  }

  /** Faulting address of the last fault stop, unsigned 64 bits. */
  get faultAddress(): bigint {
    return (BigInt(this.#executor.faultHigh >>> 0) << 32n) | BigInt(this.#executor.faultLow >>> 0);
  }

  /** A copy of the register block, for a thread that leaves the processor; nobody changes it. The same state gives the same bytes. */
  save(): Uint8Array {
    this.state.control[CONTROL.retiredLow] = 0;
    this.state.control[CONTROL.retiredHigh] = 0;
    if (this.#copiesUsed + CPU_STATE_BYTES > this.#copies.length) {
      this.#copies = new Uint8Array(COPIES * CPU_STATE_BYTES);
      this.#copiesUsed = 0;
    }
    const copy = this.#copies.subarray(this.#copiesUsed, this.#copiesUsed += CPU_STATE_BYTES);
    copy.set(this.#block);
    return copy;
  }

  load(block: Uint8Array): void {
    assert(block.length === CPU_STATE_BYTES, 'a register block has its fixed size');
    this.#block.set(block);
  }

  /** Registers and count; memory has marks of its own. */
  mark(): Undo {
    const [block, retired] = [this.save(), this.retired];
    return () => {
      this.load(block);
      this.retired = retired;
    };
  }

  dropCaches(): void {
    this.#executor.dropCaches();
  }

  /** Before another program comes into the memory. */
  forgetProgram(): void {
    this.#executor.forgetProgram();
  }
}
