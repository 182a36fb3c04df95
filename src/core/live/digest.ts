/**
 * Digests on Node: SHA-256 one-shot by node:crypto (fastest with SHA instructions), XXH64 by xxhash-wasm, running SHA-256 by hash-wasm,
 * the only one of the three whose state can be taken out.
 *
 * Saved running state (offsets in bytes; little-endian length, big-endian words as in FIPS 180-4):
 *   0 "SPD1"   4 u64 bytes hashed so far   12 eight u32 chaining words   44 the (length mod 64) bytes of the unfinished block
 * hash-wasm's own state keeps stale bytes behind the unfinished block, so it is never shown: two chunkings of one input would differ.
 * Invariant: all running digests share one wasm instance; `owner` is the digest whose state is loaded in it.
 * Where nothing is ever saved (unsavable()), running digests are node:crypto's: three to five times as fast.
 * What this does NOT do: keep secrets, or hash asynchronously.
 */
import * as crypto from 'node:crypto';
import { createSHA256, type IHasher } from 'hash-wasm';
import xxhash from 'xxhash-wasm';
import { assert } from '../assert.ts';
import { blobHash, type BlobHash } from '../brands.ts';
import type { Digests, RunningDigest } from '../digest.ts';
import { StillpointError } from '../errors.ts';

const MAGIC = 0x31445053; // "SPD1" read as a little-endian word.
const BLOCK_BYTES = 64;
const WORDS = 8;
const SHA256_BYTES = 32;
const LENGTH_OFFSET = 4;
const WORDS_OFFSET = 12;
const TAIL_OFFSET = 44;
/** SHA-256 counts bits in 64 bits; hash-wasm counts bytes in a double's safe range. */
const LENGTH_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** hash-wasm 4.13: a 4-byte tag of its wasm binary, block, u64 length, words in host order, digest size. */
const ENGINE = { block: 4, length: 68, words: 76, bytes: 116 } as const;

interface Engine {
  readonly hasher: IHasher;
  /** State of an empty digest. */
  readonly initial: Uint8Array;
  owner: NodeRunningDigest | undefined;
}

class NodeRunningDigest implements RunningDigest {
  readonly #engine: Engine;
  #state: Uint8Array;

  constructor(engine: Engine, state: Uint8Array) {
    this.#engine = engine;
    this.#state = state;
  }

  update(bytes: Uint8Array): void {
    this.#acquire().update(bytes);
  }

  hex(): BlobHash {
    const hasher = this.#acquire();
    this.#state = hasher.save();
    const hex = hasher.digest('hex');
    hasher.load(this.#state); // digest() ends a hash; ours goes on.
    return blobHash(hex);
  }

  save(): Uint8Array {
    this.#state = this.#acquire().save();
    return toSaved(this.#state);
  }

  copy(): RunningDigest {
    this.#state = this.#acquire().save();
    return new NodeRunningDigest(this.#engine, this.#state);
  }

  /** Takes the state out of the shared instance, for another digest. */
  yieldEngine(): void {
    this.#state = this.#engine.hasher.save();
  }

  #acquire(): IHasher {
    const { hasher, owner } = this.#engine;
    if (owner === this) return hasher;
    owner?.yieldEngine();
    hasher.load(this.#state);
    this.#engine.owner = this;
    return hasher;
  }
}

/** A running digest of machines of which nothing is kept. */
class UnsavableDigest implements RunningDigest {
  readonly #hash: crypto.Hash;

  constructor(hash: crypto.Hash) {
    this.#hash = hash;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  hex(): BlobHash {
    return blobHash(this.#hash.copy().digest('hex'));
  }

  save(): Uint8Array {
    assert(false, 'digests of a machine that is not recorded are not saved');
  }

  copy(): RunningDigest {
    return new UnsavableDigest(this.#hash.copy());
  }
}

function notRestored(): RunningDigest {
  assert(false, 'digests of a machine that is not recorded are not restored');
}

/** The same digests where no checkpoint will ever be taken: save() and restore() are not there. */
export function unsavable(digests: Digests): Digests {
  return { ...digests, running: () => new UnsavableDigest(crypto.createHash('sha256')), restore: notRestored };
}

function toSaved(state: Uint8Array): Uint8Array {
  assert(state.length === ENGINE.bytes, 'the running state of hash-wasm has the size that this file knows');
  const from = new DataView(state.buffer, state.byteOffset, state.byteLength);
  const length = from.getBigUint64(ENGINE.length, true);
  const tailBytes = Number(length % BigInt(BLOCK_BYTES));
  const saved = new Uint8Array(TAIL_OFFSET + tailBytes);
  const to = new DataView(saved.buffer);
  to.setUint32(0, MAGIC, true);
  to.setBigUint64(LENGTH_OFFSET, length, true);
  for (let word = 0; word < WORDS; word++) to.setUint32(WORDS_OFFSET + word * 4, from.getUint32(ENGINE.words + word * 4, true), false);
  saved.set(state.subarray(ENGINE.block, ENGINE.block + tailBytes), TAIL_OFFSET);
  return saved;
}

function fromSaved(saved: Uint8Array, initial: Uint8Array): Uint8Array {
  const from = new DataView(saved.buffer, saved.byteOffset, saved.byteLength);
  if (saved.length < TAIL_OFFSET || from.getUint32(0, true) !== MAGIC) throw foreign();
  const length = from.getBigUint64(LENGTH_OFFSET, true);
  if (length > LENGTH_MAX || saved.length !== TAIL_OFFSET + Number(length % BigInt(BLOCK_BYTES))) throw foreign();
  const state = initial.slice();
  const to = new DataView(state.buffer);
  to.setBigUint64(ENGINE.length, length, true);
  for (let word = 0; word < WORDS; word++) to.setUint32(ENGINE.words + word * 4, from.getUint32(WORDS_OFFSET + word * 4, false), true);
  state.set(saved.subarray(TAIL_OFFSET), ENGINE.block);
  return state;
}

function foreign(): StillpointError {
  return new StillpointError('E_STATE_FORMAT', 'the saved state of a running digest cannot be decoded');
}

/** One-shot SHA-256 in hexadecimal; crypto.hash (Node 20.12 on) saves the stream object. */
const sha256Hex: (bytes: Uint8Array) => string = typeof crypto.hash === 'function'
  ? (bytes) => crypto.hash('sha256', bytes, 'hex')
  : (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

/** Latin-1: a character a byte, the cheapest form that crypto gives (a buffer of its own costs more than half a hash). */
const sha256Latin1: (bytes: Uint8Array) => string = typeof crypto.hash === 'function'
  ? (bytes) => crypto.hash('sha256', bytes, 'binary')
  : (bytes) => crypto.createHash('sha256').update(bytes).digest('binary');

function sha256Into(bytes: Uint8Array, target: Uint8Array, offset: number): void {
  const text = sha256Latin1(bytes);
  for (let index = 0; index < SHA256_BYTES; index++) target[offset + index] = text.charCodeAt(index);
}

/** Digests for Node. Asynchronous only because two WebAssembly modules are compiled. */
export async function createNodeDigests(): Promise<Digests> {
  const [hasher, { h64Raw }] = await Promise.all([createSHA256(), xxhash()]);
  hasher.init();
  const engine: Engine = { hasher, initial: hasher.save(), owner: undefined };
  assert(engine.initial.length === ENGINE.bytes, 'the running state of hash-wasm has the size that this file knows');
  return {
    // A cast, not blobHash(): the pattern check costs as much as a tenth of the hash, and node:crypto gives nothing else.
    sha256: (bytes) => sha256Hex(bytes) as BlobHash,
    sha256Into,
    xxh64: (bytes) => h64Raw(bytes),
    running: () => new NodeRunningDigest(engine, engine.initial),
    restore: (saved) => new NodeRunningDigest(engine, fromSaved(saved, engine.initial)),
  };
}
