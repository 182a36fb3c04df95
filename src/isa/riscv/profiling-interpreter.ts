/**
 * The interpreter as a translating driver uses it: it pauses at marked entries and when a jump target has become hot, and lends the meaning
 * of single instructions to translated code. Same results as Interpreter, only it hands back more often.
 * What this does NOT do: decide what to translate.
 */
import { PAGE_FLAG, STORE_FAST, STORE_MASK, type CpuMemory, type CpuState, type Stop } from '../cpu.ts';
import { CodePages } from './code-pages.ts';
import { execute } from './interpreter-table.ts';
import { HOT_MASK, Machine, RETIRED, type Pause } from './machine.ts';
import { FLOAT_HANDLERS, OPERATIONS } from './operations/index.ts';

export { PAUSE, type Pause } from './machine.ts';

const RM_DYNAMIC = 7;
const RM_MAX = 4;

export class ProfilingInterpreter {
  readonly #machine: Machine;
  readonly #pages: CodePages;
  /** The same memory and registers without marks: for the tail of a budget and for instructions at an entry. */
  readonly #plain: CodePages;

  /** `hotLimit`: jumps to a target before run() pauses with PAUSE.hot, 1 to 65535. */
  constructor(memory: CpuMemory, state: CpuState, hotLimit: number) {
    this.#machine = new Machine(memory, state);
    this.#machine.hotLimit = hotLimit;
    this.#pages = new CodePages(memory);
    this.#plain = new CodePages(memory);
  }

  get executed(): number { return this.#machine.executed; }
  get faultLow(): number { return this.#machine.faultLow; }
  get faultHigh(): number { return this.#machine.faultHigh; }

  /** Runs until a stop, a marked entry or a hot target. */
  run(budget: number): Stop | Pause {
    return execute(this.#machine, this.#pages, budget);
  }

  /** Runs past marked entries; may still pause at a hot target. */
  runPlain(budget: number): Stop | Pause {
    return execute(this.#machine, this.#plain, budget);
  }

  setEntry(address: number, isEntry: boolean): void {
    this.#pages.setEntry(address, isEntry);
  }

  /** Counts an arrival at `address` from translated code; true when it has become hot. */
  countArrival(address: number): boolean {
    return ++this.#machine.hot[(address >>> 1) & HOT_MASK]! === this.#machine.hotLimit;
  }

  /**
   * The effect of one floating-point instruction (operands packed rd, rs1, rs2, rs3 in steps of 5 bits) on the register block.
   * 0: nothing was done, the rounding mode in frm is reserved.
   */
  executeFloat(operation: number, packed: number, rm: number): number {
    const { state } = this.#machine;
    const mode = rm === RM_DYNAMIC ? (this.#machine.control[2]! >>> 5) & 7 : rm;
    if (mode > RM_MAX) return 0;
    FLOAT_HANDLERS[operation]!(state, packed & 31, (packed >>> 5) & 31, (packed >>> 10) & 31, (packed >>> 15) & 31, mode);
    return 1;
  }

  /** The effect of one integer instruction that has a function (rd, rs1, rs2 packed). 0: nothing was done, it must be interpreted. */
  executeOperation(operation: number, packed: number, imm: number): number {
    return OPERATIONS[operation]!(this.#machine, packed, imm) === RETIRED ? 1 : 0;
  }

  /** The same for an atomic; not done on a page where a store is more than a store (clean, or with cached code). */
  executeAtomic(operation: number, packed: number, imm: number): number {
    const { x, memory } = this.#machine;
    const address = ((packed >>> 5) & 31) * 2;
    const flags = x[address + 1] === 0 ? memory.pageFlags[x[address]! >>> 12]! : 0;
    if ((flags & STORE_MASK) !== STORE_FAST || (flags & PAGE_FLAG.read) === 0) return 0;
    return this.executeOperation(operation, packed, imm);
  }

  dropCaches(): void {
    this.#pages.dropAll();
    this.#plain.dropAll();
  }
}
