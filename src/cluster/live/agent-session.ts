/**
 * What an agent does for one start of a cluster: says what its store knows of the nodes, takes the files they need, runs their processes, and
 * sends back what they say and write. A session of a command for a whole cluster only asks the store (desk.ts).
 *
 *   hello ─► ready ─► file, file, … ─► spawn, tell … ─► heard, output … ─► whole, gone ─► bye
 *
 * Invariants: when `up` is not heard of any more, every process stops at a resumable point, as if it had run beside `up`; 'gone' follows the last byte
 * that the process wrote. What this does NOT do: decide what a failure means (coordinator.ts at up's host).
 */
import { rmSync } from 'node:fs';
import { counted, StillpointError } from '../../core/index.ts';
import { nodeRecord, RECORDER, withStore } from '../../session/index.ts';
import type { StoreContext } from '../../txn/index.ts';
import { ControlLink } from '../control-link.ts';
import { nodeEnd } from '../node-end.ts';
import { runNameOf, type PlannedNode } from '../plan.ts';
import { AgentFiles, workForOnce, writtenFiles, type WrittenFile } from './agent-files.ts';
import { AGENT_PROTOCOL, decodeControl, encodeControl, SILENCE_MS, SILENT_TICKS_MAX, type FromAgent, type ToAgent } from './agent-messages.ts';
import { DeskChild, failureOf } from './desk-process.ts';
import { ORPHANS_MS, waitForOrphans } from './orphans.ts';
import { ChildHandle } from './process-handle.ts';
import type { ToProcess } from './process-messages.ts';

type Hello = Extract<ToAgent, { kind: 'hello' }>;

export interface AgentSessionParts {
  readonly store: string;
  /** Directory for the files of clusters. */
  readonly work: string;
  /** Arguments of node that make a process of a cluster. */
  readonly entry: readonly string[];
  /** The same for a process that answers for the store. */
  readonly deskEntry: readonly string[];
  readonly transmit: (frame: Uint8Array) => void;
  /** A line for whoever watches the agent. */
  readonly onRemark: (text: string) => void;
}

interface Running { readonly handle: ChildHandle; readonly process: number; readonly life: number }

export class AgentSession {
  readonly #parts: AgentSessionParts;
  readonly #link: ControlLink<FromAgent, ToAgent>;
  readonly #running = new Map<number, Running>();
  /** Of a command that asks the store. */
  #desk: DeskChild | undefined;
  #hello: Hello | undefined;
  #files: AgentFiles | undefined;
  /** Of the files of a cluster of which nothing is kept. */
  #once: string | undefined;
  /** How much of each written file was sent. */
  readonly #sent = new Map<string, number>();
  /** One file is sent at a time. */
  #sending: Promise<void> = Promise.resolve();
  #isSending = false;
  #state: 'open' | 'ending' | 'over' = 'open';

  constructor(parts: AgentSessionParts) {
    this.#parts = parts;
    this.#link = new ControlLink<FromAgent, ToAgent>({ transmit: (frame) => { parts.transmit(encodeControl(frame)); }, onMessage: (message) => { this.#hear(message); } });
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  receive(bytes: Uint8Array): void {
    const frame = decodeControl<ToAgent>(bytes);
    if (frame !== undefined) this.#link.receive(frame);
  }

  tick(): void {
    this.#link.tick();
    if (this.#state === 'open' && this.#link.silentTicks > SILENT_TICKS_MAX) {
      if (this.#hello !== undefined) this.#parts.onRemark(`cluster ${this.#hello.cluster}: its coordinator was not heard of for ten seconds; its nodes here stop at a resumable point`);
      this.#end();
    }
    if (!this.#isSending && this.#hello !== undefined) this.#sendWritten(this.#hello.nodes.flatMap(writtenFiles).filter(({ isStream }) => isStream));
    if (this.#state !== 'ending' || this.#running.size > 0) return;
    this.#state = 'over';
    if (this.#once !== undefined) rmSync(this.#once, { recursive: true, force: true });
  }

  /** The agent is being stopped. */
  close(): void {
    this.#link.send({ kind: 'closing' });
    this.#end();
  }

  /** What cannot wait for the nodes any longer. */
  kill(): void {
    for (const { handle } of this.#running.values()) handle.kill();
  }

  #end(): void {
    if (this.#state === 'open') this.#state = 'ending';
    this.#desk?.close();
    for (const { handle } of this.#running.values()) handle.abandon();
  }

  #hear(message: ToAgent): void {
    switch (message.kind) {
      case 'hello': return void this.#guarded(() => this.#begin(message));
      case 'file': return void this.#guarded(async () => { this.#files!.fill(message.path, message); });
      case 'spawn': return this.#spawn(message);
      case 'tell': return this.#current(message)?.handle.tell(this.#located(message.message));
      case 'kill': return this.#current(message)?.handle.kill();
      case 'ask': return this.#ask(message);
      case 'bye': return this.#end();
      default: return message satisfies never;
    }
  }

  /** Trouble of this host ends the cluster with its reason. */
  async #guarded(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      const { code, message } = failureOf(error);
      this.#link.send({ kind: 'refused', code, message });
    }
  }

  #ask({ number, request }: Extract<ToAgent, { kind: 'ask' }>): void {
    const { store, work, deskEntry } = this.#parts;
    if (this.#state === 'open') (this.#desk ??= new DeskChild(deskEntry, { store, work }, (message) => { this.#link.send(message); })).ask(number, request);
  }

  async #begin(hello: Hello): Promise<void> {
    const { store, work, onRemark } = this.#parts;
    if (hello.protocol !== AGENT_PROTOCOL || hello.version !== RECORDER) throw new StillpointError('E_CLUSTER_FAILED', `the agent is ${RECORDER} (protocol ${AGENT_PROTOCOL}), up is ${hello.version} (protocol ${hello.protocol}); install the same on both hosts`);
    if (hello.isEphemeral) this.#once = workForOnce(work);
    this.#files = new AgentFiles(this.#once ?? work, hello.cluster);
    const { known, ended } = hello.isEphemeral ? { known: [], ended: [] } : await withStore(store, 'create', async (context) => {
      const names = hello.nodes.filter((node) => nodeRecord(context, runNameOf(hello.cluster, node.name)) !== undefined).map(({ name }) => name);
      if (hello.isResume) await waitForOrphans(context, names.map((name) => runNameOf(hello.cluster, name)), SILENCE_MS + ORPHANS_MS);
      if (hello.isResume) for (const node of hello.nodes) this.#shortenWritten(context, node);
      return { known: names, ended: hello.nodes.flatMap((node) => nodeEnd(context, { name: hello.cluster, links: hello.links }, node) ?? []) };
    });
    // What an earlier start wrote is not this one's.
    if (known.length === 0) for (const { path, isStream } of hello.nodes.flatMap(writtenFiles)) if (isStream) this.#files.clear(path);
    const missing: string[] = [];
    for (const file of hello.files) if (!(file.isWritten && known.length > 0) && !await this.#files.holds(file)) missing.push(file.path);
    this.#hello = hello;
    onRemark(`cluster ${hello.cluster}: ${counted(hello.nodes.length, 'node')}, ${counted(missing.length, 'file')} to come`);
    if (hello.isResume) await this.#sendLast(hello.nodes.filter(({ name }) => ended.some(({ node }) => node === name))); // Nobody else will.
    this.#link.send({ kind: 'ready', known, ended, missing });
  }

  /** What a rollback took back goes now, not when its node gets there: what is sent is what the node goes on behind. */
  #shortenWritten(context: StoreContext, node: PlannedNode): void {
    const record = nodeRecord(context, runNameOf(this.#files!.cluster, node.name));
    if (record === undefined || record.status === 'ended') return;
    for (const { channel, path, isStream } of writtenFiles(node)) if (isStream) this.#files!.shorten(path, record.outputs.get(channel)?.intended ?? 0);
  }

  #spawn({ process, life }: Extract<ToAgent, { kind: 'spawn' }>): void {
    if (this.#state !== 'open' || this.#hello === undefined) return;
    const handle = new ChildHandle([...this.#parts.entry, this.#hello.cluster, String(process)], {
      onMessage: (message) => { this.#link.send({ kind: 'heard', process, life, message }); },
      onGone: (how, errors) => {
        this.#running.delete(process);
        const nodes = this.#hello!.nodes.filter((node) => node.process === process);
        void this.#sendLast(nodes).finally(() => { this.#link.send({ kind: 'gone', process, life, how, errors }); });
      },
    });
    this.#running.set(process, { handle, process, life });
  }

  #current({ process, life }: { readonly process: number; readonly life: number }): Running | undefined {
    const running = this.#running.get(process);
    return running?.life === life ? running : undefined;
  }

  /** With the store and the places of this host. */
  #located(message: ToProcess): ToProcess {
    if (message.kind !== 'start') return message;
    const mine = new Set(this.#hello!.nodes.map(({ name }) => name));
    return { ...message, store: this.#parts.store, plan: { ...message.plan, nodes: message.plan.nodes.map((node) => (mine.has(node.name) ? this.#files!.relocate(node) : node)) } };
  }

  /** Everything that nodes wrote, and where it ends. */
  async #sendLast(nodes: readonly PlannedNode[]): Promise<void> {
    const files = nodes.flatMap(writtenFiles);
    for (const { path, isStream } of files) if (!isStream) this.#sent.delete(path);
    await this.#sendWritten(files);
    for (const { path } of files) {
      const size = this.#files!.sizeOf(path);
      if (size !== undefined) this.#link.send({ kind: 'whole', path, size });
    }
  }

  #sendWritten(files: readonly WrittenFile[]): Promise<void> {
    this.#sending = this.#sending.then(() => this.#guarded(async () => {
      this.#isSending = true;
      for (const { path } of files) await this.#sendOne(path);
    })).finally(() => { this.#isSending = false; });
    return this.#sending;
  }

  async #sendOne(path: string): Promise<void> {
    for (;;) {
      const offset = this.#sent.get(path) ?? 0;
      if ((this.#files!.sizeOf(path) ?? 0) <= offset || !await this.#link.room()) return;
      const bytes = this.#files!.read(path, offset);
      if (bytes.length === 0) return;
      this.#link.send({ kind: 'output', path, offset, bytes }, bytes.length);
      this.#sent.set(path, offset + bytes.length);
    }
  }
}
