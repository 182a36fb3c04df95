/**
 * A file of the host as bytes at rest. A gzip-compressed one is decompressed into a temporary file without a name first.
 * Invariants: a read gives exactly the bytes asked for or E_IMAGE_CHANGED; a file that grew, shrank or was written since it was opened is
 * E_IMAGE_CHANGED. Call close() once. What this does NOT do: know what is in the file.
 */
import * as fs from 'node:fs';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { isNoSpace, limits, StillpointError } from '../../core/index.ts';
import type { ByteSource } from '../tar-reader.ts';

/** Headers of small files lie close together: they are read this much at a time. */
const WINDOW_BYTES = 64 * 1024;
const PIECE_BYTES = 1024 * 1024;
const OTHER_FORMS: readonly (readonly [string, readonly number[]])[] = [
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]], ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]], ['bzip2', [0x42, 0x5a, 0x68]],
];

export class FileSource implements ByteSource {
  readonly size: number;
  readonly path: string;
  readonly #fd: number;
  readonly #changed: bigint;
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;

  private constructor(fd: number, path: string) {
    const facts = fs.fstatSync(fd, { bigint: true });
    this.#fd = fd;
    this.path = path;
    this.size = Number(facts.size);
    this.#changed = facts.mtimeNs;
  }

  /** Throws E_IMAGE_OPEN. */
  static open(path: string): FileSource {
    let fd: number | undefined;
    try {
      fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK); // A pipe would be waited for.
      if (!fs.fstatSync(fd).isFile()) throw new StillpointError('E_IMAGE_OPEN', `${path} cannot be read: it is no file`, { data: { path } });
      return new FileSource(fd, path);
    } catch (cause) {
      if (fd !== undefined) fs.closeSync(fd);
      throw imageError(path, cause);
    }
  }

  /** Opens a file, decompressed when it is gzip. Throws E_IMAGE_OPEN, E_IMAGE_FORMAT, E_IMAGE_TRUNCATED, E_IMAGE_LIMIT, E_IMAGE_UNSUPPORTED, E_DISK_FULL. */
  static async openPlain(path: string): Promise<FileSource> {
    const source = FileSource.open(path);
    let plain: ByteSource | undefined;
    try {
      plain = await FileSource.plain(source, path);
    } finally {
      if (plain !== source) source.close();
    }
    return plain as FileSource; // Either the source itself or a decompressed one.
  }

  /** The same bytes when they are not compressed, else a new FileSource. Throws as openPlain(). */
  static async plain(source: ByteSource, where: string): Promise<ByteSource> {
    const head = source.read(0, Math.min(6, source.size));
    const other = OTHER_FORMS.find(([, magic]) => magic.every((byte, index) => head[index] === byte));
    if (other !== undefined) throw new StillpointError('E_IMAGE_UNSUPPORTED', `${where} is compressed with ${other[0]}; decompress it first (gzip is read as it is)`, { data: { path: where } });
    return head[0] === 0x1f && head[1] === 0x8b ? decompress(source, where) : source;
  }

  /** For an open file that this takes over. */
  static adopt(fd: number, path: string): FileSource {
    return new FileSource(fd, path);
  }

  read(offset: number, length: number): Uint8Array {
    if (length > WINDOW_BYTES / 4) return this.#readNow(offset, length);
    if (offset < this.#windowAt || offset + length > this.#windowAt + this.#window.length) {
      this.#window = this.#readNow(offset, Math.min(WINDOW_BYTES, this.size - offset));
      this.#windowAt = offset;
    }
    return this.#window.slice(offset - this.#windowAt, offset - this.#windowAt + length);
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  #readNow(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    try {
      const facts = fs.fstatSync(this.#fd, { bigint: true });
      if (facts.mtimeNs !== this.#changed || Number(facts.size) !== this.size) throw changed(this.path);
      for (let done = 0; done < length;) {
        const got = fs.readSync(this.#fd, bytes, done, length - done, offset + done);
        if (got === 0) throw changed(this.path);
        done += got;
      }
    } catch (cause) {
      throw imageError(this.path, cause);
    }
    return bytes;
  }
}

function* piecesOf(source: ByteSource): Generator<Uint8Array> {
  for (let at = 0; at < source.size; at += PIECE_BYTES) yield source.read(at, Math.min(PIECE_BYTES, source.size - at));
}

async function decompress(source: ByteSource, path: string): Promise<FileSource> {
  const directory = mkdtempSync(join(tmpdir(), 'stillpoint-image-'));
  const file = join(directory, 'layer.tar');
  const fd = fs.openSync(file, 'wx+', 0o600);
  fs.rmSync(file);
  rmdirSync(directory);
  let size = 0;
  const sink = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      size += chunk.length;
      if (size > limits.IMAGE_BYTES_MAX) return done(new StillpointError('E_IMAGE_LIMIT', `${path} has more than ${limits.IMAGE_BYTES_MAX} bytes when decompressed`, { data: { path } }));
      try {
        for (let at = 0; at < chunk.length;) at += fs.writeSync(fd, chunk, at);
        done();
      } catch (error) {
        done(error as Error); // fs throws errors.
      }
    },
  });
  try {
    await pipeline(Readable.from(piecesOf(source)), createGunzip(), sink);
    return FileSource.adopt(fd, path);
  } catch (cause) {
    fs.closeSync(fd);
    throw imageError(path, cause);
  }
}

/** What went wrong with an image on the host, as one of ours. */
export function imageError(path: string, cause: unknown): StillpointError {
  if (cause instanceof StillpointError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  if (code === undefined) throw cause;
  const data = { path };
  if (isNoSpace(code)) return new StillpointError('E_DISK_FULL', `${path} cannot be decompressed: the disk for temporary files is full`, { cause, data });
  if (code === 'Z_BUF_ERROR') return new StillpointError('E_IMAGE_TRUNCATED', `${path}: the gzip data end early; the archive is not complete`, { cause, data });
  if (code.startsWith('Z_')) return new StillpointError('E_IMAGE_FORMAT', `${path}: the gzip data are damaged`, { cause, data });
  if (code === 'ENOENT') return new StillpointError('E_IMAGE_OPEN', `there is no image ${path}`, { cause, data });
  return new StillpointError('E_IMAGE_OPEN', `${path} cannot be read (${code})`, { cause, data });
}

export function changed(path: string): StillpointError {
  return new StillpointError('E_IMAGE_CHANGED', `${path} was changed while it was being used as an image; run again`, { data: { path } });
}
