/**
 * adjtimex and clock_adjtime: anybody may ask how the clock is kept, nobody may change it. The answer is that of a machine whose clock no
 * server steers: TIME_ERROR, STA_UNSYNC.
 */
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { CLOCK } from '../clock.ts';
import { ERRNO } from '../errno.ts';
import type { CallEntry } from './entry.ts';
import { MICROSECOND, SECOND } from './timespec.ts';

const TIMEX_BYTES = 208;
const ADJ_ADJTIME = 0x8000;
const ADJ_OFFSET_SINGLESHOT = 0x8001;
const ADJ_OFFSET_READONLY = 0x2000;
const STA_UNSYNC = 0x40;
const TIME_ERROR = 5;
/** What Linux begins with: errors in microseconds, the tolerance in 2^-16 parts of a million, the tick in microseconds. */
const FRESH = { error: 16_000_000n, constant: 2n, precision: 1n, tolerance: 500n << 16n, tick: 10_000n } as const;

function adjust(call: Call, address: number): CallResult {
  const modes = call.memory.readU32(address);
  if (modes === undefined || call.memory.readable(address, TIMEX_BYTES) === undefined) return -ERRNO.EFAULT;
  const isSingle = (modes & ADJ_ADJTIME) !== 0;
  if (isSingle && (modes & ADJ_OFFSET_SINGLESHOT) !== ADJ_OFFSET_SINGLESHOT) return -ERRNO.EINVAL;
  if (isSingle ? (modes & ADJ_OFFSET_READONLY) === 0 : modes !== 0) return -ERRNO.EPERM;
  const now = call.kernel.clock.read(CLOCK.REALTIME);
  if (now === undefined) return BLOCKED;
  const view = new DataView(new ArrayBuffer(TIMEX_BYTES));
  view.setUint32(0, modes, true);
  view.setInt32(40, STA_UNSYNC, true);
  const words: readonly (readonly [number, bigint])[] = [
    [24, FRESH.error], [32, FRESH.error], [48, FRESH.constant], [56, FRESH.precision], [64, FRESH.tolerance], [72, now / SECOND], [80, (now % SECOND) / MICROSECOND], [88, FRESH.tick],
  ];
  for (const [offset, value] of words) view.setBigInt64(offset, value, true);
  return call.memory.write(address, new Uint8Array(view.buffer)) ? TIME_ERROR : -ERRNO.EFAULT;
}

function clockAdjtime(call: Call): CallResult {
  const clock = call.int(0);
  if (clock === CLOCK.REALTIME) return adjust(call, call.size(1));
  return clock > CLOCK.TAI || clock < 0 ? -ERRNO.EINVAL : -ERRNO.EOPNOTSUPP;
}

export const adjustClockCalls: readonly CallEntry[] = [
  { number: 171, name: 'adjtimex', handle: (call) => adjust(call, call.size(0)) },
  { number: 266, name: 'clock_adjtime', handle: clockAdjtime },
];
