/**
 * prctl: names, capabilities (none to be had), and the switches of a process (process-controls.ts). What others Linux knows is EINVAL.
 */
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { CAPABILITIES, isPrivileged } from '../files/identity.ts';
import { bytesOf } from '../proc-files.ts';
import { REFUSES, TIMER_SLACK, type Controls } from '../process-controls.ts';
import { SIGNALS_MAX } from '../signal-actions.ts';
import type { CallEntry } from './entry.ts';

const PR = {
  SET_PDEATHSIG: 1, GET_PDEATHSIG: 2, GET_DUMPABLE: 3, SET_DUMPABLE: 4, GET_KEEPCAPS: 7, SET_KEEPCAPS: 8, SET_NAME: 15, GET_NAME: 16, GET_TIMING: 13, SET_TIMING: 14, GET_SECCOMP: 21, CAPBSET_READ: 23, GET_SECUREBITS: 27, SET_TIMERSLACK: 29, GET_TIMERSLACK: 30, TASK_PERF_EVENTS_DISABLE: 31, TASK_PERF_EVENTS_ENABLE: 32, MCE_KILL: 33, MCE_KILL_GET: 34, SET_CHILD_SUBREAPER: 36,
  GET_CHILD_SUBREAPER: 37, SET_NO_NEW_PRIVS: 38, GET_NO_NEW_PRIVS: 39, GET_TID_ADDRESS: 40, SET_THP_DISABLE: 41, GET_THP_DISABLE: 42, CAP_AMBIENT: 47, CAPBSET_DROP: 24, SET_SECUREBITS: 28, SET_MM: 35, SET_IO_FLUSHER: 57, GET_IO_FLUSHER: 58,
  SET_MDWE: 65, GET_MDWE: 66, SET_MEMORY_MERGE: 67, GET_MEMORY_MERGE: 68, GET_AUXV: 0x4155_5856,
} as const;
const MCE_KILL_DEFAULT = 2;
const NAME_BYTES = 16;
const CAPABILITY_LAST = 40;

function prctl(call: Call): CallResult {
  const address = call.size(1);
  switch (call.int(0)) {
    case PR.SET_NAME: {
      const name = call.memory.readString(address, NAME_BYTES - 1);
      if (name === 'fault') return -ERRNO.EFAULT;
      const bytes = name === 'long' ? call.memory.readable(address, NAME_BYTES - 1) ?? new Uint8Array(0) : name;
      call.thread.name = String.fromCharCode(...bytes);
      return 0;
    }
    case PR.GET_NAME: {
      const bytes = new Uint8Array(NAME_BYTES);
      bytes.set(bytesOf(call.thread.name));
      return call.memory.write(address, bytes) ? 0 : -ERRNO.EFAULT;
    }
    case PR.GET_TIMING:
    case PR.TASK_PERF_EVENTS_DISABLE:
    case PR.TASK_PERF_EVENTS_ENABLE:
    case PR.GET_SECCOMP:
    case PR.GET_SECUREBITS: return 0;
    case PR.SET_TIMING: return address === 0 ? 0 : -ERRNO.EINVAL;
    case PR.MCE_KILL_GET: return [1, 2, 3, 4].every((index) => call.size(index) === 0) ? MCE_KILL_DEFAULT : -ERRNO.EINVAL;
    case PR.MCE_KILL: return [1, 2, 3, 4].every((index) => call.size(index) === 0) ? 0 : -ERRNO.EINVAL;
    case PR.SET_SECUREBITS:
    case PR.SET_MM:
    case PR.SET_IO_FLUSHER:
    case PR.GET_IO_FLUSHER:
    case PR.CAPBSET_DROP: return -ERRNO.EPERM;
    case PR.CAP_AMBIENT: return ambient(call);
    case PR.CAPBSET_READ: return address > CAPABILITY_LAST ? -ERRNO.EINVAL : isPrivileged(call.process.files.identity) ? Number((CAPABILITIES >> BigInt(address)) & 1n) : 0;
    case PR.GET_AUXV: return tellAuxiliary(call);
    default: return ask(call) ?? change(call) ?? -ERRNO.EINVAL;
  }
}

/** The length of the auxiliary vector, and as much of it as there is room for. */
function tellAuxiliary(call: Call): number {
  if (call.size(3) !== 0 || call.size(4) !== 0) return -ERRNO.EINVAL;
  const { auxiliary } = call.process.image;
  return call.memory.write(call.size(1), auxiliary.subarray(0, call.size(2))) ? auxiliary.length : -ERRNO.EFAULT;
}

function hasNoMore(call: Call): boolean {
  return [2, 3, 4].every((index) => call.size(index) === 0);
}

/** The calls that ask for a switch; undefined: it is none of them. */
function ask(call: Call): number | undefined {
  const { controls } = call.process;
  const tell = (value: number): number => (call.memory.writeU32(call.size(1), value) ? 0 : -ERRNO.EFAULT);
  switch (call.int(0)) {
    case PR.GET_PDEATHSIG: return tell(controls.deathSignal);
    case PR.GET_CHILD_SUBREAPER: return tell(Number(controls.isSubreaper));
    case PR.GET_DUMPABLE: return Number(controls.isDumpable);
    case PR.GET_KEEPCAPS: return Number(controls.keepsCapabilities);
    case PR.GET_TIMERSLACK: return controls.timerSlack;
    case PR.GET_NO_NEW_PRIVS: return Number(controls.hasNoNewPrivileges);
    case PR.GET_THP_DISABLE: return Number(controls.hasNoHugePages);
    case PR.GET_TID_ADDRESS: return call.memory.writeU64(call.size(1), BigInt(call.thread.clearTidAddress)) ? 0 : -ERRNO.EFAULT;
    case PR.GET_MDWE: return call.size(1) === 0 && hasNoMore(call) ? controls.refusesCode : -ERRNO.EINVAL;
    case PR.GET_MEMORY_MERGE: return call.size(1) === 0 && hasNoMore(call) ? 0 : -ERRNO.EINVAL;
    default: return undefined;
  }
}

function change(call: Call): number | undefined {
  const value = call.size(1);
  const set = (changed: Partial<Controls>, isSound = true): number => {
    if (!isSound) return -ERRNO.EINVAL;
    call.process.controls = { ...call.process.controls, ...changed };
    return 0;
  };
  switch (call.int(0)) {
    case PR.SET_PDEATHSIG: return set({ deathSignal: value }, value <= SIGNALS_MAX);
    case PR.SET_CHILD_SUBREAPER: return set({ isSubreaper: value !== 0 });
    case PR.SET_DUMPABLE: return set({ isDumpable: value === 1 }, value <= 1);
    case PR.SET_KEEPCAPS: return set({ keepsCapabilities: value === 1 }, value <= 1);
    case PR.SET_TIMERSLACK: return set({ timerSlack: value === 0 || value > 2 ** 63 ? TIMER_SLACK : value });
    case PR.SET_NO_NEW_PRIVS: return set({ hasNoNewPrivileges: true }, value === 1 && hasNoMore(call));
    case PR.SET_THP_DISABLE: return set({ hasNoHugePages: value !== 0 }, hasNoMore(call));
    case PR.SET_MEMORY_MERGE: return hasNoMore(call) ? 0 : -ERRNO.EINVAL; // Pages are never merged.
    case PR.SET_MDWE: return refuseCode(call, value);
    default: return undefined;
  }
}

/** PR_SET_MDWE: no way back. The second bit alone means nothing. */
function refuseCode(call: Call, wanted: number): number {
  const { controls } = call.process;
  if ((wanted & ~REFUSES.KNOWN) !== 0 || wanted === REFUSES.NOT_IN_CHILDREN || wanted > REFUSES.KNOWN || !hasNoMore(call)) return -ERRNO.EINVAL;
  if (controls.refusesCode !== 0 && controls.refusesCode !== wanted) return -ERRNO.EPERM;
  call.process.controls = { ...controls, refusesCode: wanted };
  return 0;
}

const AMBIENT = { IS_SET: 1, RAISE: 2, LOWER: 3, CLEAR_ALL: 4 } as const;

/** There are no capabilities to be raised. */
function ambient(call: Call): CallResult {
  const [request, capability] = [call.size(1), call.size(2)];
  if (request === AMBIENT.CLEAR_ALL) return capability === 0 ? 0 : -ERRNO.EINVAL;
  if (capability > CAPABILITY_LAST) return -ERRNO.EINVAL;
  if (request === AMBIENT.RAISE) return -ERRNO.EPERM;
  return request === AMBIENT.IS_SET || request === AMBIENT.LOWER ? 0 : -ERRNO.EINVAL;
}

export const controlCalls: readonly CallEntry[] = [{ number: 167, name: 'prctl', handle: prctl }];
