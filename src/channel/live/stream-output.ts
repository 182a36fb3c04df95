/**
 * Output to a pipe, socket or terminal, through a Node stream: the event loop waits for a full pipe, write() waits for the event loop.
 * Invariants: bytes go out in order, once; what the reader is known to hold (`position`) is skipped when it is written again.
 * What this does NOT do: take anything back. A reader that went away is E_CHANNEL_CLOSED.
 */
import type { Writable } from 'node:stream';
import { assert } from '../../core/index.ts';
import type { HostPort, OutputOperation } from '../port.ts';
import { hostError } from './host-file.ts';
import { unreadable } from './one-way.ts';

export interface StreamOutputOptions {
  readonly channel: string;
  readonly path: string;
  /** Stream position up to which the reader holds all bytes already; undefined: what the run committed. */
  readonly readerHolds?: number;
  readonly owned?: boolean;
}

export class StreamOutput implements HostPort {
  readonly #stream: Writable;
  readonly #options: StreamOutputOptions;
  #position: number;
  #failure: unknown;
  readonly #onError = (error: Error): void => {
    this.#failure ??= error;
  };

  constructor(stream: Writable, options: StreamOutputOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#position = options.readerHolds ?? 0;
    stream.on('error', this.#onError);
  }

  async read(): Promise<undefined> {
    unreadable();
  }

  async write(operations: readonly OutputOperation[]): Promise<void> {
    for (const operation of operations) {
      assert(operation.kind === 'write', 'a stream is not truncated');
      const held = this.#position - operation.offset;
      assert(held >= 0, 'output to a stream leaves no gap');
      if (held >= operation.bytes.length) continue;
      await this.#send(held === 0 ? operation.bytes : operation.bytes.subarray(held));
      this.#position = operation.offset + operation.bytes.length;
    }
  }

  async sync(): Promise<void> {}

  async rewind(position: number): Promise<number> {
    this.#position = Math.max(position, this.#options.readerHolds ?? position);
    return this.#position;
  }

  async close(): Promise<void> {
    if (this.#options.owned === true) {
      await new Promise<void>((resolve) => {
        if (this.#stream.destroyed) return resolve();
        this.#stream.once('close', resolve);
        this.#stream.end(() => this.#stream.destroy());
      });
      return;
    }
    this.#stream.off('error', this.#onError);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve, reject) => {
        this.#stream.write(bytes, (error) => (error === null || error === undefined ? resolve() : reject(error)));
      });
    } catch (error) {
      throw hostError(error, { fallback: 'E_CHANNEL_WRITE', channel: this.#options.channel, path: this.#options.path });
    }
  }
}
