/**
 * HOT PATH of channels between machines: XXH64 (seed 0) of many blocks of 4 KiB in one call, as one small WebAssembly module. A call for each block costs as much
 * again as hashing it does (a view, a copy, a BigInt).
 *
 *   memory   0 BLOCKS_MAX blocks, copied in   65536 their hashes, 8 bytes each, most significant byte first (as xxhsum prints them)
 *
 * Invariants: the same numbers as any other XXH64; hash() answers a view that is valid until its next call. One for the whole process.
 * What this does NOT do: blocks of other sizes (digests.xxh64).
 */
import { assert } from '../core/index.ts';
import { CodeWriter, ModuleBuilder, OP, TYPE } from '../wasm/index.ts';

export const DIGEST_BLOCK_BYTES = 4096;
export const HASH_BYTES = 8;
/** Blocks of one call: together they stay in the processor's nearest caches. */
export const BLOCKS_MAX = 16;
const HASHES_AT = BLOCKS_MAX * DIGEST_BLOCK_BYTES;
const MEMORY_PAGES = { minimum: 2, maximum: 2 } as const; // Of 64 KiB.

const PRIME_1 = 0x9e3779b185ebca87n;
const PRIME_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME_3 = 0x165667b19e3779f9n;
const PRIME_4 = 0x85ebca77c2b2ae63n;

interface Kernel { readonly blocks: Uint8Array; readonly hashes: Uint8Array; readonly run: (count: number) => void }
let kernel: Kernel | undefined;

/** The hashes of `bytes`, which are whole blocks, at least one and at most BLOCKS_MAX. */
export function hashBlocks(bytes: Uint8Array): Uint8Array {
  const count = bytes.length / DIGEST_BLOCK_BYTES;
  assert(Number.isInteger(count) && count > 0 && count <= BLOCKS_MAX, 'whole blocks are hashed, as many as fit');
  const { blocks, hashes, run } = kernel ??= makeKernel();
  blocks.set(bytes);
  run(count);
  return count === BLOCKS_MAX ? hashes : hashes.subarray(0, count * HASH_BYTES);
}

function makeKernel(): Kernel {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES.minimum, maximum: MEMORY_PAGES.maximum });
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(kernelModule()), { e: { memory } }).exports;
  return { blocks: new Uint8Array(memory.buffer, 0, HASHES_AT), hashes: new Uint8Array(memory.buffer, HASHES_AT, BLOCKS_MAX * HASH_BYTES), run: run as (count: number) => void }; // What the module exports under this name.
}

/** Locals: the parameter, then those that are declared. */
const LOCAL = { count: 0, at: 1, end: 2, out: 3, lanes: 4, hash: 8 } as const;
const LANES = 4;
const STRIPE_BYTES = 32;
/** Stripes between two looks at the end of a block. */
const UNROLLED = 4;

function kernelModule(): Uint8Array {
  const builder = new ModuleBuilder();
  builder.importMemory('e', 'memory', MEMORY_PAGES);
  const run = builder.declareFunction({ parameters: [TYPE.i32], results: [] });
  const code = new CodeWriter();
  code.i32Const(HASHES_AT);
  code.localSet(LOCAL.out);
  code.open(OP.loop, TYPE.empty);
  writeBlock(code);
  code.localGet(LOCAL.count);
  code.i32Const(1);
  code.op(OP.i32Sub);
  code.localTee(LOCAL.count);
  code.brIf(0);
  code.end();
  builder.addBody([[3, TYPE.i32], [5, TYPE.i64]], code);
  builder.exportFunction('run', run);
  return builder.finish();
}

/** The block at `at`: its hash goes to `out`; both move on. */
function writeBlock(code: CodeWriter): void {
  for (const [lane, start] of [PRIME_1 + PRIME_2, PRIME_2, 0n, -PRIME_1].entries()) {
    code.i64Const(BigInt.asIntN(64, start));
    code.localSet(LOCAL.lanes + lane);
  }
  add(code, { local: LOCAL.end, from: LOCAL.at, count: DIGEST_BLOCK_BYTES });
  code.open(OP.loop, TYPE.empty);
  for (let stripe = 0; stripe < UNROLLED; stripe++) for (let lane = 0; lane < LANES; lane++) writeRound(code, { lane, offset: stripe * STRIPE_BYTES + lane * 8 });
  add(code, { local: LOCAL.at, from: LOCAL.at, count: UNROLLED * STRIPE_BYTES });
  code.localGet(LOCAL.at);
  code.localGet(LOCAL.end);
  code.op(OP.i32LtU);
  code.brIf(0);
  code.end();
  writeMerged(code);
  writeAvalanche(code);
  code.localGet(LOCAL.out);
  writeReversed(code);
  code.access(OP.i64Store, 0, 0);
  add(code, { local: LOCAL.out, from: LOCAL.out, count: HASH_BYTES });
}

function add(code: CodeWriter, { local, from, count }: { readonly local: number; readonly from: number; readonly count: number }): void {
  code.localGet(from);
  code.i32Const(count);
  code.op(OP.i32Add);
  code.localSet(local);
}

/** What is on the stack, times a prime. */
function times(code: CodeWriter, prime: bigint): void {
  code.i64Const(BigInt.asIntN(64, prime));
  code.op(OP.i64Mul);
}

function rotate(code: CodeWriter, bits: number): void {
  code.i64ConstSmall(bits);
  code.op(OP.i64Rotl);
}

/** lane = rotl(lane + input * P2, 31) * P1. */
function writeRound(code: CodeWriter, { lane, offset }: { readonly lane: number; readonly offset: number }): void {
  code.localGet(LOCAL.at);
  code.access(OP.i64Load, 0, offset);
  times(code, PRIME_2);
  code.localGet(LOCAL.lanes + lane);
  code.op(OP.i64Add);
  rotate(code, 31);
  times(code, PRIME_1);
  code.localSet(LOCAL.lanes + lane);
}

/** hash = the four lanes, joined, and the length of the block. */
function writeMerged(code: CodeWriter): void {
  for (const [lane, bits] of [1, 7, 12, 18].entries()) {
    code.localGet(LOCAL.lanes + lane);
    rotate(code, bits);
    if (lane > 0) code.op(OP.i64Add);
  }
  for (let lane = 0; lane < LANES; lane++) {
    code.localGet(LOCAL.lanes + lane);
    times(code, PRIME_2);
    rotate(code, 31);
    times(code, PRIME_1);
    code.op(OP.i64Xor);
    times(code, PRIME_1);
    code.i64Const(BigInt.asIntN(64, PRIME_4));
    code.op(OP.i64Add);
  }
  code.i64Const(BigInt(DIGEST_BLOCK_BYTES));
  code.op(OP.i64Add);
  code.localSet(LOCAL.hash);
}

/** hash ^= hash >> 33, times P2, and so on. */
function writeAvalanche(code: CodeWriter): void {
  for (const [bits, prime] of [[33, PRIME_2], [29, PRIME_3], [32, undefined]] as const) {
    code.localGet(LOCAL.hash);
    code.localGet(LOCAL.hash);
    code.i64ConstSmall(bits);
    code.op(OP.i64ShrU);
    code.op(OP.i64Xor);
    if (prime !== undefined) times(code, prime);
    code.localSet(LOCAL.hash);
  }
}

/** Pushes the hash with its bytes in the other order. */
function writeReversed(code: CodeWriter): void {
  for (let byte = 0; byte < HASH_BYTES; byte++) {
    code.localGet(LOCAL.hash);
    code.i64ConstSmall(8 * byte);
    code.op(OP.i64ShrU);
    code.i64ConstSmall(255);
    code.op(OP.i64And);
    code.i64ConstSmall(56 - 8 * byte);
    code.op(OP.i64Shl);
    if (byte > 0) code.op(OP.i64Or);
  }
}
