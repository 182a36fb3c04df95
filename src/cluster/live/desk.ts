/**
 * Does in one store what commands for a whole cluster ask: read where its runs are while the store is held still, put them back, fork them, remove them, execute
 * them again.
 *
 * Invariants: each request is all or nothing in this store; a prepared rollback outlives this process, everything else that was begun ends with close().
 * What this does NOT do: know other hosts, decide anything (spread.ts).
 */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StillpointError } from '../../core/index.ts';
import { makeDirectories } from '../../core/live/directories.ts';
import { forkMany, isAlive, openDeskStore, RECORDER, removeAsides, removeRuns, StoreHold, together, type SessionHooks } from '../../session/index.ts';
import { fenceDelete, readFence, readParts, readRun, removeRun, RollbackParticipant, runNames, stillHolds, type StoreContext } from '../../txn/index.ts';
import { membersOf } from '../members.ts';
import { blockOf, channelEnds, readingsOf } from '../readings.ts';
import { replayMembers } from '../replay.ts';
import { AgentFiles } from './agent-files.ts';
import { AGENT_PROTOCOL } from './agent-messages.ts';
import type { AnswerTo, DeskAnswer, DeskRequest, ForkOrder } from './desk-messages.ts';

/** How long a store is held at most: half of what a reader that may be cut off is waited for (peer-output.ts). */
const HOLD_MS = 1000;

export interface DeskParts {
  readonly store: string;
  /** Directory of the files of nodes; undefined on the host where `up` runs, where they are where their channels say. */
  readonly work: string | undefined;
}

type OpenStore = Awaited<ReturnType<typeof openDeskStore>>;

export class Desk {
  readonly #parts: DeskParts;
  readonly #hooks: (node: string) => SessionHooks;
  #opened: Promise<OpenStore> | undefined;
  #hold: Promise<StoreHold> | undefined;

  /** `hooks`: for nodes that are executed again. */
  constructor(parts: DeskParts, hooks: (node: string) => SessionHooks = () => ({})) {
    this.#parts = parts;
    this.#hooks = hooks;
  }

  /** Throws StillpointErrors; then nothing has changed. */
  async answer<Request extends DeskRequest>(request: Request): Promise<AnswerTo<Request>> {
    return await this.#answer(request) as AnswerTo<Request>; // Each kind is answered as the table says.
  }

  /** What tells the store from others. */
  async identity(): Promise<string> {
    return (await (this.#opened ??= openDeskStore(this.#parts.store))).identity;
  }

  /** Ends what was begun: a store that is held is let go. */
  async close(): Promise<void> {
    await (await this.#hold?.catch(() => undefined))?.close();
    await (await this.#opened?.catch(() => undefined))?.store.close();
  }

  async #answer(request: DeskRequest): Promise<DeskAnswer> {
    if (request.kind === 'greet' && (request.protocol !== AGENT_PROTOCOL || request.version !== RECORDER)) throw new StillpointError('E_CLUSTER_HOST', `the agent is ${RECORDER} (protocol ${AGENT_PROTOCOL}), the command is ${request.version} (protocol ${request.protocol}); install the same on both hosts`);
    const opened = await (this.#opened ??= openDeskStore(this.#parts.store));
    opened.store.refresh();
    switch (request.kind) {
      case 'greet': return { store: opened.identity };
      case 'members': return new Map(membersOf(opened, request.cluster).map((name) => [name, readRun(opened, name).id]));
      case 'ready': return void await (this.#hold ??= StoreHold.open(this.#parts.store));
      case 'hold': return this.#read(opened, request.cluster);
      case 'let go': return (await this.#hold)?.end() ?? false;
      case 'missing': return [...request.parts].filter(([name, part]) => !stillHolds(opened, name, part)).map(([name]) => name);
      case 'prepare': return void await participant(opened).prepare(request.id, request.wishes);
      case 'commit': return void await participant(opened).commit(request.id);
      case 'abort': return void await participant(opened).abort(request.id);
      case 'in doubt': return participant(opened).inDoubt(request.coordinator);
      case 'fork': return this.#fork(opened, request);
      case 'undo fork': return this.#undoFork(opened, request);
      case 'remove': return this.#remove(opened, request.cluster);
      case 'forget': return void await opened.store.commit({ deletes: [fenceDelete(request.coordinator)] });
      case 'ends': return channelEnds(opened, membersOf(opened, request.cluster));
      case 'readings': return readingsOf(opened, request.ends);
      case 'block': return blockOf(opened, request, request.offset);
      case 'replay': return replayMembers(opened, { ...request, members: membersOf(opened, request.cluster) }, this.#hooks);
      default: return request satisfies never;
    }
  }

  async #read(opened: OpenStore, cluster: string): Promise<DeskAnswer> {
    const hold = await (this.#hold ??= StoreHold.open(this.#parts.store));
    await hold.begin(HOLD_MS);
    opened.store.refresh();
    return readParts(opened, membersOf(opened, cluster));
  }

  async #fork(opened: OpenStore, { coordinator, cluster, made, orders }: Extract<DeskRequest, { kind: 'fork' }>): Promise<undefined> {
    const fence = readFence(opened, coordinator.id);
    if (fence.epoch > coordinator.epoch) throw new StillpointError('E_COORDINATOR_FENCED', `another command for the cluster of which ${cluster} is to be a fork has begun meanwhile`, { data: { cluster } });
    const taken = membersOf(opened, cluster).filter((name) => made.get(name) !== readRun(opened, name).id);
    if (taken.length > 0) throw new StillpointError('E_RUN_EXISTS', `the store holds runs of cluster ${cluster} already; choose another name or remove it`, { data: { cluster } });
    const wishes = orders.map((order) => ({ from: order.from, name: order.name, id: order.id, at: order.part === undefined ? 0 : { frames: order.part.frames, link: order.part.link }, bind: this.#places(cluster, order) }));
    await forkMany(opened, wishes, { suffix: cluster, bind: [], commit: together(opened, { expect: [fence.expectation] }) });
    return undefined;
  }

  /** Where the files of a fork are here. Nobody has runs of this name, so what lies there is of nobody. */
  #places(cluster: string, { files }: ForkOrder): readonly string[] {
    const { work } = this.#parts;
    if (work === undefined) return [];
    const here = new AgentFiles(work, cluster);
    return [...files].map(([channel, path]) => {
      const place = here.placeOf(path);
      rmSync(place, { force: true });
      makeDirectories(dirname(place), 0o700);
      return `${channel}=${place}`;
    });
  }

  async #undoFork(opened: OpenStore, { cluster, runs, files }: Extract<DeskRequest, { kind: 'undo fork' }>): Promise<undefined> {
    for (const [name, id] of runs) if (runNames(opened).includes(name) && readRun(opened, name).id === id) await removeRun(opened, { name, isAlive });
    const { work } = this.#parts;
    const directory = work === undefined ? undefined : join(work, cluster);
    if (work === undefined || directory === undefined || !existsSync(directory) || membersOf(opened, cluster).length > 0) return undefined; // Those of another cluster of that name stay.
    const here = new AgentFiles(work, cluster);
    for (const path of files) here.clear(path);
    removeAsides(directory);
    if (readdirSync(directory).length === 0) rmdirSync(directory);
    return undefined;
  }

  async #remove(opened: OpenStore, cluster: string): Promise<DeskAnswer> {
    const members = membersOf(opened, cluster);
    const removed = members.length === 0 ? { removedRecords: 0 } : await removeRuns(members, this.#parts.store);
    const { work } = this.#parts;
    if (work !== undefined && existsSync(join(work, cluster))) rmSync(join(work, cluster), { recursive: true, force: true });
    return removed;
  }
}

/** Its name matters to nobody here: the coordinator calls it as the host. */
function participant(context: StoreContext): RollbackParticipant {
  return new RollbackParticipant(context, { name: 'store', isAlive });
}
