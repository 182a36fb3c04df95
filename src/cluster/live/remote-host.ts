/**
 * Another host of a cluster as `up` sees it: its agent, the processes it runs there, the files that go there and come back.
 * Invariants: a host that is not heard of for ten seconds, or whose agent has forgotten this start, is lost, and so are its processes, once; with one that refuses something, and after
 * trouble with files here, it is spoken to until its processes have stopped. What a process wrote has arrived here before it is told to be gone. What this does NOT do: decide what
 * trouble means (coordinator.ts).
 */
import { StillpointError } from '../../core/index.ts';
import type { ClusterHostSetting } from '../../manifest/index.ts';
import { Signal } from '../signal.ts';
import { AgentConnection } from './agent-connection.ts';
import { endAt, readPiece, trouble, writeAt } from './agent-files.ts';
import type { FromAgent, ToAgent } from './agent-messages.ts';
import type { ClusterKeys } from './curve.ts';
import type { ProcessEvents, ProcessHandle } from './process-handle.ts';
import type { ToProcess } from './process-messages.ts';

type Ready = Extract<FromAgent, { kind: 'ready' }>;

export class RemoteHost {
  readonly setting: ClusterHostSetting;
  readonly #agent: AgentConnection;
  readonly #changed = new Signal();
  readonly #processes = new Map<string, RemoteProcess>();
  #ready: Ready | undefined;
  /** Files here that lack something of what was written there. */
  readonly #unwritten = new Set<string>();
  /** Why the cluster cannot go on with it. */
  #trouble: StillpointError | undefined;
  #isLost = false;
  #onTrouble: (error: StillpointError) => void = () => {};

  constructor(setting: ClusterHostSetting, keys: ClusterKeys) {
    this.setting = setting;
    this.#agent = new AgentConnection(setting, keys, {
      onMessage: (message) => { this.#hear(message); },
      onForgotten: () => { this.#lose(this.#error('has another agent than before: the old one ended and left its nodes at a resumable point')); },
      onTick: (isSilent) => { if (isSilent) this.#lose(this.#error(this.#ready === undefined ? 'does not answer: is stillpoint agent running there, with the same keys?' : 'was not heard of for ten seconds')); },
      isLost: () => this.#isLost,
    });
  }

  get #name(): string {
    const { name, address, port } = this.setting;
    return `host ${name} (${address}:${port})`;
  }

  /** What the agent says to a start. Throws E_CLUSTER_FAILED when there is none, and what it refuses with. */
  async begin(hello: Extract<ToAgent, { kind: 'hello' }>): Promise<Ready> {
    this.#agent.send(hello);
    while (this.#ready === undefined) {
      if (this.#trouble !== undefined) throw this.#trouble;
      await this.#changed.wait();
    }
    return this.#ready;
  }

  /** Brings the files that are missing there. */
  async ship(): Promise<void> {
    for (const path of this.#ready!.missing) {
      for (let offset = 0, isLast = false; !isLast;) {
        if (this.#trouble !== undefined || !await this.#agent.room()) throw this.#trouble ?? this.#error('was left');
        const bytes = readPiece(path, offset);
        isLast = readPiece(path, offset + bytes.length).length === 0;
        this.#agent.send({ kind: 'file', path, offset, bytes, isLast }, bytes.length);
        offset += bytes.length;
      }
    }
    if (this.#trouble !== undefined) throw this.#trouble;
  }

  /** Called once, with why the cluster cannot go on. */
  onTrouble(listener: (error: StillpointError) => void): void {
    this.#onTrouble = listener;
    if (this.#trouble !== undefined) listener(this.#trouble);
  }

  spawn(process: number, life: number, events: ProcessEvents): ProcessHandle {
    const remote = new RemoteProcess((message) => { this.#agent.send(message); }, { process, life, events });
    this.#processes.set(`${process} ${life}`, remote);
    if (!this.#isLost) this.#agent.send({ kind: 'spawn', process, life });
    else setImmediate(() => { remote.end('the loss of its host', ''); });
    return remote;
  }

  /** Nothing more is wanted of the agent. */
  close(): Promise<void> {
    return this.#agent.close();
  }

  #hear(message: FromAgent): void {
    switch (message.kind) {
      case 'ready':
        this.#ready = message;
        return this.#changed.wake();
      case 'refused': return this.#fail(new StillpointError(message.code, `${this.#name}: ${message.message}`, { data: { host: this.setting.name } }));
      case 'closing': return this.#lose(this.#error('was left: its agent is being stopped'));
      case 'heard': return this.#processes.get(`${message.process} ${message.life}`)?.hear(message.message);
      case 'gone': return this.#processes.get(`${message.process} ${message.life}`)?.end(message.how, message.errors);
      case 'output': return this.#write(message.path, () => { writeAt(message.path, { offset: message.offset, bytes: message.bytes, isNew: false }); });
      case 'whole': return this.#write(message.path, () => { endAt(message.path, message.size); });
      case 'answer':
      case 'declined': return; // Nothing was asked.
      default: return message satisfies never;
    }
  }

  #write(path: string, action: () => void): void {
    if (this.#unwritten.has(path)) return; // What comes behind a gap would be bytes at a wrong place for whoever reads the file; a resume gets it all.
    try {
      action();
    } catch (cause) {
      this.#unwritten.add(path);
      this.#fail(trouble(path, cause));
    }
  }

  #fail(error: StillpointError): void {
    if (this.#trouble !== undefined) return;
    this.#trouble = error;
    this.#changed.wake();
    this.#onTrouble(error);
  }

  #lose(error: StillpointError): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#agent.silence();
    this.#fail(error);
    for (const process of this.#processes.values()) process.end('the loss of its host', '');
  }

  #error(what: string): StillpointError {
    return new StillpointError('E_CLUSTER_FAILED', `${this.#name} ${what}`, { data: { host: this.setting.name } });
  }
}

class RemoteProcess implements ProcessHandle {
  readonly pid = undefined;
  readonly #send: (message: ToAgent) => void;
  readonly #process: number;
  readonly #life: number;
  readonly #events: ProcessEvents;
  #isGone = false;

  constructor(send: (message: ToAgent) => void, { process, life, events }: { readonly process: number; readonly life: number; readonly events: ProcessEvents }) {
    this.#send = send;
    this.#process = process;
    this.#life = life;
    this.#events = events;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  hear(message: Parameters<ProcessEvents['onMessage']>[0]): void {
    if (!this.#isGone) this.#events.onMessage(message);
  }

  end(how: string, errors: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#events.onGone(how, errors);
  }

  tell(message: ToProcess): void {
    if (!this.#isGone) this.#send({ kind: 'tell', process: this.#process, life: this.#life, message });
  }

  kill(): void {
    if (!this.#isGone) this.#send({ kind: 'kill', process: this.#process, life: this.#life });
  }
}
