/**
 * Who the program is: ids of process, thread, user, group, session.
 * What this does NOT do: decide who may become whom (files/identity.ts).
 */
import { limits } from '../../core/index.ts';
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { isPrivileged, setAll, setFileId, setId, setRealEffective, type IdKind, type Identity } from '../files/identity.ts';
import type { CallEntry } from './entry.ts';

function become(call: Call, identity: Identity | number): CallResult {
  if (typeof identity === 'number') return identity;
  call.process.files.identity = identity;
  return 0;
}

function one(of: IdKind): (call: Call) => CallResult {
  return (call) => become(call, setId(call.process.files.identity, of, call.unsigned(0)));
}

function two(of: IdKind): (call: Call) => CallResult {
  return (call) => become(call, setRealEffective(call.process.files.identity, of, { real: call.unsigned(0), effective: call.unsigned(1) }));
}

function three(of: IdKind): (call: Call) => CallResult {
  return (call) => become(call, setAll(call.process.files.identity, of, { real: call.unsigned(0), effective: call.unsigned(1), saved: call.unsigned(2) }));
}

/** setfsuid and setfsgid answer the old id, whatever happens. */
function ofFiles(of: IdKind): (call: Call) => CallResult {
  return (call) => {
    const { identity } = call.process.files;
    become(call, setFileId(identity, of, call.unsigned(0)));
    return identity.file[of];
  };
}

function getIds(of: IdKind): (call: Call) => CallResult {
  return (call) => {
    const { real, effective, saved } = call.process.files.identity;
    for (const [index, ids] of [real, effective, saved].entries()) if (!call.memory.writeU32(call.size(index), ids[of])) return -ERRNO.EFAULT;
    return 0;
  };
}

function getgroups(call: Call): CallResult {
  const size = call.int(0);
  const { groups } = call.process.files.identity;
  if (size < 0) return -ERRNO.EINVAL;
  if (size === 0) return groups.length;
  if (size < groups.length) return -ERRNO.EINVAL;
  for (const [index, gid] of groups.entries()) if (!call.memory.writeU32(call.size(1) + 4 * index, gid)) return -ERRNO.EFAULT;
  return groups.length;
}

/** The list comes back sorted, as Linux keeps it. */
function setgroups(call: Call): CallResult {
  const { identity } = call.process.files;
  const [size, address] = [call.unsigned(0), call.size(1)];
  if (!isPrivileged(identity)) return -ERRNO.EPERM;
  if (size > limits.GROUPS_MAX) return -ERRNO.EINVAL;
  const groups: number[] = [];
  for (let index = 0; index < size; index++) {
    const gid = call.memory.readU32(address + 4 * index);
    if (gid === undefined) return -ERRNO.EFAULT;
    groups.push(gid);
  }
  return become(call, { ...identity, groups: groups.sort((a, b) => a - b) });
}

function processOf(call: Call, pid: number) {
  return pid === 0 ? call.process : call.kernel.findProcess(pid);
}

function getpgid(call: Call): CallResult {
  return processOf(call, call.int(0))?.group ?? -ERRNO.ESRCH;
}

function getsid(call: Call): CallResult {
  return processOf(call, call.int(0))?.session ?? -ERRNO.ESRCH;
}

function setpgid(call: Call): CallResult {
  const process = processOf(call, call.int(0));
  const group = call.int(1) || call.int(0);
  if (group < 0) return -ERRNO.EINVAL;
  if (process === undefined) return -ERRNO.ESRCH;
  if (process.session === process.pid) return -ERRNO.EPERM;
  const wanted = group === 0 ? process.pid : group;
  if (wanted !== process.pid && !call.kernel.processes.some((other) => other.group === wanted && other.session === process.session)) return -ERRNO.EPERM;
  process.group = wanted;
  return 0;
}

/** The booted program leads its session and group already, as under a shell with job control. */
function setsid(call: Call): CallResult {
  const { process } = call;
  if (call.kernel.processes.some(({ group }) => group === process.pid)) return -ERRNO.EPERM;
  process.session = process.pid;
  process.group = process.pid;
  return process.pid;
}

export const identityCalls: readonly CallEntry[] = [
  { number: 143, name: 'setregid', handle: two('gid') },
  { number: 144, name: 'setgid', handle: one('gid') },
  { number: 145, name: 'setreuid', handle: two('uid') },
  { number: 146, name: 'setuid', handle: one('uid') },
  { number: 147, name: 'setresuid', handle: three('uid') },
  { number: 148, name: 'getresuid', handle: getIds('uid') },
  { number: 149, name: 'setresgid', handle: three('gid') },
  { number: 150, name: 'getresgid', handle: getIds('gid') },
  { number: 151, name: 'setfsuid', handle: ofFiles('uid') },
  { number: 152, name: 'setfsgid', handle: ofFiles('gid') },
  { number: 154, name: 'setpgid', handle: setpgid },
  { number: 155, name: 'getpgid', handle: getpgid },
  { number: 156, name: 'getsid', handle: getsid },
  { number: 157, name: 'setsid', handle: setsid },
  { number: 158, name: 'getgroups', handle: getgroups },
  { number: 159, name: 'setgroups', handle: setgroups },
  { number: 172, name: 'getpid', handle: (call) => call.process.pid },
  { number: 173, name: 'getppid', handle: (call) => call.process.parentPid },
  { number: 174, name: 'getuid', handle: (call) => call.process.files.identity.real.uid },
  { number: 175, name: 'geteuid', handle: (call) => call.process.files.identity.effective.uid },
  { number: 176, name: 'getgid', handle: (call) => call.process.files.identity.real.gid },
  { number: 177, name: 'getegid', handle: (call) => call.process.files.identity.effective.gid },
  { number: 178, name: 'gettid', handle: (call) => call.thread.tid },
];
