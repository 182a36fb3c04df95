/**
 * A socket inside the machine: what one end holds. Streams keep bytes, the others keep messages; either lies at the receiver.
 *
 *   new ─ bind ─► new (address) ─ listen ─► listening ─ connect by another ─► backlog of connected ends ─ accept ─► open files
 *    └─ connect, socketpair ─► connected ─ peer closes or shuts down ─► reads the rest, then the end
 *
 * Invariants: `peer` and `backlog` are inode numbers of sockets in the table; an end in a backlog is held by its listener; bytes in `stream`
 * only with type stream, messages only with the others. Addresses are canonical texts (socket-address.ts), '' is none.
 * What this does NOT do: find other sockets (socket-io.ts), know descriptors.
 */
import type { Canonical } from '../../core/index.ts';
import { Pipe } from './pipe.ts';

export type SocketDomain = 'unix' | 'inet';
export type SocketType = 'stream' | 'datagram' | 'seqpacket';
export type SocketStatus = 'new' | 'listening' | 'connected' | 'closed';

export interface Message { readonly bytes: Uint8Array; readonly from: string }

/** Bytes of messages that wait at one socket (net.core.rmem_default). */
export const SOCKET_BYTES = 212_992;
/** Messages that wait at one socket; Linux keeps 10 datagrams of AF_UNIX by default and bounds the others by bytes. */
export const SOCKET_MESSAGES_MAX = 256;
/** net.core.somaxconn. */
export const BACKLOG_MAX = 4096;

export interface SocketParts { readonly domain: SocketDomain; readonly type: SocketType; readonly owner: number }

export class Socket {
  readonly domain: SocketDomain;
  readonly type: SocketType;
  /** Process that made it; what SO_PEERCRED tells the other side. */
  readonly owner: number;
  status: SocketStatus = 'new';
  address = '';
  peer = 0;
  peerAddress = '';
  isReadShut = false;
  isWriteShut = false;
  /** The other side sends no more: it closed or shut its writing down. */
  isEnded = false;
  /** Pending errno of SO_ERROR. */
  error = 0;
  backlogMax = 0;
  backlog: number[] = [];
  stream: Pipe;
  messages: Message[] = [];
  messageBytes = 0;
  /** Options that were set and are only remembered: level × 65536 + name → value. */
  readonly options = new Map<number, number>();
  #changes: number;

  constructor(parts: SocketParts, stream: Pipe = new Pipe(), changes = 0) {
    this.domain = parts.domain;
    this.type = parts.type;
    this.owner = parts.owner;
    this.stream = stream;
    this.#changes = changes;
  }

  /** Grows with everything that may be news to a poller. */
  get changes(): number {
    return this.#changes + this.stream.changes;
  }

  changed(): void {
    this.#changes++;
  }

  get hasInput(): boolean {
    return this.stream.length > 0 || this.messages.length > 0;
  }

  /** Room for a message of `length` bytes. */
  hasRoom(length: number): boolean {
    return this.messages.length < SOCKET_MESSAGES_MAX && (this.messages.length === 0 || this.messageBytes + length <= SOCKET_BYTES);
  }

  push(message: Message): void {
    this.messages.push(message);
    this.messageBytes += message.bytes.length;
    this.changed();
  }

  shift(): Message | undefined {
    const message = this.messages.shift();
    if (message === undefined) return undefined;
    this.messageBytes -= message.bytes.length;
    this.changed();
    return message;
  }

  state(): Canonical[] {
    return [
      this.domain, this.type, this.owner, this.status, this.address, this.peer, this.peerAddress, [this.isReadShut, this.isWriteShut, this.isEnded], this.error,
      this.backlogMax, [...this.backlog], this.stream.bytes(), this.stream.changes, this.messages.map(({ bytes, from }) => [bytes, from]),
      [...this.options].sort(([a], [b]) => a - b).map(([name, value]) => [name, value]), this.#changes,
    ];
  }
}
