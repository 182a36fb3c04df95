/**
 * What a machine and the thread that translates beside it say to each other (all of it plain data), and the machine's side of it: which copies of pages the thread has,
 * who waits for what.
 *
 *   hot places ──► request, with copies of the pages around them ──► thread (thread-translator.ts)
 *   batch, slots ──► kept with the program, then told to whoever asked          pages missing ──► asked again, with those
 *
 * Invariants: the guest never waits for the thread. One of both translates a program at a time, and gives out its slots and places: nobody else does from a request to its answer.
 * What this does NOT do: decide what is translated, install (unit-table.ts), start the thread (live/translator-thread.ts).
 */
import { limits } from '../core/index.ts';
import { PAGE_FLAG, type Batch, type HotEntry, type LayoutConstants, type LiftedUnit } from '../isa/index.ts';
import type { GuestMemory } from './memory.ts';
import type { KeptBatch, ProgramTranslations } from './translations.ts';

/** What the thread must know of a program first. `maps`: where jump maps begin in the linear memory. */
export interface ProgramBeginning { readonly constants: LayoutConstants; readonly maps: number; readonly limit: number }
/** What the machine has done since: units made or put to use, slots given out, room for jump maps that is taken. */
export interface ProgramNews { readonly units: readonly LiftedUnit[]; readonly slots: readonly (readonly [number, number])[]; readonly mapsUsed: number }
/** `flags`: of all pages (PAGE_FLAG). `mayCome`: pages without rights may come when they are asked for. `pages`: numbers of those whose bytes follow one behind the other. `asked`: of those that were missing. */
export interface MemoryCopy {
  readonly flags: Uint8Array; readonly mayCome: boolean; readonly isExact: boolean; readonly pages: readonly number[]; readonly bytes: Uint8Array; readonly asked: readonly number[];
}
/** `hot`: further places that have become hot, so that functions there may come along. */
export interface TranslationRequest {
  readonly id: number; readonly program: number; readonly beginning: ProgramBeginning | undefined; readonly news: ProgramNews; readonly entries: readonly HotEntry[]; readonly hot: readonly number[]; readonly memory: MemoryCopy;
}
/** `digests`: of the pages that it was made from. `slots`: all new ones. `milliseconds`: what it took. */
export interface TranslatedBatch {
  readonly kind: 'translated'; readonly id: number; readonly batch: Batch | undefined; readonly module: WebAssembly.Module | undefined; readonly digests: ReadonlyMap<number, string>;
  readonly slots: readonly (readonly [number, number])[]; readonly mapsUsed: number; readonly milliseconds: number;
}
export interface PagesMissing { readonly kind: 'missing'; readonly id: number; readonly pages: readonly number[] }
export type TranslationAnswer = TranslatedBatch | PagesMissing;

/** The thread, as its host offers it. */
export interface TranslatorThread {
  /** `rested`: it had nothing to do for a while, and another one may be started. `failed`: none will answer. */
  readonly state: 'there' | 'rested' | 'failed';
  post(request: TranslationRequest): void;
  /** The next answer that has come; undefined: none has. Takes no time then. */
  take(): TranslationAnswer | undefined;
}

/** Pages around a hot place whose copies go along: the translator looks for beginnings of functions there. */
const PAGES_AROUND = 16;
/** A request is made again so often for pages that were missing. */
const ROUNDS_MAX = 50;

/** What a process waits for. */
export interface Waiting {
  readonly program: ProgramTranslations; readonly entries: readonly HotEntry[]; readonly hot: readonly number[]; readonly memory: GuestMemory;
  readonly constants: LayoutConstants; readonly maps: number; readonly isExact: () => boolean;
  /** False: nobody waits any more. */
  readonly isWanted: () => boolean;
  /** Undefined: nothing could be translated. */
  readonly arrived: (kept: KeptBatch | undefined, milliseconds: number) => void;
}
/** What the thread has of a program: copies of pages, and so many of its batches and slots. */
interface Known { readonly number: number; readonly pages: Set<number>; batches: number; slots: number }

export class TranslationRequests {
  readonly #start: () => TranslatorThread | undefined;
  #thread: TranslatorThread | undefined = undefined;
  #hasFailed = false;
  readonly #known = new Map<ProgramTranslations, Known>();
  readonly #open = new Map<ProgramTranslations, { readonly id: number; readonly waiting: Waiting; readonly round: number }>();
  #lastId = 0;

  /** `start` is called when there is something to translate; undefined: this host has no such thread. */
  constructor(start: () => TranslatorThread | undefined) {
    this.#start = start;
  }

  /** Whether requests are answered. */
  get isOpen(): boolean { return !this.#hasFailed; }

  /** Whether the thread translates a program now: nobody else may. */
  isAt(program: ProgramTranslations): boolean {
    if (this.#open.has(program)) this.poll();
    return this.#open.has(program);
  }

  /** False: there is no thread. `waiting.program` is one that the thread is not at. */
  ask(waiting: Waiting): boolean {
    if (this.#thread?.state !== 'there') {
      this.#thread = this.#start();
      this.#known.clear();
    }
    this.#hasFailed = this.#thread === undefined;
    if (this.#thread !== undefined) this.#post(this.#thread, waiting, { missing: [], round: 0 });
    return !this.#hasFailed;
  }

  /** Takes what has come. */
  poll(): void {
    const thread = this.#thread;
    for (let answer = thread?.take(); answer !== undefined; answer = thread?.take()) this.#settle(thread!, answer);
    if (thread?.state !== 'failed') return;
    this.#hasFailed = true;
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { waiting } of open) waiting.arrived(undefined, 0);
  }

  /** Copies of these pages were not what a process has there. */
  forgetPages(program: ProgramTranslations, pages: Iterable<number>): void {
    for (const page of pages) this.#known.get(program)?.pages.delete(page);
  }

  #settle(thread: TranslatorThread, answer: TranslationAnswer): void {
    const [program, { waiting, round }] = [...this.#open].find(([, { id }]) => id === answer.id)!; // It was asked for.
    this.#open.delete(program);
    if (answer.kind === 'missing') {
      if (waiting.isWanted() && round < ROUNDS_MAX) this.#post(thread, waiting, { missing: answer.pages, round: round + 1 });
      else waiting.arrived(undefined, 0);
      return;
    }
    const { batch, module, digests, slots, mapsUsed, milliseconds } = answer;
    program.places.follow(slots, mapsUsed);
    if (batch !== undefined && module !== undefined) program.keep(batch, module, { digests, milliseconds });
    const known = this.#known.get(program)!; // As above.
    known.slots = program.places.slots.size;
    known.batches = program.batches.length;
    waiting.arrived(batch === undefined ? undefined : { batch, digests }, milliseconds);
  }

  #post(thread: TranslatorThread, waiting: Waiting, { missing, round }: { readonly missing: readonly number[]; readonly round: number }): void {
    const { program, entries, hot, memory, constants, maps, isExact } = waiting;
    const { places, batches } = program;
    const before = this.#known.get(program);
    const known = before ?? { number: this.#known.size, pages: new Set(), batches: 0, slots: 0 };
    this.#known.set(program, known);
    const id = ++this.#lastId;
    this.#open.set(program, { id, waiting, round });
    const pages = pagesFor([...entries.map(({ address }) => Math.floor(address / limits.PAGE_BYTES)), ...missing], missing, { memory, known: known.pages });
    const bytes = new Uint8Array(pages.length * limits.PAGE_BYTES);
    pages.forEach((page, index) => { bytes.set(memory.page(page), index * limits.PAGE_BYTES); });
    const news: ProgramNews = { units: batches.slice(known.batches).flatMap(({ batch }) => batch.units), slots: [...places.slots].slice(known.slots), mapsUsed: places.mapsUsed };
    [known.batches, known.slots] = [batches.length, places.slots.size];
    const flags = memory.pageFlags.slice(0, memory.limit / limits.PAGE_BYTES);
    const beginning = before === undefined ? { constants, maps, limit: memory.limit } : undefined;
    thread.post({ id, program: known.number, beginning, news, entries, hot, memory: { flags, mayCome: memory.hasLatePages, isExact: isExact(), pages, bytes, asked: missing } });
  }
}

/** The pages to be copied: code around some, and those that were missing; not what is there already, unless it can be written to. */
function pagesFor(places: readonly number[], missing: readonly number[], { memory, known }: { readonly memory: GuestMemory; readonly known: Set<number> }): number[] {
  const pages = new Set<number>();
  const isCode = (page: number): boolean => (memory.pageFlags[page]! & (PAGE_FLAG.read | PAGE_FLAG.execute)) === (PAGE_FLAG.read | PAGE_FLAG.execute);
  for (const page of missing) if (memory.rightsOf(page) !== 0) pages.add(page);
  for (const place of places) {
    for (let page = place; page < place + PAGES_AROUND && isCode(page); page++) pages.add(page);
    for (let page = place - 1; page > place - PAGES_AROUND - 1 && isCode(page); page--) pages.add(page);
  }
  const wanted = [...pages].filter((page) => !known.has(page) || missing.includes(page));
  for (const page of wanted) if ((memory.rightsOf(page) & PAGE_FLAG.write) === 0) known.add(page);
  return wanted;
}
