/**
 * A resident machine as a service: one request is one transaction, in the order in which they came.
 *
 *   request ─► queue ─► begin ─► bytes to the guest ─► it runs until it waits for more ─► what it wrote ─► check ─► commit ─► on disk ─► answer
 *                                        └ fault, exit status, cap, time-out, a "no" of the check, a client that left: abort, nothing has happened
 *
 * With `children` every request is answered by a child of the machine as it stands: it sees the request and then the end of the input, may exit, and leaves nothing.
 * When the disk was full the machine, which is ahead of it, is left, and the run opened again as soon as there is room: the requests in between get E_DISK_FULL.
 * Invariants: an answer is given when its commit is on disk, never before; the next request may run meanwhile (group commit); a request that fails leaves
 * the machine as it was; queue, sizes and times have limits; a request with the key of an answered one gets that answer (answer-book.ts).
 * What this does NOT do: sockets (live/http-server.ts), open the machine (open.ts).
 */
import { assert, instructionCount, StillpointError } from '../core/index.ts';
import type { Machine, RunEnd, Transaction } from '../machine/index.ts';
import { monotonicMs } from '../session/index.ts';
import { AnswerBook } from './answer-book.ts';
import { controlVerb, type ControlResult } from './control.ts';
import { Metrics } from './metrics.ts';

/** Judges an answer before it is committed: a text is why not. */
export type Validator = (exchange: { readonly request: Uint8Array; readonly response: Uint8Array }) => Promise<string | undefined>;

/** Whoever sent a request. */
export interface Client {
  /** It has left: nobody will read the answer. */
  isGone(): boolean;
}

/** What the program wrote for a request: to its output channel, and to standard error. */
export interface Answer { readonly response: Uint8Array; readonly remarks: Uint8Array; /** It was given to an earlier request with the same key. */ readonly isRepeated?: boolean }

export interface ServiceOptions {
  /** Channel that takes requests. Default: stdin. */
  readonly input?: string | undefined;
  /** Channel that gives answers. Default: stdout. */
  readonly output?: string | undefined;
  /** 'line' (default): a request that does not end in a newline gets one; 'raw': bytes as they came. */
  readonly frame?: 'line' | 'raw' | undefined;
  /** Instructions of one request. */
  readonly maxInstructions?: bigint | undefined;
  /** Host time of one request, and of waiting for its turn. Default: 30 s. */
  readonly timeoutMs?: number | undefined;
  /** Largest request. Default: 1 MiB. */
  readonly requestBytesMax?: number | undefined;
  readonly check?: Validator | undefined;
  /** Takes savepoint, rollback, branch and promote at its doors. */
  readonly takesControl?: boolean | undefined;
  /** Requests are answered by children of the machine as it is: nothing of what they do stays. */
  readonly children?: boolean | undefined;
}

/** Where the machine comes from, for what is done to its run at rest. */
export interface ServiceHome { readonly name: string; readonly store: string | undefined; /** The run was made for this service. */ readonly isFresh: boolean; /** `isAgain`: its store had failed. */ readonly reopen: (isAgain: boolean) => Promise<Machine> }

export const TIMEOUT_MS_DEFAULT = 30_000;
export const REQUEST_BYTES_DEFAULT = 1024 * 1024;
/** Requests that wait for their turn; more are refused at once. */
const QUEUE_MAX = 1024;
/** Commits on their way to the disk; then the next request waits. */
const UNDER_WAY_MAX = 256;
/** Milliseconds of requests between two turns of the event loop: what comes together in one is one commit on disk, and who left meanwhile is heard in the next. */
const TURN_MS = 4;
/** Turns without a new request after which no more is waited for: one accepts a connection, the next reads from it. */
const QUIET_TURNS = 3;
const GATHER_TURNS_MAX = 256;
/** Between two attempts to open a run again. */
const RECOVER_MS = 500;
const NEWLINE = 10;

interface Waiting { readonly bytes: Uint8Array; readonly key: string | undefined; readonly client: Client; readonly since: number; readonly resolve: (answer: Answer) => void; readonly reject: (error: unknown) => void }
/** What takes a turn: a request, or something that needs the run at rest. */
type Turn = Waiting | { readonly atRest: () => Promise<void> }
/** A transaction that has run; its commit is asked for. */
interface Done { readonly answer: Omit<Answer, 'response'>; /** Gives the response. */ readonly durable: Promise<Uint8Array> }

const NOBODY: Client = { isGone: () => false };

export class Service {
  #machine: Machine;
  #book: AnswerBook | undefined;
  readonly #home: ServiceHome | undefined;
  readonly metrics: Metrics;
  readonly #options: ServiceOptions;
  #queue: Turn[] = [];
  #pump: Promise<void> | undefined;
  readonly #underWay = new Set<Promise<void>>();
  #isStopping = false;
  #failure: StillpointError | undefined;
  /** When the run may be opened again after a full disk. */
  #recoverAtMs = 0;
  /** Of machines before this one. */
  #commitsBefore = 0;

  /** Use openService(). The guest waits for its first request. */
  constructor(machine: Machine, options: ServiceOptions, home?: ServiceHome) {
    this.#machine = machine;
    this.#options = options;
    this.#home = home;
    this.metrics = new Metrics({ waiting: () => this.#queue.length, underWay: () => this.#underWay.size, instructions: () => this.#machine.instructions, commits: () => this.#commitsBefore + this.#machine.commits, isWell: () => this.#failure === undefined });
  }

  /** The machine now; another one after savepoint, rollback, branch and promote. */
  get machine(): Machine {
    return this.#machine;
  }

  /** Whether the run was made for this service. */
  get isFresh(): boolean {
    return this.#home?.isFresh ?? false;
  }

  get takesControl(): boolean {
    return this.#options.takesControl === true && this.#home !== undefined;
  }

  get requestBytesMax(): number {
    return this.#options.requestBytesMax ?? REQUEST_BYTES_DEFAULT;
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs ?? TIMEOUT_MS_DEFAULT;
  }

  /** Why no request can be served: the store failed, and memory is ahead of the disk. */
  get failure(): StillpointError | undefined {
    return this.#failure;
  }

  /** Whether it will be served again without a new service: when there is room on the disk. */
  get canRecover(): boolean {
    return this.#failure?.code === 'E_DISK_FULL' && this.#home !== undefined;
  }

  /**
   * One request, one transaction; resolves to the answer when it is on disk. Throws E_REQUEST_SIZE, E_SERVICE_BUSY, E_TXN_* (the transaction was aborted),
   * E_RUN_FINISHED (the guest has ended) and what the store throws. `key`: the client's own name for the request; the same again gets the same answer, also after
   * a crash. E_REQUEST_KEY: another request under the key of an answered one.
   */
  async request(bytes: Uint8Array, client: Client = NOBODY, key?: string): Promise<Answer> {
    if (key !== undefined) AnswerBook.check(key);
    if (bytes.length > this.requestBytesMax) throw this.#refused(new StillpointError('E_REQUEST_SIZE', `a request has at most ${this.requestBytesMax} bytes, this one has ${bytes.length}`, { data: { sizeBytes: bytes.length } }));
    if (this.#failure !== undefined && !this.canRecover) throw this.#refused(this.#failure);
    if (this.#isStopping) throw this.#refused(new StillpointError('E_SERVICE_BUSY', 'the service is stopping; send the request to its successor'));
    if (this.#queue.length >= QUEUE_MAX) throw this.#refused(new StillpointError('E_SERVICE_BUSY', `${QUEUE_MAX} requests are waiting already; try again later`));
    return new Promise((resolve, reject) => {
      this.#queue.push({ bytes, key, client, since: monotonicMs(), resolve, reject });
      this.#pump ??= this.#serve();
    });
  }

  /** Savepoint, rollback, branch or promote in its turn among the requests (control.ts). Throws what the verb throws; then nothing has changed. */
  async control(verb: string, parameters: ReadonlyMap<string, string>): Promise<ControlResult> {
    const work = controlVerb(verb, parameters);
    const home = this.#home;
    if (home === undefined || !this.takesControl) throw new StillpointError('E_USAGE', `this service takes no ${verb}: start it with --control`);
    if (this.#failure !== undefined && !this.canRecover) throw this.#failure;
    if (this.#isStopping) throw new StillpointError('E_SERVICE_BUSY', 'the service is stopping; send the request to its successor');
    const result = new Promise<ControlResult>((resolve, reject) => {
      this.#queue.push({ atRest: () => this.#rested(home, () => work(home)).then(resolve, reject) });
      this.#pump ??= this.#serve();
    });
    result.then(() => this.metrics.controlled(verb), () => {});
    return result;
  }

  /** With the run at rest and nobody's; the machine is another one afterwards, at where the run is then. */
  async #rested<Result>({ reopen }: ServiceHome, work: () => Promise<Result>): Promise<Result> {
    await this.#mustBeWell();
    await Promise.all(this.#underWay);
    try {
      this.#commitsBefore += this.#machine.commits;
      await this.#machine.close();
      try {
        return await work();
      } finally {
        this.#machine = await reopen(false);
        this.#book = undefined;
      }
    } catch (error) {
      if (this.#machine.isClosed && error instanceof StillpointError) this.#failure ??= error; // It does not come back.
      throw error;
    }
  }

  /** Takes no more requests, answers those that wait, and closes the machine: its state is a checkpoint then. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    while (this.#pump !== undefined || this.#underWay.size > 0) await Promise.all([this.#pump, ...this.#underWay]);
    if (this.#failure === undefined) return this.#machine.close();
    await this.#machine.close().catch((error: unknown) => { if (error !== this.#failure) throw error; }); // It fails for the reason that was told.
  }

  async #serve(): Promise<void> {
    await this.#gather();
    let turnEndsMs = monotonicMs() + TURN_MS;
    while (this.#queue.length > 0) {
      const turn = this.#queue.shift()!;
      if ('atRest' in turn) await turn.atRest();
      else await this.#one(turn);
      if (monotonicMs() < turnEndsMs) continue;
      await new Promise<void>((resolve) => { setImmediate(resolve); });
      turnEndsMs = monotonicMs() + TURN_MS;
    }
    this.#pump = undefined;
  }

  /**
   * Waits while requests come in: node accepts one connection in a turn of its event loop, and a sync of the disk holds a turn up. What has come meanwhile
   * would otherwise be a commit, a sync and a turn each.
   */
  async #gather(): Promise<void> {
    for (let turns = 0, quiet = 0, seen = this.#queue.length; turns < GATHER_TURNS_MAX && quiet < QUIET_TURNS; turns++) {
      await new Promise<void>((resolve) => { setImmediate(resolve); });
      quiet = this.#queue.length > seen ? 0 : quiet + 1;
      seen = this.#queue.length;
    }
  }

  /** Throws what the store failed with; after a full disk not before the run could not be opened again. */
  async #mustBeWell(): Promise<void> {
    const lost = this.#machine.place?.failure;
    if (lost instanceof StillpointError) this.#failure ??= lost; // Also when every answer was on disk, but its output is not in its file.
    const failure = this.#failure;
    if (failure === undefined) return;
    if (!this.canRecover || monotonicMs() < this.#recoverAtMs) throw failure;
    await Promise.all(this.#underWay);
    this.#commitsBefore += this.#machine.isClosed ? 0 : this.#machine.commits;
    await this.#machine.close().catch((error: unknown) => { if (error !== failure) throw error; }); // It fails for the reason that was told.
    try {
      this.#machine = await this.#home!.reopen(true); // canRecover looked.
    } catch (error) {
      if (error instanceof StillpointError) this.#failure = error;
      this.#recoverAtMs = monotonicMs() + RECOVER_MS;
      throw error;
    }
    this.#book = undefined;
    this.#failure = undefined;
  }

  async #one(waiting: Waiting): Promise<void> {
    const { bytes, client, since, resolve, reject } = waiting;
    const fail = (error: unknown): void => {
      if (!(error instanceof StillpointError)) return reject(error);
      this.metrics.ended(error.code, monotonicMs() - since);
      reject(error);
    };
    try {
      if (client.isGone()) throw gone();
      if (monotonicMs() - since > this.timeoutMs) throw new StillpointError('E_SERVICE_BUSY', `the request waited longer than ${this.timeoutMs} ms for its turn and was not begun`);
      await this.#mustBeWell();
      const { answer, durable } = this.#known(waiting) ?? await this.#transact(waiting);
      const told = durable.then((response) => {
        this.metrics.ended(answer.isRepeated === true ? 'repeated' : 'committed', monotonicMs() - since, { request: bytes.length, response: response.length });
        resolve({ ...answer, response });
      }, (error: unknown) => {
        if (error instanceof StillpointError) this.#failure ??= error;
        fail(error);
      }).finally(() => this.#underWay.delete(told));
      this.#underWay.add(told);
      if (this.#underWay.size >= UNDER_WAY_MAX) await Promise.race(this.#underWay);
    } catch (error) {
      fail(error);
    }
  }

  /** What was answered to the same request before. */
  #known({ key, bytes }: Waiting): Done | undefined {
    const response = key === undefined ? undefined : this.#answers.find(key, bytes);
    return response === undefined ? undefined : { answer: { remarks: new Uint8Array(0), isRepeated: true }, durable: Promise.resolve(response) };
  }

  get #answers(): AnswerBook {
    return (this.#book ??= new AnswerBook(this.#machine));
  }

  /** Runs the request; when it resolves the machine is free, and the commit is on its way. */
  async #transact({ bytes, key, client }: Waiting): Promise<Done> {
    const { maxInstructions, input = 'stdin', output = 'stdout', check, children = false } = this.#options;
    const transaction = this.#machine.begin({ timeoutMs: this.timeoutMs, ...(maxInstructions === undefined ? {} : { maxInstructions }) });
    try {
      const message = this.#framed(bytes);
      if (message.length > 0) transaction.send(input, message);
      if (children) transaction.end(input);
      mustWaitFor(input, await transaction.run());
      const response = transaction.read(output);
      const refusal = await check?.({ request: bytes, response });
      if (refusal !== undefined) throw new StillpointError('E_TXN_REFUSED', `the check refused the answer, and the transaction was aborted: ${refusal}`, { data: { reason: refusal } });
      if (client.isGone()) throw gone();
      const remarks = transaction.read('stderr');
      if (children) { // The same request has the same answer: nothing is to be kept.
        await transaction.abort();
        return { answer: { remarks }, durable: Promise.resolve(response) };
      }
      const also = key === undefined ? undefined : this.#answers.entry(key, { request: bytes, response, at: instructionCount(this.#machine.instructions) });
      const durable = transaction.commit(also);
      if (key !== undefined) this.#answers.written(key, { request: bytes, response, durable });
      return { answer: { remarks }, durable: durable.then(() => response) };
    } catch (error) {
      await abortOpen(transaction);
      throw error;
    }
  }

  #framed(bytes: Uint8Array): Uint8Array {
    if (this.#options.frame === 'raw' || bytes.at(-1) === NEWLINE) return bytes;
    const line = new Uint8Array(bytes.length + 1);
    line.set(bytes);
    line[bytes.length] = NEWLINE;
    return line;
  }

  #refused(error: StillpointError): StillpointError {
    this.metrics.ended(error.code, 0);
    return error;
  }
}

/** A guest that waits for something else will not take the next request. */
export function mustWaitFor(input: string, end: RunEnd): void {
  if (end.kind !== 'waiting' || end.channels.includes(input)) return;
  assert(end.channels.length > 0, 'whoever waits waits for something');
  throw new StillpointError('E_TXN_REFUSED', `the program waits for ${end.channels.join(', ')} and not for the next request on ${input}; the transaction was aborted`, { data: { channel: end.channels[0] } });
}

/** A failed run() has aborted already. */
export async function abortOpen(transaction: Transaction): Promise<void> {
  if (transaction.state === 'open') await transaction.abort();
}

function gone(): StillpointError {
  return new StillpointError('E_CLIENT_GONE', 'the client left before the answer: nothing of its request has happened');
}
