/**
 * HOT PATH. From a system call number to its handler. One array, one call view a thread: a call costs a lookup.
 * Shared file mappings are made equal to their files around the calls that move file bytes, and around all where one process maps a page twice.
 * What this does NOT do: count instructions, schedule (guest.ts).
 */
import { assert } from '../core/index.ts';
import { BLOCKED, Call, NO_RESULT, type CallHandler, type CallResult } from './call.ts';
import { birthCalls } from './calls/birth.ts';
import type { CallEntry } from './calls/entry.ts';
import { fileCalls } from './calls/file-calls.ts';
import { identityCalls } from './calls/identity.ts';
import { memoryCalls } from './calls/memory.ts';
import { otherProcessCalls } from './calls/other-processes.ts';
import { processCalls } from './calls/process.ts';
import { schedulingCalls } from './calls/scheduling.ts';
import { signalCalls } from './calls/signals.ts';
import { systemCalls } from './calls/system.ts';
import { systemVMemoryCalls } from './calls/system-v-memory.ts';
import { systemVMessageCalls } from './calls/system-v-messages.ts';
import { systemVSemaphoreCalls } from './calls/system-v-semaphores.ts';
import { threadCalls } from './calls/threads.ts';
import { timeCalls } from './calls/time.ts';
import { ERRNO } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { Thread } from './thread.ts';

/** Numbers end far below this. */
const NUMBERS_MAX = 512;
/** Calls that read or write file content (asm-generic numbers): see loadShared and storeShared of the address space. */
const MOVES_FILE_BYTES: ReadonlySet<number> = new Set([45, 46, 47, 56, 63, 64, 65, 66, 67, 68, 69, 70, 71, 76, 77, 82, 83, 196, 197, 222, 227, 270, 271, 285, 286, 287]);

const ENTRIES: readonly CallEntry[] = [
  ...birthCalls, ...fileCalls, ...identityCalls, ...memoryCalls, ...otherProcessCalls, ...processCalls, ...schedulingCalls, ...signalCalls, ...systemCalls, ...systemVMemoryCalls, ...systemVMessageCalls, ...systemVSemaphoreCalls, ...threadCalls, ...timeCalls,
];

function unknownCall(): CallResult {
  return -ERRNO.ENOSYS;
}

const HANDLERS: readonly CallHandler[] = (() => {
  const handlers = new Array<CallHandler>(NUMBERS_MAX).fill(unknownCall);
  for (const { number, handle } of ENTRIES) {
    assert(number < NUMBERS_MAX && handlers[number] === unknownCall, 'every call number has one handler');
    handlers[number] = handle;
  }
  return handlers;
})();

/** Names of all calls with a handler, by number: for traces. */
export const CALL_NAMES: ReadonlyMap<number, string> = new Map(ENTRIES.map(({ number, name }) => [number, name]));

/** Issues the call that the current thread stands at. BLOCKED: nothing happened. */
export function dispatch(kernel: Kernel, thread: Thread): CallResult {
  const { cpu, space } = thread.process;
  const { abi } = cpu.isa;
  const number = abi.syscallNumber(cpu.state);
  const call = (thread.call ??= new Call(kernel, thread, { abi, state: cpu.state }));
  const handle = number >= 0 && number < NUMBERS_MAX ? HANDLERS[number]! : unknownCall;
  // What a call is given may lie on a part of the stack that the program has reserved and not touched yet.
  space.growStack(Number(abi.stackPointer(cpu.state)));
  const isCoherent = space.hasSharedFiles && (MOVES_FILE_BYTES.has(number) || space.hasAliases);
  if (isCoherent) space.storeShared();
  const hasListeners = kernel.files.listeners.size > 0;
  if (hasListeners) kernel.fileSignals.begin(kernel);
  const result = handle(call);
  if (hasListeners) kernel.fileSignals.tell(kernel);
  if (kernel.files.hasResized) kernel.fitMappings();
  if (isCoherent) space.loadShared();
  if (result === BLOCKED || result === NO_RESULT) return result;
  abi.completeSyscall(cpu.state, result);
  return result;
}
