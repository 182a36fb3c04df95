/**
 * Frames between processes over ZeroMQ: each process binds one PULL socket and connects a PUSH socket to every other.
 *
 *   process 0  PULL ◄──── PUSH  process 1        ipc: a socket in a directory of mode 0700        tcp: 127.0.0.1, always encrypted
 *
 * Invariants: with keys, only who holds the cluster's secret key is heard, and only who holds it can be spoken to (CURVE, both ways; the ZAP handler
 * lets in one public key); a frame beyond the cap breaks its connection; close() never waits for a peer. Frames that wait for one process share a message.
 * What this does NOT do: guarantee delivery (positions of the channel ends do), look into frames.
 */
import { Context, Pull, Push } from 'zeromq';
import { assert } from '../../core/index.ts';
import type { Transport } from '../hub.ts';
import { FRAME_BYTES_MAX } from '../wire.ts';
import { clientSecurity, Door, serverSecurity, type ClusterKeys } from './curve.ts';

export interface ZeromqOptions {
  /** Where to listen: `ipc:///…` or `tcp://127.0.0.1:*`. */
  readonly bind: string;
  /** Undefined: unencrypted, for sockets in a private directory. */
  readonly keys: ClusterKeys | undefined;
  readonly onParts: (parts: readonly Uint8Array[]) => void;
}

/** Envelopes and bytes that go out as one message: few enough to be sent at once, and to be in the reader's cache still when its guest reads them; enough to make small ones cheap. */
const BATCH_FRAMES_MAX = 128;
const BATCH_BYTES_MAX = 512 * 1024;
/** Frames that wait for one process. Windows bound the data; beyond this they are questions to a process that is not there. */
const WAITING_MAX = 100_000;
/** Messages that wait in the socket. */
const HIGH_WATER_MARK = 64;
const RECONNECT_MS = 20;
/**
 * How long the library goes on, behind close(), with messages that it has begun. Without, a message of several parts that is cut by a close and by its peer's at once
 * ends the process: an assertion of libzmq 4.3.5 (session_base.cpp, clean_pipes). On a busy machine its thread is not done in a tenth of that.
 */
const LINGER_MS = 1000;
/** Bytes of messages between two collections of young objects, which free those that were read: well below the 64 MiB (of which each is counted twice) for which V8 marks its whole heap. */
const YOUNG_BYTES_MAX = 16 * 1024 * 1024;

interface Peer { readonly endpoint: string; readonly socket: Push; waiting: (readonly Uint8Array[])[]; isSending: boolean }

export class ZeromqTransport implements Transport {
  readonly #options: ZeromqOptions;
  readonly #context = new Context({ blocky: false });
  readonly #pull: Pull;
  #door: Door | undefined;
  readonly #peers = new Map<number, Peer>();
  /** What close() waits for. */
  readonly #loops = new Set<Promise<void>>();
  #isClosed = false;
  /** Bytes of messages that came since the last collection. */
  #youngBytes = 0;

  private constructor(options: ZeromqOptions) {
    this.#options = options;
    const { keys } = options;
    this.#pull = new Pull({ context: this.#context, linger: 0, receiveHighWaterMark: HIGH_WATER_MARK, maxMessageSize: FRAME_BYTES_MAX, ...serverSecurity(keys) });
  }

  static async open(options: ZeromqOptions): Promise<ZeromqTransport> {
    assert(options.keys !== undefined || options.bind.startsWith('ipc:'), 'what leaves the host is encrypted');
    const transport = new ZeromqTransport(options);
    try {
      if (options.keys !== undefined) transport.#door = await Door.open(transport.#context, options.keys);
      await transport.#pull.bind(options.bind);
    } catch (error) {
      await transport.close();
      throw error;
    }
    transport.#keep(transport.#receive());
    return transport;
  }

  /** Where other processes reach this one. */
  get endpoint(): string {
    return this.#pull.lastEndpoint!;
  }

  /** Speaks to a process at another place from now on; what waited for the old place is dropped. Undefined: it is gone. */
  connect(process: number, endpoint: string | undefined): void {
    const before = this.#peers.get(process);
    if (before?.endpoint === endpoint || this.#isClosed) return;
    if (before !== undefined) this.#disconnect(process, before);
    if (endpoint === undefined) return;
    const socket = new Push({ context: this.#context, linger: LINGER_MS, sendHighWaterMark: HIGH_WATER_MARK, reconnectInterval: RECONNECT_MS, ...clientSecurity(this.#options.keys) });
    socket.connect(endpoint);
    this.#peers.set(process, { endpoint, socket, waiting: [], isSending: false });
  }

  send(process: number, parts: readonly Uint8Array[]): void {
    const peer = this.#peers.get(process);
    if (peer === undefined || peer.waiting.length >= WAITING_MAX) return;
    peer.waiting.push(parts);
    if (!peer.isSending) this.#keep(this.#flush(peer));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const [process, peer] of this.#peers) this.#disconnect(process, peer);
    this.#pull.close();
    await Promise.all([...this.#loops, this.#door?.close()]);
  }

  #keep(loop: Promise<void>): void {
    const kept = loop.finally(() => { this.#loops.delete(kept); });
    this.#loops.add(kept);
  }

  #disconnect(process: number, peer: Peer): void {
    this.#peers.delete(process);
    peer.waiting = [];
    peer.socket.close();
  }

  async #receive(): Promise<void> {
    try {
      for await (const parts of this.#pull) {
        this.#options.onParts(parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.length)));
        for (const { length } of parts) this.#youngBytes += length;
        if (this.#youngBytes >= YOUNG_BYTES_MAX) this.#collect();
      }
    } catch (error) {
      if (!this.#isClosed) throw error;
    }
  }

  #collect(): void {
    this.#youngBytes = 0;
    globalThis.gc?.({ type: 'minor' });
  }

  /** Sends what waits, many frames at a time. */
  async #flush(peer: Peer): Promise<void> {
    peer.isSending = true;
    await Promise.resolve(); // What is sent in the same turn goes out together.
    try {
      while (peer.waiting.length > 0) await peer.socket.send(takeBatch(peer));
    } catch (error) {
      if (!peer.socket.closed) throw error; // Closed while it waited: the frames are nobody's.
    } finally {
      peer.isSending = false;
    }
  }
}

function takeBatch(peer: Peer): Uint8Array[] {
  let count = 0;
  let bytes = 0;
  for (; count < peer.waiting.length && count < BATCH_FRAMES_MAX; count++) {
    for (const { length } of peer.waiting[count]!) bytes += length;
    if (count > 0 && bytes > BATCH_BYTES_MAX) break;
  }
  const batch = peer.waiting.slice(0, count).flat();
  peer.waiting = peer.waiting.slice(count);
  return batch;
}
