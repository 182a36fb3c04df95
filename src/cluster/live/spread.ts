/**
 * Checkpoints, rollback, forks and the end of clusters whose nodes are on several hosts, each with a store of its own; given where `up` runs, whose store knows the hosts.
 *
 *   checkpoint   all stores held at one moment (moment.ts) ─► one record here                                     nothing is written elsewhere
 *   rollback     every store prepares ─► decided here, in the commit that puts the runs here back ─► every store   txn/coordinator.ts
 *   fork         "forking" here ─► every other store makes its runs ─► those here, and "forking" gone: one commit       found there: undone
 *   rollback --keep: the fork, whose last commit is the rollback's decision
 *
 * Invariants: what a command that died has left is ended before anything else is done; a command either happens everywhere or nowhere, but for `remove`, which goes on when it is given
 * again. What this does NOT do: run nodes, work in stores (desk.ts).
 */
import { assert, StillpointError } from '../../core/index.ts';
import type { StoreBatch, StoreDelete } from '../../store/index.ts';
import { defaultStoreDirectory, forkMany, newRunId, wallClockMs, withCoordinator, withRollbackMany, withStore, type SessionHooks } from '../../session/index.ts';
import {
  clusterDelete, clusterPut, cutDelete, forkingDelete, forkingPut, forkingsFrom, keepCut, listCuts, readClusterRecord, readCut, readForking, readRun,
  type Branch, type ClusterRecord, type Coordinator, type CutPart, type ForkingRecord, type Participant, type RollbackWish, type StoreContext,
} from '../../txn/index.ts';
import { cutsBehind, factsOf, instructionsOf, mustBeClusterName, type ClusterBranch, type CutFacts } from '../cut.ts';
import { membersOf } from '../members.ts';
import { readAtOneMoment } from '../moment.ts';
import { runNameOf } from '../plan.ts';
import { readKeyFile } from './curve.ts';
import { Desk } from './desk.ts';
import type { ForkOrder } from './desk-messages.ts';
import { resolveAddress } from './addresses.ts';
import { RemoteDesk } from './remote-desk.ts';

export interface SpreadRequest {
  readonly cluster: string;
  readonly store: string | undefined;
  /** The key file that the agents have, too. */
  readonly keys: string | undefined;
  /** For nodes that are executed again here. */
  readonly hooks?: ((node: string) => SessionHooks) | undefined;
  /** What was found of an earlier command, and done with it: a sentence. */
  readonly onNote?: ((text: string) => void) | undefined;
}

export interface Spread {
  readonly cluster: string;
  readonly record: ClusterRecord;
  readonly context: StoreContext;
  readonly coordinator: Coordinator;
  /** The store here. */
  readonly here: Desk;
  /** All other hosts; some may share a store. */
  readonly hosts: ReadonlyMap<string, RemoteDesk>;
  /** Other stores, each once, by a host that has it. */
  readonly others: ReadonlyMap<string, RemoteDesk>;
}

/** Keeps where all nodes are at one moment. Throws E_USAGE, E_CLUSTER_HOST, E_STORE_BUSY; then nothing has changed. */
export async function checkpointSpread(request: SpreadRequest, { name, note }: { readonly name: string; readonly note?: string | undefined }): Promise<CutFacts> {
  return withSpread(request, async (spread) => {
    const parts = await momentOf(spread);
    if (parts.size === 0) throw new StillpointError('E_RUN_UNKNOWN', `no store of its hosts holds a run of cluster ${spread.cluster}`, { data: { cluster: spread.cluster } });
    const cut = { cluster: spread.cluster, name, note, createdMs: wallClockMs(), parts };
    await keepCut(spread.context, cut);
    return factsOf(cut);
  });
}

/** The kept checkpoints, with the nodes whose stores do not hold them any more. */
export async function listSpread(request: SpreadRequest): Promise<readonly CutFacts[]> {
  return withSpread(request, async ({ cluster, context, here, others }) => {
    const found: CutFacts[] = [];
    for (const cut of listCuts(context, cluster)) {
      const lacks = await Promise.all([here, ...others.values()].map((desk) => desk.answer({ kind: 'missing', parts: cut.parts })));
      found.push({ ...factsOf(cut), broken: [...cut.parts.keys()].filter((name) => lacks.every((lack) => lack.includes(name))) });
    }
    return found;
  });
}

/** Puts all nodes back, or none. `keep`: a fork of where they are now, which is there when they have gone back, and else not. Throws E_CHECKPOINT_UNKNOWN, E_RUN_OWNED, E_RUN_EXISTS, E_CLUSTER_HOST; then nothing has changed. */
export async function rollbackSpread(request: SpreadRequest, { to, keep }: { readonly to: string; readonly keep?: string | undefined }): Promise<ClusterBranch> {
  return withSpread(request, async (spread) => {
    const { cluster, context, coordinator, others } = spread;
    const parts = to === '0' ? new Map<string, CutPart>() : readCut(context, cluster, to).parts;
    const members = await membersEverywhere(spread);
    for (const [name, { run }] of parts) if (members.get(name)?.id !== run) throw new StillpointError('E_CHECKPOINT_UNKNOWN', `run ${name} is gone, or another one than when checkpoint ${to} was taken`, { data: { cluster, run: name } });
    const branchesFrom = (now: ReadonlyMap<string, CutPart> | undefined): readonly Branch[] => [...others].map(([host, desk]) => {
      const wishes = new Map([...members].filter(([, member]) => member.host === host).map(([name, { id }]): [string, RollbackWish] => [name, { run: id, place: parts.get(name), frames: now?.get(name)?.frames }]));
      return { participant: participantOf(host, desk), prepare: (id) => desk.answer({ kind: 'prepare', id, wishes }), abort: (id) => desk.answer({ kind: 'abort', id }) };
    });
    const mine = [...members].filter(([, { host }]) => host === undefined).map(([name]) => ({ name, at: pointOf(parts.get(name)) }));
    const { unresolved } = await withRollbackMany(context, mine, async (batch) => {
      const local = [batch, { deletes: cutsBehind(context, cluster, parts) }];
      if (keep === undefined) return coordinator.commit({ branches: branchesFrom(undefined), local });
      const now = await momentOf(spread);
      return (await forkOf(spread, { parts: now, name: keep }, (fork) => coordinator.commit({ branches: branchesFrom(now), local: [...local, fork] }))).decided;
    }).catch((error: unknown) => { throw isLost(error) ? adding(error, `no node has gone back; what a host has prepared for it is taken back by the next command for cluster ${cluster}`) : error; });
    return { cluster, from: cluster, checkpoint: to, nodes: members.size, instructions: instructionsOf(parts), files: [], unresolved };
  });
}

/** A cluster of its own on the same hosts, that begins where another one was (or is now). Throws E_RUN_EXISTS, E_CHECKPOINT_UNKNOWN, E_CLUSTER_HOST; then nothing was made. */
export async function forkSpread(request: SpreadRequest, fork: { readonly at?: string | undefined; readonly name: string }): Promise<ClusterBranch> {
  return withSpread(request, async (spread) => {
    const { context, cluster, coordinator } = spread;
    const { at, name } = fork;
    mustBeClusterName(name);
    const parts = at === undefined ? await momentOf(spread) : readCut(context, cluster, at).parts;
    const { files } = await forkOf(spread, { parts, name }, (batch) => coordinator.commit({ local: [batch] }));
    return { cluster: name, from: cluster, checkpoint: at, nodes: parts.size, instructions: instructionsOf(parts), files };
  });
}

/** Removes the runs of all hosts and what is known of the cluster. Throws E_RUN_OWNED, E_CLUSTER_HOST; given again, it goes on. */
export async function removeSpread(request: SpreadRequest): Promise<{ readonly removedRecords: number }> {
  return withSpread(request, async ({ cluster, context, coordinator, here, hosts, others }) => {
    const removed = await Promise.all([...others.values()].map((desk) => desk.answer({ kind: 'remove', cluster })));
    removed.push(await here.answer({ kind: 'remove', cluster }));
    for (const [name, desk] of hosts) if (!others.has(name)) removed.push(await desk.answer({ kind: 'remove', cluster })); // Its files; its store has no runs any more.
    await retire({ coordinator, others }, [...listCuts(context, cluster).map(cutDelete), clusterDelete(cluster)]);
    return { removedRecords: removed.reduce((sum, { removedRecords }) => sum + removedRecords, 0) };
  });
}

/** A cluster is gone from all stores: so goes what its commands kept there to end each other's work, of which nothing is left. */
async function retire({ coordinator, others }: Pick<Spread, 'coordinator' | 'others'>, deletes: readonly StoreDelete[]): Promise<void> {
  await Promise.all([...others.values()].map((desk) => desk.answer({ kind: 'forget', coordinator: coordinator.identity })));
  await coordinator.retire(deletes);
}

/** Ends what a command that died has left of a cluster. Throws E_CLUSTER_HOST. */
export async function settleSpread(request: SpreadRequest): Promise<void> {
  await withSpread(request, async () => {});
}

/** Connects to all stores of a cluster, ends what was left in doubt, calls `use`. */
export async function withSpread<Result>(request: SpreadRequest, use: (spread: Spread) => Promise<Result>): Promise<Result> {
  const { cluster, store = defaultStoreDirectory(), keys, hooks, onNote = () => {} } = request;
  const record = await withWholeRecord(request, store);
  if (record === undefined) throw new StillpointError('E_RUN_UNKNOWN', `the store holds no run of cluster ${cluster}`, { data: { cluster } });
  if (keys === undefined) throw new StillpointError('E_USAGE', `nodes of ${cluster} are on other hosts (${[...record.hosts.keys()].join(', ')}); --keys FILE names the key file that their agents have, too`, { data: { cluster } });
  const pair = readKeyFile(keys);
  const here = new Desk({ store, work: undefined }, hooks);
  const desks: RemoteDesk[] = [];
  try {
    for (const [name, { address, port }] of record.hosts) desks.push(new RemoteDesk({ name, address: await resolveAddress(address), port }, pair));
    const others = await distinct(here, desks);
    const participants = [...others].map(([host, desk]) => participantOf(host, desk));
    return await withCoordinator({ store, name: `cluster.${cluster}`, participants }, async ({ context, coordinator, recovered }) => {
      const [left] = recovered.unresolved;
      if (left !== undefined) throw new StillpointError('E_CLUSTER_HOST', `host ${left.participant} has not answered whether an earlier command for cluster ${cluster} left something to be ended; give the command again`, { data: { cluster, host: left.participant } });
      const spread = { cluster, record, context, coordinator, here, hosts: new Map(desks.map((desk) => [desk.name, desk])), others };
      for (const forking of forkingsFrom(context, cluster)) {
        await undoFork(spread, forking);
        if (forking.name !== cluster) onNote(`the fork ${forking.name} of cluster ${cluster} was not made whole, and is undone`);
      }
      if (readClusterRecord(context, cluster) !== undefined) return use(spread);
      await retire(spread, []); // A fork that was under way in a store of an older version.
      throw wasUndone(cluster);
    });
  } finally {
    await Promise.all([here, ...desks].map((desk) => desk.close()));
  }
}

/** What the store knows of a cluster, when the command that made it has ended. Throws E_RUN_UNKNOWN: it was a fork that was not made whole. */
async function withWholeRecord({ cluster, keys, onNote }: SpreadRequest, store: string): Promise<ClusterRecord | undefined> {
  const read = (): Promise<readonly [ClusterRecord | undefined, string]> => withStore(store, 'existing', async (context) => [readClusterRecord(context, cluster), readForking(context, cluster)?.from ?? cluster]);
  const [record, from] = await read();
  if (from === cluster) return record;
  await settleSpread({ cluster: from, store, keys, onNote });
  const [whole] = await read();
  if (whole === undefined) throw wasUndone(cluster);
  return whole;
}

function wasUndone(cluster: string): StillpointError {
  return new StillpointError('E_RUN_UNKNOWN', `the fork ${cluster} was not made whole, and is undone; the store holds no run of cluster ${cluster}`, { data: { cluster } });
}

/** One desk for each store: agents may share one. */
async function distinct(here: Desk, desks: readonly RemoteDesk[]): Promise<ReadonlyMap<string, RemoteDesk>> {
  const answers = await Promise.allSettled(desks.map((desk) => desk.greet()));
  const seen = new Set([await here.identity()]);
  const found = new Map<string, RemoteDesk>();
  for (const [index, answer] of answers.entries()) {
    if (answer.status === 'rejected') throw unchanged(answer.reason);
    if (!seen.has(answer.value.store)) found.set(desks[index]!.name, desks[index]!);
    seen.add(answer.value.store);
  }
  return found;
}

function unchanged(error: unknown): unknown {
  return adding(error, 'nothing was changed');
}

function adding(error: unknown, what: string): unknown {
  return error instanceof StillpointError ? new StillpointError(error.code, `${error.message}; ${what}`, { data: error.data, cause: error }) : error;
}

/** A host that had something to do has not said whether it did. */
function isLost(error: unknown): boolean {
  return error instanceof StillpointError && error.code === 'E_CLUSTER_HOST';
}

function participantOf(name: string, desk: RemoteDesk): Participant {
  return { name, commit: (id) => desk.answer({ kind: 'commit', id }), abort: (id) => desk.answer({ kind: 'abort', id }), inDoubt: (coordinator) => desk.answer({ kind: 'in doubt', coordinator }) };
}

async function momentOf({ cluster, here, others }: Spread): Promise<ReadonlyMap<string, CutPart>> {
  const desks = [here, ...others.values()];
  await Promise.all(desks.map((desk) => desk.answer({ kind: 'ready' })));
  return readAtOneMoment(desks.map((desk) => ({ begin: () => desk.answer({ kind: 'hold', cluster }), end: () => desk.answer({ kind: 'let go' }) })));
}

type Members = ReadonlyMap<string, { readonly id: CutPart['run']; /** Undefined: here. */ readonly host: string | undefined }>;

async function membersEverywhere({ cluster, context, others }: Spread): Promise<Members> {
  const found = new Map<string, { readonly id: CutPart['run']; readonly host: string | undefined }>();
  for (const name of membersOf(context, cluster)) found.set(name, { id: readRun(context, name).id, host: undefined });
  for (const [host, desk] of others) for (const [name, id] of await desk.answer({ kind: 'members', cluster })) found.set(name, { id, host });
  return found;
}

/** A fork with its runs at `parts`: everywhere else first. `decide` commits what makes those here and the fork whole; when that, or anything before it, fails, the fork is undone. */
async function forkOf<Decided>(spread: Spread, { parts, name }: { readonly parts: ReadonlyMap<string, CutPart>; readonly name: string }, decide: (batch: StoreBatch) => Promise<Decided>): Promise<{ readonly files: readonly string[]; readonly decided: Decided }> {
  const { cluster, context, record, coordinator, hosts } = spread;
  mustBeClusterName(name);
  const fork = recordOfFork(record, name);
  const orders = [...parts].map(([from, part]) => ({ host: record.nodes.get(from.slice(cluster.length + 1))?.host, order: orderOf(fork, { from, part, node: from.slice(cluster.length + 1) }) }));
  const forking: ForkingRecord = { name, from: cluster, runs: new Map(orders.map(({ host, order }) => [order.name, { host, id: order.id }])) };
  const word = forkingPut(context, forking);
  const words = [clusterPut(context, fork), word];
  const isFree = membersOf(context, name).length === 0 && await context.store.commit({ expect: words.map(({ table, key }) => ({ table, key, value: undefined })), puts: words }) === 'done';
  if (!isFree) throw new StillpointError('E_RUN_EXISTS', `the store holds runs of cluster ${name} already; choose another name or remove it`, { data: { cluster: name } });
  try {
    const made = new Map(orders.map(({ order }) => [order.name, order.id]));
    for (const [host, desk] of hosts) await desk.answer({ kind: 'fork', coordinator: coordinator.identity, cluster: name, made, orders: orders.filter((wish) => wish.host === host).map(({ order }) => order) });
    const mine = orders.filter(({ host }) => host === undefined).map(({ order }) => ({ from: order.from, name: order.name, id: order.id, at: pointOf(order.part) }));
    const decided: Decided[] = [];
    const { files } = await forkMany(context, mine, { suffix: name, bind: [], commit: async ({ expect, deletes, puts }) => {
      decided.push(await decide({ expect: [...expect, word], deletes: [...deletes, forkingDelete(name)], puts }));
      return 'done';
    } });
    return { files, decided: decided[0]! }; // forkMany() commits once.
  } catch (error) {
    throw adding(error, await undone(spread, forking));
  }
}

/** Undoes a fork whose making has failed; what is said of it. */
async function undone(spread: Spread, forking: ForkingRecord): Promise<string> {
  try {
    await undoFork(spread, forking);
    return 'nothing was changed';
  } catch (left) {
    if (!(left instanceof StillpointError)) throw left;
    return `what was made of fork ${forking.name} is taken back by the next command for cluster ${spread.cluster}`;
  }
}

function recordOfFork(record: ClusterRecord, name: string): ClusterRecord {
  return { ...record, name, nodes: new Map([...record.nodes].map(([node, { host, files }]) => [node, { host, files: new Map([...files].map(([channel, { path, isWritten }]) => [channel, { path: isWritten ? `${path}.${name}` : path, isWritten }])) }])) };
}

function orderOf(fork: ClusterRecord, { from, part, node }: { readonly from: string; readonly part: CutPart; readonly node: string }): ForkOrder {
  const files = fork.nodes.get(node)?.files ?? new Map<string, { readonly path: string }>();
  return { from, name: runNameOf(fork.name, node), id: newRunId(), part, files: new Map([...files].map(([channel, { path }]) => [channel, path])) };
}

/** A fork that was not made whole goes, with the copies of files on other hosts. Each host removes all of its runs that it finds, so that none of another host's, in a store that both have, keeps its files. */
async function undoFork({ context, here, hosts }: Pick<Spread, 'context' | 'here' | 'hosts'>, { name, runs: made }: ForkingRecord): Promise<void> {
  const record = readClusterRecord(context, name);
  const runs = new Map([...made].map(([run, { id }]) => [run, id]));
  const filesOf = (host: string): readonly string[] => [...record?.nodes.values() ?? []].filter((node) => node.host === host).flatMap(({ files }) => [...files.values()]).filter(({ isWritten }) => isWritten).map(({ path }) => path);
  for (const [host, desk] of hosts) await desk.answer({ kind: 'undo fork', cluster: name, runs, files: filesOf(host) });
  await here.answer({ kind: 'undo fork', cluster: name, runs, files: [] });
  await context.store.commit({ deletes: [clusterDelete(name), forkingDelete(name)] });
  assert(readForking(context, name) === undefined, 'a fork that was undone is not there');
}

/** A node that is not in a cut had not begun. */
function pointOf(part: CutPart | undefined): 0 | { readonly frames: number; readonly link: CutPart['link'] } {
  return part === undefined ? 0 : { frames: part.frames, link: part.link };
}
