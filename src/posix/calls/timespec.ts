/**
 * struct timespec, timeval and itimerspec in guest memory: 64-bit seconds and fractions, little-endian. Times are nanoseconds, bigint.
 * What this does NOT do: clocks (clock.ts).
 */
import type { GuestMemory } from '../../engine/index.ts';
import { PAGE_FLAG } from '../../isa/index.ts';
import { ERRNO } from '../errno.ts';

export const SECOND = 1_000_000_000n;
export const MICROSECOND = 1_000n;
/** Longest time that is kept: about 292 years, as in Linux (KTIME_MAX). */
const TIME_MAX = 2n ** 63n - 1n;
const PAIR_BYTES = 16;

function readPair(memory: GuestMemory, address: number, fraction: { readonly unit: bigint }): bigint | number {
  const seconds = memory.readU64(address);
  const part = memory.readU64(address + 8);
  if (seconds === undefined || part === undefined) return -ERRNO.EFAULT;
  const whole = BigInt.asIntN(64, seconds);
  if (whole < 0n || part >= SECOND / fraction.unit) return -ERRNO.EINVAL;
  const time = whole * SECOND + part * fraction.unit;
  return time > TIME_MAX ? TIME_MAX : time;
}

/** Nanoseconds of a struct timespec, or -EFAULT, -EINVAL. */
export function readTimespec(memory: GuestMemory, address: number): bigint | number {
  return readPair(memory, address, { unit: 1n });
}

/** Nanoseconds of a struct timeval, or -EFAULT, -EINVAL. */
export function readTimeval(memory: GuestMemory, address: number): bigint | number {
  return readPair(memory, address, { unit: MICROSECOND });
}

function writePair(memory: GuestMemory, address: number, pair: { readonly seconds: bigint; readonly part: bigint }): boolean {
  if (memory.reachable(address, PAIR_BYTES, PAGE_FLAG.write) < PAIR_BYTES) return false;
  return memory.writeU64(address, pair.seconds) && memory.writeU64(address + 8, pair.part);
}

export function writeTimespec(memory: GuestMemory, address: number, time: bigint): boolean {
  return writePair(memory, address, { seconds: time / SECOND, part: time % SECOND });
}

export function writeTimeval(memory: GuestMemory, address: number, time: bigint): boolean {
  return writePair(memory, address, { seconds: time / SECOND, part: (time % SECOND) / MICROSECOND });
}
