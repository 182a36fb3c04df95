/**
 * The store of another host, asked through its agent: a desk (desk.ts) at the other end of a control connection.
 * Invariants: each question is answered once, or fails with the host's name: one that is not heard of for ten seconds, does not answer the greeting for a minute, or whose agent was started anew, answers nothing any more.
 * What this does NOT do: know what is asked.
 */
import { StillpointError } from '../../core/index.ts';
import type { ClusterHostSetting } from '../../manifest/index.ts';
import { RECORDER } from '../../session/index.ts';
import { AgentConnection } from './agent-connection.ts';
import { AGENT_PROTOCOL, SILENT_TICKS_MAX, type FromAgent } from './agent-messages.ts';
import type { ClusterKeys } from './curve.ts';
import type { AnswerTo, DeskAnswer, DeskRequest } from './desk-messages.ts';

/** An agent that is heard may take long to start the process that answers for its store, on a host that is busy. */
const GREETING_TICKS_MAX = 6 * SILENT_TICKS_MAX;

interface Waiting { readonly resolve: (answer: DeskAnswer) => void; readonly reject: (error: StillpointError) => void }

export class RemoteDesk {
  readonly #setting: ClusterHostSetting;
  readonly #agent: AgentConnection;
  readonly #waiting = new Map<number, Waiting>();
  #lastNumber = 0;
  /** Until the agent has answered for the first time: one of another version never does. */
  #ticksUntilGreeted: number | undefined = 0;
  #lost: StillpointError | undefined;

  constructor(setting: ClusterHostSetting, keys: ClusterKeys) {
    this.#setting = setting;
    this.#agent = new AgentConnection(setting, keys, {
      onMessage: (message) => { this.#hear(message); },
      onForgotten: () => { this.#lose('has another agent than when it was asked: give the command again'); },
      onTick: (isSilent) => { this.#tick(isSilent); },
      isLost: () => this.#lost !== undefined,
    });
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
      this.#agent.send({ kind: 'ask', number, request });
    });
  }

  close(): Promise<void> {
    return this.#agent.close();
  }

  #tick(isSilent: boolean): void {
    if (isSilent) return this.#lose(this.#ticksUntilGreeted === undefined ? 'was not heard of for ten seconds' : 'does not answer: is stillpoint agent running there, with the same keys?');
    if (this.#ticksUntilGreeted !== undefined && ++this.#ticksUntilGreeted > GREETING_TICKS_MAX) this.#lose('was heard, but has not answered for a minute: it is busy, or its agent is of another version');
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
