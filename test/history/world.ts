/**
 * A store with some runs of toy machines, and a plain model of what they hold; operations on both, with crashes at any commit.
 *
 *   machine   TestMachine: pages and sections that change at random         model   run ─► checkpoint ─► the whole state as plain data
 *
 * Invariant of check(): every run of the model is in the store with the same checkpoints, and every checkpoint restores to its exact state.
 */
import { Buffer } from 'node:buffer';
import { StillpointError } from '../../src/core/index.ts';
import { JournalReader, runId } from '../../src/journal/index.ts';
import { encodeManifest } from '../../src/manifest/index.ts';
import { encodeBindings } from '../../src/session/bindings-codec.ts';
import { exportStream } from '../../src/session/export.ts';
import { importStream } from '../../src/session/import.ts';
import { openSnapshot, SnapshotWriter, type ListLimits } from '../../src/snapshot/index.ts';
import { MemoryStore, type Store } from '../../src/store/index.ts';
import {
  asCollector, collectGarbage, createRun, dropCheckpoints, forkRun, listCheckpoints, listMarks, listRuns, markCheckpoint, openRun, readRun, removeRun, rollbackRun, StaleSnapshot, chooseKept,
  type CollectResult, type IsAlive, type Owner, type RunWriter, type StoreContext,
} from '../../src/txn/index.ts';
import { at, digests } from '../journal/support.ts';
import { declare } from '../manifest/helpers.ts';
import { plain, TestMachine } from '../snapshot/machines.ts';
import { generator } from '../txn/support.ts';
import { Crash, MortalStore } from './mortal-store.ts';

interface Point { readonly state: unknown; readonly machine: TestMachine; readonly createdMs: number; readonly inputs: number }
interface RunModel { readonly points: Map<number, Point>; readonly marks: Map<number, string>; numbered: number; inputs: number }
export type Model = Map<string, RunModel>;

function copyModel(model: Model): Model {
  return new Map([...model].map(([name, run]) => [name, { ...run, points: new Map(run.points), marks: new Map(run.marks) }]));
}

interface Live { readonly writer: RunWriter; readonly snapshots: SnapshotWriter; readonly machine: TestMachine; instructions: bigint }

const MANIFEST = encodeManifest(declare({}).manifest);
const BINDINGS = encodeBindings({ program: '/p', channels: new Map(), standardFiles: new Map() });
const NAMES = ['ant', 'bee', 'cat', 'dog', 'eel'];

export class World {
  readonly #random: () => number;
  #store: MortalStore;
  model: Model = new Map();
  /** What is true if the operation under way reached its commit. */
  #next: Model | undefined;
  readonly #live = new Map<string, Live>();
  /** Exported runs, with what they held. */
  readonly #shelf: { readonly id: string; readonly bytes: Uint8Array; readonly model: RunModel; readonly journal: readonly string[] }[] = [];
  #serial = 0;
  #process = 0;
  readonly log: string[] = [];
  readonly counts = { crashes: 0, stale: 0, collected: 0, conflicts: 0, updates: 0 };

  readonly #isTrusting: boolean;
  /** Most worlds have lists of a few pages, and put them on shelves often. */
  readonly #lists: ListLimits | undefined;

  /** `isTrusting`: a wrong protocol on purpose: what a capture saw in the store is not expected by its commit. `hasLists`: whatever the seed. */
  constructor(seed: number, { isTrusting = false, hasLists = false }: { readonly isTrusting?: boolean; readonly hasLists?: boolean } = {}) {
    this.#isTrusting = isTrusting;
    const pages = seed % 4 === 0 && hasLists ? 4 : seed % 4;
    if (pages !== 0) this.#lists = { pagesMin: pages, pagesMax: 12 * pages, segmentEntries: 1 + (seed % 7) };
    this.#random = generator(seed);
    this.#store = new MortalStore(new MemoryStore());
  }

  get context(): StoreContext {
    return { store: this.#store, digests };
  }

  get inner(): MemoryStore {
    return this.#store.inner;
  }

  int(below: number): number {
    return Math.floor(this.#random() * below);
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.int(items.length)];
  }

  /** Owners of this process live; those of processes that died do not. */
  readonly isAlive: IsAlive = (owner) => owner.host === `process ${this.#process}`;

  owner(): Owner {
    return { host: `process ${this.#process}`, pid: 1, started: '0', token: `t${this.#serial++}` };
  }

  newId(): ReturnType<typeof runId> {
    return runId(digests.sha256(new TextEncoder().encode(`id ${this.#serial++} ${this.#random()}`)).slice(0, 32));
  }

  /** One random operation, which may die; then the store must hold what was before or what was to be. */
  async step(operations: readonly ((world: World) => Promise<void>)[]): Promise<void> {
    const willDie = this.#random() < 0.15;
    if (willDie) this.#store = new MortalStore(this.inner, this.int(4), this.#random() < 0.5);
    this.#next = undefined;
    try {
      await this.pick(operations)!(this);
      if (this.#next !== undefined) this.model = this.#next;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.restart();
      if (this.#next !== undefined && this.#differs(this.model) !== undefined) this.model = this.#next;
    }
    if (willDie && !this.#store.isDead) this.#store = new MortalStore(this.inner);
  }

  /** The process is killed between two operations; the next one is not to be. */
  restart(): void {
    this.counts.crashes++;
    this.log.push('  crash');
    this.#process++;
    this.#live.clear();
    this.#store = new MortalStore(this.inner);
  }

  /** What is wrong, or undefined. */
  #differs(model: Model): string | undefined {
    const records = [...listRuns(this.context)];
    if (records.map(({ name }) => name).join() !== [...model.keys()].sort().join()) return `runs: ${records.map(({ name }) => name).join()} for ${[...model.keys()].sort().join()}`;
    for (const record of records) {
      const { points, marks } = model.get(record.name)!;
      const checkpoints = listCheckpoints(this.context, record);
      if (checkpoints.map(({ number }) => number).join() !== [...points.keys()].sort((a, b) => a - b).join()) return `checkpoints of ${record.name}: ${checkpoints.map(({ number }) => number).join()} for ${[...points.keys()].join()}`;
      for (const { number, root } of checkpoints) {
        const restored = JSON.stringify(plain(openSnapshot(this.#store, root, digests)));
        if (restored !== JSON.stringify(points.get(number)!.state)) return `${record.name}@${number} restores to another state`;
      }
      const stored = [...listMarks(this.context, record.id)].map(([number, mark]) => `${number} ${mark.name}`).join();
      if (stored !== [...marks].sort(([a], [b]) => a - b).map(([number, name]) => `${number} ${name}`).join()) return `marks of ${record.name}`;
      new JournalReader(this.context, { run: record.id, tail: record.tail }).verify();
    }
    return undefined;
  }

  check(): void {
    const wrong = this.#differs(this.model);
    if (wrong !== undefined) throw new Error(`${wrong}\n${this.log.slice(-12).join('\n')}`);
  }

  #announce(what: string, change: (model: Model) => void): void {
    this.log.push(what);
    this.#next = copyModel(this.model);
    change(this.#next);
  }

  get names(): readonly string[] {
    return [...this.model.keys()];
  }

  freeName(): string | undefined {
    return this.pick(NAMES.filter((name) => !this.model.has(name)));
  }

  async create(): Promise<void> {
    const name = this.freeName();
    if (name === undefined) return;
    this.#announce(`create ${name}`, (model) => model.set(name, { points: new Map(), marks: new Map(), numbered: 0, inputs: 0 }));
    const writer = await createRun(this.context, { name, id: this.newId(), createdMs: 0, bindings: BINDINGS, owner: this.owner(), manifest: MANIFEST, program: Uint8Array.of(this.int(3)), recorder: 'test' });
    this.#live.set(name, { writer, snapshots: new SnapshotWriter(this.#store, digests, this.#lists), machine: new TestMachine(), instructions: 0n });
  }

  /** The machine of a run: as it is, or restored from the last checkpoint. */
  async live(name: string): Promise<Live> {
    const known = this.#live.get(name);
    if (known !== undefined) return known;
    const writer = await openRun(this.context, { name, owner: this.owner(), isAlive: () => false });
    const last = writer.record.lastCheckpoint;
    const machine = last === undefined ? new TestMachine() : this.model.get(name)!.points.get(last)!.machine.copy();
    const snapshots = new SnapshotWriter(this.#store, digests, this.#lists);
    if (last !== undefined) {
      snapshots.adopt(listCheckpoints(this.context, writer.record).at(-1)!.root);
      for (const object of machine.objects) object.markClean();
    }
    const live: Live = { writer, snapshots, machine, instructions: writer.record.tail.at };
    this.#live.set(name, live);
    return live;
  }

  /** Some changes, an input, a checkpoint. `between` happens after the capture and before its commit. */
  async checkpoint(name: string | undefined = this.pick(this.names), between: () => Promise<void> = async () => {}): Promise<void> {
    if (name === undefined) return;
    const live = await this.live(name);
    for (let changes = this.int(5); changes > 0; changes--) this.#change(live.machine);
    live.instructions += 10n;
    const isLarge = this.#random() < 0.3;
    const length = isLarge ? 3000 : 10;
    const { inputs } = this.model.get(name)!;
    const bytes = new Uint8Array(length).fill(this.int(4));
    live.writer.append({ kind: 'input', at: at(live.instructions), channel: 'stdin', offset: inputs, bytes });
    const createdMs = this.#serial++ * 1_000_000;
    for (let attempt = 0; ; attempt++) {
      const state = plain(live.machine);
      const capture = live.snapshots.capture(live.machine);
      if (attempt === 0) await between();
      const number = live.writer.record.numbered + 1;
      this.#announce(`checkpoint ${name}@${number}`, (model) => {
        const run = model.get(name)!;
        run.points.set(number, { state, machine: live.machine.copy(), createdMs, inputs: inputs + length });
        run.numbered = number;
        run.inputs = inputs + length;
      });
      try {
        await live.writer.commit({ instructions: at(live.instructions), snapshot: this.#isTrusting ? { puts: capture.batch.puts } : capture.batch, checkpoint: { root: capture.root, channels: new Map(), digests: Uint8Array.of(), createdMs } });
        capture.confirm();
        return;
      } catch (error) {
        if (!(error instanceof StaleSnapshot)) throw error;
        this.counts.stale++;
        capture.abandon();
      }
    }
  }

  #change(machine: TestMachine): void {
    const object = machine.object(this.pick(['memory/1', 'file/7', 'file/9'])!);
    // Few different contents, so that pages come back after they were collected.
    object.fill(this.int(40), this.int(6), this.#random() < 0.5 ? 4096 : 100);
    if (this.#random() < 0.3) machine.sections.set(this.pick(['a', 'b'])!, new Uint8Array(this.int(3) * 700).fill(this.int(4)));
  }

  async giveUp(name: string): Promise<void> {
    const live = this.#live.get(name);
    if (live === undefined) return;
    await live.writer.close();
    this.#live.delete(name);
  }

  async fork(): Promise<void> {
    const [from, name] = [this.pick(this.names), this.freeName()];
    if (from === undefined || name === undefined) return;
    const record = readRun(this.context, from);
    const parent = this.model.get(from)!;
    const number = this.pick([0, ...parent.points.keys()])!;
    this.#announce(`fork ${from}@${number} as ${name}`, (model) => {
      const keep = <T>(map: ReadonlyMap<number, T>): Map<number, T> => new Map([...map].filter(([key]) => key <= number));
      model.set(name, { points: keep(parent.points), marks: keep(parent.marks), numbered: number, inputs: parent.points.get(number)?.inputs ?? 0 });
    });
    await forkRun(this.context, record, { name, id: this.newId(), createdMs: 0, bindings: BINDINGS, at: number, seed: this.#random() < 0.3 ? new Uint8Array(32).fill(this.int(200)) : undefined });
  }

  async rollback(): Promise<void> {
    const name = this.pick(this.names);
    if (name === undefined) return;
    await this.giveUp(name);
    const number = this.pick([0, ...this.model.get(name)!.points.keys()])!;
    this.#announce(`rollback ${name} to ${number}`, (model) => {
      const run = model.get(name)!;
      for (const map of [run.points, run.marks]) for (const key of [...map.keys()]) if (key > number) map.delete(key);
      run.inputs = run.points.get(number)?.inputs ?? 0;
    });
    await rollbackRun(this.context, { name, owner: this.owner(), isAlive: this.isAlive, at: number });
  }

  async mark(): Promise<void> {
    const name = this.pick(this.names);
    const number = name === undefined ? undefined : this.pick([...this.model.get(name)!.points.keys()]);
    if (name === undefined || number === undefined) return;
    const text = `m${this.#serial++}`;
    this.#announce(`mark ${name}@${number} ${text}`, (model) => model.get(name)!.marks.set(number, text));
    await markCheckpoint(this.context, readRun(this.context, name), { number, mark: { name: text, note: undefined } });
  }

  async retain(): Promise<void> {
    const name = this.pick(this.names);
    if (name === undefined) return;
    const rule = { last: this.int(4), hourly: this.int(3), daily: this.int(2) };
    const record = readRun(this.context, name);
    this.#announce(`retain ${name} ${JSON.stringify(rule)}`, (model) => {
      const run = model.get(name)!;
      const kept = chooseKept([...run.points].map(([number, { createdMs }]) => ({ number, createdMs })), rule);
      for (const number of [...run.points.keys()]) if (!kept.has(number) && !run.marks.has(number) && number !== record.lastCheckpoint) run.points.delete(number);
    });
    await dropCheckpoints(this.context, record, rule);
  }

  async remove(): Promise<void> {
    const name = this.pick(this.names);
    if (name === undefined) return;
    await this.giveUp(name);
    this.#announce(`remove ${name}`, (model) => model.delete(name));
    await removeRun(this.context, { name, isAlive: this.isAlive });
  }

  /** Collects; machines go on taking checkpoints between its steps. */
  async collect(isDisturbed = this.#random() < 0.5): Promise<CollectResult | undefined> {
    this.log.push(isDisturbed ? 'collect beside machines' : 'collect');
    let disturbances = 0;
    const breathe = async (): Promise<void> => {
      if (!isDisturbed || disturbances >= 4 || this.#random() < 0.7) return;
      disturbances++;
      await this.#settled(() => this.checkpoint());
    };
    const result = await asCollector(this.context, { owner: this.owner(), isAlive: this.isAlive }, () => collectGarbage(this.context, { isAlive: this.isAlive, breathe, images: { ofRun: () => undefined, blobs: () => [] } }));
    this.counts.collected += result.nodes + result.pages + result.blobs;
    return result;
  }

  async export(): Promise<void> {
    const name = this.pick(this.names);
    if (name === undefined) return;
    const run = this.model.get(name)!;
    const number = this.pick([undefined, ...run.points.keys()]);
    this.log.push(`export ${name}@${number ?? 'all'}`);
    const bytes = await exportBytes(this.context, number === undefined ? name : `${name}@${number}`);
    const only = <T>(map: ReadonlyMap<number, T>): Map<number, T> => new Map([...map].filter(([key]) => number === undefined || key === number));
    const record = readRun(this.context, name);
    const frames = number === undefined ? record.tail.count : listCheckpoints(this.context, record).find((checkpoint) => checkpoint.number === number)!.tail.count;
    this.#shelf.push({ id: record.id, bytes, journal: this.#journalOf(record.id).slice(0, frames), model: { points: only(run.points), marks: only(run.marks), numbered: run.numbered, inputs: number === undefined ? run.inputs : run.points.get(number)!.inputs } });
  }

  async import(): Promise<void> {
    const [item, name] = [this.pick(this.#shelf), this.freeName()];
    if (item === undefined || name === undefined) return;
    const isThere = [...listRuns(this.context)].some(({ id }) => id === item.id);
    if (!isThere) this.#announce(`import ${name}`, (model) => model.set(name, { ...item.model, points: new Map(item.model.points), marks: new Map(item.model.marks) }));
    try {
      await importStream(this.context, chunked(item.bytes, 1 + this.int(5000)), { name, as: { owner: this.owner(), isAlive: this.isAlive } });
      if (isThere) throw new Error('a run that is there was imported again');
    } catch (error) {
      if (!isThere || codeOf(error) !== 'E_RUN_EXISTS') throw error;
    }
  }

  #journalOf(id: string): readonly string[] {
    return rowsOf(this.inner, ['frames']).filter(({ key }) => Buffer.from(key).toString('hex').startsWith(id)).map(({ value }) => Buffer.from(value).toString('hex'));
  }

  /** A run that is there takes what an exported state of it has more; one that went another way refuses. */
  async update(): Promise<void> {
    const item = this.pick(this.#shelf);
    const there = [...listRuns(this.context)].find(({ id }) => id === item?.id);
    if (item === undefined || there === undefined) return this.import();
    const { name } = there;
    await this.giveUp(name);
    const journal = this.#journalOf(item.id);
    const isSame = journal.slice(0, item.journal.length).join() === item.journal.slice(0, journal.length).join();
    if (isSame) {
      this.#announce(`update ${name}`, (model) => {
        const run = model.get(name)!;
        for (const [number, point] of item.model.points) if (!run.points.has(number)) run.points.set(number, point);
        const names = new Set(run.marks.values());
        for (const [number, mark] of item.model.marks) if (!run.marks.has(number) && !names.has(mark)) run.marks.set(number, mark);
        run.numbered = Math.max(run.numbered, item.model.numbered);
        if (item.journal.length > journal.length) run.inputs = item.model.inputs;
      });
    }
    try {
      await importStream(this.context, chunked(item.bytes, 1 + this.int(5000)), { isUpdate: true, as: { owner: this.owner(), isAlive: this.isAlive } });
      if (!isSame) throw new Error('a run with another history was updated');
      this.counts.updates++;
    } catch (error) {
      if (isSame || codeOf(error) !== 'E_RUN_DIVERGED') throw error;
    }
  }

  /** An operation inside another one: its outcome is in the model at once. */
  async #settled(work: () => Promise<void>): Promise<void> {
    await work();
    if (this.#next !== undefined) this.model = this.#next;
    this.#next = undefined;
  }

  /** A checkpoint whose capture is overtaken by a whole collection. */
  async overtaken(): Promise<void> {
    await this.checkpoint(this.pick(this.names), async () => void await this.collect(false));
  }

  /** Nothing is in the store that no run needs. */
  async mustBeTidy(): Promise<void> {
    await this.collect(false);
    const again = await this.collect(false);
    if (JSON.stringify(again) !== JSON.stringify({ nodes: 0, pages: 0, packs: 0, blobs: 0, orphans: 0 })) throw new Error(`a second collection found ${JSON.stringify(again)}`);
  }
}

export const OPERATIONS: readonly ((world: World) => Promise<void>)[] = [
  (world) => world.create(), (world) => world.checkpoint(), (world) => world.checkpoint(), (world) => world.checkpoint(), (world) => world.fork(), (world) => world.rollback(), (world) => world.mark(),
  (world) => world.retain(), (world) => world.remove(), async (world) => void await world.collect(), (world) => world.overtaken(), (world) => world.export(), (world) => world.import(),
];

export const OPERATIONS_WITH_UPDATES: typeof OPERATIONS = [...OPERATIONS, (world) => world.update(), (world) => world.export()];

/** The code of an error of ours; anything else is thrown on. */
export function codeOf(error: unknown): string {
  if (error instanceof StillpointError) return error.code;
  throw error;
}

/** All rows of a store, to be put into a fresh one with one of them changed. */
export function rowsOf(store: MemoryStore, tables: readonly Parameters<Store['get']>[0][]): { readonly table: Parameters<Store['get']>[0]; readonly key: Uint8Array; readonly value: Uint8Array }[] {
  return tables.flatMap((table) => [...store.range(table, { from: Uint8Array.of(0), to: new Uint8Array(500).fill(255) })].map(({ key, value }) => ({ table, key: new Uint8Array(Buffer.from(key)), value })));
}

export async function exportBytes(context: StoreContext, run: string, have: readonly string[] = []): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  await exportStream(context, { run, have }, async (bytes) => void pieces.push(bytes.slice()));
  return new Uint8Array(Buffer.concat(pieces));
}

export async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
