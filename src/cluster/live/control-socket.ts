/**
 * Frames between `up` and agents: an agent binds one ROUTER, each start of a cluster connects a DEALER to it, under a name of its own. CURVE both ways.
 * Invariants: who connects again is the same peer, also where the old connection still seems to stand; close() never waits for a peer; one frame is sent at a time, and what piles up is dropped (control-link.ts says it again).
 */
import { randomBytes } from 'node:crypto';
import { Context, Dealer, Router } from 'zeromq';
import { clientSecurity, Door, serverSecurity, type ClusterKeys } from './curve.ts';
import { AGENT_FRAME_MAX } from './agent-messages.ts';

const WAITING_MAX = 256;
const RECONNECT_MS = 100;
/** Of a peer's name: nobody else has it. */
const NAME_BYTES = 16;
/** A connection that is dead without saying so is noticed and made again. */
const ALIVE = { heartbeatInterval: 1000, heartbeatTimeout: 4000 } as const;

/** Sends in order, one at a time. */
class Sender {
  readonly #socket: Dealer | Router;
  #waiting: Uint8Array[][] = [];
  #isSending = false;

  constructor(socket: Dealer | Router) {
    this.#socket = socket;
  }

  send(parts: Uint8Array[]): void {
    if (this.#waiting.length >= WAITING_MAX) return;
    this.#waiting.push(parts);
    if (!this.#isSending) void this.#flush();
  }

  async #flush(): Promise<void> {
    this.#isSending = true;
    try {
      for (let parts = this.#waiting.shift(); parts !== undefined; parts = this.#waiting.shift()) await this.#socket.send(parts as never); // Both sockets take a list.
    } catch {
      this.#waiting = []; // Closed, or nobody is there: the link asks again.
    } finally {
      this.#isSending = false;
    }
  }
}

/** The end of `up`. */
export class ControlClient {
  readonly #socket: Dealer;
  readonly #sender: Sender;

  constructor(endpoint: string, keys: ClusterKeys, onFrame: (frame: Uint8Array) => void) {
    this.#socket = new Dealer({ routingId: randomBytes(NAME_BYTES).toString('hex'), context: new Context({ blocky: false }), linger: 200, reconnectInterval: RECONNECT_MS, maxMessageSize: AGENT_FRAME_MAX, ...ALIVE, ...clientSecurity(keys) });
    this.#socket.connect(endpoint);
    this.#sender = new Sender(this.#socket);
    void listen(this.#socket, ([frame]) => { if (frame !== undefined) onFrame(frame); });
  }

  send(frame: Uint8Array): void {
    this.#sender.send([frame]);
  }

  close(): void {
    this.#socket.close();
  }
}

/** The end of an agent. */
export class ControlServer {
  readonly #socket: Router;
  readonly #sender: Sender;
  readonly #door: Door;

  private constructor(socket: Router, door: Door) {
    this.#socket = socket;
    this.#sender = new Sender(socket);
    this.#door = door;
  }

  static async open(bind: string, keys: ClusterKeys, onFrame: (peer: string, frame: Uint8Array) => void): Promise<ControlServer> {
    const context = new Context({ blocky: false });
    const door = await Door.open(context, keys);
    const socket = new Router({ handover: true, context, linger: 200, maxMessageSize: AGENT_FRAME_MAX, ...ALIVE, ...serverSecurity(keys) });
    try {
      await socket.bind(bind);
    } catch (error) {
      socket.close();
      await door.close();
      throw error;
    }
    void listen(socket, ([peer, frame]) => { if (peer !== undefined && frame !== undefined) onFrame(peer.toString('hex'), frame); });
    return new ControlServer(socket, door);
  }

  get endpoint(): string {
    return this.#socket.lastEndpoint!;
  }

  send(peer: string, frame: Uint8Array): void {
    this.#sender.send([Buffer.from(peer, 'hex'), frame]);
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#door.close();
  }
}

async function listen(socket: Dealer | Router, onParts: (parts: Buffer[]) => void): Promise<void> {
  try {
    for await (const parts of socket) onParts(parts as Buffer[]); // Both sockets give lists of buffers.
  } catch (error) {
    if (!socket.closed) throw error;
  }
}
