/**
 * The bytes of an exported run, versions 1 to 3: one stream, written and read from front to back. docs/formats/export.md is the page.
 *
 *   "stillpoint-export\n"  u32 LE version      { u8 kind, u32 LE length, payload }*      last record: kind E, SHA-256 of everything before it
 *
 * Invariants: records come in the order of KINDS; lengths are bounded by kind before anything is kept; bytes after the last record are an error.
 * What this does NOT do: know what a payload means.
 */
import { createHash } from 'node:crypto';
import { blobHash, limits, StillpointError } from '../core/index.ts';
import type { Base } from '../txn/index.ts';

/** The newest that is known: with the kind `base`. */
export const EXPORT_VERSION = 3;
/** Without it; written for whole runs, so that older software reads them. */
export const EXPORT_VERSION_ANSWERS = 2;
/** Without the kind `answer` as well. */
export const EXPORT_VERSION_PLAIN = 1;
const MAGIC = new TextEncoder().encode('stillpoint-export\n');
const HEADER_BYTES = MAGIC.length + 4;
const RECORD_HEADER_BYTES = 5;
const HASH_BYTES = 32;

/** Letter of each kind on the wire, in the order in which kinds may come, with the longest payload. */
const KINDS = {
  run: ['R', 16 * 1024 * 1024], base: ['D', 4 + HASH_BYTES], blob: ['B', limits.PROGRAM_BYTES_MAX], pack: ['P', 128 * 1024], node: ['N', 16 * 1024 * 1024],
  frame: ['F', limits.FRAME_BYTES_MAX + HASH_BYTES], checkpoint: ['C', 16 * 1024 * 1024], mark: ['M', 64 * 1024], answer: ['A', (1 << 30) + 64 * 1024], end: ['E', HASH_BYTES],
} as const;
export type ExportKind = keyof typeof KINDS;
const ORDER = Object.keys(KINDS) as readonly ExportKind[]; // The keys that were just written.

/** Checkpoints and marks: u32 LE number, then the stored record. */
export function numbered(number: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + value.length);
  new DataView(bytes.buffer).setUint32(0, number, true);
  bytes.set(value, 4);
  return bytes;
}

export function splitNumbered(payload: Uint8Array): { readonly index: number; readonly value: Uint8Array } {
  if (payload.length < 4) throw foreign('a record is too short');
  return { index: new DataView(payload.buffer, payload.byteOffset).getUint32(0, true), value: payload.subarray(4) };
}

/** A base: u32 LE frames that are left out, then the link of the last of them. */
export function encodeBase({ frames, link }: Base): Uint8Array {
  return numbered(frames, Buffer.from(link, 'hex'));
}

export function decodeBase(payload: Uint8Array): Base {
  const { index, value } = splitNumbered(payload);
  if (value.length !== HASH_BYTES || index === 0) throw foreign('its base is none');
  return { frames: index, link: blobHash(hexOf(value)) };
}

export class ExportWriter {
  readonly #hash = createHash('sha256');
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  bytes = 0;

  /** `write` resolves when more may come. */
  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  async begin(version: number): Promise<void> {
    const header = new Uint8Array(HEADER_BYTES);
    header.set(MAGIC);
    new DataView(header.buffer).setUint32(MAGIC.length, version, true);
    await this.#put(header);
  }

  async record(kind: Exclude<ExportKind, 'end'>, payload: Uint8Array): Promise<void> {
    await this.#put(header(kind, payload.length));
    await this.#put(payload);
  }

  async end(): Promise<void> {
    await this.#put(header('end', HASH_BYTES));
    await this.#write(new Uint8Array(this.#hash.digest()));
    this.bytes += HASH_BYTES;
  }

  async #put(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.bytes += bytes.length;
    await this.#write(bytes);
  }
}

function header(kind: ExportKind, length: number): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER_BYTES);
  bytes[0] = KINDS[kind][0].charCodeAt(0);
  new DataView(bytes.buffer).setUint32(1, length, true);
  return bytes;
}

/** Records of a hostile stream; the check sum at its end was compared when this returns. Throws E_EXPORT_FORMAT, E_EXPORT_DAMAGED, E_STORE_VERSION. */
export async function* readExport(source: AsyncIterable<Uint8Array>): AsyncGenerator<ExportRecord> {
  const bytes = new Puller(source);
  try {
    yield* readRecords(bytes);
  } finally {
    await bytes.end();
  }
}

export interface ExportRecord { readonly kind: Exclude<ExportKind, 'end'>; readonly payload: Uint8Array }

async function* readRecords(bytes: Puller): AsyncGenerator<ExportRecord> {
  const head = await bytes.take(HEADER_BYTES);
  if (!MAGIC.every((byte, index) => byte === head[index])) throw foreign('it does not begin like one');
  const version = new DataView(head.buffer, head.byteOffset).getUint32(MAGIC.length, true);
  if (version > EXPORT_VERSION) throw new StillpointError('E_STORE_VERSION', `the exported run has format version ${version}, this software knows ${EXPORT_VERSION}; use a newer Stillpoint`, { data: { found: version, known: EXPORT_VERSION } });
  if (version < EXPORT_VERSION_PLAIN) throw foreign(`it has the unknown version ${version}`);
  let place = 0;
  let hasBase = false;
  for (;;) {
    const start = await bytes.take(RECORD_HEADER_BYTES);
    const kind = ORDER.find((candidate) => KINDS[candidate][0].charCodeAt(0) === start[0]);
    const length = new DataView(start.buffer, start.byteOffset).getUint32(1, true);
    if (kind === undefined || (kind === 'answer' && version < EXPORT_VERSION_ANSWERS) || (kind === 'base' && (version < EXPORT_VERSION || hasBase)) || ORDER.indexOf(kind) < place || length > KINDS[kind][1]) throw foreign('a record has an unknown kind, a wrong place or an impossible length');
    place = ORDER.indexOf(kind);
    hasBase ||= kind === 'base';
    if (kind !== 'end') {
      yield { kind, payload: await bytes.take(length) };
      continue;
    }
    const expected = bytes.digest();
    if (length !== HASH_BYTES || hexOf(await bytes.take(HASH_BYTES)) !== expected) throw new StillpointError('E_EXPORT_DAMAGED', 'the exported run does not have the bytes that its check sum promises; export or copy it again');
    if (!await bytes.isAtEnd()) throw foreign('there are bytes behind its end');
    return;
  }
}

function foreign(what: string): StillpointError {
  return new StillpointError('E_EXPORT_FORMAT', `this is no exported run of Stillpoint: ${what}`);
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Exact pieces of a stream of chunks. Memory: what was asked for and one chunk; a length alone allocates nothing. */
class Puller {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #hash = createHash('sha256');
  #rest: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** SHA-256 of everything taken so far. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  async take(length: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      if (this.#rest.length === 0 && !await this.#more()) throw new StillpointError('E_EXPORT_DAMAGED', 'the exported run ends early; export or copy it again');
      const piece = this.#rest.subarray(0, missing);
      pieces.push(piece);
      missing -= piece.length;
      this.#rest = this.#rest.subarray(piece.length);
    }
    const bytes = new Uint8Array(Buffer.concat(pieces));
    this.#hash.update(bytes);
    return bytes;
  }

  /** Whoever reads the stream has what it opened closed. */
  async end(): Promise<void> {
    await this.#source.return?.();
  }

  async isAtEnd(): Promise<boolean> {
    return this.#rest.length === 0 && !await this.#more();
  }

  async #more(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.#source.next();
      if (done === true) return false;
      if (value.length === 0) continue;
      this.#rest = value;
      return true;
    }
  }
}
