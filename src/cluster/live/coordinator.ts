/**
 * `up`: starts the processes of a cluster, introduces them to each other, starts killed ones again, and ends everything when one node fails, when
 * a stop is asked for, or when all nodes have ended.
 *
 *   all listening ─► peers ─► nodes run ──┬─ every node ended ─────────────► leave ─► ended
 *                      ▲                  ├─ a process was killed ─► start it again, tell everybody where it is
 *                      └──────────────────┘
 *                                         ├─ a node failed ────────► stop everybody, E_CLUSTER_FAILED with its last lines
 *                                         └─ stop asked for ───────► stop everybody at a resumable point
 *
 * Invariants: when run() settles no process of the cluster is left; whoever does not stop or leave in time is killed, which costs nothing but time at the
 * resume; a process is started only for nodes that have not ended; a stop that comes when all have ended is none.
 * What this does NOT do: touch the nodes' bytes, hold the store open.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { counted, StillpointError, type ErrorCode } from '../../core/index.ts';
import type { Outcome } from '../../journal/index.ts';
import { socketDirectory, type Report } from '../../session/index.ts';
import type { HubCounters, NodeWait } from '../hub.ts';
import { CLUSTER_ID_BYTES } from '../wire.ts';
import type { ClusterPlan } from '../plan.ts';
import { quorumOf, VOTERS_MIN } from '../voting.ts';
import { PATIENCE, Standstill } from '../standstill.ts';
import type { NodeEnd } from '../node-end.ts';
import { lastLines } from './log-tail.ts';
import type { OpenHosts } from './open-hosts.ts';
import { ChildHandle, type ProcessEvents, type ProcessHandle } from './process-handle.ts';
import type { FromProcess, ToProcess } from './process-messages.ts';
import type { ClusterKeys } from './curve.ts';

export type NodeState = 'waiting' | 'running' | 'ended' | 'stopped' | 'failed';

export interface NodeStatus {
  readonly name: string;
  state: NodeState;
  instructions: bigint;
  checkpoints: number;
  inputBytes: number;
  outputBytes: number;
  /** Of its last state, when it has ended. */
  root: string | undefined;
  /** Of the life that ended or stopped; none for one that was killed after its end. */
  report: Report | undefined;
}

export interface ClusterStatus {
  readonly nodes: readonly NodeStatus[];
  /** Bytes that were written to each link of the plan, by its id; after a kill they may be fewer for a while. */
  readonly written: ReadonlyMap<number, number>;
  readonly restarts: number;
  /** Replicas that were outvoted, and why. */
  readonly dissents: readonly { readonly node: string; readonly what: string }[];
}

export interface CoordinatorParts {
  readonly plan: ClusterPlan;
  /** Directory of the store; it is there. */
  readonly store: string;
  /** Nodes that ended in an earlier start of the cluster. */
  readonly ended: readonly NodeEnd[];
  /** Arguments of node that make a process of a cluster. */
  readonly entry: readonly string[];
  readonly onStatus: (status: ClusterStatus) => void;
  readonly stopRequested: () => string | undefined;
  /** Hears what the report of a failed cluster is made of, before the failure is thrown. */
  readonly onFailed?: ((end: ClusterEnd) => void) | undefined;
  /** Other hosts that the plan has nodes on. */
  readonly hosts: OpenHosts;
  /** Number and process id of every process that starts; for tests that kill. */
  readonly onSpawn?: ((process: number, pid: number) => void) | undefined;
}

/** `reason` of a stop or a failure. */
export interface ClusterEnd { readonly kind: 'ended' | 'stopped' | 'failed'; readonly reason: string | undefined; readonly status: ClusterStatus; readonly counters: readonly HubCounters[] }

interface Failure { readonly node: string | undefined; readonly code: ErrorCode; readonly message: string }

/** One process of the cluster, in its present life. */
interface Member { readonly number: number; readonly life: number; handle: ProcessHandle; endpoint: string | undefined; readonly open: Set<string> }

/** How long a process may take to reach a resumable point after it was asked to, or to leave when everything is over. */
const STOP_GRACE_MS = 10_000;
const POLL_MS = 50;
/** Bytes of a socket's name: the number of a process, and how often it was started. */
const SOCKET_NAME_MAX = 12;
const LAST_LINES = 5;

export class Coordinator {
  readonly #parts: CoordinatorParts;
  readonly #clusterId = new Uint8Array(randomBytes(CLUSTER_ID_BYTES));
  /** Of the sockets, where processes need some: they make it, and remove it when the coordinator was killed (node-process.ts). */
  #directory: string | undefined;
  /** By number: the processes with nodes that had not ended when it began. */
  readonly #members = new Map<number, Member>();
  readonly #nodes: ReadonlyMap<string, NodeStatus>;
  readonly #ended: NodeEnd[];
  readonly #counters: HubCounters[] = [];
  readonly #written = new Map<number, number>();
  #keys: ClusterKeys | undefined;
  #restarts = 0;
  readonly #standstill: Standstill;
  readonly #dissents = new Map<string, string>();
  #isRunning = false;
  #stopReason: string | undefined;
  #failure: Failure | undefined;
  #killTimer: NodeJS.Timeout | undefined;
  #settle!: () => void;

  constructor(parts: CoordinatorParts) {
    this.#parts = parts;
    this.#standstill = new Standstill(parts.plan.hosts.length > 0 ? PATIENCE.severalHosts : PATIENCE.oneHost);
    this.#ended = [...parts.ended];
    for (const end of parts.ended) this.#tellWritten(end);
    const ends = new Map(parts.ended.map((end) => [end.node, end]));
    this.#nodes = new Map(parts.plan.nodes.map(({ name }) => [name, {
      name, state: ends.has(name) ? 'ended' : 'waiting', instructions: ends.get(name)?.instructions ?? 0n, root: ends.get(name)?.root, checkpoints: 0, inputBytes: 0, outputBytes: 0, report: undefined,
    }]));
  }

  /** Runs the cluster to its end or a stop. Throws E_CLUSTER_FAILED. */
  async run(): Promise<ClusterEnd> {
    const { plan } = this.#parts;
    if (plan.isEncrypted && plan.processes > 1) this.#keys = (await import('./curve.ts')).newClusterKeys();
    const over = new Promise<void>((resolve) => { this.#settle = resolve; });
    const polling = setInterval(() => { this.#poll(); }, POLL_MS);
    if (plan.processes > 1 && plan.transport !== 'tcp') this.#directory = socketDirectory(SOCKET_NAME_MAX);
    const clean = (): void => { if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true }); };
    process.once('exit', clean); // A second Ctrl-C.
    try {
      for (const host of this.#parts.hosts.hosts.values()) host.onTrouble((error) => { this.#fail({ node: undefined, code: error.code, message: error.message }); });
      for (const end of this.#parts.ended) this.#judge(end);
      for (const number of this.#failure === undefined ? openProcesses(plan, this.#nodes) : []) this.#spawn(number, 0);
      if (this.#members.size === 0) this.#settle();
      await over;
    } finally {
      clearInterval(polling);
      clearTimeout(this.#killTimer);
      process.off('exit', clean);
      clean();
    }
    if (this.#failure !== undefined) {
      const error = this.#failed(this.#failure);
      this.#parts.onFailed?.({ kind: 'failed', reason: error.message, status: this.#status, counters: this.#counters });
      throw error;
    }
    const isStopped = [...this.#nodes.values()].some(({ state }) => state !== 'ended');
    return { kind: isStopped ? 'stopped' : 'ended', reason: isStopped ? this.#stopReason : undefined, status: this.#status, counters: this.#counters };
  }

  get #status(): ClusterStatus {
    return { nodes: [...this.#nodes.values()], written: this.#written, restarts: this.#restarts, dissents: [...this.#dissents].map(([node, what]) => ({ node, what })) };
  }

  #spawn(number: number, life: number): void {
    const { plan, store, entry, onSpawn, hosts } = this.#parts;
    const open = plan.nodes.filter((node) => node.process === number && this.#nodes.get(node.name)!.state !== 'ended').map((node) => node.name);
    const host = plan.processHosts[number];
    const events: ProcessEvents = { onMessage: (message) => { this.#hear(member, message); }, onGone: (how, errors) => { this.#gone(member, how, errors); } };
    const handle = host === undefined ? new ChildHandle([...entry, plan.name, String(number)], events) : hosts.hosts.get(host)!.spawn(number, life, events);
    const member: Member = { number, life, handle, endpoint: undefined, open: new Set(open) };
    this.#members.set(number, member);
    const sockets = this.#directory;
    const bind = plan.processes === 1 ? undefined : sockets === undefined ? `tcp://${hosts.addressOf(host)}:*` : `ipc://${join(sockets, `${number}-${life}`)}`;
    this.#tell(member, { kind: 'start', plan, store, process: number, clusterId: this.#clusterId, bind, sockets, keys: this.#keys, ended: this.#ended });
    if (this.#stopReason !== undefined) this.#tell(member, { kind: 'stop', reason: this.#stopReason });
    if (handle.pid !== undefined) onSpawn?.(number, handle.pid);
  }

  #hear(member: Member, message: FromProcess): void {
    if (message.kind === 'listening') return this.#introduce(member, message.endpoint);
    if (message.kind === 'dissent') return this.#dissent(message.node, message.what);
    if (message.kind === 'waiting') return this.#lookForStandstill(message.nodes);
    if (message.kind === 'written') return message.links.forEach((bytes, link) => { this.#written.set(link, bytes); });
    if (message.kind === 'counters') return void this.#counters.push(message.counters);
    if (message.kind === 'failed' && message.node === undefined) return this.#fail(message, member);
    const status = this.#nodes.get(message.node!)!;
    if (message.kind === 'progress') {
      Object.assign(status, { state: 'running', instructions: message.instructions, checkpoints: message.checkpoints, inputBytes: message.inputBytes, outputBytes: message.outputBytes });
      return;
    }
    member.open.delete(status.name);
    if (message.kind === 'failed') {
      status.state = 'failed';
      this.#fail(message, member);
    } else {
      status.report = message.report;
      status.state = message.kind;
      if (message.kind === 'ended') this.#nodeEnded(status, message);
    }
    if (member.open.size > 0) return;
    this.#tell(member, { kind: 'leave' });
    if (this.#everyone.every(({ open }) => open.size === 0)) this.#killLater();
  }

  get #everyone(): readonly Member[] {
    return [...this.#members.values()];
  }

  /** When all are there, and whenever one comes back, everybody learns where everybody is. */
  #introduce(member: Member, endpoint: string): void {
    member.endpoint = endpoint;
    this.#isRunning ||= this.#everyone.every((other) => other.endpoint !== undefined);
    if (!this.#isRunning) return;
    const endpoints = Array.from({ length: this.#parts.plan.processes }, (_, number) => this.#members.get(number)?.endpoint);
    for (const other of this.#everyone) this.#tell(other, { kind: 'peers', endpoints });
  }

  #nodeEnded(status: NodeStatus, { node, outcome, instructions, root, written }: NodeEnd): void {
    const end: NodeEnd = { node, outcome, instructions, root, written };
    Object.assign(status, { instructions, root });
    this.#ended.push(end);
    this.#tellWritten(end);
    for (const other of this.#everyone) this.#tell(other, { kind: 'ended', ...end });
    this.#judge(end);
  }

  #tellWritten({ node, written }: NodeEnd): void {
    for (const { id, from, fromChannel } of this.#parts.plan.links) if (from === node) this.#written.set(id, written.get(fromChannel) ?? 0);
  }

  /** What the end of a node means for the cluster. */
  #judge({ node, outcome, root }: NodeEnd): void {
    const what = badEnd(outcome);
    const { replicas, of } = this.#parts.plan.nodes.find(({ name }) => name === node)!;
    const all = this.#replicasOf(of);
    const isAgreed = (): boolean => this.#ended.filter((end) => end.root === root && badEnd(end.outcome) === what && all.includes(end.node)).length >= quorumOf(replicas);
    if (what !== undefined && (replicas < VOTERS_MIN || isAgreed())) return this.#fail({ node, code: 'E_CLUSTER_FAILED', message: what });
    if (what !== undefined) this.#dissent(node, what);
    if (replicas > 1) this.#compareReplicas(of);
  }

  /** When all replicas of a node have ended, their roots decide: whatever they computed is in them. */
  #compareReplicas(of: string): void {
    const replicas = this.#replicasOf(of).map((name) => this.#nodes.get(name)!);
    if (!replicas.every(({ state }) => state === 'ended')) return;
    const count = (root: string | undefined): number => replicas.filter((replica) => replica.root === root).length;
    const winner = replicas.find(({ root }) => count(root) >= quorumOf(replicas.length));
    if (winner === undefined) return this.#fail({ node: replicas[0]!.name, code: 'E_REPLICAS_DIFFER', message: `the replicas of ${of} ended with different roots: ${replicas.map(({ name, root }) => `${name} ${root?.slice(0, 16) ?? ''}`).join(', ')}` });
    for (const replica of replicas) if (replica.root !== winner.root) this.#dissent(replica.name, 'it ended with another root than the other replicas');
  }

  /** A replica is outvoted, as long as a majority is left. */
  #dissent(node: string, what: string): void {
    if (this.#dissents.has(node)) return;
    this.#dissents.set(node, what);
    const { of, replicas } = this.#parts.plan.nodes.find(({ name }) => name === node)!;
    const left = replicas - this.#replicasOf(of).filter((name) => this.#dissents.has(name)).length;
    if (left < quorumOf(replicas)) this.#fail({ node, code: 'E_REPLICAS_DIFFER', message: `${what}, and no majority of its replicas is left` });
  }

  /** Names of a node's replicas, as the plan has them. */
  #replicasOf(of: string): readonly string[] {
    return this.#parts.plan.nodes.filter((node) => node.of === of).map(({ name }) => name);
  }

  /** A process is over: as it should be, after a stop, or killed. */
  #gone(member: Member, how: string, errors: string): void {
    if (this.#members.get(member.number) !== member) return;
    member.endpoint = undefined;
    if (member.open.size > 0 && this.#stopReason === undefined) {
      if (this.#restarts < this.#parts.plan.restarts) {
        this.#restarts++;
        return this.#spawn(member.number, member.life + 1);
      }
      this.#fail({ node: [...member.open][0], code: 'E_CLUSTER_FAILED', message: `its process was ended by ${how}, after ${counted(this.#restarts, 'restart')}: ${errors.trim().split('\n').at(-1) ?? ''}` });
    }
    if (this.#everyone.every(({ handle }) => handle.isGone)) this.#settle();
  }

  #poll(): void {
    const reason = this.#parts.stopRequested();
    if (reason !== undefined) this.#stop(reason);
    this.#parts.onStatus(this.#status);
  }

  /** When everybody waits, buffers grow; when nobody waits for room, nothing will ever come. */
  #lookForStandstill(waits: readonly NodeWait[]): void {
    this.#standstill.report(waits);
    if (this.#stopReason !== undefined || this.#everyone.some(({ endpoint, open }) => endpoint === undefined && open.size > 0)) return this.#standstill.reset();
    const open = [...this.#nodes.values()].filter(({ state }) => state !== 'ended').map(({ name }) => name);
    const found = this.#standstill.find(open);
    if (found === undefined) return;
    this.#standstill.reset();
    if (found.kind === 'full') {
      for (const member of this.#everyone) this.#tell(member, { kind: 'grow' });
      return;
    }
    const says = found.waits.slice(0, 5).map(({ node, wait, peer }) => (wait === 'writing' ? `${node} for ${peer} to read` : wait === 'reading' ? `${node} for bytes of ${peer}` : `${node} for ${peer} to take the rest`));
    this.#fail({ node: found.waits[0]!.node, code: 'E_CLUSTER_FAILED', message: `every node waits for another: ${says.join(', ')}${found.waits.length > 5 ? ', …' : ''}` });
  }

  #fail(failure: Failure, member?: Member): void {
    this.#failure ??= { node: failure.node ?? (member === undefined ? undefined : [...member.open][0]), code: failure.code, message: failure.message };
    member?.open.clear();
    this.#stop('another node failed');
    if (member !== undefined) this.#tell(member, { kind: 'leave' });
  }

  #stop(reason: string): void {
    if (this.#stopReason !== undefined) return;
    this.#stopReason = reason;
    for (const member of this.#everyone) this.#tell(member, { kind: 'stop', reason });
    this.#killLater();
  }

  #killLater(): void {
    this.#killTimer ??= setTimeout(() => { for (const { handle } of this.#everyone) handle.kill(); }, STOP_GRACE_MS);
  }

  #tell({ handle }: Member, message: ToProcess): void {
    handle.tell(message);
  }

  #failed({ node, code, message }: Failure): StillpointError {
    const planned = this.#parts.plan.nodes.find(({ name }) => name === node);
    const lines = ['stderr', 'stdout'].map((stream) => planned?.bindings.channels.get(stream)).map((binding) => (binding?.kind === 'file' ? lastLines(binding.path, LAST_LINES) : [])).find((found) => found.length > 0) ?? [];
    const said = lines.length === 0 ? '' : `; its last lines: ${lines.join(' | ')}`;
    const what = code === 'E_CLUSTER_FAILED' ? message : `${code}: ${message}`;
    return new StillpointError('E_CLUSTER_FAILED', `${node === undefined ? '' : `node ${node}${planned?.host === undefined ? '' : ` on host ${planned.host}`} of `}cluster ${this.#parts.plan.name}: ${what}${said}`, { data: { node, code } });
  }
}

/** Numbers of the processes that have something to do. */
function openProcesses(plan: ClusterPlan, nodes: ReadonlyMap<string, NodeStatus>): readonly number[] {
  return [...new Set(plan.nodes.filter(({ name }) => nodes.get(name)!.state !== 'ended').map((node) => node.process))].sort((a, b) => a - b);
}

/** What is wrong with the way a node ended. */
export function badEnd(outcome: Outcome): string | undefined {
  if (outcome.kind === 'exited') return outcome.status === 0 ? undefined : `it ended with status ${outcome.status}`;
  return outcome.kind === 'killed' ? `it was ended by signal ${outcome.signal}` : `a cap was reached: ${outcome.cap}${outcome.cap === 'instructions' ? '; with a higher maxInstructions, up --resume goes on' : ''}`;
}
