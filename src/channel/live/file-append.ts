/**
 * A file that only grows: `--append`. Old content is read by offset, the run's bytes go behind it.
 *
 *   file     [ old content: base bytes ][ stream position 0 ... ]
 *
 * Invariants: the old content is never written; stream position p lies at base + p; another process that writes to the file is noticed
 * before the next write and never overwritten. What this does NOT do: read back what the run appended (the machine has it).
 */
import * as fs from 'node:fs';
import { assert } from '../../core/index.ts';
import type { HostPort, OutputOperation, Wanted } from '../port.ts';
import { HostFile } from './host-file.ts';

export class FileAppend implements HostPort {
  readonly #file: HostFile;
  readonly #base: number;
  #sizeBytes: number;

  private constructor(file: HostFile, base: number, sizeBytes: number) {
    this.#file = file;
    this.#base = base;
    this.#sizeBytes = sizeBytes;
  }

  /** `base` is the size that the run declared. A first start wants exactly that size, a resume at least. Throws E_CHANNEL_OPEN, E_CHANNEL_CHANGED. */
  static async open(path: string, options: { readonly channel: string; readonly base: number; readonly resume: boolean }): Promise<FileAppend> {
    const { O_RDWR, O_CREAT, O_NONBLOCK } = fs.constants;
    const file = await HostFile.open(path, { channel: options.channel, flags: O_RDWR | O_NONBLOCK | (options.resume ? 0 : O_CREAT) });
    try {
      if (!(await file.stat()).isFile()) throw file.trouble('E_CHANNEL_OPEN', 'it is not a regular file');
      const { sizeBytes } = await file.identity();
      if (sizeBytes < options.base || (!options.resume && sizeBytes !== options.base)) {
        throw file.trouble('E_CHANNEL_CHANGED', `it has ${sizeBytes} bytes now and had ${options.base}`);
      }
      return new FileAppend(file, options.base, sizeBytes);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async read(wanted: Wanted): Promise<Uint8Array> {
    const length = Math.max(0, Math.min(wanted.length, this.#base - wanted.offset));
    const bytes = length === 0 ? new Uint8Array(0) : await this.#file.read(wanted.offset, length);
    if (bytes.length !== length) throw this.#file.trouble('E_CHANNEL_CHANGED', 'the file became shorter under the run');
    return bytes;
  }

  async write(operations: readonly OutputOperation[]): Promise<void> {
    if ((await this.#file.identity()).sizeBytes !== this.#sizeBytes) throw this.#file.trouble('E_CHANNEL_CHANGED', 'another process wrote to the file');
    for (const operation of operations) {
      assert(operation.kind === 'write', 'an append channel is not truncated');
      const offset = this.#base + operation.offset;
      assert(offset <= this.#sizeBytes, 'appended bytes leave no gap');
      await this.#file.write(offset, operation.bytes);
      this.#sizeBytes = Math.max(this.#sizeBytes, offset + operation.bytes.length);
    }
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async rewind(position: number): Promise<number> {
    const end = this.#base + position;
    const { sizeBytes } = await this.#file.identity();
    if (sizeBytes < end) throw this.#file.trouble('E_OUTPUT_DAMAGED', `it has ${sizeBytes} bytes where the run wrote up to ${end}`);
    if (sizeBytes > end) await this.#file.truncate(end);
    this.#sizeBytes = end;
    return position;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
