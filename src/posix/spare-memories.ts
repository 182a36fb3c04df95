/**
 * Processors with zeroed memories, kept for the next processes: making a memory costs more than zeroing what a short program wrote.
 * Invariants: what is given out is all zeros, without rights and clean; nothing here is state.
 * What this does NOT do: know processes.
 */
import { Cpu, GuestMemory } from '../engine/index.ts';
import type { Isa } from '../isa/index.ts';
import type { AddressSpace } from './address-space.ts';

const SPARE_MAX = 8;
/** Pages that a kept memory may have used: the host does not get them back. 16 MiB. */
const PAGES_MAX = 4096;

export class SpareMemories {
  readonly #isa: Isa;
  readonly #spaceLimit: number;
  readonly #spare: Cpu[] = [];

  constructor(isa: Isa, spaceLimit: number) {
    this.#isa = isa;
    this.#spaceLimit = spaceLimit;
  }

  take(): Cpu {
    return this.#spare.pop() ?? new Cpu(this.#isa, new GuestMemory(this.#spaceLimit));
  }

  /** At once, so that the host never waits for its garbage collector. The space has been closed. */
  giveBack(cpu: Cpu, space: AddressSpace): void {
    if (this.#spare.length >= SPARE_MAX || cpu.memory.touchedPages().length > PAGES_MAX) return; // The host's collector takes it.
    cpu.forgetProgram();
    space.vacate();
    this.#spare.push(cpu);
  }
}
