/**
 * Writes the module of lmdb-kernel.ts, function by function, and says what lies where in its memory.
 * Invariant: the same bytes each time; test/store/lmdb-kernel.test.ts compares them with those of lmdb-kernel-bytes.ts. What this does NOT do: run it.
 */
import { CodeWriter, ModuleBuilder, OP, TYPE, type Opcode } from '../../wasm/index.ts';
import { HEADER_BYTES, KEY_BYTES_MAX, NODE_FLAGS, PAGE_FLAGS } from './lmdb-pages.ts';

export const PARAMETERS = { transaction: 0, lastPage: 8, pageBytes: 12, skipsLeaves: 16, isForReading: 20 } as const;
export const COUNTS = { branch: 64, leaf: 68, overflow: 72, entries: 76, read: 80, pages: 84 } as const;
const HEADER_AT = 512;
export const LEVELS_AT = 1024;
export const LEVELS = 33; // LMDB's trees have at most 32, counted from 1.
/** Of a memory. */
export const WASM_PAGE_BYTES = 65536;
const NODE = { size: 0, flags: 4, keyLength: 6, key: 8 } as const;
const ELSEWHERE = { page: 0, transaction: 8, pages: 16, bytes: 24 } as const;
const HEADER = { number: 0, transaction: 8, flags: 18, lower: 20, upper: 22, overflowPages: 20 } as const;

type Write = (code: KernelWriter) => void;
/** Indices of the module's functions. */
type Functions = Readonly<Record<'read' | 'use' | 'compare' | 'header' | 'elsewhere' | 'check' | 'below', number>>;

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

/** Where the map of used pages begins. */
export function usedMapAt(pageBytes: number): number {
  return LEVELS_AT + LEVELS * pageBytes;
}

/** Bytes of the module for LMDB's pages of this size; functions are numbered as they are declared. */
export function kernelModule(pageBytes: number): Uint8Array {
  const usedAt = usedMapAt(pageBytes);
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
