/**
 * The call that a thread waits in (wait 'retry'), read from the registers it left on leaving the processor.
 * What this does NOT do: know what it waits for.
 */
import { Call } from './call.ts';
import type { Kernel } from './kernel.ts';
import type { Thread } from './thread.ts';

/** Arguments are numbers as far as they go exactly. */
export interface WaitingCall { readonly thread: Thread; readonly number: number; readonly argument: (index: number) => number }

const ARGUMENTS = [0, 1, 2, 3, 4] as const;

export function waitingCallOf(thread: Thread): WaitingCall {
  const { cpu } = thread.process;
  const { abi } = cpu.isa;
  const own = cpu.save();
  cpu.load(thread.registers);
  const number = abi.syscallNumber(cpu.state);
  const words = ARGUMENTS.map((index) => (abi.argumentHigh(cpu.state, index) >>> 0) * 2 ** 32 + (abi.argumentLow(cpu.state, index) >>> 0));
  cpu.load(own);
  return { thread, number, argument: (index) => words[index]! };
}

/** `use` sees the call that a thread waits in as its handler does. */
export function withWaitingCall<Result>(kernel: Kernel, thread: Thread, use: (call: Call, number: number) => Result): Result {
  const { cpu } = thread.process;
  const { abi } = cpu.isa;
  const own = cpu.save();
  cpu.load(thread.registers);
  const result = use(new Call(kernel, thread, { abi, state: cpu.state }), abi.syscallNumber(cpu.state));
  cpu.load(own);
  return result;
}
