/**
 * Who the program is: ids of process, thread, user, group, session. One ordinary user; changing to the same ids succeeds.
 */
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import type { CallEntry } from './entry.ts';

const KEEP = 0xffff_ffff;

/** set*uid and set*gid of an ordinary user: only the ids that it has already. */
function setIds(of: 'uid' | 'gid', count: number): (call: Call) => CallResult {
  return (call) => {
    const own = call.process.files.credentials[of];
    for (let index = 0; index < count; index++) {
      const wanted = call.unsigned(index);
      if (wanted === KEEP ? count === 1 : wanted !== own) return wanted === KEEP ? -ERRNO.EINVAL : -ERRNO.EPERM;
    }
    return 0;
  };
}

/** setfsuid and setfsgid answer the old id, whatever happens. */
function setFileId(of: 'uid' | 'gid'): (call: Call) => CallResult {
  return (call) => call.process.files.credentials[of];
}

function getIds(of: 'uid' | 'gid'): (call: Call) => CallResult {
  return (call) => {
    const own = call.process.files.credentials[of];
    for (let index = 0; index < 3; index++) if (!call.memory.writeU32(call.size(index), own)) return -ERRNO.EFAULT;
    return 0;
  };
}

function getgroups(call: Call): CallResult {
  const size = call.int(0);
  if (size < 0) return -ERRNO.EINVAL;
  if (size === 0) return 1;
  return call.memory.writeU32(call.size(1), call.process.files.credentials.gid) ? 1 : -ERRNO.EFAULT;
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
  const group = call.int(1);
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
  { number: 143, name: 'setregid', handle: setIds('gid', 2) },
  { number: 144, name: 'setgid', handle: setIds('gid', 1) },
  { number: 145, name: 'setreuid', handle: setIds('uid', 2) },
  { number: 146, name: 'setuid', handle: setIds('uid', 1) },
  { number: 147, name: 'setresuid', handle: setIds('uid', 3) },
  { number: 148, name: 'getresuid', handle: getIds('uid') },
  { number: 149, name: 'setresgid', handle: setIds('gid', 3) },
  { number: 150, name: 'getresgid', handle: getIds('gid') },
  { number: 151, name: 'setfsuid', handle: setFileId('uid') },
  { number: 152, name: 'setfsgid', handle: setFileId('gid') },
  { number: 154, name: 'setpgid', handle: setpgid },
  { number: 155, name: 'getpgid', handle: getpgid },
  { number: 156, name: 'getsid', handle: getsid },
  { number: 157, name: 'setsid', handle: setsid },
  { number: 158, name: 'getgroups', handle: getgroups },
  { number: 159, name: 'setgroups', handle: () => -ERRNO.EPERM },
  { number: 172, name: 'getpid', handle: (call) => call.process.pid },
  { number: 173, name: 'getppid', handle: (call) => call.process.parentPid },
  { number: 174, name: 'getuid', handle: (call) => call.process.files.credentials.uid },
  { number: 175, name: 'geteuid', handle: (call) => call.process.files.credentials.uid },
  { number: 176, name: 'getgid', handle: (call) => call.process.files.credentials.gid },
  { number: 177, name: 'getegid', handle: (call) => call.process.files.credentials.gid },
  { number: 178, name: 'gettid', handle: (call) => call.thread.tid },
];
