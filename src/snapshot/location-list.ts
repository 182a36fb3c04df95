/**
 * Bytes of a list of locations: where the pages and nodes of one large capture lie, as one record. docs/formats/snapshot.md is the page.
 *
 *   list    0 'L'   1 version   then for each pack: 32 key of the pack, u8 slot count n, u64 LE mask of the slots that are nodes, n x 32 SHA-256 of what is in slot 0, 1, …
 *           version 2; version 1, of older stores, knows no nodes and has no mask
 *   key     SHA-256 of the list
 *
 * Invariants: a list has at least one pack and at most LIST_PACKS_MAX; decoding gives offsets into the list, nothing is copied.
 * What this does NOT do: look a page up (page-index.ts).
 */
import { assert, type Digests } from '../core/index.ts';
import type { StorePut } from '../store/index.ts';
import { HASH_BYTES } from './format.ts';
import { PACK_SLOTS_MAX, PAGE_PACK_MAX } from './pack-format.ts';

/** Packs of a list that is written: about half a megabyte, which LMDB must find in one piece. */
export const LIST_PACKS_MAX = 256;
/** Of one that is read: those of version 1 have smaller packs. */
const PACKS_READ_MAX = 1024;

const LIST_TAG = 0x4c;
const LIST_VERSION = 2;
const HEADER_BYTES = 2;
const MASK_BYTES = 8;

assert(PACK_SLOTS_MAX <= MASK_BYTES * 8, 'a mask has a bit for each slot');

/** `hashes`: of its slots, one after the other; `isNode`: by slot, 1 for a node. */
export interface WrittenPack { readonly key: Uint8Array; readonly hashes: Uint8Array; readonly isNode: Uint8Array }
/** A pack of a list: the offset of its key, how many slots it has, and the offset of the first hash. */
export interface ListedPack { readonly at: number; readonly count: number; readonly hashesAt: number }

export function encodeList(packs: readonly WrittenPack[], digests: Digests): StorePut {
  assert(packs.length > 0 && packs.length <= LIST_PACKS_MAX, 'a list names 1 to 256 packs');
  const bytes = new Uint8Array(packs.reduce((sum, { hashes }) => sum + packHeaderBytes(LIST_VERSION) + hashes.length, HEADER_BYTES));
  bytes[0] = LIST_TAG;
  bytes[1] = LIST_VERSION;
  let at = HEADER_BYTES;
  for (const { key, hashes, isNode } of packs) {
    const count = hashes.length / HASH_BYTES;
    assert(count > 0 && count <= PACK_SLOTS_MAX && Number.isInteger(count) && isNode.length >= count, 'a pack holds 1 to 64 slots');
    bytes.set(key, at);
    bytes[at + HASH_BYTES] = count;
    for (let slot = 0; slot < count; slot++) if (isNode[slot] === 1) bytes[at + HASH_BYTES + 1 + (slot >> 3)]! |= 1 << (slot & 7);
    bytes.set(hashes, at + packHeaderBytes(LIST_VERSION));
    at += packHeaderBytes(LIST_VERSION) + hashes.length;
  }
  const key = new Uint8Array(HASH_BYTES);
  digests.sha256Into(bytes, key, 0);
  return { table: 'locations', key, value: bytes };
}

/** The packs of a list in order; undefined when the bytes are none. */
export function decodeList(bytes: Uint8Array): readonly ListedPack[] | undefined {
  const version = bytes[1];
  if (bytes[0] !== LIST_TAG || (version !== 1 && version !== LIST_VERSION)) return undefined;
  const header = packHeaderBytes(version);
  const countMax = version === 1 ? PAGE_PACK_MAX : PACK_SLOTS_MAX;
  const packs: ListedPack[] = [];
  let at = HEADER_BYTES;
  while (at < bytes.length) {
    const count = bytes[at + HASH_BYTES] ?? 0;
    if (count === 0 || count > countMax || packs.length === PACKS_READ_MAX) return undefined;
    packs.push({ at, count, hashesAt: at + header });
    at += header + count * HASH_BYTES;
  }
  return at === bytes.length && packs.length > 0 ? packs : undefined;
}

/** Offset in a list of the hash of a pack's slot. */
export function listedHashAt({ hashesAt }: Pick<ListedPack, 'hashesAt'>, slot: number): number {
  return hashesAt + slot * HASH_BYTES;
}

/** Whether a slot of a listed pack is a node. */
export function isListedNode(list: Uint8Array, { at }: Pick<ListedPack, 'at'>, slot: number): boolean {
  return list[1] !== 1 && (list[at + HASH_BYTES + 1 + (slot >> 3)]! & (1 << (slot & 7))) !== 0;
}

/** Offset in a list of the key of the pack whose slot has its hash at `hashAt`. */
export function listedPackAt(list: Uint8Array, hashAt: number, slot: number): number {
  return hashAt - packHeaderBytes(list[1]!) - slot * HASH_BYTES;
}

function packHeaderBytes(version: number): number {
  return HASH_BYTES + 1 + (version === 1 ? 0 : MASK_BYTES);
}
