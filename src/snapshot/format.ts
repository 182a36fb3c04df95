/**
 * Bytes of snapshots: tree nodes and the root record. docs/formats/snapshot.md is the page.
 *
 *   node      0 'N'   1 level (0: the hashes are of pages)   2 u16 LE mask of present children   4 SHA-256 of each present child, ascending
 *   root      canonical data, see RootRecord
 *
 * Invariants: an absent child is all zeros beneath; a node has at least one child; one content has one encoding, so equal states have equal roots.
 * What this does NOT do: read or write the store, say how nodes lie there (pack-format.ts).
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
/** Sections up to this size live in the root record itself: a tree, a pack and a location would be bigger. */
export const INLINE_SECTION_BYTES_MAX = 512;
export const SNAPSHOT_VERSION = 1;

const NODE_TAG = 0x4e;
export const NODE_HEADER_BYTES = 4;
export const NODE_BYTES_MAX = NODE_HEADER_BYTES + FAN_OUT * HASH_BYTES;
const FULL_MASK = (1 << FAN_OUT) - 1;
const NAME_LENGTH_MAX = 4096;

assert(PAGES_MAX * limits.PAGE_BYTES >= limits.GUEST_FILE_BYTES_MAX, 'a tree has room for the largest file');
assert(1 << FAN_OUT_SHIFT === FAN_OUT && FAN_OUT <= 16, 'a 16-bit mask covers the children of a node');

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

/** HOT PATH: writes the node to the start of `target`, NODE_BYTES_MAX long, and returns its length. */
export function encodeNodeInto({ level, mask, hashes }: NodeContent, target: Uint8Array): number {
  assert(mask > 0 && mask < 1 << FAN_OUT && level < HEIGHT_MAX, 'a node has children and a level');
  writeNodeHeader(target, 0, { level, mask });
  if (mask === FULL_MASK) {
    target.set(hashes, NODE_HEADER_BYTES);
    return NODE_BYTES_MAX;
  }
  let offset = NODE_HEADER_BYTES;
  for (let child = 0; child < FAN_OUT; child++) {
    if ((mask & (1 << child)) === 0) continue;
    for (let index = 0, at = child * HASH_BYTES; index < HASH_BYTES; index++) target[offset + index] = hashes[at + index]!;
    offset += HASH_BYTES;
  }
  return offset;
}

/** What is before the hashes of a node. */
export function writeNodeHeader(target: Uint8Array, at: number, { level, mask }: Pick<NodeContent, 'level' | 'mask'>): void {
  target[at] = NODE_TAG;
  target[at + 1] = level;
  target[at + 2] = mask & 0xff;
  target[at + 3] = mask >>> 8;
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
