/**
 * The control connection to the agent of another host: what both who runs nodes there (remote-host.ts) and who asks its store (remote-desk.ts) need of it.
 * Invariants: the agent is told when nothing more is wanted of it, where it can still be told. What this does NOT do: decide when a host is lost, know what is said.
 */
import type { ClusterHostSetting } from '../../manifest/index.ts';
import { ControlLink } from '../control-link.ts';
import { AGENT_TICK_MS, decodeControl, encodeControl, SILENT_TICKS_MAX, type FromAgent, type ToAgent } from './agent-messages.ts';
import { ControlClient } from './control-socket.ts';
import type { ClusterKeys } from './curve.ts';

/** How long close() waits for the agent to hear the last word. */
const PARTING_TICKS = 5;

export interface AgentEvents {
  onMessage(message: FromAgent): void;
  /** The agent is another one than was talked to. */
  onForgotten(): void;
  /** `isSilent`: nothing was heard for ten seconds. */
  onTick(isSilent: boolean): void;
  isLost(): boolean;
}

export class AgentConnection {
  readonly #events: AgentEvents;
  readonly #client: ControlClient;
  readonly #link: ControlLink<ToAgent, FromAgent>;
  readonly #ticking: NodeJS.Timeout;

  constructor({ address, port }: ClusterHostSetting, keys: ClusterKeys, events: AgentEvents) {
    this.#events = events;
    this.#client = new ControlClient(`tcp://${address}:${port}`, keys, (bytes) => { this.#receive(bytes); });
    this.#link = new ControlLink<ToAgent, FromAgent>({ transmit: (frame) => { this.#client.send(encodeControl(frame)); }, onMessage: (message) => { events.onMessage(message); } });
    this.#ticking = setInterval(() => { this.#tick(); }, AGENT_TICK_MS);
  }

  /** `bytes`: about how long the message is, where it is long. */
  send(message: ToAgent, bytes = 0): void {
    this.#link.send(message, bytes);
  }

  /** Waits until a long message may be sent; false when the connection is silenced. */
  room(): Promise<boolean> {
    return this.#link.room();
  }

  /** Nothing is sent or given out any more. */
  silence(): void {
    this.#link.close();
  }

  /** Nothing more is wanted of the agent. */
  async close(): Promise<void> {
    if (!this.#events.isLost()) this.#link.send({ kind: 'bye' });
    for (let tick = 0; !this.#events.isLost() && !this.#link.isSettled && tick < PARTING_TICKS; tick++) await new Promise((done) => { setTimeout(done, AGENT_TICK_MS / 2); });
    clearInterval(this.#ticking);
    this.#link.close();
    this.#client.close();
  }

  #receive(bytes: Uint8Array): void {
    const frame = decodeControl<FromAgent>(bytes);
    if (frame !== undefined) this.#link.receive(frame);
    if (this.#link.isForgotten) this.#events.onForgotten();
  }

  #tick(): void {
    this.#link.tick();
    this.#events.onTick(this.#link.silentTicks > SILENT_TICKS_MAX);
  }
}
