/**
 * epoll: level-triggered, edge-triggered and one-shot (an exclusive one wakes as any other: which waiter runs first is the scheduler's). struct epoll_event is events(4) pad(4) data(8) on riscv64.
 * An edge is a change of the pipe, event counter or what an epoll holds since the last event told. A look that finds nothing changes nothing.
 */
import { PAGE_FLAG } from '../../isa/index.ts';
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import type { FileChannel } from '../files/channel.ts';
import { O, POLL } from '../files/flags.ts';
import type { EpollInode, EpollInterest } from '../files/inode.ts';
import { isPollable, newsOf } from '../poll-state.ts';
import { nestsTooDeep } from './epoll-nesting.ts';
import { openFileArgument, type FileCall } from './file-arguments.ts';
import { installAnonymous } from './file-open.ts';
import { checkMask, timeoutArgument, waitForEvents } from './file-poll.ts';

const EVENT_BYTES = 16;
/** More would be beyond what a size can say. */
const EVENTS_MAX = Math.floor(0x7fff_ffff / EVENT_BYTES);
const CONTROL = { ADD: 1, DEL: 2, MOD: 3 } as const;
const EPOLLEXCLUSIVE = 0x1000_0000;
const EPOLLONESHOT = 0x4000_0000;
/** What may go with EPOLLEXCLUSIVE: it, IN, OUT, ERR, HUP, EPOLLWAKEUP and EPOLLET. */
const EXCLUSIVE_KNOWN = 0xb000_001d;
const MILLISECOND = 1_000_000n;

function epollCreate1(call: Call): CallResult {
  const flags = call.unsigned(0);
  if ((flags & ~O.CLOEXEC) !== 0) return -ERRNO.EINVAL;
  const number = call.process.files.descriptors.lowestFree();
  if (number < 0) return number;
  const room = call.kernel.files.checkOpenFiles();
  if (room < 0) return room;
  return installAnonymous(call, call.kernel.files.makeEpoll(), { flags: flags | O.RDWR, path: 'anon_inode:[eventpoll]' });
}

function epollInode(call: Call): EpollInode | number {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  return openFile.inode.kind === 'epoll' ? openFile.inode : -ERRNO.EINVAL;
}

/** Forgets registrations whose open file is gone. */
function prune(call: Call, inode: EpollInode): void {
  for (const [number, interest] of inode.interests) if (!call.kernel.files.openFiles.has(interest.openFile)) inode.interests.delete(number);
}

function epollControl(call: Call): CallResult {
  const [operation, number, address] = [call.int(1), call.int(2), call.size(3)];
  const events = operation === CONTROL.DEL ? 0 : call.memory.readU32(address);
  const data = operation === CONTROL.DEL ? 0n : call.memory.readU64(address + 8);
  if (events === undefined || data === undefined) return -ERRNO.EFAULT;
  const inode = epollInode(call);
  const target = openFileArgument(call, 2);
  if (typeof target === 'number') return target;
  if (typeof inode === 'number') return inode;
  if (target.inode === inode) return -ERRNO.EINVAL;
  if (!isPollable(target)) return -ERRNO.EPERM;
  prune(call, inode);
  if (operation !== CONTROL.DEL && (events & EPOLLEXCLUSIVE) !== 0) {
    if (operation === CONTROL.MOD || target.inode.kind === 'epoll' || (events & ~EXCLUSIVE_KNOWN) !== 0) return -ERRNO.EINVAL;
  }
  if (operation === CONTROL.ADD && target.inode.kind === 'epoll' && nestsTooDeep(call.kernel.files, inode, target.inode)) return -ERRNO.ELOOP;
  if (operation < CONTROL.ADD || operation > CONTROL.MOD) return -ERRNO.EINVAL;
  const isKnown = inode.interests.get(number)?.openFile === target.id;
  if (operation === CONTROL.ADD && isKnown) return -ERRNO.EEXIST;
  if (operation !== CONTROL.ADD && !isKnown) return operation === CONTROL.MOD || operation === CONTROL.DEL ? -ERRNO.ENOENT : -ERRNO.EINVAL;
  if (operation === CONTROL.MOD && ((inode.interests.get(number)?.events ?? 0) & EPOLLEXCLUSIVE) !== 0) return -ERRNO.EINVAL;
  if (operation === CONTROL.DEL) inode.interests.delete(number);
  else inode.interests.set(number, { openFile: target.id, events, data, armed: true, told: -1 });
  return 0;
}

interface Found { readonly number: number; readonly interest: EpollInterest; readonly events: number; readonly changes: number | undefined }

function epollWait(call: Call, timeout: bigint | undefined): CallResult {
  const masked = checkMask(call, call.size(4), call.size(5));
  if (masked < 0) return masked;
  const inode = epollInode(call);
  if (typeof inode === 'number') return inode;
  const count = call.int(2);
  if (count <= 0 || count > EVENTS_MAX) return -ERRNO.EINVAL;
  const awaited: FileChannel[] = [];
  const found = look(call, inode, awaited).slice(0, count);
  if (found.length === 0) return waitForEvents(call, awaited, timeout);
  const bytes = found.length * EVENT_BYTES;
  if (call.memory.reachable(call.size(1), bytes, PAGE_FLAG.write) < bytes) return -ERRNO.EFAULT;
  found.forEach(({ interest, events }, index) => {
    const at = call.size(1) + index * EVENT_BYTES;
    call.memory.writeU32(at, events);
    call.memory.writeU32(at + 4, 0);
    call.memory.writeU64(at + 8, interest.data);
  });
  prune(call, inode);
  for (const { number, interest, changes } of found) {
    inode.interests.set(number, { ...interest, armed: (interest.events & EPOLLONESHOT) === 0, told: changes ?? -1 });
  }
  return found.length;
}

/** By descriptor: as they are, where they were added in that order. */
function inOrder(interests: ReadonlyMap<number, EpollInterest>): Iterable<readonly [number, EpollInterest]> {
  let last = -1;
  for (const number of interests.keys()) {
    if (number < last) return [...interests].sort(([a], [b]) => a - b);
    last = number;
  }
  return interests;
}

/** Interests with something to tell, in order of their descriptors. */
function look(call: Call, inode: EpollInode, awaited: FileChannel[]): Found[] {
  const found: Found[] = [];
  for (const [number, interest] of inOrder(inode.interests)) {
    const news = newsOf(call.kernel.files, interest);
    if (news === undefined) continue;
    const { events, awaits, changes } = news;
    if (awaits !== undefined && (interest.events & POLL.IN) !== 0) awaited.push(awaits);
    if (events !== 0) found.push({ number, interest, events, changes });
  }
  return found;
}

function epollPwait(call: Call): CallResult {
  const milliseconds = call.int(3);
  return epollWait(call, milliseconds < 0 ? undefined : BigInt(milliseconds) * MILLISECOND);
}

function epollPwait2(call: Call): CallResult {
  const timeout = timeoutArgument(call, call.size(3));
  return typeof timeout === 'number' ? timeout : epollWait(call, timeout);
}

export const epollCalls: readonly FileCall[] = [
  { number: 20, name: 'epoll_create1', handle: epollCreate1 },
  { number: 21, name: 'epoll_ctl', handle: epollControl },
  { number: 22, name: 'epoll_pwait', handle: epollPwait },
  { number: 441, name: 'epoll_pwait2', handle: epollPwait2 },
];
