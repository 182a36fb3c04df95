/**
 * The end of processes and who is told: exit, wait4, waitid.
 * What this does NOT do: birth (birth.ts).
 */
import { BLOCKED, NO_RESULT, type Call, type CallResult } from '../call.ts';
import { executedWithChildren } from '../cpu-time.ts';
import { ERRNO } from '../errno.ts';
import type { Process } from '../process.ts';
import { encodeSignalInfo } from '../signal-frame.ts';
import { SIGNAL } from '../signal-actions.ts';
import type { CallEntry } from './entry.ts';
import { pidArgument } from './event-files.ts';
import { openFileArgument } from './file-arguments.ts';
import { usageOf } from './time.ts';

function exit(call: Call): CallResult {
  call.kernel.endThread(call.thread, call.int(0) & 255);
  return NO_RESULT;
}

function exitGroup(call: Call): CallResult {
  call.kernel.endProcess(call.process, { kind: 'exited', status: call.int(0) & 255 });
  return NO_RESULT;
}

const W = { NOHANG: 1, UNTRACED: 2, EXITED: 4, CONTINUED: 8, NOWAIT: 0x0100_0000, NOTHREAD: 0x2000_0000, ALL: 0x4000_0000, CLONE: 0x8000_0000 } as const;
const WAIT4_KNOWN = W.NOHANG | W.UNTRACED | W.CONTINUED | W.NOTHREAD | W.ALL | W.CLONE;
const WAITID_KNOWN = WAIT4_KNOWN | W.EXITED | W.NOWAIT;
const CODE = { EXITED: 1, KILLED: 2, STOPPED: 5, CONTINUED: 6 } as const;

/** What is told of a child: `status` as wait4 encodes it, and siginfo's code and value. */
interface News { readonly child: Process; readonly status: number; readonly code: number; readonly value: number }

function newsOf(child: Process, options: number): News | undefined {
  const { outcome } = child;
  if (outcome !== undefined) {
    if ((options & W.EXITED) === 0) return undefined;
    return outcome.kind === 'exited'
      ? { child, status: outcome.status << 8, code: CODE.EXITED, value: outcome.status }
      : { child, status: outcome.signal, code: CODE.KILLED, value: outcome.signal };
  }
  if (child.news === 'stopped' && (options & W.UNTRACED) !== 0) return { child, status: (child.stopSignal << 8) | 0x7f, code: CODE.STOPPED, value: child.stopSignal };
  if (child.news === 'continued' && (options & W.CONTINUED) !== 0) return { child, status: 0xffff, code: CODE.CONTINUED, value: SIGNAL.CONT };
  return undefined;
}

/** Children that the call may be about, in order of birth; undefined: there are none (ECHILD). */
function look(call: Call, options: number, isMeant: (child: Process) => boolean): News | undefined | number {
  const children = call.kernel.processes.filter((child) => child.parentPid === call.process.pid && isMeant(child) && isWaitable(child, options));
  if (children.length === 0) return -ERRNO.ECHILD;
  for (const child of children) {
    const news = newsOf(child, options);
    if (news !== undefined) return news;
  }
  return undefined;
}

/** Children that do not end with SIGCHLD are for __WCLONE only, and of those that have ended there is nothing to come but that. */
function isWaitable(child: Process, options: number): boolean {
  if (child.outcome !== undefined && (options & W.EXITED) === 0) return false;
  return (options & W.ALL) !== 0 || ((options & W.CLONE) !== 0) === (child.exitSignal !== SIGNAL.CHLD);
}

/** It has been told. */
function settle(call: Call, news: News, options: number): void {
  if ((options & W.NOWAIT) !== 0) return;
  if (news.child.isOver) {
    call.process.childTime += executedWithChildren(news.child);
    call.kernel.reap(news.child);
  } else news.child.news = 'none';
}

function wait4(call: Call): CallResult {
  const [pid, statusAddress, options, usage] = [call.int(0), call.size(1), call.unsigned(2), call.size(3)];
  if ((options & ~WAIT4_KNOWN) !== 0) return -ERRNO.EINVAL;
  if (pid === -(2 ** 31)) return -ERRNO.ESRCH;
  const group = pid === 0 ? call.process.group : -pid;
  const news = look(call, options | W.EXITED, (child) => (pid > 0 ? child.pid === pid : pid === -1 || child.group === group));
  if (typeof news === 'number') return news;
  if (news === undefined) return (options & W.NOHANG) !== 0 ? 0 : BLOCKED;
  const used = executedWithChildren(news.child);
  settle(call, news, options); // Also where nobody can be told how it ended.
  if (statusAddress !== 0 && !call.memory.writeU32(statusAddress, news.status)) return -ERRNO.EFAULT;
  return usage === 0 || call.memory.write(usage, usageOf(call, used)) ? news.child.pid : -ERRNO.EFAULT;
}

const ID = { ALL: 0, PID: 1, PGID: 2, PIDFD: 3 } as const;

/** Whatever it answers, siginfo tells of a child or holds zeros. */
function waitid(call: Call): CallResult {
  const news = newsById(call);
  if (news === BLOCKED) return BLOCKED;
  const [address, options, usage] = [call.size(2), call.unsigned(3), call.size(4)];
  const hasNews = typeof news === 'object';
  const used = hasNews ? executedWithChildren(news.child) : 0;
  if (hasNews) settle(call, news, options);
  if (usage !== 0 && hasNews && !call.memory.write(usage, usageOf(call, used))) return -ERRNO.EFAULT;
  if (address !== 0 && !writeInfo(call, address, hasNews ? news : undefined)) return -ERRNO.EFAULT;
  return typeof news === 'number' ? news : 0;
}

/** What waitid finds; undefined: nothing yet and it does not wait; or -errno. */
function newsById(call: Call): News | undefined | number | typeof BLOCKED {
  const [given, options] = [call.int(0), call.unsigned(3)];
  if ((options & ~WAITID_KNOWN) !== 0 || (options & (W.EXITED | W.UNTRACED | W.CONTINUED)) === 0) return -ERRNO.EINVAL;
  if (given < ID.ALL || given > ID.PIDFD) return -ERRNO.EINVAL;
  const kind = given === ID.PIDFD ? ID.PID : given;
  const id = given === ID.PIDFD ? pidArgument(call, 1) : call.int(1);
  if (given === ID.PIDFD && id < 0) return id;
  if ((kind === ID.PID && id <= 0) || (kind === ID.PGID && id < 0)) return -ERRNO.EINVAL;
  const group = id === 0 ? call.process.group : id;
  const news = look(call, options, (child) => (kind === ID.ALL ? true : kind === ID.PID ? child.pid === id : child.group === group));
  if (news !== undefined || (options & W.NOHANG) !== 0) return news;
  return given === ID.PIDFD && isNonblocking(call, 1) ? -ERRNO.EAGAIN : BLOCKED;
}

function isNonblocking(call: Call, index: number): boolean {
  const openFile = openFileArgument(call, index);
  return typeof openFile !== 'number' && openFile.isNonblocking;
}

/** The six words that Linux writes: signal, errno, code; process, user, status. The others stay as they are. */
function writeInfo({ memory }: Call, address: number, news: News | undefined): boolean {
  const told = news === undefined ? new Uint8Array(28) : encodeSignalInfo({ signal: SIGNAL.CHLD, code: news.code, pid: news.child.pid, uid: news.child.files.identity.real.uid, value: BigInt(news.value), form: 'child' });
  return memory.writable(address, 28) !== undefined && memory.write(address, told.subarray(0, 12)) && memory.write(address + 16, told.subarray(16, 28));
}

export const processCalls: readonly CallEntry[] = [
  { number: 93, name: 'exit', handle: exit },
  { number: 94, name: 'exit_group', handle: exitGroup },
  { number: 95, name: 'waitid', handle: waitid },
  { number: 260, name: 'wait4', handle: wait4 },
];
