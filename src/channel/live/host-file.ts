/**
 * One open file of the host, as the file ports use it: reads and writes that are never short, and the errors of the host as our codes.
 * Invariants: a write returns when the kernel has taken all bytes; every failure is a StillpointError that names channel and path.
 * Units: bytes. What this does NOT do: positions of streams, rewinding (the ports).
 */
import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { isNoSpace, StillpointError, type ErrorCode } from '../../core/index.ts';

const openFile = promisify(fs.open);
const closeFile = promisify(fs.close);
const readFile = promisify(fs.read);
const writeFile = promisify(fs.write);
const statFile = promisify(fs.fstat) as (fd: number, options: { readonly bigint: true }) => Promise<fs.BigIntStats>; // promisify keeps only the last overload.
const truncateFile = promisify(fs.ftruncate);
const syncFile = promisify(fs.fsync);

/** Between two attempts at a device or pipe that is full now and cannot be waited for. */
const RETRY_MS = 5;

/** A write to a regular file of at most so many bytes is made at once: it goes into the kernel's memory in some microseconds, a thread of its own would cost a hundred. */
const AT_ONCE_BYTES_MAX = 64 * 1024;

/** What is said of a file that the host does not open; the code stands behind it. */
const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there; where it has moved, resume --bind names its new place', ENOTDIR: 'what should be its directory is none', EACCES: 'this user may not open it so', EPERM: 'this user may not open it so',
  EROFS: 'its file system is mounted read-only', ELOOP: 'its symbolic links lead in a circle', ENXIO: 'nobody has its other end, or its device, open',
};

/** What tells a file from a changed or exchanged one. */
export interface FileIdentity { readonly device: bigint; readonly inode: bigint; readonly sizeBytes: number; readonly modifiedNs: bigint }

/** The code of a failed call of the host, or undefined when it was not one. */
export function hostErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A failure of the host as one of our errors; programmer errors pass unchanged. */
export function hostError(error: unknown, facts: { readonly fallback: ErrorCode; readonly channel: string; readonly path: string }): unknown {
  const host = hostErrorCode(error);
  if (error instanceof StillpointError || host === undefined) return error;
  const where = `channel ${facts.channel} (${facts.path})`;
  const options = { data: { channel: facts.channel, path: facts.path, host }, cause: error };
  if (isNoSpace(host)) return new StillpointError('E_DISK_FULL', `${where}: no space is left; make room, then resume what is recorded`, options);
  if (host === 'EPIPE' || host === 'ECONNRESET') return new StillpointError('E_CHANNEL_CLOSED', `${where}: the reader went away`, options);
  return new StillpointError(facts.fallback, `${where}: ${host in WHY ? `${WHY[host]!} (${host})` : host}`, options);
}

export class HostFile {
  readonly fd: number;
  readonly channel: string;
  readonly path: string;
  readonly #owned: boolean;
  #isRegular = false;

  /** `owned`: close() closes the descriptor (not so for standard streams). */
  constructor(fd: number, facts: { readonly channel: string; readonly path: string; readonly owned: boolean }) {
    this.fd = fd;
    this.channel = facts.channel;
    this.path = facts.path;
    this.#owned = facts.owned;
  }

  /** Throws E_CHANNEL_OPEN when the file cannot be opened in this way or is a directory. */
  static async open(path: string, options: { readonly channel: string; readonly flags: number }): Promise<HostFile> {
    let fd: number;
    try {
      fd = await openFile(path, options.flags, 0o666);
    } catch (error) {
      throw hostError(error, { fallback: 'E_CHANNEL_OPEN', channel: options.channel, path });
    }
    const file = new HostFile(fd, { channel: options.channel, path, owned: true });
    try {
      const stat = await file.stat();
      if (stat.isDirectory()) throw file.trouble('E_CHANNEL_OPEN', 'it is a directory');
      file.#isRegular = stat.isFile();
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** [offset, offset + length) as far as the file reaches; offset null: the next bytes of a device. */
  async read(offset: number | null, length: number): Promise<Uint8Array> {
    const buffer = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#try('E_CHANNEL_READ', () => readFile(this.fd, buffer, filled, length - filled, offset === null ? null : offset + filled));
      filled += bytesRead;
      if (bytesRead === 0 || offset === null) break;
    }
    return filled === length ? buffer : buffer.slice(0, filled);
  }

  /**
   * Writes all bytes at `offset`; null: where the descriptor stands. `onTaken` hears of every part that the kernel took, so that a caller
   * that cannot say where it writes knows after a failure what must not be written again.
   */
  async write(offset: number | null, bytes: Uint8Array, onTaken?: (count: number) => void): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const rest = { offset: done, length: bytes.length - done, position: offset === null ? null : offset + done };
      const taken = await this.#try('E_CHANNEL_WRITE', async () => (this.#isRegular && rest.length <= AT_ONCE_BYTES_MAX ? fs.writeSync(this.fd, bytes, rest.offset, rest.length, rest.position) : (await writeFile(this.fd, bytes, rest.offset, rest.length, rest.position)).bytesWritten));
      done += taken;
      onTaken?.(taken);
    }
  }

  stat(): Promise<fs.BigIntStats> {
    return this.#try('E_CHANNEL_READ', () => statFile(this.fd, { bigint: true }));
  }

  async identity(): Promise<FileIdentity> {
    const stat = await this.stat();
    return { device: stat.dev, inode: stat.ino, sizeBytes: Number(stat.size), modifiedNs: stat.mtimeNs };
  }

  truncate(size: number): Promise<void> {
    return this.#try('E_CHANNEL_WRITE', () => truncateFile(this.fd, size));
  }

  /** Durable on disk; a sink that cannot be (a device) is left alone. */
  async sync(): Promise<void> {
    try {
      await syncFile(this.fd);
    } catch (error) {
      const code = hostErrorCode(error);
      if (code === 'EINVAL' || code === 'ENOTSUP' || code === 'EROFS') return;
      throw hostError(error, { fallback: 'E_CHANNEL_WRITE', channel: this.channel, path: this.path });
    }
  }

  async close(): Promise<void> {
    if (this.#owned) await this.#try('E_CHANNEL_WRITE', () => closeFile(this.fd));
  }

  /** An error of ours about this file. */
  trouble(code: ErrorCode, what: string): StillpointError {
    return new StillpointError(code, `channel ${this.channel} (${this.path}): ${what}`, { data: { channel: this.channel, path: this.path } });
  }

  async #try<Result>(fallback: ErrorCode, call: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const code = hostErrorCode(error);
        if (code !== 'EAGAIN' && code !== 'EINTR') throw hostError(error, { fallback, channel: this.channel, path: this.path });
        if (code === 'EAGAIN') await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}

/** Makes a new directory entry durable. */
export async function syncDirectory(path: string): Promise<void> {
  const fd = await openFile(path, fs.constants.O_RDONLY);
  try {
    await syncFile(fd);
  } finally {
    await closeFile(fd);
  }
}
