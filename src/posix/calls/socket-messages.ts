/**
 * sendto, sendmsg, recvfrom, recvmsg and their forms for many messages.
 * Invariants: open files that a message takes along (SCM_RIGHTS) are counted when it has gone; those that nobody gets are closed.
 * What this does NOT do: control messages' bytes (control-messages.ts), put anything into the queue of errors (MSG_ERRQUEUE).
 */
import { limits } from '../../core/index.ts';
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { controlMessages, decodeControl, encodeControl, encodeCredentials, encodeRights, rightsThatFit } from '../control-messages.ts';
import { factMessages, wishesOf, type Wishes } from '../datagram-facts.ts';
import { ERRNO } from '../errno.ts';
import type { DatagramFacts, Sender, Socket } from '../files/socket.ts';
import { optionKey } from '../files/socket-option-names.ts';
import { ownerOf, urgentReach } from '../files/urgent.ts';
import type { OpenFile } from '../open-file.ts';
import { SI, SIGNAL } from '../signal-actions.ts';
import { sendSignal } from '../signal-delivery.ts';
import { encodeAddress } from '../socket-address.ts';
import { peerOf, receive, send } from '../socket-io.ts';
import { bufferArgument, gather, reachableLength, scatter, totalLength, vectorArgument, type FileCall, type Segment } from './file-arguments.ts';
import { isMeant } from '../file-signals.ts';
import { timeoutArgument } from './file-poll.ts';
import { addressAt, PROTOCOL, socketArgument, storeAddress, waitOnSocket, type Opened } from './socket-arguments.ts';

const MSG = { OOB: 1, PEEK: 2, CTRUNC: 8, TRUNC: 0x20, DONTWAIT: 0x40, WAITALL: 0x100, ERRQUEUE: 0x2000, NOSIGNAL: 0x4000, CMSG_CLOEXEC: 0x4000_0000 } as const;
/** struct msghdr: name 8, namelen 4 (+4), iov 8, iovlen 8, control 8, controllen 8, flags 4 (+4). */
const HEADER = { name: 0, nameLength: 8, vector: 16, count: 24, control: 32, controlLength: 40, flags: 48, bytes: 56 } as const;
/** Of the level of TCP. */
const TCP_INQ = 36;
/** net.core.optmem_max. */
const CONTROL_BYTES_MAX = 131_072;

interface Transfer { readonly opened: Opened; readonly segments: readonly Segment[]; readonly flags: number }
/** Where a message goes, and the open files that it takes along. */
interface Address { readonly to: string | undefined; readonly files: readonly OpenFile[]; readonly tellsSender?: boolean; readonly wishes?: Wishes }

function isNonblocking({ opened, flags }: Transfer): boolean {
  return opened.openFile.isNonblocking || (flags & MSG.DONTWAIT) !== 0;
}

function sendBytes(call: Call, transfer: Transfer, { to, files, tellsSender = false, wishes }: Address): CallResult {
  const { segments, opened: { socket, inode } } = transfer;
  const total = totalLength(segments);
  const reach = reachableLength(call, segments, 'read');
  if (reach < total && (reach === 0 || socket.type !== 'stream')) return -ERRNO.EFAULT;
  const travelling = total === 0 && socket.type === 'stream' ? [] : files;
  const isUrgent = (transfer.flags & MSG.OOB) !== 0;
  if (isUrgent && socket.type !== 'stream') return -ERRNO.EOPNOTSUPP;
  if (isUrgent && total === 0 && socket.domain === 'unix') return -ERRNO.EOPNOTSUPP;
  const answer = send(call.process.files, inode, { isUrgent: isUrgent && travelling.length === 0, bytes: gather(call, segments, reach), to, isNonblocking: isNonblocking(transfer), files: travelling.map(({ id }) => id), tellsSender, wishes });
  if (isUrgent && typeof answer === 'number' && answer > 0) tellUrgent(call, socket);
  if (typeof answer === 'number' && answer >= 0) for (const openFile of travelling) openFile.references++;
  if (answer === -ERRNO.EPIPE && (transfer.flags & MSG.NOSIGNAL) === 0 && socket.type !== 'datagram') call.kernel.raise(call.thread, SIGNAL.PIPE);
  return waitOnSocket(call, socket, { direction: 'send', answer });
}

/** SIGURG for whom the other end is owned by (F_SETOWN). */
function tellUrgent(call: Call, socket: Socket): void {
  const peer = peerOf(call.kernel.files, socket);
  const owner = peer === undefined ? 0 : ownerOf(peer.options);
  if (owner === 0) return;
  const owners = call.kernel.processes.filter((process) => !process.isOver && isMeant(owner, process));
  for (const process of owners) sendSignal(call.kernel, { process }, { signal: SIGNAL.URG, code: SI.KERNEL, pid: 0, uid: 0, value: 0n, form: 'kill' });
}

function sendto(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const segments = bufferArgument(call, 1, 2);
  if (typeof segments === 'number') return segments;
  const to = call.size(4) === 0 ? undefined : addressAt(call, { address: call.size(4), length: call.int(5) }, opened.socket.domain);
  return typeof to === 'number' ? to : sendBytes(call, { opened, segments, flags: call.unsigned(3) }, { to, files: [] });
}

/** What a receive gave; `flags` are those of msg_flags. */
interface Got { readonly count: number; readonly from: string; readonly flags: number; readonly files: readonly number[]; readonly sender?: Sender | undefined; readonly facts?: DatagramFacts | undefined }

function receiveBytes(call: Call, transfer: Transfer): Got | number | typeof BLOCKED {
  const { opened: { socket: from }, segments, flags } = transfer;
  if ((flags & MSG.OOB) !== 0 && (from.type === 'stream' || from.domain === 'unix')) return receiveUrgent(call, transfer);
  if ((flags & MSG.ERRQUEUE) !== 0 && (from.domain === 'inet' || from.domain === 'inet6')) return -ERRNO.EAGAIN;
  const reach = reachableLength(call, segments, 'write');
  const total = totalLength(segments);
  if (total > 0 && reach === 0 && from.hasInput) return -ERRNO.EFAULT;
  let waits = !isNonblocking(transfer);
  // A call that waits for all of it leaves what there is where it is: a blocked call has no effect.
  if ((flags & (MSG.WAITALL | MSG.PEEK)) === MSG.WAITALL && waits && from.type === 'stream' && from.readableLength < Math.min(reach, from.stream.length + from.stream.room, urgentReach(from.options)) && !from.isEnded && from.error === 0 && from.status === 'connected') {
    if (waitOnSocket(call, from, { direction: 'receive', answer: BLOCKED }) === BLOCKED) return BLOCKED;
    waits = false;
  }
  const answer = waitOnSocket(call, from, { direction: 'receive', answer: receive(from, { length: reach, isPeek: (flags & MSG.PEEK) !== 0, isNonblocking: !waits }) });
  if (answer === BLOCKED || typeof answer === 'number') return answer;
  scatter(call, segments, answer.bytes);
  // Who only looks gets the open files as well, and they stay with the message.
  if ((flags & MSG.PEEK) !== 0) for (const id of answer.files) call.kernel.files.openFiles.get(id)!.references++;
  const isCut = answer.length > answer.bytes.length;
  return { count: (flags & MSG.TRUNC) !== 0 ? answer.length : answer.bytes.length, from: answer.from, flags: isCut ? MSG.TRUNC : 0, files: answer.files, sender: answer.sender, facts: answer.facts };
}

/** The one byte that is urgent; the mark stays where it is. */
function receiveUrgent(call: Call, { opened: { socket }, segments, flags }: Transfer): Got | number {
  if (socket.type !== 'stream') return -ERRNO.EOPNOTSUPP;
  if (socket.status === 'listening' && socket.domain !== 'unix') return -ERRNO.ENOTCONN;
  const room = totalLength(segments);
  if (room > 0 && reachableLength(call, segments, 'write') === 0) return -ERRNO.EFAULT;
  const byte = socket.fetchUrgent((flags & MSG.PEEK) !== 0);
  if (byte === undefined) return -ERRNO.EINVAL;
  scatter(call, segments, Uint8Array.of(byte).subarray(0, room));
  return { count: 1, from: '', flags: MSG.OOB | (room === 0 ? MSG.TRUNC : 0), files: [] };
}

function recvfrom(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const segments = bufferArgument(call, 1, 2);
  if (typeof segments === 'number') return segments;
  const got = receiveBytes(call, { opened, segments, flags: call.unsigned(3) });
  if (got === BLOCKED || typeof got === 'number') return got;
  call.kernel.files.releaseFiles(got.files);
  if (call.size(4) !== 0) {
    const stored = opened.socket.domain === 'unix' && got.from === '' ? Number(!call.memory.writeU32(call.size(5), 0)) * -ERRNO.EFAULT
      : storeAddress(call, { address: call.size(4), lengthAddress: call.size(5) }, got.from, opened.socket.domain);
    if (stored < 0) return stored;
  }
  return got.count;
}

interface MessageHeader { readonly address: number; readonly name: number; readonly nameLength: number; readonly segments: readonly Segment[]; readonly control: number; readonly controlLength: number }

function headerAt(call: Call, address: number): MessageHeader | number {
  const bytes = call.memory.readable(address, HEADER.bytes);
  if (bytes === undefined) return -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER.bytes);
  const word = (offset: number): number => Number(view.getBigUint64(offset, true));
  const count = word(HEADER.count);
  if (count > limits.IOVECS_MAX) return -ERRNO.EMSGSIZE;
  const segments = vectorArgument(vectorCall(call, word(HEADER.vector), count), 0, 1);
  if (typeof segments === 'number') return segments;
  return { address, name: word(HEADER.name), nameLength: view.getInt32(HEADER.nameLength, true), segments, control: word(HEADER.control), controlLength: word(HEADER.controlLength) };
}

/** The two arguments that vectorArgument reads, for a vector that lies in a structure. */
function vectorCall(call: Call, address: number, count: number): Call {
  return { memory: call.memory, size: (index: number) => (index === 0 ? address : count) } as unknown as Call; // Only these two are used.
}

function sendmsg(call: Call, at = call.size(1), flags = call.unsigned(2)): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const header = headerAt(call, at);
  if (typeof header === 'number') return header;
  const control = controlArgument(call, opened, header);
  if (typeof control === 'number') return control;
  const to = header.name === 0 ? undefined : addressAt(call, { address: header.name, length: header.nameLength }, opened.socket.domain);
  return typeof to === 'number' ? to : sendBytes(call, { opened, segments: header.segments, flags }, { to, ...control });
}

/** The open files that a message's control part names, or -errno. Credentials may only be the caller's own. */
function controlArgument(call: Call, { socket }: Opened, header: MessageHeader): Omit<Address, 'to'> | number {
  if (header.control === 0 || header.controlLength === 0) return { files: [] };
  if (header.controlLength > CONTROL_BYTES_MAX) return -ERRNO.ENOBUFS;
  const bytes = call.memory.readable(header.control, header.controlLength);
  if (bytes === undefined) return -ERRNO.EFAULT;
  if (socket.domain !== 'unix') return socket.type === 'datagram' ? datagramControl(bytes) : { files: [] };
  const control = decodeControl(bytes);
  if (typeof control === 'number') return control;
  const { credentials: { uid, gid }, descriptors } = call.process.files;
  const told = control.credentials;
  if (told !== undefined && (told.pid !== call.process.pid || told.uid !== uid || told.gid !== gid)) return -ERRNO.EPERM;
  const files: OpenFile[] = [];
  for (const number of control.descriptors) {
    const openFile = descriptors.get(number);
    if (openFile === undefined) return -ERRNO.EBADF;
    files.push(openFile);
  }
  return { files, tellsSender: told !== undefined };
}

function datagramControl(bytes: Uint8Array): Omit<Address, 'to'> | number {
  const messages = controlMessages(bytes);
  const wishes = typeof messages === 'number' ? messages : wishesOf(messages);
  return typeof wishes === 'number' ? wishes : { files: [], wishes };
}

function recvmsg(call: Call, at = call.size(1), flags = call.unsigned(2)): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const header = headerAt(call, at);
  if (typeof header === 'number') return header;
  const got = receiveBytes(call, { opened, segments: header.segments, flags });
  if (got === BLOCKED || typeof got === 'number') return got;
  const { memory } = call;
  if (header.name !== 0) {
    const name = got.from === '' && opened.socket.domain !== 'netlink' ? new Uint8Array(0) : encodeAddress(got.from, opened.socket.domain);
    if (!memory.write(header.name, name.subarray(0, header.nameLength)) || !memory.writeU32(at + HEADER.nameLength, name.length)) return -ERRNO.EFAULT;
  }
  const control = receiveControl(call, { opened, header, files: got.files, sender: got.sender, facts: got.facts, closesOnExec: (flags & MSG.CMSG_CLOEXEC) !== 0 });
  if (control.bytes.length > 0 && !memory.write(header.control, control.bytes)) return -ERRNO.EFAULT;
  return memory.writeU64(at + HEADER.controlLength, BigInt(control.bytes.length)) && memory.writeU32(at + HEADER.flags, (got.flags | control.flags | (flags & MSG.CMSG_CLOEXEC)) >>> 0) ? got.count : -ERRNO.EFAULT;
}

interface Arrival { readonly opened: Opened; readonly header: MessageHeader; readonly files: readonly number[]; readonly sender: Sender | undefined; readonly facts: DatagramFacts | undefined; readonly closesOnExec: boolean }

/** TCP_INQ: how many bytes still wait, and one for the end. */
function unreadMessage({ type, domain, options, stream, isEnded }: Socket): Uint8Array[] {
  if (type !== 'stream' || domain === 'unix' || options.get(optionKey(PROTOCOL.TCP, TCP_INQ)) !== 1) return [];
  return [encodeControl(PROTOCOL.TCP, TCP_INQ, new Uint8Array(Int32Array.of(stream.length > 0 ? stream.length : Number(isEnded)).buffer))];
}

/** The control part of a received message: descriptors for the open files that came, as many as there is room for. */
function receiveControl(call: Call, { opened: { socket }, header, files, sender, facts, closesOnExec }: Arrival): { readonly bytes: Uint8Array; readonly flags: number } {
  const room = header.control === 0 ? 0 : header.controlLength;
  const { kernel, process } = call;
  const parts: Uint8Array[] = [];
  let used = 0;
  let isCut = false;
  for (const part of [...(socket.tellsSenders ? [encodeCredentials(sender ?? UNKNOWN_SENDER)] : []), ...(facts === undefined ? [] : factMessages(socket, facts)), ...unreadMessage(socket)]) {
    if (part.length <= room - used) parts.push(part);
    else isCut = true;
    used = parts.reduce((sum, { length }) => sum + length, 0);
  }
  const numbers: number[] = [];
  for (const id of files.slice(0, rightsThatFit(room, used))) {
    const openFile = kernel.files.openFiles.get(id);
    const number = openFile === undefined ? -1 : process.files.install(openFile, { closesOnExec });
    if (number < 0) break;
    numbers.push(number);
  }
  kernel.files.releaseFiles(files);
  if (numbers.length > 0) parts.push(encodeRights(numbers));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  return { bytes: bytes.subarray(0, room), flags: isCut || numbers.length < files.length ? MSG.CTRUNC : 0 };
}

/** Of what was sent before anybody wanted it told: no process, and the ids of nobody (fs.overflowuid). */
const UNKNOWN_SENDER: Sender = { pid: 0, uid: 65_534, gid: 65_534 };

/** struct mmsghdr: a msghdr and its count. One turn of the call a message; what was done is the answer. */
const MANY_BYTES = 64;

function many(call: Call, one: (call: Call, at: number, flags: number) => CallResult): CallResult {
  const [address, count, flags] = [call.size(1), Math.min(call.unsigned(2), limits.IOVECS_MAX), call.unsigned(3)];
  let done = 0;
  for (; done < count; done++) {
    const at = address + done * MANY_BYTES;
    const answer = one(call, at, done === 0 ? flags : flags | MSG.DONTWAIT);
    if (typeof answer !== 'number' || answer < 0) return done > 0 ? done : answer;
    if (!call.memory.writeU32(at + HEADER.bytes, answer)) return -ERRNO.EFAULT;
  }
  return done;
}

/** The time-out is looked at and has no effect. */
function receiveMany(call: Call): CallResult {
  const timeout = timeoutArgument(call, call.size(4));
  return typeof timeout === 'number' ? timeout : many(call, recvmsg);
}

export const socketMessageCalls: readonly FileCall[] = [
  { number: 206, name: 'sendto', handle: sendto },
  { number: 207, name: 'recvfrom', handle: recvfrom },
  { number: 211, name: 'sendmsg', handle: (call) => sendmsg(call) },
  { number: 212, name: 'recvmsg', handle: (call) => recvmsg(call) },
  { number: 243, name: 'recvmmsg', handle: receiveMany },
  { number: 269, name: 'sendmmsg', handle: (call) => many(call, sendmsg) },
];
