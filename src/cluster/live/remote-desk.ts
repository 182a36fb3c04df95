/**
 * The store of another host, asked through its agent: a desk (desk.ts) at the other end of a control connection.
 * Invariants: each question is answered once, or fails with the host's name: one that is not heard of for ten seconds, or whose agent was started anew, answers nothing any more.
 * What this does NOT do: know what is asked.
 */
import { StillpointError } from '../../core/index.ts';
import type { ClusterHostSetting } from '../../manifest/index.ts';
import { RECORDER } from '../../session/index.ts';
import { ControlLink } from '../control-link.ts';
import { AGENT_PROTOCOL, AGENT_TICK_MS, decodeControl, encodeControl, SILENT_TICKS_MAX, type FromAgent, type ToAgent } from './agent-messages.ts';
import { ControlClient } from './control-socket.ts';
import type { ClusterKeys } from './curve.ts';
import type { AnswerTo, DeskAnswer, DeskRequest } from './desk-messages.ts';

interface Waiting { readonly resolve: (answer: DeskAnswer) => void; readonly reject: (error: StillpointError) => void }

/** How long close() waits for the agent to hear the last word. */
const PARTING_TICKS = 5;

export class RemoteDesk {
  readonly #setting: ClusterHostSetting;
  readonly #client: ControlClient;
  readonly #link: ControlLink<ToAgent, FromAgent>;
  readonly #ticking: NodeJS.Timeout;
  readonly #waiting = new Map<number, Waiting>();
  #lastNumber = 0;
  /** Until the agent has answered for the first time: one of another version never does. */
  #ticksUntilGreeted: number | undefined = 0;
  #lost: StillpointError | undefined;

  constructor(setting: ClusterHostSetting, keys: ClusterKeys) {
    this.#setting = setting;
    this.#client = new ControlClient(`tcp://${setting.address}:${setting.port}`, keys, (bytes) => { this.#receive(bytes); });
    this.#link = new ControlLink<ToAgent, FromAgent>({ transmit: (frame) => { this.#client.send(encodeControl(frame)); }, onMessage: (message) => { this.#hear(message); } });
    this.#ticking = setInterval(() => { this.#tick(); }, AGENT_TICK_MS);
  }

  get name(): string {
    return this.#setting.name;
  }

  /** What comes first. Throws E_CLUSTER_HOST. */
  greet(): Promise<AnswerTo<Extract<DeskRequest, { kind: 'greet' }>>> {
    return this.answer({ kind: 'greet', protocol: AGENT_PROTOCOL, version: RECORDER });
  }

  /** Throws E_CLUSTER_HOST, and what the desk there throws, with the host's name. */
  answer<Request extends DeskRequest>(request: Request): Promise<AnswerTo<Request>> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const number = ++this.#lastNumber;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve: (answer) => { resolve(answer as AnswerTo<Request>); }, reject }); // The desk answers as the table says.
      this.#link.send({ kind: 'ask', number, request });
    });
  }

  async close(): Promise<void> {
    if (this.#lost === undefined) this.#link.send({ kind: 'bye' });
    for (let tick = 0; this.#lost === undefined && !this.#link.isSettled && tick < PARTING_TICKS; tick++) await new Promise((done) => { setTimeout(done, AGENT_TICK_MS / 2); });
    clearInterval(this.#ticking);
    this.#link.close();
    this.#client.close();
  }

  #receive(bytes: Uint8Array): void {
    const frame = decodeControl<FromAgent>(bytes);
    if (frame !== undefined) this.#link.receive(frame);
    if (this.#link.isForgotten) this.#lose('has another agent than when it was asked: give the command again');
  }

  #tick(): void {
    this.#link.tick();
    if (this.#link.silentTicks > SILENT_TICKS_MAX) return this.#lose(this.#ticksUntilGreeted === undefined ? 'was not heard of for ten seconds' : 'does not answer: is stillpoint agent running there, with the same keys?');
    if (this.#ticksUntilGreeted !== undefined && ++this.#ticksUntilGreeted > SILENT_TICKS_MAX) this.#lose('does not answer: its agent is of another version');
  }

  #hear(message: FromAgent): void {
    if (message.kind === 'closing') return this.#lose('was left: its agent is being stopped');
    if (message.kind !== 'answer' && message.kind !== 'declined') return;
    this.#ticksUntilGreeted = undefined;
    const waiting = this.#waiting.get(message.number);
    this.#waiting.delete(message.number);
    if (message.kind === 'answer') return waiting?.resolve(message.answer);
    const { code, message: text, data } = message.failure;
    waiting?.reject(new StillpointError(code, `host ${this.#setting.name}: ${text}`, { data: { ...data, host: this.#setting.name } }));
  }

  #lose(what: string): void {
    const { name, address, port } = this.#setting;
    this.#lost ??= new StillpointError('E_CLUSTER_HOST', `host ${name} (${address}:${port}) ${what}`, { data: { host: name } });
    for (const { reject } of this.#waiting.values()) reject(this.#lost);
    this.#waiting.clear();
  }
}
