/**
 * A file that is read and rewritten at offsets: `--rw`.
 * Invariants: operations are applied in order and are idempotent; a change by another process is noticed before the next read or write
 * (size and modification time, looked at after each of our own writes). What this does NOT do: undo writes (the machine repeats them).
 */
import * as fs from 'node:fs';
import { unreachable } from '../../core/index.ts';
import type { HostPort, OutputOperation, Wanted } from '../port.ts';
import { HostFile, type FileIdentity } from './host-file.ts';

export class FileRandom implements HostPort {
  readonly #file: HostFile;
  #known: FileIdentity;

  private constructor(file: HostFile, known: FileIdentity) {
    this.#file = file;
    this.#known = known;
  }

  /** A first start creates a missing file and wants the declared size; a resume takes the file as it is. Throws E_CHANNEL_OPEN, E_CHANNEL_CHANGED. */
  static async open(path: string, options: { readonly channel: string; readonly expectedSize: number; readonly resume: boolean }): Promise<FileRandom> {
    const { O_RDWR, O_CREAT, O_NONBLOCK } = fs.constants;
    const file = await HostFile.open(path, { channel: options.channel, flags: O_RDWR | O_NONBLOCK | (options.resume ? 0 : O_CREAT) });
    try {
      if (!(await file.stat()).isFile()) throw file.trouble('E_CHANNEL_OPEN', 'it is not a regular file');
      const known = await file.identity();
      if (!options.resume && known.sizeBytes !== options.expectedSize) {
        throw file.trouble('E_CHANNEL_CHANGED', `it has ${known.sizeBytes} bytes now and had ${options.expectedSize}`);
      }
      return new FileRandom(file, known);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async read(wanted: Wanted): Promise<Uint8Array> {
    const bytes = await this.#file.read(wanted.offset, wanted.length);
    await this.#expectUnchanged();
    return bytes;
  }

  async write(operations: readonly OutputOperation[]): Promise<void> {
    await this.#expectUnchanged();
    try {
      for (const operation of operations) {
        if (operation.kind === 'write') await this.#file.write(operation.offset, operation.bytes);
        else if (operation.kind === 'truncate') await this.#file.truncate(operation.size);
        else unreachable(operation);
      }
    } finally {
      this.#known = await this.#file.identity();
    }
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async rewind(position: number): Promise<number> {
    return position;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #expectUnchanged(): Promise<void> {
    const now = await this.#file.identity();
    if (now.sizeBytes === this.#known.sizeBytes && now.modifiedNs === this.#known.modifiedNs) return;
    throw this.#file.trouble('E_CHANNEL_CHANGED', 'another process changed the file');
  }
}
