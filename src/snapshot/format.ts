/**
 * Bytes of snapshots: tree nodes, packs, page locations and the root record. docs/formats/snapshot.md is the page.
 *
 *   node      0 'N'   1 level (0: the hashes are of pages)   2 u16 LE mask of present children   4 SHA-256 of each present child, ascending
 *   pack      0 'P'   1 page count n   2 u16 LE stored length per page   then n x { SHA-256, u64 LE XXH64 of the page }, then the stored bytes
 *             one after the other: each page without its trailing zeros
 *   location  0 SHA-256 key of the pack   32 slot
 *   root      canonical data, see RootRecord
 *
 * Invariants: an absent child is all zeros beneath; a node has at least one child; one content has one encoding, so equal states have equal roots.
 * A pack's key is the SHA-256 of its page hashes. Packs and locations are how bytes lie in the store and never enter a root.
 * What this does NOT do: read or write the store.
 */
import { assert, decodeCanonical, encodeCanonical, limits, StillpointError, type BlobHash, type Canonical } from '../core/index.ts';

export const HASH_BYTES = 32;
/**
 * Children of a node. 16: a page that changes alone rewrites half a kilobyte per level instead of two (64), nodes stay below the 2 KiB that LMDB
 * keeps inside its own pages, and a scattered checkpoint writes little more than its pages.
 */
export const FAN_OUT = 16;
export const FAN_OUT_SHIFT = 4;
/** Levels of a tree: 16^6 pages are 64 GiB, beyond every limit of the machine. */
export const HEIGHT_MAX = 6;
/** Pages of an object lie below this index. */
export const PAGES_MAX = FAN_OUT ** HEIGHT_MAX;
/** Pages of one pack: 15 pages, header and LMDB's own 24 bytes fit 16 pages of LMDB. */
export const PACK_PAGES_MAX = 15;
/** Sections up to this size live in the root record itself: a tree, a pack and a location would be bigger. */
export const INLINE_SECTION_BYTES_MAX = 512;
export const SNAPSHOT_VERSION = 1;

const NODE_TAG = 0x4e;
const NODE_HEADER_BYTES = 4;
const PACK_TAG = 0x50;
const PACK_SLOT_BYTES = 2 + HASH_BYTES + 8;
export const LOCATION_BYTES = HASH_BYTES + 1;
const NAME_LENGTH_MAX = 4096;

assert(1 << FAN_OUT_SHIFT === FAN_OUT && FAN_OUT <= 16, 'a 16-bit mask covers the children of a node');
assert(PACK_PAGES_MAX * (limits.PAGE_BYTES + PACK_SLOT_BYTES) + 2 <= 16 * 4096 - 24, 'a full pack fits 16 LMDB pages');

/** How a record is called in messages, and the hash that it should have. */
export interface Named { readonly what: string; readonly hash: BlobHash }

export function formatError({ what, hash }: Named, why: string, cause?: unknown): StillpointError {
  return new StillpointError('E_SNAPSHOT_FORMAT', `${what} (${hash}) ${why}`, { data: { hash }, cause });
}

// Hashes as bytes.

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const NIBBLE = new Uint8Array(128).fill(255);
for (let value = 0; value < 16; value++) NIBBLE[value.toString(16).charCodeAt(0)] = value;

/** Writes the 32 bytes of a hash at `offset`. */
export function writeHash(hash: BlobHash, target: Uint8Array, offset: number): void {
  for (let index = 0; index < HASH_BYTES; index++) {
    target[offset + index] = (NIBBLE[hash.charCodeAt(index * 2)]! << 4) | NIBBLE[hash.charCodeAt(index * 2 + 1)]!;
  }
}

export function hashBytes(hash: BlobHash): Uint8Array {
  const bytes = new Uint8Array(HASH_BYTES);
  writeHash(hash, bytes, 0);
  return bytes;
}

export function readHash(bytes: Uint8Array, offset = 0): BlobHash {
  let text = '';
  for (let index = 0; index < HASH_BYTES; index++) text += HEX[bytes[offset + index]!];
  return text as BlobHash; // 64 hexadecimal digits by construction; blobHash() would check each of millions again.
}

// Nodes.

/** A node in the open: `mask` bit i says that child i exists, its hash is at i * 32. */
export interface NodeContent { readonly level: number; readonly mask: number; readonly hashes: Uint8Array }

export function encodeNode({ level, mask, hashes }: NodeContent): Uint8Array {
  assert(mask > 0 && mask < 1 << FAN_OUT && level < HEIGHT_MAX, 'a node has children and a level');
  const bytes = new Uint8Array(NODE_HEADER_BYTES + HASH_BYTES * bitCount(mask));
  bytes[0] = NODE_TAG;
  bytes[1] = level;
  bytes[2] = mask & 0xff;
  bytes[3] = mask >>> 8;
  let offset = NODE_HEADER_BYTES;
  for (let child = 0; child < FAN_OUT; child++) {
    if ((mask & (1 << child)) === 0) continue;
    bytes.set(hashes.subarray(child * HASH_BYTES, (child + 1) * HASH_BYTES), offset);
    offset += HASH_BYTES;
  }
  return bytes;
}

/** Throws E_SNAPSHOT_FORMAT. */
export function decodeNode(bytes: Uint8Array, expected: Named & { readonly level: number }): NodeContent {
  const mask = bytes.length < NODE_HEADER_BYTES ? 0 : bytes[2]! | (bytes[3]! << 8);
  const isSound = mask !== 0 && bytes[0] === NODE_TAG && bytes[1] === expected.level && bytes.length === NODE_HEADER_BYTES + HASH_BYTES * bitCount(mask);
  if (!isSound) throw formatError(expected, 'is not a tree node of its level');
  const hashes = new Uint8Array(FAN_OUT * HASH_BYTES);
  let offset = NODE_HEADER_BYTES;
  for (let child = 0; child < FAN_OUT; child++) {
    if ((mask & (1 << child)) === 0) continue;
    hashes.set(bytes.subarray(offset, offset + HASH_BYTES), child * HASH_BYTES);
    offset += HASH_BYTES;
  }
  return { level: expected.level, mask, hashes };
}

/** The level that a stored node says it has; undefined for a root record and for foreign bytes. */
export function nodeLevelOf(bytes: Uint8Array): number | undefined {
  const level = bytes[1];
  return bytes[0] === NODE_TAG && level !== undefined && level < HEIGHT_MAX ? level : undefined;
}

function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

// Packs.

/** `hash`: 32 bytes. `guard`: XXH64 of the whole page. `stored`: the page without its trailing zeros. */
export interface PackSlot { readonly hash: Uint8Array; readonly guard: bigint; readonly stored: Uint8Array }

/** `length`: bytes of a page without its trailing zeros. */
export function trimmedLength(page: Uint8Array): number {
  let length = page.length;
  while (length > 0 && page[length - 1] === 0) length--;
  return length;
}

/** The whole page of a slot. */
export function expandSlot({ stored }: PackSlot): Uint8Array {
  const page = new Uint8Array(limits.PAGE_BYTES);
  page.set(stored);
  return page;
}

/** What goes into a pack, slot by slot: hashes one after the other, XXH64 of the pages, and the pages without their trailing zeros. */
export interface PackContent { readonly hashes: Uint8Array; readonly guards: BigUint64Array; readonly stored: readonly Uint8Array[] }

/** `room` gives the memory for the pack: its own by default. */
export function encodePack({ hashes, guards, stored }: PackContent, room: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes)): Uint8Array {
  const count = stored.length;
  assert(count > 0 && count <= PACK_PAGES_MAX && hashes.length === count * HASH_BYTES && guards.length >= count, 'a pack holds 1 to 15 pages');
  let size = 2 + PACK_SLOT_BYTES * count;
  for (let slot = 0; slot < count; slot++) size += stored[slot]!.length;
  const bytes = room(size);
  assert(bytes.length === size, 'a pack has the memory that it asked for');
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  bytes[0] = PACK_TAG;
  bytes[1] = count;
  let offset = 2 + PACK_SLOT_BYTES * count;
  for (let slot = 0; slot < count; slot++) {
    const page = stored[slot]!;
    view.setUint16(2 + slot * 2, page.length, true);
    const entry = 2 + count * 2 + slot * (HASH_BYTES + 8);
    for (let index = 0; index < HASH_BYTES; index++) bytes[entry + index] = hashes[slot * HASH_BYTES + index]!;
    view.setBigUint64(entry + HASH_BYTES, guards[slot]!, true);
    bytes.set(page, offset);
    offset += page.length;
  }
  return bytes;
}

/** The same of slots. */
export function packContent(slots: readonly PackSlot[]): PackContent {
  const hashes = new Uint8Array(slots.length * HASH_BYTES);
  slots.forEach(({ hash }, slot) => hashes.set(hash, slot * HASH_BYTES));
  return { hashes, guards: BigUint64Array.from(slots, ({ guard }) => guard), stored: slots.map(({ stored }) => stored) };
}

/** The slots of a pack, views into it; undefined when the bytes are no pack. Guards are not checked here. */
export function decodePack(bytes: Uint8Array): readonly PackSlot[] | undefined {
  const count = bytes[1] ?? 0;
  let offset = 2 + PACK_SLOT_BYTES * count;
  if (bytes[0] !== PACK_TAG || count === 0 || count > PACK_PAGES_MAX || bytes.length < offset) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const slots: PackSlot[] = [];
  for (let slot = 0; slot < count; slot++) {
    const length = view.getUint16(2 + slot * 2, true);
    const entry = 2 + count * 2 + slot * (HASH_BYTES + 8);
    if (length > limits.PAGE_BYTES || offset + length > bytes.length) return undefined;
    slots.push({ hash: bytes.subarray(entry, entry + HASH_BYTES), guard: view.getBigUint64(entry + HASH_BYTES, true), stored: bytes.subarray(offset, offset + length) });
    offset += length;
  }
  return offset === bytes.length ? slots : undefined;
}

export interface PageLocation { readonly pack: Uint8Array; readonly slot: number }

/** The locations of all slots of a pack, views of one buffer: LMDB's package asks V8 for every buffer's address, which costs as much as the put. */
export function encodeLocations(pack: Uint8Array, count: number): readonly Uint8Array[] {
  const all = new Uint8Array(LOCATION_BYTES * count);
  const locations: Uint8Array[] = [];
  for (let slot = 0; slot < count; slot++) {
    const location = all.subarray(slot * LOCATION_BYTES, (slot + 1) * LOCATION_BYTES);
    writeLocation(location, pack, slot);
    locations.push(location);
  }
  return locations;
}

export function writeLocation(target: Uint8Array, pack: Uint8Array, slot: number): void {
  target.set(pack);
  target[HASH_BYTES] = slot;
}

export function decodeLocation(bytes: Uint8Array): PageLocation | undefined {
  if (bytes.length !== LOCATION_BYTES || bytes[HASH_BYTES]! >= PACK_PAGES_MAX) return undefined;
  return { pack: bytes.slice(0, HASH_BYTES), slot: bytes[HASH_BYTES]! };
}

// Roots.

/** The top of a page tree. `height` levels, 0 for no page at all (then there is no hash). */
export interface TreeRoot { readonly height: number; readonly hash: BlobHash | undefined }
/** A byte string: short ones here, longer ones as a page tree padded with zeros. */
export type ByteString = { readonly kind: 'inline'; readonly bytes: Uint8Array } | { readonly kind: 'tree'; readonly length: number; readonly tree: TreeRoot };
/** Everything under a root. `objects` is a byte string as well: the canonical list of [name, height, hash], so that a change rewrites one page of it. */
export interface RootRecord { readonly sections: ReadonlyMap<string, ByteString>; readonly objects: ByteString }
export type ObjectList = ReadonlyMap<string, TreeRoot>;

function treeCanonical({ height, hash }: TreeRoot): Canonical {
  return hash === undefined ? null : [height, hashBytes(hash)];
}

function byteStringCanonical(value: ByteString): Canonical {
  return value.kind === 'inline' ? value.bytes : [value.length, treeCanonical(value.tree)];
}

export function encodeRoot({ sections, objects }: RootRecord): Uint8Array {
  const entries = [...sections].map(([name, value]): [string, Canonical] => [name, byteStringCanonical(value)]);
  return encodeCanonical({ version: SNAPSHOT_VERSION, sections: Object.fromEntries(entries), objects: byteStringCanonical(objects) });
}

export function encodeObjectList(objects: ObjectList): Uint8Array {
  const names = [...objects.keys()].sort();
  return encodeCanonical(names.map((name) => [name, treeCanonical(objects.get(name)!)]));
}

/** Throws E_SNAPSHOT_FORMAT on anything that encodeRoot() cannot have made. */
export function decodeRoot(bytes: Uint8Array, named: Named): RootRecord {
  const value = decode(bytes, named);
  if (!isRecord(value) || value['version'] !== SNAPSHOT_VERSION) throw formatError(named, `is not a root of version ${SNAPSHOT_VERSION}`);
  const { sections } = value;
  if (Object.keys(value).length !== 3 || !isRecord(sections)) throw formatError(named, 'lacks sections or objects');
  const entries = Object.entries(sections).map(([name, section]): [string, ByteString] => [name, byteString(section, named)]);
  return { sections: new Map(entries), objects: byteString(value['objects'], named) };
}

/** Throws E_SNAPSHOT_FORMAT. */
export function decodeObjectList(bytes: Uint8Array, named: Named): ObjectList {
  const value = decode(bytes, named);
  if (!Array.isArray(value)) throw formatError(named, 'has a list of objects that is no list');
  const objects = new Map<string, TreeRoot>();
  let previous: string | undefined;
  for (const item of value as readonly Canonical[]) {
    if (!Array.isArray(item) || item.length !== 2) throw formatError(named, 'has a malformed object');
    const [name, tree] = item as readonly Canonical[];
    if (typeof name !== 'string' || name.length > NAME_LENGTH_MAX || (previous !== undefined && previous >= name)) throw formatError(named, 'has object names that are malformed or out of order');
    previous = name;
    objects.set(name, treeRoot(tree, named));
  }
  return objects;
}

function decode(bytes: Uint8Array, named: Named): Canonical {
  try {
    return decodeCanonical(bytes);
  } catch (cause) {
    if (!(cause instanceof StillpointError)) throw cause;
    throw formatError(named, 'cannot be decoded', cause);
  }
}

function isRecord(value: Canonical | undefined): value is { readonly [key: string]: Canonical } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function byteString(value: Canonical | undefined, named: Named): ByteString {
  if (value instanceof Uint8Array && value.length <= INLINE_SECTION_BYTES_MAX) return { kind: 'inline', bytes: value };
  if (!Array.isArray(value) || value.length !== 2) throw formatError(named, 'has a malformed section');
  const [length, tree] = value as readonly Canonical[];
  const isLength = typeof length === 'number' && Number.isInteger(length) && length > INLINE_SECTION_BYTES_MAX && length <= limits.SECTION_BYTES_MAX;
  if (!isLength) throw formatError(named, 'has a section of impossible length');
  return { kind: 'tree', length, tree: treeRoot(tree, named) };
}

function treeRoot(value: Canonical | undefined, named: Named): TreeRoot {
  if (value === null) return { height: 0, hash: undefined };
  if (!Array.isArray(value) || value.length !== 2) throw formatError(named, 'has a malformed tree');
  const [height, hash] = value as readonly Canonical[];
  const isHeight = typeof height === 'number' && Number.isInteger(height) && height >= 1 && height <= HEIGHT_MAX;
  if (!isHeight || !(hash instanceof Uint8Array) || hash.length !== HASH_BYTES) throw formatError(named, 'has a malformed tree');
  return { height, hash: readHash(hash) };
}
