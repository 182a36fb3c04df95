/**
 * Guest memory as the host has it: one linear, biased byte array with the engine's own areas before and behind it, and a flag byte a page.
 *
 *   wasm memory:  register block 4 KiB | guest memory ........... | page flags 1 MiB | translator | records
 *                 0, address BIAS        LOWEST_ADDRESS     limit   vmBase
 *
 * The first page and everything above vmBase are out of the guest's reach because every access is checked against the page flags. `ready` and `wide` always say what the other flags of
 * a page, and of the next one, come to. What this does NOT do: say what pages hold, or when that changes (page-memory.ts).
 */
import { assert, limits } from '../core/index.ts';
import { AREA_BYTES_MAX, AREA_BYTES_MIN, BIAS, PAGE_FLAG, STORE_FAST, STORE_MASK } from '../isa/index.ts';

const { LOWEST_ADDRESS, PAGE_BYTES, PAGE_SHIFT } = limits;
const WASM_PAGE_BYTES = 65536;
const PAGE_FLAGS_BYTES = 2 ** 32 / PAGE_BYTES;
/** Bytes that the engine keeps for itself above the guest: register block, page flags, tables of the translator, and decoded code, as much as fits. */
const FIXED_BYTES = 8 * 1024 * 1024;
const HIGHEST_BYTES = limits.HIGHEST_ADDRESS - BIAS;
/** Never ready: see PAGE_FLAG. */
const FIRST_PAGE = LOWEST_ADDRESS >>> PAGE_SHIFT;
const READY_MASK = STORE_MASK | PAGE_FLAG.read;
const READY = STORE_FAST | PAGE_FLAG.read;

/** Where things lie in the first page, in bytes: the processor's state, and how a unit was left. */
export const BLOCK_OFFSET = { cpuState: 0, outcome: 1024 } as const;
/** Where things lie above vmBase, in bytes. */
export const VM_OFFSET = { pageFlags: 0, free: PAGE_FLAGS_BYTES, records: FIXED_BYTES } as const;
/** Linear memory ends here at the latest. */
const BYTES_MAX = 2 ** 32;
assert(HIGHEST_BYTES + FIXED_BYTES + AREA_BYTES_MIN <= BYTES_MAX, 'the largest address space leaves room for the engine');

/** For the next memory of its size: making one has the host look for garbage, for milliseconds. */
let prepared: { readonly pages: number; readonly memory: WebAssembly.Memory } | undefined;

function hostMemory(pages: number): WebAssembly.Memory {
  if (prepared?.pages !== pages) return new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { memory } = prepared;
  prepared = undefined;
  return memory;
}

function hostPagesOf(limit: number): number {
  const bytes = Math.min(vmBaseOf(limit) + FIXED_BYTES + AREA_BYTES_MAX, BYTES_MAX);
  return Math.floor(bytes / WASM_PAGE_BYTES);
}

function vmBaseOf(limit: number): number {
  return limit - BIAS;
}

export class LinearMemory {
  readonly limit: number;
  readonly pageFlags: Uint8Array;
  /** The whole linear memory, shared with translated code; `buffer` is its bytes. */
  readonly wasmMemory: WebAssembly.Memory;
  readonly buffer: ArrayBuffer;
  /** Byte offset in `buffer` of the engine's own area. */
  readonly vmBase: number;
  readonly i8: Int8Array;
  readonly u8: Uint8Array;
  readonly i16: Int16Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly #listeners: ((pageIndex: number) => void)[] = [];
  #epoch = 0;

  /** `limit`: first address past the space, a multiple of 4096 above LOWEST_ADDRESS. The bytes are reserved, not touched. */
  constructor(limit: number) {
    assert(limit > LOWEST_ADDRESS && limit % PAGE_BYTES === 0 && limit <= limits.HIGHEST_ADDRESS, 'the address space has a sound limit');
    this.limit = limit;
    this.vmBase = vmBaseOf(limit);
    this.wasmMemory = hostMemory(hostPagesOf(limit));
    this.buffer = this.wasmMemory.buffer;
    this.pageFlags = new Uint8Array(this.buffer, this.vmBase + VM_OFFSET.pageFlags, PAGE_FLAGS_BYTES);
    this.i8 = new Int8Array(this.buffer);
    this.u8 = new Uint8Array(this.buffer);
    this.i16 = new Int16Array(this.buffer);
    this.u16 = new Uint16Array(this.buffer);
    this.i32 = new Int32Array(this.buffer);
  }

  /** Makes the next memory with this limit cheap, if the host has room for it; to be called when there is nothing else to do. One is kept. */
  static prepare(limit: number): void {
    const pages = hostPagesOf(limit);
    if (prepared?.pages === pages) return;
    try {
      prepared = { pages, memory: new WebAssembly.Memory({ initial: pages, maximum: pages }) };
    } catch {
      prepared = undefined; // Nobody asked for it yet: who needs one hears of it.
    }
  }

  /** Byte of the linear memory that a guest address is at. */
  offsetOf(address: number): number {
    return address - BIAS;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** To be said whenever a page loses a right or a mark that somebody may rely on. */
  protected newEpoch(): void {
    this.#epoch++;
  }

  /** Returns what ends the listening. */
  onCodeChange(listener: (pageIndex: number) => void): () => void {
    this.#listeners.push(listener);
    return () => { this.#listeners.splice(this.#listeners.indexOf(listener), 1); };
  }

  markCode(pageIndex: number): void {
    const flags = this.pageFlags[pageIndex]!;
    if ((flags & PAGE_FLAG.write) !== 0) this.#epoch++;
    this.setFlags(pageIndex, flags | PAGE_FLAG.code);
  }

  /** Notes that translated code reads the page unchecked: listeners hear of it when it is no longer readable. */
  markRelied(pageIndex: number): void {
    this.pageFlags[pageIndex]! |= PAGE_FLAG.relied;
  }

  protected dropCode(pageIndex: number): void {
    this.setFlags(pageIndex, this.pageFlags[pageIndex]! & ~PAGE_FLAG.code);
    this.#epoch++;
    for (const listener of this.#listeners) listener(pageIndex);
  }

  protected dropRelying(pageIndex: number): void {
    this.pageFlags[pageIndex]! &= ~PAGE_FLAG.relied;
    this.#epoch++;
    for (const listener of this.#listeners) listener(pageIndex);
  }

  /** Sets a page's flags and makes `ready` from them. */
  protected setFlags(pageIndex: number, flags: number): void {
    this.pageFlags[pageIndex] = (flags & READY_MASK) === READY && pageIndex !== FIRST_PAGE ? flags | PAGE_FLAG.ready : flags & ~PAGE_FLAG.ready;
  }

  /** Makes `wide` anew after the rights of pages [first, first+count) have changed. */
  protected widen(first: number, count: number): void {
    const flags = this.pageFlags;
    const end = Math.min(first + count, flags.length - 1);
    for (let page = Math.max(0, first - 1); page < end; page++) {
      const isWide = (flags[page]! & flags[page + 1]! & PAGE_FLAG.read) !== 0;
      flags[page] = isWide ? flags[page]! | PAGE_FLAG.wide : flags[page]! & ~PAGE_FLAG.wide;
    }
  }
}
