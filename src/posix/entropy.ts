/**
 * The guest's randomness: a seeded stream whose state is in the checkpoint, or bytes that the host supplies and the journal keeps.
 * What this does NOT do: read the host's randomness.
 */
import { EntropyStream, type Canonical, type EntropyState, type Undo } from '../core/index.ts';

export type EntropyMode = { readonly kind: 'seed'; readonly seed: Uint8Array } | { readonly kind: 'recorded' };
/** What core/prng.ts saves; `supplied` is what the host gave beyond what was taken. */
export interface EntropySaved { readonly seed: Uint8Array; readonly position: bigint; readonly supplied: Uint8Array }

export class Entropy {
  readonly #isRecorded: boolean;
  #stream: EntropyStream;
  #supplied: Uint8Array = new Uint8Array(0);
  /** Bytes that a call of this run asked for and did not get. */
  wanted = 0;

  constructor(mode: EntropyMode) {
    this.#isRecorded = mode.kind === 'recorded';
    this.#stream = new EntropyStream({ seed: mode.kind === 'seed' ? mode.seed : new Uint8Array(32), position: 0n });
  }

  /** The next bytes; undefined when the host must supply them first (the call answers BLOCKED). */
  take(length: number): Uint8Array | undefined {
    if (!this.#isRecorded) return this.#stream.take(length);
    if (this.#supplied.length < length) {
      this.wanted = length - this.#supplied.length;
      return undefined;
    }
    const bytes = this.#supplied.slice(0, length);
    this.#supplied = this.#supplied.slice(length);
    return bytes;
  }

  supply(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#supplied.length + bytes.length);
    joined.set(this.#supplied);
    joined.set(bytes, this.#supplied.length);
    this.#supplied = joined;
    this.wanted = 0;
  }

  /** Seed and position of the stream; nothing is taken. */
  state(): EntropyState {
    return this.#stream.state();
  }

  mark(): Undo {
    const [stream, state, supplied, wanted] = [this.#stream, this.#stream.state(), this.#supplied, this.wanted];
    return () => {
      this.#stream = stream.position === state.position ? stream : new EntropyStream(state);
      this.#supplied = supplied;
      this.wanted = wanted;
    };
  }

  encode(): Canonical {
    const { seed, position } = this.#stream.state();
    return { seed, position, supplied: this.#supplied };
  }

  decode(state: EntropySaved): void {
    this.#stream = new EntropyStream({ seed: state.seed, position: state.position });
    this.#supplied = state.supplied;
  }
}
