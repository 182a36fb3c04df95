/**
 * The reference executor: decodes lazily, a page of records at a time (code-pages.ts), and runs them in one switch (interpreter-table.ts).
 * Invariants: caches never change a result; retires exactly what the budget allows; a stop leaves the pc at its instruction.
 * What this does NOT do: count across runs, know system calls or threads.
 */
import { assert } from '../../core/index.ts';
import type { CpuMemory, CpuState, Executor, Stop } from '../cpu.ts';
import { CodePages } from './code-pages.ts';
import { execute } from './interpreter-table.ts';
import { Machine } from './machine.ts';

export class Interpreter implements Executor {
  readonly #machine: Machine;
  readonly #pages: CodePages;

  constructor(memory: CpuMemory, state: CpuState) {
    this.#machine = new Machine(memory, state);
    this.#pages = new CodePages(memory);
  }

  run(budget: number): Stop {
    assert(Number.isInteger(budget) && budget > 0 && budget <= 0x7fffffff, 'a budget is a positive 32-bit integer');
    return execute(this.#machine, this.#pages, budget) as Stop; // A machine that is never hot and has no entries never pauses.
  }

  get executed(): number {
    return this.#machine.executed;
  }

  get faultLow(): number {
    return this.#machine.faultLow;
  }

  get faultHigh(): number {
    return this.#machine.faultHigh;
  }

  dropCaches(): void {
    this.#pages.dropAll();
  }

  forgetProgram(): void {
    this.dropCaches();
  }
}
