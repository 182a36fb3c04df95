/**
 * Channels from and to a node that runs several times over.
 *
 *   a-0.r0 ─┐                             VotingInput: bytes are read only when a majority of the replicas has written the same ones;
 *   a-0.r1 ─┼─► VotingInput ─► b-0        who wrote others is named and heard no more; who lags is skipped forward
 *   a-0.r2 ─┘
 *            b-0 ─► FanOutput ─► c-0.r0, c-0.r1, …     every replica gets everything
 *
 * Invariants: nothing is ever chosen without a majority of all replicas: two can only detect (E_REPLICAS_DIFFER), three correct one; what is read is the same
 * whoever is late. What this does NOT do: compare what was already read when a late replica wrote it (its root is compared when it ends).
 */
import { assert, limits, StillpointError } from '../core/index.ts';
import type { OutputOperation, Wanted } from '../channel/index.ts';
import type { PeerInput } from './peer-input.ts';
import type { PeerOutput } from './peer-output.ts';
import { InputPort, OutputPort } from './peer-port.ts';

/** A replica that wrote something else than the majority. */
export type OnDissent = (node: string, what: string) => void;

interface Source {
  readonly input: PeerInput;
  /** Bytes that are not voted on yet, from `position` on. */
  bytes: Uint8Array | undefined;
  position: number;
  isEnded: boolean;
  isOut: boolean;
  pending: Promise<void> | undefined;
}

/** From so many replicas on one that ends badly is outvoted. */
export const VOTERS_MIN = 3;

/** How many of `replicas` make a majority. */
export function quorumOf(replicas: number): number {
  return Math.floor(replicas / 2) + 1;
}

export class VotingInput extends InputPort {
  readonly #sources: readonly Source[];
  readonly #onDissent: OnDissent;
  readonly #hasMessages: boolean;
  #position: number;
  #durable: number;

  constructor(inputs: readonly PeerInput[], { position, onDissent }: { readonly position: number; readonly onDissent: OnDissent }) {
    super();
    assert(inputs.length > 1, 'a vote has more than one voter');
    this.#sources = inputs.map((input) => ({ input, bytes: undefined, position, isEnded: false, isOut: false, pending: undefined }));
    this.#onDissent = onDissent;
    this.#hasMessages = inputs[0]!.link.hasMessages;
    this.#position = this.#durable = position;
  }

  async read(wanted: Wanted): Promise<Uint8Array | undefined> {
    assert(wanted.offset === this.#position, 'a vote goes on where it was');
    for (;;) {
      const agreed = this.#vote(wanted.length);
      if (agreed !== undefined) return agreed === 'end' ? undefined : agreed;
      await this.#hearMore();
    }
  }

  async close(): Promise<void> {
    for (const { input } of this.#sources) await input.close();
  }

  get wantsCommit(): boolean {
    return this.#position - this.#durable >= this.#sources[0]!.input.link.windowBytes / 2;
  }

  /** Nobody, late or not, needs to send what is durable. */
  acknowledge(position: number): void {
    this.#durable = position;
    for (const { input } of this.#sources) {
      input.skip(position);
      input.acknowledge(position);
    }
  }

  discard(): void {
    for (const { input } of this.#sources) input.discard();
  }

  #vote(length: number): Uint8Array | 'end' | undefined {
    for (const source of this.#sources) this.#trim(source);
    const voters = this.#sources.filter((source) => !source.isOut && (source.bytes !== undefined || source.isEnded));
    const compared = this.#hasMessages ? Infinity : Math.min(length, ...voters.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes.length])));
    const winners = voters.map((voter) => voters.filter((other) => isSame(voter, other, compared))).find((group) => group.length >= quorumOf(this.#sources.length));
    if (winners === undefined) return undefined;
    for (const voter of voters) if (!winners.includes(voter)) this.#exclude(voter);
    const { bytes } = winners[0]!;
    if (bytes === undefined) return 'end';
    const agreed = bytes.subarray(0, Math.min(bytes.length, compared));
    this.#position += agreed.length;
    return agreed;
  }

  /** What was voted on already is not looked at again. */
  #trim(source: Source): void {
    if (source.bytes === undefined || source.position >= this.#position) return;
    const known = this.#position - source.position;
    source.bytes = known < source.bytes.length ? source.bytes.subarray(known) : undefined;
    source.position = this.#position;
  }

  #exclude(source: Source): void {
    source.isOut = true;
    source.input.discard();
    this.#onDissent(source.input.link.from, `from byte ${this.#position} on it wrote something else to ${source.input.link.to} than the other replicas`);
  }

  /** Waits until one more replica has written something, or ended. */
  async #hearMore(): Promise<void> {
    const silent = this.#sources.filter((source) => !source.isOut && !source.isEnded && source.bytes === undefined);
    if (silent.length === 0) throw this.#differ();
    for (const source of silent) source.pending ??= this.#hear(source);
    await Promise.race(silent.map(({ pending }) => pending));
  }

  async #hear(source: Source): Promise<void> {
    const bytes = await source.input.read({ offset: source.input.taken, length: limits.CHUNK_BYTES });
    source.pending = undefined;
    source.bytes = bytes;
    source.isEnded = bytes === undefined;
    source.position = source.input.taken - (bytes?.length ?? 0);
  }

  #differ(): StillpointError {
    const nodes = this.#sources.map(({ input }) => input.link.from);
    const { to } = this.#sources[0]!.input.link;
    return new StillpointError('E_REPLICAS_DIFFER', `the replicas ${nodes.join(', ')} wrote different bytes to ${to} at byte ${this.#position}, and no majority agrees; replay each of them to find the one that is wrong`, { data: { nodes: nodes.join(' '), position: this.#position } });
  }
}

function isSame(a: Source, b: Source, length: number): boolean {
  if (a.bytes === undefined || b.bytes === undefined) return a.bytes === b.bytes;
  if (length === Infinity && a.bytes.length !== b.bytes.length) return false;
  const count = Math.min(length, a.bytes.length);
  for (let index = 0; index < count; index++) if (a.bytes[index] !== b.bytes[index]) return false;
  return true;
}

export class FanOutput extends OutputPort {
  readonly #outputs: readonly PeerOutput[];

  constructor(outputs: readonly PeerOutput[]) {
    super();
    this.#outputs = outputs;
  }

  get written(): number {
    return this.#outputs[0]!.written;
  }

  async write(operations: readonly OutputOperation[]): Promise<void> {
    await Promise.all(this.#outputs.map((output) => output.write(operations)));
  }

  async close(): Promise<void> {
    for (const output of this.#outputs) await output.close();
  }

  async finish(): Promise<boolean> {
    return (await Promise.all(this.#outputs.map((output) => output.finish()))).every((isDone) => isDone);
  }
}
