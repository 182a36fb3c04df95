/**
 * shmget, shmat, shmdt, shmctl. A segment is a file without a name that is mapped shared.
 *
 *   struct shmid_ds: ipc_perm(48) size(8) atime(8) dtime(8) ctime(8) cpid(4) lpid(4) nattch(8) unused(16): 112 bytes
 *
 * What this does NOT do: swap (SHM_LOCK is accepted), the dtime of processes that end without shmdt.
 */
import { limits } from '../../core/index.ts';
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { PROT, roundUp } from '../memory-map.ts';
import { attachments, type Segment } from '../system-v.ts';
import type { MapRequest } from '../space-layout.ts';
import type { CallEntry } from './entry.ts';
import { getObject, IPC, mayUse, owns, PERMISSION_BYTES, putPermission, secondsNow, takePermission } from './system-v-common.ts';

const STATUS_BYTES = 112;
const INFO_BYTES = 72;
const SHM = { RDONLY: 0o10000, RND: 0o20000, REMAP: 0o40000, EXEC: 0o100000, DEST: 0o1000, LOCKED: 0o2000, LOCK: 11, UNLOCK: 12, STAT: 13, INFO: 14, STAT_ANY: 15 } as const;
/** SHMMNI of Linux. */
const SEGMENTS_MAX = 4096;

/** Drops removed segments that nobody has mapped any more. */
function sweep(call: Call): void {
  const { segments } = call.kernel.systemV;
  for (const segment of [...segments.values()]) if (segment.isRemoved && attachments(call.kernel.processes, segment) === 0) segments.delete(segment.id);
}

function shmget(call: Call): CallResult {
  const [key, size, flags] = [call.int(0), call.size(1), call.unsigned(2)];
  const { systemV, files } = call.kernel;
  sweep(call);
  return getObject(call, systemV.segments, {
    key, flags, countMax: SEGMENTS_MAX, check: (segment) => (size > segment.size ? -ERRNO.EINVAL : 0),
    make: (permission) => {
      if (size === 0 || size > limits.MEMORY_BYTES_MAX) return -ERRNO.EINVAL; // SHMMIN and SHMMAX.
      if (!files.hasInodes) return -ERRNO.ENOSPC;
      const inode = files.makeFile({ credentials: call.process.files.credentials, mode: permission.mode });
      inode.content.truncate(roundUp(size));
      files.retain(inode);
      const id = systemV.takeId();
      systemV.segments.set(id, { id, permission, ctime: secondsNow(call), ino: inode.ino, size, isRemoved: false, creator: call.process.pid, lastPid: 0, atime: 0, dtime: 0 });
      return id;
    },
  });
}

function placeOf(address: number, flags: number): MapRequest['place'] | undefined {
  if (address === 0) return (flags & SHM.REMAP) !== 0 ? undefined : { kind: 'any', hint: 0 };
  const page = address % limits.PAGE_BYTES;
  if (page !== 0 && (flags & SHM.RND) === 0) return undefined;
  return { kind: (flags & SHM.REMAP) !== 0 ? 'fixed' : 'free', address: address - page };
}

function shmat(call: Call): CallResult {
  const [id, flags] = [call.int(0), call.unsigned(2)];
  sweep(call);
  const segment = call.kernel.systemV.segments.get(id);
  const place = placeOf(call.size(1), flags);
  if (segment === undefined || place === undefined) return -ERRNO.EINVAL;
  const isReadOnly = (flags & SHM.RDONLY) !== 0;
  if (!mayUse(call, segment.permission, (isReadOnly ? 4 : 6) | ((flags & SHM.EXEC) === 0 ? 0 : 1))) return -ERRNO.EACCES;
  const protection = PROT.read | (isReadOnly ? 0 : PROT.write) | ((flags & SHM.EXEC) === 0 ? 0 : PROT.execute);
  const path = `/SYSV${(segment.permission.key >>> 0).toString(16).padStart(8, '0')} (deleted)`;
  const answer = call.process.space.mapRange({ length: segment.size, protection, isShared: true, place, backing: { key: segment.ino, path, isWritable: !isReadOnly, offset: 0 } });
  if (answer < 0) return answer === -ERRNO.ENOMEM ? answer : -ERRNO.EINVAL;
  segment.atime = secondsNow(call);
  segment.lastPid = call.process.pid;
  return answer;
}

function shmdt(call: Call): CallResult {
  const address = call.size(0);
  const { space } = call.process;
  const inodes = new Map([...call.kernel.systemV.segments.values()].map((segment) => [segment.ino, segment]));
  const parts = space.map.mappings.filter(({ start, backing }) => backing !== undefined && inodes.has(backing.key) && start - backing.offset === address);
  const segment = parts[0]?.backing === undefined ? undefined : inodes.get(parts[0].backing.key);
  if (segment === undefined) return -ERRNO.EINVAL;
  for (const { start, end } of parts) space.unmapRange(start, end);
  segment.dtime = secondsNow(call);
  segment.lastPid = call.process.pid;
  sweep(call);
  return 0;
}

function status(call: Call, segment: Segment): number {
  const view = new DataView(new ArrayBuffer(STATUS_BYTES));
  putPermission(view, { ...segment.permission, mode: segment.permission.mode | (segment.isRemoved ? SHM.DEST : 0) });
  [segment.size, segment.atime, segment.dtime, segment.ctime].forEach((value, index) => { view.setBigInt64(PERMISSION_BYTES + index * 8, BigInt(value), true); });
  view.setInt32(80, segment.creator, true);
  view.setInt32(84, segment.lastPid, true);
  view.setBigUint64(88, BigInt(attachments(call.kernel.processes, segment)), true);
  return call.memory.write(call.size(2), new Uint8Array(view.buffer)) ? 0 : -ERRNO.EFAULT;
}

/** IPC_INFO: struct shminfo (max min mni seg all); SHM_INFO: used ids, pages. Both answer the highest index in use. */
function information(call: Call, command: number): number {
  const { segments } = call.kernel.systemV;
  const pages = [...segments.values()].reduce((sum, { size }) => sum + Math.ceil(size / limits.PAGE_BYTES), 0);
  const words = command === IPC.INFO ? [limits.MEMORY_BYTES_MAX, 1, SEGMENTS_MAX, SEGMENTS_MAX, Math.ceil(limits.MEMORY_BYTES_MAX / limits.PAGE_BYTES)] : [segments.size, pages, pages, 0, 0, 0];
  const view = new DataView(new ArrayBuffer(command === IPC.INFO ? INFO_BYTES : 48));
  words.forEach((word, index) => { view.setBigUint64(index * 8, BigInt(word), true); });
  return call.memory.write(call.size(2), new Uint8Array(view.buffer)) ? Math.max(0, segments.size - 1) : -ERRNO.EFAULT;
}

function shmctl(call: Call): CallResult {
  const [id, command] = [call.int(0), call.unsigned(1)];
  sweep(call);
  if (command === IPC.INFO || command === SHM.INFO) return information(call, command);
  const { systemV, files } = call.kernel;
  // The *_STAT commands count objects instead of naming them.
  const segment = command === SHM.STAT || command === SHM.STAT_ANY ? [...systemV.segments.values()][id] : systemV.segments.get(id);
  if (segment === undefined) return -ERRNO.EINVAL;
  switch (command) {
    case IPC.STAT:
    case SHM.STAT:
    case SHM.STAT_ANY: {
      if (!mayUse(call, segment.permission, 4)) return -ERRNO.EACCES;
      const answer = status(call, segment);
      return answer < 0 || command === IPC.STAT ? answer : segment.id;
    }
    case SHM.LOCK:
    case SHM.UNLOCK: {
      if (!owns(call, segment.permission)) return -ERRNO.EPERM;
      segment.permission.mode = command === SHM.LOCK ? segment.permission.mode | SHM.LOCKED : segment.permission.mode & ~SHM.LOCKED;
      return 0;
    }
    case IPC.SET: {
      if (!owns(call, segment.permission)) return -ERRNO.EPERM;
      const answer = takePermission(call, call.size(2), segment.permission);
      if (answer === 0) segment.ctime = secondsNow(call);
      return answer;
    }
    case IPC.RMID: {
      if (!owns(call, segment.permission)) return -ERRNO.EPERM;
      if (segment.isRemoved) return 0;
      segment.isRemoved = true;
      segment.permission.key = 0;
      sweep(call);
      const inode = files.find(segment.ino);
      if (inode !== undefined) files.release(inode);
      return 0;
    }
    default: return -ERRNO.EINVAL;
  }
}

export const systemVMemoryCalls: readonly CallEntry[] = [
  { number: 194, name: 'shmget', handle: shmget },
  { number: 195, name: 'shmctl', handle: shmctl },
  { number: 196, name: 'shmat', handle: shmat },
  { number: 197, name: 'shmdt', handle: shmdt },
];
