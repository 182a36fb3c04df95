/**
 * Bytes of packs, and of the locations that say where in a pack a page or node lies. docs/formats/snapshot.md is the page.
 *
 *   pack      0 'C'   1 slot count n   2 n x u16 LE: stored length, 8000 on top: a node   then n x SHA-256   then u64 LE XXH64 of each page   then the stored bytes
 *             one after the other: pages without their trailing zeros, nodes as they are
 *   of pages  0 'P'   1 page count n   2 n x u16 LE stored length   then n x { SHA-256, u64 LE XXH64 }   then the stored bytes: what older stores and exported runs hold
 *   location  0 first 8 bytes of the key of the pack   8 slot, 80 on top: a node                                          of stores up to version 5: 32 bytes of the key, slot
 *
 * Invariants: a pack's key is the SHA-256 of its hashes. A location may fit several packs, of which the one is meant that has the hash in the slot. Packs and locations are how bytes lie in the store and never enter a root. Decoding gives views, copies nothing and believes nothing:
 * what a slot holds is checked by whoever reads it.
 * What this does NOT do: read or write the store, know what a node is (format.ts).
 */
import { assert, limits, type Digests } from '../core/index.ts';
import { HASH_BYTES, readHash } from './format.ts';

/** A full pack, its key and LMDB's own 24 bytes fit 32 pages of LMDB: 31 pages of the machine, and some of the nodes above them in what is left. */
export const PACK_BYTES_MAX = 32 * 4096 - 24;
/** Slots of a pack: pages that are nearly empty, or a pack of nodes. */
export const PACK_SLOTS_MAX = 64;
/** Pages of a pack of the older form: of exported runs, and of stores up to version 5. */
export const PAGE_PACK_MAX = 15;
/** Of a pack's key, in a location: a location for each page is most of what a lone page costs beside itself. */
export const PACK_NAME_BYTES = 8;
export const LOCATION_BYTES = PACK_NAME_BYTES + 1;
const OLD_LOCATION_BYTES = HASH_BYTES + 1;

/** Not one flipped bit from the older form, whose packs of one page look the same otherwise. */
const TAG = 0x43;
const PAGE_TAG = 0x50;
const HEADER_BYTES = 2;
const GUARD_BYTES = 8;
const PAGE_SLOT_BYTES = 2 + HASH_BYTES + GUARD_BYTES;
const NODE_SLOT_BYTES = 2 + HASH_BYTES;
const NODE_LENGTH = 0x8000;
const NODE_SLOT = 0x80;

assert(31 * (limits.PAGE_BYTES + PAGE_SLOT_BYTES) + HEADER_BYTES <= PACK_BYTES_MAX, 'a pack has room for 31 whole pages');
assert(PAGE_PACK_MAX * (limits.PAGE_BYTES + PAGE_SLOT_BYTES) + HEADER_BYTES <= 16 * 4096 - 24, 'a full pack of the older form fits 16 LMDB pages');
assert(PACK_SLOTS_MAX <= NODE_SLOT && limits.PAGE_BYTES < NODE_LENGTH, 'a slot and a length leave a bit for what they are of');

/** `hash`: 32 bytes. `guard`: XXH64 of the whole page, 0 of a node. `stored`: the page without its trailing zeros, or the node. */
export interface PackSlot { readonly isNode: boolean; readonly hash: Uint8Array; readonly guard: bigint; readonly stored: Uint8Array }

/** `length`: bytes of a page without its trailing zeros. */
export function trimmedLength(page: Uint8Array): number {
  let length = page.length;
  while (length > 0 && page[length - 1] === 0) length--;
  return length;
}

/** The whole page of a slot. */
export function expandSlot({ stored }: Pick<PackSlot, 'stored'>): Uint8Array {
  const page = new Uint8Array(limits.PAGE_BYTES);
  page.set(stored);
  return page;
}

/** Whether a slot holds what its hash and guard promise. */
export function isSoundSlot(slot: PackSlot, digests: Digests): boolean {
  const content = slot.isNode ? slot.stored : expandSlot(slot);
  return digests.sha256(content) === readHash(slot.hash) && (slot.isNode || digests.xxh64(content) === slot.guard);
}

/** Bytes that a slot takes in a pack. */
export function slotBytes(stored: number, isNode: boolean): number {
  return stored + (isNode ? NODE_SLOT_BYTES : PAGE_SLOT_BYTES);
}

/** What goes into a pack, slot by slot: hashes one after the other, XXH64 of the pages, which slots are nodes, and what is stored. */
export interface PackContent { readonly hashes: Uint8Array; readonly guards: BigUint64Array; readonly isNode: Uint8Array; readonly stored: readonly Uint8Array[] }

/** HOT PATH. `room` gives the memory for the pack. */
export function encodePack({ hashes, guards, isNode, stored }: PackContent, room: (bytes: number) => Uint8Array): Uint8Array {
  const count = stored.length;
  assert(count > 0 && count <= PACK_SLOTS_MAX && hashes.length === count * HASH_BYTES && guards.length >= count && isNode.length >= count, 'a pack holds 1 to 64 slots');
  let size = HEADER_BYTES;
  for (let slot = 0; slot < count; slot++) size += slotBytes(stored[slot]!.length, isNode[slot] === 1);
  assert(size <= PACK_BYTES_MAX, 'a pack stays below its limit');
  const bytes = room(size);
  assert(bytes.length === size, 'a pack has the memory that it asked for');
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  bytes[0] = TAG;
  bytes[1] = count;
  bytes.set(hashes, HEADER_BYTES + count * 2);
  let guardAt = HEADER_BYTES + count * NODE_SLOT_BYTES;
  for (let slot = 0; slot < count; slot++) {
    view.setUint16(HEADER_BYTES + slot * 2, stored[slot]!.length | (isNode[slot] === 1 ? NODE_LENGTH : 0), true);
    if (isNode[slot] === 1) continue;
    view.setBigUint64(guardAt, guards[slot]!, true);
    guardAt += GUARD_BYTES;
  }
  let offset = guardAt;
  for (let slot = 0; slot < count; slot++) {
    bytes.set(stored[slot]!, offset);
    offset += stored[slot]!.length;
  }
  return bytes;
}

/** A pack of the older form, of pages only. */
export function encodePagePack(slots: readonly PackSlot[]): Uint8Array {
  const count = slots.length;
  assert(count > 0 && count <= PAGE_PACK_MAX && slots.every(({ isNode }) => !isNode), 'a pack of the older form holds 1 to 15 pages');
  const bytes = new Uint8Array(slots.reduce((sum, { stored }) => sum + slotBytes(stored.length, false), HEADER_BYTES));
  const view = new DataView(bytes.buffer);
  bytes[0] = PAGE_TAG;
  bytes[1] = count;
  let offset = HEADER_BYTES + PAGE_SLOT_BYTES * count;
  slots.forEach(({ hash, guard, stored }, slot) => {
    const entry = HEADER_BYTES + count * 2 + slot * (HASH_BYTES + GUARD_BYTES);
    view.setUint16(HEADER_BYTES + slot * 2, stored.length, true);
    bytes.set(hash, entry);
    view.setBigUint64(entry + HASH_BYTES, guard, true);
    bytes.set(stored, offset);
    offset += stored.length;
  });
  return bytes;
}

/** A decoded pack of either form: where its slots are. A slot is made when it is asked for. */
export class Pack {
  readonly count: number;
  readonly #bytes: Uint8Array;
  /** Of each slot: where its bytes begin, one more at the end; where its hash is; where its guard is, 0: a node. */
  readonly #offsets: Uint32Array;
  readonly #hashesAt: number;
  readonly #hashStride: number;
  readonly #guards: Uint32Array;

  constructor(bytes: Uint8Array, parts: { readonly offsets: Uint32Array; readonly guards: Uint32Array; readonly hashesAt: number; readonly hashStride: number }) {
    this.#bytes = bytes;
    this.count = parts.guards.length;
    this.#offsets = parts.offsets;
    this.#guards = parts.guards;
    this.#hashesAt = parts.hashesAt;
    this.#hashStride = parts.hashStride;
  }

  liesIn(memory: Uint8Array): boolean {
    return this.#bytes.buffer === memory.buffer;
  }

  /** Views into the pack; undefined when it has no such slot. */
  slot(slot: number): PackSlot | undefined {
    if (slot >= this.count) return undefined;
    const hashAt = this.#hashesAt + slot * this.#hashStride;
    const guardAt = this.#guards[slot]!;
    const bytes = this.#bytes;
    return {
      isNode: guardAt === 0, hash: bytes.subarray(hashAt, hashAt + HASH_BYTES), guard: guardAt === 0 ? 0n : new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(guardAt, true),
      stored: bytes.subarray(this.#offsets[slot], this.#offsets[slot + 1]),
    };
  }

  get slots(): readonly PackSlot[] {
    return Array.from({ length: this.count }, (_, slot) => this.slot(slot)!); // Below `count`.
  }
}

/** The slots of a pack; undefined when the bytes are no pack. Hashes and guards are not checked here. */
export function decodePack(bytes: Uint8Array): Pack | undefined {
  const isOld = bytes[0] === PAGE_TAG;
  const count = bytes[1] ?? 0;
  if ((!isOld && bytes[0] !== TAG) || count === 0 || count > (isOld ? PAGE_PACK_MAX : PACK_SLOTS_MAX) || bytes.length < HEADER_BYTES + count * NODE_SLOT_BYTES) return undefined;
  const offsets = new Uint32Array(count + 1);
  const guards = new Uint32Array(count);
  const guardStride = isOld ? HASH_BYTES + GUARD_BYTES : GUARD_BYTES;
  let guardAt = HEADER_BYTES + count * 2 + (isOld ? HASH_BYTES : count * HASH_BYTES);
  let stored = 0;
  let pages = 0;
  for (let slot = 0; slot < count; slot++) {
    const word = bytes[HEADER_BYTES + slot * 2]! | (bytes[HEADER_BYTES + slot * 2 + 1]! << 8);
    const isNode = !isOld && (word & NODE_LENGTH) !== 0;
    const length = isNode ? word & ~NODE_LENGTH : word;
    if (length > limits.PAGE_BYTES) return undefined;
    offsets[slot] = stored;
    stored += length;
    if (isNode) continue;
    guards[slot] = guardAt;
    guardAt += guardStride;
    pages++;
  }
  const start = HEADER_BYTES + count * NODE_SLOT_BYTES + pages * GUARD_BYTES;
  if (start + stored !== bytes.length) return undefined;
  offsets[count] = stored;
  for (let slot = 0; slot <= count; slot++) offsets[slot]! += start;
  return new Pack(bytes, { offsets, guards, hashesAt: HEADER_BYTES + count * 2, hashStride: isOld ? HASH_BYTES + GUARD_BYTES : HASH_BYTES });
}

/** The same of the older form only, as exported runs have it. */
export function decodePagePack(bytes: Uint8Array): Pack | undefined {
  return bytes[0] === PAGE_TAG ? decodePack(bytes) : undefined;
}

/** `pack`: the beginning of its key, or all of it. */
export interface PageLocation { readonly pack: Uint8Array; readonly slot: number; readonly isNode: boolean }

/** The locations of all slots of a pack, views of one buffer: LMDB's package asks V8 for every buffer's address, which costs as much as the put. */
export function encodeLocations(pack: Uint8Array, isNode: readonly boolean[]): readonly Uint8Array[] {
  const all = new Uint8Array(LOCATION_BYTES * isNode.length);
  return isNode.map((ofNode, slot) => {
    const location = all.subarray(slot * LOCATION_BYTES, (slot + 1) * LOCATION_BYTES);
    writeLocation(location, pack, { slot, isNode: ofNode });
    return location;
  });
}

export function writeLocation(target: Uint8Array, pack: Uint8Array, { slot, isNode }: Pick<PageLocation, 'slot' | 'isNode'>): void {
  target.set(pack.subarray(0, PACK_NAME_BYTES));
  target[PACK_NAME_BYTES] = slotByte(slot, isNode);
}

/** The last byte of a location. */
export function slotByte(slot: number, isNode: boolean): number {
  return slot | (isNode ? NODE_SLOT : 0);
}

export function decodeLocation(bytes: Uint8Array): PageLocation | undefined {
  if (bytes.length !== LOCATION_BYTES && bytes.length !== OLD_LOCATION_BYTES) return undefined;
  const nameBytes = bytes.length - 1;
  const last = bytes[nameBytes]!;
  const isNode = bytes.length === LOCATION_BYTES && (last & NODE_SLOT) !== 0;
  const slot = isNode ? last & ~NODE_SLOT : last;
  if (slot >= (bytes.length === LOCATION_BYTES ? PACK_SLOTS_MAX : PAGE_PACK_MAX)) return undefined;
  return { pack: bytes.slice(0, nameBytes), slot, isNode };
}

/** Whether a location may be in the pack with this key. */
export function namesPack({ pack }: Pick<PageLocation, 'pack'>, key: Uint8Array): boolean {
  return key.length === HASH_BYTES && pack.every((byte, index) => key[index] === byte);
}

/** Keys of packs that a location may mean: from the first one to before the second. */
export function packRange({ pack }: Pick<PageLocation, 'pack'>): { readonly from: Uint8Array; readonly to: Uint8Array } {
  const to = new Uint8Array(HASH_BYTES + 1).fill(0xff);
  to.set(pack);
  return { from: pack, to };
}
