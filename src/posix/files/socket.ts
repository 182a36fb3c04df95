/**
 * A socket inside the machine: what one end holds. Streams keep bytes, the others keep messages; either lies at the receiver.
 *
 *   new ─ bind ─► new (address) ─ listen ─► listening ─ connect by another ─► backlog of connected ends ─ accept ─► open files
 *    └─ connect, socketpair ─► connected ─ peer closes or shuts down ─► reads the rest, then the end
 *
 * Invariants: `peer` and `backlog` are inode numbers of sockets in the table; an end in a backlog is held by its listener; bytes in `stream`
 * only with type stream, messages only with the others. Addresses are canonical texts (socket-address.ts), '' is none.
 * Open files that travel in messages are held by the socket that has the message; when it closes, they go with it.
 * What this does NOT do: find other sockets (socket-io.ts), know descriptors.
 */
import { markMap, type Canonical, type Undo } from '../../core/index.ts';
import { Pipe, type DrainRule } from './pipe.ts';
import { optionKey, SO, SOL_SOCKET } from './socket-option-names.ts';
import { isInline, isUrgentFirst, moveMark, setMark, urgentMark, urgentReach } from './urgent.ts';

/** 'netlink': the kernel is at the other side; it tells of interfaces (../netlink.ts) and of message queues (mq_notify). */
export type SocketDomain = 'unix' | 'inet' | 'inet6' | 'netlink';
export type SocketType = 'stream' | 'datagram' | 'seqpacket';
export type SocketStatus = 'new' | 'listening' | 'connected' | 'closed';

/** Who sent (SCM_CREDENTIALS): process and real ids at the time. */
export interface Sender { readonly pid: number; readonly uid: number; readonly gid: number }
/** Of a datagram of the internet: where it was sent to, hops left (time to live), and the class of service. */
export interface DatagramFacts { readonly to: string; readonly hops: number; readonly service: number }
/** `files`: numbers of open files that are on their way (SCM_RIGHTS); the message holds one reference on each. `sender`: if either end wanted it told; `facts`: if the receiver did. */
export interface Message { readonly bytes: Uint8Array; readonly from: string; readonly files: readonly number[]; readonly sender?: Sender | undefined; readonly facts?: DatagramFacts | undefined }
/** Open files, and who sent, that came with the bytes [start, end) of a stream, counted from its first unread byte. */
export interface StreamFiles { readonly start: number; readonly end: number; readonly files: readonly number[]; readonly sender?: Sender | undefined }

/** Bytes of messages that wait at one socket (net.core.rmem_default). */
export const SOCKET_BYTES = 212_992;
/** Messages that wait at one socket; Linux keeps 10 datagrams of AF_UNIX by default and bounds the others by bytes. */
export const SOCKET_MESSAGES_MAX = 256;
/** net.core.somaxconn. */
export const BACKLOG_MAX = 4096;

/** Parts of an address that the kernel chose, which go when the socket is connected to nobody again. */
export const CHOSEN = { HOST: 1, PORT: 2 } as const;

/** News of room at the other end of a socket count above those of its own. */
const ROOM = 2 ** 26;
/** As Linux wakes who waits for room: of AF_UNIX when something that was sent is gone and three quarters are free, of the internet when a third has become free. */
const UNIX_DRAINS: DrainRule = ({ after, capacityBytes, isFreed }) => isFreed && after * 4 <= capacityBytes;
const INET_DRAINS: DrainRule = ({ before, after, capacityBytes }) => before * 3 > capacityBytes * 2 && after * 3 <= capacityBytes * 2;

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
  /** In order of arrival; only with type stream. */
  streamFiles: StreamFiles[] = [];
  /** Groups that it is in: addresses with port 0, in the order in which it joined. */
  groups: string[] = [];
  /** What nobody named of a datagram socket's address: bits CHOSEN.HOST and CHOSEN.PORT. */
  chosen = 0;
  /** Options that were set: optionKey → value; time-outs in microseconds. */
  readonly options = new Map<number, number>();
  #changes: number;

  constructor(parts: SocketParts, stream: Pipe = new Pipe(), changes = 0) {
    this.domain = parts.domain;
    this.type = parts.type;
    this.owner = parts.owner;
    this.stream = stream;
    stream.drainRule = parts.domain === 'unix' ? UNIX_DRAINS : INET_DRAINS;
    this.#changes = changes;
  }

  /** Grows with everything that may be news to a poller, but for room at the other end, which that one counts (roomChanges). */
  get changes(): number {
    return this.#changes + this.stream.filled;
  }

  changed(): void {
    this.#changes++;
  }

  /** What the other end counts of this one's `changes`: room for what it sends. */
  get roomChanges(): number {
    return this.stream.drained * ROOM;
  }

  /** The other end goes, and what it has counted stays counted: that is no news. */
  keepRoomChanges(other: Socket): void {
    this.#changes += other.roomChanges;
  }

  get hasInput(): boolean {
    return this.stream.length > 0 || this.messages.length > 0;
  }

  /** Bytes of the stream that a read may come to: not an urgent one that is the first. */
  get readableLength(): number {
    return this.stream.length - Number(isUrgentFirst(this.options));
  }

  /** Room for a message of `length` bytes. */
  hasRoom(length: number): boolean {
    return this.messages.length < SOCKET_MESSAGES_MAX && (this.messages.length === 0 || this.messageBytes + length <= SOCKET_BYTES);
  }

  /** Whether received messages say who sent them (SO_PASSCRED). */
  get tellsSenders(): boolean {
    return this.domain === 'unix' && this.options.get(optionKey(SOL_SOCKET, SO.PASSCRED)) === 1;
  }

  /** Linux writes the sender down where one of the two ends wants it at the time, or the message says so itself. */
  senderTo(target: Socket, { pid, identity: { real } }: { readonly pid: number; readonly identity: { readonly real: { readonly uid: number; readonly gid: number } } }, isAsked = false): Sender | undefined {
    return this.domain === 'unix' && (isAsked || this.tellsSenders || target.tellsSenders) ? { pid, uid: real.uid, gid: real.gid } : undefined;
  }

  /** Bytes of a stream, with open files on their way. */
  pushStream(bytes: Uint8Array, files: readonly number[] = [], sender?: Sender): void {
    const start = this.stream.length;
    this.stream.push(bytes);
    const end = this.stream.length;
    const last = this.streamFiles.at(-1);
    if (files.length === 0 && sender !== undefined && last?.end === start && last.files.length === 0 && isSame(last.sender, sender)) this.streamFiles[this.streamFiles.length - 1] = { ...last, end };
    else if (files.length > 0 || sender !== undefined) this.streamFiles.push({ start, end, files, sender });
  }

  /** Who sent the first byte of a stream. */
  get streamSender(): Sender | undefined {
    const [first] = this.streamFiles;
    return first !== undefined && first.start <= 0 ? first.sender : undefined;
  }

  /** How many bytes one read may take: it does not go beyond bytes that open files came with, nor a mark of urgent data, nor, where senders are told, to those of another. */
  get streamReach(): number {
    return Math.min(this.#fileReach, urgentReach(this.options));
  }

  get #fileReach(): number {
    const isTold = this.tellsSenders;
    const sender = this.streamSender;
    let at = 0;
    for (const part of this.streamFiles) {
      if (isTold && part.start > at && !isSame(sender, undefined)) return at;
      if (isTold && part.start > 0 && !isSame(sender, part.sender)) return part.start;
      if (part.files.length > 0) return part.end;
      at = part.end;
    }
    return isTold && sender !== undefined ? at : this.stream.length;
  }

  /** Takes bytes of a stream and the open files that came with them: the caller has their references now. */
  shiftStream(length: number): { readonly bytes: Uint8Array; readonly files: readonly number[]; readonly sender: Sender | undefined } {
    if (isUrgentFirst(this.options)) this.passUrgent();
    const sender = this.streamSender;
    const bytes = this.stream.shift(Math.min(length, this.streamReach));
    const taken = bytes.length;
    moveMark(this.options, taken);
    const files = this.streamFiles.flatMap((part) => (part.start < taken ? part.files : []));
    if (taken > 0) {
      this.streamFiles = this.streamFiles.flatMap((part) => {
        const [start, end] = [part.start - taken, part.end - taken];
        if (start >= 0) return [{ ...part, start, end }];
        return part.sender !== undefined && end > 0 ? [{ start: 0, end, files: [], sender: part.sender }] : [];
      });
    }
    return { bytes, files, sender };
  }

  /** The same without taking them: the references of the open files stay with the stream. */
  peekStream(length: number): { readonly bytes: Uint8Array; readonly files: readonly number[]; readonly sender: Sender | undefined } {
    const passed = Number(isUrgentFirst(this.options));
    const reach = passed === 0 ? this.streamReach : this.#fileReach;
    const end = Math.min(passed + length, reach);
    return { bytes: this.stream.bytes().subarray(passed, end), files: this.streamFiles.flatMap((part) => (part.start < end ? part.files : [])), sender: this.streamSender };
  }

  /** The urgent byte at the front is read over. */
  passUrgent(): void {
    moveMark(this.options, 1);
    this.cutStream(0);
  }

  /** Takes one byte out of a stream; open files never come with one that is urgent. */
  cutStream(at: number): number {
    const byte = this.stream.cut(at);
    this.streamFiles = this.streamFiles.map((part) => ({ ...part, start: part.start - Number(part.start > at), end: part.end - Number(part.end > at) })).filter(({ start, end }) => start < end);
    return byte;
  }

  /** The byte that came last is urgent. One that a reader on the internet stands before, and has not fetched, is lost. */
  markLast(): void {
    if (this.domain !== 'unix' && isUrgentFirst(this.options)) this.passUrgent();
    setMark(this.options, { at: this.stream.length - 1, isFetched: false });
    this.changed();
  }

  /** The urgent byte; undefined where there is none to fetch. */
  fetchUrgent(isPeek: boolean): number | undefined {
    const mark = urgentMark(this.options);
    if (mark === undefined || mark.isFetched || isInline(this.options)) return undefined;
    if (isPeek) return this.stream.bytes()[mark.at];
    setMark(this.options, { at: mark.at, isFetched: true });
    return this.cutStream(mark.at);
  }

  /** Open files on their way, each as often as it is held. */
  get filesOnTheirWay(): readonly number[] {
    return [...this.streamFiles, ...this.messages].flatMap(({ files }) => files);
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
    this.stream.noteDrained();
    return message;
  }

  mark(): Undo {
    const { status, address, peer, peerAddress, isReadShut, isWriteShut, isEnded, error, backlogMax, messageBytes, stream, chosen } = this;
    const [backlog, messages, streamFiles, groups, changes] = [this.backlog.slice(), this.messages.slice(), this.streamFiles.slice(), this.groups.slice(), this.#changes];
    const parts = [stream.mark(), markMap(this.options)];
    return () => {
      Object.assign(this, { status, address, peer, peerAddress, isReadShut, isWriteShut, isEnded, error, backlogMax, messageBytes, stream, chosen, groups: groups.slice(), backlog: backlog.slice(), messages: messages.slice(), streamFiles: streamFiles.slice() });
      this.#changes = changes;
      for (const undo of parts) undo();
    };
  }

  state(): Canonical[] {
    const hasMore = this.groups.length > 0 || this.chosen !== 0;
    return [
      this.domain, this.type, this.owner, this.status, this.address, this.peer, this.peerAddress, [this.isReadShut, this.isWriteShut, this.isEnded], this.error,
      this.backlogMax, [...this.backlog], this.stream.bytes(), this.stream.changes, this.messages.map(messageState),
      [...this.options].sort(([a], [b]) => a - b).map(([name, value]) => [name, value]), this.#changes,
      ...(this.streamFiles.length === 0 && !hasMore ? [] : [this.streamFiles.map(({ start, end, files, sender }) => [start, end, [...files], ...senderState(sender)])]),
      ...(hasMore ? [[[...this.groups], this.chosen]] : []),
    ];
  }
}

function isSame(one: Sender | undefined, other: Sender | undefined): boolean {
  return one?.pid === other?.pid && one?.uid === other?.uid && one?.gid === other?.gid;
}

/** What nobody wanted told is left out at the end; facts come with a sender, an empty one where there is none. */
function messageState({ bytes, from, files, sender, facts }: Message): Canonical[] {
  if (facts !== undefined) return [bytes, from, [...files], [], [facts.to, facts.hops, facts.service]];
  return files.length === 0 && sender === undefined ? [bytes, from] : [bytes, from, [...files], ...senderState(sender)];
}

/** Nothing where nobody wanted it told: such a message is written as it always was. */
function senderState(sender: Sender | undefined): Canonical[] {
  return sender === undefined ? [] : [[sender.pid, sender.uid, sender.gid]];
}
