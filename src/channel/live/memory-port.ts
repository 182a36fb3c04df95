/**
 * Ports over bytes in memory, for tests and embedding: the twins of the file and stream ports.
 * Invariants: the same conformance suite as the real ones (test/channel/port-conformance.ts). What this does NOT do: share bytes; what goes
 * in and comes out is copied.
 */
import { assert, StillpointError } from '../../core/index.ts';
import type { HostPort, OutputOperation, Wanted } from '../port.ts';

/** A stream of input. `chunkBytes` is the most that one read gives, as a slow sender would cut it. */
export class MemoryInput implements HostPort {
  readonly #content: Uint8Array;
  readonly #chunkBytes: () => number;

  constructor(content: Uint8Array, options: { readonly chunkBytes?: () => number } = {}) {
    this.#content = content.slice();
    this.#chunkBytes = options.chunkBytes ?? (() => Number.MAX_SAFE_INTEGER);
  }

  async read(wanted: Wanted): Promise<Uint8Array | undefined> {
    const length = Math.min(wanted.length, Math.max(1, this.#chunkBytes()));
    const bytes = this.#content.slice(wanted.offset, wanted.offset + length);
    return bytes.length === 0 ? undefined : bytes;
  }

  async write(): Promise<void> {
    assert(false, 'an input port is not written');
  }

  async sync(): Promise<void> {}

  async rewind(position: number): Promise<number> {
    return position;
  }

  async close(): Promise<void> {}
}

/** A file in memory. `access` tells how output positions lie: sequential and append behind what was there (`base`), random at offsets. */
export class MemoryFile implements HostPort {
  readonly #access: 'sequential' | 'append' | 'random';
  readonly #base: number;
  #content: Uint8Array;

  constructor(access: 'sequential' | 'append' | 'random', content: Uint8Array = new Uint8Array(0)) {
    this.#access = access;
    this.#content = content.slice();
    this.#base = access === 'random' ? 0 : content.length;
  }

  /** A copy of the whole content. */
  get bytes(): Uint8Array {
    return this.#content.slice();
  }

  async read(wanted: Wanted): Promise<Uint8Array> {
    return this.#content.slice(wanted.offset, wanted.offset + wanted.length);
  }

  async write(operations: readonly OutputOperation[]): Promise<void> {
    for (const operation of operations) {
      if (operation.kind === 'truncate') {
        this.#resize(operation.size);
        continue;
      }
      const offset = this.#base + operation.offset;
      if (offset + operation.bytes.length > this.#content.length) this.#resize(offset + operation.bytes.length);
      this.#content.set(operation.bytes, offset);
    }
  }

  async sync(): Promise<void> {}

  async rewind(position: number): Promise<number> {
    if (this.#access === 'random') return position;
    if (this.#content.length < this.#base + position) throw new StillpointError('E_OUTPUT_DAMAGED', 'the memory file is shorter than what the run wrote');
    this.#resize(this.#base + position);
    return position;
  }

  async close(): Promise<void> {}

  #resize(size: number): void {
    const next = new Uint8Array(size);
    next.set(this.#content.subarray(0, size));
    this.#content = next;
  }
}
