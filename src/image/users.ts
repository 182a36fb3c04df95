/**
 * Users by name or number, looked up in /etc/passwd and /etc/group as container engines do.
 *
 *   UID[:GID]  NAME[:GROUP]     a number that no line of passwd has is taken as it is, with group 0
 *
 * Invariants: the primary group is among the groups; without a group of its own, the wish brings the groups whose lines list the user.
 * What this does NOT do: read files.
 */
import { StillpointError } from '../core/index.ts';

export interface FoundUser { readonly uid: number; readonly gid: number; readonly groups: readonly number[]; readonly home: string }

/** What `UID[:GID]` may be: (uid_t) -1 means "leave it" and is nobody's. */
const ID_MAX = 0xffff_fffe;
/** The files are small; what lies behind is not looked at. */
export const ACCOUNTS_BYTES_MAX = 4 * 1024 * 1024;

/** Throws E_USER_UNKNOWN. */
export function findUser(wanted: string, accounts: { readonly passwd: string; readonly group: string }): FoundUser {
  const colon = wanted.indexOf(':');
  const [name, groupName] = colon < 0 ? [wanted, undefined] : [wanted.slice(0, colon), wanted.slice(colon + 1)];
  const users = linesOf(accounts.passwd).flatMap(([login = '', , uid, gid, , home = '']) => (isId(uid) && isId(gid) ? [{ login, uid: Number(uid), gid: Number(gid), home }] : []));
  const groups = linesOf(accounts.group).flatMap(([label = '', , gid, members = '']) => (isId(gid) ? [{ label, gid: Number(gid), members: members.split(',') }] : []));
  const user = name === '' ? users.find(({ uid }) => uid === 0) : users.find(({ login }) => login === name) ?? users.find(({ uid }) => isId(name) && uid === Number(name));
  if (user === undefined && name !== '' && !isId(name)) throw unknown(wanted, `there is no user ${name} in /etc/passwd`);
  const uid = user?.uid ?? Number(name);
  const home = user === undefined || user.home === '' ? '/' : user.home;
  if (groupName === undefined || groupName === '') {
    const gid = user?.gid ?? 0;
    const further = user === undefined ? [] : groups.filter(({ members }) => members.includes(user.login)).map((group) => group.gid);
    return { uid, gid, groups: sorted([gid, ...further]), home };
  }
  const group = groups.find(({ label }) => label === groupName)?.gid ?? (isId(groupName) ? Number(groupName) : undefined);
  if (group === undefined) throw unknown(wanted, `there is no group ${groupName} in /etc/group`);
  return { uid, gid: group, groups: [group], home };
}

function linesOf(text: string): readonly (readonly string[])[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split(':'));
}

function isId(text: string | undefined): boolean {
  return text !== undefined && /^[0-9]{1,10}$/.test(text) && Number(text) <= ID_MAX;
}

function sorted(ids: readonly number[]): readonly number[] {
  return [...new Set(ids)].sort((a, b) => a - b);
}

function unknown(wanted: string, what: string): StillpointError {
  return new StillpointError('E_USER_UNKNOWN', `${JSON.stringify(wanted)} is no user of the machine: ${what}`, { data: { user: wanted } });
}
