/**
 * The nodes of one page tree, in one piece of memory: what a lone page needs of the nodes above it is a few lines of the processor's caches that lie together, and V8's collector has nothing to follow.
 *
 *   record   0 u16 stale children   2 u8 fresh   60 the node as it is stored when no child is absent (format.ts): 60 tag and level, 62 u16 mask   64 16 hashes
 *            576 level 0: 16 u64 guards; above: 16 u32, one more than the record of each child, 0 when it is not in memory                       little-endian
 *
 * Invariants: a record that was freed is zeros when it is made again; numbers of records stay when the memory grows, views of it do not.
 * What this does NOT do: know which node is above which (page-tree.ts).
 */
import { assert } from '../core/index.ts';
import { encodeNodeInto, FAN_OUT, HASH_BYTES, NODE_BYTES_MAX, NODE_HEADER_BYTES, writeNodeHeader, type NodeContent } from './format.ts';

const RECORD_BYTES = 704;
const FRESH_AT = 2;
const HASHES_AT = 64;
const NODE_AT = HASHES_AT - NODE_HEADER_BYTES;
const BELOW_AT = HASHES_AT + FAN_OUT * HASH_BYTES;
const FULL_MASK = 2 ** FAN_OUT - 1;
/** Of a tree of few pages; more for each further growth, by half. */
const RECORDS_FIRST = 2;

assert(BELOW_AT + FAN_OUT * 8 === RECORD_BYTES && RECORD_BYTES % 8 === 0, 'a record holds guards, and each is aligned');
assert(new Uint8Array(Uint16Array.of(1).buffer)[0] === 1, 'records are little-endian, as the processor is');

/** A node with absent children is encoded here. */
const encoded = new Uint8Array(NODE_BYTES_MAX);

export class NodePool {
  /** Hashes of a node's children are written here, at hashesAt(). */
  bytes = new Uint8Array(0);
  #halves = new Uint16Array(0);
  #words = new Uint32Array(0);
  #guards = new BigUint64Array(0);
  #used = 0;
  readonly #free: number[] = [];

  /** A node without children. */
  make(level: number): number {
    const node = this.#free.pop() ?? this.#next();
    writeNodeHeader(this.bytes, node * RECORD_BYTES + NODE_AT, { level, mask: 0 });
    return node;
  }

  /** A node of the store. */
  makeOf({ level, mask, hashes }: NodeContent): number {
    const node = this.make(level);
    this.setMask(node, mask);
    this.bytes.set(hashes, this.hashesAt(node));
    return node;
  }

  free(node: number): void {
    this.bytes.fill(0, node * RECORD_BYTES, (node + 1) * RECORD_BYTES);
    this.#free.push(node);
  }

  level(node: number): number {
    return this.bytes[node * RECORD_BYTES + NODE_AT + 1]!;
  }

  /** Bit i: child i exists. */
  mask(node: number): number {
    return this.#halves[(node * RECORD_BYTES + HASHES_AT - 2) >>> 1]!;
  }

  setMask(node: number, mask: number): void {
    this.#halves[(node * RECORD_BYTES + HASHES_AT - 2) >>> 1] = mask;
  }

  /** Bit i: the hash of child i is not up to date. */
  stale(node: number): number {
    return this.#halves[(node * RECORD_BYTES) >>> 1]!;
  }

  setStale(node: number, stale: number): void {
    this.#halves[(node * RECORD_BYTES) >>> 1] = stale;
  }

  /** Whether a page below it that was set since it was sealed is new to the store. */
  isFresh(node: number): boolean {
    return this.bytes[node * RECORD_BYTES + FRESH_AT] === 1;
  }

  setFresh(node: number, isFresh: boolean): void {
    this.bytes[node * RECORD_BYTES + FRESH_AT] = isFresh ? 1 : 0;
  }

  /** Offset of the hash of its first child; of each further one 32 bytes more. */
  hashesAt(node: number): number {
    return node * RECORD_BYTES + HASHES_AT;
  }

  /** A child above level 0; -1: it is not in memory. */
  child(node: number, child: number): number {
    return this.#words[((node * RECORD_BYTES + BELOW_AT) >>> 2) + child]! - 1;
  }

  /** -1: none. */
  setChild(node: number, child: number, below: number): void {
    this.#words[((node * RECORD_BYTES + BELOW_AT) >>> 2) + child] = below + 1;
  }

  /** Of a node of level 0: XXH64 of the page as it was captured, 0n when not known. */
  guard(node: number, slot: number): bigint {
    return this.#guards[((node * RECORD_BYTES + BELOW_AT) >>> 3) + slot]!;
  }

  setGuard(node: number, slot: number, guard: bigint): void {
    this.#guards[((node * RECORD_BYTES + BELOW_AT) >>> 3) + slot] = guard;
  }

  /** A node as it is stored: valid until the next call, or until the node or the pool changes. */
  encoded(node: number): Uint8Array {
    const mask = this.mask(node);
    const at = node * RECORD_BYTES + NODE_AT;
    if (mask === FULL_MASK) return this.bytes.subarray(at, at + NODE_BYTES_MAX);
    const hashes = this.bytes.subarray(at + NODE_HEADER_BYTES, at + NODE_BYTES_MAX);
    return encoded.subarray(0, encodeNodeInto({ level: this.level(node), mask, hashes }, encoded));
  }

  #next(): number {
    if ((this.#used + 1) * RECORD_BYTES > this.bytes.length) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    const records = Math.max(RECORDS_FIRST, Math.ceil(this.#used * 1.5));
    const bytes = new Uint8Array(records * RECORD_BYTES);
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.#halves = new Uint16Array(bytes.buffer);
    this.#words = new Uint32Array(bytes.buffer);
    this.#guards = new BigUint64Array(bytes.buffer);
  }
}
