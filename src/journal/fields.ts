/**
 * The fields of one hostile MessagePack array, checked one by one. Before msgpackr decodes anything the bytes are walked: only a flat
 * array of at most FIELDS_MAX unsigned integers, 64-bit integers, strings and byte strings passes, whole and without a rest, so no
 * length in the bytes can make the decoder allocate, nest or build objects.
 * What this does NOT do: know frames or name them in messages (format.ts catches FieldError and does).
 */
import { blobHash, type BlobHash } from '../core/index.ts';
import { hexOfBytes } from './run-id.ts';

const FIELDS_MAX = 15; // The most a MessagePack fixarray holds; our longest frame has eight.
const FIXARRAY = 0x90;
const HASH_BYTES = 32;

/** What is wrong with the bytes of a frame: a verb phrase. */
export class FieldError extends Error {}

/** Whether text is 1 to `lengthMax` UTF-16 units without lone surrogates: it survives UTF-8. */
export function isPlainText(text: string, lengthMax: number): boolean {
  return text.length > 0 && text.length <= lengthMax && !/\p{Surrogate}/u.test(text);
}

/** Takes fields in order. Throws FieldError. */
export class FieldReader {
  readonly #fields: readonly unknown[];
  #next = 0;

  constructor(bytes: Uint8Array, bytesMax: number, unpack: (bytes: Uint8Array) => unknown) {
    if (bytes.length > bytesMax) throw new FieldError(`has ${bytes.length} bytes, more than a frame may have`);
    walk(bytes);
    const value = unpack(bytes);
    if (!Array.isArray(value)) throw new FieldError('is not an array');
    this.#fields = value;
  }

  u32({ min = 0, max = 2 ** 32 - 1 }: { readonly min?: number; readonly max?: number } = {}): number {
    const value = this.#take();
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) throw new FieldError('has a field that should be a number in its range');
    return value;
  }

  u64(): bigint {
    const value = this.#take();
    if (typeof value !== 'bigint' || value < 0n) throw new FieldError('has a field that should be a 64-bit number');
    return value;
  }

  /** A 64-bit number that a JavaScript number holds exactly. */
  position(): number {
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new FieldError('has a position beyond 2^53');
    return Number(value);
  }

  text(lengthMax: number): string {
    const value = this.#take();
    if (typeof value !== 'string' || !isPlainText(value, lengthMax)) throw new FieldError('has a field that should be short text');
    return value;
  }

  emptyText(): void {
    if (this.#take() !== '') throw new FieldError('has text where there must be none');
  }

  /** A copy as a plain Uint8Array. */
  bytes(lengthMax: number): Uint8Array {
    const value = this.#take();
    if (!(value instanceof Uint8Array) || value.length > lengthMax) throw new FieldError('has a field that should be bytes of bounded length');
    return new Uint8Array(value);
  }

  /** No field is left. */
  end(): void {
    if (this.#next !== this.#fields.length) throw new FieldError('has fields that its kind does not have');
  }

  #take(): unknown {
    if (this.#next >= this.#fields.length) throw new FieldError('lacks a field');
    return this.#fields[this.#next++];
  }
}

export function readHash(fields: FieldReader): BlobHash {
  const bytes = fields.bytes(HASH_BYTES);
  if (bytes.length !== HASH_BYTES) throw new FieldError('has a hash that is not 32 bytes');
  return blobHash(hexOfBytes(bytes));
}

function walk(bytes: Uint8Array): void {
  const first = bytes[0];
  if (first === undefined || (first & 0xf0) !== FIXARRAY) throw new FieldError('is not a MessagePack array of fields');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let offset = 1;
  for (let left = first & FIELDS_MAX; left > 0; left--) {
    offset = skip(view, offset);
    if (offset > bytes.length) throw new FieldError('ends early');
  }
  if (offset !== bytes.length) throw new FieldError('has bytes after its end');
}

/** Offset after the item at `offset`, possibly past the end. */
function skip(view: DataView, offset: number): number {
  const left = view.byteLength - offset;
  if (left < 1) throw new FieldError('ends early');
  const tag = view.getUint8(offset);
  if (tag < 0x80) return offset + 1; // positive fixint
  if ((tag & 0xe0) === 0xa0) return offset + 1 + (tag & 0x1f); // fixstr
  const lengthBytes = LENGTH_BYTES.get(tag);
  if (lengthBytes !== undefined) {
    if (left < 1 + lengthBytes) throw new FieldError('ends early');
    const length = lengthBytes === 1 ? view.getUint8(offset + 1) : lengthBytes === 2 ? view.getUint16(offset + 1) : view.getUint32(offset + 1);
    return offset + 1 + lengthBytes + length;
  }
  const size = NUMBER_BYTES.get(tag);
  if (size === undefined) throw new FieldError('has a field of a type that no frame uses');
  return offset + 1 + size;
}

/** bin 8/16/32 and str 8/16/32 → bytes of the length that follows. */
const LENGTH_BYTES: ReadonlyMap<number, number> = new Map([[0xc4, 1], [0xc5, 2], [0xc6, 4], [0xd9, 1], [0xda, 2], [0xdb, 4]]);
/** uint 8/16/32/64 and int 64 → bytes of the value. */
const NUMBER_BYTES: ReadonlyMap<number, number> = new Map([[0xcc, 1], [0xcd, 2], [0xce, 4], [0xcf, 8], [0xd3, 8]]);
