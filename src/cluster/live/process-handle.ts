/**
 * A process of a cluster as the coordinator holds it: on this host a child, on another one the agent's child.
 * Invariants: onGone is called once, after the last message. What this does NOT do: start it again.
 */
import { spawn } from 'node:child_process';
import type { FromProcess, ToProcess } from './process-messages.ts';

export interface ProcessHandle<Outgoing = ToProcess> {
  readonly pid: number | undefined;
  readonly isGone: boolean;
  tell(message: Outgoing): void;
  kill(): void;
}

export interface ProcessEvents<Incoming = FromProcess> {
  readonly onMessage: (message: Incoming) => void;
  /** `how` it ended, and the end of what it said on standard error. */
  readonly onGone: (how: string, errors: string) => void;
}

const ERRORS_MAX = 4000;
/**
 * What comes from other processes lies in buffers outside of V8's heap, and V8 marks its heap for every 64 MB of them: a small heap is marked faster at once than step by step between
 * messages, and where gc() is there, the transport frees them before that (zeromq-transport.ts). Waking other threads for a dozen megabytes costs more than they do.
 */
const NODE_OPTIONS = ['--no-incremental-marking', '--single-threaded-gc', '--expose-gc'];

export class ChildHandle<Outgoing extends object = ToProcess, Incoming = FromProcess> implements ProcessHandle<Outgoing> {
  readonly #child: ReturnType<typeof spawn>;
  #isGone = false;
  #isAbandoned = false;
  /** How the process ended, when nothing comes on its standard error any more. */
  #end: string | undefined;
  readonly #gone: (how: string) => void;

  /** `entry`: arguments of node that make a process of a cluster. */
  constructor(entry: readonly string[], { onMessage, onGone }: ProcessEvents<Incoming>) {
    const child = this.#child = spawn(process.execPath, [...NODE_OPTIONS, ...entry], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], serialization: 'advanced' });
    let errors = '';
    child.stderr!.on('data', (bytes: Buffer) => { errors = (errors + bytes.toString()).slice(-ERRORS_MAX); });
    child.on('message', (message) => { onMessage(message as Incoming); }); // Only our process has the other end.
    const gone = this.#gone = (how: string): void => {
      if (this.#isGone) return;
      this.#isGone = true;
      onGone(how, errors);
    };
    child.on('error', (error) => { if (child.pid === undefined) gone(error.message); }); // One that could not be told something ends by itself.
    child.on('close', (code, signal) => { gone(signal ?? `status ${code}`); });
    const ended = Promise.all([new Promise<string>((done) => { child.on('exit', (code, signal) => { done(signal ?? `status ${code}`); }); }), new Promise((done) => { child.stderr!.on('close', done); })]);
    void ended.then(([how]) => {
      this.#end = how;
      if (this.#isAbandoned) gone(how);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  tell(message: Outgoing): void {
    if (this.#child.connected) this.#child.send(message, () => {}); // A process that died meanwhile is noticed by 'close'.
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Nobody tells it anything any more: it stops by itself, at a resumable point. */
  abandon(): void {
    if (!this.#child.connected) return;
    this.#isAbandoned = true; // Node emits no 'close' of a child whose channel was closed at this end.
    this.#child.disconnect();
    if (this.#end !== undefined) this.#gone(this.#end);
  }
}
