/**
 * Identity of a run and the store keys of its frames.
 *
 *   frames key = 16 bytes run id, u32 big-endian frame index      (so key order is frame order)
 *   blobs key  = 32 bytes SHA-256
 *
 * What this does NOT do: make ids (the caller draws 128 random bits) or know names (txn).
 */
import { assert, type BlobHash } from '../core/index.ts';

declare const brand: unique symbol;
/** 128 bits as 32 lower-case hexadecimal digits. */
export type RunId = string & { readonly [brand]: 'RunId' };

const RUN_ID_PATTERN = /^[0-9a-f]{32}$/;
const RUN_ID_BYTES = 16;
const FRAME_INDEX_MAX = 2 ** 32 - 1;

/** Whether foreign text is a well-formed run id. */
export function isRunId(value: unknown): value is RunId {
  return typeof value === 'string' && RUN_ID_PATTERN.test(value);
}

export function runId(value: string): RunId {
  assert(isRunId(value), 'a run id is 32 hexadecimal digits');
  return value;
}

/** Key of a run in tables that hold one record a run. */
export function runKey(run: RunId): Uint8Array {
  return bytesOfHex(run);
}

/** Key of entry `index` of a run: frames and checkpoints. */
export function entryKey(run: RunId, index: number): Uint8Array {
  assert(Number.isInteger(index) && index >= 0 && index <= FRAME_INDEX_MAX, 'an entry index fits 32 bits');
  const key = new Uint8Array(RUN_ID_BYTES + 4);
  key.set(bytesOfHex(run));
  new DataView(key.buffer).setUint32(RUN_ID_BYTES, index, false);
  return key;
}

/** The index in an entry key; undefined when the key has another length than ours. */
export function entryIndexOfKey(key: Uint8Array): number | undefined {
  if (key.length !== RUN_ID_BYTES + 4) return undefined;
  return new DataView(key.buffer, key.byteOffset, key.length).getUint32(RUN_ID_BYTES, false);
}

/** Key bounds of the entries [from, to) of a run. */
export function entryRange(run: RunId, { from, to }: { readonly from: number; readonly to: number }): { readonly from: Uint8Array; readonly to: Uint8Array } {
  return { from: entryKey(run, from), to: entryKey(run, Math.min(to, FRAME_INDEX_MAX)) };
}

/** Key bounds of everything a run has in a table keyed by run id and index. */
export function allEntriesRange(run: RunId): { readonly from: Uint8Array; readonly to: Uint8Array } {
  // One byte longer than the greatest key of the run, so that the bound lies just past it.
  const to = new Uint8Array(RUN_ID_BYTES + 5).fill(0xff);
  to.set(bytesOfHex(run));
  return { from: entryKey(run, 0), to };
}

/** Key of a blob. */
export function blobKey(hash: BlobHash): Uint8Array {
  return bytesOfHex(hash);
}

/** Bytes of a hexadecimal string; the caller guarantees its form. */
export function bytesOfHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length >> 1);
  for (let index = 0; index < bytes.length; index++) bytes[index] = (nibble(hex.charCodeAt(2 * index)) << 4) | nibble(hex.charCodeAt(2 * index + 1));
  return bytes;
}

function nibble(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}

const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, '0'));

/** Lower-case hexadecimal digits of some bytes. */
export function hexOfBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte]!;
  return text;
}

