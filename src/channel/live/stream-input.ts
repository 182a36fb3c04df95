/**
 * Input from a pipe, socket or terminal, through a Node stream in paused mode.
 * Invariants: bytes leave the stream's buffer only as an answer to read(), so none are lost when nobody wants them; the stream stops by
 * itself when its small buffer is full; after close() the stream does not keep the process alive, and what it still holds stays in it.
 * What this does NOT do: regular files and devices (file-input.ts, descriptor-port.ts), going back.
 */
import type { Readable } from 'node:stream';
import { assert, StillpointError } from '../../core/index.ts';
import type { HostPort, Wanted } from '../port.ts';
import { hostError } from './host-file.ts';
import { unwritable } from './one-way.ts';

/** Streams with a handle in the event loop. */
interface Referable { ref?(): unknown; unref?(): unknown }

export interface StreamInputOptions {
  readonly channel: string;
  /** For messages. */
  readonly path: string;
  /** Stream position of the first byte that this source gives; earlier wishes are skipped over up to it. */
  readonly startsAt?: number;
  /** The port is the only user: close() destroys the stream. */
  readonly owned?: boolean;
}

export class StreamInput implements HostPort {
  readonly #stream: Readable & Referable;
  readonly #options: StreamInputOptions;
  #position: number;
  #failure: unknown;
  #isClosed = false;
  #wake: (() => void) | undefined;
  readonly #onEvent = (): void => this.#wake?.();
  readonly #onError = (error: Error): void => {
    this.#failure ??= error;
    this.#wake?.();
  };

  constructor(stream: Readable & Referable, options: StreamInputOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#position = options.startsAt ?? 0;
    stream.on('error', this.#onError);
    for (const event of ['readable', 'end', 'close']) stream.on(event, this.#onEvent);
    stream.ref?.();
  }

  async read(wanted: Wanted): Promise<Uint8Array | undefined> {
    assert(wanted.length > 0, 'wanted input is not empty');
    if (wanted.offset < this.#position) {
      throw this.#trouble('E_CHANNEL_READ', `a pipe cannot go back from position ${this.#position} to ${wanted.offset}`);
    }
    while (this.#position < wanted.offset) {
      const skipped = await this.#next(wanted.offset - this.#position);
      if (skipped === undefined) throw this.#trouble('E_CHANNEL_CHANGED', `the input ended at ${this.#position}, before the ${wanted.offset} bytes that were read earlier`);
      this.#position += skipped.length;
    }
    const bytes = await this.#next(wanted.length);
    this.#position += bytes?.length ?? 0;
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
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const event of ['readable', 'end', 'close']) this.#stream.off(event, this.#onEvent);
    if (this.#options.owned === true) {
      // Late errors of a stream that nobody reads any more are nobody's.
      this.#stream.destroy();
    } else {
      this.#stream.off('error', this.#onError);
      this.#stream.pause();
      this.#stream.unref?.();
    }
    this.#wake?.();
  }

  /** At least one byte and at most `length`; undefined at the end. */
  async #next(length: number): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#isClosed) throw this.#trouble('E_CHANNEL_CLOSED', 'the port was closed');
      const available = this.#stream.readableLength;
      const bytes: unknown = this.#stream.read(available > 0 ? Math.min(available, length) : undefined);
      if (bytes instanceof Uint8Array && bytes.length > 0) return bytes.length <= length ? detach(bytes) : this.#putBack(bytes, length);
      if (this.#failure !== undefined) throw hostError(this.#failure, { fallback: 'E_CHANNEL_READ', channel: this.#options.channel, path: this.#options.path });
      if (this.#stream.readableEnded || this.#stream.destroyed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  /** read() without a size may give all there is, more than wanted. */
  #putBack(bytes: Uint8Array, length: number): Uint8Array {
    this.#stream.unshift(bytes.subarray(length));
    return detach(bytes.subarray(0, length));
  }

  #trouble(code: 'E_CHANNEL_READ' | 'E_CHANNEL_CHANGED' | 'E_CHANNEL_CLOSED', what: string): StillpointError {
    return new StillpointError(code, `channel ${this.#options.channel} (${this.#options.path}): ${what}`, { data: { channel: this.#options.channel } });
  }
}

/** A copy with its own buffer: stream buffers are slices of pools that live long. */
function detach(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
