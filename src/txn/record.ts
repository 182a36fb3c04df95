/**
 * The common shape of records: run, owner, checkpoint.
 *
 *   record = canonical { format, version, … } ‖ SHA-256 of that (32 bytes)
 *
 * Invariants: one value has one byte string (core/canonical.ts), so a record can be compared as bytes in a commit's expectation; a flipped or
 * missing byte never decodes. The reader checks every field's type and range and refuses fields it does not know.
 * What this does NOT do: name the error. The caller says which code a bad record of its kind has.
 */
import { assert, decodeCanonical, encodeCanonical, isBlobHash, StillpointError, type BlobHash, type Canonical, type Digests, type ErrorCode } from '../core/index.ts';

const CHECK_DIGITS = 64;
const CHECK_BYTES = CHECK_DIGITS / 2;
/** Far above any real record (channels and bindings dominate); keeps a hostile one from being hashed for long. */
const RECORD_BYTES_MAX = 16 * 1024 * 1024;

export interface RecordKind {
  /** Magic text in the record. */
  readonly format: string;
  /** Version that is written. */
  readonly version: number;
  /** Oldest version that is read; default: the written one. */
  readonly oldest?: number;
  /** Code of a record that cannot be decoded. */
  readonly damaged: ErrorCode;
}
type Body = Readonly<Record<string, Canonical>>;

export function encodeRecord(digests: Digests, kind: RecordKind, body: Body): Uint8Array {
  const bytes = encodeCanonical({ ...body, format: kind.format, version: kind.version });
  assert(bytes.length + CHECK_BYTES <= RECORD_BYTES_MAX, 'a record stays below its size cap');
  const out = new Uint8Array(bytes.length + CHECK_BYTES);
  out.set(bytes);
  const check = digests.sha256(bytes);
  for (let index = 0; index < CHECK_BYTES; index++) out[bytes.length + index] = Number.parseInt(check.slice(2 * index, 2 * index + 2), 16);
  return out;
}

/** What a record is about, for messages and data: e.g. { run: 'sort' }. */
export type Subject = Readonly<Record<string, string | number>>;

/** Fields of a hostile record. Throws `kind.damaged`, or E_STORE_VERSION for a record of a newer version. */
export function decodeRecord(digests: Digests, kind: RecordKind, { bytes, subject }: { readonly bytes: Uint8Array; readonly subject: Subject }): Fields {
  const fail = (what: string, cause?: unknown): StillpointError => recordError(kind.damaged, { kind, subject, what }, cause);
  if (bytes.length <= CHECK_BYTES || bytes.length > RECORD_BYTES_MAX) throw fail(`has ${bytes.length} bytes, which none has`);
  const cut = bytes.length - CHECK_BYTES;
  const check = digests.sha256(bytes.subarray(0, cut));
  for (let index = 0; index < CHECK_BYTES; index++) {
    if (bytes[cut + index] !== Number.parseInt(check.slice(2 * index, 2 * index + 2), 16)) throw fail('does not have the bytes its check sum promises');
  }
  const fields = new Fields(parse(bytes.subarray(0, cut), fail), fail);
  if (fields.text('format', 64) !== kind.format) throw fail('is a record of another kind');
  const version = fields.count('version');
  if (version > kind.version) throw recordError('E_STORE_VERSION', { kind, subject, what: `has version ${version}, this software knows ${kind.version}` });
  if (version < (kind.oldest ?? kind.version)) throw fail(`has the unknown version ${version}`);
  fields.version = version;
  return fields;
}

function parse(bytes: Uint8Array, fail: (what: string, cause?: unknown) => StillpointError): Canonical {
  try {
    return decodeCanonical(bytes);
  } catch (error) {
    if (error instanceof StillpointError) throw fail('is not canonical data', error);
    throw error;
  }
}

function recordError(code: ErrorCode, about: { readonly kind: RecordKind; readonly subject: Subject; readonly what: string }, cause?: unknown): StillpointError {
  const named = Object.entries(about.subject).map(([key, value]) => `${key} ${value}`).join(', ');
  const message = `the ${about.kind.format.replaceAll('-', ' ')} record (${named}) ${about.what}`;
  return new StillpointError(code, message, cause === undefined ? { data: about.subject } : { data: about.subject, cause });
}

/** Checked access to the fields of one object; `end()` refuses what was not asked for. */
export class Fields {
  readonly #values: Readonly<Record<string, Canonical>>;
  readonly #asked = new Set<string>();
  /** Version of the record. */
  version = 0;
  readonly fail: (what: string) => StillpointError;

  constructor(value: Canonical, fail: (what: string) => StillpointError) {
    this.fail = fail;
    if (value === null || typeof value !== 'object' || Array.isArray(value) || value instanceof Uint8Array) throw fail('holds something else where an object must be');
    this.#values = value as Readonly<Record<string, Canonical>>; // The other members of Canonical are excluded above.
  }

  text(name: string, lengthMax: number): string {
    const value = this.#take(name);
    if (typeof value !== 'string' || value.length > lengthMax) throw this.#wrong(name);
    return value;
  }

  /** A non-negative safe integer. */
  count(name: string): number {
    const value = this.#take(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw this.#wrong(name);
    return value;
  }

  /** A non-negative bigint below 2^64. */
  wide(name: string): bigint {
    const value = this.#take(name);
    if (typeof value !== 'bigint' || value < 0n || value >= 1n << 64n) throw this.#wrong(name);
    return value;
  }

  bytes(name: string, lengthMax: number): Uint8Array {
    const value = this.#take(name);
    if (!(value instanceof Uint8Array) || value.length > lengthMax) throw this.#wrong(name);
    return value;
  }

  /** Null (undefined here), or bytes. */
  optionalBytes(name: string, lengthMax: number): Uint8Array | undefined {
    return this.#take(name) === null ? undefined : this.bytes(name, lengthMax);
  }

  hash(name: string): BlobHash {
    const value = this.#take(name);
    if (!isBlobHash(value)) throw this.#wrong(name);
    return value;
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.#take(name);
    const found = allowed.find((candidate) => candidate === value);
    if (found === undefined) throw this.#wrong(name);
    return found;
  }

  object(name: string): Fields {
    return new Fields(this.#take(name), this.fail);
  }

  /** Null, or what `read` makes of the object. */
  optional<T>(name: string, read: (fields: Fields) => T): T | undefined {
    return this.#take(name) === null ? undefined : read(this.object(name));
  }

  /** An object used as a map with at most `countMax` entries, in key order. */
  map<T>(name: string, countMax: number, read: (fields: Fields) => T): ReadonlyMap<string, T> {
    const inner = this.object(name);
    const names = Object.keys(inner.#values);
    if (names.length > countMax) throw this.#wrong(name);
    return new Map(names.map((key) => [key, read(inner.object(key))]));
  }

  end(): void {
    for (const name of Object.keys(this.#values)) if (!this.#asked.has(name)) throw this.fail(`has the unknown field ${name}`);
  }

  #take(name: string): Canonical {
    this.#asked.add(name);
    if (!Object.hasOwn(this.#values, name)) throw this.fail(`lacks the field ${name}`);
    return this.#values[name] as Canonical; // Own, so present.
  }

  #wrong(name: string): StillpointError {
    return this.fail(`has a wrong value in the field ${name}`);
  }
}

/** A map as canonical data. Canonical encoding sorts the keys. */
export function canonicalMap<T>(map: ReadonlyMap<string, T>, write: (value: T) => Canonical): Canonical {
  return Object.fromEntries([...map].map(([key, value]) => [key, write(value)]));
}
