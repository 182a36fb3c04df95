/**
 * The fast executor: cold code in the interpreter, hot code as WebAssembly units that call and chain to each other (src/isa/riscv/lift).
 *
 *   driver ── no unit ──► interpreter ── hot target ──► lift a batch, compile, instantiate: table slots, marks
 *     │  ▲                    ▲
 *     ▼  │ left, odd next     │ cold: a call of code without a unit runs in a nested driver, so that its callers stay on the WebAssembly stack
 *    unit ──────────────────► stub
 *     └── step: system calls and other instructions that are not translated, one at a time, without unwinding
 *
 * Invariants: registers, memory and instruction counts are those of the interpreter at every stop, whatever is translated; going back to the
 * interpreter is always right. Pages of translated code carry PAGE_FLAG.code; a change of one drops the batches that came from it.
 * What this does NOT do: keep translations across machines.
 */
import { assert } from '../core/index.ts';
import {
  CodeCache, CONTROL, driverModule, LEAVE, liftBatch, OUTCOME, PAUSE, REASON, returnTarget, STOP, TARGETS,
  type CpuMemory, type CpuState, type Executor, type HotEntry, type Isa, type LiftedUnit, type Stop, type TrapHandler, type UnitLayout,
} from '../isa/index.ts';
import { compileHost } from './compile-host.ts';
import { GuestMemory, VM_OFFSET } from './memory.ts';
import { WasmTier } from './wasm-tier.ts';

/** Slots of the function table: entries of units and targets of their exits. It grows, because each instance copies it; all units are dropped at its limit. */
const TABLE_SIZE_FIRST = 256;
const TABLE_SIZE_MAX = 16384;
/** Slots that one batch may take. */
const TABLE_RESERVE = 2048;
const OUTCOME_OFFSET = 1024;
const TARGET_BYTES = 8;
/** Room for the jump maps of all units. */
const MAP_BYTES = 4 * 1024 * 1024;
/** Jumps to an address before it is translated. */
const HOT_LIMIT = 1000;
/** A function called by a hot one comes along when it has had this part of the jumps. */
const CALLEE_PART = 8;
/** A target inside a unit becomes hot so many times before it gets its own. */
const COVERED_TIMES = 20;
/** Hot targets wait for company: so many, or so many instructions. Modules cost more than functions. */
const QUEUE_MAX = 8;
const QUEUE_INSTRUCTIONS = 200_000;
/** Instructions that may retire between two looks at the fuel. */
const MARGIN = 4096;
/** What units may take of the host's stack, in bytes as they count it, and what one nested driver takes. V8 allows 984 KB in all. */
const DEPTH = 400_000;
const NESTED_DEPTH = 4000;
const WASM_PAGE_BYTES = 65536;
const ECALL_LOW = 0x73;
const ECALL_BYTES = 4;

/** How a unit came back; see driverModule. */
const CAME = { back: 0, left: 1, lookFirst: 2 } as const;
/** What is pending when everybody returns to the outermost driver: a stop, nothing, or only that control went elsewhere. */
const NOTHING = -1;
const MOVED = -2;

type Enter = (fuel: number, depth: number, pc: number, slot: number) => number;
interface Installed { readonly slot: number; readonly batch: InstalledBatch }
interface InstalledBatch { readonly units: readonly LiftedUnit[]; readonly pages: ReadonlySet<number> }
/** Where a nested driver's call comes back: address, and stack pointer words. */
interface Return { readonly address: number; readonly sp: number; readonly spHigh: number }

export interface TranslatorOptions {
  /** Jumps to an address before it is translated, at least 1; then at once. */
  readonly hotLimit?: number;
  /** Instructions kept back for units, at least 16. Small values make units look at the fuel often. */
  readonly margin?: number;
}

/** The ISA with this executor in place of its interpreter. */
export function translating(isa: Isa, options: TranslatorOptions = {}): Isa {
  return { ...isa, createInterpreter: (memory, state) => new Translator(memory, state, options) };
}

export class Translator implements Executor {
  readonly #memory: GuestMemory;
  readonly #control: Int32Array;
  readonly #state: CpuState;
  readonly #interpreter: WasmTier;
  readonly #layout: UnitLayout;
  readonly #margin: number;
  readonly #table: WebAssembly.Table;
  readonly #stub: unknown;
  readonly #enter: Enter;
  readonly #imports: Record<string, Record<string, WebAssembly.ImportValue>>;
  readonly #code: CodeCache;
  readonly #units = new Map<number, Installed>();
  readonly #slots = new Map<number, number>();
  readonly #functions = new Set<number>();
  /** Starts of blocks that are in some unit, and how often they have become hot since. */
  readonly #covered = new Set<number>();
  readonly #coveredTimes = new Map<number, number>();
  readonly #batchesOfPage = new Map<number, Set<InstalledBatch>>();
  readonly #outcome: Int32Array;
  readonly #targets: Int32Array;
  #mapsUsed = 0;
  readonly #calleeLimit: number;
  readonly #queueMax: number;
  /** Hot targets that are not translated yet, and the instructions left when the first of them came. */
  #queue: HotEntry[] = [];
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

  constructor(memory: CpuMemory, state: CpuState, options: TranslatorOptions) {
    assert(memory instanceof GuestMemory, 'translated code works on the linear memory of the engine');
    this.#memory = memory;
    this.#state = state;
    this.#control = state.control;
    this.#margin = options.margin ?? MARGIN;
    this.#code = new CodeCache(memory);
    this.#queueMax = options.hotLimit === undefined ? QUEUE_MAX : 1;
    this.#calleeLimit = Math.max(1, Math.floor((options.hotLimit ?? HOT_LIMIT) / CALLEE_PART));
    this.#interpreter = new WasmTier(memory, state, { hotLimit: options.hotLimit ?? HOT_LIMIT });
    this.#layout = this.#makeLayout();
    this.#outcome = new Int32Array(memory.buffer, this.#layout.outcome, 8);
    this.#targets = new Int32Array(memory.buffer, this.#layout.targets, TARGETS * 2);
    this.#table = new WebAssembly.Table({ element: 'anyfunc', initial: TABLE_SIZE_FIRST });
    this.#imports = { e: { memory: memory.wasmMemory, table: this.#table, ...this.#helpers() } };
    const driver = this.#instantiate(driverModule(this.#layout));
    this.#stub = driver.exports['stub'];
    this.#enter = driver.exports['enter'] as Enter; // What the module exports under this name.
    this.#dropUnits();
    memory.onCodeChange((page) => this.#dropPage(page));
  }

  #makeLayout(): UnitLayout {
    const { vmBase, buffer } = this.#memory;
    const targets = vmBase + VM_OFFSET.free;
    const maps = targets + TARGETS * TARGET_BYTES;
    return {
      memoryPages: buffer.byteLength / WASM_PAGE_BYTES, registers: vmBase + VM_OFFSET.cpuState, pageFlags: vmBase + VM_OFFSET.pageFlags,
      outcome: vmBase + OUTCOME_OFFSET, targets, tableSize: TABLE_SIZE_FIRST, margin: this.#margin, hasFused: compileHost().hasFused,
      slotOf: (address) => this.#slotOf(address),
      isFunction: (address) => this.#functions.has(address),
      allocate: (bytes) => {
        const at = this.#mapsUsed;
        if (at + bytes > MAP_BYTES) return undefined;
        this.#mapsUsed += (bytes + 1) & ~1;
        return maps + at;
      },
    };
  }

  #helpers(): Record<string, WebAssembly.ImportValue> {
    const interpreter = this.#interpreter;
    return {
      float: (operation: number, packed: number, rm: number) => interpreter.executeFloat(operation, packed, rm),
      operation: (operation: number, packed: number, imm: number) => interpreter.executeOperation(operation, packed, imm),
      atomic: (operation: number, packed: number, imm: number) => interpreter.executeAtomic(operation, packed, imm),
      store: (address: bigint, distance: number) => this.#makeReady(address, distance),
      step: (pc: number, fuel: number) => this.#stepOne(pc, fuel),
      cold: (fuel: number, depth: number, pc: number) => this.#runCold(fuel, depth, pc),
    };
  }

  get faultLow(): number { return this.#interpreter.faultLow; }
  get faultHigh(): number { return this.#interpreter.faultHigh; }

  run(budget: number, trap?: TrapHandler): Stop {
    assert(Number.isInteger(budget) && budget > 0 && budget <= 0x7fffffff, 'a budget is a positive 32-bit integer');
    this.#baseLow = this.#control[CONTROL.retiredLow]!;
    this.#baseHigh = this.#control[CONTROL.retiredHigh]!;
    this.#budget = this.#left = budget;
    this.#trap = trap;
    this.#pending = NOTHING;
    this.#drive(undefined, DEPTH);
    this.executed = budget - this.#left;
    this.#trap = undefined;
    this.#control[CONTROL.retiredLow] = this.#baseLow;
    this.#control[CONTROL.retiredHigh] = this.#baseHigh;
    return this.#pending as Stop; // The outermost driver ends with a stop.
  }

  /** Executes until something is pending (false), or, nested, until the call that it runs has come back (true). */
  #drive(back: Return | undefined, depth: number): boolean {
    const control = this.#control;
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
      const unit = control[CONTROL.pcHigh] === 0 ? this.#units.get(pc) : undefined;
      if (unit === undefined) this.#interpret(false);
      else if (this.#left < this.#margin) this.#interpret(true);
      else this.#runUnit(pc, unit.slot, { depth, isNested: back !== undefined });
    }
  }

  #isStackAt({ sp, spHigh }: Return): boolean {
    const { x } = this.#state;
    return x[2 * returnTarget.stackPointer] === sp && x[2 * returnTarget.stackPointer + 1] === spHigh;
  }

  #runUnit(pc: number, slot: number, { depth, isNested }: { readonly depth: number; readonly isNested: boolean }): void {
    const before = this.#left;
    const came = this.#enter(before - this.#margin, depth, pc | 0, slot);
    this.#left = this.#outcome[OUTCOME.fuel >> 2]! + this.#margin;
    if (came === CAME.left && this.#pending === NOTHING) {
      const detail = this.#outcome[OUTCOME.detail >> 2]!;
      this.#left += detail & 0xffff;
      this.#control[CONTROL.pc] = this.#outcome[OUTCOME.pc >> 2]!;
      this.#control[CONTROL.pcHigh] = 0;
      if (detail >>> 16 === REASON.instruction) this.#interpretOne();
    } else if (came === CAME.lookFirst && isNested && this.#pending === NOTHING) {
      this.#pending = MOVED; // Perhaps for want of depth: only the outermost driver has it all.
    }
    this.translated += before - this.#left;
  }

  /** Interprets until a stop, a mark or a hot target; `isTail`: what is left is too little for units. */
  #interpret(isTail: boolean): void {
    const interpreter = this.#interpreter;
    this.#setRetired();
    if (this.#queue.length > 0) this.#flushQueue();
    const budget = this.#queue.length > 0 ? Math.min(this.#left, QUEUE_INSTRUCTIONS) : this.#left;
    const stop = isTail ? interpreter.runPlain(budget) : interpreter.run(budget);
    this.#left -= interpreter.executed;
    if (stop === STOP.budget) return;
    if (stop === PAUSE.enter) {
      if (interpreter.executed === 0 && !this.#units.has(this.#control[CONTROL.pc]! >>> 0)) this.#passMark();
    } else if (stop === PAUSE.hot) {
      if (this.#control[CONTROL.pcHigh] === 0) this.#enqueue(this.#control[CONTROL.pc]! >>> 0);
    } else this.#stopped(stop);
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
    if (stop !== STOP.budget && stop !== PAUSE.hot && stop !== PAUSE.enter) this.#stopped(stop);
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
    const known = this.#units.get(address);
    if (known !== undefined) this.#cacheTarget(address, known.slot);
    else if (this.#interpreter.countArrival(address)) this.#enqueue(address);
    const { epoch } = this.#memory;
    if (depth < 2 * NESTED_DEPTH) return this.#answer(pc | 1, 0, fuel);
    control[CONTROL.pc] = pc;
    control[CONTROL.pcHigh] = 0;
    this.#left = fuel + this.#margin;
    const { x } = this.#state;
    const { link, stackPointer } = returnTarget;
    const back: Return = { address: x[2 * link]! >>> 0, sp: x[2 * stackPointer]!, spHigh: x[2 * stackPointer + 1]! };
    const isBack = this.#drive(back, depth - NESTED_DEPTH);
    if (isBack && epoch !== this.#memory.epoch) this.#pending = MOVED;
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
    const [first, last] = [Math.floor(low / 4096), Math.floor((low + distance) / 4096)];
    for (let page = first; page <= last; page++) if ((pageFlags[page]! & (2 | 16)) !== 2) return 1;
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
    if ((entry & 1) !== 0 || this.#units.has(entry) || this.#isPatient(entry)) return;
    if (this.#queue.length === 0) this.#queuedAt = this.#left;
    const { x } = this.#state;
    this.#queue.push({ address: entry, registers: Int32Array.from({ length: x.length / 2 }, (_, register) => x[2 * register]!) });
    if (this.#queue.length >= this.#queueMax) this.#translateQueue();
  }

  /** A place inside code that has a unit already becomes hot many times before it is worth another copy: mostly the unit's entry is reached soon. */
  #isPatient(entry: number): boolean {
    if (!this.#covered.has(entry)) return false;
    const times = (this.#coveredTimes.get(entry) ?? 0) + 1;
    this.#coveredTimes.set(entry, times);
    if (times >= COVERED_TIMES) return false;
    this.#interpreter.forgetArrivals(entry);
    return true;
  }

  /** Time passes by instructions here as everywhere; a new run() begins a new wait. */
  #flushQueue(): void {
    if (this.#queuedAt < this.#left) this.#queuedAt = this.#left;
    if (this.#queuedAt - this.#left >= QUEUE_INSTRUCTIONS) this.#translateQueue();
  }

  #translateQueue(): void {
    const entries = this.#queue;
    this.#queue = [];
    this.#translate(entries.filter(({ address }) => !this.#units.has(address)));
  }

  #translate(entries: readonly HotEntry[]): void {
    if (entries.length === 0) return;
    if (this.#slots.size > TABLE_SIZE_MAX - TABLE_RESERVE || this.#mapsUsed > MAP_BYTES / 2) this.#dropUnits();
    const batch = liftBatch(this.#code, entries, this.#layout, (address) => !this.#units.has(address) && this.#interpreter.arrivals(address) >= this.#calleeLimit);
    if (batch === undefined) return;
    for (const { address } of entries) if (!batch.units.some((unit) => unit.entry === address)) this.#interpreter.forgetArrivals(address);
    for (const { offset, bytes } of batch.maps) this.#memory.u8.set(bytes, offset);
    this.#instantiate(batch.module);
    const pages = new Set(batch.reliedPages);
    for (const unit of batch.units) for (const page of unit.pages) pages.add(page);
    const installed: InstalledBatch = { units: batch.units, pages };
    for (const page of pages) this.#watch(page, installed, batch.reliedPages.has(page));
    for (const unit of batch.units) {
      this.#units.set(unit.entry, { slot: unit.slot, batch: installed });
      this.#cacheTarget(unit.entry, unit.slot);
      this.#interpreter.setEntry(unit.entry, true);
      for (const address of unit.resumes) this.#interpreter.setEntry(address, true);
      for (const address of unit.callees) this.#functions.add(address);
      for (const address of unit.starts) this.#covered.add(address);
    }
  }

  #watch(page: number, batch: InstalledBatch, isRelied: boolean): void {
    if (isRelied) this.#memory.markRelied(page);
    if (batch.units.some((unit) => unit.pages.has(page))) this.#memory.markCode(page);
    const users = this.#batchesOfPage.get(page);
    if (users === undefined) this.#batchesOfPage.set(page, new Set([batch]));
    else users.add(batch);
  }

  #instantiate(bytes: Uint8Array): WebAssembly.Instance {
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports);
  }

  #slotOf(address: number): number {
    const known = this.#slots.get(address);
    if (known !== undefined) return known;
    const slot = this.#slots.size + 1;
    assert(slot < TABLE_SIZE_MAX, 'the table was emptied in time');
    const { length } = this.#table;
    if (slot >= length) {
      this.#table.grow(length);
      for (let fresh = length; fresh < 2 * length; fresh++) this.#table.set(fresh, this.#stub);
    }
    this.#slots.set(address, slot);
    return slot;
  }

  #cacheTarget(address: number, slot: number): void {
    const line = ((address >>> 1) & (TARGETS - 1)) * 2;
    this.#targets[line] = address;
    this.#targets[line + 1] = slot;
  }

  #dropPage(page: number): void {
    this.#code.forget(page);
    for (const batch of [...this.#batchesOfPage.get(page) ?? []]) this.#dropBatch(batch);
  }

  /** Units of a batch call each other directly, so they go together. Frames of theirs that are on the stack see that the epoch has changed. */
  #dropBatch(batch: InstalledBatch): void {
    for (const { entry, slot, resumes } of batch.units) {
      this.#units.delete(entry);
      this.#table.set(slot, this.#stub);
      for (const address of [entry, ...resumes]) if (!this.#units.has(address)) this.#interpreter.setEntry(address, false);
    }
    for (const page of batch.pages) this.#batchesOfPage.get(page)?.delete(batch);
  }

  #dropUnits(): void {
    for (const { batch } of new Set(this.#units.values())) {
      for (const { entry, resumes } of batch.units) for (const address of [entry, ...resumes]) this.#interpreter.setEntry(address, false);
    }
    if (this.#slots.size > 0) this.#targets.fill(0); // Untouched pages stay unallocated.
    this.#queue = [];
    this.#units.clear();
    this.#batchesOfPage.clear();
    this.#slots.clear();
    this.#functions.clear();
    this.#covered.clear();
    this.#coveredTimes.clear();
    this.#mapsUsed = 0;
    for (let slot = 0; slot < this.#table.length; slot++) this.#table.set(slot, this.#stub);
  }

  dropCaches(): void {
    this.#dropUnits();
    this.#code.forgetAll();
    this.#interpreter.dropCaches();
  }
}
