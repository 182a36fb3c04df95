/**
 * Bytes of a list of locations: where the pages of one large capture lie, as one record. docs/formats/snapshot.md is the page.
 *
 *   list    0 'L'   1 version 1   then for each pack: 32 key of the pack, u8 page count n, n x 32 SHA-256 of the page in slot 0, 1, …
 *   key     SHA-256 of the list
 *
 * Invariants: a list has at least one pack and at most LIST_PACKS_MAX; decoding gives offsets into the list, nothing is copied.
 * What this does NOT do: look a page up (page-index.ts).
 */
import { assert, type Digests } from '../core/index.ts';
import type { StorePut } from '../store/index.ts';
import { HASH_BYTES, PACK_PAGES_MAX } from './format.ts';

/** Packs of a list: half a megabyte, which LMDB must find in one piece. */
export const LIST_PACKS_MAX = 1024;

const LIST_TAG = 0x4c;
const LIST_VERSION = 1;
const HEADER_BYTES = 2;
const PACK_HEADER_BYTES = HASH_BYTES + 1;

/** `hashes`: of its pages, one after the other. */
export interface WrittenPack { readonly key: Uint8Array; readonly hashes: Uint8Array }
/** A pack of a list: the offset of its key, and how many pages it has. */
export interface ListedPack { readonly at: number; readonly pageCount: number }

export function encodeList(packs: readonly WrittenPack[], digests: Digests): StorePut {
  assert(packs.length > 0 && packs.length <= LIST_PACKS_MAX, 'a list names 1 to 1024 packs');
  const bytes = new Uint8Array(packs.reduce((sum, { hashes }) => sum + PACK_HEADER_BYTES + hashes.length, HEADER_BYTES));
  bytes[0] = LIST_TAG;
  bytes[1] = LIST_VERSION;
  let at = HEADER_BYTES;
  for (const { key, hashes } of packs) {
    const pageCount = hashes.length / HASH_BYTES;
    assert(pageCount > 0 && pageCount <= PACK_PAGES_MAX && Number.isInteger(pageCount), 'a pack holds 1 to 15 pages');
    bytes.set(key, at);
    bytes[at + HASH_BYTES] = pageCount;
    bytes.set(hashes, at + PACK_HEADER_BYTES);
    at += PACK_HEADER_BYTES + hashes.length;
  }
  const key = new Uint8Array(HASH_BYTES);
  digests.sha256Into(bytes, key, 0);
  return { table: 'locations', key, value: bytes };
}

/** The packs of a list in order; undefined when the bytes are none. */
export function decodeList(bytes: Uint8Array): readonly ListedPack[] | undefined {
  if (bytes[0] !== LIST_TAG || bytes[1] !== LIST_VERSION) return undefined;
  const packs: ListedPack[] = [];
  let at = HEADER_BYTES;
  while (at < bytes.length) {
    const pageCount = bytes[at + HASH_BYTES] ?? 0;
    if (pageCount === 0 || pageCount > PACK_PAGES_MAX || packs.length === LIST_PACKS_MAX) return undefined;
    packs.push({ at, pageCount });
    at += PACK_HEADER_BYTES + pageCount * HASH_BYTES;
  }
  return at === bytes.length && packs.length > 0 ? packs : undefined;
}

/** Offset in a list of the hash of a pack's page. */
export function listedHashAt({ at }: Pick<ListedPack, 'at'>, slot: number): number {
  return at + PACK_HEADER_BYTES + slot * HASH_BYTES;
}

/** Offset in a list of the key of the pack whose slot has its hash at `hashAt`. */
export function listedPackAt(hashAt: number, slot: number): number {
  return hashAt - PACK_HEADER_BYTES - slot * HASH_BYTES;
}
