/**
 * Bytes of a shelf: the locations of many pages and packed nodes in the order of their hashes, cut into segments, each a record. docs/formats/snapshot.md is the page.
 *
 *   key       0 u8 tier   1 id, 8 bytes   9 u32 BE segments of the shelf   13 u32 BE segment
 *   segment   0 'S'   1 version   2 first 16 bytes of SHA-256 of key and entries   18 entries in the order of their first four bytes
 *   entry     0 SHA-256 of a page or node   32 its location (pack-format.ts)
 *
 * Invariants: a hash whose first four bytes are h can only be in segment floor(h * segments / 2^32), so it is found without an index; a segment that is not there has no entries. A sum tells that
 * nobody changed the bytes, not that whoever wrote them kept to the order: both are looked at.
 * What this does NOT do: read or write the store (shelves.ts).
 */
import { assert, type Digests } from '../core/index.ts';
import { HASH_BYTES } from './format.ts';
import { LOCATION_BYTES } from './pack-format.ts';

export const ENTRY_BYTES = HASH_BYTES + LOCATION_BYTES;
assert(ENTRY_BYTES % 4 === 1, 'an entry is copied by words of four bytes and one byte');
/** Shelves of the same tier are merged into one of the next. */
export const TIERS_MAX = 3;

const TAG = 0x53;
const VERSION = 1;
const SUM_AT = 2;
const SUM_BYTES = 16;
export const SEGMENT_HEADER_BYTES = SUM_AT + SUM_BYTES;
export const SHELF_ID_BYTES = 8;
const SEGMENTS_AT = 1 + SHELF_ID_BYTES;
const INDEX_AT = SEGMENTS_AT + 4;
export const SEGMENT_KEY_BYTES = INDEX_AT + 4;
/** More would be a shelf of terabytes; products with 32 bits stay exact. */
const SEGMENTS_MAX = 2 ** 21;

/** Where the key lies, right before the entries, while the sum of both is taken: an own piece of memory for each would have V8 look for garbage. */
const SUMMED_AT = SEGMENT_HEADER_BYTES - SEGMENT_KEY_BYTES;
const sum = new Uint8Array(HASH_BYTES);
let summed = new Uint8Array(0);

/** `id`: 8 bytes. */
export interface Shelf { readonly tier: number; readonly id: Uint8Array; readonly segments: number }

export function segmentKey({ tier, id, segments }: Shelf, index: number): Uint8Array {
  assert(tier < TIERS_MAX && id.length === SHELF_ID_BYTES && segments > 0 && segments <= SEGMENTS_MAX && index < segments, 'a segment lies in its shelf');
  const key = new Uint8Array(SEGMENT_KEY_BYTES);
  const view = new DataView(key.buffer);
  key[0] = tier;
  key.set(id, 1);
  view.setUint32(SEGMENTS_AT, segments);
  view.setUint32(INDEX_AT, index);
  return key;
}

/** Undefined: no key of a segment. */
export function decodeSegmentKey(key: Uint8Array): { readonly shelf: Shelf; readonly index: number } | undefined {
  if (key.length !== SEGMENT_KEY_BYTES) return undefined;
  const view = new DataView(key.buffer, key.byteOffset);
  const [tier, segments, index] = [key[0]!, view.getUint32(SEGMENTS_AT), view.getUint32(INDEX_AT)];
  return tier >= TIERS_MAX || segments > SEGMENTS_MAX || index >= segments ? undefined : { shelf: { tier, id: key.slice(1, SEGMENTS_AT), segments }, index };
}

/** The segment that a hash belongs to, of which the first word is given. */
export function segmentOf(word: number, segments: number): number {
  return Math.floor((word * segments) / 2 ** 32);
}

/** First four bytes of a hash as a number, in the order of hashes. */
export function orderWord(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** `value`: entries behind room for the header, which is written. */
export function sealSegment(key: Uint8Array, value: Uint8Array, digests: Digests): void {
  assert(value.length > SEGMENT_HEADER_BYTES && (value.length - SEGMENT_HEADER_BYTES) % ENTRY_BYTES === 0, 'a segment has whole entries');
  value.set(key, SUMMED_AT);
  digests.sha256Into(value.subarray(SUMMED_AT), sum, 0);
  value[0] = TAG;
  value[1] = VERSION;
  for (let index = 0; index < SUM_BYTES; index++) value[SUM_AT + index] = sum[index]!;
}

/** How many entries a segment has; 0: the bytes are none. */
export function entryCount(value: Uint8Array): number {
  const count = (value.length - SEGMENT_HEADER_BYTES) / ENTRY_BYTES;
  return value[0] === TAG && value[1] === VERSION && count > 0 && Number.isInteger(count) ? count : 0;
}

/** Offset of an entry, which begins with its hash. */
export function entryAt(entry: number): number {
  return SEGMENT_HEADER_BYTES + entry * ENTRY_BYTES;
}

/** Whether a record is a segment with all its bytes, where it belongs, with its entries in order. What they say of pages is another question. */
export function isSoundSegment(row: { readonly key: Uint8Array; readonly value: Uint8Array }, digests: Digests): boolean {
  return hasItsSum(row, digests) && hasItsOrder(row);
}

/** Whether it has all its bytes, in whatever order its writer put them. */
export function hasItsSum({ key, value }: { readonly key: Uint8Array; readonly value: Uint8Array }, digests: Digests): boolean {
  if (decodeSegmentKey(key) === undefined || entryCount(value) === 0) return false;
  if (summed.length < value.length) summed = new Uint8Array(value.length * 2);
  summed.set(value);
  summed.set(key, SUMMED_AT);
  digests.sha256Into(summed.subarray(SUMMED_AT, value.length), sum, 0);
  for (let index = 0; index < SUM_BYTES; index++) if (value[SUM_AT + index] !== sum[index]) return false;
  return true;
}

/** Of a segment that has its sum: whether the entries belong to this segment of their shelf and none comes before a smaller one: else a search passes them by, and a merge would put them where they are not found. */
export function hasItsOrder({ key, value }: { readonly key: Uint8Array; readonly value: Uint8Array }): boolean {
  const place = decodeSegmentKey(key);
  assert(place !== undefined, 'who has a sum has a place');
  let before = 0;
  for (let entry = 0; entry < entryCount(value); entry++) {
    const word = orderWord(value, entryAt(entry));
    if (word < before) return false;
    before = word;
  }
  // Between the first and the last all are in between.
  return segmentOf(orderWord(value, entryAt(0)), place.shelf.segments) === place.index && segmentOf(before, place.shelf.segments) === place.index;
}

/** Offsets of the entries of a segment with this hash: one, or more where it lies in several packs. */
export function entriesOf(value: Uint8Array, hash: Uint8Array): readonly number[] {
  const word = orderWord(hash, 0);
  const count = entryCount(value);
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (orderWord(value, entryAt(middle)) < word) low = middle + 1;
    else high = middle;
  }
  const found: number[] = [];
  for (; low < count && orderWord(value, entryAt(low)) === word; low++) if (isHashAt(value, entryAt(low), hash)) found.push(entryAt(low));
  return found;
}

/** The location in an entry, a view. */
export function entryLocation(value: Uint8Array, at: number): Uint8Array {
  return value.subarray(at + HASH_BYTES, at + ENTRY_BYTES);
}

/** A segment of the entries of another one that begin at `offsets`. */
export function segmentWith({ key, value }: { readonly key: Uint8Array; readonly value: Uint8Array }, offsets: readonly number[], digests: Digests): Uint8Array {
  const target = new Uint8Array(entryAt(offsets.length));
  const [source, view] = [viewOf(value), viewOf(target)];
  offsets.forEach((from, entry) => copyEntry(source, from, view, entryAt(entry)));
  sealSegment(key, target, digests);
  return target;
}

/** HOT PATH: copies an entry, four bytes at a time, for which entries need not lie at multiples of four: byte by byte takes four times as long. */
export function copyEntry(source: DataView, from: number, target: DataView, at: number): void {
  copyWords(source, from, { target, at, bytes: ENTRY_BYTES - 1 });
  target.setUint8(at + ENTRY_BYTES - 1, source.getUint8(from + ENTRY_BYTES - 1));
}

/** HOT PATH. `bytes`: a multiple of four. */
export function copyWords(source: DataView, from: number, { target, at, bytes }: { readonly target: DataView; readonly at: number; readonly bytes: number }): void {
  for (let index = 0; index < bytes; index += 4) target.setUint32(at + index, source.getUint32(from + index, true), true);
}

/** Of bytes in place. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function isHashAt(bytes: Uint8Array, at: number, hash: Uint8Array): boolean {
  for (let index = 0; index < HASH_BYTES; index++) if (bytes[at + index] !== hash[index]) return false;
  return true;
}
