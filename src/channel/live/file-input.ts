/**
 * Input from a regular file: by offset in chunks (random), or as a stream from some place on (standard input that is a file).
 * Invariants: a random input is the file as it was at open: size, time and inode are looked at after every read, so that no byte of a
 * changed file is ever delivered. A stream may grow under us, like a log, but not shrink.
 * What this does NOT do: pipes, terminals, devices (stream-input.ts, descriptor-port.ts).
 */
import * as fs from 'node:fs';
import { assert } from '../../core/index.ts';
import type { HostPort, Wanted } from '../port.ts';
import { HostFile, type FileIdentity } from './host-file.ts';
import { unwritable } from './one-way.ts';

export class FileInput implements HostPort {
  readonly #file: HostFile;
  readonly #identity: FileIdentity;
  readonly #streamBase: number | undefined;

  private constructor(file: HostFile, identity: FileIdentity, streamBase: number | undefined) {
    this.#file = file;
    this.#identity = identity;
    this.#streamBase = streamBase;
  }

  /**
   * Opens a file for reads by offset. `expectedSize` is what the run declared. Throws E_CHANNEL_OPEN (missing, unreadable, not regular) or
   * E_CHANNEL_CHANGED (another size).
   */
  static async open(path: string, options: { readonly channel: string; readonly expectedSize?: number }): Promise<FileInput> {
    const file = await HostFile.open(path, { channel: options.channel, flags: fs.constants.O_RDONLY | fs.constants.O_NONBLOCK });
    try {
      if (!(await file.stat()).isFile()) throw file.trouble('E_CHANNEL_OPEN', 'it is not a regular file');
      const identity = await file.identity();
      if (options.expectedSize !== undefined && identity.sizeBytes !== options.expectedSize) {
        throw file.trouble('E_CHANNEL_CHANGED', `it has ${identity.sizeBytes} bytes now and had ${options.expectedSize}`);
      }
      return new FileInput(file, identity, undefined);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Reads a file as a stream whose position 0 is at `base`. The port owns `file`. */
  static async stream(file: HostFile, base: number): Promise<FileInput> {
    return new FileInput(file, await file.identity(), base);
  }

  async read(wanted: Wanted): Promise<Uint8Array | undefined> {
    assert(wanted.length > 0, 'wanted input is not empty');
    if (this.#streamBase !== undefined) return this.#readStream(this.#streamBase + wanted.offset, wanted.length);
    const bytes = await this.#file.read(wanted.offset, wanted.length);
    const now = await this.#file.identity();
    const expected = Math.max(0, Math.min(wanted.length, this.#identity.sizeBytes - wanted.offset));
    if (now.sizeBytes !== this.#identity.sizeBytes || now.modifiedNs !== this.#identity.modifiedNs || bytes.length !== expected) {
      throw this.#file.trouble('E_CHANNEL_CHANGED', 'the file changed while the run was reading it');
    }
    return bytes;
  }

  async write(): Promise<void> {
    unwritable();
  }

  async sync(): Promise<void> {}

  async rewind(position: number): Promise<number> {
    return position;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #readStream(offset: number, length: number): Promise<Uint8Array | undefined> {
    const bytes = await this.#file.read(offset, length);
    if (bytes.length > 0) return bytes;
    if ((await this.#file.identity()).sizeBytes < offset) throw this.#file.trouble('E_CHANNEL_CHANGED', 'the file became shorter than what was read');
    return undefined;
  }
}
