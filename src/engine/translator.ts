/**
 * The fast executor: cold code in the interpreter, hot code as WebAssembly units that chain to each other through one function table.
 *
 *   interpreter ──hot target──► lift, compile, install: table slot, target cache, entry mark
 *        │  ▲                                                   │
 *   entry mark  side exit, no unit, little fuel                 ▼
 *        └──┴──────────────────────────────────────────────► unit ──tail call──► unit ...
 *
 * Invariants: registers, memory and instruction counts are those of the interpreter at every stop, whatever is translated; going back to the
 * interpreter is always right. Pages of translated code carry PAGE_FLAG.code; a change of one drops the units that came from it.
 * What this does NOT do: keep translations across machines; translate in the background.
 */
import { assert } from '../core/index.ts';
import {
  CONTROL, liftUnit, PAUSE, REASON, STOP, stubModule, TARGETS,
  type CpuMemory, type CpuState, type Executor, type Isa, type Pause, type Stop, type UnitLayout,
} from '../isa/index.ts';
import { GuestMemory, VM_OFFSET } from './memory.ts';
import { WasmTier } from './wasm-tier.ts';

/** Slots of the function table: entries of units and targets of their exits. All units are dropped when it is full. */
const TABLE_SIZE = 16384;
const OUTCOME_OFFSET = 1024;
/** Jumps to an address before it is translated. */
const HOT_LIMIT = 2000;
const WASM_PAGE_BYTES = 65536;

type UnitFunction = (fuel: number, pc: number) => number;
interface Installed { readonly slot: number; readonly pages: ReadonlySet<number>; readonly call: UnitFunction; readonly cost: number }

export interface TranslatorOptions {
  /** Jumps to an address before it is translated, at least 1. */
  readonly hotLimit?: number;
}

/** The ISA with this executor in place of its interpreter. */
export function translating(isa: Isa, options: TranslatorOptions = {}): Isa {
  return { ...isa, createInterpreter: (memory, state) => new Translator(memory, state, options) };
}

export class Translator implements Executor {
  readonly #memory: GuestMemory;
  readonly #control: Int32Array;
  readonly #interpreter: WasmTier;
  readonly #layout: UnitLayout;
  readonly #table: WebAssembly.Table;
  readonly #stub: unknown;
  readonly #imports: Record<string, Record<string, WebAssembly.ImportValue>>;
  readonly #units = new Map<number, Installed>();
  readonly #slots = new Map<number, number>();
  readonly #unitsOfPage = new Map<number, Set<number>>();
  readonly #outcome: Int32Array;
  readonly #targets: Int32Array;
  executed = 0;
  /** Instructions that units have retired since the start: where time went, never part of a state. */
  translated = 0;

  constructor(memory: CpuMemory, state: CpuState, options: TranslatorOptions) {
    assert(memory instanceof GuestMemory, 'translated code works on the linear memory of the engine');
    this.#memory = memory;
    this.#control = state.control;
    this.#interpreter = new WasmTier(memory, state, { hotLimit: options.hotLimit ?? HOT_LIMIT });
    const { vmBase } = memory;
    this.#layout = {
      memoryPages: memory.buffer.byteLength / WASM_PAGE_BYTES, registers: vmBase + VM_OFFSET.cpuState, pageFlags: vmBase + VM_OFFSET.pageFlags,
      outcome: vmBase + OUTCOME_OFFSET, targets: vmBase + VM_OFFSET.free, tableSize: TABLE_SIZE, slotOf: (address) => this.#slotOf(address),
    };
    this.#outcome = new Int32Array(memory.buffer, this.#layout.outcome, 2);
    this.#targets = new Int32Array(memory.buffer, this.#layout.targets, TARGETS * 2);
    this.#table = new WebAssembly.Table({ element: 'anyfunc', initial: TABLE_SIZE });
    const interpreter = this.#interpreter;
    this.#imports = {
      e: {
        memory: memory.wasmMemory, table: this.#table,
        float: (operation: number, packed: number, rm: number) => interpreter.executeFloat(operation, packed, rm),
        operation: (operation: number, packed: number, imm: number) => interpreter.executeOperation(operation, packed, imm),
        atomic: (operation: number, packed: number, imm: number) => interpreter.executeAtomic(operation, packed, imm),
      },
    };
    this.#stub = this.#compile(stubModule(this.#layout));
    this.#dropUnits();
    memory.onCodeChange((page) => this.#dropPage(page));
  }

  get faultLow(): number { return this.#interpreter.faultLow; }
  get faultHigh(): number { return this.#interpreter.faultHigh; }

  run(budget: number): Stop {
    assert(Number.isInteger(budget) && budget > 0 && budget <= 0x7fffffff, 'a budget is a positive 32-bit integer');
    const retiredLow = this.#control[CONTROL.retiredLow]!;
    const retiredHigh = this.#control[CONTROL.retiredHigh]!;
    this.executed = 0;
    let stop: Stop | Pause = PAUSE.enter;
    while (stop >= PAUSE.enter) {
      if (this.executed === budget) {
        stop = STOP.budget;
        break;
      }
      this.#setRetired(retiredLow, retiredHigh);
      stop = this.#step(budget - this.executed);
    }
    this.#control[CONTROL.retiredLow] = retiredLow;
    this.#control[CONTROL.retiredHigh] = retiredHigh;
    return stop as Stop; // The loop ends with anything but a pause.
  }

  /** One turn of a unit, or of the interpreter where there is none. */
  #step(left: number): Stop | Pause {
    const pc = this.#control[CONTROL.pc]!;
    const unit = this.#control[CONTROL.pcHigh] === 0 ? this.#units.get(pc >>> 0) : undefined;
    if (unit === undefined) return this.#interpret(left, false);
    if (left < unit.cost) return this.#interpret(left, true);
    const next = unit.call(left, pc);
    const used = left - this.#outcome[0]!;
    this.executed += used;
    this.translated += used;
    this.#control[CONTROL.pc] = next;
    const rest = left - used;
    if (rest === 0) return PAUSE.enter;
    this.#setRetiredBy(used);
    const reason = this.#outcome[1]!;
    if (reason === REASON.interpret) return this.#interpret(1, true);
    if (reason === REASON.fuel) return this.#interpret(rest, true);
    this.#arrive(next >>> 0);
    return PAUSE.enter;
  }

  /** Translated code went to an address that its cache does not know. */
  #arrive(address: number): void {
    const known = this.#units.get(address);
    if (known !== undefined) this.#cacheTarget(address, known.slot);
    else if (this.#interpreter.countArrival(address)) this.#translate(address);
  }

  #interpret(budget: number, isPlain: boolean): Stop | Pause {
    const interpreter = this.#interpreter;
    const stop = isPlain ? interpreter.runPlain(budget) : interpreter.run(budget);
    this.executed += interpreter.executed;
    if (stop === PAUSE.hot && this.#control[CONTROL.pcHigh] === 0) this.#translate(this.#control[CONTROL.pc]! >>> 0);
    return stop === STOP.budget ? PAUSE.enter : stop;
  }

  #setRetired(low: number, high: number): void {
    this.#control[CONTROL.retiredLow] = low;
    this.#control[CONTROL.retiredHigh] = high;
    this.#setRetiredBy(this.executed);
  }

  /** Adds to the count that the counter registers read. */
  #setRetiredBy(count: number): void {
    const low = (this.#control[CONTROL.retiredLow]! >>> 0) + count;
    this.#control[CONTROL.retiredLow] = low;
    if (low >= 2 ** 32) this.#control[CONTROL.retiredHigh]!++;
  }

  #translate(entry: number): void {
    if (this.#units.has(entry) || (entry & 1) !== 0) return;
    if (this.#slots.size > TABLE_SIZE - 4096) this.#dropUnits();
    const unit = liftUnit(this.#memory, entry, this.#layout);
    if (unit === undefined) return;
    const call = this.#compile(unit.module);
    const slot = this.#slotOf(entry);
    for (const page of unit.pages) {
      this.#memory.markCode(page);
      const users = this.#unitsOfPage.get(page);
      if (users === undefined) this.#unitsOfPage.set(page, new Set([entry]));
      else users.add(entry);
    }
    this.#units.set(entry, { slot, pages: unit.pages, call, cost: unit.cost });
    this.#table.set(slot, call);
    this.#cacheTarget(entry, slot);
    this.#interpreter.setEntry(entry, true);
  }

  #compile(bytes: Uint8Array): UnitFunction {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports);
    return instance.exports['unit'] as UnitFunction; // What the module exports under this name.
  }

  #slotOf(address: number): number {
    const known = this.#slots.get(address);
    if (known !== undefined) return known;
    const slot = this.#slots.size + 1;
    assert(slot < TABLE_SIZE, 'the table was emptied in time');
    this.#slots.set(address, slot);
    return slot;
  }

  #cacheTarget(address: number, slot: number): void {
    const line = ((address >>> 1) & (TARGETS - 1)) * 2;
    this.#targets[line] = address;
    this.#targets[line + 1] = slot;
  }

  #dropPage(page: number): void {
    const users = this.#unitsOfPage.get(page);
    if (users === undefined) return;
    for (const entry of [...users]) this.#dropUnit(entry);
  }

  #dropUnit(entry: number): void {
    const unit = this.#units.get(entry);
    if (unit === undefined) return;
    this.#units.delete(entry);
    this.#table.set(unit.slot, this.#stub);
    for (const page of unit.pages) this.#unitsOfPage.get(page)?.delete(entry);
    this.#interpreter.setEntry(entry, false);
  }

  #dropUnits(): void {
    for (const entry of this.#units.keys()) this.#interpreter.setEntry(entry, false);
    if (this.#slots.size > 0) this.#targets.fill(0); // Untouched pages stay unallocated.
    this.#units.clear();
    this.#unitsOfPage.clear();
    this.#slots.clear();
    for (let slot = 0; slot < TABLE_SIZE; slot++) this.#table.set(slot, this.#stub);
  }

  dropCaches(): void {
    this.#dropUnits();
    this.#interpreter.dropCaches();
  }
}
