/**
 * The fast executor: cold code in the interpreter, hot code as WebAssembly units that call and chain to each other (src/isa/riscv/lift).
 *
 *   driver ── no unit ──► interpreter ── hot target ──► lift a batch, compile, instantiate: table slots, marks
 *     │  ▲                   ▲     ▲ │ marked: to and fro by the relay, without the driver (isa/riscv/relay.ts)
 *     │  │                   │     │ ▼
 *     │  │                   │    unit
 *     ▼  │ left, odd next    │ cold: a call of code without a unit is run as a call (isa/riscv/cold-call.ts, or a nested driver), so that its callers stay on the WebAssembly stack
 *    unit ────────────────► stub
 *     └── step: system calls and other instructions that are not translated, one at a time, without unwinding
 *
 * Invariants: registers, memory and instruction counts are those of the interpreter at every stop, whatever is translated; going back to the
 * interpreter is always right.
 * What this does NOT do: keep the units (unit-table.ts), or translations across machines.
 */
import { assert, limits } from '../core/index.ts';
import {
  CONTROL, LEAVE, LOOP_LEFT, OUTCOME, PAGE_FLAG, PAUSE, REASON, RELAY, returnTarget, STATE, STOP, type CpuMemory, type CpuState, type Effort, type Executor, type Isa, type Nesting, type Stop, type TrapHandler,
} from '../isa/index.ts';
import { GuestMemory } from './memory.ts';
import type { TranslationStore } from './translations.ts';
import { QUEUE_INSTRUCTIONS, UnitTable } from './unit-table.ts';
import { WasmTier } from './wasm-tier.ts';

/** Jumps to an address before it is translated. */
const HOT_LIMIT = 1000;
/** Instructions that may retire between two looks at the fuel. */
const MARGIN = 4096;
/** What units may take of the host's stack, in bytes as they count it, and what one nested driver takes. V8 allows 984 KB in all. */
const DEPTH = 400_000;
const NESTED_DEPTH = 4000;
const ECALL_LOW = 0x73;
const ECALL_BYTES = 4;

/** How a unit came back; see driverModule. */
const CAME = { back: 0, left: 1, lookFirst: 2 } as const;
/** What is pending when everybody returns to the outermost driver: a stop, nothing, or only that control went elsewhere. */
const NOTHING = -1;
const MOVED = -2;
const INTERPRETED = STATE.interpreted / 4;
const FLUSH_AT = STATE.flushAt / 4;
/** Below every budget. */
const NEVER = -0x80000000;
/** Where nothing comes back: no code lies there. */
const NO_RETURN = 0;

/** Where a nested driver's call comes back: address, and stack pointer words. */
interface Return { readonly address: number; readonly sp: number; readonly spHigh: number }

export interface TranslatorOptions {
  /** Jumps to an address before it is translated, at least 1; then at once. */
  readonly hotLimit?: number;
  /** Instructions kept back for units, at least 16. Small values make units look at the fuel often. */
  readonly margin?: number;
  /** Instructions before the WebAssembly interpreter takes over from the TypeScript one (wasm-tier.ts). */
  readonly warmUp?: number | undefined;
  /** A clock in milliseconds, for the account of what translating costs; without one its times are 0. */
  readonly clock?: () => number;
  /** Where translations are kept; without one each processor makes its own. */
  readonly store?: TranslationStore | undefined;
}

/** The ISA with this executor in place of its interpreter. */
export function translating(isa: Isa, options: TranslatorOptions = {}): Isa {
  const effort: Effort = { interpreted: 0, units: 0, modules: 0, keptModules: 0, unitInstructions: 0, moduleBytes: 0, translateMs: 0, compileMs: 0 };
  return { ...isa, effort, createInterpreter: (memory, state) => new Translator(memory, state, { ...options, effort }) };
}

export class Translator implements Executor {
  readonly #memory: GuestMemory;
  readonly #control: Int32Array;
  readonly #state: CpuState;
  readonly #interpreter: WasmTier;
  readonly #margin: number;
  readonly #units: UnitTable;
  readonly #outcome: Int32Array;
  /** Words that the driver shares with nested calls in WebAssembly: STATE. */
  readonly #words: Int32Array;
  readonly #effort: Effort;
  /** Instructions left when the first target of the queue came. */
  #queuedAt = 0;
  #budget = 0;
  #left = 0;
  #pending: number = NOTHING;
  #trap: TrapHandler | undefined = undefined;
  #baseLow = 0;
  #baseHigh = 0;
  executed = 0;
  /** Instructions that units have retired since the start: where time went, never part of a state. */
  translated = 0;

  constructor(memory: CpuMemory, state: CpuState, options: TranslatorOptions & { readonly effort: Effort }) {
    assert(memory instanceof GuestMemory, 'translated code works on the linear memory of the engine');
    this.#memory = memory;
    this.#state = state;
    this.#control = state.control;
    this.#effort = options.effort;
    this.#margin = options.margin ?? MARGIN;
    const hotLimit = options.hotLimit ?? HOT_LIMIT;
    this.#interpreter = new WasmTier(memory, state, { hotLimit, warmUp: options.warmUp, modules: options.store?.engine() });
    this.#units = new UnitTable({ memory, interpreter: this.#interpreter, margin: this.#margin, nestedDepth: NESTED_DEPTH, hotLimit, isEager: options.hotLimit !== undefined, effort: options.effort, clock: options.clock ?? (() => 0), store: options.store, helpers: this.#helpers() });
    this.#outcome = new Int32Array(memory.buffer, this.#units.layout.outcome, 8);
    this.#words = new Int32Array(memory.buffer, this.#units.layout.registers, STATE.flushAt / 4 + 1);
    this.#words[FLUSH_AT] = NEVER;
  }

  #helpers(): Record<string, WebAssembly.ImportValue> {
    const interpreter = this.#interpreter;
    return {
      float: (operation: number, packed: number, rm: number) => interpreter.executeFloat(operation, packed, rm),
      operation: (operation: number, packed: number, imm: number) => interpreter.executeOperation(operation, packed, imm),
      store: (address: bigint, distance: number) => this.#makeReady(address, distance),
      step: (pc: number, fuel: number) => this.#stepOne(pc, fuel),
      cold: (fuel: number, depth: number, pc: number) => this.#runCold(fuel, depth, pc),
      goOn: (reason: number, left: number, depth: number, address: number, sp: number, spHigh: number) => this.#goOn(reason, left, { back: { address: address >>> 0, sp, spHigh }, depth }),
    };
  }

  get faultLow(): number { return this.#interpreter.faultLow; }
  get faultHigh(): number { return this.#interpreter.faultHigh; }

  run(budget: number, trap?: TrapHandler): Stop {
    assert(Number.isInteger(budget) && budget > 0 && budget <= 0x7fffffff, 'a budget is a positive 32-bit integer');
    this.#baseLow = this.#control[CONTROL.retiredLow]!;
    this.#baseHigh = this.#control[CONTROL.retiredHigh]!;
    this.#budget = this.#left = budget;
    if (this.#units.hasQueue && this.#queuedAt < budget) this.#waitFrom(budget);
    this.#trap = trap;
    this.#pending = NOTHING;
    this.#drive(undefined, DEPTH);
    this.#effort.interpreted += this.#words[INTERPRETED]!;
    this.#words[INTERPRETED] = 0;
    this.executed = budget - this.#left;
    this.#trap = undefined;
    this.#control[CONTROL.retiredLow] = this.#baseLow;
    this.#control[CONTROL.retiredHigh] = this.#baseHigh;
    return this.#pending as Stop; // The outermost driver ends with a stop.
  }

  /** Executes until something is pending (false), or, nested, until the call that it runs has come back (true). */
  #drive(back: Return | undefined, depth: number): boolean {
    const control = this.#control;
    const nesting: Nesting = { depth, back: back?.address ?? NO_RETURN, sp: back?.sp ?? 0, spHigh: back?.spHigh ?? 0, reserve: 0 };
    for (;;) {
      if (this.#pending !== NOTHING) {
        if (back !== undefined || this.#pending !== MOVED) return false;
        this.#pending = NOTHING;
      }
      if (this.#left === 0) {
        this.#pending = STOP.budget;
        return false;
      }
      const pc = control[CONTROL.pc]! >>> 0;
      if (back !== undefined && pc === back.address && control[CONTROL.pcHigh] === 0 && this.#isStackAt(back)) return true;
      const slot = control[CONTROL.pcHigh] === 0 ? this.#units.slotAt(pc) : undefined;
      if (slot === undefined) this.#interpret(nesting);
      else if (this.#left < this.#margin) this.#interpret(undefined);
      else this.#runUnit(pc, slot, { depth, isNested: back !== undefined });
    }
  }

  #isStackAt({ sp, spHigh }: Return): boolean {
    const { x } = this.#state;
    return x[2 * returnTarget.stackPointer] === sp && x[2 * returnTarget.stackPointer + 1] === spHigh;
  }

  #runUnit(pc: number, slot: number, { depth, isNested }: { readonly depth: number; readonly isNested: boolean }): void {
    const before = this.#left;
    const came = this.#units.enter(before - this.#margin, depth, pc | 0, slot);
    this.#left = this.#outcome[OUTCOME.fuel >> 2]! + this.#margin;
    this.translated += before - this.#left;
    if (came === CAME.left) this.#leftUnit();
    else if (came === CAME.lookFirst) this.#lookFirst(isNested);
  }

  /** A unit has left with what stands in the outcome words. */
  #leftUnit(): void {
    if (this.#pending !== NOTHING) return;
    const detail = this.#outcome[OUTCOME.detail >> 2]!;
    const given = detail & 0xffff;
    this.#left += given;
    this.translated -= given;
    this.#control[CONTROL.pc] = this.#outcome[OUTCOME.pc >> 2]!;
    this.#control[CONTROL.pcHigh] = 0;
    if (detail >>> 16 === REASON.instruction) this.#interpretOne();
  }

  #lookFirst(isNested: boolean): void {
    if (isNested && this.#pending === NOTHING) this.#pending = MOVED; // Perhaps for want of depth: only the outermost driver has it all.
  }

  /** Interprets, and runs units that it comes to, until a stop, a hot target or what else there is to do; without `nesting` what is left is too little for units. */
  #interpret(nesting: Nesting | undefined): void {
    const interpreter = this.#interpreter;
    this.#setRetired();
    if (this.#units.hasQueue) this.#flushQueue();
    const before = this.#left;
    const budget = this.#units.hasQueue ? Math.min(before, QUEUE_INSTRUCTIONS) : before;
    if (nesting !== undefined) nesting.reserve = before - budget;
    const stop = nesting === undefined ? interpreter.runPlain(budget) : interpreter.run(budget, nesting);
    this.#left = before - interpreter.executed;
    this.#effort.interpreted += interpreter.executed - interpreter.translated;
    this.translated += interpreter.translated;
    if (stop === STOP.budget) return;
    if (stop === PAUSE.enter) {
      if (interpreter.executed === 0 && this.#units.slotAt(this.#control[CONTROL.pc]! >>> 0) === undefined) this.#passMark();
    } else if (stop === PAUSE.hot) {
      if (this.#control[CONTROL.pcHigh] === 0) this.#enqueue(this.#control[CONTROL.pc]! >>> 0);
    } else if (stop === PAUSE.left) this.#leftUnit();
    else if (stop === PAUSE.lookFirst) this.#lookFirst(nesting?.back !== NO_RETURN);
    else this.#stopped(stop);
  }

  /** At a mark that no nested driver waits for: where a caller that has left the WebAssembly stack goes on. A frequent one gets a unit. */
  #passMark(): void {
    const pc = this.#control[CONTROL.pc]! >>> 0;
    if (this.#interpreter.countArrival(pc)) this.#enqueue(pc);
    this.#interpretOne();
  }

  #interpretOne(): void {
    if (this.#left === 0) return;
    const interpreter = this.#interpreter;
    this.#setRetired();
    const stop = interpreter.runPlain(1);
    this.#left -= interpreter.executed;
    this.#effort.interpreted += interpreter.executed;
    if (stop !== STOP.budget && stop < PAUSE.enter) this.#stopped(stop as Stop); // Pauses have higher numbers.
  }

  #stopped(stop: Stop): void {
    if (stop !== STOP.syscall) this.#pending = stop;
    else this.#systemCall();
  }

  /** Issues the system call at the pc; false: something is pending. */
  #systemCall(): boolean {
    if (this.#trap === undefined) {
      this.#pending = STOP.syscall;
      return false;
    }
    if (!this.#trap(this.#budget - this.#left)) {
      this.#pending = STOP.trapped;
      return false;
    }
    this.#left--;
    return true;
  }

  /** One instruction for a unit that stays on the stack; its fuel, or LEAVE. */
  #stepOne(pc: number, fuel: number): number {
    const control = this.#control;
    const { epoch, u16 } = this.#memory;
    this.#left = fuel + this.#margin;
    control[CONTROL.pc] = pc;
    control[CONTROL.pcHigh] = 0;
    const at = this.#memory.offsetOf(pc >>> 0) >>> 1;
    assert(this.#left > 0, 'the margin covers every instruction up to the next look at the fuel');
    if (u16[at] === ECALL_LOW && u16[at + 1] === 0) {
      control[CONTROL.reservationValid] = control[CONTROL.reservationAddress] = 0;
      this.#systemCall();
    } else this.#interpretOne();
    if (this.#pending === NOTHING && (control[CONTROL.pc] !== ((pc + ECALL_BYTES) | 0) || epoch !== this.#memory.epoch)) this.#pending = MOVED;
    if (this.#pending === NOTHING) return this.#left - this.#margin;
    this.#outcome[OUTCOME.fuel >> 2] = this.#left - this.#margin;
    return LEAVE;
  }

  /** A call, or a jump, to code without a unit, from a unit that stays on the stack. */
  #runCold(fuel: number, depth: number, pc: number): number {
    const control = this.#control;
    const address = pc >>> 0;
    const { generation } = this.#units;
    const { epoch } = this.#memory;
    this.#left = fuel + this.#margin;
    const slot = this.#units.slotAt(address);
    if (slot !== undefined) this.#units.cacheTarget(address, slot);
    else if (this.#interpreter.countArrival(address)) this.#enqueue(address);
    if (depth < 2 * NESTED_DEPTH) return this.#answer(pc | 1, 0, fuel);
    control[CONTROL.pc] = pc;
    control[CONTROL.pcHigh] = 0;
    const { x } = this.#state;
    const { link, stackPointer } = returnTarget;
    return this.#driveBack({ address: x[2 * link]! >>> 0, sp: x[2 * stackPointer]!, spHigh: x[2 * stackPointer + 1]! }, depth, { generation, epoch });
  }

  /** A call without a unit that WebAssembly has run so far (cold-call.ts); what it has met is done, and the call driven to its end. */
  #goOn(reason: number, left: number, { back, depth }: { readonly back: Return; readonly depth: number }): number {
    const before = { generation: this.#units.generation, epoch: this.#memory.epoch }; // What has changed until now has left something pending.
    this.#left = left;
    if (reason === RELAY.left) this.#leftUnit();
    else if (reason === RELAY.lookFirst) this.#lookFirst(true);
    else if (reason === LOOP_LEFT.hot && this.#control[CONTROL.pcHigh] === 0) this.#enqueue(this.#control[CONTROL.pc]! >>> 0);
    return this.#driveBack(back, depth, before);
  }

  #driveBack(back: Return, depth: number, { generation, epoch }: { readonly generation: number; readonly epoch: number }): number {
    const control = this.#control;
    const isBack = this.#drive(back, depth - NESTED_DEPTH);
    // What the callers have found out about pages, or the slots that they call, may mean something else now.
    if (isBack && (epoch !== this.#memory.epoch || generation !== this.#units.generation)) this.#pending = MOVED;
    return this.#pending === NOTHING ? this.#answer(control[CONTROL.pc]!, control[CONTROL.pcHigh]!, this.#left - this.#margin) : this.#answer(1, 0, this.#left - this.#margin);
  }

  #answer(low: number, high: number, fuel: number): number {
    this.#outcome[OUTCOME.next >> 2] = low;
    this.#outcome[(OUTCOME.next >> 2) + 1] = high;
    return fuel;
  }

  /** Makes the pages of [address, address + distance] ready for stores; 1: one may not be stored to, or holds cached code. */
  #makeReady(address: bigint, distance: number): number {
    const low = Number(BigInt.asUintN(64, address));
    if (low + distance >= 2 ** 32) return 1;
    const { pageFlags } = this.#memory;
    const [first, last] = [Math.floor(low / limits.PAGE_BYTES), Math.floor((low + distance) / limits.PAGE_BYTES)];
    for (let page = first; page <= last; page++) if ((pageFlags[page]! & (PAGE_FLAG.write | PAGE_FLAG.code)) !== PAGE_FLAG.write) return 1;
    for (let page = first; page <= last; page++) this.#memory.prepareStore(page);
    return 0;
  }

  /** Tells the interpreter the count that the counter registers add to. */
  #setRetired(): void {
    const low = (this.#baseLow >>> 0) + (this.#budget - this.#left);
    this.#control[CONTROL.retiredLow] = low;
    this.#control[CONTROL.retiredHigh] = this.#baseHigh + (low >= 2 ** 32 ? 1 : 0);
  }

  #enqueue(entry: number): void {
    if (!this.#units.hasQueue) this.#queuedAt = this.#left;
    this.#units.enqueue(entry, this.#state.x);
    this.#noteQueue();
  }

  /** Time passes by instructions here as everywhere; a new run() begins a new wait. */
  #waitFrom(left: number): void {
    this.#queuedAt = left;
    this.#noteQueue();
  }

  /** Tells nested calls in WebAssembly when something waits. */
  #noteQueue(): void {
    this.#words[FLUSH_AT] = this.#units.hasQueue ? this.#queuedAt - QUEUE_INSTRUCTIONS : NEVER;
  }

  #flushQueue(): void {
    if (this.#queuedAt - this.#left >= QUEUE_INSTRUCTIONS) this.#units.translateQueue();
    this.#noteQueue();
  }

  dropCaches(): void {
    this.#units.dropCaches();
    this.#interpreter.dropCaches();
  }

  forgetProgram(): void {
    this.#units.forgetProgram();
    this.#interpreter.forgetAllArrivals();
  }
}
