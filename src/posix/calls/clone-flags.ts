/**
 * The flags of clone(2) and the registers that its child starts with: shared by threads and processes.
 */
import type { Call } from '../call.ts';

export const CLONE = {
  SIGNAL: 0xff, VM: 0x100, FS: 0x200, FILES: 0x400, SIGHAND: 0x800, PIDFD: 0x1000, PTRACE: 0x2000, VFORK: 0x4000, PARENT: 0x8000, THREAD: 0x1_0000, NEWNS: 0x2_0000,
  SETTLS: 0x8_0000, PARENT_SETTID: 0x10_0000, CHILD_CLEARTID: 0x20_0000, CHILD_SETTID: 0x100_0000,
} as const;

/** The child's register block, made on the processor and taken off it again: clone(flags, stack, parent_tid, tls, child_tid). */
export function startedRegisters(call: Call, flags: number): Uint8Array {
  const { cpu } = call.process;
  const [stackPointer, threadPointer] = [call.size(1), call.size(3)];
  const own = cpu.save();
  cpu.isa.abi.startThread(cpu.state, {
    ...(stackPointer === 0 ? {} : { stackPointer }), ...((flags & CLONE.SETTLS) === 0 ? {} : { threadPointer }),
  });
  const registers = cpu.save();
  cpu.load(own);
  return registers;
}
