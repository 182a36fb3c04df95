/**
 * msgget, msgsnd, msgrcv, msgctl: queues of messages with types.
 *
 *   struct msgbuf: type(8), bytes
 *   struct msqid_ds: ipc_perm(48) stime(8) rtime(8) ctime(8) cbytes(8) qnum(8) qbytes(8) lspid(4) lrpid(4) unused(16): 120 bytes
 *
 * What this does NOT do: wait for a message to copy (MSG_COPY looks at what is there).
 */
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { finishWait } from '../signal-delivery.ts';
import type { Message, MessageQueue } from '../system-v.ts';
import type { CallEntry } from './entry.ts';
import { getObject, IPC, mayUse, owns, PERMISSION_BYTES, putPermission, secondsNow, takePermission, waitersOn } from './system-v-common.ts';

const STATUS_BYTES = 120;
const MSG = { NOERROR: 0o10000, EXCEPT: 0o20000, COPY: 0o40000, STAT: 11, INFO: 12, STAT_ANY: 13 } as const;
/** MSGMNI, MSGMAX and MSGMNB of Linux. */
const QUEUES_MAX = 32_000;
const MESSAGE_BYTES_MAX = 8192;
const QUEUE_BYTES_MAX = 16_384;
const CALLS = { MSGRCV: 188, MSGSND: 189 } as const;

function msgget(call: Call): CallResult {
  const { systemV } = call.kernel;
  return getObject(call, systemV.queues, {
    key: call.int(0), flags: call.unsigned(1), countMax: QUEUES_MAX, check: () => 0,
    make: (permission) => {
      const id = systemV.takeId();
      systemV.queues.set(id, { id, permission, ctime: secondsNow(call), messages: [], bytesMax: QUEUE_BYTES_MAX, stime: 0, rtime: 0, sender: 0, receiver: 0 });
      return id;
    },
  });
}

function bytesIn({ messages }: MessageQueue): number {
  return messages.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function msgsnd(call: Call): CallResult {
  const [id, address, length, flags] = [call.int(0), call.size(1), call.size(2), call.unsigned(3)];
  const type = call.memory.readU64(address);
  if (type === undefined) return -ERRNO.EFAULT;
  const queue = call.kernel.systemV.queues.get(id);
  if (length > MESSAGE_BYTES_MAX || BigInt.asIntN(64, type) < 1n) return -ERRNO.EINVAL;
  const bytes = length === 0 ? new Uint8Array(0) : call.memory.readable(address + 8, length);
  if (bytes === undefined) return -ERRNO.EFAULT;
  if (queue === undefined) return -ERRNO.EINVAL;
  if (!mayUse(call, queue.permission, 2)) return -ERRNO.EACCES;
  if (bytesIn(queue) + length > queue.bytesMax || queue.messages.length + 1 > queue.bytesMax) return (flags & IPC.NOWAIT) !== 0 ? -ERRNO.EAGAIN : BLOCKED;
  queue.messages.push({ type, bytes: bytes.slice() });
  queue.stime = secondsNow(call);
  queue.sender = call.process.pid;
  return 0;
}

/** Type 0: the first; above: the first of that type (or not of it); below: the first of the lowest type up to it. */
function select({ messages }: MessageQueue, type: bigint, isExcept: boolean): Message | undefined {
  if (type === 0n) return messages[0];
  if (type > 0n) return messages.find((message) => (message.type === type) !== isExcept);
  let best: Message | undefined;
  for (const message of messages) if (message.type <= -type && (best === undefined || message.type < best.type)) best = message;
  return best;
}

function msgrcv(call: Call): CallResult {
  const [id, address, room, type, flags] = [call.int(0), call.size(1), call.wide(2), BigInt.asIntN(64, call.wide(3)), call.unsigned(4)];
  const queue = call.kernel.systemV.queues.get(id);
  if (BigInt.asIntN(64, room) < 0n) return -ERRNO.EINVAL;
  const isCopy = (flags & MSG.COPY) !== 0;
  if (isCopy && ((flags & MSG.EXCEPT) !== 0 || (flags & IPC.NOWAIT) === 0)) return -ERRNO.EINVAL;
  if (queue === undefined) return -ERRNO.EINVAL;
  if (!mayUse(call, queue.permission, 4)) return -ERRNO.EACCES;
  const message = isCopy ? queue.messages[Number(type)] : select(queue, type, (flags & MSG.EXCEPT) !== 0); // MSG_COPY counts places from 0.
  if (message === undefined) return (flags & IPC.NOWAIT) !== 0 ? -ERRNO.ENOMSG : BLOCKED;
  if (BigInt(message.bytes.length) > room && (flags & MSG.NOERROR) === 0) return -ERRNO.E2BIG;
  if (isCopy && BigInt(message.bytes.length) > room) return -ERRNO.EINVAL; // A copy is whole.
  if (!isCopy) {
    queue.messages.splice(queue.messages.indexOf(message), 1);
    queue.rtime = secondsNow(call);
    queue.receiver = call.process.pid;
  }
  const bytes = message.bytes.subarray(0, Number(room < BigInt(message.bytes.length) ? room : BigInt(message.bytes.length)));
  return call.memory.writeU64(address, message.type) && (bytes.length === 0 || call.memory.write(address + 8, bytes)) ? bytes.length : -ERRNO.EFAULT;
}

function status(call: Call, queue: MessageQueue): number {
  if (!mayUse(call, queue.permission, 4)) return -ERRNO.EACCES;
  const view = new DataView(new ArrayBuffer(STATUS_BYTES));
  putPermission(view, queue.permission);
  [queue.stime, queue.rtime, queue.ctime, bytesIn(queue), queue.messages.length, queue.bytesMax].forEach((value, index) => { view.setBigInt64(PERMISSION_BYTES + index * 8, BigInt(value), true); });
  view.setInt32(96, queue.sender, true);
  view.setInt32(100, queue.receiver, true);
  return call.memory.write(call.size(2), new Uint8Array(view.buffer)) ? 0 : -ERRNO.EFAULT;
}

/** struct msginfo: pool map max mnb mni ssz tql seg; MSG_INFO has what is used in pool, map and tql. */
function information(call: Call, command: number): CallResult {
  const queues = [...call.kernel.systemV.queues.values()];
  const isUsage = command === MSG.INFO;
  const view = new DataView(new ArrayBuffer(32));
  const used = [queues.length, queues.reduce((sum, { messages }) => sum + messages.length, 0), queues.reduce((sum, queue) => sum + bytesIn(queue), 0)] as const;
  [isUsage ? used[0] : 512_000, isUsage ? used[1] : QUEUE_BYTES_MAX, MESSAGE_BYTES_MAX, QUEUE_BYTES_MAX, QUEUES_MAX, 16, isUsage ? used[2] : QUEUE_BYTES_MAX].forEach((word, index) => { view.setInt32(index * 4, word, true); });
  view.setUint16(28, 0xffff, true);
  return call.memory.write(call.size(2), new Uint8Array(view.buffer)) ? Math.max(0, queues.length - 1) : -ERRNO.EFAULT;
}

/** IPC_SET also sets how many bytes the queue holds; more than usual is for a privileged user. */
function change(call: Call, queue: MessageQueue): CallResult {
  const bytesMax = call.memory.readU64(call.size(2) + 88);
  if (bytesMax === undefined) return -ERRNO.EFAULT;
  if (bytesMax > BigInt(QUEUE_BYTES_MAX) && call.process.files.credentials.uid !== 0) return -ERRNO.EPERM;
  const answer = takePermission(call, call.size(2), queue.permission);
  if (answer < 0) return answer;
  queue.bytesMax = Number(bytesMax);
  queue.ctime = secondsNow(call);
  return 0;
}

function msgctl(call: Call): CallResult {
  const [id, command] = [call.int(0), call.unsigned(1)];
  const { queues } = call.kernel.systemV;
  if (command === IPC.INFO || command === MSG.INFO) return information(call, command);
  const queue = command === MSG.STAT || command === MSG.STAT_ANY ? [...queues.values()][id] : queues.get(id);
  if (queue === undefined) return -ERRNO.EINVAL;
  switch (command) {
    case IPC.STAT: return status(call, queue);
    case MSG.STAT:
    case MSG.STAT_ANY: {
      const answer = status(call, queue);
      return answer < 0 ? answer : queue.id;
    }
    case IPC.SET: return owns(call, queue.permission) ? change(call, queue) : -ERRNO.EPERM;
    case IPC.RMID: {
      if (!owns(call, queue.permission)) return -ERRNO.EPERM;
      queues.delete(id);
      for (const { thread } of waitersOn(call, id, [CALLS.MSGRCV, CALLS.MSGSND])) finishWait(thread, -ERRNO.EIDRM);
      return 0;
    }
    default: return -ERRNO.EINVAL;
  }
}

export const systemVMessageCalls: readonly CallEntry[] = [
  { number: 186, name: 'msgget', handle: msgget },
  { number: 187, name: 'msgctl', handle: msgctl },
  { number: CALLS.MSGRCV, name: 'msgrcv', handle: msgrcv },
  { number: CALLS.MSGSND, name: 'msgsnd', handle: msgsnd },
];
