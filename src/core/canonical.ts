/**
 * Canonical encoding of plain data: one value has exactly one byte string, so that hashes of state sections mean something.
 * A small subset of CBOR's ideas with fixed-width little-endian numbers:
 *
 *   00 null   01 false   02 true   03 i32(4)   04 f64(8, integers beyond i32 and fractions)   05 bigint: u32 length, sign byte,
 *   magnitude LE   06 string: u32 byte length, UTF-8   07 bytes: u32 length   08 array: u32 count, items   09 object: u32 count,
 *   then (string key, value) sorted by key code units
 *
 * Writer and reader share this file. The reader treats its input as hostile: every length is checked, order and uniqueness of keys
 * too, so decode(encode(x)) = x and encode(decode(b)) = b or an E_STATE_FORMAT error.
 * What this does NOT do: undefined, NaN, -0, dates, maps, class instances (assertion on encode).
 */
import { assert } from './assert.ts';
import { StillpointError } from './errors.ts';

export type Canonical = null | boolean | number | bigint | string | Uint8Array | readonly Canonical[] | { readonly [key: string]: Canonical };

const TAG = { null: 0, false: 1, true: 2, int: 3, float: 4, bigint: 5, string: 6, bytes: 7, array: 8, object: 9 } as const;
const DEPTH_MAX = 64; // Deeper nesting than any section needs; keeps hostile bytes from exhausting the stack.

class Writer {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  #grow(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const next = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    next.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = next;
    this.#view = new DataView(next.buffer);
  }

  u8(value: number): void {
    this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    this.#grow(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  f64(value: number): void {
    this.#grow(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  raw(bytes: Uint8Array): void {
    this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The one byte string of `value`. */
export function encodeCanonical(value: Canonical): Uint8Array {
  const writer = new Writer();
  write(writer, value, 0);
  return writer.finish();
}

function writeText(writer: Writer, text: string): void {
  const bytes = encoder.encode(text);
  writer.u32(bytes.length);
  writer.raw(bytes);
}

function writeNumber(writer: Writer, value: number): void {
  assert(!Number.isNaN(value) && !Object.is(value, -0), 'canonical data holds no NaN and no negative zero');
  if ((value | 0) === value) {
    writer.u8(TAG.int);
    writer.u32(value >>> 0);
  } else {
    writer.u8(TAG.float);
    writer.f64(value);
  }
}

function writeBigint(writer: Writer, value: bigint): void {
  writer.u8(TAG.bigint);
  const magnitude: number[] = [];
  for (let rest = value < 0n ? -value : value; rest > 0n; rest >>= 8n) magnitude.push(Number(rest & 0xffn));
  writer.u32(magnitude.length);
  writer.u8(value < 0n ? 1 : 0);
  writer.raw(Uint8Array.from(magnitude));
}

function write(writer: Writer, value: Canonical, depth: number): void {
  assert(depth <= DEPTH_MAX, 'canonical data is nested too deeply');
  if (value === null) return writer.u8(TAG.null);
  if (value === false) return writer.u8(TAG.false);
  if (value === true) return writer.u8(TAG.true);
  if (typeof value === 'number') return writeNumber(writer, value);
  if (typeof value === 'bigint') return writeBigint(writer, value);
  if (typeof value === 'string') {
    writer.u8(TAG.string);
    return writeText(writer, value);
  }
  if (value instanceof Uint8Array) {
    writer.u8(TAG.bytes);
    writer.u32(value.length);
    return writer.raw(value);
  }
  if (Array.isArray(value)) {
    writer.u8(TAG.array);
    writer.u32(value.length);
    for (const item of value) write(writer, item, depth + 1);
    return;
  }
  const record = value as { readonly [key: string]: Canonical };
  const keys = Object.keys(record).sort(compareCodeUnits);
  writer.u8(TAG.object);
  writer.u32(keys.length);
  for (const key of keys) {
    writeText(writer, key);
    write(writer, record[key] as Canonical, depth + 1);
  }
}

function compareCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  raw(length: number): Uint8Array {
    if (length > this.remaining) throw malformed('ends early');
    this.#offset += length;
    return this.#bytes.slice(this.#offset - length, this.#offset);
  }

  u8(): number {
    if (this.remaining < 1) throw malformed('ends early');
    return this.#bytes[this.#offset++] as number;
  }

  u32(): number {
    if (this.remaining < 4) throw malformed('ends early');
    this.#offset += 4;
    return this.#view.getUint32(this.#offset - 4, true);
  }

  f64(): number {
    if (this.remaining < 8) throw malformed('ends early');
    this.#offset += 8;
    return this.#view.getFloat64(this.#offset - 8, true);
  }
}

function malformed(what: string): StillpointError {
  return new StillpointError('E_STATE_FORMAT', `canonical data ${what}`);
}

/** The value of a canonical byte string. Throws StillpointError E_STATE_FORMAT on anything else. */
export function decodeCanonical(bytes: Uint8Array): Canonical {
  const reader = new Reader(bytes);
  const value = read(reader, 0);
  if (!reader.isAtEnd) throw malformed('has bytes after its end');
  return value;
}

function readText(reader: Reader): string {
  const bytes = reader.raw(reader.u32());
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new StillpointError('E_STATE_FORMAT', 'canonical data holds text that is not UTF-8', { cause });
  }
}

function readFloat(reader: Reader): number {
  const value = reader.f64();
  if (Number.isNaN(value) || (value | 0) === value) throw malformed('holds a number in the wrong form');
  return value;
}

function readBigint(reader: Reader): bigint {
  const length = reader.u32();
  const sign = reader.u8();
  const magnitude = reader.raw(length);
  if (sign > 1 || (length === 0 && sign === 1) || (length > 0 && magnitude[length - 1] === 0)) throw malformed('holds a bigint in the wrong form');
  let value = 0n;
  for (let index = length - 1; index >= 0; index--) value = (value << 8n) | BigInt(magnitude[index] as number);
  return sign === 1 ? -value : value;
}

function readObject(reader: Reader, depth: number): Canonical {
  const count = reader.u32();
  const entries: [string, Canonical][] = [];
  let previous: string | undefined;
  for (let index = 0; index < count; index++) {
    const key = readText(reader);
    if (previous !== undefined && compareCodeUnits(previous, key) >= 0) throw malformed('has keys out of order');
    previous = key;
    entries.push([key, read(reader, depth + 1)]);
  }
  return Object.fromEntries(entries);
}

function readArray(reader: Reader, depth: number): Canonical {
  const count = reader.u32();
  if (count > reader.remaining) throw malformed('ends early');
  const items: Canonical[] = [];
  for (let index = 0; index < count; index++) items.push(read(reader, depth + 1));
  return items;
}

function read(reader: Reader, depth: number): Canonical {
  if (depth > DEPTH_MAX) throw malformed('is nested too deeply');
  const tag = reader.u8();
  switch (tag) {
    case TAG.null: return null;
    case TAG.false: return false;
    case TAG.true: return true;
    case TAG.int: return reader.u32() | 0;
    case TAG.float: return readFloat(reader);
    case TAG.bigint: return readBigint(reader);
    case TAG.string: return readText(reader);
    case TAG.bytes: return reader.raw(reader.u32());
    case TAG.array: return readArray(reader, depth);
    case TAG.object: return readObject(reader, depth);
    default: throw malformed('has an unknown tag');
  }
}
