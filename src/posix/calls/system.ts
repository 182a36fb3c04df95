/**
 * What a program may ask about the system: names, sizes, limits, randomness.
 */
import type { GuestMemory } from '../../engine/index.ts';
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { CAPABILITIES, isPrivileged } from '../files/identity.ts';
import { INIT_PID } from '../orphans.ts';
import { bytesOf } from '../proc-files.ts';
import type { Process } from '../process.ts';
import { limitOf, RLIMIT } from '../resource-limits.ts';
import { armCpuLimit } from '../timers.ts';
import type { CallEntry } from './entry.ts';
import { controlCalls } from './process-controls.ts';

const UNAME_FIELD = 65;
/** What uname says besides the machine name; also /proc/version. */
export const SYSTEM_NAME = { sysname: 'Linux', nodename: 'stillpoint', release: '6.1.0-stillpoint', version: '#1 SMP', domainname: '(none)' } as const;

function uname(call: Call): CallResult {
  const bytes = new Uint8Array(UNAME_FIELD * 6);
  const { sysname, nodename, release, version, domainname } = SYSTEM_NAME;
  const fields = [sysname, nodename, release, version, call.process.cpu.isa.abi.machineName, domainname];
  fields.forEach((text, index) => bytes.set(bytesOf(text), index * UNAME_FIELD));
  return call.memory.write(call.size(0), bytes) ? 0 : -ERRNO.EFAULT;
}

function sysinfo(call: Call): CallResult {
  const bytes = new Uint8Array(112);
  const view = new DataView(bytes.buffer);
  const { memoryBytes, usedBytes } = call.kernel.account;
  view.setBigUint64(32, BigInt(memoryBytes), true);
  view.setBigUint64(40, BigInt(Math.max(0, memoryBytes - usedBytes)), true);
  view.setUint16(80, call.kernel.taskCount, true);
  view.setUint32(104, 1, true);
  return call.memory.write(call.size(0), bytes) ? 0 : -ERRNO.EFAULT;
}

const GRND_KNOWN = 7;
const GRND_RANDOM_INSECURE = 6;
/** One call gives at most this much; Linux promises 256 bytes whole and allows less beyond. Bounds the journal's frame. */
const RANDOM_BYTES_MAX = 256 * 1024;

function getrandom(call: Call): CallResult {
  const [address, length, flags] = [call.size(0), Math.min(call.size(1), RANDOM_BYTES_MAX), call.unsigned(2)];
  if ((flags & ~GRND_KNOWN) !== 0 || (flags & GRND_RANDOM_INSECURE) === GRND_RANDOM_INSECURE) return -ERRNO.EINVAL;
  // Looked at first: bytes that nobody gets must not be taken from the stream.
  const target = call.memory.writable(address, length);
  if (target === undefined) return -ERRNO.EFAULT;
  const bytes = call.kernel.entropy.take(length);
  if (bytes === undefined) return BLOCKED;
  target.set(bytes);
  return length;
}

function writeLimit(memory: GuestMemory, address: number, limit: readonly [bigint, bigint]): boolean {
  return memory.readable(address, 16) !== undefined && memory.writeU64(address, limit[0]) && memory.writeU64(address + 8, limit[1]);
}

/** Lowering is remembered (who obeys looks there), for descriptors in their table; raising beyond the hard limit is refused. */
function setLimit(call: Call, process: Process, { resource, address }: { readonly resource: number; readonly address: number }): number {
  const soft = call.memory.readU64(address);
  const hard = call.memory.readU64(address + 8);
  const old = limitOf(call.kernel, process, resource);
  if (soft === undefined || hard === undefined) return -ERRNO.EFAULT;
  if (old === undefined || soft > hard) return -ERRNO.EINVAL;
  if (hard > old[1]) return -ERRNO.EPERM;
  if (resource === RLIMIT.NOFILE) process.files.descriptors.limit = Number(soft);
  process.limits.set(resource, [soft, hard]);
  if (resource === RLIMIT.CPU) armCpuLimit(process);
  return 0;
}

/** The process whose limits are asked for: any of the same user in all of its ids, for root every one. */
function limitedProcess(call: Call, pid: number): Process | number {
  if (pid === 0 || pid === call.process.pid) return call.process;
  const process = call.kernel.findProcess(pid) ?? call.kernel.findThread(pid)?.process;
  if (process === undefined || process.isOver) return pid === INIT_PID ? -ERRNO.EPERM : -ERRNO.ESRCH;
  const [own, other] = [call.process.files.identity, process.files.identity];
  const isOwn = own.effective.uid === 0 || [other.real, other.effective, other.saved].every(({ uid, gid }) => uid === own.real.uid && gid === own.real.gid);
  return isOwn ? process : -ERRNO.EPERM;
}

function prlimit64(call: Call): CallResult {
  const [pid, resource, address, oldAddress] = [call.int(0), call.int(1), call.size(2), call.size(3)];
  const process = limitedProcess(call, pid);
  if (typeof process === 'number') return process;
  const old = limitOf(call.kernel, process, resource);
  if (old === undefined) return -ERRNO.EINVAL;
  const result = address === 0 ? 0 : setLimit(call, process, { resource, address });
  if (result < 0) return result;
  return oldAddress === 0 || writeLimit(call.memory, oldAddress, old) ? 0 : -ERRNO.EFAULT;
}

function getrlimit(call: Call): CallResult {
  const limit = limitOf(call.kernel, call.process, call.int(0));
  if (limit === undefined) return -ERRNO.EINVAL;
  return writeLimit(call.memory, call.size(1), limit) ? 0 : -ERRNO.EFAULT;
}

/** Effective, permitted, inheritable; the upper halves behind the lower ones. */
function capget(call: Call): CallResult {
  const words = capabilityWords(call);
  if (words < 0) return words === -ERRNO.EINVAL && call.size(1) === 0 ? 0 : words;
  const pid = call.memory.readU32(call.size(0) + 4);
  if (pid === undefined) return -ERRNO.EFAULT;
  if ((pid | 0) < 0) return -ERRNO.EINVAL;
  if (pid !== 0 && call.kernel.findThread(pid) === undefined) return -ERRNO.ESRCH;
  return call.size(1) === 0 || call.memory.write(call.size(1), capabilitySets(call, words)) ? 0 : -ERRNO.EFAULT;
}

/** Sets that are those there are change nothing. Nobody has others: fewer are refused as well as more. */
function capset(call: Call): CallResult {
  const words = capabilityWords(call);
  if (words < 0) return words;
  const pid = call.memory.readU32(call.size(0) + 4);
  if (pid === undefined) return -ERRNO.EFAULT;
  if (pid !== 0 && pid !== call.thread.tid) return -ERRNO.EPERM;
  const wanted = call.memory.readable(call.size(1), words * 4);
  if (wanted === undefined) return -ERRNO.EFAULT;
  return capabilitySets(call, words).every((byte, index) => byte === wanted[index]) ? 0 : -ERRNO.EPERM;
}

/** 32-bit words of the sets in the version that the header names; -EINVAL (the header then tells the version that is known) or -EFAULT. */
function capabilityWords(call: Call): number {
  const version = call.memory.readU32(call.size(0));
  if (version === undefined) return -ERRNO.EFAULT;
  if (version === 0x1998_0330) return 3;
  if (version === 0x2007_1026 || version === 0x2008_0522) return 6;
  return call.memory.writeU32(call.size(0), 0x2008_0522) ? -ERRNO.EINVAL : -ERRNO.EFAULT;
}

function capabilitySets(call: Call, words: number): Uint8Array {
  const sets = new DataView(new ArrayBuffer(words * 4));
  if (isPrivileged(call.process.files.identity)) for (const at of [0, 4]) sets.setUint32(at, Number(CAPABILITIES), true);
  return new Uint8Array(sets.buffer);
}

/** MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, the one that knows a flag (MEMBARRIER_CMD_FLAG_CPU). */
const BARRIER_RSEQ = 0x80;

/** MEMBARRIER_CMD_QUERY answers the commands; with one processor every barrier has happened. */
function membarrier(call: Call): CallResult {
  const known = 0x1ff;
  const [command, flags] = [call.unsigned(0), call.unsigned(1)];
  if (command === BARRIER_RSEQ ? (flags & ~1) !== 0 : flags !== 0) return -ERRNO.EINVAL;
  if (command === 0) return known;
  return (command & known) === command && (command & (command - 1)) === 0 ? 0 : -ERRNO.EINVAL;
}

const NICE = { MIN: -20, MAX: 19 } as const;

/** PRIO_PROCESS, PRIO_PGRP, PRIO_USER: those that `who` names, 0 for the caller's own. */
function processesOf(call: Call, which: number, who: number): Process[] {
  const { kernel, process: own } = call;
  const { uid } = own.files.credentials;
  return kernel.processes.filter((process) => {
    if (process.isOver) return false;
    if (which === 0) return who === 0 ? process === own : process.threads.some(({ tid }) => tid === who);
    return which === 1 ? process.group === (who === 0 ? own.group : who) : process.files.credentials.uid === (who === 0 ? uid : who);
  });
}

/** Linux answers 20 - nice, the best of all that are meant. */
function getpriority(call: Call): CallResult {
  const which = call.unsigned(0);
  if (which > 2) return -ERRNO.EINVAL;
  const meant = processesOf(call, which, call.int(1));
  return meant.length === 0 ? -ERRNO.ESRCH : Math.max(...meant.map(({ nice }) => 20 - nice));
}

/** Less nice is for a privileged user. */
function setpriority(call: Call): CallResult {
  const which = call.unsigned(0);
  if (which > 2) return -ERRNO.EINVAL;
  const meant = processesOf(call, which, call.int(1));
  if (meant.length === 0) return -ERRNO.ESRCH;
  const nice = Math.min(NICE.MAX, Math.max(NICE.MIN, call.int(2)));
  let answer = 0;
  for (const process of meant) {
    if (nice < process.nice && call.process.files.credentials.uid !== 0) answer = -ERRNO.EACCES;
    else process.nice = nice;
  }
  return answer;
}

/** Asks only. */
const ASK_PERSONALITY = 0xffff_ffff;

function personality(call: Call): CallResult {
  const wanted = call.unsigned(0);
  const { controls } = call.process;
  if (wanted !== ASK_PERSONALITY && wanted !== controls.personality) call.process.controls = { ...controls, personality: wanted };
  return controls.personality;
}

function getcpu(call: Call): CallResult {
  for (let index = 0; index < 2; index++) if (call.size(index) !== 0 && !call.memory.writeU32(call.size(index), 0)) return -ERRNO.EFAULT;
  return 0;
}

export const systemCalls: readonly CallEntry[] = [
  { number: 58, name: 'vhangup', handle: () => -ERRNO.EPERM },
  { number: 89, name: 'acct', handle: () => -ERRNO.EPERM },
  { number: 90, name: 'capget', handle: capget },
  { number: 91, name: 'capset', handle: capset },
  { number: 92, name: 'personality', handle: personality },
  { number: 104, name: 'kexec_load', handle: () => -ERRNO.EPERM },
  { number: 105, name: 'init_module', handle: () => -ERRNO.EPERM },
  { number: 106, name: 'delete_module', handle: () => -ERRNO.EPERM },
  { number: 116, name: 'syslog', handle: () => -ERRNO.EPERM }, // The kernel's log is not for users, as kernel.dmesg_restrict says.
  { number: 140, name: 'setpriority', handle: setpriority },
  { number: 141, name: 'getpriority', handle: getpriority },
  { number: 142, name: 'reboot', handle: () => -ERRNO.EPERM },
  { number: 160, name: 'uname', handle: uname },
  { number: 161, name: 'sethostname', handle: () => -ERRNO.EPERM },
  { number: 162, name: 'setdomainname', handle: () => -ERRNO.EPERM },
  { number: 163, name: 'getrlimit', handle: getrlimit },
  { number: 164, name: 'setrlimit', handle: (call) => setLimit(call, call.process, { resource: call.int(0), address: call.size(1) }) },
  ...controlCalls,
  { number: 168, name: 'getcpu', handle: getcpu },
  { number: 179, name: 'sysinfo', handle: sysinfo },
  { number: 224, name: 'swapon', handle: () => -ERRNO.EPERM },
  { number: 225, name: 'swapoff', handle: () => -ERRNO.EPERM },
  { number: 258, name: 'riscv_hwprobe', handle: () => -ERRNO.ENOSYS },
  { number: 259, name: 'riscv_flush_icache', handle: () => 0 },
  { number: 261, name: 'prlimit64', handle: prlimit64 },
  { number: 278, name: 'getrandom', handle: getrandom },
  { number: 283, name: 'membarrier', handle: membarrier },
  { number: 293, name: 'rseq', handle: () => -ERRNO.ENOSYS },
];
