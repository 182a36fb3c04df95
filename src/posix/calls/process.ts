/**
 * The life of processes: exit and what comes of it. One process for now: fork, execve and vfork answer ENOSYS, waiting ECHILD.
 */
import { NO_RESULT, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import type { CallEntry } from './entry.ts';

function exit(call: Call): CallResult {
  call.kernel.endThread(call.thread, call.int(0) & 255);
  return NO_RESULT;
}

function exitGroup(call: Call): CallResult {
  call.kernel.endProcess(call.process, { kind: 'exited', status: call.int(0) & 255 });
  return NO_RESULT;
}

const WAIT_KNOWN = 0x8000_0000 | 0x4000_0000 | 0x2000_0000 | 0x0100_0000 | 15;

function wait4(call: Call): CallResult {
  return (call.unsigned(2) & ~WAIT_KNOWN) !== 0 ? -ERRNO.EINVAL : -ERRNO.ECHILD;
}

export const processCalls: readonly CallEntry[] = [
  { number: 93, name: 'exit', handle: exit },
  { number: 94, name: 'exit_group', handle: exitGroup },
  { number: 95, name: 'waitid', handle: () => -ERRNO.ECHILD },
  { number: 221, name: 'execve', handle: () => -ERRNO.ENOSYS },
  { number: 260, name: 'wait4', handle: wait4 },
  { number: 281, name: 'execveat', handle: () => -ERRNO.ENOSYS },
  { number: 435, name: 'clone3', handle: () => -ERRNO.ENOSYS },
];
