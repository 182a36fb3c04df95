/**
 * A session small enough to read, for crash tests: a deterministic guest that hashes unrepeatable input into output, a disk-like sink, and an
 * outside observer who never forgets a byte that was delivered. It follows the protocol of docs/formats/run.md step by step, and every
 * step can be the last one.
 */
import { createRun, openRun, recover, type OutputPosition, type RunWriter, type StoreContext } from '../../src/txn/index.ts';
import { MemoryStore, type StorePut } from '../../src/store/index.ts';
import { at, digests } from '../journal/support.ts';
import { allDead, newRun, owner } from './support.ts';
import { blobKey } from '../../src/journal/index.ts';

/** Thrown where the process dies; carries what the next process finds on disk. */
export class Crash extends Error {
  readonly store: MemoryStore;
  constructor(store: MemoryStore) {
    super('crash');
    this.store = store;
  }
}

/** A file behind a page cache, and someone who reads it as it grows. */
export class Sink {
  #bytes: number[] = [];
  #syncedLength = 0;
  /** Byte at each position the first time it was delivered; later deliveries must agree. */
  readonly observed: number[] = [];
  contradictions = 0;

  get length(): number {
    return this.#bytes.length;
  }

  write(position: number, bytes: Uint8Array): void {
    if (position !== this.#bytes.length) throw new Error(`the sink has ${this.#bytes.length} bytes, a write came for ${position}`);
    for (const byte of bytes) {
      const seen = this.observed[this.#bytes.length];
      if (seen !== undefined && seen !== byte) this.contradictions++;
      this.observed[this.#bytes.length] = byte;
      this.#bytes.push(byte);
    }
  }

  sync(): void {
    this.#syncedLength = this.#bytes.length;
  }

  truncate(position: number): void {
    if (this.#bytes.length < position) throw new Error(`the sink lost bytes that a checkpoint relies on: ${this.#bytes.length} of ${position}`);
    this.#bytes.length = position;
  }

  /** Power loss: any part of what was not synced may be gone. */
  loseTail(random: () => number): void {
    this.#bytes.length = this.#syncedLength + Math.floor(random() * (this.#bytes.length - this.#syncedLength + 1));
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** The guest: 32 bytes of state; each input is hashed in and a piece of the state comes out. */
interface Guest { state: Uint8Array; taken: number; written: number }

function step(guest: Guest, input: Uint8Array): Uint8Array {
  guest.state = Buffer.from(digests.sha256(Buffer.concat([guest.state, input])), 'hex');
  const output = guest.state.subarray(0, 1 + (guest.state[31]! % 20));
  guest.taken += input.length;
  guest.written += output.length;
  return new Uint8Array(output);
}

const boot = (): Guest => ({ state: new Uint8Array(32), taken: 0, written: 0 });

/** What a run with these inputs writes: the oracle. */
export function outputOf(inputs: readonly Uint8Array[]): Uint8Array {
  const guest = boot();
  return new Uint8Array(Buffer.concat(inputs.map((input) => step(guest, input))));
}

export interface World {
  readonly sink: Sink;
  readonly random: () => number;
  readonly crashChance: number;
  /** A wrong protocol on purpose: output leaves before its input is durable. The test must notice. */
  readonly deliversEarly: boolean;
  readonly inputsWanted: number;
}

const NAME = 'mini';
const NONE: OutputPosition = { synced: 0, delivered: 0, intended: 0 };

export class MiniSession {
  readonly #context: StoreContext;
  readonly #store: MemoryStore;
  readonly #world: World;
  readonly #writer: RunWriter;
  #guest: Guest = boot();
  #outbox: Uint8Array = new Uint8Array(0);
  #position = NONE;

  private constructor(store: MemoryStore, world: World, writer: RunWriter) {
    this.#store = store;
    this.#context = { store, digests };
    this.#world = world;
    this.#writer = writer;
  }

  static async start(store: MemoryStore, world: World): Promise<MiniSession> {
    const writer = await durable(store, () => createRun({ store, digests }, newRun(NAME)), { world, mayCrash: false });
    return new MiniSession(store, world, writer);
  }

  /** A new process after a crash. */
  static async resume(store: MemoryStore, world: World): Promise<MiniSession> {
    const token = `resume ${world.random()}`;
    const writer = await durable(store, () => openRun({ store, digests }, { name: NAME, owner: owner(token), isAlive: allDead }), { world, mayCrash: true });
    const session = new MiniSession(store, world, writer);
    await session.#recover();
    return session;
  }

  async #recover(): Promise<void> {
    const recovery = recover(this.#context, this.#writer.record);
    recovery.journal.verify();
    const { checkpoint } = recovery;
    if (checkpoint !== undefined) this.#guest = this.#restore(checkpoint.root, checkpoint.channels.get('out')!.outputPosition);
    const rewindTo = recovery.outputs.get('out')?.rewindTo ?? 0;
    this.#world.sink.truncate(rewindTo);
    this.#position = { synced: rewindTo, delivered: rewindTo, intended: rewindTo };
    this.#mayCrash();
    await this.#commit({ isRewind: true });
    for (const { frame } of recovery.refeed()) {
      if (frame.kind !== 'input') continue;
      this.#emit(step(this.#guest, recovery.journal.inputBytes(frame)));
    }
    await this.#release();
  }

  #restore(root: string, written: number): Guest {
    const bytes = this.#store.get('nodes', Buffer.from(root, 'hex'))!;
    if (digests.sha256(bytes) !== root) throw new Error('the checkpoint points at something else than its state');
    return { state: bytes.slice(0, 32), taken: new DataView(bytes.buffer, bytes.byteOffset).getUint32(32), written };
  }

  /** Runs until enough input was taken, then ends the run. */
  async run(): Promise<void> {
    while (this.#writer.tail.count < this.#world.inputsWanted) {
      const choice = this.#world.random();
      if (choice < 0.6) this.#takeInput();
      else if (choice < 0.8) await this.#release();
      else await this.#checkpoint();
      this.#mayCrash();
    }
    await this.#release();
    this.#world.sink.sync();
    this.#position = { ...this.#position, synced: this.#position.delivered };
    await this.#commit({ isExit: true });
  }

  /** The host gives bytes that it will never give again. */
  #takeInput(): void {
    const length = this.#world.random() < 0.1 ? 3000 : Math.floor(this.#world.random() * 30);
    const bytes = Uint8Array.from({ length }, () => Math.floor(this.#world.random() * 256));
    this.#writer.append({ kind: 'input', at: at(BigInt(this.#guest.taken)), channel: 'in', offset: this.#guest.taken, bytes });
    this.#emit(step(this.#guest, bytes));
    if (this.#world.deliversEarly) this.#deliver();
  }

  #emit(output: Uint8Array): void {
    this.#outbox = new Uint8Array(Buffer.concat([this.#outbox, output]));
  }

  /** (a) commit with intended, (b) deliver. */
  async #release(): Promise<void> {
    this.#position = { ...this.#position, intended: this.#guest.written };
    await this.#commit({});
    this.#mayCrash();
    this.#deliver();
  }

  #deliver(): void {
    const { sink, random, crashChance } = this.#world;
    const dies = random() < crashChance;
    sink.write(sink.length, dies ? this.#outbox.subarray(0, Math.floor(random() * this.#outbox.length)) : this.#outbox);
    if (dies) this.#die(0);
    this.#outbox = new Uint8Array(0);
    this.#position = { ...this.#position, delivered: this.#guest.written, intended: this.#guest.written };
  }

  /** (a), (b), (c) sync, (d) a commit that relies on it. */
  async #checkpoint(): Promise<void> {
    await this.#release();
    this.#mayCrash();
    this.#world.sink.sync();
    this.#mayCrash();
    this.#position = { ...this.#position, synced: this.#guest.written };
    await this.#commit({ isCheckpoint: true });
  }

  async #commit(what: { readonly isCheckpoint?: boolean; readonly isExit?: boolean; readonly isRewind?: boolean }): Promise<void> {
    const { random } = this.#world;
    const instructions = at(BigInt(this.#guest.taken));
    const state = new Uint8Array(36);
    state.set(this.#guest.state);
    new DataView(state.buffer).setUint32(32, this.#guest.taken);
    const root = digests.sha256(state);
    const node: StorePut = { table: 'nodes', key: blobKey(root), value: state };
    const mark = { inputPosition: this.#guest.taken, outputPosition: this.#guest.written };
    const attempt = (): Promise<unknown> => this.#writer.commit({
      instructions, outputs: new Map([['out', this.#position]]), isRewind: what.isRewind === true,
      ...(what.isCheckpoint === true ? { snapshot: { puts: [node] }, checkpoint: { root, channels: new Map([['out', mark]]), digests: new Uint8Array(0), createdMs: 0 } } : {}),
      ...(what.isExit === true ? { frames: [{ kind: 'exit' as const, at: instructions, outcome: { kind: 'exited' as const, status: 0 }, root }], isLast: true } : {}),
    });
    if (random() < 0.15) {
      this.#store.failNextCommit('E_DISK_FULL');
      await attempt().then(() => { throw new Error('a refused commit was reported done'); }, (error: { code?: string }) => { if (error.code !== 'E_DISK_FULL') throw error; });
    }
    await durable(this.#store, attempt, { world: this.#world, mayCrash: true });
  }

  #mayCrash(): void {
    if (this.#world.random() < this.#world.crashChance) this.#die(0);
  }

  #die(kept: number): never {
    this.#world.sink.loseTail(this.#world.random);
    throw new Crash(this.#store.crash(kept));
  }
}

/** Does one thing that commits once; on the way to the disk the power may fail, with the commit on it or not. */
async function durable<T>(store: MemoryStore, act: () => Promise<T>, { world, mayCrash }: { readonly world: World; readonly mayCrash: boolean }): Promise<T> {
  const result = act();
  if (mayCrash && world.random() < world.crashChance) {
    const kept = world.random() < 0.5 ? 0 : 1;
    world.sink.loseTail(world.random);
    throw new Crash(store.crash(kept));
  }
  store.flush();
  return result;
}
