/**
 * The record that makes a directory a store, and its version. docs/formats/store.md is the page.
 *
 *   table meta, key "format":   0 "stillpoint-store" (16 bytes)   16 u32 LE format version   20 store id (16 bytes)
 *
 * What this does NOT do: know any other table's values.
 */
import { assert, StillpointError } from '../core/index.ts';

/** Version that this code writes. Older ones are read, and become this one when they are opened for writing; newer ones are refused by name. */
export const STORE_VERSION = 7;
export const STORE_ID_BYTES = 16;
/** Keys of all tables. LMDB's own bound is 511 for a 4 KiB page. */
export const KEY_BYTES_MAX = 511;

export const META_KEY: Uint8Array = new TextEncoder().encode('format');
const MAGIC = new TextEncoder().encode('stillpoint-store');
const VERSION_OFFSET = 16;
const ID_OFFSET = 20;
const META_BYTES = ID_OFFSET + STORE_ID_BYTES;

export interface StoreMeta { readonly version: number; readonly id: Uint8Array }

export function encodeStoreMeta(meta: StoreMeta): Uint8Array {
  assert(meta.id.length === STORE_ID_BYTES, 'a store id has 16 bytes');
  const bytes = new Uint8Array(META_BYTES);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint32(VERSION_OFFSET, meta.version, true);
  bytes.set(meta.id, ID_OFFSET);
  return bytes;
}

/** The id that a format record has, in hexadecimal digits; undefined when it is none of ours. */
export function storeId(bytes: Uint8Array | undefined): string | undefined {
  const isOurs = bytes?.length === META_BYTES && MAGIC.every((byte, index) => bytes[index] === byte);
  return isOurs ? Array.from(bytes.subarray(ID_OFFSET), (byte) => byte.toString(16).padStart(2, '0')).join('') : undefined;
}

/** Throws E_STORE_FOREIGN when the record is missing or not ours, E_STORE_VERSION when it is newer than this code. */
export function decodeStoreMeta(bytes: Uint8Array | undefined, where: string): StoreMeta {
  const isOurs = bytes !== undefined && bytes.length >= ID_OFFSET && MAGIC.every((byte, index) => bytes[index] === byte);
  if (!isOurs) throw new StillpointError('E_STORE_FOREIGN', `${where} is not a Stillpoint store; choose another directory`);
  const version = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(VERSION_OFFSET, true);
  if (version > STORE_VERSION) {
    throw new StillpointError('E_STORE_VERSION', `${where} has format version ${version}, this software knows up to ${STORE_VERSION}; use a newer Stillpoint`, { data: { found: version, known: STORE_VERSION } });
  }
  if (version < 1 || bytes.length !== META_BYTES) throw new StillpointError('E_STORE_CORRUPT', `${where}: the format record of the store is damaged`);
  return { version, id: bytes.slice(ID_OFFSET) };
}
