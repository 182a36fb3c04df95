/**
 * The calls about memory: arguments are checked here as Linux checks them, the work is AddressSpace's.
 * What this does NOT do: page faults (guest.ts turns them into signals).
 */
import { assert, limits } from '../../core/index.ts';
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import type { OpenFile } from '../open-file.ts';
import { checkSeals, SEAL, touchAccess } from '../open-file-io.ts';
import { PROT, roundUp, type Backing, type ForkAdvice, type Mapping } from '../memory-map.ts';
import { isCodeRefused } from '../process-controls.ts';
import { checkLocked, isData, isMemoryAllowed, sizeOf } from '../resource-limits.ts';
import type { MapRequest } from '../space-layout.ts';
import type { CallEntry } from './entry.ts';

const { PAGE_BYTES } = limits;
const MAP = { SHARED: 1, PRIVATE: 2, SHARED_VALIDATE: 3, TYPE: 15, FIXED: 0x10, ANONYMOUS: 0x20, LOCKED: 0x2000, SYNC: 0x8_0000, FIXED_NOREPLACE: 0x10_0000 } as const;
const MLOCK_ONFAULT = 1;
const MCL = { CURRENT: 1, ONFAULT: 4, KNOWN: 7 } as const;
const MREMAP = { MAYMOVE: 1, FIXED: 2, DONTUNMAP: 4, KNOWN: 7 } as const;
/** Requests beyond this are out of any address space (and would not be exact numbers). */
const LENGTH_MAX = 2 ** 47;
/** Offsets of files are below this. */
const OFFSET_END = 2 ** 63;
const PROT_KNOWN = PROT.read | PROT.write | PROT.execute | 8;

const MADV = {
  NORMAL: 0, DONTNEED: 4, DONTNEED_LOCKED: 24, FREE: 8, REMOVE: 9, DONTFORK: 10, DOFORK: 11, WIPEONFORK: 18, KEEPONFORK: 19, POPULATE_READ: 22, POPULATE_WRITE: 23, HWPOISON: 100, SOFT_OFFLINE: 101,
} as const;
/** Advice that changes nothing here: access patterns, merge, huge pages, dumps, ageing, population. */
const MADV_HARMLESS: ReadonlySet<number> = new Set([0, 1, 2, 3, 12, 13, 14, 15, 16, 17, 20, 21, 22, 23]);

const HEAP = { isShared: false, protection: PROT.read | PROT.write } as const;

function brk(call: Call): CallResult {
  const { process } = call;
  const { space } = process;
  const more = roundUp(call.size(0)) - roundUp(space.heapEnd);
  return isMemoryAllowed(process, more, HEAP) ? space.setHeapEnd(call.size(0)) : space.heapEnd;
}

function placeOf(address: number, flags: number): MapRequest['place'] {
  if ((flags & MAP.FIXED_NOREPLACE) !== 0) return { kind: 'free', address };
  if ((flags & MAP.FIXED) !== 0) return { kind: 'fixed', address };
  return { kind: 'any', hint: address };
}

function mmap(call: Call): CallResult {
  const [address, length, offset] = [call.size(0), call.size(1), call.size(5)];
  const protection = call.unsigned(2) & 7;
  const flags = call.unsigned(3);
  const type = flags & MAP.TYPE;
  if (offset % PAGE_BYTES !== 0) return -ERRNO.EINVAL;
  if ((flags & MAP.ANONYMOUS) === 0 && openOf(call) === undefined) return -ERRNO.EBADF; // Linux takes the file first.
  if (length === 0) return -ERRNO.EINVAL;
  if (length > LENGTH_MAX) return -ERRNO.ENOMEM;
  if (type !== MAP.PRIVATE && type !== MAP.SHARED && type !== MAP.SHARED_VALIDATE) return -ERRNO.EINVAL;
  if (type === MAP.SHARED_VALIDATE && (flags & MAP.ANONYMOUS) !== 0) return -ERRNO.EINVAL;
  if (isCodeRefused(call.process.controls, protection)) return -ERRNO.EACCES;
  const isShared = type !== MAP.PRIVATE;
  const place = placeOf(address, flags);
  const instead = place.kind === 'fixed' ? call.process.space.map.within(address, address + roundUp(length)) : [];
  if (!isMemoryAllowed(call.process, roundUp(length), { isShared, protection, instead })) return -ERRNO.ENOMEM;
  const locked = (flags & MAP.LOCKED) === 0 ? 0 : checkLocked(call.process, roundUp(length));
  if (locked < 0) return locked === -ERRNO.ENOMEM ? -ERRNO.EAGAIN : locked;
  if ((flags & MAP.ANONYMOUS) !== 0) return isShared ? mapShared(call, { length, protection, isShared, place }) : call.process.space.mapRange({ length, protection, isShared, place });
  const backing = backingOf(call, { protection, isShared, offset });
  if (backing === undefined) return isShared ? mapShared(call, { length, protection, isShared, place }) : call.process.space.mapRange({ length, protection, isShared, place });
  if (typeof backing === 'number') return backing;
  if (offset + length >= OFFSET_END) return -ERRNO.EOVERFLOW;
  if (type === MAP.SHARED_VALIDATE && (flags & MAP.SYNC) !== 0) return -ERRNO.EOPNOTSUPP; // No file here is persistent memory.
  return call.process.space.mapRange({ length, protection, isShared, place, backing });
}

/** Shared memory without a file: a file without a name, as on Linux, which lives as long as it is mapped. */
function mapShared(call: Call, request: MapRequest): number {
  const { files } = call.kernel;
  if (!files.hasInodes) return -ERRNO.ENOMEM;
  const inode = files.makeFile({ credentials: call.process.files.credentials, mode: 0o777 });
  inode.content.truncate(roundUp(request.length));
  files.retain(inode);
  const answer = call.process.space.mapRange({ ...request, backing: { key: inode.ino, path: '/dev/zero (deleted)', isWritable: true, offset: 0 } });
  files.release(inode);
  return answer;
}

/** What the descriptor of a mapping has open. */
function openOf(call: Call): OpenFile | undefined {
  const openFile = call.process.files.descriptors.get(call.int(4));
  return openFile?.isPath === true ? undefined : openFile;
}

/** The file of a mapping: a regular file that is open for reading (and for writing, when a shared mapping is to be writable). Undefined: /dev/zero, which is anonymous memory. */
function backingOf(call: Call, wanted: { readonly protection: number; readonly isShared: boolean; readonly offset: number }): Backing | undefined | number {
  const openFile = openOf(call);
  if (openFile === undefined) return -ERRNO.EBADF;
  if (!openFile.canRead) return -ERRNO.EACCES;
  if (wanted.isShared && (wanted.protection & PROT.write) !== 0 && !openFile.canWrite) return -ERRNO.EACCES;
  const { inode } = openFile;
  if (inode.kind === 'device' && inode.device === 'zero') return undefined;
  if (inode.kind !== 'file') return -ERRNO.ENODEV;
  const isSealed = wanted.isShared && ((inode.seals ?? 0) & (SEAL.WRITE | SEAL.FUTURE_WRITE)) !== 0;
  if (isSealed && (wanted.protection & PROT.write) !== 0) return -ERRNO.EPERM;
  touchAccess(call.kernel.files, inode);
  return { key: inode.ino, path: openFile.path, isWritable: openFile.canWrite && !isSealed, offset: wanted.offset };
}

function munmap(call: Call): CallResult {
  return call.process.space.unmap(call.size(0), call.size(1));
}

function mprotect(call: Call): CallResult {
  const [address, length, protection] = [call.size(0), call.size(1), call.unsigned(2)];
  if ((protection & ~PROT_KNOWN) !== 0) return -ERRNO.EINVAL;
  if (length > LENGTH_MAX) return -ERRNO.ENOMEM;
  const { space, controls } = call.process;
  if (controls.refusesCode !== 0 && space.map.within(address, address + roundUp(length)).some((part) => isCodeRefused(controls, protection, part.protection))) return -ERRNO.EACCES;
  const added = space.map.within(address, address + roundUp(length)).filter((part) => isData({ ...part, protection }) && !isData(part));
  if (!isMemoryAllowed(call.process, sizeOf(added), { isShared: false, protection, isThere: true })) return -ERRNO.ENOMEM;
  return space.protect(address, length, protection & 7);
}

function mremap(call: Call): CallResult {
  const [address, oldLength, newLength, flags] = [call.size(0), call.size(1), call.size(2), call.unsigned(3)];
  if ((flags & ~MREMAP.KNOWN) !== 0) return -ERRNO.EINVAL;
  const [isFixed, keepsMapping, mayMove] = [(flags & MREMAP.FIXED) !== 0, (flags & MREMAP.DONTUNMAP) !== 0, (flags & MREMAP.MAYMOVE) !== 0];
  if ((isFixed || keepsMapping) && !mayMove) return -ERRNO.EINVAL;
  if (keepsMapping && oldLength !== newLength) return -ERRNO.EINVAL;
  if (oldLength > LENGTH_MAX || newLength > LENGTH_MAX) return -ERRNO.EINVAL;
  const more = roundUp(newLength) - (keepsMapping ? 0 : roundUp(oldLength));
  const mapping = call.process.space.map.find(address);
  if (mapping !== undefined && !isMemoryAllowed(call.process, more, mapping)) return -ERRNO.ENOMEM;
  return call.process.space.remap({ address, oldLength, newLength, mayMove, keepsMapping, to: isFixed ? call.size(4) : undefined });
}

/** remap_file_pages: other pages of the file behind a shared mapping, which Linux maps there as well. */
function remapFilePages(call: Call): CallResult {
  const [start, end] = [call.size(0) - call.size(0) % PAGE_BYTES, call.size(0) - call.size(0) % PAGE_BYTES + call.size(1) - call.size(1) % PAGE_BYTES];
  const pageOffset = call.size(3);
  if (call.unsigned(2) !== 0 || end <= start || end > LENGTH_MAX || pageOffset * PAGE_BYTES + end - start >= OFFSET_END) return -ERRNO.EINVAL;
  const { space } = call.process;
  const [first, ...others] = space.map.within(start, end);
  if (first === undefined || !first.isShared || first.backing === undefined || !space.map.covers(start, end)) return -ERRNO.EINVAL;
  if (others.some(({ isShared, backing, protection }) => !isShared || backing?.key !== first.backing!.key || protection !== first.protection)) return -ERRNO.EINVAL;
  const answer = space.mapRange({ length: end - start, protection: first.protection, isShared: true, place: { kind: 'fixed', address: start }, backing: { ...first.backing, offset: pageOffset * PAGE_BYTES } });
  return answer < 0 ? answer : 0;
}

/** The checked range of a call on whole pages: [start, end), or -errno. */
function pageRange(call: Call): { readonly start: number; readonly end: number } | number {
  const [start, length] = [call.size(0), call.size(1)];
  if (start % PAGE_BYTES !== 0 || length > LENGTH_MAX) return -ERRNO.EINVAL;
  return { start, end: start + roundUp(length) };
}

function madvise(call: Call): CallResult {
  const advice = call.int(2);
  const range = pageRange(call);
  if (advice === MADV.HWPOISON || advice === MADV.SOFT_OFFLINE) return -ERRNO.EPERM;
  const act = ADVICE.get(advice);
  if (act === undefined && !MADV_HARMLESS.has(advice)) return -ERRNO.EINVAL;
  if (typeof range === 'number') return range;
  const { space } = call.process;
  for (const part of act === undefined ? [] : space.map.within(range.start, range.end)) {
    const answer = act!(call, part);
    if (answer < 0) return answer;
  }
  return space.map.covers(range.start, range.end) ? 0 : -ERRNO.ENOMEM;
}

/** What advice does to a part of a mapping; -errno ends it there. */
type Advice = (call: Call, part: Mapping) => number;

/** MADV_DONTFORK and MADV_WIPEONFORK: they go before a copy, and nothing before zeros. */
function forks(advice: ForkAdvice): Advice {
  return ({ process: { space } }, part) => {
    if (advice === 'zeros' && (part.isShared || part.backing !== undefined)) return -ERRNO.EINVAL;
    if (part.fork !== 'nothing') space.adviseFork(part.start, part.end, advice);
    return 0;
  };
}

/** MADV_DOFORK and MADV_KEEPONFORK: a copy again, where the advice that each takes back was given. */
function copies(instead: ForkAdvice): Advice {
  return ({ process: { space } }, part) => {
    if (part.fork === instead) space.adviseFork(part.start, part.end, undefined);
    return 0;
  };
}

/** MADV_FREE: of private memory without a file, which is kept: nobody needs the room. */
function free(_call: Call, { isShared, backing }: Mapping): number {
  return isShared || backing !== undefined ? -ERRNO.EINVAL : 0;
}

function forget({ process: { space } }: Call, part: Mapping): number {
  space.forget(part.start, part.end);
  return 0;
}

/** MADV_REMOVE: a hole in the file behind a shared mapping that may be written. */
function removePages({ kernel, process }: Call, { start, end, isShared, backing }: Mapping): number {
  if (backing === undefined) return -ERRNO.EINVAL;
  if (!isShared || !backing.isWritable) return -ERRNO.EACCES;
  const inode = kernel.files.find(backing.key);
  assert(inode?.kind === 'file', 'a mapped file is in the inode table');
  if (checkSeals(inode, 0) !== 0) return -ERRNO.EPERM;
  process.space.storeShared();
  const isPunched = inode.content.punch(backing.offset, Math.min(end - start, Math.max(0, inode.content.size - backing.offset)));
  process.space.loadShared();
  return isPunched ? 0 : -ERRNO.ENOSPC;
}

/** MADV_POPULATE_*: pages are there already; what may not be touched answers as the touch would. */
function populate(right: number): Advice {
  return ({ process: { space } }, { start, end, protection }) => {
    if (protection === PROT.none || (protection & right) !== right) return -ERRNO.EINVAL;
    return space.isPastEnd(end - PAGE_BYTES) || space.isPastEnd(start) ? -ERRNO.EFAULT : 0;
  };
}

const ADVICE: ReadonlyMap<number, Advice> = new Map([
  [MADV.DONTNEED, forget], [MADV.FREE, free], [MADV.DONTNEED_LOCKED, forget], [MADV.REMOVE, removePages], [MADV.POPULATE_READ, populate(PROT.none)], [MADV.POPULATE_WRITE, populate(PROT.write)],
  [MADV.DONTFORK, forks('nothing')], [MADV.DOFORK, copies('nothing')], [MADV.WIPEONFORK, forks('zeros')], [MADV.KEEPONFORK, copies('zeros')],
]);

function mincore(call: Call): CallResult {
  const range = pageRange(call);
  if (typeof range === 'number') return call.size(0) % PAGE_BYTES === 0 ? -ERRNO.ENOMEM : range;
  if (!call.process.space.map.covers(range.start, range.end)) return -ERRNO.ENOMEM;
  const pages = new Uint8Array((range.end - range.start) / PAGE_BYTES).fill(1);
  return call.memory.write(call.size(2), pages) ? 0 : -ERRNO.EFAULT;
}

function msync(call: Call): CallResult {
  const range = pageRange(call);
  const flags = call.unsigned(2);
  if ((flags & ~7) !== 0 || (flags & 5) === 5) return -ERRNO.EINVAL;
  if (typeof range === 'number') return call.size(0) % PAGE_BYTES !== 0 ? range : isAroundZero(call) ? 0 : -ERRNO.ENOMEM;
  const { space } = call.process;
  space.storeShared(range.start, range.end);
  return space.map.covers(range.start, range.end) ? 0 : -ERRNO.ENOMEM;
}

/** A length that is nothing when it is rounded up to pages in 64 bits, as Linux does it. */
function isAroundZero(call: Call): boolean {
  return BigInt.asUintN(64, call.wide(1) + (call.wide(0) & 0xfffn) + 0xfffn) < 0x1000n;
}

/** Pages are never swapped: locking a mapped range is done already. */
function mlock(call: Call, locks = true): CallResult {
  if (call.size(0) + call.size(1) > LENGTH_MAX) return isAroundZero(call) ? 0 : -ERRNO.ENOMEM;
  const start = Math.floor(call.size(0) / PAGE_BYTES) * PAGE_BYTES;
  const answer = locks ? checkLocked(call.process, roundUp(call.size(0) + call.size(1)) - start) : 0;
  if (answer < 0) return answer;
  return call.process.space.map.covers(start, roundUp(call.size(0) + call.size(1))) ? 0 : -ERRNO.ENOMEM;
}

/** Besides locking, pages may be locked as they are first touched (MLOCK_ONFAULT), which is the same here. */
function mlock2(call: Call): CallResult {
  return (call.unsigned(2) & ~MLOCK_ONFAULT) !== 0 ? -ERRNO.EINVAL : mlock(call);
}

function mlockall(call: Call): CallResult {
  const flags = call.unsigned(0);
  if (flags === 0 || flags === MCL.ONFAULT || (flags & ~MCL.KNOWN) !== 0) return -ERRNO.EINVAL;
  return checkLocked(call.process, (flags & MCL.CURRENT) === 0 ? 1 : sizeOf(call.process.space.map.mappings));
}

export const memoryCalls: readonly CallEntry[] = [
  { number: 214, name: 'brk', handle: brk },
  { number: 215, name: 'munmap', handle: munmap },
  { number: 216, name: 'mremap', handle: mremap },
  { number: 222, name: 'mmap', handle: mmap },
  { number: 226, name: 'mprotect', handle: mprotect },
  { number: 227, name: 'msync', handle: msync },
  { number: 228, name: 'mlock', handle: (call) => mlock(call) },
  { number: 229, name: 'munlock', handle: (call) => mlock(call, false) },
  { number: 230, name: 'mlockall', handle: mlockall },
  { number: 231, name: 'munlockall', handle: () => 0 },
  { number: 232, name: 'mincore', handle: mincore },
  { number: 233, name: 'madvise', handle: madvise },
  { number: 234, name: 'remap_file_pages', handle: remapFilePages },
  { number: 284, name: 'mlock2', handle: mlock2 },
];
