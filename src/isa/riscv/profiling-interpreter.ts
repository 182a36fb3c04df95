/**
 * The interpreter as a translating driver uses it: it pauses at marked entries and when a jump target has become hot, and lends the meaning
 * of single instructions to translated code. Same results as Interpreter, only it hands back more often.
 * What this does NOT do: decide what to translate.
 */
import type { CpuMemory, CpuState, Stop } from '../cpu.ts';
import { CodePages } from './code-pages.ts';
import { execute } from './interpreter-table.ts';
import { HOT_MASK, Machine, type Pause } from './machine.ts';
import { executeFloat, executeOperation } from './single-instructions.ts';

export { PAUSE, type Pause } from './machine.ts';

/** How a driver that calls units runs the interpreter: see relay.ts. */
export interface Nesting { readonly depth: number; readonly back: number; readonly sp: number; readonly spHigh: number; reserve: number }

/** What a translating driver needs of an interpreter; profiling-interpreter.ts and wasm-interpreter/ have one each. */
export interface ColdInterpreter {
  /** Of the last run, what units retired that it called among it. */
  readonly executed: number;
  readonly translated: number;
  readonly faultLow: number;
  readonly faultHigh: number;
  /** Runs until a stop, a marked entry or a hot target. With `nesting` it may call the units at marks, and takes up to `reserve` more than the budget. */
  run(budget: number, nesting?: Nesting): Stop | Pause;
  /** Runs past marked entries; may still pause at a hot target. */
  runPlain(budget: number): Stop | Pause;
  /** Marks an address. `slot`: of the unit there in the function table; 0: there is none; undefined: no mark. */
  setEntry(address: number, slot: number | undefined): void;
  /** Counts an arrival at `address` from translated code; true when it has become hot. */
  countArrival(address: number): boolean;
  /** Arrivals counted at an address, or at one that shares its counter. */
  arrivals(address: number): number;
  /** Starts counting anew, for a target that was hot but not translated. */
  forgetArrivals(address: number): void;
  /** Starts counting anew everywhere: another program comes. */
  forgetAllArrivals(): void;
  /** See single-instructions.ts. */
  executeFloat(operation: number, packed: number, rm: number): number;
  executeOperation(operation: number, packed: number, imm: number): number;
  dropCaches(): void;
}

export class ProfilingInterpreter implements ColdInterpreter {
  readonly #machine: Machine;
  readonly #pages: CodePages;
  /** The same memory and registers without marks: for the tail of a budget and for instructions at an entry. */
  readonly #plain: CodePages;

  /** `hotLimit`: jumps to a target before run() pauses with PAUSE.hot, 1 to 65535; NEVER_HOT: it does not. */
  constructor(memory: CpuMemory, state: CpuState, hotLimit: number) {
    this.#machine = new Machine(memory, state);
    this.#machine.hotLimit = hotLimit;
    this.#pages = new CodePages(memory);
    this.#plain = new CodePages(memory);
  }

  /** Arrivals by bits of the address. */
  get counters(): Uint16Array { return this.#machine.hot; }
  get executed(): number { return this.#machine.executed; }
  get translated(): number { return 0; }
  get faultLow(): number { return this.#machine.faultLow; }
  get faultHigh(): number { return this.#machine.faultHigh; }

  run(budget: number): Stop | Pause {
    return execute(this.#machine, this.#pages, budget);
  }

  runPlain(budget: number): Stop | Pause {
    return execute(this.#machine, this.#plain, budget);
  }

  setEntry(address: number, slot: number | undefined): void {
    this.#pages.setEntry(address, slot !== undefined);
  }

  countArrival(address: number): boolean {
    return ++this.#machine.hot[(address >>> 1) & HOT_MASK]! === this.#machine.hotLimit;
  }

  arrivals(address: number): number {
    return this.#machine.hot[(address >>> 1) & HOT_MASK]!;
  }

  forgetArrivals(address: number): void {
    this.#machine.hot[(address >>> 1) & HOT_MASK] = 0;
  }

  forgetAllArrivals(): void {
    this.#machine.hot.fill(0);
  }

  executeFloat(operation: number, packed: number, rm: number): number { return executeFloat(this.#machine, operation, packed, rm); }
  executeOperation(operation: number, packed: number, imm: number): number { return executeOperation(this.#machine, operation, packed, imm); }

  dropCaches(): void {
    this.#pages.dropAll();
    this.#plain.dropAll();
  }
}
