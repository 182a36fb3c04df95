/**
 * The guest's entropy: one ChaCha20 key stream (RFC 8439 block function, 64-bit block counter, zero nonce) from a seed.
 * State is (seed, position) and lives in the checkpoint; the same seed gives the same bytes on every host.
 * What this does NOT do: secrecy. A seed is part of the journal.
 */
import { assert } from './assert.ts';

const BLOCK_BYTES = 64;
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const; // "expand 32-byte k", RFC 8439 2.3.

export interface EntropyState {
  /** 32 bytes. */
  readonly seed: Uint8Array;
  /** Bytes taken so far. */
  readonly position: bigint;
}

export class EntropyStream {
  readonly #seed: Uint8Array;
  #position: bigint;
  #block: Uint8Array = new Uint8Array(BLOCK_BYTES);
  #blockIndex = -1n;

  constructor(state: EntropyState) {
    assert(state.seed.length === 32, 'an entropy seed has 32 bytes');
    this.#seed = state.seed.slice();
    this.#position = state.position;
  }

  /** The next `length` bytes of the stream. */
  take(length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let index = 0; index < length; index++) {
      const blockIndex = this.#position / BigInt(BLOCK_BYTES);
      if (blockIndex !== this.#blockIndex) this.#refill(blockIndex);
      out[index] = this.#block[Number(this.#position % BigInt(BLOCK_BYTES))] as number;
      this.#position += 1n;
    }
    return out;
  }

  /** Bytes taken so far. */
  get position(): bigint {
    return this.#position;
  }

  state(): EntropyState {
    return { seed: this.#seed.slice(), position: this.#position };
  }

  #refill(blockIndex: bigint): void {
    this.#block = chachaBlock(this.#seed, blockIndex);
    this.#blockIndex = blockIndex;
  }
}

/** 32 seed bytes from a number: little-endian, zero-filled. */
export function seedFromNumber(value: bigint): Uint8Array {
  const seed = new Uint8Array(32);
  let rest = BigInt.asUintN(256, value);
  for (let index = 0; index < 32; index++, rest >>= 8n) seed[index] = Number(rest & 0xffn);
  return seed;
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function quarter(s: Int32Array, [a, b, c, d]: readonly [number, number, number, number]): void {
  s[a] = (s[a]! + s[b]!) | 0; s[d] = rotate(s[d]! ^ s[a]!, 16);
  s[c] = (s[c]! + s[d]!) | 0; s[b] = rotate(s[b]! ^ s[c]!, 12);
  s[a] = (s[a]! + s[b]!) | 0; s[d] = rotate(s[d]! ^ s[a]!, 8);
  s[c] = (s[c]! + s[d]!) | 0; s[b] = rotate(s[b]! ^ s[c]!, 7);
}

const ROUND = [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15], [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]] as const;

function chachaBlock(seed: Uint8Array, index: bigint): Uint8Array {
  const start = new Int32Array(16);
  start.set(CONSTANTS);
  const key = new DataView(seed.buffer, seed.byteOffset, 32);
  for (let word = 0; word < 8; word++) start[4 + word] = key.getInt32(word * 4, true);
  start[12] = Number(BigInt.asIntN(32, index));
  start[13] = Number(BigInt.asIntN(32, index >> 32n));
  const state = start.slice();
  for (let round = 0; round < 10; round++) for (const lanes of ROUND) quarter(state, lanes);
  const out = new DataView(new ArrayBuffer(BLOCK_BYTES));
  for (let word = 0; word < 16; word++) out.setInt32(word * 4, (state[word]! + start[word]!) | 0, true);
  return new Uint8Array(out.buffer);
}
