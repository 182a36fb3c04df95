/**
 * A set of SHA-256 hashes for stores with many millions of pages: 64 bytes an entry where a JavaScript set of strings takes several hundred.
 *
 *   slots     open addressing, linear probing, at most half full; 32 bytes a slot, all zeros: free
 *
 * Invariants: hashes are spread evenly by nature, so their first word is the slot; entries are never removed.
 * What this does NOT do: hold the hash of 32 zero bytes (SHA-256 gives it to nothing that is known).
 */
import { assert, type BlobHash } from '../core/index.ts';
import { HASH_BYTES, writeHash } from './format.ts';

const WORDS = HASH_BYTES / 4;
const SLOTS_FIRST = 1024;
/** Memory that is kept and must be zeroed, against what is needed. */
const KEPT_TIMES_MAX = 4;

/** What a mark-and-sweep needs of a set; a JavaScript set of hashes fits, too. */
export interface Hashes { has(hash: BlobHash): boolean; add(hash: BlobHash): unknown; readonly size: number }

export class HashSet implements Hashes {
  #slots: Uint32Array;
  #size = 0;
  readonly #bytes = new Uint8Array(HASH_BYTES);
  readonly #words = new Uint32Array(this.#bytes.buffer);

  /** `expected`: entries for which there is room at once. */
  constructor(expected = 0) {
    this.#slots = new Uint32Array(slotsFor(expected) * WORDS);
  }

  get size(): number {
    return this.#size;
  }

  has(hash: BlobHash): boolean {
    writeHash(hash, this.#bytes, 0);
    return this.#isAt(this.#find(this.#slots, this.#words));
  }

  add(hash: BlobHash): void {
    writeHash(hash, this.#bytes, 0);
    this.#addWords();
  }

  /** Adds 32 bytes; false when they were there. */
  addBytes(hash: Uint8Array): boolean {
    for (let index = 0; index < HASH_BYTES; index++) this.#bytes[index] = hash[index]!;
    return this.#addWords();
  }

  /** Nothing is in it any more. `expected`: as when it is made; its memory is used again unless that is far from it. */
  clear(expected: number): void {
    const slots = slotsFor(expected);
    const has = this.#slots.length / WORDS;
    if (has < slots || has > slots * KEPT_TIMES_MAX) this.#slots = new Uint32Array(slots * WORDS);
    else this.#slots.fill(0);
    this.#size = 0;
  }

  #addWords(): boolean {
    const at = this.#find(this.#slots, this.#words);
    if (this.#isAt(at)) return false;
    for (let word = 0; word < WORDS; word++) this.#slots[at + word] = this.#words[word]!;
    this.#size++;
    if (this.#size * 2 * WORDS > this.#slots.length) this.#grow();
    return true;
  }

  #isAt(at: number): boolean {
    return this.#slots[at] !== 0 || !isFree(this.#slots, at);
  }

  /** Index of the first word of the slot that holds `words`, or of the free one where it belongs. */
  #find(slots: Uint32Array, words: Uint32Array): number {
    assert(!isFree(words, 0), 'a hash is not zero');
    const mask = slots.length / WORDS - 1;
    for (let slot = words[0]! & mask; ; slot = (slot + 1) & mask) {
      const at = slot * WORDS;
      if (isSame(slots, at, words) || isFree(slots, at)) return at;
    }
  }

  #grow(): void {
    const next = new Uint32Array(this.#slots.length * 2);
    for (let at = 0; at < this.#slots.length; at += WORDS) {
      if (isFree(this.#slots, at)) continue;
      // Entries differ: the first free slot is the one. A view for each would cost more than the rest.
      const mask = next.length / WORDS - 1;
      let slot = this.#slots[at]! & mask;
      while (!isFree(next, slot * WORDS)) slot = (slot + 1) & mask;
      for (let word = 0; word < WORDS; word++) next[slot * WORDS + word] = this.#slots[at + word]!;
    }
    this.#slots = next;
  }
}

function slotsFor(expected: number): number {
  let slots = SLOTS_FIRST;
  while (slots < expected * 2) slots *= 2;
  return slots;
}

function isFree(slots: Uint32Array, at: number): boolean {
  for (let word = 0; word < WORDS; word++) if (slots[at + word] !== 0) return false;
  return true;
}

function isSame(slots: Uint32Array, at: number, words: Uint32Array): boolean {
  for (let word = 0; word < WORDS; word++) if (slots[at + word] !== words[word]) return false;
  return true;
}
