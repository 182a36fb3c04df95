/**
 * Reads tar archives: v7, ustar, GNU (long names, base-256 numbers) and pax (global and per-entry records), by random access, headers only.
 *
 *   block(512) header ‖ data padded to 512 ‖ … ‖ zero block        header: name 0+100 mode 100+8 uid 108+8 gid 116+8 size 124+12 mtime 136+12
 *                                                                  sum 148+8 type 156 link 157+100 magic 257+8 device 329+8 337+8 prefix 345+155
 *
 * Invariants: every header's check sum is checked; nothing is read beyond the archive; an archive without its end mark is truncated.
 * Refused by name: sparse files, multi-volume archives, unknown types of GNU or vendors. What this does NOT do: resolve paths (layer.ts),
 * decompress, read file data.
 */
import { limits, StillpointError } from '../core/index.ts';
import { printable } from './layer.ts';

/** Bytes at rest. `read` gives exactly the bytes asked for, which lie within the size, or throws. */
export interface ByteSource {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
}

export type TarType = 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

export interface TarEntry {
  readonly type: TarType;
  /** Byte strings. */
  readonly path: string;
  readonly target: string;
  /** Permission bits, at most 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  readonly device: { readonly major: number; readonly minor: number };
  /** Where the data lies in the archive. */
  readonly offset: number;
  readonly size: number;
}

const BLOCK = 512;
const ID_MAX = 0xffff_fffe;
const TIME_MAX = 2n ** 63n - 1n;
const TYPES: Readonly<Record<string, TarType>> = { '0': 'file', '\0': 'file', '7': 'file', '1': 'link', '2': 'symlink', '3': 'character', '4': 'block', '5': 'directory', '6': 'fifo' };
const REFUSED: Readonly<Record<string, string>> = { S: 'a sparse file (make the archive without --sparse)', M: 'a continued multi-volume archive', D: 'a GNU incremental directory' };

type Records = ReadonlyMap<string, string>;
interface Extension { records: Records; longName: string | undefined; longLink: string | undefined }

export class TarReader {
  readonly #source: ByteSource;
  readonly #where: string;
  #offset = 0;
  #global: Records = new Map();

  constructor(source: ByteSource, where: string) {
    this.#source = source;
    this.#where = where;
  }

  /** All entries in order. Throws E_IMAGE_FORMAT, E_IMAGE_TRUNCATED, E_IMAGE_UNSUPPORTED, E_IMAGE_LIMIT. */
  *entries(): Generator<TarEntry> {
    let extension = emptyExtension();
    for (;;) {
      const header = this.#read(this.#offset, BLOCK, 'the end mark of the archive is missing');
      if (header.every((byte) => byte === 0)) return this.#finish(extension);
      this.#checkSum(header);
      const type = String.fromCharCode(header[156]!);
      const start = this.#offset + BLOCK;
      if (type === 'x' || type === 'g' || type === 'L' || type === 'K') {
        extension = this.#extend(extension, { type, header, start });
        continue;
      }
      if (type === 'V') { // The label of a volume.
        this.#offset = start;
        continue;
      }
      yield this.#entry(header, { type, start, extension });
      extension = emptyExtension();
    }
  }

  #finish(extension: Extension): void {
    if (extension.records.size > 0 || extension.longName !== undefined || extension.longLink !== undefined) throw this.#fail('an extended header has no entry after it');
  }

  #extend(before: Extension, { type, header, start }: { readonly type: string; readonly header: Uint8Array; readonly start: number }): Extension {
    const size = this.#number(header, 124, 12, 'size');
    if (size > limits.IMAGE_HEADER_BYTES_MAX) throw new StillpointError('E_IMAGE_LIMIT', `${this.#at()}: an extended header has ${size} bytes, at most ${limits.IMAGE_HEADER_BYTES_MAX} are possible`, { data: { path: this.#where } });
    const bytes = this.#read(start, size, 'an extended header is cut off');
    this.#offset = start + padded(size);
    if (type === 'L') return { ...before, longName: untilNul(bytes) };
    if (type === 'K') return { ...before, longLink: untilNul(bytes) };
    const records = this.#records(bytes);
    if (type === 'x') return { ...before, records };
    this.#global = new Map([...this.#global, ...records]);
    return before;
  }

  /** `LENGTH KEY=VALUE\n` over and over, LENGTH counting all of it in bytes. */
  #records(bytes: Uint8Array): Records {
    const records = new Map<string, string>();
    for (let at = 0; at < bytes.length;) {
      let space = at;
      while (space < bytes.length && space - at < 10 && bytes[space] !== 0x20) space++;
      const digits = text(bytes, at, space);
      const end = at + Number(digits);
      const line = /^[1-9][0-9]*$/.test(digits) && end <= bytes.length ? text(bytes, space + 1, end) : '';
      const equals = line.indexOf('=');
      if (equals < 1 || !line.endsWith('\n')) throw this.#fail('a pax record cannot be read');
      records.set(line.slice(0, equals), line.slice(equals + 1, -1));
      at = end;
    }
    return records;
  }

  #entry(header: Uint8Array, { type, start, extension }: { readonly type: string; readonly start: number; readonly extension: Extension }): TarEntry {
    const value = (key: string): string | undefined => {
      const record = extension.records.get(key) ?? this.#global.get(key);
      return record === '' ? undefined : record; // An empty record takes an earlier one back.
    };
    const path = value('path') ?? extension.longName ?? this.#name(header);
    const sparse = [...extension.records.keys(), ...this.#global.keys()].some((key) => key.startsWith('GNU.sparse.'));
    const refused = sparse ? REFUSED['S'] : REFUSED[type];
    if (refused !== undefined) throw this.#unsupported(path, refused);
    const kind = TYPES[type];
    if (kind === undefined) throw this.#unsupported(path, `an entry of unknown type ${JSON.stringify(type)}`);
    const isOldDirectory = kind === 'file' && path.endsWith('/'); // v7 knew no other way to say it.
    const declared = this.#decimal(value('size'), 'size') ?? this.#number(header, 124, 12, 'size');
    const size = kind === 'file' && !isOldDirectory ? declared : 0;
    if (size > limits.FILE_BYTES_MAX) throw new StillpointError('E_IMAGE_LIMIT', `${this.#at()}: ${printable(path)} has ${size} bytes, at most ${limits.FILE_BYTES_MAX} are possible`, { data: { path: this.#where } });
    // Only files carry data, whatever the size of another kind says (of a directory it is a hint for the file system).
    if (start + size > this.#source.size) throw this.#truncated(`the data of ${printable(path)} is cut off`);
    this.#offset = start + padded(size);
    return {
      type: isOldDirectory ? 'directory' : kind, path: this.#checkText(path, 'path'), target: this.#checkText(value('linkpath') ?? extension.longLink ?? field(header, 157, 100), 'link'),
      mode: this.#number(header, 100, 8, 'mode') & 0o7777,
      uid: this.#id(value('uid'), header, 108), gid: this.#id(value('gid'), header, 116), mtime: this.#time(value('mtime'), header),
      device: kind === 'character' || kind === 'block' ? { major: this.#number(header, 329, 8, 'device'), minor: this.#number(header, 337, 8, 'device') } : { major: 0, minor: 0 },
      offset: start, size,
    };
  }

  #checkText(value: string, what: string): string {
    if (value.includes('\0')) throw this.#fail(`a ${what} holds a zero byte`);
    if (what === 'path' && value === '') throw this.#fail('an entry has no name');
    return value;
  }

  /** Name with the prefix that only POSIX headers have. */
  #name(header: Uint8Array): string {
    const name = field(header, 0, 100);
    const isPosix = text(header, 257, 263) === 'ustar\0';
    const prefix = isPosix ? field(header, 345, 155) : '';
    return prefix === '' ? name : `${prefix}/${name}`;
  }

  #id(record: string | undefined, header: Uint8Array, offset: number): number {
    const id = this.#decimal(record, 'owner') ?? this.#number(header, offset, 8, 'owner');
    if (id > ID_MAX) throw this.#fail(`an owner has the number ${id}`);
    return id;
  }

  #time(record: string | undefined, header: Uint8Array): bigint {
    if (record === undefined) return BigInt(this.#number(header, 136, 12, 'time', true)) * 1_000_000_000n;
    const match = /^(-?)([0-9]{1,12})(?:\.([0-9]{0,20}))?$/.exec(record);
    if (match === null) throw this.#fail(`a time is written as ${printable(record)}`);
    const nanoseconds = BigInt(match[2]!) * 1_000_000_000n + BigInt((match[3] ?? '').padEnd(9, '0').slice(0, 9));
    if (nanoseconds > TIME_MAX) throw this.#fail(`a time is written as ${printable(record)}`);
    return match[1] === '-' ? -nanoseconds : nanoseconds;
  }

  #decimal(record: string | undefined, what: string): number | undefined {
    if (record === undefined) return undefined;
    const number = Number(record);
    if (!/^[0-9]{1,16}$/.test(record) || !Number.isSafeInteger(number)) throw this.#fail(`a ${what} is written as ${printable(record)}`);
    return number;
  }

  /** Octal digits, or base-256 when the first bit is set (GNU). */
  #number(header: Uint8Array, offset: number, length: number, what: string, mayBeNegative = false): number {
    const first = header[offset]!;
    if ((first & 0x80) !== 0) return this.#wide(header.subarray(offset, offset + length), what, mayBeNegative);
    const digits = field(header, offset, length).trim();
    if (!/^[0-7]*$/.test(digits)) throw this.#fail(`a ${what} is written as ${printable(digits)}`);
    return digits === '' ? 0 : Number.parseInt(digits, 8);
  }

  #wide(bytes: Uint8Array, what: string, mayBeNegative: boolean): number {
    const isNegative = (bytes[0]! & 0x40) !== 0;
    let value = 0n;
    for (const byte of bytes) value = (value << 8n) | BigInt(byte);
    // The first bit only marks the form; the sign is the one below it.
    value = BigInt.asIntN(bytes.length * 8 - 1, value);
    const number = Number(value);
    const secondsMax = Number(TIME_MAX / 1_000_000_000n);
    if ((isNegative && !mayBeNegative) || !Number.isSafeInteger(number) || (mayBeNegative && Math.abs(number) > secondsMax)) throw this.#fail(`a ${what} is too large`);
    return number;
  }

  #checkSum(header: Uint8Array): void {
    const expected = this.#number(header, 148, 8, 'check sum');
    let unsigned = 0;
    let signed = 0;
    for (let index = 0; index < BLOCK; index++) {
      const byte = index >= 148 && index < 156 ? 0x20 : header[index]!;
      unsigned += byte;
      signed += (byte << 24) >> 24; // Some old programs summed signed bytes.
    }
    if (expected !== unsigned && expected !== signed) throw this.#fail(this.#offset === 0 ? 'this is not a tar archive' : 'a header is damaged (check sum)');
  }

  #read(offset: number, length: number, otherwise: string): Uint8Array {
    if (offset + length > this.#source.size) throw this.#offset === 0 ? this.#fail('this is not a tar archive') : this.#truncated(otherwise);
    return this.#source.read(offset, length);
  }

  #at(): string {
    return `${this.#where}, byte ${this.#offset}`;
  }

  #fail(what: string): StillpointError {
    return new StillpointError('E_IMAGE_FORMAT', `${this.#at()}: ${what}`, { data: { path: this.#where, offset: this.#offset } });
  }

  #truncated(what: string): StillpointError {
    return new StillpointError('E_IMAGE_TRUNCATED', `${this.#at()}: ${what}; the archive is not complete`, { data: { path: this.#where, offset: this.#offset } });
  }

  #unsupported(path: string, what: string): StillpointError {
    return new StillpointError('E_IMAGE_UNSUPPORTED', `${this.#at()}: ${printable(path)} is ${what}`, { data: { path: this.#where, offset: this.#offset } });
  }
}

function emptyExtension(): Extension {
  return { records: new Map(), longName: undefined, longLink: undefined };
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function text(bytes: Uint8Array, start: number, end: number): string {
  let out = '';
  for (let index = start; index < end; index++) out += String.fromCharCode(bytes[index]!);
  return out;
}

function field(header: Uint8Array, offset: number, length: number): string {
  let end = offset;
  while (end < offset + length && header[end] !== 0) end++;
  return text(header, offset, end);
}

function untilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return text(bytes, 0, end < 0 ? bytes.length : end);
}
