/**
 * Branded types for values that are easily mixed up. The only casts to these types are the functions here.
 */
import { assert } from './assert.ts';

declare const brand: unique symbol;
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** A guest virtual address, an unsigned integer below 2^53. Addresses at or above 2^32 never map to memory. */
export type GuestAddress = Brand<number, 'GuestAddress'>;
/** Index of a 4 KiB page inside one page-addressed object (an address space or a file). */
export type PageIndex = Brand<number, 'PageIndex'>;
/** SHA-256 of some bytes: 64 lower-case hexadecimal digits. */
export type BlobHash = Brand<string, 'BlobHash'>;
/** Position of a frame in a run's journal, from 0. */
export type FrameIndex = Brand<number, 'FrameIndex'>;
/** Instructions retired by the whole guest since its start. */
export type InstructionCount = Brand<bigint, 'InstructionCount'>;

const HASH_PATTERN = /^[0-9a-f]{64}$/;

export function guestAddress(value: number): GuestAddress {
  assert(Number.isInteger(value) && value >= 0, 'a guest address is a non-negative integer');
  return value as GuestAddress;
}

export function pageIndex(value: number): PageIndex {
  assert(Number.isInteger(value) && value >= 0, 'a page index is a non-negative integer');
  return value as PageIndex;
}

export function blobHash(value: string): BlobHash {
  assert(HASH_PATTERN.test(value), 'a blob hash is 64 hexadecimal digits');
  return value as BlobHash;
}

/** Whether foreign text is a well-formed blob hash. */
export function isBlobHash(value: unknown): value is BlobHash {
  return typeof value === 'string' && HASH_PATTERN.test(value);
}

export function frameIndex(value: number): FrameIndex {
  assert(Number.isInteger(value) && value >= 0, 'a frame index is a non-negative integer');
  return value as FrameIndex;
}

export function instructionCount(value: bigint): InstructionCount {
  assert(value >= 0n, 'an instruction count is not negative');
  return value as InstructionCount;
}
