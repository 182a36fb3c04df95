/**
 * Calls that make and free descriptors: openat, close, close_range, pipe2, eventfd2, memfd_create, dup, dup3.
 * A full descriptor table is noticed before anything else happens, as on Linux.
 */
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { O } from '../files/flags.ts';
import type { Inode } from '../files/inode.ts';
import { openPath } from '../files/open.ts';
import type { OpenFile } from '../open-file.ts';
import { SEAL } from '../open-file-io.ts';
import { byteString, openFileArgument, pathArgument, startOf, type FileCall } from './file-arguments.ts';

const EFD_SEMAPHORE = 1;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_NAME_BYTES_MAX = 249;
const CLOSE_RANGE_UNSHARE = 2;
const CLOSE_RANGE_CLOEXEC = 4;

function openat(call: Call): CallResult {
  const path = pathArgument(call, 1);
  if (typeof path === 'number') return path;
  if (path === '') return -ERRNO.ENOENT;
  const room = roomForOne(call);
  if (room < 0) return room;
  const start = startOf(call, call.int(0), path);
  if (typeof start === 'number') return start;
  const flags = call.unsigned(2);
  const openFile = openPath(call.process.files, { start, path, flags, mode: call.unsigned(3) });
  if (openFile === BLOCKED || typeof openFile === 'number') return openFile;
  return call.process.files.install(openFile, { closesOnExec: (flags & O.CLOEXEC) !== 0 });
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
  { number: 56, name: 'openat', handle: openat },
  { number: 57, name: 'close', handle: close },
  { number: 59, name: 'pipe2', handle: pipe2 },
  { number: 279, name: 'memfd_create', handle: memfdCreate },
  { number: 436, name: 'close_range', handle: closeRange },
];
