/**
 * Translations of one program, shared by all its processes in this host process and kept from one run to the next: modules, what they were made from, and
 * which table slot belongs to which address.
 *
 *   first hot place ──► key of the program ──► batches of former runs ──► each is installed where its pages hold what it was made from
 *   new batch       ──► added, with the digests of its pages          ──► saved when the host process ends, with the machine code that the host has made of it
 *
 * Invariants: a batch is used only where every page of its code is executable and has the digest it was made from, every page that it reads
 * unchecked is readable, and the jump tables that it relies on are as they were; the key only finds. Slots and places of jump maps are the same in all processes of a program, so code fits wherever it goes.
 * What this does NOT do: read or write files (live/translation-files.ts), install (unit-table.ts).
 */
import { limits, sameBytes } from '../core/index.ts';
import { BIAS, PAGE_FLAG, type Batch, type UnitLayout } from '../isa/index.ts';
import { hasGrown, KeptModule, type EngineModules, type MachineCode } from './kept-module.ts';
import { Extents } from './extents.ts';
import type { GuestMemory } from './memory.ts';

/** What the host offers: digests, and a place to keep things in. */
export interface TranslationStore {
  /** SHA-256 in hexadecimal. */
  digest(...parts: readonly Uint8Array[]): string;
  /** The one object for a key. */
  program(key: string): ProgramTranslations;
  engine(): EngineModules;
}

/** A batch with the digests of its pages, and the machine code of its module. Plain data: it is written to disk as it is. */
export interface KeptBatch { readonly batch: Batch; readonly digests: ReadonlyMap<number, string>; readonly code?: Uint8Array | undefined }
/** Plain data. `milliseconds`: what translating and compiling took. */
export interface KeptProgram { readonly batches: readonly KeptBatch[]; readonly slots: ReadonlyMap<number, number>; readonly mapsUsed: number; readonly milliseconds: number; readonly extents: Uint32Array }

/** Modules of one program that are kept, in bytes: more than SQLite and Lua together use. */
const MODULE_BYTES_MAX = 24 * 1024 * 1024;
/** So many pages of the program's code go into its key, spread evenly: the key only finds, and every process of a shell script makes one. */
const KEY_PAGES_MAX = 64;

/** Where code and jump maps of a program go: one for each process that keeps to itself, one for all processes that share. */
export class Places {
  readonly slots: Map<number, number>;
  mapsUsed: number;

  constructor(slots: ReadonlyMap<number, number> = new Map(), mapsUsed = 0) {
    this.slots = new Map(slots);
    this.mapsUsed = mapsUsed;
  }
}

export class ProgramTranslations {
  readonly places: Places;
  /** Of its hot places. */
  readonly extents: Extents;
  readonly #batches: KeptBatch[];
  readonly #byEntry = new Map<number, KeptBatch[]>();
  readonly #modules = new WeakMap<Batch, KeptModule>();
  readonly #machineCode: MachineCode | undefined;
  #bytes = 0;
  #milliseconds: number;
  #hasNews = false;
  /** Machine code and extents that the files have. */
  #codeBytes = 0;
  #extents: number;

  constructor(kept?: KeptProgram, machineCode?: MachineCode) {
    this.#machineCode = machineCode;
    this.places = new Places(kept?.slots, kept?.mapsUsed);
    this.extents = new Extents(kept?.extents);
    this.#extents = this.extents.size;
    this.#batches = [];
    this.#milliseconds = kept?.milliseconds ?? 0;
    for (const batch of kept?.batches ?? []) {
      this.#add(batch);
      this.#modules.set(batch.batch, new KeptModule({ bytes: batch.batch.module, code: batch.code }, machineCode));
      this.#codeBytes += batch.code?.length ?? 0;
    }
  }

  get batches(): readonly KeptBatch[] { return this.#batches; }

  /** Batches that have a unit at an address. */
  at(address: number): readonly KeptBatch[] {
    return this.#byEntry.get(address) ?? [];
  }

  /** Keeps a new batch, made from memory as it is now in so many milliseconds. */
  keep(batch: Batch, module: WebAssembly.Module, { digests, milliseconds }: { readonly digests: ReadonlyMap<number, string>; readonly milliseconds: number }): void {
    this.#modules.set(batch, new KeptModule({ bytes: batch.module, code: undefined }, this.#machineCode, module));
    if (this.#bytes + batch.module.length > MODULE_BYTES_MAX) return;
    this.#milliseconds += milliseconds;
    this.#add({ batch, digests });
    this.#hasNews = true;
  }

  /** The module of a batch that is kept here, or was to be. */
  moduleOf(batch: Batch): KeptModule | undefined { return this.#modules.get(batch); }

  /** What the files do not have yet, with all that they have; undefined: they have everything. */
  news(): KeptProgram | undefined {
    const batches = this.#batches.map(({ batch, digests }): KeptBatch => ({ batch, digests, code: this.#modules.get(batch)!.forKeeping().code }));
    const codeBytes = batches.reduce((sum, { code }) => sum + (code?.length ?? 0), 0);
    if (!this.#hasNews && !hasGrown(codeBytes, this.#codeBytes) && !hasGrown(this.extents.size, this.#extents)) return undefined;
    this.#hasNews = false;
    this.#codeBytes = codeBytes;
    this.#extents = this.extents.size;
    return { batches, slots: this.places.slots, mapsUsed: this.places.mapsUsed, milliseconds: this.#milliseconds, extents: this.extents.encode() };
  }

  #add(kept: KeptBatch): void {
    this.#batches.push(kept);
    this.#bytes += kept.batch.module.length;
    for (const address of entriesOf(kept.batch)) {
      const known = this.#byEntry.get(address);
      if (known === undefined) this.#byEntry.set(address, [kept]);
      else known.push(kept);
    }
  }
}

export function entriesOf({ units }: Batch): number[] {
  return units.flatMap(({ entries }) => [...entries.keys()]);
}

/** The pages that a batch's code lies on. */
export function codePagesOf({ units }: Batch): ReadonlySet<number> {
  const pages = new Set<number>();
  for (const unit of units) for (const page of unit.pages) pages.add(page);
  return pages;
}

/** The pages of tables that a batch's code relies on. */
export function tablePagesOf({ tables }: Batch): ReadonlySet<number> {
  const pages = new Set<number>();
  for (const { address, bytes } of tables) for (let page = Math.floor(address / limits.PAGE_BYTES); page * limits.PAGE_BYTES < address + bytes.length; page++) pages.add(page);
  return pages;
}

/** First page of the lowest code of a program, and how many follow; undefined when nothing is executable. */
export function programCode(memory: GuestMemory): { readonly first: number; readonly count: number } | undefined {
  const end = memory.limit / limits.PAGE_BYTES;
  let first = limits.LOWEST_ADDRESS / limits.PAGE_BYTES;
  while (first < end && !isCode(memory, first)) first++;
  let last = first;
  while (last < end && isCode(memory, last)) last++;
  return first === last ? undefined : { first, count: last - first };
}

function isCode(memory: GuestMemory, page: number): boolean {
  return (memory.rightsOf(page) & PAGE_FLAG.execute) !== 0;
}

/** Names the program that lies in memory, for one layout of the engine's own things. */
export function programKey(memory: GuestMemory, layout: UnitLayout, { store, code }: { readonly store: TranslationStore; readonly code: { readonly first: number; readonly count: number } }): string {
  const constants = Object.entries(layout).filter(([, value]) => typeof value !== 'function').map(([name, value]) => `${name}=${String(value)}`).sort().join(' ');
  const stride = Math.ceil(code.count / KEY_PAGES_MAX);
  const text = new Uint8Array(Math.ceil(code.count / stride) * limits.PAGE_BYTES);
  for (let page = 0, at = 0; page < code.count; page += stride, at += limits.PAGE_BYTES) {
    text.set(memory.page(code.first + page), at);
  }
  return store.digest(new TextEncoder().encode(`${constants} first=${code.first} pages=${code.count}\n`), text);
}

/** Digests of pages, each once: valid while no guest code runs. */
export class PageDigests {
  readonly #memory: GuestMemory;
  readonly #store: TranslationStore;
  readonly #known = new Map<number, string>();

  constructor(memory: GuestMemory, store: TranslationStore) {
    this.#memory = memory;
    this.#store = store;
  }

  of(page: number): string {
    const known = this.#known.get(page);
    if (known !== undefined) return known;
    const digest = this.#store.digest(this.#memory.page(page));
    this.#known.set(page, digest);
    return digest;
  }

  ofAll(pages: Iterable<number>): Map<number, string> {
    return new Map([...pages].map((page) => [page, this.of(page)]));
  }

  /** Whether memory is what a batch was made from. */
  fits({ batch, digests }: KeptBatch): boolean {
    const memory = this.#memory;
    for (const page of codePagesOf(batch)) if (!isCode(memory, page)) return false;
    for (const page of batch.reliedPages) {
      memory.bring(page); // Its code loads from there without a look.
      if ((memory.pageFlags[page]! & PAGE_FLAG.read) === 0) return false;
    }
    for (const page of tablePagesOf(batch)) if ((memory.pageFlags[page]! & PAGE_FLAG.write) !== 0) return false; // Stores to it would drop the batch.
    for (const { address, bytes } of batch.tables) if (!sameBytes(memory.u8.subarray(address - BIAS, address - BIAS + bytes.length), bytes)) return false;
    for (const [page, digest] of digests) if (this.of(page) !== digest) return false;
    return true;
  }
}
