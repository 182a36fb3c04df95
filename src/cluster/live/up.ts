/**
 * `up`: from a cluster manifest to a cluster that has ended: plans, looks at what the store holds of it, runs it, shows its logs.
 * Invariants: everything that can be refused is refused before anything on the host is created. What this does NOT do: run nodes (node-process.ts).
 */
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { StillpointError } from '../../core/index.ts';
import { bindingsOfRun, defaultStoreDirectory, nodeRecord, withStore } from '../../session/index.ts';
import type { StoreContext } from '../../txn/index.ts';
import { nodeEnd, type NodeEnd } from '../node-end.ts';
import { runNameOf, type ClusterPlan } from '../plan.ts';
import { badEnd, Coordinator, type ClusterEnd, type ClusterStatus } from './coordinator.ts';
import { LogTail, type OnLine } from './log-tail.ts';

export interface UpRequest {
  readonly plan: ClusterPlan;
  /** Wins over the manifest's. */
  readonly store?: string | undefined;
  /** Go on with a cluster that was stopped. */
  readonly isResume: boolean;
  /** Arguments of node that make a process of a cluster: the script and its verb. */
  readonly entry: readonly string[];
  readonly onStatus: (status: ClusterStatus) => void;
  readonly onLine: OnLine;
  readonly stopRequested: () => string | undefined;
  /** Number and process id of every process that starts. */
  readonly onSpawn?: ((process: number, pid: number) => void) | undefined;
}

export interface UpResult extends ClusterEnd { readonly milliseconds: number }

/** Runs a cluster to its end or a stop. Throws E_RUN_EXISTS, E_RUN_FINISHED, E_CLUSTER_FAILED and what the store throws. */
export async function upCluster(request: UpRequest): Promise<UpResult> {
  const started = performance.now();
  const store = request.store ?? request.plan.store ?? defaultStoreDirectory();
  if (request.plan.isEphemeral) return upEphemeral(request, store, started);
  let { plan } = request;
  const ended = await withStore(store, 'create', async (context) => {
    const names = plan.nodes.map((node) => runNameOf(plan.name, node.name));
    const known = names.filter((name) => nodeRecord(context, name) !== undefined);
    if (!request.isResume && known.length > 0) throw exists(plan, known);
    if (request.isResume && known.length === 0) throw new StillpointError('E_RUN_UNKNOWN', `the store holds no run of cluster ${plan.name}; start it without --resume`, { data: { cluster: plan.name } });
    const found = plan.nodes.flatMap((node) => nodeEnd(context, plan, node) ?? []);
    refuseFinished(plan, found);
    plan = withKnownFiles(plan, context);
    return found;
  });
  return drive(request, { plan, store, ended, started });
}

/** Nothing is kept, so nothing is looked for either. */
async function upEphemeral(request: UpRequest, store: string, started: number): Promise<UpResult> {
  if (request.isResume) throw new StillpointError('E_USAGE', 'of a cluster that runs with --ephemeral nothing is kept that --resume could go on with');
  return drive(request, { plan: request.plan, store, ended: [], started });
}

async function drive(request: UpRequest, { plan, store, ended, started }: { readonly plan: ClusterPlan; readonly store: string; readonly ended: readonly NodeEnd[]; readonly started: number }): Promise<UpResult> {
  const tail = prepareLogs(request, plan);
  let lastPoll = 0;
  const onStatus = (status: ClusterStatus): void => {
    const now = performance.now();
    if (now - lastPoll >= 200) tail.poll();
    if (now - lastPoll >= 200) lastPoll = now;
    request.onStatus(status);
  };
  const coordinator = new Coordinator({ plan, store, ended, entry: request.entry, onStatus, stopRequested: request.stopRequested, onSpawn: request.onSpawn });
  try {
    const end = await coordinator.run();
    if (end.kind === 'ended') publishWinners(plan, end.status);
    return { ...end, milliseconds: Math.round(performance.now() - started) };
  } finally {
    tail.end();
  }
}

/** A node that has begun goes on in the files that its run knows: those of a fork have other names than the manifest's. */
function withKnownFiles(plan: ClusterPlan, context: StoreContext): ClusterPlan {
  return { ...plan, nodes: plan.nodes.map((node) => {
    const record = nodeRecord(context, runNameOf(plan.name, node.name));
    return record === undefined ? node : { ...node, bindings: { ...node.bindings, channels: bindingsOfRun(record).channels } };
  }) };
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

function exists(plan: ClusterPlan, known: readonly string[]): StillpointError {
  return new StillpointError('E_RUN_EXISTS', `the store holds ${known.length} runs of cluster ${plan.name} already; go on with --resume, or remove them: stillpoint rm ${known.slice(0, 3).join(' ')}${known.length > 3 ? ' …' : ''}`, { data: { cluster: plan.name } });
}

function refuseFinished(plan: ClusterPlan, ended: readonly NodeEnd[]): void {
  const bad = ended.find(({ outcome }) => badEnd(outcome) !== undefined);
  if (bad !== undefined) throw new StillpointError('E_RUN_FINISHED', `node ${bad.node} of cluster ${plan.name} has failed: ${badEnd(bad.outcome)!}; remove the runs and start again`, { data: { cluster: plan.name, node: bad.node } });
  if (ended.length === plan.nodes.length) throw new StillpointError('E_RUN_FINISHED', `cluster ${plan.name} has ended, there is nothing to resume`, { data: { cluster: plan.name } });
}

/** The directory of the logs; a first start begins with empty ones. `known`: the plan with the files that the nodes write. */
function prepareLogs({ plan, isResume, onLine }: UpRequest, known: ClusterPlan): LogTail {
  const files = plan.nodes.flatMap((node, index) => (['out', 'err'] as const).flatMap((stream) => {
    const planned = node.bindings.channels.get(`std${stream}`);
    const binding = known.nodes[index]!.bindings.channels.get(`std${stream}`);
    return planned?.kind === 'file' && planned.path.startsWith(`${plan.logs}/`) && binding?.kind === 'file' ? [{ node: node.name, stream, path: binding.path }] : [];
  }));
  try {
    mkdirSync(plan.logs, { recursive: true });
    if (!isResume) for (const { path } of files) rmSync(path, { force: true });
  } catch (cause) {
    throw new StillpointError('E_HOST_FILE', `the directory of the logs ${plan.logs} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, { data: { path: plan.logs }, cause });
  }
  return new LogTail(files, onLine);
}
