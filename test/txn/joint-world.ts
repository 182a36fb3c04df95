/**
 * A small world for two-phase commit: one coordinator, some participants, each a process of its own with a disk that tears writes, and messages between
 * them that may be lost, or come late. Every message and every write is a numbered point at which any process can be killed. No clock, no timers.
 */
import { StillpointError } from '../../src/core/index.ts';
import { openCoordinator, StoreParticipant, type Branch, type Coordinator, type CoordinatorIdentity, type Participant, type TransactionId } from '../../src/txn/index.ts';
import { digests } from '../journal/support.ts';
import { LogStore, type Tear } from '../store/log-store.ts';
import { allDead, owner } from './support.ts';

/** At point `at`: a process dies, or the message of this point is lost or delivered only when everything else is over. */
export type Fault = { readonly at: number } & ({ readonly kind: 'kill'; readonly party: string; readonly tear: Tear } | { readonly kind: 'lose' } | { readonly kind: 'delay' });
export const COORDINATOR = 'coordinator';
const CELL = new TextEncoder().encode('cell');
const never = new Promise<never>(() => undefined);

/** One life of one process. */
class Life {
  readonly store: LogStore;
  isDead = false;
  die!: () => void;
  readonly death = new Promise<void>((resolve) => { this.die = resolve; });

  constructor(store: LogStore) {
    this.store = store;
  }
}

export class World {
  /** Points passed so far, each with who passed it and what it was. */
  readonly trace: string[] = [];
  #faults: readonly Fault[];
  readonly #lives = new Map<string, Life>();
  readonly #late: (() => Promise<unknown>)[] = [];
  readonly names: readonly string[];
  readonly #diskLies: boolean;
  #isQuiet = false;

  private constructor(names: readonly string[], { faults, diskLies }: { readonly faults: readonly Fault[]; readonly diskLies: boolean }) {
    this.names = names;
    this.#faults = faults;
    this.#diskLies = diskLies;
  }

  static async create(names: readonly string[], options: { readonly faults: readonly Fault[]; readonly diskLies: boolean }): Promise<World> {
    const world = new World(names, options);
    for (const name of [COORDINATOR, ...names]) {
      await world.#start(name, Buffer.alloc(0));
      const life = world.#lives.get(name)!;
      world.#isQuiet = true;
      await life.store.commit({ puts: [{ table: 'runs', key: CELL, value: Uint8Array.of(0) }] });
      world.#isQuiet = false;
    }
    return world;
  }

  /** A process of the coordinator's name, which first ends what an earlier one left. 'dead' when it was killed on the way. */
  async coordinate<Result>(work: (coordinator: Coordinator) => Promise<Result>): Promise<Result | 'dead'> {
    const life = this.#lives.get(COORDINATOR)!;
    const all = (async () => {
      const coordinator = await openCoordinator({ store: life.store, digests }, { name: 'bank', owner: owner(String(this.trace.length)), isAlive: allDead, freshId: '0123456789abcdef' });
      await coordinator.recover(this.names.map((name) => this.remote(name)));
      return work(coordinator);
    })();
    return Promise.race([all, life.death.then(() => 'dead' as const)]);
  }

  /** A participant as the coordinator's present process reaches it: through messages. */
  remote(name: string): Participant {
    const life = this.#lives.get(COORDINATOR)!;
    const call = <Result>(what: string, action: (participant: StoreParticipant) => Promise<Result>): Promise<Result> => this.#call(life, { name, what, action });
    return {
      name,
      commit: (id) => call('commit', (participant) => participant.commit(id)),
      abort: (id) => call('abort', (participant) => participant.abort(id)),
      inDoubt: (identity: CoordinatorIdentity) => call('in doubt', (participant) => participant.inDoubt(identity)),
    };
  }

  /** Sets the cell of a participant from what it is now to `value`. */
  branch(name: string, value: number): Branch {
    const participant = this.remote(name);
    const life = this.#lives.get(COORDINATOR)!;
    const batch = this.change(name, value);
    return {
      participant,
      prepare: (id: TransactionId) => this.#call(life, { name, what: 'prepare', action: (own) => own.branch(batch).prepare(id) }),
      abort: (id) => participant.abort(id),
    };
  }

  change(name: string, value: number): { expect: [{ table: 'runs'; key: Uint8Array; value: Uint8Array }]; puts: [{ table: 'runs'; key: Uint8Array; value: Uint8Array }] } {
    return { expect: [{ table: 'runs', key: CELL, value: Uint8Array.of(this.value(name)) }], puts: [{ table: 'runs', key: CELL, value: Uint8Array.of(value) }] };
  }

  value(name: string): number {
    return this.#lives.get(name)!.store.get('runs', CELL)![0]!;
  }

  store(name: string): LogStore {
    return this.#lives.get(name)!.store;
  }

  /** Messages that were under way all the time arrive. */
  async deliverLate(): Promise<void> {
    for (const deliver of this.#late.splice(0)) await deliver().catch((error: unknown) => { if (!(error instanceof StillpointError)) throw error; });
  }

  /** From now on nothing goes wrong. */
  mend(): void {
    this.#faults = [];
  }

  async #start(name: string, log: Buffer): Promise<void> {
    const hooks = { isLazy: this.#diskLies && name === COORDINATOR, beforeSync: () => this.#point(life, `${name} writes`), afterSync: () => this.#point(life, `${name} has written`) };
    const life: Life = new Life(await LogStore.open(log, hooks));
    this.#lives.set(name, life);
  }

  async #call<Result>(caller: Life, { name, what, action }: { readonly name: string; readonly what: string; readonly action: (participant: StoreParticipant) => Promise<Result> }): Promise<Result> {
    const request = await this.#message(caller, `${what} to ${name}`);
    const life = this.#lives.get(name)!;
    const serve = async (): Promise<Result> => {
      const result = await action(new StoreParticipant({ store: life.store, digests }, name));
      if (await this.#message(life, `${name} answers ${what}`) !== 'arrives') throw unreachable(name);
      return result;
    };
    if (request === 'delay') this.#late.push(() => action(new StoreParticipant({ store: this.store(name), digests }, name)));
    if (request !== 'arrives') throw unreachable(name);
    const result = await Promise.race([serve(), life.death.then((): never => { throw unreachable(name); })]);
    if (caller.isDead) return never;
    return result;
  }

  async #message(sender: Life, label: string): Promise<'arrives' | 'lose' | 'delay'> {
    const at = this.trace.length;
    await this.#point(sender, label);
    const fault = this.#faults.find((candidate) => candidate.at === at);
    return fault === undefined || fault.kind === 'kill' ? 'arrives' : fault.kind;
  }

  /** One step of the process `life`: faults of this number happen. A dead process never comes out. */
  async #point(life: Life, label: string): Promise<void> {
    if (this.#isQuiet) return;
    if (life.isDead) return never;
    const at = this.trace.push(label) - 1;
    for (const fault of this.#faults) if (fault.at === at && fault.kind === 'kill') await this.#kill(fault.party, fault.tear);
    if (life.isDead) return never;
  }

  async #kill(name: string, tear: Tear): Promise<void> {
    const life = this.#lives.get(name)!;
    life.isDead = true; // Nothing of it goes on while the next one starts.
    await this.#start(name, life.store.crash(tear));
    life.die();
  }
}

function unreachable(name: string): StillpointError {
  return new StillpointError('E_PARTICIPANT', `participant ${name} cannot be reached`);
}
