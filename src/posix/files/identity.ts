/**
 * Who a process is: real, effective, saved and file ids, supplementary groups, and how set*id changes them, as Linux does (credentials(7)).
 *
 *              real     who started it            who may signal it
 *              effective what it may do           0: everything
 *              saved    what it may come back to
 *              file     as effective, unless setfsuid says otherwise: whose files it makes and opens
 *
 * Invariants: an identity is a value, never changed in place; capabilities are those of user 0, all or none, by the effective id.
 * What this does NOT do: decide on files (permission.ts), namespaces.
 */
import { ERRNO } from '../errno.ts';
import { GUEST, type Credentials } from './permission.ts';

export interface Ids { readonly uid: number; readonly gid: number }
export type IdKind = 'uid' | 'gid';

export interface Identity {
  readonly real: Ids;
  readonly effective: Ids;
  readonly saved: Ids;
  readonly file: Ids;
  readonly groups: readonly number[];
}

/** The user of a machine, as its manifest names it. */
export interface MachineUser extends Ids { readonly groups: readonly number[] }

/** What user 0 of a container has: chown, dac_override, fowner, fsetid, kill, setgid, setuid and what else touches nothing outside. */
export const CAPABILITIES = 0xa804_25fbn;
/** (uid_t) -1: leave this one as it is. */
export const KEEP_ID = 0xffff_ffff;

export function identityOf({ uid, gid, groups }: Credentials): Identity {
  const ids = { uid, gid };
  return { real: ids, effective: ids, saved: ids, file: ids, groups: groups ?? [gid] };
}

export const GUEST_IDENTITY: Identity = identityOf(GUEST);

/** What decides on files. */
export function fileCredentials({ file, groups }: Identity): Credentials {
  return { ...file, groups };
}

/** What access(2) asks with. */
export function realCredentials({ real, groups }: Identity): Credentials {
  return { ...real, groups };
}

export function isPrivileged({ effective }: Identity): boolean {
  return effective.uid === 0;
}

/** Whether one may send the other a signal. */
export function maySignal(from: Identity, to: Identity): boolean {
  return isPrivileged(from) || [from.real.uid, from.effective.uid].some((uid) => uid === to.real.uid || uid === to.saved.uid);
}

interface Wanted { readonly real?: number; readonly effective?: number; readonly saved?: number }

function changed(identity: Identity, kind: IdKind, { real, effective, saved }: Wanted): Identity {
  const put = (ids: Ids, value: number | undefined): Ids => (value === undefined ? ids : { ...ids, [kind]: value });
  return { real: put(identity.real, real), effective: put(identity.effective, effective), saved: put(identity.saved, saved), file: put(identity.file, effective ?? identity.effective[kind]), groups: identity.groups };
}

/** setuid, setgid: for the privileged all three, for others the effective one. */
export function setId(identity: Identity, kind: IdKind, id: number): Identity | number {
  if (id === KEEP_ID) return -ERRNO.EINVAL;
  if (isPrivileged(identity)) return changed(identity, kind, { real: id, effective: id, saved: id });
  return id === identity.real[kind] || id === identity.saved[kind] ? changed(identity, kind, { effective: id }) : -ERRNO.EPERM;
}

/** setreuid, setregid: the saved id follows the effective one when the real one is set or the effective one leaves it. */
export function setRealEffective(identity: Identity, kind: IdKind, ids: { readonly real: number; readonly effective: number }): Identity | number {
  const real = ids.real === KEEP_ID ? undefined : ids.real;
  const effective = ids.effective === KEEP_ID ? undefined : ids.effective;
  const [ownReal, ownEffective, ownSaved] = [identity.real[kind], identity.effective[kind], identity.saved[kind]];
  if (!isPrivileged(identity)) {
    if (real !== undefined && real !== ownReal && real !== ownEffective) return -ERRNO.EPERM;
    if (effective !== undefined && effective !== ownReal && effective !== ownEffective && effective !== ownSaved) return -ERRNO.EPERM;
  }
  const follows = real !== undefined || (effective !== undefined && effective !== ownReal);
  return changed(identity, kind, { ...defined('real', real), ...defined('effective', effective), ...(follows ? { saved: effective ?? ownEffective } : {}) });
}

/** setresuid, setresgid. */
export function setAll(identity: Identity, kind: IdKind, ids: { readonly real: number; readonly effective: number; readonly saved: number }): Identity | number {
  const own = [identity.real[kind], identity.effective[kind], identity.saved[kind]];
  if (!isPrivileged(identity)) for (const id of [ids.real, ids.effective, ids.saved]) if (id !== KEEP_ID && !own.includes(id)) return -ERRNO.EPERM;
  const given = (name: keyof Wanted): Wanted => (ids[name] === KEEP_ID ? {} : { [name]: ids[name] });
  return changed(identity, kind, { ...given('real'), ...given('effective'), ...given('saved') });
}

/** setfsuid, setfsgid: what is not allowed changes nothing. */
export function setFileId(identity: Identity, kind: IdKind, id: number): Identity {
  const isAllowed = isPrivileged(identity) || [identity.real, identity.effective, identity.saved, identity.file].some((ids) => ids[kind] === id);
  return id === KEEP_ID || !isAllowed ? identity : { ...identity, file: { ...identity.file, [kind]: id } };
}

function defined(name: keyof Wanted, value: number | undefined): Wanted {
  return value === undefined ? {} : { [name]: value };
}

/** In a state: nothing for what all four ids say already. */
export type IdentityState = { readonly real: readonly number[]; readonly effective: readonly number[]; readonly saved: readonly number[]; readonly groups: readonly number[] };

/** What a state says beside the file ids; undefined: they say all. */
export function identityState({ real, effective, saved, file, groups }: Identity): IdentityState | undefined {
  const isPlain = [real, effective, saved].every(({ uid, gid }) => uid === file.uid && gid === file.gid) && groups.length === 1 && groups[0] === file.gid;
  const pair = ({ uid, gid }: Ids): readonly number[] => [uid, gid];
  return isPlain ? undefined : { real: pair(real), effective: pair(effective), saved: pair(saved), groups };
}

export function restoreIdentity(file: Ids, state: IdentityState | undefined): Identity {
  if (state === undefined) return identityOf(file);
  const ids = ([uid = 0, gid = 0]: readonly number[]): Ids => ({ uid, gid });
  return { real: ids(state.real), effective: ids(state.effective), saved: ids(state.saved), file, groups: state.groups };
}
