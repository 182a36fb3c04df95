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
 * What this does NOT do: the free list and the table of tables (a handful of pages), values.
 */
import { assert } from '../../core/index.ts';
import { CodeWriter, ModuleBuilder, OP, TYPE, type Opcode } from '../../wasm/index.ts';
import { HEADER_BYTES, KEY_BYTES_MAX, NODE_FLAGS, PAGE_FLAGS, type TableRecord } from './lmdb-pages.ts';

const PARAMETERS = { transaction: 0, lastPage: 8, pageBytes: 12, skipsLeaves: 16, isForReading: 20 } as const;
const COUNTS = { branch: 64, leaf: 68, overflow: 72, entries: 76, read: 80, pages: 84 } as const;
const HEADER_AT = 512;
const LEVELS_AT = 1024;
const LEVELS = 33; // LMDB's trees have at most 32, counted from 1.
const WASM_PAGE_BYTES = 65536;
/** A file of 128 GiB has a map of 4 MiB; larger ones are looked at the other way. */
const PAGES_MAX = 2 ** 25;
const NODE = { size: 0, flags: 4, keyLength: 6, key: 8 } as const;
const ELSEWHERE = { page: 0, transaction: 8, pages: 16, bytes: 24 } as const;
const HEADER = { number: 0, transaction: 8, flags: 18, lower: 20, upper: 22, overflowPages: 20 } as const;

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
type Write = (code: KernelWriter) => void;
/** Indices of the module's functions. */
type Functions = Readonly<Record<'read' | 'use' | 'compare' | 'header' | 'elsewhere' | 'check' | 'below', number>>;

export class PageKernel {
  /** One bit a page of the file. */
  readonly used: Uint8Array;
  readonly #words: Uint32Array;
  readonly #below: Below;

  private constructor(file: KernelFile, memory: WebAssembly.Memory) {
    const usedAt = usedMapAt(file);
    this.used = new Uint8Array(memory.buffer, usedAt);
    this.#words = new Uint32Array(memory.buffer, 0, LEVELS_AT / 4);
    new BigUint64Array(memory.buffer)[PARAMETERS.transaction] = file.transaction;
    this.#words[PARAMETERS.lastPage / 4] = file.lastPage;
    this.#words[PARAMETERS.pageBytes / 4] = file.pageBytes;
    this.#words[PARAMETERS.isForReading / 4] = file.isForReading ? 1 : 0;
    const all = new Uint8Array(memory.buffer);
    const read = (page: number, at: number, length: number): number => (file.read(page, all, { at, length }) ? 1 : 0);
    const { below } = new WebAssembly.Instance(new WebAssembly.Module(kernelModule(usedAt)), { e: { memory, read } }).exports;
    this.#below = below as Below; // What the module exports under this name.
  }

  /** Undefined: the file is too large for it, or the host gives no memory to WebAssembly. */
  static for(file: KernelFile): PageKernel | undefined {
    if (file.lastPage >= PAGES_MAX) return undefined;
    const pages = Math.ceil((usedMapAt(file) + (file.lastPage >> 3) + 1) / WASM_PAGE_BYTES);
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

/** Where the map of used pages begins. */
function usedMapAt({ pageBytes }: KernelFile): number {
  return LEVELS_AT + LEVELS * pageBytes;
}

/** Code with the phrases that the functions below consist of. All numbers are u32 where nothing else is said. */
class KernelWriter extends CodeWriter {
  get(...locals: readonly number[]): void {
    for (const local of locals) this.localGet(local);
  }

  ops(...opcodes: readonly Opcode[]): void {
    for (const opcode of opcodes) this.op(opcode);
  }

  /** Pushes a half, a word or a doubleword at an address on the stack. */
  load(opcode: typeof OP.i32Load16u | typeof OP.i32Load | typeof OP.i32Load8u | typeof OP.i64Load, offset: number): void {
    this.access(opcode, 0, offset);
  }

  parameter(offset: number): void {
    this.i32Const(0);
    this.load(OP.i32Load, offset);
  }

  /** Adds what `write` pushes. */
  count(offset: number, write: Write): void {
    this.i32Const(0);
    this.parameter(offset);
    write(this);
    this.op(OP.i32Add);
    this.access(OP.i32Store, 2, offset);
  }

  /** The answer is no when the value on the stack is not 0. */
  noIf(): void {
    this.open(OP.if, TYPE.empty);
    this.i32Const(0);
    this.op(OP.return);
    this.end();
  }

  noUnless(): void {
    this.op(OP.i32Eqz);
    this.noIf();
  }

  yes(): void {
    this.i32Const(1);
    this.op(OP.return);
  }

  when(write: Write): void {
    this.open(OP.if, TYPE.empty);
    write(this);
    this.end();
  }

  /** Repeats while `write` leaves something else than 0. */
  repeat(write: Write): void {
    this.open(OP.loop, TYPE.empty);
    write(this);
    this.brIf(0);
    this.end();
  }
}

const I32 = TYPE.i32;
const signature = (count: number): { readonly parameters: readonly (typeof I32)[]; readonly results: readonly (typeof I32)[] } => ({ parameters: Array.from({ length: count }, () => I32), results: [I32] });

/** Bytes of the module; functions are numbered as they are declared. */
function kernelModule(usedAt: number): Uint8Array {
  const module = new ModuleBuilder();
  module.importMemory('e', 'memory', { minimum: 1, maximum: WASM_PAGE_BYTES });
  const read = module.importFunction('e', 'read', signature(3));
  const use = module.declareFunction(signature(2));
  const compare = module.declareFunction(signature(2));
  const header = module.declareFunction(signature(3));
  const elsewhere = module.declareFunction(signature(2));
  const check = module.declareFunction(signature(5));
  const below = module.declareFunction(signature(4));
  const functions: Functions = { read, use, compare, header, elsewhere, check, below };
  module.addBody([[5, I32]], useCode(usedAt));
  module.addBody([[4, I32]], compareCode());
  module.addBody([], headerCode());
  module.addBody([[2, I32], [1, TYPE.i64]], elsewhereCode(functions));
  module.addBody([[13, I32]], checkCode(functions));
  module.addBody([[6, I32]], belowCode(functions));
  module.exportFunction('below', below);
  return module.finish();
}

/** Eight pages at a time: most of a store's pages are data elsewhere. */
function useCode(usedAt: number): KernelWriter {
  const [page, pages, after, place, next, bits, taken] = [0, 1, 2, 3, 4, 5, 6];
  const code = new KernelWriter();
  code.get(page); code.i32Const(2); code.op(OP.i32LtU); code.noIf();
  code.get(page); code.parameter(PARAMETERS.lastPage); code.op(OP.i32GtU); code.noIf();
  code.get(pages); code.parameter(PARAMETERS.lastPage); code.get(page); code.op(OP.i32Sub); code.i32Const(1); code.ops(OP.i32Add, OP.i32GtU); code.noIf();
  code.get(pages); code.noUnless();
  code.get(page, pages); code.op(OP.i32Add); code.localSet(after);
  code.repeat(() => {
    code.get(page); code.i32Const(3); code.op(OP.i32ShrU); code.localTee(place);
    code.i32Const(1); code.op(OP.i32Add); code.i32Const(3); code.op(OP.i32Shl); code.localSet(next);
    code.i32Const(255); code.get(page); code.i32Const(7); code.ops(OP.i32And, OP.i32Shl); code.i32Const(255); code.op(OP.i32And); code.localSet(bits);
    code.get(next, after); code.op(OP.i32GtU);
    code.when(() => { code.get(bits); code.i32Const(255); code.get(next, after); code.ops(OP.i32Sub, OP.i32ShrU, OP.i32And); code.localSet(bits); });
    code.get(place); code.load(OP.i32Load8u, usedAt); code.localTee(taken);
    code.get(bits); code.op(OP.i32And); code.noIf();
    code.get(place, taken, bits); code.op(OP.i32Or); code.access(OP.i32Store8, 0, usedAt);
    code.get(next); code.localTee(page); code.get(after); code.op(OP.i32LtU);
  });
  code.i32Const(1);
  return code;
}

/** Of the keys of two nodes: below 0, 0 or above, as bytes, then length. */
function compareCode(): KernelWriter {
  const [a, b, left, difference, lengthA, lengthB] = [0, 1, 2, 3, 4, 5];
  const code = new KernelWriter();
  code.get(a); code.load(OP.i32Load16u, NODE.keyLength); code.localTee(lengthA);
  code.get(b); code.load(OP.i32Load16u, NODE.keyLength); code.localTee(lengthB);
  code.get(lengthA, lengthB); code.ops(OP.i32LtU, OP.select); code.localTee(left);
  code.when(() => code.repeat(() => {
    code.get(a); code.load(OP.i32Load8u, NODE.key); code.get(b); code.load(OP.i32Load8u, NODE.key); code.op(OP.i32Sub); code.localTee(difference);
    code.when(() => { code.get(difference); code.op(OP.return); });
    code.get(a); code.i32Const(1); code.op(OP.i32Add); code.localSet(a);
    code.get(b); code.i32Const(1); code.op(OP.i32Add); code.localSet(b);
    code.get(left); code.i32Const(1); code.op(OP.i32Sub); code.localTee(left);
  }));
  code.get(lengthA, lengthB); code.op(OP.i32Sub);
  return code;
}

function elsewhereCode({ read, use, header }: Functions): KernelWriter {
  const [data, size, page, pages, transaction] = [0, 1, 2, 3, 4];
  const code = new KernelWriter();
  code.get(data); code.load(OP.i64Load, ELSEWHERE.pages);
  code.get(size); code.op(OP.i64ExtendI32u); code.parameter(PARAMETERS.pageBytes); code.i32Const(HEADER_BYTES - 1); code.ops(OP.i32Add, OP.i64ExtendI32u, OP.i64Add);
  code.parameter(PARAMETERS.pageBytes); code.ops(OP.i64ExtendI32u, OP.i64DivU, OP.i64Ne); code.noIf();
  code.get(data); code.load(OP.i64Load, ELSEWHERE.page); code.parameter(PARAMETERS.lastPage); code.ops(OP.i64ExtendI32u, OP.i64GtU); code.noIf();
  code.get(data); code.load(OP.i64Load, ELSEWHERE.transaction); code.localTee(transaction); code.i64Const(1n << 48n); code.op(OP.i64GeU); code.noIf();
  code.get(data); code.load(OP.i32Load, ELSEWHERE.page); code.localSet(page);
  code.get(data); code.load(OP.i32Load, ELSEWHERE.pages); code.localSet(pages);
  code.get(page, pages); code.call(use); code.noUnless();
  code.count(COUNTS.overflow, () => code.get(pages));
  code.parameter(PARAMETERS.isForReading);
  code.when(() => code.yes());
  code.count(COUNTS.read, () => code.i32Const(1));
  code.get(page); code.i32Const(HEADER_AT); code.i32Const(HEADER_BYTES); code.call(read); code.noUnless();
  code.i32Const(HEADER_AT); code.get(page); code.i32Const(PAGE_FLAGS.overflow); code.call(header); code.noUnless();
  code.i32Const(HEADER_AT); code.load(OP.i64Load, HEADER.transaction); code.get(transaction); code.op(OP.i64Ne); code.noIf();
  code.i32Const(HEADER_AT); code.load(OP.i32Load, HEADER.overflowPages); code.get(pages); code.op(OP.i32Ne); code.noIf();
  code.i32Const(1);
  return code;
}

function headerCode(): KernelWriter {
  const [at, number, flags] = [0, 1, 2];
  const code = new KernelWriter();
  code.get(at); code.load(OP.i64Load, HEADER.number); code.get(number); code.ops(OP.i64ExtendI32u, OP.i64Ne); code.noIf();
  code.get(at); code.load(OP.i32Load16u, HEADER.flags); code.get(flags); code.op(OP.i32Ne); code.noIf();
  code.get(at); code.load(OP.i64Load, HEADER.transaction); code.i32Const(0); code.load(OP.i64Load, PARAMETERS.transaction); code.op(OP.i64GtU); code.noIf();
  code.i32Const(1);
  return code;
}

function checkCode({ compare, header, elsewhere }: Functions): KernelWriter {
  const [at, number, kind, from, to, isLeaf, lower, upper, end, base, pointer, stop, node, before, keyLength, flags, bytes, filled] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17];
  const code = new KernelWriter();
  code.get(at, number, kind); code.call(header); code.noUnless();
  code.get(kind); code.i32Const(PAGE_FLAGS.leaf); code.op(OP.i32Eq); code.localSet(isLeaf);
  code.get(at); code.load(OP.i32Load16u, HEADER.lower); code.localTee(lower); code.i32Const(1); code.op(OP.i32And); code.noIf();
  code.get(at); code.load(OP.i32Load16u, HEADER.upper); code.localSet(upper);
  code.parameter(PARAMETERS.pageBytes); code.i32Const(HEADER_BYTES); code.op(OP.i32Sub); code.localSet(end);
  code.get(lower); code.noUnless();
  code.get(lower, upper); code.op(OP.i32GtU); code.noIf();
  code.get(upper, end); code.op(OP.i32GtU); code.noIf();
  code.get(at); code.i32Const(HEADER_BYTES); code.op(OP.i32Add); code.localTee(base); code.localTee(pointer);
  code.get(lower); code.op(OP.i32Add); code.localSet(stop);
  code.repeat(() => {
    // `node` is an offset until it is known to be inside.
    code.get(pointer); code.load(OP.i32Load16u, 0); code.localTee(node); code.get(upper); code.op(OP.i32LtU); code.noIf();
    code.get(node); code.i32Const(NODE.key); code.op(OP.i32Add); code.get(end); code.op(OP.i32GtU); code.noIf();
    code.get(node); code.i32Const(1); code.op(OP.i32And); code.noIf();
    code.get(base, node); code.op(OP.i32Add); code.localTee(node);
    code.load(OP.i32Load16u, NODE.keyLength); code.localTee(keyLength); code.i32Const(KEY_BYTES_MAX); code.op(OP.i32GtU); code.noIf();
    code.get(keyLength); code.i32Const(NODE.key); code.op(OP.i32Add); code.localSet(bytes);
    code.get(isLeaf);
    code.when(() => leafData(code, { node, keyLength, flags, end, bytes }));
    code.get(node, base); code.op(OP.i32Sub); code.get(bytes); code.op(OP.i32Add); code.get(end); code.op(OP.i32GtU); code.noIf();
    code.get(filled, bytes); code.op(OP.i32Add); code.get(bytes); code.i32Const(1); code.ops(OP.i32And, OP.i32Add); code.localSet(filled);
    // LMDB does not look at the first key of a branch.
    code.get(pointer, base); code.i32Const(4); code.get(isLeaf); code.i32Const(1); code.ops(OP.i32Shl, OP.i32Sub, OP.i32Add, OP.i32GeU);
    code.when(() => { code.get(before, node); code.call(compare); code.i32Const(0); code.op(OP.i32GeS); code.noIf(); });
    code.get(node); code.localSet(before);
    code.get(flags);
    code.when(() => { code.get(node, keyLength); code.op(OP.i32Add); code.i32Const(NODE.key); code.op(OP.i32Add); code.get(node); code.load(OP.i32Load, NODE.size); code.call(elsewhere); code.noUnless(); });
    code.get(pointer); code.i32Const(2); code.op(OP.i32Add); code.localTee(pointer); code.get(stop); code.op(OP.i32LtU);
  });
  code.get(filled, end, upper); code.ops(OP.i32Sub, OP.i32Ne); code.noIf();
  keysWithin(code, { base, lower, isLeaf, before, from, to, compare });
  code.i32Const(1);
  return code;
}

/** Adds what a leaf's node has behind its key. `flags` stays 0 in branches. */
function leafData(code: KernelWriter, { node, keyLength, flags, end, bytes }: Readonly<Record<'node' | 'keyLength' | 'flags' | 'end' | 'bytes', number>>): void {
  code.get(node); code.load(OP.i32Load16u, NODE.flags); code.localTee(flags); code.i32Const(NODE_FLAGS.elsewhere); code.op(OP.i32GtU); code.noIf();
  code.get(keyLength); code.noUnless();
  code.i32Const(ELSEWHERE.bytes); code.get(node); code.load(OP.i32Load, NODE.size); code.get(flags); code.op(OP.select); code.localTee(keyLength);
  code.get(end); code.op(OP.i32GtU); code.noIf(); // Then the sum below is less than 2^32.
  code.get(bytes, keyLength); code.op(OP.i32Add); code.localSet(bytes);
  code.get(node); code.load(OP.i32Load16u, NODE.keyLength); code.localSet(keyLength);
}

/** A branch with one child has no key that counts. */
function keysWithin(code: KernelWriter, { base, lower, isLeaf, before, from, to, compare }: Readonly<Record<'base' | 'lower' | 'isLeaf' | 'before' | 'from' | 'to' | 'compare', number>>): void {
  code.get(lower); code.i32Const(2); code.op(OP.i32GtU); code.get(isLeaf); code.op(OP.i32Or);
  code.when(() => {
    code.get(from);
    code.when(() => {
      code.get(base);
      code.get(base); code.i32Const(2); code.get(isLeaf); code.i32Const(1); code.ops(OP.i32Shl, OP.i32Sub, OP.i32Add); code.load(OP.i32Load16u, 0); // The first key that counts.
      code.op(OP.i32Add); code.get(from); code.call(compare); code.i32Const(0); code.op(OP.i32LtS); code.noIf();
    });
    code.get(to);
    code.when(() => { code.get(before, to); code.call(compare); code.i32Const(0); code.op(OP.i32GeS); code.noIf(); });
  });
}

/** `flags` of a branch's node are the upper half of its child's number. */
function belowCode({ read, use, check, below }: Functions): KernelWriter {
  const [level, page, from, to, at, isLeaf, pointer, stop, node, next] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const code = new KernelWriter();
  code.get(page); code.i32Const(1); code.call(use); code.noUnless();
  code.get(level); code.i32Const(1); code.op(OP.i32Eq); code.localTee(isLeaf);
  code.parameter(PARAMETERS.skipsLeaves); code.op(OP.i32And);
  code.when(() => code.yes());
  code.count(COUNTS.read, () => code.i32Const(1));
  code.count(COUNTS.pages, () => code.i32Const(1));
  code.get(level); code.parameter(PARAMETERS.pageBytes); code.op(OP.i32Mul); code.i32Const(LEVELS_AT); code.op(OP.i32Add); code.localSet(at);
  code.get(page, at); code.parameter(PARAMETERS.pageBytes); code.call(read); code.noUnless();
  code.get(at, page); code.i32Const(PAGE_FLAGS.branch); code.get(isLeaf); code.op(OP.i32Add); code.get(from, to); code.call(check); code.noUnless();
  code.get(at); code.load(OP.i32Load16u, HEADER.lower); code.localSet(stop);
  code.get(isLeaf);
  code.when(() => {
    code.count(COUNTS.leaf, () => code.i32Const(1));
    code.count(COUNTS.entries, () => { code.get(stop); code.i32Const(1); code.op(OP.i32ShrU); });
    code.yes();
  });
  code.count(COUNTS.branch, () => code.i32Const(1));
  code.get(at); code.i32Const(HEADER_BYTES); code.op(OP.i32Add); code.localTee(at); code.localTee(pointer); code.get(stop); code.op(OP.i32Add); code.localSet(stop);
  code.repeat(() => {
    code.get(at, pointer); code.load(OP.i32Load16u, 0); code.op(OP.i32Add); code.localTee(node);
    code.load(OP.i32Load16u, NODE.flags); code.noIf();
    code.get(to); code.localSet(next);
    code.get(pointer); code.i32Const(2); code.op(OP.i32Add); code.localTee(pointer); code.get(stop); code.op(OP.i32LtU);
    code.when(() => { code.get(at, pointer); code.load(OP.i32Load16u, 0); code.op(OP.i32Add); code.localSet(next); });
    code.get(level); code.i32Const(1); code.op(OP.i32Sub);
    code.get(node); code.load(OP.i32Load, NODE.size);
    code.get(from, next); code.call(below); code.noUnless();
    code.get(next); code.localSet(from);
    code.get(pointer, stop); code.op(OP.i32LtU);
  });
  code.i32Const(1);
  return code;
}
