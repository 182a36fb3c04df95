/**
 * mq_open, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr, mq_unlink: POSIX message queues.
 *
 *   struct mq_attr: flags(8) maxmsg(8) msgsize(8) curmsgs(8) reserved(32): 64 bytes
 *   struct sigevent: value(8) signo(4) notify(4) ...: 64 bytes
 *
 * A queue is an inode of /dev/mqueue, which is made with the first one; its descriptor can be polled, read (a line of facts) and passed on like others.
 * A message goes straight to the thread that has waited longest, and the message of the sender that has waited longest goes in as soon as there is room, as
 * on Linux: nobody overtakes them. What this does NOT do: priorities of waiting threads (every thread is as good as another), files made in /dev/mqueue by open.
 */
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { O, RIGHT } from '../files/flags.ts';
import type { QueueInode } from '../files/inode.ts';
import { mayDelete, permits } from '../files/permission.ts';
import { PRIORITIES, type QueuedMessage, type QueueLimits, type QueueNotice } from '../files/priority-queue.ts';
import { COOKIE_BYTES, findQueue, forgetNotice, queueDirectory, QUEUE_DIRECTORY, QUEUE_SETTINGS, tellNotice } from '../files/queues.ts';
import { attachNew, removeName } from '../files/tree.ts';
import { limitOf, RLIMIT } from '../resource-limits.ts';
import { SI, SIGNALS_MAX } from '../signal-actions.ts';
import { finishWait, sendSignal } from '../signal-delivery.ts';
import { waitingCallOf, type WaitingCall } from '../waiting-call.ts';
import { openFileArgument, pathArgument, type FileCall } from './file-arguments.ts';
import { roomForOne } from './file-open.ts';
import { readTimespec } from './timespec.ts';

const CALLS = { SEND: 182, RECEIVE: 183 } as const;
const ATTRIBUTE_BYTES = 64;
const EVENT_BYTES = 64;
const NAME_BYTES_MAX = 255;
const SIGEV = { SIGNAL: 0, NONE: 1, THREAD: 2 } as const;
const CLOCK_REALTIME = 0;

/** The name of a queue without its slash, which the C library takes off; or -errno. */
function nameArgument(call: Call): string | number {
  const name = pathArgument(call, 0);
  if (typeof name === 'number') return name;
  if (name === '') return -ERRNO.ENOENT;
  if (name === '.' || name === '..' || name.includes('/')) return -ERRNO.EACCES;
  return name.length > NAME_BYTES_MAX ? -ERRNO.ENAMETOOLONG : name;
}

function mqOpen(call: Call): CallResult {
  const [flags, mode, attributes] = [call.unsigned(1), call.unsigned(2), call.size(3)];
  const wanted = attributes !== 0 ? limitsAt(call, attributes) : { messagesMax: QUEUE_SETTINGS.msg_default, messageBytesMax: QUEUE_SETTINGS.msgsize_default };
  if (wanted === undefined) return -ERRNO.EFAULT;
  const name = nameArgument(call);
  if (typeof name === 'number') return name;
  const room = roomForOne(call);
  if (room < 0) return room;
  const { files } = call.kernel;
  const found = findQueue(files, name);
  const inode = found === undefined ? makeQueue(call, name, { flags, mode, limits: wanted }) : checkExisting(call, found, flags);
  if (typeof inode === 'number') return inode;
  const openFile = files.open(inode, flags & (O.ACCMODE | O.NONBLOCK), `${QUEUE_DIRECTORY}/${name}`);
  return call.process.files.install(openFile, { closesOnExec: true });
}

function checkExisting(call: Call, inode: QueueInode, flags: number): QueueInode | number {
  if ((flags & (O.CREAT | O.EXCL)) === (O.CREAT | O.EXCL)) return -ERRNO.EEXIST;
  const access = flags & O.ACCMODE;
  if (access === O.ACCMODE) return -ERRNO.EINVAL;
  const rights = access === O.RDONLY ? RIGHT.read : access === O.WRONLY ? RIGHT.write : RIGHT.read | RIGHT.write;
  return permits(inode, call.process.files.credentials, rights) ? inode : -ERRNO.EACCES;
}

/** maxmsg and msgsize of a struct mq_attr; what is out of range is told later. */
function limitsAt(call: Call, address: number): QueueLimits | undefined {
  const bytes = call.memory.readable(address, ATTRIBUTE_BYTES);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, ATTRIBUTE_BYTES);
  return { messagesMax: Number(view.getBigInt64(8, true)), messageBytesMax: Number(view.getBigInt64(16, true)) };
}

function makeQueue(call: Call, name: string, how: { readonly flags: number; readonly mode: number; readonly limits: QueueLimits }): QueueInode | number {
  if ((how.flags & O.CREAT) === 0) return -ERRNO.ENOENT;
  const { files } = call.kernel;
  const { messagesMax, messageBytesMax } = how.limits;
  const queues = [...files.inodes.values()].filter((inode) => inode.kind === 'queue');
  if (queues.length >= QUEUE_SETTINGS.queues_max || !files.hasInodes) return -ERRNO.ENOSPC;
  if (messagesMax <= 0 || messagesMax > QUEUE_SETTINGS.msg_max || messageBytesMax <= 0 || messageBytesMax > QUEUE_SETTINGS.msgsize_max) return -ERRNO.EINVAL;
  const directory = queueDirectory(files);
  if (directory === undefined) return -ERRNO.EACCES;
  const { credentials, umask } = call.process.files;
  const inode = files.makeQueue(how.limits, { credentials, mode: how.mode & 0o7777 & ~umask });
  const reserved = queues.reduce((sum, { queue }) => sum + (queue.creator === credentials.uid ? queue.reservedBytes : 0), inode.queue.reservedBytes);
  if (BigInt(reserved) > (limitOf(call.kernel, call.process, RLIMIT.MSGQUEUE)?.[0] ?? 0n)) {
    files.forgetIfUnused(inode);
    return -ERRNO.EMFILE;
  }
  attachNew(files, directory, { name, inode });
  return inode;
}

function mqUnlink(call: Call): CallResult {
  const name = nameArgument(call);
  if (typeof name === 'number') return name;
  const { files } = call.kernel;
  const inode = findQueue(files, name);
  const directory = inode === undefined ? undefined : queueDirectory(files);
  if (inode === undefined || directory === undefined) return -ERRNO.ENOENT;
  const answer = mayDelete(directory, inode, call.process.files.credentials);
  if (answer < 0) return answer;
  removeName(files, directory, name);
  return 0;
}

/** The queue of the first argument, opened for `access`; -EBADF for anything else. */
function queueArgument(call: Call, access?: 'read' | 'write'): { readonly inode: QueueInode; readonly isNonblocking: boolean } | number {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  const { inode, isNonblocking, canRead, canWrite } = openFile;
  if (inode.kind !== 'queue' || (access === 'read' && !canRead) || (access === 'write' && !canWrite)) return -ERRNO.EBADF;
  return { inode, isNonblocking };
}

/** The threads of `waiting` that still wait in `number` on the queue; others are forgotten, but the caller, which may have been woken for nothing. */
function waiters(call: Call, inode: QueueInode, number: number): WaitingCall[] {
  const { queue } = inode;
  const list = number === CALLS.SEND ? queue.senders : queue.receivers;
  if (list.length === 0) return [];
  const found: WaitingCall[] = [];
  const kept = list.filter((tid) => {
    if (tid === call.thread.tid) return true;
    const thread = call.kernel.findThread(tid);
    if (thread === undefined || thread.wait.kind !== 'retry') return false;
    const waiting = waitingCallOf(thread);
    const isHere = waiting.number === number && thread.process.files.descriptors.get(waiting.argument(0) | 0)?.inode === inode;
    if (isHere) found.push(waiting);
    return isHere;
  });
  if (number === CALLS.SEND) queue.senders = kept;
  else queue.receivers = kept;
  return found;
}

/** The caller does not wait, or not any more. */
function stopWaiting(call: Call, { queue }: QueueInode): void {
  queue.senders = queue.senders.filter((tid) => tid !== call.thread.tid);
  queue.receivers = queue.receivers.filter((tid) => tid !== call.thread.tid);
}

/** Waits its turn until the time of argument 4, if there is one. */
function wait(call: Call, inode: QueueInode, number: number): CallResult {
  const { clock } = call.kernel;
  const { thread } = call;
  if (call.size(4) !== 0 && thread.retryDeadline === undefined) {
    const until = readTimespec(call.memory, call.size(4));
    if (typeof until === 'number') return until;
    const now = clock.read(CLOCK_REALTIME);
    if (now === undefined) return BLOCKED;
    thread.retryDeadline = clock.hidden + (until > now ? until - now : 0n);
  }
  if (thread.retryDeadline !== undefined && clock.hidden >= thread.retryDeadline) {
    stopWaiting(call, inode);
    return -ERRNO.ETIMEDOUT;
  }
  const list = number === CALLS.SEND ? inode.queue.senders : inode.queue.receivers;
  if (!list.includes(thread.tid)) list.push(thread.tid);
  return BLOCKED;
}

function touch(call: Call, inode: QueueInode): void {
  inode.atime = inode.mtime = inode.ctime = call.kernel.files.now();
}

function timeIsBad(call: Call): number {
  const time = call.size(4) === 0 ? 0n : readTimespec(call.memory, call.size(4));
  return typeof time === 'number' ? time : 0;
}

function mqTimedsend(call: Call): CallResult {
  const [address, length, priority] = [call.size(1), call.size(2), call.wide(3)];
  const bad = timeIsBad(call);
  if (bad < 0) return bad;
  if (priority >= BigInt(PRIORITIES)) return -ERRNO.EINVAL;
  const opened = queueArgument(call, 'write');
  if (typeof opened === 'number') return opened;
  const { inode } = opened;
  const { queue } = inode;
  if (length > queue.limits.messageBytesMax) return -ERRNO.EMSGSIZE;
  const bytes = length === 0 ? new Uint8Array(0) : call.memory.readable(address, length);
  if (bytes === undefined) return -ERRNO.EFAULT;
  const message: QueuedMessage = { priority: Number(priority), bytes: bytes.slice() };
  if (queue.isFull) return opened.isNonblocking ? -ERRNO.EAGAIN : wait(call, inode, CALLS.SEND);
  stopWaiting(call, inode);
  const [receiver] = waiters(call, inode, CALLS.RECEIVE);
  if (receiver !== undefined) {
    queue.receivers = queue.receivers.filter((tid) => tid !== receiver.thread.tid);
    queue.changes++;
    finishWait(receiver.thread, deliver(receiver.thread.process.memory, { address: receiver.argument(1), priorityAddress: receiver.argument(3) }, message));
  } else {
    queue.insert(message);
    if (queue.messages.length === 1) notify(call, inode);
  }
  touch(call, inode);
  return 0;
}

/** Stores a message where its receiver wants it: its length, or -EFAULT. */
function deliver(memory: Call['memory'], to: { readonly address: number; readonly priorityAddress: number }, message: QueuedMessage): number {
  if (to.priorityAddress !== 0 && !memory.writeU32(to.priorityAddress, message.priority)) return -ERRNO.EFAULT;
  return message.bytes.length === 0 || memory.write(to.address, message.bytes) ? message.bytes.length : -ERRNO.EFAULT;
}

function mqTimedreceive(call: Call): CallResult {
  const [address, room, priorityAddress] = [call.size(1), call.wide(2), call.size(3)];
  const bad = timeIsBad(call);
  if (bad < 0) return bad;
  const opened = queueArgument(call, 'read');
  if (typeof opened === 'number') return opened;
  const { inode } = opened;
  const { queue } = inode;
  if (room < BigInt(queue.limits.messageBytesMax)) return -ERRNO.EMSGSIZE;
  if (queue.messages.length === 0) return opened.isNonblocking ? -ERRNO.EAGAIN : wait(call, inode, CALLS.RECEIVE);
  stopWaiting(call, inode);
  const message = queue.take()!;
  touch(call, inode);
  admitSender(call, inode);
  return deliver(call.memory, { address, priorityAddress }, message);
}

/** There is room: the message of the sender that has waited longest goes in, and nobody is told of it. */
function admitSender(call: Call, inode: QueueInode): void {
  const { queue } = inode;
  const [sender] = waiters(call, inode, CALLS.SEND);
  if (sender === undefined) return;
  queue.senders = queue.senders.filter((tid) => tid !== sender.thread.tid);
  const length = sender.argument(2);
  const bytes = length === 0 ? new Uint8Array(0) : sender.thread.process.memory.readable(sender.argument(1), length);
  if (bytes !== undefined) queue.insert({ priority: sender.argument(3), bytes: bytes.slice() });
  finishWait(sender.thread, bytes === undefined ? -ERRNO.EFAULT : 0);
}

/** Tells the process that wants to know, once. */
function notify(call: Call, { queue }: QueueInode): void {
  const { notice } = queue;
  if (notice === undefined) return;
  queue.notice = undefined;
  const { kernel } = call;
  if (notice.kind === 'thread') return tellNotice(kernel.files, notice, 'message');
  const process = kernel.findProcess(notice.pid);
  if (notice.kind === 'none' || notice.signal === 0 || process === undefined || process.isOver) return;
  sendSignal(kernel, { process }, { signal: notice.signal, code: SI.MESGQ, pid: call.process.pid, uid: call.process.files.identity.real.uid, value: notice.value, form: 'kill' });
}

function mqNotify(call: Call): CallResult {
  const notice = call.size(1) === 0 ? undefined : noticeAt(call, call.size(1));
  if (typeof notice === 'number') return notice;
  const opened = queueArgument(call);
  if (typeof opened === 'number') return opened;
  const { queue } = opened.inode;
  if (notice === undefined) forgetNotice(call.kernel.files, queue, call.process.pid);
  else if (queue.notice !== undefined) return -ERRNO.EBUSY;
  else queue.notice = notice;
  return 0;
}

function noticeAt(call: Call, address: number): QueueNotice | number {
  const bytes = call.memory.readable(address, EVENT_BYTES);
  if (bytes === undefined) return -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, EVENT_BYTES);
  const [value, signal, how] = [view.getBigUint64(0, true), view.getInt32(8, true), view.getInt32(12, true)];
  const common = { pid: call.process.pid, value, signal: 0, socket: 0, cookie: new Uint8Array(0) };
  switch (how) {
    case SIGEV.NONE: return { ...common, kind: 'none' };
    case SIGEV.SIGNAL: return signal < 0 || signal > SIGNALS_MAX ? -ERRNO.EINVAL : { ...common, kind: 'signal', signal };
    case SIGEV.THREAD: {
      const cookie = call.memory.readable(Number(value), COOKIE_BYTES);
      if (cookie === undefined) return -ERRNO.EFAULT;
      const socket = call.process.files.descriptors.get(signal);
      if (socket === undefined) return -ERRNO.EBADF;
      if (socket.inode.kind !== 'socket') return -ERRNO.ENOTSOCK;
      return socket.inode.socket.domain === 'netlink' ? { ...common, kind: 'thread', socket: socket.inode.ino, cookie: cookie.slice() } : -ERRNO.EINVAL;
    }
    default: return -ERRNO.EINVAL;
  }
}

function mqGetsetattr(call: Call): CallResult {
  const [newAddress, oldAddress] = [call.size(1), call.size(2)];
  const flags = newAddress === 0 ? 0n : call.memory.readU64(newAddress);
  if (flags === undefined || (newAddress !== 0 && call.memory.readable(newAddress, ATTRIBUTE_BYTES) === undefined)) return -ERRNO.EFAULT;
  if ((flags & ~BigInt(O.NONBLOCK)) !== 0n) return -ERRNO.EINVAL;
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  const { inode } = openFile;
  if (inode.kind !== 'queue') return -ERRNO.EBADF;
  const { limits, messages } = inode.queue;
  const view = new DataView(new ArrayBuffer(ATTRIBUTE_BYTES));
  [openFile.flags & O.NONBLOCK, limits.messagesMax, limits.messageBytesMax, messages.length].forEach((value, index) => { view.setBigInt64(index * 8, BigInt(value), true); });
  if (newAddress !== 0) {
    openFile.flags = (openFile.flags & ~O.NONBLOCK) | Number(flags);
    inode.atime = inode.ctime = call.kernel.files.now();
  }
  return oldAddress === 0 || call.memory.write(oldAddress, new Uint8Array(view.buffer)) ? 0 : -ERRNO.EFAULT;
}

export const messageQueueCalls: readonly FileCall[] = [
  { number: 180, name: 'mq_open', handle: mqOpen },
  { number: 181, name: 'mq_unlink', handle: mqUnlink },
  { number: CALLS.SEND, name: 'mq_timedsend', handle: mqTimedsend },
  { number: CALLS.RECEIVE, name: 'mq_timedreceive', handle: mqTimedreceive },
  { number: 184, name: 'mq_notify', handle: mqNotify },
  { number: 185, name: 'mq_getsetattr', handle: mqGetsetattr },
];
