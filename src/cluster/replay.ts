/**
 * `replay` of a whole cluster: every node is executed again from its own journal, alone, and what it writes to others is compared byte for byte with what
 * their journals say they read.
 *
 *   journal of a ─► a again ─► what it writes to b ──┐
 *   journal of b ─► b again                          ├─ equal?     every byte between two nodes is looked at from both ends
 *                 └─ what it read of a ──────────────┘
 *
 * Invariants: the store is only read; nodes in the order of their names; the first difference ends it with E_DIVERGED_*, naming node, channel and byte.
 * What nodes in other stores have read comes as digests (readings.ts). What this does NOT do: the comparison of a node with its own record (session/verifier.ts).
 */
import { StillpointError } from '../core/index.ts';
import type { OutputOperation } from '../channel/index.ts';
import type { InputEntry, InputIndex } from '../journal/index.ts';
import { replayStored, withStore, type EngineName, type ReplayResult, type SessionHooks } from '../session/index.ts';
import type { StoreContext } from '../txn/index.ts';
import { membersOf } from './members.ts';
import { channelEnds, inputsOf, ReadElsewhere, type BlockDifference, type ChannelEnd, type Reading } from './readings.ts';

export interface ClusterReplayRequest { readonly cluster: string; readonly store?: string | undefined; readonly engine?: EngineName | undefined; readonly comparesFiles: boolean }

export interface ClusterReplay {
  readonly cluster: string;
  readonly isIdentical: true;
  readonly nodes: readonly ReplayResult[];
  /** Channels between nodes, and bytes that were compared at both ends. */
  readonly channels: number;
  readonly bytes: number;
}

/** Verifies a cluster of which this store has all nodes, or those of one host. Throws E_DIVERGED_* for a difference, other codes for damage. */
export async function replayCluster({ cluster, store, engine, comparesFiles }: ClusterReplayRequest, hooks: (node: string) => SessionHooks): Promise<ClusterReplay> {
  return withStore(store, 'read-only', async (context) => {
    const members = membersOf(context, cluster);
    if (members.length === 0) throw new StillpointError('E_RUN_UNKNOWN', `the store holds no run of cluster ${cluster}`, { data: { cluster } });
    const { nodes, channels, bytes } = await replayMembers(context, { members, engine, comparesFiles, readings: [] }, hooks);
    return { cluster, isIdentical: true, nodes, channels, bytes };
  });
}

export interface MembersReplayRequest extends Pick<ClusterReplayRequest, 'engine' | 'comparesFiles'> {
  readonly members: readonly string[];
  /** What nodes in other stores have read of these. */
  readonly readings: readonly Reading[];
}

/** `difference`: the first that shows in the readings; then the nodes behind it were not executed. */
export interface MembersReplay extends Pick<ClusterReplay, 'nodes' | 'channels' | 'bytes'> { readonly difference: BlockDifference | undefined }

/** Verifies the nodes of one store, in order, and all that they have read of each other. Throws as replayCluster(). */
export async function replayMembers(context: StoreContext, { members, engine, comparesFiles, readings }: MembersReplayRequest, hooks: (node: string) => SessionHooks): Promise<MembersReplay> {
  const all = channelEnds(context, members);
  const writers = all.filter(({ reads }) => !reads);
  const near = readingEnds(context, all);
  const far = readings.flatMap((reading) => writers.filter(({ link }) => link === reading.link).map((writer) => new ReadElsewhere(context.digests, reading, writer)));
  const sum = (ends: readonly { readonly position: number }[]): number => ends.reduce((total, { position }) => total + position, 0);
  const nodes: ReplayResult[] = [];
  for (const name of members) {
    const mine = near.filter(({ writer }) => writer === name);
    const away = far.filter(({ writer }) => writer === name);
    const onOutput = (operations: readonly OutputOperation[]): void => { for (const operation of operations) for (const end of [...mine, ...away]) end.compare(operation); };
    nodes.push(await named(name, replayStored(context, { name, engine, comparesFiles, onOutput }, hooks(name))));
    for (const end of mine) end.mustBeComplete();
    for (const end of away) end.finish();
    const difference = away.find((end) => end.difference !== undefined)?.difference;
    if (difference !== undefined) return { nodes, channels: 0, bytes: 0, difference };
  }
  return { nodes, channels: near.length + far.length, bytes: sum(near) + sum(far), difference: undefined };
}

/** Of many nodes, what is wrong is said with the name of the one. */
async function named<Result>(run: string, action: Promise<Result>): Promise<Result> {
  try {
    return await action;
  } catch (error) {
    if (!(error instanceof StillpointError) || error.message.includes(run)) throw error;
    throw new StillpointError(error.code, `run ${run}: ${error.message}`, { data: { ...error.data, run }, cause: error });
  }
}

/** A channel has one number at all its ends; a writer that runs several times over has it in each of its runs. */
function readingEnds(context: StoreContext, ends: readonly ChannelEnd[]): readonly ReadingEnd[] {
  const inputs = new Map<string, InputIndex>();
  return ends.filter(({ reads }) => reads).flatMap(({ run: reader, channel, link }) => ends.filter((other) => !other.reads && other.link === link).map(({ run: writer, channel: writes }) => {
    if (!inputs.has(reader)) inputs.set(reader, inputsOf(context, reader));
    return new ReadingEnd({ reader, channel, inputs: inputs.get(reader)!, writer, writes });
  }));
}

/** The error of a difference between what was written again and what was read. */
export function differs({ writer, writes, reader, reads }: Omit<BlockDifference, 'offset' | 'bytes'>, at: number, what: 'other bytes than' | 'fewer bytes than'): StillpointError {
  return new StillpointError('E_DIVERGED_OUTPUT', `run ${writer} writes ${what} run ${reader} has read: channel ${writes} to ${reads}, byte ${at}`, { data: { run: writer, channel: writes, reader, position: at } });
}

interface EndParts { readonly reader: string; readonly channel: string; readonly inputs: InputIndex; readonly writer: string; readonly writes: string }

/** What one node has read of another, compared with what that one writes. */
class ReadingEnd {
  readonly #parts: EndParts;
  readonly #pieces: Iterator<InputEntry>;
  #piece: { readonly offset: number; readonly bytes: Uint8Array } | undefined;
  /** Bytes that were compared. */
  position = 0;

  constructor(parts: EndParts) {
    this.#parts = parts;
    this.#pieces = parts.inputs.pieces(parts.channel, 0);
  }

  get writer(): string {
    return this.#parts.writer;
  }

  compare(operation: OutputOperation): void {
    if (operation.channel !== this.#parts.writes || operation.kind !== 'write') return;
    const { offset, bytes } = operation;
    while (this.position < offset + bytes.length) {
      const piece = this.#pieceAt(this.position);
      if (piece === undefined) return; // The reader took no more.
      const count = Math.min(offset + bytes.length, piece.offset + piece.bytes.length) - this.position;
      for (let index = 0; index < count; index++) if (bytes[this.position - offset + index] !== piece.bytes[this.position - piece.offset + index]) throw this.#differs(this.position + index, 'other bytes than');
      this.position += count;
    }
  }

  /** The reader has nothing that the writer did not write. */
  mustBeComplete(): void {
    if (this.#pieceAt(this.position) !== undefined) throw this.#differs(this.position, 'fewer bytes than');
  }

  #pieceAt(position: number): { readonly offset: number; readonly bytes: Uint8Array } | undefined {
    while (this.#piece === undefined || this.#piece.offset + this.#piece.bytes.length <= position) {
      const next = this.#pieces.next();
      if (next.done === true) return undefined;
      this.#piece = { offset: next.value.offset, bytes: this.#parts.inputs.bytes(next.value) };
    }
    return this.#piece;
  }

  #differs(at: number, what: Parameters<typeof differs>[2]): StillpointError {
    const { reader, channel, writer, writes } = this.#parts;
    return differs({ writer, writes, reader, reads: channel }, at, what);
  }
}
