/**
 * `up`: from a cluster manifest to a cluster that has ended: plans, looks at what the store holds of it, runs it, shows its logs.
 * Invariants: everything that can be refused is refused before anything on the host is created. What this does NOT do: run nodes (node-process.ts).
 */
import { copyFileSync, existsSync, rmSync, statSync, truncateSync } from 'node:fs';
import { counted, StillpointError } from '../../core/index.ts';
import { makeDirectories } from '../../core/live/directories.ts';
import { riscv64 } from '../../isa/index.ts';
import { isTooLarge, parseElf, tooLarge } from '../../posix/index.ts';
import { bindingsOfRun, defaultStoreDirectory, nodeRecord, readProgram, withStore } from '../../session/index.ts';
import type { HostBinding } from '../../manifest/index.ts';
import { clusterPut, readClusterRecord, type ClusterRecord, type StoreContext } from '../../txn/index.ts';
import { nodeEnd, type NodeEnd } from '../node-end.ts';
import { runNameOf, type ClusterPlan, type PlannedNode } from '../plan.ts';
import { VOTERS_MIN } from '../voting.ts';
import { travelling } from './agent-files.ts';
import { badEnd, Coordinator, type ClusterEnd, type ClusterStatus } from './coordinator.ts';
import { LogTail, type OnLine } from './log-tail.ts';
import { moveFilesOfCluster } from './moved-files.ts';
import type { OpenHosts } from './open-hosts.ts';
import { ORPHANS_MS, waitForOrphans } from './orphans.ts';

export interface UpRequest {
  readonly plan: ClusterPlan;
  /** Wins over the manifest's. */
  readonly store?: string | undefined;
  /** The key file that agents of other hosts have, too. */
  readonly keys?: string | undefined;
  /** Go on with a cluster that was stopped. */
  readonly isResume: boolean;
  /** Of a resume: files that lie elsewhere now (moved-files.ts). */
  readonly bind?: readonly string[] | undefined;
  /** Arguments of node that make a process of a cluster: the script and its verb. */
  readonly entry: readonly string[];
  readonly onStatus: (status: ClusterStatus) => void;
  readonly onLine: OnLine;
  /** Hears what was done with what an earlier command had left. */
  readonly onNote?: ((text: string) => void) | undefined;
  readonly stopRequested: () => string | undefined;
  /** Hears how far everything came when a cluster fails that had begun, before the failure is thrown. */
  readonly onFailed?: ((result: UpResult) => void) | undefined;
  /** Number and process id of every process that starts. */
  readonly onSpawn?: ((process: number, pid: number) => void) | undefined;
}

export interface UpResult extends ClusterEnd { readonly milliseconds: number }

/** Runs a cluster to its end or a stop. Throws E_PROGRAM_*, E_ELF_*, E_RUN_EXISTS, E_RUN_OWNED, E_RUN_FINISHED, E_CLUSTER_FAILED, what the store throws and what other hosts refuse with. */
export async function upCluster(request: UpRequest): Promise<UpResult> {
  const started = performance.now();
  const timed = (end: ClusterEnd): UpResult => ({ ...end, milliseconds: Math.round(performance.now() - started) });
  const { plan, isResume } = request;
  const store = request.store ?? plan.store ?? defaultStoreDirectory();
  if (!isResume && request.bind !== undefined && request.bind.length > 0) throw new StillpointError('E_USAGE', 'option --bind goes with --resume: a first start takes its files from the manifest');
  if (!isResume) lookAtPrograms(plan);
  if (plan.isEphemeral && isResume) throw new StillpointError('E_USAGE', 'of a cluster that runs with --ephemeral nothing is kept that --resume could go on with');
  const located = plan.hosts.length === 0 || plan.isEphemeral || !isResume ? plan : await withRecordedFiles(request, store);
  const hosts = plan.hosts.length === 0 ? NO_HOSTS : await (await import('./open-hosts.ts')).openHosts({ ...request, plan: located }); // Loaded on demand: sockets.
  try {
    const begun = plan.isEphemeral ? { plan, ended: [], kept: new Map<string, number>() } : await lookAtStores({ ...request, plan: located }, store, hosts);
    const tail = prepareLogs(request, begun);
    await hosts.ship({ isResume });
    return timed(await drive(request, { ...begun, store, hosts, tail, onFailed: (end) => { request.onFailed?.(timed(end)); } }));
  } finally {
    await hosts.close();
  }
}

/** Programs of this host with which no node could begin, while the outputs of an earlier cluster are still what they were. Throws E_PROGRAM_*, E_ELF_*. */
function lookAtPrograms({ name, nodes }: ClusterPlan): void {
  const seen = new Set<string>();
  for (const { name: node, manifest, bindings: { program }, images } of nodes) {
    const key = `${manifest.memoryBytes} ${program}`;
    if (manifest.programPath !== undefined || seen.has(key)) continue;
    seen.add(key);
    try {
      const bytes = readProgram(program, images.length > 0);
      if (images.length > 0) continue; // It may be a script.
      if (isTooLarge(parseElf(bytes, { machine: riscv64.abi.elfMachine }), manifest.memoryBytes)) throw tooLarge(manifest.memoryBytes);
    } catch (error) {
      throw error instanceof StillpointError ? new StillpointError(error.code, `node ${node} of cluster ${name}: ${error.code.startsWith('E_ELF_') ? `${program}: ` : ''}${error.message}`, { data: error.data, cause: error }) : error;
    }
  }
}

/** Of a cluster on this host alone. */
const NO_HOSTS: OpenHosts = { hosts: new Map(), addressOf: () => '127.0.0.1', known: [], ended: [], ship: async () => {}, close: async () => {} };

/** `kept`: how much of its logs a node of this host that goes on has written, as its run knows. */
interface Begun { readonly plan: ClusterPlan; readonly ended: readonly NodeEnd[]; readonly kept: ReadonlyMap<string, number> }

/** What this store and those of other hosts know of the cluster; refuses a start over old runs, and a resume of nothing or of a cluster that has failed. */
async function lookAtStores({ plan, isResume, bind = [] }: UpRequest, store: string, hosts: OpenHosts): Promise<Begun> {
  return withStore(store, 'create', async (context) => {
    const here = plan.nodes.filter(({ host }) => host === undefined);
    const known = [...here.map(({ name }) => name).filter((name) => nodeRecord(context, runNameOf(plan.name, name)) !== undefined), ...hosts.known];
    await waitForOrphans(context, here.map(({ name }) => runNameOf(plan.name, name)), isResume ? ORPHANS_MS : 0);
    if (!isResume && known.length > 0) throw exists(plan, known.map((name) => runNameOf(plan.name, name)), hosts.known.length > 0);
    if (isResume && known.length === 0) throw new StillpointError('E_RUN_UNKNOWN', `the store holds no run of cluster ${plan.name}; start it without --resume`, { data: { cluster: plan.name } });
    const ended = [...here.flatMap((node) => nodeEnd(context, plan, node) ?? []), ...hosts.ended];
    refuseFinished(plan, ended);
    if (isResume) refuseLost(plan, ended, new Set(known));
    if (bind.length > 0) await moveFilesOfCluster(context, plan, bind);
    if (plan.hosts.length > 0) await context.store.commit({ puts: [clusterPut(context, recordOf(plan))] });
    return { plan: withKnownFiles(plan, context), ended, kept: new Map(here.filter(({ name }) => !ended.some(({ node }) => node === name)).flatMap((node) => keptOf(plan, node, context))) };
  });
}

/** Ends what a command for the whole cluster left, and takes the files of nodes elsewhere as the cluster's record has them: those of a fork have other names than the manifest's. */
async function withRecordedFiles({ plan, keys, onNote }: UpRequest, store: string): Promise<ClusterPlan> {
  const read = async (): Promise<ClusterRecord | undefined> => (existsSync(store) ? withStore(store, 'read-only', async (context) => readClusterRecord(context, plan.name)) : undefined);
  if (await read() === undefined) return plan;
  await (await import('./spread.ts')).settleSpread({ cluster: plan.name, store, keys, onNote });
  const record = await read(); // A fork that was not made whole is gone now.
  return { ...plan, nodes: plan.nodes.map((node) => {
    const written = [...record?.nodes.get(node.name)?.files ?? []].filter(([, { isWritten }]) => isWritten);
    return node.host === undefined ? node : { ...node, bindings: { ...node.bindings, channels: new Map([...node.bindings.channels, ...written.map(([channel, { path }]): [string, HostBinding] => [channel, { kind: 'file', path }])]) } };
  }) };
}

/** What commands for the whole cluster have to know of it. */
function recordOf(plan: ClusterPlan): ClusterRecord {
  const filesOf = ({ host, manifest, bindings }: PlannedNode): ClusterRecord['nodes'] extends ReadonlyMap<string, infer Node> ? Node : never => ({ host, files: new Map(host === undefined ? [] : manifest.channels.flatMap(({ name, writes }) => {
    const path = travelling(bindings.channels.get(name));
    return path === undefined ? [] : [[name, { path, isWritten: writes }] as const];
  })) });
  return { name: plan.name, hosts: new Map(plan.hosts.map(({ name, address, port }) => [name, { address, port }])), nodes: new Map(plan.nodes.map((node) => [node.name, filesOf(node)])) };
}

async function drive(request: UpRequest, { plan, store, ended, hosts, tail, onFailed }: Begun & { readonly store: string; readonly hosts: OpenHosts; readonly tail: LogTail; readonly onFailed: (end: ClusterEnd) => void }): Promise<ClusterEnd> {
  let lastPoll = 0;
  const onStatus = (status: ClusterStatus): void => {
    const now = performance.now();
    if (now - lastPoll >= 200) tail.poll();
    if (now - lastPoll >= 200) lastPoll = now;
    request.onStatus(status);
  };
  const coordinator = new Coordinator({ plan, store, ended, hosts, entry: request.entry, onStatus, stopRequested: request.stopRequested, onFailed, onSpawn: request.onSpawn });
  try {
    const end = await coordinator.run();
    if (end.kind === 'ended') publishWinners(plan, end.status);
    return end;
  } finally {
    tail.end();
  }
}

/** A node that has begun goes on in the files that its run knows: those of a fork have other names than the manifest's. */
function withKnownFiles(plan: ClusterPlan, context: StoreContext): ClusterPlan {
  return { ...plan, nodes: plan.nodes.map((node) => {
    if (node.host !== undefined) return node;
    const record = nodeRecord(context, runNameOf(plan.name, node.name));
    return record === undefined ? node : { ...node, bindings: { ...node.bindings, channels: bindingsOfRun(record).channels } };
  }) };
}

function keptOf(plan: ClusterPlan, node: PlannedNode, context: StoreContext): readonly (readonly [string, number])[] {
  const record = nodeRecord(context, runNameOf(plan.name, node.name));
  return record === undefined ? [] : (['out', 'err'] as const).map((stream) => [`${node.name} ${stream}`, record.outputs.get(`std${stream}`)?.intended ?? 0] as const);
}

/** FILE.rN, and FILE.rN.NAME in a fork. */
const OWN_FILE = /\.r[0-9](\.[A-Za-z0-9_-]+)?$/;

/** The output files of a node that ran several times over: those of a replica that was not outvoted. */
function publishWinners(plan: ClusterPlan, { dissents }: ClusterStatus): void {
  for (const of of new Set(plan.nodes.filter(({ replicas }) => replicas > 1).map((node) => node.of))) {
    const winner = plan.nodes.find((node) => node.of === of && !dissents.some(({ node: name }) => name === node.name))!; // A majority is left, or the cluster has failed.
    for (const spec of winner.manifest.channels) {
      const binding = winner.bindings.channels.get(spec.name);
      if (!spec.writes || binding?.kind !== 'file' || !OWN_FILE.test(binding.path)) continue;
      try {
        copyFileSync(binding.path, binding.path.replace(OWN_FILE, '$1'));
      } catch (cause) {
        throw new StillpointError('E_HOST_FILE', `the output ${binding.path} of the majority cannot be copied to its place: ${cause instanceof Error ? cause.message : String(cause)}`, { data: { path: binding.path }, cause });
      }
    }
  }
}

function exists(plan: ClusterPlan, known: readonly string[], isElsewhere: boolean): StillpointError {
  return new StillpointError('E_RUN_EXISTS', `the store${isElsewhere ? 's of its hosts hold' : ' holds'} ${counted(known.length, 'run')} of cluster ${plan.name} already; go on with --resume, or remove them: stillpoint rm ${plan.name}${isElsewhere ? ' --keys FILE' : ''}`, { data: { cluster: plan.name } });
}

function refuseFinished(plan: ClusterPlan, ended: readonly NodeEnd[]): void {
  const isAlone = (name: string): boolean => plan.nodes.find((node) => node.name === name)!.replicas < VOTERS_MIN; // The others may be outvoted.
  const bad = ended.find(({ node, outcome }) => badEnd(outcome) !== undefined && isAlone(node));
  if (bad !== undefined) throw new StillpointError('E_RUN_FINISHED', `node ${bad.node} of cluster ${plan.name} has failed: ${badEnd(bad.outcome)!}; remove it (stillpoint rm ${plan.name}) and start again`, { data: { cluster: plan.name, node: bad.node } });
}

/** A node ends when its readers hold what it wrote: one of them without a run had another store then, and would wait for bytes that nobody has. */
function refuseLost(plan: ClusterPlan, ended: readonly NodeEnd[], known: ReadonlySet<string>): void {
  const written = new Map(ended.map((end) => [end.node, end.written]));
  const lost = plan.links.find(({ from, fromChannel, to }) => (written.get(from)?.get(fromChannel) ?? 0) > 0 && !known.has(to));
  if (lost === undefined) return;
  const { host } = plan.nodes.find(({ name }) => name === lost.to)!;
  throw new StillpointError('E_RUN_UNKNOWN', `the store${host === undefined ? '' : ` of host ${host}`} holds no run of node ${lost.to}, and ${lost.from}, which wrote to it, has ended; put the store back that it had, or remove the cluster (stillpoint rm ${plan.name}${plan.hosts.length > 0 ? ' --keys FILE' : ''}) and start again`, { data: { cluster: plan.name, node: lost.to } });
}

/** The directory of the logs; a first start begins with empty ones. `known`: the plan with the files that the nodes write. */
function prepareLogs({ plan, isResume, onLine }: UpRequest, { plan: known, kept }: Pick<Begun, 'plan' | 'kept'>): LogTail {
  const files = plan.nodes.flatMap((node, index) => (['out', 'err'] as const).flatMap((stream) => {
    const planned = node.bindings.channels.get(`std${stream}`);
    const binding = known.nodes[index]!.bindings.channels.get(`std${stream}`);
    return planned?.kind === 'file' && planned.path.startsWith(`${plan.logs}/`) && binding?.kind === 'file' ? [{ node: node.name, stream, path: binding.path, kept: kept.get(`${node.name} ${stream}`) }] : [];
  }));
  try {
    makeDirectories(plan.logs);
    if (!isResume) for (const { path } of files) rmSync(path, { force: true });
    // What a rollback took back goes now, not when its node gets there: it is shown when it comes again.
    for (const { path, kept } of files) if (kept !== undefined && existsSync(path) && statSync(path).size > kept) truncateSync(path, kept);
  } catch (cause) {
    throw new StillpointError('E_HOST_FILE', `the directory of the logs ${plan.logs} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, { data: { path: plan.logs }, cause });
  }
  return new LogTail(files, onLine);
}
