/**
 * `replay` of a whole cluster: every node is executed again from its own journal, alone, and what it writes to others is compared byte for byte with what
 * their journals say they read.
 *
 *   journal of a ─► a again ─► what it writes to b ──┐
 *   journal of b ─► b again                          ├─ equal?     every byte between two nodes is looked at from both ends
 *                 └─ what it read of a ──────────────┘
 *
 * Invariants: the store is only read; nodes in the order of their names; the first difference ends it with E_DIVERGED_*, naming node, channel and byte.
 * What this does NOT do: the comparison of a node with its own record (session/verifier.ts).
 */
import { StillpointError } from '../core/index.ts';
import type { OutputOperation } from '../channel/index.ts';
import { InputIndex, type InputEntry } from '../journal/index.ts';
import { decodeManifest } from '../manifest/index.ts';
import { peersOfRun, replayStored, withStore, type EngineName, type ReplayResult, type SessionHooks } from '../session/index.ts';
import { openJournal, readRun, type StoreContext } from '../txn/index.ts';
import { membersOf } from './members.ts';

export interface ClusterReplayRequest { readonly cluster: string; readonly store?: string | undefined; readonly engine?: EngineName | undefined; readonly comparesFiles: boolean }

export interface ClusterReplay {
  readonly cluster: string;
  readonly isIdentical: true;
  readonly nodes: readonly ReplayResult[];
  /** Channels between nodes, and bytes that were compared at both ends. */
  readonly channels: number;
  readonly bytes: number;
}

/** Verifies a cluster. Throws E_DIVERGED_* for a difference, other codes for damage. */
export async function replayCluster({ cluster, store, engine, comparesFiles }: ClusterReplayRequest, hooks: (node: string) => SessionHooks): Promise<ClusterReplay> {
  return withStore(store, 'read-only', async (context) => {
    const members = membersOf(context, cluster);
    if (members.length === 0) throw new StillpointError('E_RUN_UNKNOWN', `the store holds no run of cluster ${cluster}`, { data: { cluster } });
    const ends = readingEnds(context, members, cluster);
    const nodes: ReplayResult[] = [];
    for (const name of members) {
      const mine = ends.filter(({ writer }) => writer === name);
      const onOutput = (operations: readonly OutputOperation[]): void => { for (const operation of operations) for (const end of mine) end.compare(operation); };
      nodes.push(await replayStored(context, { name, engine, comparesFiles, onOutput }, hooks(name)));
      for (const end of mine) end.mustBeComplete();
    }
    return { cluster, isIdentical: true, nodes, channels: ends.length, bytes: ends.reduce((sum, { position }) => sum + position, 0) };
  });
}

function readingEnds(context: StoreContext, members: readonly string[], cluster: string): readonly ReadingEnd[] {
  return members.flatMap((reader) => {
    const record = readRun(context, reader);
    const peers = peersOfRun(record);
    const journal = openJournal(context, record);
    const access = new Map(decodeManifest(journal.genesis().manifest).channels.map((spec) => [spec.name, spec]));
    const inputs = new InputIndex(journal, (name) => access.get(name)?.access !== 'sequential');
    // A channel has one number at all its ends; a writer that runs several times over has it in each of its runs.
    return [...peers].filter(([channel]) => access.get(channel)?.reads === true).flatMap(([channel, { link }]) =>
      members.flatMap((writer) => [...peersOfRun(readRun(context, writer))].filter(([name, other]) => other.link === link && name !== channel).filter(([name]) => isOutput(context, writer, name))
        .map(([name]) => new ReadingEnd({ cluster, reader, channel, inputs, writer, writes: name }))));
  });
}

function isOutput(context: StoreContext, run: string, channel: string): boolean {
  const { channels } = decodeManifest(openJournal(context, readRun(context, run)).genesis().manifest);
  return channels.some((spec) => spec.name === channel && spec.writes);
}

interface EndParts { readonly cluster: string; readonly reader: string; readonly channel: string; readonly inputs: InputIndex; readonly writer: string; readonly writes: string }

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

  #differs(at: number, what: string): StillpointError {
    const { reader, channel, writer, writes } = this.#parts;
    return new StillpointError('E_DIVERGED_OUTPUT', `run ${writer} writes ${what} run ${reader} has read: channel ${writes} to ${channel}, byte ${at}`, { data: { run: writer, channel: writes, reader, position: at } });
  }
}
