/**
 * What the calls of System V have in common: keys, rights, the head of every status structure, and who waits in a call.
 *
 *   struct ipc_perm: key(4) uid(4) gid(4) cuid(4) cgid(4) mode(4) seq(2) pad(6) unused(16): 48 bytes
 */
import type { Call } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { isMember } from '../files/permission.ts';
import type { Permission } from '../system-v.ts';
import { waitingCallOf, type WaitingCall } from '../waiting-call.ts';

const NOBODY = 0xffff_ffff;
export const IPC = { CREAT: 0o1000, EXCL: 0o2000, NOWAIT: 0o4000, RMID: 0, SET: 1, STAT: 2, INFO: 3 } as const;
export const PERMISSION_BYTES = 48;
const PRIVATE = 0;

/** Seconds of the clock that the guest sees. */
export function secondsNow(call: Call): number {
  return Number(call.kernel.files.now() / 1_000_000_000n);
}

/** Whether the caller has the rights (4 read, 2 write) to an object. */
export function mayUse(call: Call, { uid, gid, cuid, cgid, mode }: Permission, rights: number): boolean {
  const { credentials } = call.process.files;
  if (credentials.uid === 0) return true;
  const granted = credentials.uid === uid || credentials.uid === cuid ? mode >> 6 : isMember(credentials, gid) || isMember(credentials, cgid) ? mode >> 3 : mode;
  return (rights & ~granted & 7) === 0;
}

/** IPC_SET and IPC_RMID are for owner and creator. */
export function owns(call: Call, { uid, cuid }: Permission): boolean {
  const own = call.process.files.credentials.uid;
  return own === 0 || own === uid || own === cuid;
}

interface Owned { readonly id: number; readonly permission: Permission }

/** shmget, semget and msgget: the object of a key, or what `make` makes; `check` answers -errno for one that does not fit. */
export function getObject<Kind extends Owned>(call: Call, table: ReadonlyMap<number, Kind>, how: { readonly key: number; readonly flags: number; readonly countMax: number; readonly check: (object: Kind) => number; readonly make: (permission: Permission) => number }): number {
  const { key, flags } = how;
  const found = key === PRIVATE ? undefined : [...table.values()].find(({ permission }) => permission.key === key);
  if (found !== undefined) {
    if ((flags & (IPC.CREAT | IPC.EXCL)) === (IPC.CREAT | IPC.EXCL)) return -ERRNO.EEXIST;
    const rights = ((flags >> 6) | (flags >> 3) | flags) & 7;
    if (!mayUse(call, found.permission, rights)) return -ERRNO.EACCES;
    const answer = how.check(found);
    return answer < 0 ? answer : found.id;
  }
  if (key !== PRIVATE && (flags & IPC.CREAT) === 0) return -ERRNO.ENOENT;
  if (table.size >= how.countMax) return -ERRNO.ENOSPC;
  const { uid, gid } = call.process.files.credentials;
  return how.make({ key, uid, gid, cuid: uid, cgid: gid, mode: flags & 0o777 });
}

/** The first 48 bytes of a status structure. */
export function putPermission(view: DataView, { key, uid, gid, cuid, cgid, mode }: Permission): void {
  [key, uid, gid, cuid, cgid, mode].forEach((word, index) => { view.setUint32(index * 4, word >>> 0, true); });
}

/** IPC_SET: owner, group and mode from a status structure; 0, -EFAULT or -EINVAL (-1 is nobody's number). */
export function takePermission(call: Call, address: number, permission: Permission): number {
  const bytes = call.memory.readable(address, PERMISSION_BYTES);
  if (bytes === undefined) return -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, PERMISSION_BYTES);
  const [uid, gid] = [view.getUint32(4, true), view.getUint32(8, true)];
  if (uid === NOBODY || gid === NOBODY) return -ERRNO.EINVAL;
  permission.uid = uid;
  permission.gid = gid;
  permission.mode = (permission.mode & ~0o777) | (view.getUint32(20, true) & 0o777);
  return 0;
}

/** Those that wait in one of the calls whose first argument is `id`. */
export function waitersOn(call: Call, id: number, numbers: readonly number[]): WaitingCall[] {
  const threads = call.kernel.processes.flatMap((process) => process.threads.filter((thread) => thread !== call.thread && thread.wait.kind === 'retry'));
  return threads.map(waitingCallOf).filter(({ number, argument }) => numbers.includes(number) && (argument(0) | 0) === id);
}
