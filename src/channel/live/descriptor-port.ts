/**
 * Whatever is read and written where its descriptor stands: character devices that are no terminal (/dev/null, /dev/zero, /dev/full), and a
 * file that takes standard output and standard error together or that the shell opened for appending.
 * Invariants: bytes go out once, in order, also when a write failed half way and is tried again. What this does NOT do: go back, or wait without polling for a device that is full.
 */
import { assert } from '../../core/index.ts';
import type { HostPort, OutputOperation, Wanted } from '../port.ts';
import type { HostFile } from './host-file.ts';

export class DescriptorPort implements HostPort {
  readonly #file: HostFile;
  #written: number;

  constructor(file: HostFile) {
    this.#file = file;
    this.#written = 0;
  }

  async read(wanted: Wanted): Promise<Uint8Array | undefined> {
    const bytes = await this.#file.read(null, wanted.length);
    return bytes.length === 0 ? undefined : bytes;
  }

  async write(operations: readonly OutputOperation[]): Promise<void> {
    for (const operation of operations) {
      assert(operation.kind === 'write', 'a device is not truncated');
      const held = this.#written - operation.offset;
      assert(held >= 0, 'output leaves no gap');
      if (held >= operation.bytes.length) continue;
      await this.#file.write(null, operation.bytes.subarray(held), (count) => {
        this.#written += count;
      });
    }
  }

  async sync(): Promise<void> {}

  async rewind(position: number): Promise<number> {
    this.#written = Math.max(position, this.#written);
    return this.#written;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
