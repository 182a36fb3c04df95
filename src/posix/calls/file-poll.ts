/**
 * ppoll and pselect6. They look once; when nothing is ready they answer BLOCKED and are issued again when guest state or a live channel
 * changed, or when their deadline on the hidden time line has come. Signal masks given with
 * the call are applied by blocked-call.ts.
 */
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import type { FileChannel } from '../files/channel.ts';
import { POLL } from '../files/flags.ts';
import { readiness } from '../poll-state.ts';
import { tellTimeLeft } from '../time-left.ts';
import type { FileCall } from './file-arguments.ts';

const POLLFD_BYTES = 8;
const SIGNAL_SET_BYTES = 8;
const SECOND = 1_000_000_000n;
const ALWAYS = POLL.ERR | POLL.HUP | POLL.NVAL;
const SELECT_IN = POLL.IN | POLL.RDNORM | POLL.RDBAND | POLL.HUP | POLL.ERR;
const SELECT_OUT = POLL.OUT | POLL.WRNORM | POLL.WRBAND | POLL.ERR;

/** A time-out in nanoseconds from a struct timespec; undefined: for ever; a number: -errno. */
export function timeoutArgument(call: Call, address: number): bigint | undefined | number {
  if (address === 0) return undefined;
  const seconds = call.memory.readU64(address);
  const nanoseconds = call.memory.readU64(address + 8);
  if (seconds === undefined || nanoseconds === undefined) return -ERRNO.EFAULT;
  if (seconds >= 2n ** 63n || nanoseconds >= SECOND) return -ERRNO.EINVAL;
  return seconds * SECOND + nanoseconds;
}

/** 0 where a call's signal mask (an address and its size, which is that of a set of signals) can be used, or there is none. */
export function checkMask(call: Call, address: number, bytes: number): number {
  if (address === 0) return 0;
  if (bytes !== SIGNAL_SET_BYTES) return -ERRNO.EINVAL;
  return call.memory.readable(address, SIGNAL_SET_BYTES) === undefined ? -ERRNO.EFAULT : 0;
}

/** The same of pselect6, whose last argument points to both. */
function checkMaskPair(call: Call, address: number): number {
  if (address === 0) return 0;
  const [mask, bytes] = [call.memory.readU64(address), call.memory.readU64(address + 8)];
  return mask === undefined || bytes === undefined ? -ERRNO.EFAULT : checkMask(call, Number(mask), Number(bytes));
}

/** The caller's time-out becomes what is left of it, as on Linux: select is told, and who gives select the same struct again goes by it. */
function finish(call: Call, address: number, answer: number): number {
  tellTimeLeft(call, address);
  return answer;
}

/** Nothing is ready: BLOCKED, or 0 when the time is over. */
export function waitForEvents(call: Call, awaited: readonly FileChannel[], timeout: bigint | undefined): typeof BLOCKED | 0 {
  if (awaited.length > 0) {
    for (const channel of awaited) channel.requestInput();
    return BLOCKED;
  }
  if (timeout === undefined) return BLOCKED;
  if (timeout === 0n) return 0;
  const { thread } = call;
  const now = call.kernel.clock.hidden;
  thread.retryDeadline ??= now + timeout;
  return now >= thread.retryDeadline ? 0 : BLOCKED;
}

function ppoll(call: Call): CallResult {
  const [address, count] = [call.size(0), call.unsigned(1)];
  const { descriptors } = call.process.files;
  const timeout = timeoutArgument(call, call.size(2));
  if (typeof timeout === 'number') return timeout;
  const masked = checkMask(call, call.size(3), call.size(4));
  if (masked < 0) return masked;
  if (count > descriptors.limit) return -ERRNO.EINVAL;
  const given = call.memory.readable(address, count * POLLFD_BYTES);
  if (given === undefined) return -ERRNO.EFAULT;
  const out = given.slice();
  const view = new DataView(out.buffer);
  const awaited: FileChannel[] = [];
  let ready = 0;
  for (let offset = 0; offset < out.length; offset += POLLFD_BYTES) {
    const number = view.getInt32(offset, true);
    const wanted = view.getUint16(offset + 4, true) | ALWAYS;
    const events = number < 0 ? 0 : pollOne(call, number, { wanted, awaited });
    view.setUint16(offset + 6, events, true);
    if (events !== 0) ready++;
  }
  if (ready === 0) {
    const answer = waitForEvents(call, awaited, timeout);
    if (answer === BLOCKED) return BLOCKED;
  }
  return finish(call, call.size(2), call.memory.write(address, out) ? ready : -ERRNO.EFAULT);
}

/** Events of one descriptor, masked; a live channel that may still answer is added to `awaited`. */
function pollOne(call: Call, number: number, how: { readonly wanted: number; readonly awaited: FileChannel[] }): number {
  const openFile = call.process.files.descriptors.get(number);
  if (openFile === undefined || openFile.isPath) return POLL.NVAL;
  const { events, awaits } = readiness(call.kernel.files, openFile);
  if (awaits !== undefined && (how.wanted & (POLL.IN | POLL.RDNORM)) !== 0) how.awaited.push(awaits);
  return events & how.wanted;
}

function pselect6(call: Call): CallResult {
  const timeout = timeoutArgument(call, call.size(4));
  if (typeof timeout === 'number') return timeout;
  const masked = checkMaskPair(call, call.size(5));
  if (masked < 0) return masked;
  const count = call.int(0);
  if (count < 0) return -ERRNO.EINVAL;
  const bytes = Math.ceil(Math.min(count, call.process.files.descriptors.limit) / 64) * 8;
  const sets: (Uint8Array | undefined)[] = [];
  for (let index = 1; index <= 3; index++) {
    const address = call.size(index);
    const set = address === 0 ? undefined : call.memory.readable(address, bytes);
    if (address !== 0 && set === undefined) return -ERRNO.EFAULT;
    sets.push(set?.slice());
  }
  const awaited: FileChannel[] = [];
  const answer = selectAll(call, { sets, awaited, count: Math.min(count, bytes * 8) });
  if (answer.ready < 0) return answer.ready;
  if (answer.ready === 0 && waitForEvents(call, awaited, timeout) === BLOCKED) return BLOCKED;
  for (const [index, result] of answer.results.entries()) {
    if (result !== undefined && !call.memory.write(call.size(index + 1), result)) return -ERRNO.EFAULT;
  }
  return finish(call, call.size(4), answer.ready);
}

interface Selection { readonly sets: readonly (Uint8Array | undefined)[]; readonly awaited: FileChannel[]; readonly count: number }

function selectAll(call: Call, { sets, awaited, count }: Selection): { readonly ready: number; readonly results: readonly (Uint8Array | undefined)[] } {
  const masks = [SELECT_IN, SELECT_OUT, POLL.PRI] as const;
  const results = sets.map((set) => (set === undefined ? undefined : new Uint8Array(set.length)));
  let ready = 0;
  for (let number = 0; number < count; number++) {
    for (let index = 0; index < 3; index++) {
      const set = sets[index];
      if (set === undefined || (set[number >> 3]! & (1 << (number & 7))) === 0) continue;
      const events = pollOne(call, number, { wanted: masks[index]! | POLL.NVAL, awaited });
      if ((events & POLL.NVAL) !== 0) return { ready: -ERRNO.EBADF, results };
      if (events === 0) continue;
      results[index]![number >> 3]! |= 1 << (number & 7);
      ready++;
    }
  }
  return { ready, results };
}

export const pollCalls: readonly FileCall[] = [
  { number: 72, name: 'pselect6', handle: pselect6 },
  { number: 73, name: 'ppoll', handle: ppoll },
];
