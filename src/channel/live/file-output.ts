/**
 * Sequential output to a regular file: `--out`, and standard output or error when the shell sent them to a file of their own.
 *
 *   file     [ what was there: base bytes ][ stream position 0 ... ]
 *
 * Invariants: stream position p lies at base + p; writing the same positions again changes nothing, so re-execution is harmless. The
 * descriptor of a standard stream is shared with the shell: its position follows what we write, so that the next command goes on behind us.
 * What this does NOT do: seek for the guest, create directories, replace files atomically.
 */
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { assert } from '../../core/index.ts';
import type { HostPort, OutputOperation } from '../port.ts';
import { HostFile, syncDirectory } from './host-file.ts';
import { unreadable } from './one-way.ts';

export class FileOutput implements HostPort {
  readonly #file: HostFile;
  /** File offset of stream position 0. */
  readonly base: number;
  /** Where a shared descriptor stands (kept up to date); undefined: not shared, or lost after a failed write. */
  #descriptorAt: number | undefined;
  readonly #appends: boolean;
  #isNew: boolean;

  /** `appends`: the descriptor was opened with O_APPEND, the kernel ignores offsets. */
  constructor(file: HostFile, options: { readonly base: number; readonly descriptorAt?: number; readonly appends?: boolean; readonly isNew?: boolean }) {
    this.#file = file;
    this.base = options.base;
    this.#descriptorAt = options.descriptorAt;
    this.#appends = options.appends ?? false;
    this.#isNew = options.isNew ?? false;
  }

  /** `resume` false: creates or empties the file. True: it must be there and is kept. Throws E_CHANNEL_OPEN, E_DISK_FULL. */
  static async open(path: string, options: { readonly channel: string; readonly resume: boolean }): Promise<FileOutput> {
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK } = fs.constants;
    const flags = O_WRONLY | O_NONBLOCK | (options.resume ? 0 : O_CREAT | O_TRUNC);
    const file = await HostFile.open(path, { channel: options.channel, flags });
    return new FileOutput(file, { base: 0, isNew: !options.resume });
  }

  async read(): Promise<undefined> {
    unreadable();
  }

  async write(operations: readonly OutputOperation[]): Promise<void> {
    for (const operation of operations) {
      assert(operation.kind === 'write', 'a stream is not truncated');
      const offset = this.base + operation.offset;
      if (this.#appends) await this.#appendRest(offset, operation.bytes);
      else if (this.#descriptorAt === offset) await this.#writeShared(offset, operation.bytes);
      else await this.#file.write(offset, operation.bytes);
    }
  }

  async sync(): Promise<void> {
    await this.#file.sync();
    if (!this.#isNew) return;
    await syncDirectory(dirname(this.#file.path));
    this.#isNew = false;
  }

  async rewind(position: number): Promise<number> {
    const { sizeBytes } = await this.#file.identity();
    if (sizeBytes < this.base + position) {
      throw this.#file.trouble('E_OUTPUT_DAMAGED', `it has ${sizeBytes} bytes where the run wrote up to ${this.base + position}`);
    }
    if (sizeBytes > this.base + position) await this.#file.truncate(this.base + position);
    return position;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #writeShared(offset: number, bytes: Uint8Array): Promise<void> {
    // A failure may leave the descriptor anywhere; from then on offsets are given.
    this.#descriptorAt = undefined;
    await this.#file.write(null, bytes);
    this.#descriptorAt = offset + bytes.length;
  }

  /** The kernel puts everything at the end: what is there already (re-execution, a write that failed half way) must not be given again. */
  async #appendRest(offset: number, bytes: Uint8Array): Promise<void> {
    const held = (await this.#file.identity()).sizeBytes - offset;
    if (held < 0) throw this.#file.trouble('E_OUTPUT_DAMAGED', 'the file became shorter than what the run wrote');
    if (held < bytes.length) await this.#file.write(null, bytes.subarray(held));
  }
}
