/**
 * The units of one memory: which code has one, where it is in the function table, what becomes one next, and which pages it came from.
 *
 *   hot target ──► queue ──► lift a batch, compile, instantiate ──► slot, target cache, marks in the interpreter
 *   a page changes ──► the batches that came from it go: their slots hold the stub again, their marks are taken away
 *
 * Invariants: a slot belongs to one address until everything is dropped, which changes `generation`: code that is on the WebAssembly stack then must
 * not go on. Pages of translated code carry PAGE_FLAG.code, pages that it reads unchecked PAGE_FLAG.relied.
 * What this does NOT do: run units, or count (translator.ts).
 */
import { assert } from '../core/index.ts';
import { CodeCache, driverModule, liftBatch, TARGETS, unitExtent, type Batch, type Effort, type HotEntry, type LiftedUnit, type UnitLayout } from '../isa/index.ts';
import { compileHost } from './compile-host.ts';
import { VM_OFFSET, type GuestMemory } from './memory.ts';
import type { WasmTier } from './wasm-tier.ts';
import { Worth } from './worth.ts';

/** Slots of the function table: entries of units and targets of their exits. It grows, because each instance copies it; all units are dropped at its limit. */
const TABLE_SIZE_FIRST = 256;
const TABLE_SIZE_MAX = 16384;
/** Slots that one batch may take. */
const TABLE_RESERVE = 2048;
const OUTCOME_OFFSET = 1024;
const TARGET_BYTES = 8;
/** Room for the jump maps of all units. */
const MAP_BYTES = 4 * 1024 * 1024;
/** A function called by a hot one comes along when it has had this part of the jumps. */
const CALLEE_PART = 8;
/** A target inside a unit becomes hot so many times before it gets its own. */
const COVERED_TIMES = 20;
/** Hot targets wait for company: so many, or so many instructions. Modules cost more than functions. */
const QUEUE_MAX = 8;
export const QUEUE_INSTRUCTIONS = 200_000;
const WASM_PAGE_BYTES = 65536;

/** Enters a unit: (fuel, depth, pc, slot) -> how it came back; see driverModule. */
export type Enter = (fuel: number, depth: number, pc: number, slot: number) => number;
type Imports = Readonly<Record<string, WebAssembly.ImportValue>>;
interface Installed { readonly slot: number; readonly batch: InstalledBatch }
interface InstalledBatch { readonly units: readonly LiftedUnit[]; readonly pages: ReadonlySet<number> }

export interface UnitTableParts {
  readonly memory: GuestMemory;
  readonly interpreter: WasmTier;
  readonly margin: number;
  readonly hotLimit: number;
  readonly effort: Effort;
  readonly clock: () => number;
  /** Translate each hot target at once. */
  readonly isEager: boolean;
  /** Functions that units import. */
  readonly helpers: Imports;
}

export class UnitTable {
  readonly layout: UnitLayout;
  readonly enter: Enter;
  /** Changes when slots get other meanings. */
  generation = 0;
  readonly #memory: GuestMemory;
  readonly #effort: Effort;
  readonly #clock: () => number;
  readonly #interpreter: WasmTier;
  readonly #table: WebAssembly.Table;
  readonly #stub: unknown;
  readonly #imports: Record<string, Imports>;
  readonly #code: CodeCache;
  readonly #units = new Map<number, Installed>();
  readonly #slots = new Map<number, number>();
  readonly #functions = new Set<number>();
  /** Starts of blocks that are in some unit, and how often they have become hot since. */
  readonly #covered = new Set<number>();
  readonly #coveredTimes = new Map<number, number>();
  readonly #batchesOfPage = new Map<number, Set<InstalledBatch>>();
  readonly #targets: Int32Array;
  #mapsUsed = 0;
  readonly #calleeLimit: number;
  readonly #queueMax: number;
  /** Undefined: every hot place is translated. */
  readonly #worth: Worth | undefined;
  #queue: HotEntry[] = [];

  constructor({ memory, interpreter, margin, hotLimit, isEager, helpers, effort, clock }: UnitTableParts) {
    this.#memory = memory;
    this.#effort = effort;
    this.#clock = clock;
    this.#interpreter = interpreter;
    this.#code = new CodeCache(memory);
    this.#queueMax = isEager ? 1 : QUEUE_MAX;
    this.#worth = isEager ? undefined : new Worth();
    this.#calleeLimit = Math.max(1, Math.floor(hotLimit / CALLEE_PART));
    this.layout = this.#makeLayout(margin);
    this.#targets = new Int32Array(memory.buffer, this.layout.targets, TARGETS * 2);
    this.#table = new WebAssembly.Table({ element: 'anyfunc', initial: TABLE_SIZE_FIRST });
    this.#imports = { e: { memory: memory.wasmMemory, table: this.#table, ...helpers } };
    const driver = this.#instantiate(driverModule(this.layout));
    this.#stub = driver.exports['stub'];
    this.enter = driver.exports['enter'] as Enter; // What the module exports under this name.
    this.dropUnits();
    memory.onCodeChange((page) => this.#dropPage(page));
  }

  #makeLayout(margin: number): UnitLayout {
    const { vmBase, buffer } = this.#memory;
    const targets = vmBase + VM_OFFSET.free;
    const maps = targets + TARGETS * TARGET_BYTES;
    return {
      memoryPages: buffer.byteLength / WASM_PAGE_BYTES, registers: vmBase + VM_OFFSET.cpuState, pageFlags: vmBase + VM_OFFSET.pageFlags,
      outcome: vmBase + OUTCOME_OFFSET, targets, tableSize: TABLE_SIZE_FIRST, margin, hasFused: compileHost().hasFused,
      slotOf: (address) => this.#slotOf(address),
      isFunction: (address) => this.#functions.has(address),
      functionBefore: (address) => this.#functionBefore(address),
      allocate: (bytes) => {
        const at = this.#mapsUsed;
        if (at + bytes > MAP_BYTES) return undefined;
        this.#mapsUsed += (bytes + 1) & ~1;
        return maps + at;
      },
    };
  }

  #functionBefore(address: number): number | undefined {
    let best = -1;
    for (const start of this.#functions) if (start < address && start > best) best = start;
    return best < 0 ? undefined : best;
  }

  /** Slot of the unit at an address; undefined when there is none. */
  slotAt(address: number): number | undefined {
    return this.#units.get(address)?.slot;
  }

  get hasQueue(): boolean { return this.#queue.length > 0; }

  /** Notes a hot target. `x`: the integer registers now, as halves. */
  enqueue(entry: number, x: Int32Array): void {
    if ((entry & 1) !== 0 || this.#units.has(entry) || this.#isPatient(entry)) return;
    const hot: HotEntry = { address: entry, registers: Int32Array.from({ length: x.length / 2 }, (_, register) => x[2 * register]!) };
    if (this.#worth?.note(entry, () => unitExtent(this.#code, hot, this.layout)) === false) {
      this.#interpreter.forgetArrivals(entry);
      return;
    }
    this.#queue.push(hot);
    if (this.#queue.length >= this.#queueMax) this.translateQueue();
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

  translateQueue(): void {
    const entries = this.#queue;
    this.#queue = [];
    this.#translate(entries.filter(({ address }) => !this.#units.has(address)));
  }

  #translate(entries: readonly HotEntry[]): void {
    if (entries.length === 0) return;
    if (this.#slots.size > TABLE_SIZE_MAX - TABLE_RESERVE || this.#mapsUsed > MAP_BYTES / 2) this.dropUnits();
    const started = this.#clock();
    const batch = liftBatch(this.#code, entries, this.layout, (address) => !this.#units.has(address) && (this.#worth?.hasBeenHot(address) ?? this.#interpreter.arrivals(address) >= this.#calleeLimit));
    this.#effort.translateMs += this.#clock() - started;
    if (batch === undefined) return;
    for (const { address } of entries) if (!batch.units.some((unit) => unit.entries.has(address))) this.#interpreter.forgetArrivals(address);
    for (const { offset, bytes } of batch.maps) this.#memory.u8.set(bytes, offset);
    this.#install(batch);
    const pages = new Set(batch.reliedPages);
    for (const unit of batch.units) for (const page of unit.pages) pages.add(page);
    const installed: InstalledBatch = { units: batch.units, pages };
    for (const page of pages) this.#watch(page, installed, batch.reliedPages.has(page));
    for (const unit of batch.units) {
      for (const [address, slot] of unit.entries) {
        this.#units.set(address, { slot, batch: installed });
        this.cacheTarget(address, slot);
        this.#interpreter.setEntry(address, true);
      }
      for (const address of unit.resumes) this.#interpreter.setEntry(address, true);
      for (const address of unit.callees) this.#functions.add(address);
      for (const address of unit.starts) this.#covered.add(address);
    }
  }

  #install({ module, units }: Batch): void {
    const started = this.#clock();
    this.#instantiate(module);
    const effort = this.#effort;
    effort.compileMs += this.#clock() - started;
    effort.modules++;
    effort.units += units.length;
    effort.moduleBytes += module.length;
    for (const unit of units) effort.unitInstructions += unit.instructions;
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

  /** Makes indirect jumps find a unit without the driver. */
  cacheTarget(address: number, slot: number): void {
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
    for (const { entries, resumes } of batch.units) {
      for (const [address, slot] of entries) {
        if (this.#units.get(address)?.batch !== batch) continue; // A later unit has it.
        this.#units.delete(address);
        this.#table.set(slot, this.#stub);
      }
      for (const address of [...entries.keys(), ...resumes]) if (!this.#units.has(address)) this.#interpreter.setEntry(address, false);
    }
    for (const page of batch.pages) this.#batchesOfPage.get(page)?.delete(batch);
  }

  /** Everything: what is on the WebAssembly stack must be left before slots are used again. */
  dropUnits(): void {
    for (const { batch } of new Set(this.#units.values())) {
      for (const { entries, resumes } of batch.units) for (const address of [...entries.keys(), ...resumes]) this.#interpreter.setEntry(address, false);
    }
    if (this.#slots.size > 0) this.#targets.fill(0); // Untouched pages stay unallocated.
    this.#queue = [];
    this.#units.clear();
    this.#batchesOfPage.clear();
    this.#slots.clear();
    this.#functions.clear();
    this.#covered.clear();
    this.#coveredTimes.clear();
    this.#worth?.forget();
    this.#mapsUsed = 0;
    this.generation++;
    for (let slot = 0; slot < this.#table.length; slot++) this.#table.set(slot, this.#stub);
  }

  dropCaches(): void {
    this.dropUnits();
    this.#code.forgetAll();
  }
}
