/**
 * How output leaves: the outbox is released only when the inputs it depends on are durable (output commit).
 *
 *   begin():    commit { journal tail, intended = written } ─► host ports write ─► delivered = intended      (recorded by the next commit;
 *                 guest may run on                                                                  at once where it cannot be put back)
 *   settle():   host ports sync ─► synced = delivered                                                       (a checkpoint relies on it)
 *
 * Invariants: nothing reaches a host port before what it depends on is durable; one release at a time; synced <= delivered <= intended. Output to peers that know what they hold is
 * committed with the next input or checkpoint: until then it is a function of what is durable already. In an ephemeral session there is no commit.
 * What this does NOT do: decide when to release; retry a failed sink (the session stops, the run can be resumed).
 */
import { assert, type InstructionCount } from '../core/index.ts';
import type { ChannelSet, HostPort, OutputOperation } from '../channel/index.ts';
import type { OutputPosition, OutputPositions } from '../txn/index.ts';
import type { Recording } from './recording.ts';

export interface OutletParts {
  readonly channels: ChannelSet;
  readonly ports: ReadonlyMap<string, HostPort>;
  readonly recording: Recording | undefined;
  /** Channels whose sinks cannot be put back (pipes, terminals): what they have taken is recorded at once. */
  readonly forgetful: ReadonlySet<string>;
  /** Positions of a resumed run, when they are beyond what the restored guest has written. */
  readonly positions?: OutputPositions;
}

export class Outlet {
  readonly #channels: ChannelSet;
  readonly #ports: ReadonlyMap<string, HostPort>;
  readonly #recording: Recording | undefined;
  readonly #forgetful: ReadonlySet<string>;
  readonly #positions = new Map<string, OutputPosition>();
  /** Channels written since the last commit. */
  readonly #unrecorded = new Set<string>();
  /** The release that is under way. Never rejects. */
  #flight: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isClosed = false;

  constructor({ channels, ports, recording, forgetful, positions }: OutletParts) {
    this.#channels = channels;
    this.#ports = ports;
    this.#recording = recording;
    this.#forgetful = forgetful;
    for (const channel of channels) {
      const { name } = channel.spec;
      const position = channel.bytesWritten;
      if (channel.spec.writes) this.#positions.set(name, positions?.get(name) ?? { synced: position, delivered: position, intended: position });
    }
  }

  /** Bytes of all channels that the host has taken, for progress. */
  get deliveredBytes(): number {
    let sum = 0;
    for (const { delivered } of this.#positions.values()) sum += delivered;
    return sum;
  }

  get positions(): OutputPositions {
    return this.#positions;
  }

  /** The release that is under way: resolves when it is over, however it ended. */
  get underWay(): Promise<void> | undefined {
    return this.#flight;
  }

  /** Resolves when no release is under way. Throws what the last one failed with. */
  async idle(): Promise<void> {
    await this.#flight;
    this.mustBeWell();
  }

  /** Throws what a release failed with. */
  mustBeWell(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** The session is over: what has not left yet does not leave any more. */
  close(): void {
    this.#isClosed = true;
  }

  /**
   * Commits what is journaled so far and hands the outbox to the host, which may take its time. Resolves when that is under way and the guest may run on; `onDurable` is called when the
   * journal up to here is.
   */
  async begin(at: InstructionCount, onDurable: () => void): Promise<void> {
    await this.idle();
    await this.#recording?.settle();
    assert(this.#flight === undefined, 'one release at a time');
    const operations = this.#channels.takeOutput();
    const written = [...new Set(operations.map(({ channel }) => channel))];
    for (const name of written) this.#advance(name, (position) => ({ ...position, intended: Math.max(position.intended, this.#channels.get(name)!.bytesWritten) }));
    if (this.#recording !== undefined) for (const name of written) this.#unrecorded.add(name);
    const isDependent = this.#recording?.hasPending === true || written.some((name) => this.#ports.get(name)?.keepsPosition !== true);
    const ends = new Map(written.map((name) => [name, this.#channels.get(name)!.bytesWritten]));
    this.#flight = this.#land(this.#leave(operations, { at, ends, durable: isDependent ? this.#record(at) : undefined, onDurable }));
  }

  async #leave(operations: readonly OutputOperation[], { at, ends, durable, onDurable }: { readonly at: InstructionCount; readonly ends: ReadonlyMap<string, number>; readonly durable: Promise<void> | undefined; readonly onDurable: () => void }): Promise<void> {
    if (durable !== undefined) await durable;
    onDurable();
    for (const [name, end] of ends) {
      if (this.#isClosed) return;
      await this.#ports.get(name)?.write(operations.filter(({ channel }) => channel === name));
      this.#advance(name, (position) => ({ ...position, delivered: Math.max(position.delivered, end) }));
    }
    this.#channels.recycleOutput();
    if (this.#recording === undefined || this.#isClosed || ![...ends.keys()].some((name) => this.#forgetful.has(name))) return;
    await this.#recording.commitTail(at, { written: [], outputs: this.#positions });
  }

  async #land(release: Promise<void>): Promise<void> {
    try {
      await release;
    } catch (error) {
      this.#failure = { error };
    }
    this.#flight = undefined;
  }

  #record(at: InstructionCount): Promise<void> | undefined {
    const written = [...this.#unrecorded];
    this.#unrecorded.clear();
    return this.#recording?.beginTail(at, { written, outputs: this.#positions });
  }

  /** Commits what no release has, and makes everything delivered durable at the sinks. Nothing is under way. */
  async settle(at: InstructionCount): Promise<void> {
    assert(this.#flight === undefined, 'what is settled has left');
    await this.#recording?.settle();
    if (this.#unrecorded.size > 0) await this.#record(at);
    for (const [name, { synced, delivered }] of this.#positions) {
      if (synced === delivered) continue;
      await this.#ports.get(name)?.sync();
      this.#advance(name, (position) => ({ ...position, synced: position.delivered }));
    }
  }

  #advance(name: string, change: (position: OutputPosition) => OutputPosition): void {
    this.#positions.set(name, change(this.#positions.get(name)!));
  }
}
