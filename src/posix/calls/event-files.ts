/**
 * Descriptors that stand for something that happens: timers (timerfd), signals (signalfd) and processes (pidfd). Reading and polling them is
 * open-file-io.ts's and poll-state.ts's.
 * What this does NOT do: TFD_TIMER_CANCEL_ON_SET (nobody sets the clock), descriptors of single threads.
 */
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { O } from '../files/flags.ts';
import type { SignalInode, TimerInode } from '../files/inode.ts';
import { SI, SIGNALS_MAX, UNBLOCKABLE } from '../signal-actions.ts';
import { sendSignal } from '../signal-delivery.ts';
import { decodeSignalInfo, SIGINFO_BYTES } from '../signal-frame.ts';
import type { SignalInfo } from '../signal-pending.ts';
import { openFileArgument, type FileCall } from './file-arguments.ts';
import { installAnonymous, roomForOne } from './file-open.ts';
import { processToLookInto } from './other-processes.ts';
import { readTimespec, writeTimespec } from './timespec.ts';

const SET_BYTES = 8;
const ITIMERSPEC_BYTES = 32;
const TFD_ABSTIME = 1;
const TFD_CANCEL_ON_SET = 2;
/** REALTIME, MONOTONIC, BOOTTIME; the alarm clocks are for privileged users. */
const TIMER_CLOCKS: ReadonlySet<number> = new Set([0, 1, 7]);

function timerfdCreate(call: Call): CallResult {
  const [clock, flags] = [call.int(0), call.unsigned(1)];
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK)) !== 0) return -ERRNO.EINVAL;
  if (!TIMER_CLOCKS.has(clock)) return clock === 8 || clock === 9 ? -ERRNO.EPERM : -ERRNO.EINVAL;
  const room = roomForOne(call);
  if (room < 0) return room;
  return installAnonymous(call, call.kernel.files.makeTimer(clock), { flags: flags | O.RDWR, path: 'anon_inode:[timerfd]' });
}

function timerArgument(call: Call): TimerInode | number {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  return openFile.inode.kind === 'timer' ? openFile.inode : -ERRNO.EINVAL;
}

/** struct itimerspec: interval, then what is left (0: disarmed). */
function writeSetting(call: Call, address: number, { interval, deadline }: TimerInode): number {
  if (call.memory.writable(address, ITIMERSPEC_BYTES) === undefined) return -ERRNO.EFAULT;
  const left = deadline === undefined ? 0n : deadline - call.kernel.clock.hidden;
  writeTimespec(call.memory, address, interval);
  writeTimespec(call.memory, address + ITIMERSPEC_BYTES / 2, left > 0n ? left : deadline === undefined ? 0n : 1n);
  return 0;
}

function timerfdSettime(call: Call): CallResult {
  const [flags, address, oldAddress] = [call.unsigned(1), call.size(2), call.size(3)];
  if ((flags & ~(TFD_ABSTIME | TFD_CANCEL_ON_SET)) !== 0) return -ERRNO.EINVAL;
  const interval = readTimespec(call.memory, address);
  const value = readTimespec(call.memory, address + ITIMERSPEC_BYTES / 2);
  const timer = timerArgument(call);
  if (typeof interval === 'number') return interval;
  if (typeof value === 'number') return value;
  if (typeof timer === 'number') return timer;
  const { clock, files } = call.kernel;
  const now = (flags & TFD_ABSTIME) === 0 ? 0n : clock.read(timer.clock);
  if (now === undefined) return BLOCKED;
  if (oldAddress !== 0) {
    const stored = writeSetting(call, oldAddress, timer);
    if (stored < 0) return stored;
  }
  timer.interval = interval;
  timer.deadline = value === 0n ? undefined : clock.hidden + (value > now ? value - now : 0n);
  timer.ticks = 0n;
  timer.changes++;
  files.timers.add(timer);
  call.kernel.refreshSchedule();
  return 0;
}

function timerfdGettime(call: Call): CallResult {
  const timer = timerArgument(call);
  return typeof timer === 'number' ? timer : writeSetting(call, call.size(1), timer);
}

function signalfd4(call: Call): CallResult {
  const [number, address, size, flags] = [call.int(0), call.size(1), call.size(2), call.unsigned(3)];
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK)) !== 0 || size !== SET_BYTES) return -ERRNO.EINVAL;
  const set = call.memory.readU64(address);
  if (set === undefined) return -ERRNO.EFAULT;
  const mask = set & ~UNBLOCKABLE;
  if (number !== -1) {
    const openFile = openFileArgument(call, 0);
    if (typeof openFile === 'number') return openFile;
    if (openFile.inode.kind !== 'signal') return -ERRNO.EINVAL;
    const inode: SignalInode = openFile.inode;
    inode.mask = mask;
    return number;
  }
  const room = roomForOne(call);
  if (room < 0) return room;
  return installAnonymous(call, call.kernel.files.makeSignal(mask), { flags: flags | O.RDWR, path: 'anon_inode:[signalfd]' });
}

// Processes.

/** A descriptor for a process that exists, or -errno. */
export function openProcess(call: Call, pid: number, flags: number): number {
  const room = roomForOne(call);
  if (room < 0) return room;
  return installAnonymous(call, call.kernel.files.makeProcess(pid), { flags: flags | O.CLOEXEC | O.RDWR, path: 'anon_inode:[pidfd]' });
}

function pidfdOpen(call: Call): CallResult {
  const [pid, flags] = [call.int(0), call.unsigned(1)];
  if ((flags & ~O.NONBLOCK) !== 0 || pid <= 0) return -ERRNO.EINVAL;
  if (call.kernel.findProcess(pid) !== undefined) return openProcess(call, pid, flags);
  return call.kernel.findThread(pid) === undefined ? -ERRNO.ESRCH : -ERRNO.EINVAL;
}

/** The process that the descriptor at an argument stands for; it may be gone. */
export function pidArgument(call: Call, index: number): number {
  const openFile = openFileArgument(call, index);
  if (typeof openFile === 'number') return openFile;
  return openFile.inode.kind === 'process' ? openFile.inode.pid : -ERRNO.EBADF;
}

/** The process of the first argument: a pidfd, or the directory of one in /proc, which is as good for sending signals. */
function signalledArgument(call: Call): number {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number' || openFile.inode.kind !== 'virtual') return pidArgument(call, 0);
  const [, pid] = /^\/proc\/([0-9]+)$/.exec(openFile.inode.path) ?? [];
  return pid === undefined ? -ERRNO.EBADF : Number(pid);
}

function pidfdSendSignal(call: Call): CallResult {
  const [signal, address, flags] = [call.int(1), call.size(2), call.unsigned(3)];
  if (flags !== 0) return -ERRNO.EINVAL;
  const pid = signalledArgument(call);
  if (pid < 0) return pid;
  if (signal < 0 || signal > SIGNALS_MAX) return -ERRNO.EINVAL;
  let info: SignalInfo = { signal, code: SI.USER, pid: call.process.pid, uid: call.process.files.identity.real.uid, value: 0n, form: 'kill' };
  if (address !== 0) {
    const bytes = call.memory.readable(address, SIGINFO_BYTES);
    if (bytes === undefined) return -ERRNO.EFAULT;
    if (new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true) !== signal) return -ERRNO.EINVAL;
    info = decodeSignalInfo(bytes, signal);
    if ((info.code >= 0 || info.code === SI.TKILL) && pid !== call.process.pid) return -ERRNO.EPERM;
  }
  const process = call.kernel.findProcess(pid);
  if (process === undefined || process.isOver) return -ERRNO.ESRCH;
  return signal === 0 ? 0 : sendSignal(call.kernel, { process }, info);
}

function pidfdGetfd(call: Call): CallResult {
  if (call.unsigned(2) !== 0) return -ERRNO.EINVAL;
  const pid = pidArgument(call, 0);
  if (pid < 0) return pid;
  const process = processToLookInto(call, pid);
  if (typeof process === 'number') return process;
  const openFile = process.files.descriptors.get(call.int(1));
  return openFile === undefined ? -ERRNO.EBADF : call.process.files.install(openFile, { closesOnExec: true });
}

export const eventCalls: readonly FileCall[] = [
  { number: 74, name: 'signalfd4', handle: signalfd4 },
  { number: 85, name: 'timerfd_create', handle: timerfdCreate },
  { number: 86, name: 'timerfd_settime', handle: timerfdSettime },
  { number: 87, name: 'timerfd_gettime', handle: timerfdGettime },
  { number: 424, name: 'pidfd_send_signal', handle: pidfdSendSignal },
  { number: 434, name: 'pidfd_open', handle: pidfdOpen },
  { number: 438, name: 'pidfd_getfd', handle: pidfdGetfd },
];
