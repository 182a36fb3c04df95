/**
 * Calls that look into another process or take apart what is shared: process_vm_readv and process_vm_writev, kcmp, unshare, setns, ioprio_get and ioprio_set.
 * A process is open to its own user, unless it says no (PR_SET_DUMPABLE), and to root, as with ptrace. What this does NOT do: namespaces (EPERM), threads of one process with tables of their own,
 * priorities of input and output (there is no disk to be first at: what is set is checked and not remembered).
 */
import { limits } from '../../core/index.ts';
import { PAGE_FLAG } from '../../isa/index.ts';
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import type { Process } from '../process.ts';
import { CLONE } from './clone-flags.ts';
import type { CallEntry } from './entry.ts';
import { openFileArgument, vectorArgument, type Segment } from './file-arguments.ts';

const KCMP = { FILE: 0, VM: 1, FILES: 2, FS: 3, SIGHAND: 4, IO: 5, SYSVSEM: 6 } as const;
/** CLONE_SYSVSEM. */
const SEMAPHORES = 0x4_0000;
/** What unshare knows besides namespaces. */
const SHARED = CLONE.VM | CLONE.FS | CLONE.FILES | CLONE.SIGHAND | CLONE.THREAD | SEMAPHORES;
/** CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NAMESPACES = 0x80 | CLONE.NEWNS | 0x200_0000 | 0x400_0000 | 0x800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;
const PRIORITY = { CLASS_SHIFT: 13, CLASSES: 4, LEVELS: 8, REAL_TIME: 1, BEST_EFFORT: 2, NONE: 0 } as const;

/** A living process that the caller may look into; -ESRCH, -EPERM. */
export function processToLookInto(call: Call, pid: number): Process | number {
  const process = call.kernel.findProcess(pid) ?? call.kernel.findThread(pid)?.process;
  if (process === undefined || !process.hasImage) return -ERRNO.ESRCH;
  const [own, other] = [call.process.files.identity, process.files.identity];
  const isOpen = process === call.process || own.effective.uid === 0 || (process.controls.isDumpable && [other.real.uid, other.effective.uid, other.saved.uid].every((uid) => uid === own.real.uid));
  return isOpen ? process : -ERRNO.EPERM;
}

/** A place in a list of segments. */
interface Place { readonly segments: readonly Segment[]; index: number; offset: number }

/** Moves on past what is used up; whether there is more. */
function hasMore(place: Place): boolean {
  while (place.index < place.segments.length && place.offset >= place.segments[place.index]!.length) {
    place.index++;
    place.offset = 0;
  }
  return place.index < place.segments.length;
}

/** process_vm_readv and process_vm_writev: as far as both sides reach. */
function moveMemory(call: Call, direction: 'read' | 'write'): CallResult {
  if (call.wide(5) !== 0n) return -ERRNO.EINVAL;
  const own = vectorArgument(call, 1, 2);
  if (typeof own === 'number') return own;
  if (call.wide(4) > BigInt(limits.IOVECS_MAX)) return -ERRNO.EINVAL;
  const theirs = vectorArgument(call, 3, 4);
  if (typeof theirs === 'number') return theirs;
  const process = processToLookInto(call, call.int(0));
  if (typeof process === 'number') return process;
  const isOther = process.image !== call.process.image;
  if (isOther) process.space.loadShared();
  const [here, there] = [{ memory: call.memory, place: { segments: own, index: 0, offset: 0 } }, { memory: process.memory, place: { segments: theirs, index: 0, offset: 0 } }];
  const [from, to] = direction === 'read' ? [there, here] : [here, there];
  let moved = 0;
  let isStuck = false;
  while (!isStuck && hasMore(here.place) && hasMore(there.place)) {
    const part = (place: Place): Segment => ({ address: place.segments[place.index]!.address + place.offset, length: place.segments[place.index]!.length - place.offset });
    const [source, target] = [part(from.place), part(to.place)];
    const wanted = Math.min(source.length, target.length);
    const length = Math.min(wanted, from.memory.reachable(source.address, wanted, PAGE_FLAG.read), to.memory.reachable(target.address, wanted, PAGE_FLAG.write));
    if (length > 0) to.memory.write(target.address, from.memory.readable(source.address, length)!.slice());
    isStuck = length < wanted;
    moved += length;
    here.place.offset += length;
    there.place.offset += length;
  }
  if (isOther && direction === 'write') process.space.storeShared();
  return moved === 0 && isStuck ? -ERRNO.EFAULT : moved;
}

/** 0: the same; 1 or 2: before or behind in an order that stays; 3: not the same. */
function kcmp(call: Call): CallResult {
  const [type, first, second] = [call.int(2), call.unsigned(3), call.unsigned(4)];
  const [one, other] = [processToLookInto(call, call.int(0)), processToLookInto(call, call.int(1))];
  if (typeof one === 'number') return one;
  if (typeof other === 'number') return other;
  const order = (a: number, b: number): number => (a === b ? 0 : a < b ? 1 : 2);
  switch (type) {
    case KCMP.FILE: {
      const [a, b] = [one.files.descriptors.get(first), other.files.descriptors.get(second)];
      return a === undefined || b === undefined ? -ERRNO.EBADF : order(a.id, b.id);
    }
    case KCMP.VM: return order(one.image.id, other.image.id);
    case KCMP.FILES: return one.files.sharesDescriptorsWith(other.files) ? 0 : order(one.pid, other.pid);
    case KCMP.FS: return one.files.sharesPlaceWith(other.files) ? 0 : order(one.pid, other.pid);
    case KCMP.SIGHAND: return order(one.pid, other.pid);
    case KCMP.IO:
    case KCMP.SYSVSEM: return 0; // Neither has any of its own.
    default: return -ERRNO.EINVAL;
  }
}

/** Threads keep what they share. */
function unshare(call: Call): CallResult {
  const flags = call.unsigned(0);
  if ((flags & ~(SHARED | NAMESPACES)) !== 0) return -ERRNO.EINVAL;
  const isAlone = call.process.threads.length === 1 && call.process.image.users === 1;
  if ((flags & (CLONE.THREAD | CLONE.SIGHAND | CLONE.VM)) !== 0 && !isAlone) return -ERRNO.EINVAL;
  if ((flags & NAMESPACES) !== 0) return -ERRNO.EPERM;
  if (call.process.threads.length > 1) return (flags & (CLONE.FS | CLONE.FILES)) === 0 ? 0 : -ERRNO.ENOMEM;
  if ((flags & CLONE.FILES) !== 0) call.process.files.unshareDescriptors(call.kernel.processes);
  if ((flags & CLONE.FS) !== 0) call.process.files.unsharePlace(call.kernel.processes);
  return 0;
}

function setns(call: Call): CallResult {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  return openFile.inode.kind === 'process' ? -ERRNO.EPERM : -ERRNO.EINVAL;
}

/** 0 when there is what ioprio_get and ioprio_set mean: a thread, a process group, a user. */
function checkTarget(call: Call): number {
  const [which, who] = [call.int(0), call.int(1)];
  const { processes, current } = call.kernel;
  switch (which) {
    case 1: return who === 0 || call.kernel.findThread(who) !== undefined ? 0 : -ERRNO.ESRCH;
    case 2: return processes.some(({ group, isOver }) => !isOver && group === (who === 0 ? current.process.group : who)) ? 0 : -ERRNO.ESRCH;
    case 3: return processes.some(({ files, isOver }) => !isOver && (who === 0 || files.identity.real.uid === who)) ? 0 : -ERRNO.ESRCH;
    default: return -ERRNO.EINVAL;
  }
}

function ioprioSet(call: Call): CallResult {
  const priority = call.unsigned(2);
  const [kind, level] = [(priority >>> PRIORITY.CLASS_SHIFT) & 7, priority & (PRIORITY.LEVELS - 1)];
  if (kind >= PRIORITY.CLASSES || (kind === PRIORITY.NONE && level !== 0)) return -ERRNO.EINVAL;
  if (kind === PRIORITY.REAL_TIME && call.process.files.credentials.uid !== 0) return -ERRNO.EPERM;
  return checkTarget(call);
}

/** Best effort, at the level that goes with the nice value. */
function ioprioGet(call: Call): CallResult {
  const answer = checkTarget(call);
  if (answer < 0) return answer;
  const { process } = call.int(0) === 1 && call.int(1) !== 0 ? call.kernel.findThread(call.int(1))! : call.thread;
  return (PRIORITY.BEST_EFFORT << PRIORITY.CLASS_SHIFT) | Math.floor((process.nice + 20) / 5);
}

export const otherProcessCalls: readonly CallEntry[] = [
  { number: 30, name: 'ioprio_set', handle: ioprioSet },
  { number: 31, name: 'ioprio_get', handle: ioprioGet },
  { number: 97, name: 'unshare', handle: unshare },
  { number: 268, name: 'setns', handle: setns },
  { number: 270, name: 'process_vm_readv', handle: (call) => moveMemory(call, 'read') },
  { number: 271, name: 'process_vm_writev', handle: (call) => moveMemory(call, 'write') },
  { number: 272, name: 'kcmp', handle: kcmp },
];
