/**
 * POSIX message queues as files: where they are, what reading one tells, and how a process is told of a message by a netlink socket.
 * Invariant: /dev/mqueue is there as soon as there was a queue; a machine without one is as it was before there were queues.
 * What this does NOT do: messages (priority-queue.ts), the calls (../calls/message-queues.ts).
 */
import type { FileSystem } from './file-system.ts';
import { S_ISVTX } from './flags.ts';
import type { DirectoryInode, QueueInode } from './inode.ts';
import type { PriorityQueue, QueueNotice } from './priority-queue.ts';

export const QUEUE_DIRECTORY = '/dev/mqueue';
/** What the C library wants to hear again (NOTIFY_COOKIE_LEN); the kernel says in its last byte why. */
export const COOKIE_BYTES = 32;
const WHY = { message: 1, removed: 2 } as const;
/** /proc/sys/fs/mqueue: queues of the machine; messages of a queue and bytes of a message, at most and when nothing is said. */
export const QUEUE_SETTINGS = { queues_max: 256, msg_max: 10, msgsize_max: 8192, msg_default: 10, msgsize_default: 8192 } as const;
/** What a queue says of its size (FILENT_SIZE of Linux). */
export const QUEUE_FILE_BYTES = 80;

/** /dev/mqueue, made when it is not there. Undefined when something else has the name. */
export function queueDirectory(files: FileSystem): DirectoryInode | undefined {
  const dev = files.root.entries.get('dev')?.inode;
  if (dev?.kind !== 'directory') return undefined;
  const there = dev.entries.get('mqueue')?.inode;
  if (there !== undefined) return there.kind === 'directory' ? there : undefined;
  return files.makeDirectory(dev, 'mqueue', { credentials: { uid: 0, gid: 0 }, mode: 0o777 | S_ISVTX });
}

export function findQueue(files: FileSystem, name: string): QueueInode | undefined {
  const dev = files.root.entries.get('dev')?.inode;
  const directory = dev?.kind === 'directory' ? dev.entries.get('mqueue')?.inode : undefined;
  const inode = directory?.kind === 'directory' ? directory.entries.get(name)?.inode : undefined;
  return inode?.kind === 'queue' ? inode : undefined;
}

/** The line that reading a queue gives. */
export function queueText({ messages, notice }: PriorityQueue): string {
  const bytes = messages.reduce((sum, message) => sum + message.bytes.length, 0);
  const how = notice === undefined || notice.kind === 'signal' ? 0 : notice.kind === 'none' ? 1 : 2;
  const row = (name: string, value: number, width: number): string => `${name}:${String(value).padEnd(width)}`;
  return `${[row('QSIZE', bytes, 10), row('NOTIFY', how, 5), row('SIGNO', notice?.signal ?? 0, 5), row('NOTIFY_PID', notice?.pid ?? 0, 6)].join(' ')}\n`;
}

/** The process takes its notice back, or closes a descriptor of the queue. */
export function forgetNotice(files: FileSystem, queue: PriorityQueue, pid: number): void {
  const { notice } = queue;
  if (notice?.pid !== pid) return;
  queue.notice = undefined;
  tellNotice(files, notice, 'removed');
}

export function tellNotice(files: FileSystem, { kind, socket, cookie }: QueueNotice, why: keyof typeof WHY): void {
  const inode = kind === 'thread' ? files.inodes.get(socket) : undefined;
  if (inode?.kind !== 'socket' || inode.socket.status === 'closed') return;
  const bytes = cookie.slice();
  bytes[COOKIE_BYTES - 1] = WHY[why];
  inode.socket.push({ bytes, from: '', files: [] });
}
