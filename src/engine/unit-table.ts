/**
 * The units of one memory: which code has one, where it is in the function table, what becomes one next, and which pages it came from.
 *
 *   hot target ──► queue ──► lift a batch, compile, instantiate ──► slot, target cache, marks in the interpreter
 *   a page changes ──► the batches that came from it go: their slots hold the stub again, their marks are taken away
 *
 * Invariants: a slot belongs to one address until everything is dropped, which changes `generation`: code that is on the WebAssembly stack then must
 * not go on. Pages of translated code, and of jump tables that it relies on, carry PAGE_FLAG.code, pages that it reads unchecked PAGE_FLAG.relied.
 * What this does NOT do: run units, or count (translator.ts).
 */
import { assert, limits } from '../core/index.ts';
import { CodeCache, driverModule, FunctionStarts, LAST_HELPER_SLOT, liftBatch, PAGE_FLAG, relayModule, TARGET_BYTES, TARGETS, unitExtent, type Batch, type DriverLayout, type Effort, type HotEntry, type LiftedUnit, type Loop, type Relay, type UnitLayout } from '../isa/index.ts';
import { compileHost } from './compile-host.ts';
import { EngineModules, type Units } from './kept-module.ts';
import { BLOCK_OFFSET, VM_OFFSET } from './linear-memory.ts';
import type { GuestMemory } from './memory.ts';
import { codePagesOf, entriesOf, PageDigests, Places, programCode, programKey, tablePagesOf, type KeptBatch, type ProgramTranslations, type TranslationStore } from './translations.ts';
import type { WasmTier } from './wasm-tier.ts';
import { Worth, type Extent } from './worth.ts';

/** Slots of the function table: entries of units and targets of their exits. It grows, because each instance copies it; all units are dropped at its limit. */
const TABLE_SIZE_FIRST = 256;
const TABLE_SIZE_MAX = 16384;
/** Slots that one batch may take. */
const TABLE_RESERVE = 2048;
/** Room for the jump maps of all units. */
const MAP_BYTES = 4 * 1024 * 1024;
/** A function called by a hot one comes along when it has had this part of the jumps. */
const CALLEE_PART = 8;
/** Hot places of a process before all that is kept of its program is installed: a subshell ends sooner, and a hundred modules would take longer than its work. */
const ALL_AFTER = 16;
/** A target inside a unit becomes hot so many times before it gets its own. */
const COVERED_TIMES = 20;
/** The unit of a function is made so often at most; further places in it get units of their own. */
const MADE_MAX = 6;
/** Hot targets wait for company: so many, or so many instructions. Modules cost more than functions. */
const QUEUE_MAX = 8;
export const QUEUE_INSTRUCTIONS = 200_000;
const WASM_PAGE_BYTES = 65536;

/** The driver's and the relay's, of this process alone: reading them takes longer than making them. */
const ownModules = new EngineModules();

/** Enters a unit: (fuel, depth, pc, slot) -> how it came back; see driverModule. */
export type Enter = (fuel: number, depth: number, pc: number, slot: number) => number;
type Imports = Readonly<Record<string, WebAssembly.ImportValue>>;
interface Installed { readonly slot: number; readonly batch: InstalledBatch }
interface InstalledBatch { readonly units: readonly LiftedUnit[]; readonly pages: ReadonlySet<number> }

export interface UnitTableParts {
  readonly memory: GuestMemory;
  readonly interpreter: WasmTier;
  readonly margin: number;
  /** What a nested call takes of the depth. */
  readonly nestedDepth: number;
  readonly hotLimit: number;
  readonly effort: Effort;
  readonly clock: () => number;
  /** Where translations are kept from run to run and shared by processes; undefined: nowhere. */
  readonly store: TranslationStore | undefined;
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
  #stub: unknown;
  readonly #nestedDepth: number;
  readonly #imports: Record<string, Imports>;
  readonly #code: CodeCache;
  readonly #units = new Map<number, Installed>();
  #places = new Places();
  readonly #store: TranslationStore | undefined;
  /** What is kept of the program in this memory, once something has become hot; and the first page of that program. */
  #program: ProgramTranslations | undefined = undefined;
  #programPage = -1;
  #hasProgramChanged = false;
  /** Of this program. */
  #hotPlaces = 0;
  /** undefined: not looked for yet. false: this memory keeps to itself from now on. */
  #isAttached: boolean | undefined = undefined;
  /** Starts of blocks that are in some unit, and how often they have become hot since. */
  readonly #covered = new Set<number>();
  readonly #coveredTimes = new Map<number, number>();
  /** How often the unit at an address was made. */
  readonly #made = new Map<number, number>();
  readonly #batchesOfPage = new Map<number, Set<InstalledBatch>>();
  /** What is in the slots of shared batches that were installed here once: an instance stays in the list of its table for good, and costs each later change of a slot something. */
  readonly #instances = new WeakMap<Batch, Units>();
  readonly #targets: Int32Array;
  readonly #calleeLimit: number;
  readonly #queueMax: number;
  /** Undefined: every hot place is translated. */
  readonly #worth: Worth | undefined;
  #queue: HotEntry[] = [];

  constructor({ memory, interpreter, margin, nestedDepth, hotLimit, isEager, helpers, effort, clock, store }: UnitTableParts) {
    this.#memory = memory;
    this.#effort = effort;
    this.#clock = clock;
    this.#store = store;
    this.#interpreter = interpreter;
    this.#code = new CodeCache(memory);
    this.#queueMax = isEager ? 1 : QUEUE_MAX;
    this.#nestedDepth = nestedDepth;
    this.#worth = isEager ? undefined : new Worth();
    this.#calleeLimit = Math.max(1, Math.floor(hotLimit / CALLEE_PART));
    this.layout = this.#makeLayout(margin);
    this.#targets = new Int32Array(memory.buffer, this.layout.targets, TARGETS * 2);
    this.#table = new WebAssembly.Table({ element: 'anyfunc', initial: TABLE_SIZE_FIRST });
    this.#imports = { e: { memory: memory.wasmMemory, table: this.#table, ...helpers } };
    const driver = new WebAssembly.Instance(this.#ownModule('driver', {}, driverModule), this.#imports);
    this.#stub = driver.exports['stub'];
    this.enter = driver.exports['enter'] as Enter; // What the module exports under this name.
    for (let slot = 0; slot < TABLE_SIZE_FIRST; slot++) if (slot === 0 || slot > LAST_HELPER_SLOT) this.#table.set(slot, this.#stub);
    memory.onCodeChange((page) => this.#dropPage(page));
    interpreter.callUnits((loop, { area }) => this.#instantiateRelay(loop, area));
  }

  #makeLayout(margin: number): UnitLayout {
    const { vmBase, buffer } = this.#memory;
    const targets = vmBase + VM_OFFSET.free;
    const maps = targets + TARGETS * TARGET_BYTES;
    return {
      memoryPages: buffer.byteLength / WASM_PAGE_BYTES, registers: BLOCK_OFFSET.cpuState, pageFlags: vmBase + VM_OFFSET.pageFlags,
      outcome: BLOCK_OFFSET.outcome, targets, tableSize: TABLE_SIZE_FIRST, margin, ...compileHost(),
      slotOf: (address) => this.#slotOf(address),
      functions: new FunctionStarts(this.#memory),
      entriesOf: (start) => this.#entriesOf(start),
      isCovered: (address) => this.#covered.has(address),
      isSettled: (start) => (this.#made.get(start) ?? 0) >= MADE_MAX,
      allocate: (bytes) => {
        const places = this.#places;
        const at = places.mapsUsed;
        if (at + bytes > MAP_BYTES) return undefined;
        places.mapsUsed += (bytes + 1) & ~1;
        return maps + at;
      },
    };
  }

  #entriesOf(start: number): readonly number[] {
    const unit = this.#units.get(start)?.batch.units.find(({ entries }) => entries.has(start));
    const [own, ...others] = unit?.entries.keys() ?? [];
    return own === start ? others : [];
  }

  /** Slot of the unit at an address; undefined when there is none. */
  slotAt(address: number): number | undefined {
    return this.#units.get(address)?.slot;
  }

  get hasQueue(): boolean { return this.#queue.length > 0; }

  /** Notes a hot target. `x`: the integer registers now, as halves. */
  enqueue(entry: number, x: Int32Array): void {
    if ((entry & 1) !== 0 || this.#units.has(entry)) return;
    if (this.#installKept(entry) || this.#isPatient(entry)) return;
    const hot = (): HotEntry => ({ address: entry, registers: Int32Array.from({ length: x.length / 2 }, (_, register) => x[2 * register]!) });
    if (this.#worth?.note(entry, () => this.#extentOf(hot())) === false) {
      this.#interpreter.forgetArrivals(entry);
      return;
    }
    this.#queue.push(hot());
    if (this.#queue.length >= this.#queueMax) this.translateQueue();
  }

  #extentOf(hot: HotEntry): Extent {
    const known = this.#program?.extents.of(hot.address);
    if (known !== undefined) return known;
    const extent = unitExtent(this.#code, hot, this.layout);
    if ((this.#memory.rightsOf(Math.floor(hot.address / limits.PAGE_BYTES)) & PAGE_FLAG.write) === 0) this.#program?.extents.note(hot.address, extent);
    return extent;
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

  /** Installs what is kept of a hot place, and, when the process has had some, all that is kept of the program; true when the place has a unit now. */
  #installKept(entry: number): boolean {
    if (this.#store === undefined) return false;
    if (this.#hasProgramChanged) this.forgetProgram();
    if (this.#isAttached === undefined) this.#attach(this.#store);
    if (this.#program === undefined) return false;
    const digests = new PageDigests(this.#memory, this.#store);
    for (const kept of ++this.#hotPlaces === ALL_AFTER ? this.#program.batches : this.#program.at(entry)) this.#installIfFitting(kept, digests);
    return this.#units.has(entry);
  }

  /** Another program lies in this memory. Frames of the old one that are on the stack see that the generation has changed. */
  forgetProgram(): void {
    this.#hasProgramChanged = false;
    this.dropUnits();
    this.#isAttached = undefined;
  }

  /** Finds what is kept of the program in this memory. Its slots and places are taken over before any code of our own uses others. */
  #attach(store: TranslationStore): void {
    const code = programCode(this.#memory);
    this.#hotPlaces = 0;
    this.#isAttached = code !== undefined && this.#units.size === 0 && this.#places.slots.size === 0;
    if (!this.#isAttached || code === undefined) return;
    this.#program = store.program(programKey(this.#memory, this.layout, { store, code }));
    this.#places = this.#program.places;
    this.#programPage = code.first;
    this.#memory.markCode(code.first); // Another program in this memory is another key.
  }

  #installIfFitting(kept: KeptBatch, digests: PageDigests): void {
    const { batch } = kept;
    if (entriesOf(batch).every((address) => this.#units.has(address)) || !digests.fits(kept)) return;
    this.#effort.keptModules++;
    this.#install(batch, this.#program!.moduleOf(batch)!.module);
  }

  #translate(entries: readonly HotEntry[]): void {
    if (entries.length === 0) return;
    if (this.#places.slots.size > TABLE_SIZE_MAX - TABLE_RESERVE || this.#places.mapsUsed > MAP_BYTES / 2) this.dropUnits();
    const started = this.#clock();
    const batch = liftBatch(this.#code, entries, this.layout, (address) => !this.#units.has(address) && (this.#worth?.hasBeenHot(address) ?? this.#interpreter.arrivals(address) >= this.#calleeLimit));
    this.#effort.translateMs += this.#clock() - started;
    if (batch === undefined) return;
    for (const { address } of entries) if (!batch.units.some((unit) => unit.entries.has(address))) this.#interpreter.forgetArrivals(address);
    const compiled = this.#clock();
    const module = new WebAssembly.Module(batch.module);
    this.#effort.compileMs += this.#clock() - compiled;
    if (this.#program !== undefined) {
      const digests = new PageDigests(this.#memory, this.#store!).ofAll(codePagesOf(batch));
      this.#program.keep(batch, module, { digests, milliseconds: this.#clock() - started });
    }
    this.#install(batch, module);
  }

  /** Puts a batch to use: maps, table slots, marks. */
  #install(batch: Batch, module: WebAssembly.Module): void {
    const started = this.#clock();
    this.#growTable(LAST_HELPER_SLOT + this.#places.slots.size); // Whatever the code calls.
    for (const { offset, bytes } of batch.maps) this.#memory.u8.set(bytes, offset);
    this.#fillSlots(batch, module);
    this.#account(batch, this.#clock() - started);
    const watched = new Set([...codePagesOf(batch), ...tablePagesOf(batch)]);
    const pages = new Set([...batch.reliedPages, ...watched]);
    const installed: InstalledBatch = { units: batch.units, pages };
    for (const page of pages) this.#watch(page, installed, { isRelied: batch.reliedPages.has(page), isCode: watched.has(page) });
    for (const unit of batch.units) {
      const [own] = unit.entries.keys();
      this.#made.set(own!, (this.#made.get(own!) ?? 0) + 1);
      for (const [address, slot] of unit.entries) {
        this.#units.set(address, { slot, batch: installed });
        this.cacheTarget(address, slot);
        this.#interpreter.setEntry(address, slot);
      }
      for (const address of unit.resumes) this.#interpreter.setEntry(address, this.#units.get(address)?.slot ?? 0);
      for (const address of unit.callees) this.layout.functions.add(address);
      for (const address of unit.starts) this.#covered.add(address);
    }
  }

  /** Links a batch, or puts back what this memory has linked before. */
  #fillSlots(batch: Batch, module: WebAssembly.Module): void {
    const known = this.#instances.get(batch);
    if (known !== undefined) for (const [slot, unit] of known) this.#table.set(slot, unit);
    else {
      new WebAssembly.Instance(module, this.#imports);
      if (this.#program === undefined) return;
      const units: Units = new Map(batch.units.flatMap(({ entries }) => [...entries.values()].map((slot) => [slot, this.#table.get(slot)])));
      this.#instances.set(batch, units);
      this.#program.moduleOf(batch)?.linked(units);
    }
  }

  #account({ module, units }: Batch, milliseconds: number): void {
    const effort = this.#effort;
    effort.compileMs += milliseconds;
    effort.modules++;
    effort.units += units.length;
    effort.moduleBytes += module.length;
    for (const unit of units) effort.unitInstructions += unit.instructions;
  }

  #watch(page: number, batch: InstalledBatch, { isRelied, isCode }: { readonly isRelied: boolean; readonly isCode: boolean }): void {
    if (isRelied) this.#memory.markRelied(page);
    if (isCode) this.#memory.markCode(page);
    const users = this.#batchesOfPage.get(page);
    if (users === undefined) this.#batchesOfPage.set(page, new Set([batch]));
    else users.add(batch);
  }

  /** One of the engine's own that depends on nothing but the driver's part of the layout: made once for all machines of one size. */
  #ownModule<Extra extends object>(name: string, extra: Extra, make: (layout: DriverLayout & Extra) => Uint8Array): WebAssembly.Module {
    const { memoryPages, registers, outcome, tableSize, margin } = this.layout;
    const layout = { memoryPages, registers, outcome, tableSize, margin, ...extra };
    return ownModules.open(`${name} ${JSON.stringify(layout)}`, () => make(layout)).module;
  }

  /** Its stub takes the place of the driver's. */
  #instantiateRelay(loop: Loop, area: number): Relay {
    const module = this.#ownModule('relay', { area, targets: this.layout.targets, nestedDepth: this.#nestedDepth, patience: QUEUE_INSTRUCTIONS }, relayModule);
    const { exports } = new WebAssembly.Instance(module, { e: { ...this.#imports['e'], loop } });
    const before = this.#stub;
    this.#stub = exports['stub'];
    for (let slot = 0; slot < this.#table.length; slot++) if (this.#table.get(slot) === before) this.#table.set(slot, this.#stub);
    return exports['relay'] as Relay; // What the module exports under this name.
  }

  #slotOf(address: number): number {
    const { slots } = this.#places;
    const slot = slots.get(address) ?? LAST_HELPER_SLOT + slots.size + 1;
    assert(slot < TABLE_SIZE_MAX, 'the table was emptied in time');
    this.#growTable(slot);
    slots.set(address, slot);
    return slot;
  }

  #growTable(slot: number): void {
    for (let { length } = this.#table; slot >= length; { length } = this.#table) this.#table.grow(length, this.#stub);
  }

  /** Makes indirect jumps find a unit without the driver. */
  cacheTarget(address: number, slot: number): void {
    const line = ((address >>> 1) & (TARGETS - 1)) * 2;
    this.#targets[line] = address;
    this.#targets[line + 1] = slot;
  }

  #dropPage(page: number): void {
    this.#code.forget(page);
    if (page === this.#programPage) this.#hasProgramChanged = true;
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
      for (const address of [...entries.keys(), ...resumes]) if (!this.#units.has(address)) this.#interpreter.setEntry(address, undefined);
    }
    for (const page of batch.pages) this.#batchesOfPage.get(page)?.delete(batch);
  }

  /** Everything: what is on the WebAssembly stack must be left before slots are used again. */
  dropUnits(): void {
    for (const { batch } of new Set(this.#units.values())) {
      for (const { entries, resumes } of batch.units) for (const address of [...entries.keys(), ...resumes]) this.#interpreter.setEntry(address, undefined);
    }
    for (const { slot } of this.#units.values()) this.#table.set(slot, this.#stub);
    if (this.#places.slots.size > 0) this.#targets.fill(0); // Untouched pages stay unallocated.
    this.#queue = [];
    this.#units.clear();
    this.#batchesOfPage.clear();
    this.#covered.clear();
    this.#coveredTimes.clear();
    this.#made.clear();
    this.layout.functions.forget();
    this.#worth?.forget();
    this.#program = undefined;
    if (this.#isAttached === true) this.#isAttached = false; // What is shared stays as it is; this memory keeps to itself from now on.
    this.#places = new Places();
    this.generation++;
  }

  dropCaches(): void {
    this.dropUnits();
    this.#code.forgetAll();
  }
}
