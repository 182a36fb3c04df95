/**
 * One process of a cluster: executes its nodes side by side, with a hub for their channels and a transport to the other processes.
 *
 *   start ─► listening ─► peers ─► nodes run ─► ended, ended, … ─► leave
 *                                      └─ stop, or the coordinator is gone ─► every node stops at a resumable point
 *
 * Invariants: nothing runs before the coordinator says where everybody is; a process whose coordinator is gone stops by itself.
 * What this does NOT do: start processes again, decide what a failure means (coordinator.ts).
 */
import { rmSync } from 'node:fs';
import { createNodeDigests } from '../../core/live/digest.ts';
import { makeDirectories } from '../../core/live/directories.ts';
import { StillpointError, type Digests } from '../../core/index.ts';
import type { HostPort } from '../../channel/index.ts';
import { runEphemeralNode, runNode, withCommitsBeside, withStore, type NodeRequest, type Progress } from '../../session/index.ts';
import { nodeEnd } from '../node-end.ts';
import { LinkHub, type Transport } from '../hub.ts';
import type { PeerInput } from '../peer-input.ts';
import type { PeerOutput } from '../peer-output.ts';
import { FanOutput, VotingInput } from '../voting.ts';
import { runNameOf, type ClusterPlan, type PlannedNode } from '../plan.ts';
import type { FromProcess, ToProcess } from './process-messages.ts';
import type { ZeromqTransport } from './zeromq-transport.ts';

type Start = Extract<ToProcess, { kind: 'start' }>;
/** How nodes are executed here. */
type Execute =
  | { readonly kind: 'recorded'; readonly context: NodeRequest['context'] }
  | { readonly kind: 'ephemeral'; readonly context: NodeRequest['context'] | undefined; readonly digests: Digests };

/** How often silent peers are asked, and how often a node's progress is told. */
const TICK_MS = 100;
const PROGRESS_MS = 200;
/** How long a process whose work is done may take to end by itself. Seen once on a busy machine: a port of a thread that was ended kept one whose coordinator was gone until it was collected. */
const LEAVING_MS = 5000;

/** The life of a process of a cluster; the parent is the coordinator. */
export async function runClusterProcess(): Promise<void> {
  const inbox = new Inbox();
  const first = await Promise.race([inbox.next('start'), inbox.next('leave')]); // A coordinator that was killed before it said anything is gone, too.
  try {
    if (first.kind === 'start') await new ClusterProcess(first, inbox).run();
  } catch (error) {
    say(failure(undefined, error));
    await inbox.next('leave');
  }
  if (process.connected) process.disconnect();
  setTimeout(() => { process.exit(); }, LEAVING_MS).unref();
}

class ClusterProcess {
  readonly #start: Start;
  readonly #inbox: Inbox;
  #hub!: LinkHub;
  #transport: ZeromqTransport | undefined;
  #stopReason: string | undefined;
  /** How often each node's guest was let run. */
  readonly #slices = new Map<string, number>();

  constructor(start: Start, inbox: Inbox) {
    this.#start = start;
    this.#inbox = inbox;
  }

  async run(): Promise<void> {
    const { plan, ended } = this.#start;
    const digests = await createNodeDigests();
    await this.#openHub(digests);
    const ticking = setInterval(() => { this.#tick(); }, TICK_MS);
    try {
      for (const { node, written } of ended) this.#hub.nodeEnded(node, written);
      this.#inbox.listen((message) => { this.#hear(message); });
      say({ kind: 'listening', endpoint: this.#transport?.endpoint ?? '' });
      await Promise.race([this.#inbox.next('peers'), this.#inbox.next('stop')]); // Who is stopped before all are there needs nobody.
      const isEnded = new Set(ended.map(({ node }) => node));
      // Without a coordinator nobody begins: who resumes would find nothing yet, and who starts again a moment later would find runs.
      const mine = process.connected ? plan.nodes.filter((node) => node.process === this.#start.process && !isEnded.has(node.name)) : [];
      await this.#withContext(mine, digests, (execute) => Promise.all(mine.map((node) => this.#runNode(node, execute))));
      say({ kind: 'counters', counters: this.#hub.counters });
      await this.#inbox.next('leave');
    } finally {
      clearInterval(ticking);
      await this.#transport?.close();
      const { sockets } = this.#start;
      if (sockets !== undefined && !process.connected) rmSync(sockets, { recursive: true, force: true }); // Else the coordinator does.
    }
  }

  /** Calls `use` with the way in which nodes are executed here: in the store, or without one. */
  async #withContext(nodes: readonly PlannedNode[], digests: Digests, use: (execute: Execute) => Promise<unknown>): Promise<void> {
    const { plan, store } = this.#start;
    if (!plan.isEphemeral) return withCommitsBeside(store, async (context) => { await use({ kind: 'recorded', context }); });
    const hasNames = nodes.some(({ images }) => images.some(({ source }) => !source.includes('/')));
    if (hasNames) return withStore(store, 'read-only', async (context) => { await use({ kind: 'ephemeral', context, digests }); });
    await use({ kind: 'ephemeral', context: undefined, digests });
  }

  async #openHub(digests: Digests): Promise<void> {
    const { plan, bind, sockets, keys, clusterId } = this.#start;
    if (sockets !== undefined) makeDirectories(sockets, 0o700);
    let transport: Transport = { send: () => {} };
    if (bind !== undefined) {
      // Loaded on demand: a cluster in one process needs no sockets.
      const { ZeromqTransport } = await import('./zeromq-transport.ts');
      transport = this.#transport = await ZeromqTransport.open({ bind, keys, onParts: (parts) => { this.#hub.receive(...parts); } });
    }
    const processes = new Map(plan.nodes.map((node) => [node.name, node.process]));
    this.#hub = new LinkHub({ clusterId, links: plan.links, digests, transport, process: this.#start.process, processOf: (node) => processes.get(node)! });
  }

  /** Asks silent peers, and tells how much was written and who waits for whom: the number counts slices of the guest, too. */
  #tick(): void {
    this.#hub.tick();
    const nodes = [...this.#slices.keys()].map((node) => this.#hub.waitOf(node)).map((wait) => ({ ...wait, progress: wait.progress + this.#slices.get(wait.node)! }));
    if (nodes.length > 0) say({ kind: 'waiting', nodes });
    const links = this.#hub.takeWritten();
    if (links.size > 0) say({ kind: 'written', links });
  }

  #hear(message: ToProcess): void {
    if (message.kind === 'peers') message.endpoints.forEach((endpoint, process) => { if (process !== this.#start.process) this.#transport?.connect(process, endpoint); });
    if (message.kind === 'ended') this.#hub.nodeEnded(message.node, message.written);
    if (message.kind === 'grow') this.#hub.grow();
    if (message.kind !== 'stop' && message.kind !== 'leave') return;
    this.#stopReason ??= message.kind === 'stop' ? message.reason : 'the cluster is over';
    this.#hub.stop();
  }

  async #runNode(node: PlannedNode, execute: Execute): Promise<void> {
    const { plan } = this.#start;
    const ends = new NodeEnds(plan, node, this.#hub);
    try {
      const before = execute.kind === 'recorded' ? nodeEnd(execute.context, plan, node) : undefined;
      if (before !== undefined) return say({ kind: 'ended', ...before, report: undefined });
      const tell = progressOf(node.name);
      this.#slices.set(node.name, 0);
      const request = {
        manifest: node.manifest, bindings: node.bindings, images: node.images, engine: plan.engine,
        hooks: { stopRequested: () => this.#stopReason, onProgress: (progress: Progress) => { this.#slices.set(node.name, this.#slices.get(node.name)! + 1); tell(progress); } },
      };
      const { end, report } = execute.kind === 'ephemeral'
        ? await runEphemeralNode({ ...request, ...execute, openPeer: (link, facts) => ends.open(link, facts, 1) })
        : await runNode({
          ...request, context: execute.context, name: runNameOf(plan.name, node.name), checkpointEvery: plan.checkpointEvery,
          peers: (epoch) => ({ open: (link, facts) => ends.open(link, facts, epoch), held: (journaled) => ends.held(journaled, epoch) }),
        });
      if (end.kind === 'ended') say({ kind: 'ended', node: node.name, written: ends.written, outcome: end.outcome, instructions: report.instructions, root: end.root ?? '', report });
      else say({ kind: 'stopped', node: node.name, report });
    } catch (error) {
      const hasNotBegun = this.#stopReason !== undefined && error instanceof StillpointError && error.code === 'E_CHANNEL_OPEN'; // Nobody read its output yet; whatever else it is, the resume says it.
      say(hasNotBegun ? { kind: 'stopped', node: node.name, report: undefined } : failure(node.name, error));
    } finally {
      this.#slices.delete(node.name);
    }
  }
}

/** The channel ends of one node in its present life. */
class NodeEnds {
  readonly #plan: ClusterPlan;
  readonly #node: PlannedNode;
  readonly #hub: LinkHub;
  readonly #outputs = new Map<string, PeerOutput | FanOutput>();
  /** Reading ends that were opened before the guest was restored, because its peers ask for them. */
  readonly #inputs = new Map<number, PeerInput>();

  constructor(plan: ClusterPlan, node: PlannedNode, hub: LinkHub) {
    this.#plan = plan;
    this.#node = node;
    this.#hub = hub;
  }

  /** One end, or one for each replica of the peer. */
  open(channelNumber: number, { channel, reads, position }: { readonly channel: string; readonly reads: boolean; readonly position: number }, epoch: number): HostPort {
    const links = this.#plan.links.filter((link) => link.channel === channelNumber && (reads ? link.to : link.from) === this.#node.name);
    if (reads) {
      const inputs = links.map(({ id }) => this.#inputs.get(id) ?? this.#hub.openInput(id, { epoch, position }));
      return inputs.length === 1 ? inputs[0]! : new VotingInput(inputs, { position, onDissent: (node, what) => { say({ kind: 'dissent', node, what }); } });
    }
    const outputs = links.map(({ id }) => this.#hub.openOutput(id, { epoch, position }));
    const output = outputs.length === 1 ? outputs[0]! : new FanOutput(outputs);
    this.#outputs.set(channel, output);
    return output;
  }

  /** A stopped hub answers nothing: then whatever the checkpoint says is as good. */
  async held(journaled: (channel: string) => number, epoch: number): Promise<ReadonlyMap<string, number>> {
    for (const { id, toChannel } of this.#plan.links.filter(({ to }) => to === this.#node.name)) this.#inputs.set(id, this.#hub.openInput(id, { epoch, position: journaled(toChannel) }));
    const links = this.#plan.links.filter(({ from }) => from === this.#node.name);
    const held = await this.#hub.held(links.map(({ id }) => id), epoch);
    const least = new Map<string, number>();
    for (const { id, fromChannel } of links) least.set(fromChannel, Math.min(least.get(fromChannel) ?? Infinity, held?.get(id) ?? Infinity));
    return least;
  }

  get written(): ReadonlyMap<string, number> {
    return new Map([...this.#outputs].map(([channel, output]) => [channel, output.written]));
  }
}

function progressOf(node: string): (progress: Progress) => void {
  let last = 0;
  return ({ instructions, checkpoints, inputBytes, outputBytes }) => {
    const now = performance.now();
    if (now - last < PROGRESS_MS) return;
    last = now;
    say({ kind: 'progress', node, instructions, checkpoints, inputBytes, outputBytes });
  };
}

function failure(node: string | undefined, error: unknown): FromProcess {
  if (error instanceof StillpointError) return { kind: 'failed', node, code: error.code, message: error.message };
  return { kind: 'failed', node, code: 'E_INTERNAL', message: error instanceof Error ? error.stack ?? error.message : String(error) };
}

function say(message: FromProcess): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {}); // A coordinator that is gone is noticed by 'disconnect'.
}

/** Messages of the coordinator, in order; its going away is a wish to stop, then to leave. */
class Inbox {
  readonly #waiting: { readonly kind: ToProcess['kind']; readonly resolve: (message: never) => void }[] = [];
  readonly #seen = new Map<ToProcess['kind'], ToProcess>();
  #listener: ((message: ToProcess) => void) | undefined;
  /** What came before somebody listened. */
  #backlog: ToProcess[] = [];

  constructor() {
    process.on('message', (message) => { this.#take(message as ToProcess); }); // Only the coordinator has the other end.
    process.on('disconnect', () => { this.#lose(); });
    if (!process.connected) this.#lose(); // It was killed before we listened.
    // The coordinator decides what a Ctrl-C of the whole process group means.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  }

  /** The first message of a kind, also when it has come already. */
  next<Kind extends ToProcess['kind']>(kind: Kind): Promise<Extract<ToProcess, { kind: Kind }>> {
    const seen = this.#seen.get(kind);
    if (seen !== undefined) return Promise.resolve(seen as Extract<ToProcess, { kind: Kind }>); // Kept under its kind.
    return new Promise((resolve) => { this.#waiting.push({ kind, resolve }); });
  }

  listen(listener: (message: ToProcess) => void): void {
    this.#listener = listener;
    for (const message of this.#backlog) listener(message);
    this.#backlog = [];
  }

  #lose(): void {
    this.#take({ kind: 'stop', reason: 'the coordinator is gone' });
    this.#take({ kind: 'peers', endpoints: [] });
    this.#take({ kind: 'leave' });
  }

  #take(message: ToProcess): void {
    if (this.#listener === undefined) this.#backlog.push(message);
    else this.#listener(message);
    this.#seen.set(message.kind, message);
    for (const waiting of this.#waiting.filter(({ kind }) => kind === message.kind)) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve(message as never); // Its kind is the one waited for.
    }
  }
}
