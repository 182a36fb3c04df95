/**
 * Clocks, sleeps and timers. Reads show what the clock mode says; sleeps and timers follow the hidden time line (clock.ts).
 * Adjusting a clock is refused (EPERM): the guest is an ordinary user.
 */
import { CLOCK_TICKS } from '../boot.ts';
import { BLOCKED, NO_RESULT, type Call, type CallResult } from '../call.ts';
import { CLOCK } from '../clock.ts';
import { cpuClock, executedBy, processClock, readCpuClock } from '../cpu-time.ts';
import { ERRNO } from '../errno.ts';
import { usedBytes } from '../proc-process.ts';
import { isQueueable } from '../queued-signals.ts';
import { SIGNAL, SIGNALS_MAX } from '../signal-actions.ts';
import { INTERVAL_TIMER, newTimer, TIMERS_MAX, type GuestTimer } from '../timers.ts';
import { adjustClockCalls } from './adjust-clock.ts';
import type { CallEntry } from './entry.ts';
import { MICROSECOND, readTimespec, readTimeval, SECOND, writeTimespec, writeTimeval } from './timespec.ts';

const TIMER_ABSTIME = 1;

/** What a clock shows; undefined when the host must supply it first, -EINVAL when there is no such clock. CPU clocks count from the owner's first instruction. */
function readClock(call: Call, number: number): bigint | undefined | number {
  const { kernel, thread } = call;
  const cpu = cpuClock(kernel, thread, number);
  if (cpu !== undefined) return kernel.clock.shown(readCpuClock(kernel, cpu, thread)?.time ?? 0n);
  return isWallClock(call, number) ? kernel.clock.read(number) : -ERRNO.EINVAL;
}

function isWallClock({ kernel }: Call, number: number): boolean {
  return number >= 0 && kernel.clock.isKnown(number);
}

function clockGettime(call: Call): CallResult {
  const time = readClock(call, call.int(0));
  if (time === undefined) return BLOCKED;
  if (typeof time === 'number') return time;
  return writeTimespec(call.memory, call.size(1), time) ? 0 : -ERRNO.EFAULT;
}

function clockGetres(call: Call): CallResult {
  if (cpuClock(call.kernel, call.thread, call.int(0)) === undefined && !isWallClock(call, call.int(0))) return -ERRNO.EINVAL;
  if (call.size(1) === 0) return 0;
  return writeTimespec(call.memory, call.size(1), 1n) ? 0 : -ERRNO.EFAULT;
}

function gettimeofday(call: Call): CallResult {
  if (call.size(0) !== 0) {
    const time = call.kernel.clock.read(CLOCK.REALTIME);
    if (time === undefined) return BLOCKED;
    if (!writeTimeval(call.memory, call.size(0), time)) return -ERRNO.EFAULT;
  }
  if (call.size(1) !== 0 && !call.memory.write(call.size(1), new Uint8Array(8))) return -ERRNO.EFAULT;
  return 0;
}

/** Begins a sleep; the scheduler ends it. */
function sleepFor(call: Call, sleep: { readonly time: bigint; readonly remainder: number }): CallResult {
  call.thread.wait = { kind: 'sleep', deadline: call.kernel.clock.hidden + sleep.time, remainder: sleep.remainder };
  return NO_RESULT;
}

function nanosleep(call: Call): CallResult {
  const time = readTimespec(call.memory, call.size(0));
  return typeof time === 'number' ? time : sleepFor(call, { time, remainder: call.size(1) });
}

/** Clocks that can be read, and neither waited for nor timed by. */
const WITHOUT_TIMERS: ReadonlySet<number> = new Set([CLOCK.MONOTONIC_RAW, CLOCK.REALTIME_COARSE, CLOCK.MONOTONIC_COARSE]);

function clockNanosleep(call: Call): CallResult {
  const number = call.int(0);
  const isCpuClock = cpuClock(call.kernel, call.thread, number) !== undefined;
  const time = readTimespec(call.memory, call.size(2));
  if (number === CLOCK.THREAD || (!isCpuClock && !isWallClock(call, number))) return -ERRNO.EINVAL;
  if (WITHOUT_TIMERS.has(number)) return -ERRNO.EOPNOTSUPP;
  if (typeof time === 'number') return time;
  if ((call.int(1) & TIMER_ABSTIME) === 0) return sleepFor(call, { time, remainder: call.size(3) });
  const now = readClock(call, number);
  if (now === undefined) return BLOCKED;
  if (typeof now === 'number') return now;
  return sleepFor(call, { time: time > now ? time - now : 0n, remainder: 0 });
}

/** The wall clock belongs to the recording: as in a container without CAP_SYS_TIME nobody sets it. Clocks that cannot be set are named first. */
function clockSettime(call: Call): CallResult {
  const time = readTimespec(call.memory, call.size(1));
  if (call.int(0) !== CLOCK.REALTIME) return -ERRNO.EINVAL;
  return typeof time === 'number' ? time : -ERRNO.EPERM;
}

/** Nanoseconds of CPU time in the ticks of times() and /proc. */
export function ticksOf(time: bigint): bigint {
  return time * BigInt(CLOCK_TICKS) / SECOND;
}

function times(call: Call): CallResult {
  const { clock } = call.kernel;
  if (call.size(0) !== 0) {
    const view = new DataView(new ArrayBuffer(32)); // User, system; children's user, system.
    view.setBigInt64(0, ticksOf(clock.shown(BigInt(executedBy(call.process)))), true);
    view.setBigInt64(16, ticksOf(clock.shown(BigInt(call.process.childTime))), true);
    if (!call.memory.write(call.size(0), new Uint8Array(view.buffer))) return -ERRNO.EFAULT;
  }
  return ticksOf(clock.mode.kind === 'zero' ? 0n : clock.hidden);
}

const RUSAGE = { CHILDREN: -1, SELF: 0, THREAD: 1 } as const;
const RUSAGE_BYTES = 144;
/** ru_maxrss, in KiB. */
const RUSAGE_LARGEST_OFFSET = 32;

/**
 * struct rusage: user time, and the memory of the caller as the largest that anybody had: what is mapped counts as resident, children begin as copies of it,
 * and a largest size of the past would be state that nothing else needs.
 */
export function usageOf(call: Call, executed: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(RUSAGE_BYTES));
  const time = call.kernel.clock.shown(BigInt(executed));
  view.setBigInt64(0, time / SECOND, true);
  view.setBigInt64(8, (time % SECOND) / MICROSECOND, true);
  if (executed > 0) view.setBigInt64(RUSAGE_LARGEST_OFFSET, BigInt(Math.floor(usedBytes(call.process) / 1024)), true);
  return new Uint8Array(view.buffer);
}

function getrusage(call: Call): CallResult {
  const who = call.int(0);
  const { process, thread } = call;
  if (who < RUSAGE.CHILDREN || who > RUSAGE.THREAD) return -ERRNO.EINVAL;
  const executed = who === RUSAGE.CHILDREN ? process.childTime : who === RUSAGE.THREAD ? thread.executed : executedBy(process);
  return call.memory.write(call.size(1), usageOf(call, executed)) ? 0 : -ERRNO.EFAULT;
}

// Timers.

const INTERVAL_SIGNAL = [SIGNAL.ALRM, SIGNAL.VTALRM, SIGNAL.PROF] as const;

/** Now, on the line that the timer's deadline is on. */
function nowOf({ kernel, thread }: Call, { clock }: GuestTimer): bigint {
  return clock < 0 ? readCpuClock(kernel, clock, thread)?.time ?? 0n : kernel.clock.hidden;
}

function remaining(call: Call, timer: GuestTimer | undefined): bigint {
  return timer?.deadline === undefined ? 0n : timer.deadline - nowOf(call, timer);
}

function arm(call: Call, timer: GuestTimer, setting: { readonly value: bigint; readonly interval: bigint }): void {
  timer.deadline = setting.value === 0n ? undefined : nowOf(call, timer) + setting.value;
  timer.interval = setting.interval;
  timer.overrun = 0;
  call.kernel.refreshSchedule();
}

function intervalTimer(call: Call, which: number): GuestTimer | undefined {
  return call.process.timers.find((timer) => timer.id === INTERVAL_TIMER.real - which);
}

function writeInterval(call: Call, address: number, timer: GuestTimer | undefined): boolean {
  return writeTimeval(call.memory, address, timer?.interval ?? 0n) && writeTimeval(call.memory, address + 16, remaining(call, timer));
}

function getitimer(call: Call): CallResult {
  const which = call.int(0);
  if (which < 0 || which > 2) return -ERRNO.EINVAL;
  return writeInterval(call, call.size(1), intervalTimer(call, which)) ? 0 : -ERRNO.EFAULT;
}

function setitimer(call: Call): CallResult {
  const which = call.int(0);
  const signal = INTERVAL_SIGNAL[which];
  if (signal === undefined) return -ERRNO.EINVAL;
  const address = call.size(1);
  const interval = address === 0 ? 0n : readTimeval(call.memory, address);
  const value = address === 0 ? 0n : readTimeval(call.memory, address + 16);
  if (typeof interval === 'number') return interval;
  if (typeof value === 'number') return value;
  let timer = intervalTimer(call, which);
  if (call.size(2) !== 0 && !writeInterval(call, call.size(2), timer)) return -ERRNO.EFAULT;
  if (timer === undefined) {
    timer = newTimer({ id: INTERVAL_TIMER.real - which, signal, value: 0n, tid: 0, clock: which === 0 ? CLOCK.REALTIME : processClock(call.process.pid) });
    call.process.timers.push(timer);
  }
  // As Linux has it: real time forgets the period of a timer that is not running, CPU time keeps it.
  arm(call, timer, { value, interval: which === 0 && value === 0n ? 0n : interval });
  return 0;
}

const SIGEV = { SIGNAL: 0, NONE: 1, THREAD_ID: 4 } as const;

function timerCreate(call: Call): CallResult {
  const clock = cpuClock(call.kernel, call.thread, call.int(0)) ?? (isWallClock(call, call.int(0)) ? call.int(0) : undefined);
  if (clock === undefined) return -ERRNO.EINVAL;
  if (WITHOUT_TIMERS.has(clock)) return -ERRNO.EOPNOTSUPP;
  const { timers } = call.process;
  if (timers.length >= TIMERS_MAX || !isQueueable(call.kernel, call.process)) return -ERRNO.EAGAIN;
  let id = 0;
  while (timers.some((timer) => timer.id === id)) id++;
  const event = call.size(1) === 0 ? undefined : call.memory.readable(call.size(1), 64);
  if (call.size(1) !== 0 && event === undefined) return -ERRNO.EFAULT;
  const view = event === undefined ? undefined : new DataView(event.buffer, event.byteOffset, event.byteLength);
  const notify = view?.getInt32(12, true) ?? SIGEV.SIGNAL;
  const signal = notify === SIGEV.NONE ? 0 : view?.getInt32(8, true) ?? SIGNAL.ALRM;
  if ((notify !== SIGEV.NONE && notify !== SIGEV.SIGNAL && notify !== SIGEV.THREAD_ID) || signal < 0 || signal > SIGNALS_MAX || (signal === 0 && notify !== SIGEV.NONE)) return -ERRNO.EINVAL;
  const tid = notify === SIGEV.THREAD_ID ? view?.getInt32(16, true) ?? 0 : 0;
  if (notify === SIGEV.THREAD_ID && !call.process.threads.some((thread) => thread.tid === tid)) return -ERRNO.EINVAL;
  if (!call.memory.writeU32(call.size(2), id)) return -ERRNO.EFAULT;
  timers.push(newTimer({ id, signal, value: view?.getBigUint64(0, true) ?? BigInt(id), tid, clock }));
  return 0;
}

function timerOf(call: Call): GuestTimer | undefined {
  const id = call.int(0);
  return id < 0 ? undefined : call.process.timers.find((timer) => timer.id === id);
}

function writeTimer(call: Call, address: number, timer: GuestTimer): boolean {
  return writeTimespec(call.memory, address, timer.interval) && writeTimespec(call.memory, address + 16, remaining(call, timer));
}

function timerGettime(call: Call): CallResult {
  const timer = timerOf(call);
  if (timer === undefined) return -ERRNO.EINVAL;
  return writeTimer(call, call.size(1), timer) ? 0 : -ERRNO.EFAULT;
}

function timerSettime(call: Call): CallResult {
  const timer = timerOf(call);
  const interval = readTimespec(call.memory, call.size(2));
  const wanted = readTimespec(call.memory, call.size(2) + 16);
  if (timer === undefined || call.size(2) === 0) return -ERRNO.EINVAL;
  if (typeof interval === 'number') return interval;
  if (typeof wanted === 'number') return wanted;
  let value = wanted;
  if ((call.int(1) & TIMER_ABSTIME) !== 0 && wanted > 0n) {
    const now = readClock(call, timer.clock);
    if (now === undefined) return BLOCKED;
    if (typeof now === 'number') return now;
    // A time that has passed fires at once: after the smallest time there is.
    value = wanted > now ? wanted - now : 1n;
  }
  if (call.size(3) !== 0 && !writeTimer(call, call.size(3), timer)) return -ERRNO.EFAULT;
  arm(call, timer, { value, interval });
  return 0;
}

function timerDelete(call: Call): CallResult {
  const timer = timerOf(call);
  if (timer === undefined) return -ERRNO.EINVAL;
  call.process.timers.splice(call.process.timers.indexOf(timer), 1);
  call.kernel.refreshSchedule();
  return 0;
}

export const timeCalls: readonly CallEntry[] = [
  { number: 101, name: 'nanosleep', handle: nanosleep },
  { number: 102, name: 'getitimer', handle: getitimer },
  { number: 103, name: 'setitimer', handle: setitimer },
  { number: 107, name: 'timer_create', handle: timerCreate },
  { number: 108, name: 'timer_gettime', handle: timerGettime },
  { number: 109, name: 'timer_getoverrun', handle: (call) => timerOf(call)?.overrun ?? -ERRNO.EINVAL },
  { number: 110, name: 'timer_settime', handle: timerSettime },
  { number: 111, name: 'timer_delete', handle: timerDelete },
  { number: 112, name: 'clock_settime', handle: clockSettime },
  { number: 113, name: 'clock_gettime', handle: clockGettime },
  { number: 114, name: 'clock_getres', handle: clockGetres },
  { number: 115, name: 'clock_nanosleep', handle: clockNanosleep },
  { number: 153, name: 'times', handle: times },
  { number: 165, name: 'getrusage', handle: getrusage },
  { number: 169, name: 'gettimeofday', handle: gettimeofday },
  { number: 170, name: 'settimeofday', handle: () => -ERRNO.EPERM },
  ...adjustClockCalls,
];
