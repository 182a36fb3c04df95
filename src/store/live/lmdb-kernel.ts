/**
 * HOT PATH of opening a store: the look at a whole tree of LMDB's pages (lmdb-check.ts) as one small WebAssembly module. A store is opened once in the life of most processes, so
 * the look runs in code that V8 has just met: it interprets such JavaScript, and compiles it for longer than it runs. WebAssembly is native from its first call.
 *
 *   memory   0 PARAMETERS and COUNTS   512 header of data elsewhere   1024 a page for each level of a tree   one bit a page of the file: in use
 *
 *   use(first, pages)                    notes pages as in use                                                       each answers 1: sound,
 *   header(at, number, flags)            a page is the one that it should be                                                      0: not
 *   elsewhere(data, size)                follows a record to its data
 *   check(at, number, kind, from, to)    a page: header, nodes, order, keys within from <= key < to (nodes, 0: no bound)
 *   below(level, page, from, to)         reads and checks a page and all below it
 *
 * Invariants: it checks what TreePage and Walk check, in the same order, and a test compares the two on damaged files. It says yes or no; who hears a no, or has a file that this does not
 * hold, asks the other, which has words for it.
 * The module is written by lmdb-kernel-code.ts; where LMDB's pages have the usual size its bytes are in lmdb-kernel-bytes.ts already, for writing them takes longer than a look at a small store.
 * What this does NOT do: the free list and the table of tables (a handful of pages), values.
 */
import { assert } from '../../core/index.ts';
import { KERNEL_BASE64, KERNEL_PAGE_BYTES } from './lmdb-kernel-bytes.ts';
import { COUNTS, kernelModule, LEVELS, LEVELS_AT, PARAMETERS, usedMapAt, WASM_PAGE_BYTES } from './lmdb-kernel-code.ts';
import type { TableRecord } from './lmdb-pages.ts';

/** A file of 128 GiB has a map of 4 MiB; larger ones are looked at the other way. */
const PAGES_MAX = 2 ** 25;

export interface KernelFile {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly transaction: bigint;
  readonly isForReading: boolean;
  /** Reads the first `length` bytes of a page to `at`; false: they are not there. */
  readonly read: (page: number, bytes: Uint8Array, place: { readonly at: number; readonly length: number }) => boolean;
}
/** `read`: pages and headers, `pages`: pages of the tree. */
export interface KernelLook { readonly isSound: boolean; readonly read: number; readonly pages: number }

type Below = (level: number, page: number, from: number, to: number) => number;

export class PageKernel {
  /** One bit a page of the file. */
  readonly used: Uint8Array;
  readonly #words: Uint32Array;
  readonly #below: Below;

  private constructor(file: KernelFile, memory: WebAssembly.Memory) {
    const usedAt = usedMapAt(file.pageBytes);
    this.used = new Uint8Array(memory.buffer, usedAt);
    this.#words = new Uint32Array(memory.buffer, 0, LEVELS_AT / 4);
    new BigUint64Array(memory.buffer)[PARAMETERS.transaction] = file.transaction;
    this.#words[PARAMETERS.lastPage / 4] = file.lastPage;
    this.#words[PARAMETERS.pageBytes / 4] = file.pageBytes;
    this.#words[PARAMETERS.isForReading / 4] = file.isForReading ? 1 : 0;
    const all = new Uint8Array(memory.buffer);
    const read = (page: number, at: number, length: number): number => (file.read(page, all, { at, length }) ? 1 : 0);
    const { below } = new WebAssembly.Instance(new WebAssembly.Module(moduleFor(file.pageBytes)), { e: { memory, read } }).exports;
    this.#below = below as Below; // What the module exports under this name.
  }

  /** Undefined: the file is too large for it, or the host gives no memory to WebAssembly. */
  static for(file: KernelFile): PageKernel | undefined {
    if (file.lastPage >= PAGES_MAX) return undefined;
    const pages = Math.ceil((usedMapAt(file.pageBytes) + (file.lastPage >> 3) + 1) / WASM_PAGE_BYTES);
    let memory: WebAssembly.Memory;
    try {
      memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
    return new PageKernel(file, memory);
  }

  /** A tree that is not empty. Once there was a no, nothing more can be asked. */
  look({ depth, root, branchPages, leafPages, overflowPages, entries }: TableRecord, skipsLeaves: boolean): KernelLook {
    assert(root !== undefined && depth < LEVELS, 'a tree has a root, and at most 32 levels');
    const words = this.#words;
    for (const at of Object.values(COUNTS)) words[at / 4] = 0;
    words[PARAMETERS.skipsLeaves / 4] = skipsLeaves ? 1 : 0;
    const count = (at: number): number => words[at / 4]!; // Inside by construction.
    const isWhole = root < PAGES_MAX && this.#below(depth, root, 0, 0) === 1 && count(COUNTS.branch) === branchPages;
    const hasLeaves = skipsLeaves || (count(COUNTS.leaf) === leafPages && count(COUNTS.overflow) === overflowPages && count(COUNTS.entries) === entries);
    return { isSound: isWhole && hasLeaves, read: count(COUNTS.read), pages: count(COUNTS.pages) };
  }
}

/** Bytes of the module. */
function moduleFor(pageBytes: number): Uint8Array {
  return pageBytes === KERNEL_PAGE_BYTES ? Buffer.from(KERNEL_BASE64, 'base64') : kernelModule(pageBytes);
}
