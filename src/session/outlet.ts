/**
 * How output leaves: the outbox is released only when the inputs it depends on are durable (output commit).
 *
 *   release():  commit { journal tail, intended = written } ─► host ports write ─► delivered = intended      (recorded by the next commit;
 *                                                                                                   at once where it cannot be put back)
 *   settle():   host ports sync ─► synced = delivered                                                       (a checkpoint relies on it)
 *
 * Invariants: nothing reaches a host port before what it depends on is durable; synced <= delivered <= intended. Output to peers that know what they hold is
 * committed with the next input or checkpoint: until then it is a function of what is durable already. In an ephemeral session there is no commit.
 * What this does NOT do: decide when to release; retry a failed sink (the session stops, the run can be resumed).
 */
import type { InstructionCount } from '../core/index.ts';
import type { ChannelSet, HostPort } from '../channel/index.ts';
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

  /** Commits what is journaled so far and hands the outbox to the host. Waits while the host is slow. */
  async release(at: InstructionCount): Promise<void> {
    const operations = this.#channels.takeOutput();
    const written = [...new Set(operations.map(({ channel }) => channel))];
    for (const name of written) this.#advance(name, (position) => ({ ...position, intended: Math.max(position.intended, this.#channels.get(name)!.bytesWritten) }));
    if (this.#recording !== undefined) for (const name of written) this.#unrecorded.add(name);
    if (this.#recording?.hasPending === true || written.some((name) => this.#ports.get(name)?.keepsPosition !== true)) await this.#record(at);
    for (const name of written) {
      await this.#ports.get(name)?.write(operations.filter(({ channel }) => channel === name));
      this.#advance(name, (position) => ({ ...position, delivered: Math.max(position.delivered, this.#channels.get(name)!.bytesWritten) }));
    }
    this.#channels.recycleOutput();
    if (this.#recording !== undefined && written.some((name) => this.#forgetful.has(name))) await this.#recording.commitTail(at, { written: [], outputs: this.#positions });
  }

  async #record(at: InstructionCount): Promise<void> {
    await this.#recording?.commitTail(at, { written: [...this.#unrecorded], outputs: this.#positions });
    this.#unrecorded.clear();
  }

  /** Commits what release() has not, and makes everything delivered durable at the sinks. */
  async settle(at: InstructionCount): Promise<void> {
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
