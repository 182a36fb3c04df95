/**
 * A POSIX message queue: messages, who waits for it, and who wants to be told of the first message.
 * Invariants: messages are in the order in which they are received: the highest priority first, those of one priority as they came. `receivers` and
 * `senders` are thread ids in the order in which they began to wait; one that does not wait any more may still be there, and counts for nothing.
 * What this does NOT do: rights, names, waking anybody (calls/message-queues.ts).
 */
import type { Canonical, Undo } from '../../core/index.ts';

export interface QueuedMessage { readonly priority: number; readonly bytes: Uint8Array }

/** mq_notify: the process that is told once; by a signal, by a message to a netlink socket (an inode number: SIGEV_THREAD), or not at all. */
export interface QueueNotice { readonly pid: number; readonly kind: 'none' | 'signal' | 'thread'; readonly signal: number; readonly value: bigint; readonly socket: number; readonly cookie: Uint8Array }

export interface QueueLimits { readonly messagesMax: number; readonly messageBytesMax: number }

/** Every priority is lower. */
export const PRIORITIES = 32_768;
/** What Linux counts for a message, and for a priority that may be in use. */
const OVERHEAD_BYTES = 48;

export class PriorityQueue {
  readonly limits: QueueLimits;
  /** Whose RLIMIT_MSGQUEUE it counts for. */
  readonly creator: number;
  messages: QueuedMessage[] = [];
  notice: QueueNotice | undefined = undefined;
  receivers: number[] = [];
  senders: number[] = [];
  /** Grows with everything that may be news to a poller. */
  changes = 0;

  constructor(creator: number, limits: QueueLimits) {
    this.creator = creator;
    this.limits = limits;
  }

  get isFull(): boolean {
    return this.messages.length >= this.limits.messagesMax;
  }

  /** What it may come to hold, as RLIMIT_MSGQUEUE counts. */
  get reservedBytes(): number {
    const { messagesMax, messageBytesMax } = this.limits;
    return messagesMax * (messageBytesMax + OVERHEAD_BYTES) + Math.min(messagesMax, PRIORITIES) * OVERHEAD_BYTES;
  }

  insert(message: QueuedMessage): void {
    const after = this.messages.findIndex(({ priority }) => priority < message.priority);
    this.messages.splice(after < 0 ? this.messages.length : after, 0, message);
    this.changes++;
  }

  take(): QueuedMessage | undefined {
    const message = this.messages.shift();
    if (message !== undefined) this.changes++;
    return message;
  }

  mark(): Undo {
    const [messages, receivers, senders] = [this.messages.slice(), this.receivers.slice(), this.senders.slice()];
    const { notice, changes } = this;
    return () => { Object.assign(this, { messages: messages.slice(), receivers: receivers.slice(), senders: senders.slice(), notice, changes }); };
  }

  state(): Canonical[] {
    const { notice } = this;
    return [
      this.limits.messagesMax, this.limits.messageBytesMax, this.creator, this.messages.map(({ priority, bytes }) => [priority, bytes]), [...this.receivers], [...this.senders], this.changes,
      notice === undefined ? null : [notice.pid, notice.kind, notice.signal, notice.value, notice.socket, notice.cookie],
    ];
  }

  /** From state(), whose hash was verified. */
  static restore(state: readonly Canonical[]): PriorityQueue {
    // The shape is the one that state() gives.
    const [messagesMax, messageBytesMax, creator, messages, receivers, senders, changes, notice] = state as unknown as readonly [
      number, number, number, readonly (readonly [number, Uint8Array])[], readonly number[], readonly number[], number, readonly [number, QueueNotice['kind'], number, bigint, number, Uint8Array] | null];
    const queue = new PriorityQueue(creator, { messagesMax, messageBytesMax });
    queue.messages = messages.map(([priority, bytes]) => ({ priority, bytes }));
    queue.receivers = [...receivers];
    queue.senders = [...senders];
    queue.changes = changes;
    if (notice !== null) queue.notice = { pid: notice[0], kind: notice[1], signal: notice[2], value: notice[3], socket: notice[4], cookie: notice[5] };
    return queue;
  }
}
