/**
 * Calls that make and free descriptors: openat, openat2, close, close_range, pipe2, eventfd2, memfd_create, dup, dup3.
 * A full descriptor table is noticed before anything else happens, as on Linux.
 */
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { O } from '../files/flags.ts';
import { isRun } from '../executable.ts';
import type { FifoInode, Inode } from '../files/inode.ts';
import { openPath, soundFlags } from '../files/open.ts';
import { walk, type Resolve } from '../files/walk.ts';
import type { Kernel } from '../kernel.ts';
import type { OpenFile } from '../open-file.ts';
import { SEAL } from '../open-file-io.ts';
import { finishWait } from '../signal-delivery.ts';
import type { Thread } from '../thread.ts';
import { withWaitingCall } from '../waiting-call.ts';
import { byteString, openFileArgument, pathArgument, startOf, type FileCall } from './file-arguments.ts';

const OPENAT = 56;
const OPENAT2 = 437;
const EFD_SEMAPHORE = 1;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_NAME_BYTES_MAX = 249;
const CLOSE_RANGE_UNSHARE = 2;
const CLOSE_RANGE_CLOEXEC = 4;

const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 0x10, CACHED: 0x20 } as const;
/** struct open_how: flags, mode, resolve. */
const HOW_BYTES = 24;
const PAGE_BYTES = 4096;
/** All that open(2) knows. */
const OPEN_KNOWN = 0x7f_ffc3n;
const MODE_KNOWN = 0o7777n;

interface How { readonly flags: number; readonly mode: number; readonly resolve?: Resolve }

function howOfOpenat(call: Call): How {
  return { flags: call.unsigned(2), mode: call.unsigned(3) };
}

/** openat2(2): checks what open(2) lets pass, and walks within bounds. */
function howOfOpenat2(call: Call): How | number {
  const size = call.size(3);
  if (size < HOW_BYTES) return -ERRNO.EINVAL;
  if (size > PAGE_BYTES) return -ERRNO.E2BIG;
  const bytes = call.memory.readable(call.size(2), size);
  if (bytes === undefined) return -ERRNO.EFAULT;
  if (bytes.subarray(HOW_BYTES).some((byte) => byte !== 0)) return -ERRNO.E2BIG;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HOW_BYTES);
  const [flags, mode, resolve] = [view.getBigUint64(0, true), view.getBigUint64(8, true), view.getBigUint64(16, true)];
  const makes = (flags & BigInt(O.CREAT)) !== 0n || (flags & BigInt(O.TMPFILE)) === BigInt(O.TMPFILE);
  if ((flags & ~OPEN_KNOWN) !== 0n || (resolve & ~0x3fn) !== 0n || (makes ? (mode & ~MODE_KNOWN) !== 0n : mode !== 0n)) return -ERRNO.EINVAL;
  if ((flags & BigInt(O.PATH)) !== 0n && (flags & ~BigInt(O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC)) !== 0n) return -ERRNO.EINVAL;
  const has = (bit: number): boolean => (resolve & BigInt(bit)) !== 0n;
  if (has(RESOLVE.BENEATH) && has(RESOLVE.IN_ROOT)) return -ERRNO.EINVAL;
  if (has(RESOLVE.CACHED) && (makes || (flags & BigInt(O.TRUNC)) !== 0n)) return -ERRNO.EAGAIN;
  return {
    flags: Number(flags), mode: Number(mode), resolve: {
      allowsLinks: !has(RESOLVE.NO_SYMLINKS), allowsMagic: !has(RESOLVE.NO_MAGICLINKS), allowsMounts: !has(RESOLVE.NO_XDEV), scope: has(RESOLVE.BENEATH) ? 'beneath' : has(RESOLVE.IN_ROOT) ? 'root' : 'none',
    },
  };
}

const HOW: ReadonlyMap<number, (call: Call) => How | number> = new Map([[OPENAT, howOfOpenat], [OPENAT2, howOfOpenat2]]);

function openCall(number: number): (call: Call) => CallResult {
  return (call) => {
    const how = HOW.get(number)!(call);
    if (typeof how === 'number') return how;
    const answer = openAt(call, how);
    if (typeof answer === 'number' && answer >= 0) meetOpeners(call, answer);
    return answer;
  };
}

function openAt(call: Call, how: How): number | typeof BLOCKED {
  if (soundFlags(how.flags) < 0) return -ERRNO.EINVAL;
  const path = pathArgument(call, 1);
  if (typeof path === 'number') return path;
  if (path === '') return -ERRNO.ENOENT;
  const room = roomForOne(call);
  if (room < 0) return room;
  const { flags, mode, resolve } = how;
  // Bounds begin at the directory, also for absolute paths.
  const start = startOf(call, call.int(0), resolve === undefined || resolve.scope === 'none' ? path : '.');
  if (typeof start === 'number') return start;
  const hasPartner = (inode: FifoInode, own: number): boolean => openersOf(call.kernel, inode).some((opener) => (opener.flags & O.ACCMODE) !== (own & O.ACCMODE));
  const openFile = openPath(call.process.files, { start, path, flags, mode, resolve, hasPartner, isRun: (inode) => isRun(call.kernel, inode) });
  if (openFile === BLOCKED || typeof openFile === 'number') return openFile;
  return call.process.files.install(openFile, { closesOnExec: (flags & O.CLOEXEC) !== 0 });
}

interface Opener { readonly thread: Thread; readonly flags: number }

/** Threads that wait in open(2) for somebody at the other end of a FIFO. Who they are is read from their calls: they have left no trace. */
function openersOf(kernel: Kernel, inode: FifoInode): Opener[] {
  const openers: Opener[] = [];
  for (const { threads } of kernel.processes) {
    for (const thread of threads) {
      if (thread === kernel.current || thread.wait.kind !== 'retry') continue;
      const flags = withWaitingCall(kernel, thread, (call, number) => flagsToOpen(call, HOW.get(number), inode));
      if (flags !== undefined) openers.push({ thread, flags });
    }
  }
  return openers;
}

/** The flags of a call that opens this inode. */
function flagsToOpen(call: Call, howOf: ((call: Call) => How | number) | undefined, inode: FifoInode): number | undefined {
  const how = howOf?.(call);
  if (how === undefined || typeof how === 'number') return undefined;
  const path = pathArgument(call, 1);
  const start = typeof path === 'number' ? path : startOf(call, call.int(0), path);
  if (typeof path === 'number' || typeof start === 'number') return undefined;
  const found = walk(call.kernel.files, call.process.files, { start, path }, 'follow');
  return typeof found !== 'number' && found.inode === inode ? how.flags : undefined;
}

/** A FIFO has been opened: those that waited for it to be have it open in the same moment, before anybody can write, close or look. */
function meetOpeners(call: Call, number: number): void {
  const inode = call.process.files.descriptors.get(number)?.inode;
  if (inode?.kind !== 'fifo') return;
  for (const { thread } of openersOf(call.kernel, inode)) {
    const answer = withWaitingCall(call.kernel, thread, (waiting, which) => {
      const how = HOW.get(which)!(waiting);
      return typeof how === 'number' ? how : openAt(waiting, how);
    });
    if (answer !== BLOCKED) finishWait(thread, answer);
  }
}

/** 0 when one more descriptor and open file fit. */
export function roomForOne(call: Call): number {
  const number = call.process.files.descriptors.lowestFree();
  return number < 0 ? number : call.kernel.files.checkOpenFiles();
}

/** Opens an inode without a name and gives it a descriptor. */
export function installAnonymous(call: Call, inode: Inode, how: { readonly flags: number; readonly path: string }): number {
  const openFile = call.kernel.files.open(inode, how.flags, how.path);
  return call.process.files.install(openFile, { closesOnExec: (how.flags & O.CLOEXEC) !== 0 });
}

function close(call: Call): CallResult {
  return call.process.files.close(call.int(0)) ? 0 : -ERRNO.EBADF;
}

function closeRange(call: Call): CallResult {
  const [first, last, flags] = [call.unsigned(0), call.unsigned(1), call.unsigned(2)];
  if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) !== 0 || first > last) return -ERRNO.EINVAL;
  const context = call.process.files;
  if ((flags & CLOSE_RANGE_UNSHARE) !== 0) context.unshareDescriptors(call.kernel.processes);
  for (const number of context.descriptors.numbers()) {
    if (number < first || number > last) continue;
    if ((flags & CLOSE_RANGE_CLOEXEC) !== 0) context.descriptors.setClosesOnExec(number, true);
    else context.close(number);
  }
  return 0;
}

function pipe2(call: Call): CallResult {
  const flags = call.unsigned(1);
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK | O.DIRECT)) !== 0) return -ERRNO.EINVAL;
  const context = call.process.files;
  const { files } = call.kernel;
  const readNumber = context.descriptors.lowestFree();
  const writeNumber = readNumber < 0 ? readNumber : context.descriptors.lowestFree(readNumber + 1);
  if (writeNumber < 0) return writeNumber;
  const room = files.checkOpenFiles();
  if (room < 0) return room;
  const numbers = new DataView(new ArrayBuffer(8));
  numbers.setInt32(0, readNumber, true);
  numbers.setInt32(4, writeNumber, true);
  if (!call.memory.write(call.size(0), new Uint8Array(numbers.buffer))) return -ERRNO.EFAULT;
  const inode = files.makeFifo({ credentials: context.credentials, mode: 0o600 });
  const path = `pipe:[${inode.ino}]`;
  installAnonymous(call, inode, { flags: flags | O.RDONLY, path });
  installAnonymous(call, inode, { flags: flags | O.WRONLY, path });
  return 0;
}

function eventfd2(call: Call): CallResult {
  const flags = call.unsigned(1);
  if ((flags & ~(EFD_SEMAPHORE | O.CLOEXEC | O.NONBLOCK)) !== 0) return -ERRNO.EINVAL;
  const room = roomForOne(call);
  if (room < 0) return room;
  const inode = call.kernel.files.makeEvent(BigInt(call.unsigned(0)), (flags & EFD_SEMAPHORE) !== 0);
  return installAnonymous(call, inode, { flags: (flags & ~EFD_SEMAPHORE) | O.RDWR, path: 'anon_inode:[eventfd]' });
}

function memfdCreate(call: Call): CallResult {
  const flags = call.unsigned(1);
  if ((flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | 8 | 16)) !== 0) return -ERRNO.EINVAL; // 8, 16: NOEXEC_SEAL, EXEC.
  if ((flags & 24) === 24) return -ERRNO.EINVAL;
  const name = call.memory.readString(call.size(0), MFD_NAME_BYTES_MAX);
  if (name === 'fault') return -ERRNO.EFAULT;
  if (name === 'long') return -ERRNO.EINVAL;
  const room = roomForOne(call);
  if (room < 0) return room;
  const inode = call.kernel.files.makeFile({ credentials: call.process.files.credentials, mode: 0o777 });
  inode.seals = (flags & MFD_ALLOW_SEALING) !== 0 ? 0 : SEAL.SEAL;
  const openFlags = O.RDWR | ((flags & MFD_CLOEXEC) !== 0 ? O.CLOEXEC : 0);
  return installAnonymous(call, inode, { flags: openFlags, path: `/memfd:${byteString(name)}` });
}

function dup(call: Call): CallResult {
  const openFile = openFileArgument(call, 0, { allowsPath: true });
  return typeof openFile === 'number' ? openFile : call.process.files.install(openFile);
}

function dup3(call: Call): CallResult {
  const [from, to, flags] = [call.int(0), call.int(1), call.unsigned(2)];
  if ((flags & ~O.CLOEXEC) !== 0 || from === to) return -ERRNO.EINVAL;
  const context = call.process.files;
  if (to < 0 || to >= context.descriptors.limit) return -ERRNO.EBADF;
  const openFile = context.descriptors.get(from);
  if (openFile === undefined) return -ERRNO.EBADF;
  context.close(to);
  context.descriptors.set(to, openFile, (flags & O.CLOEXEC) !== 0);
  return to;
}

/** F_DUPFD: the lowest free number from `least` on. */
export function duplicateFrom(call: Call, openFile: OpenFile, how: { readonly least: number; readonly closesOnExec: boolean }): number {
  if (how.least < 0 || how.least >= call.process.files.descriptors.limit) return -ERRNO.EINVAL;
  return call.process.files.install(openFile, how);
}

export const openCalls: readonly FileCall[] = [
  { number: 19, name: 'eventfd2', handle: eventfd2 },
  { number: 23, name: 'dup', handle: dup },
  { number: 24, name: 'dup3', handle: dup3 },
  { number: OPENAT, name: 'openat', handle: openCall(OPENAT) },
  { number: 57, name: 'close', handle: close },
  { number: 59, name: 'pipe2', handle: pipe2 },
  { number: 279, name: 'memfd_create', handle: memfdCreate },
  { number: OPENAT2, name: 'openat2', handle: openCall(OPENAT2) },
  { number: 436, name: 'close_range', handle: closeRange },
];
