/**
 * What is left of a time-out when pselect6 or ppoll ends: written over the time-out itself, whether something was ready, the time was over or a
 * handler has ended the call.
 * What this does NOT do: touch a time-out that was never waited for; it is whole.
 */
import type { Call } from './call.ts';
import { writeTimespec } from './calls/timespec.ts';
import type { Kernel } from './kernel.ts';
import type { Thread } from './thread.ts';
import { waitingCallOf, type WaitingCall } from './waiting-call.ts';

/** Calls that tell: the argument that points to the time-out. */
const TIMEOUT: ReadonlyMap<number, number> = new Map([[72, 4], [73, 2]]);

/** `address` 0: there is no time-out. One that cannot be written stays as it is. */
export function tellTimeLeft({ kernel: { clock }, thread: { retryDeadline }, memory }: Pick<Call, 'kernel' | 'thread' | 'memory'>, address: number): void {
  if (address === 0 || retryDeadline === undefined) return;
  writeTimespec(memory, address, retryDeadline > clock.hidden ? retryDeadline - clock.hidden : 0n);
}

/** A handler ends the call that the thread waits in. */
export function tellInterrupted(kernel: Kernel, thread: Thread): void {
  if (thread.retryDeadline === undefined) return;
  const { number, argument } = thread === kernel.current ? callOnProcessor(thread) : waitingCallOf(thread);
  const index = TIMEOUT.get(number);
  if (index !== undefined) tellTimeLeft({ kernel, thread, memory: thread.process.memory }, argument(index));
}

function callOnProcessor({ process: { cpu }, call }: Thread): Pick<WaitingCall, 'number' | 'argument'> {
  return { number: cpu.isa.abi.syscallNumber(cpu.state), argument: (index) => call?.size(index) ?? 0 };
}
