/**
 * What clone(2) and clone3(2) are asked for, and the registers that the child starts with: shared by threads and processes.
 * What this does NOT do: make anything.
 */
import type { Call } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { SIGNALS_MAX } from '../signal-actions.ts';

export const CLONE = {
  SIGNAL: 0xff, VM: 0x100, FS: 0x200, FILES: 0x400, SIGHAND: 0x800, PIDFD: 0x1000, PTRACE: 0x2000, VFORK: 0x4000, PARENT: 0x8000, THREAD: 0x1_0000, NEWNS: 0x2_0000,
  SETTLS: 0x8_0000, PARENT_SETTID: 0x10_0000, CHILD_CLEARTID: 0x20_0000, DETACHED: 0x40_0000, CHILD_SETTID: 0x100_0000,
} as const;

/** CLONE_NEW* of every kind of namespace. */
export const NAMESPACES = 0x7e02_0000;
const NEW_USER = 0x1000_0000;
const NEW_PID = 0x2000_0000;
/** Ids that one child may be given: a namespace of processes each. */
const NAMESPACES_MAX = 32n;

/** Flags of clone3 above the first 32. */
const CLEAR_SIGHAND = 1n << 32n;
const INTO_CGROUP = 1n << 33n;
/** struct clone_args: eleven words, of which the first eight were there from the start. */
const WORDS = 11;
const WORDS_FIRST = 8;
const PAGE_BYTES = 4096;

export interface CloneRequest {
  /** CLONE bits without the signal. */
  readonly flags: number;
  readonly exitSignal: number;
  /** Where the child's stack pointer begins; 0: where its maker's is. */
  readonly stackPointer: number;
  readonly threadPointer: number;
  readonly parentTid: number;
  readonly childTid: number;
  /** Where the descriptor of the child is told. */
  readonly pidfd: number;
  /** CLONE_CLEAR_SIGHAND. */
  readonly clearsHandlers: boolean;
}

/** Flags that Linux takes for no kind of child, whoever asks. */
export function areImpossible({ flags, clearsHandlers }: Pick<CloneRequest, 'flags' | 'clearsHandlers'>): boolean {
  const has = (bits: number): boolean => (flags & bits) !== 0;
  if (has(CLONE.FS) && has(CLONE.NEWNS | NEW_USER)) return true;
  if (has(CLONE.THREAD) && has(NEW_USER | NEW_PID)) return true;
  if ((has(CLONE.THREAD) && !has(CLONE.SIGHAND)) || (has(CLONE.SIGHAND) && (clearsHandlers || !has(CLONE.VM)))) return true;
  return has(CLONE.PIDFD) && has(CLONE.THREAD | CLONE.DETACHED);
}

/** clone(flags, stack, parent_tid, tls, child_tid): the argument order of riscv64 and arm64. */
export function cloneArguments(call: Call): CloneRequest {
  const flags = call.unsigned(0);
  return {
    flags: (flags & ~CLONE.SIGNAL) >>> 0, exitSignal: flags & CLONE.SIGNAL, stackPointer: call.size(1), threadPointer: call.size(3), parentTid: call.size(2), childTid: call.size(4), pidfd: call.size(2), clearsHandlers: false,
  };
}

/** clone3(args, size), checked as Linux does; -errno. */
export function readCloneArguments(call: Call): CloneRequest | number {
  const [address, size] = [call.size(0), call.size(1)];
  if (size > PAGE_BYTES) return -ERRNO.E2BIG;
  if (size < WORDS_FIRST * 8) return -ERRNO.EINVAL;
  const bytes = call.memory.readable(address, size);
  if (bytes === undefined) return -ERRNO.EFAULT;
  if (bytes.subarray(WORDS * 8).some((byte) => byte !== 0)) return -ERRNO.E2BIG;
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  const word = (index: number): bigint => (index * 8 + 8 <= size ? view.getBigUint64(index * 8, true) : 0n);
  const [flags, pidfd, childTid, parentTid, exitSignal, stack, stackBytes, tls] = [0, 1, 2, 3, 4, 5, 6, 7].map(word) as [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint]; // Eight of eight.
  const low = Number(flags & 0xffff_ffffn);
  if ((flags & ~(CLEAR_SIGHAND | INTO_CGROUP | 0xffff_ffffn)) !== 0n || (low & (CLONE.DETACHED | CLONE.SIGNAL)) !== 0) return -ERRNO.EINVAL;
  if (exitSignal > BigInt(SIGNALS_MAX) || ((low & (CLONE.THREAD | CLONE.PARENT)) !== 0 && exitSignal !== 0n)) return -ERRNO.EINVAL;
  if ((stack === 0n) !== (stackBytes === 0n) || (word(8) === 0n) !== (word(9) === 0n)) return -ERRNO.EINVAL;
  if (word(9) > NAMESPACES_MAX || ((flags & INTO_CGROUP) !== 0n && word(10) > 0x7fff_ffffn)) return -ERRNO.EINVAL;
  if (word(9) !== 0n) return -ERRNO.EPERM; // Ids of one's own choice need rights that nobody has here.
  if ((flags & INTO_CGROUP) !== 0n) return -ERRNO.EBADF;
  return {
    flags: low, exitSignal: Number(exitSignal), stackPointer: Number(stack + stackBytes), threadPointer: Number(tls), parentTid: Number(parentTid), childTid: Number(childTid), pidfd: Number(pidfd), clearsHandlers: (flags & CLEAR_SIGHAND) !== 0n,
  };
}

/** The child's register block, made on the processor and taken off it again. */
export function startedRegisters(call: Call, request: CloneRequest): Uint8Array {
  const { cpu } = call.process;
  const { stackPointer, threadPointer } = request;
  const own = cpu.save();
  cpu.isa.abi.startThread(cpu.state, {
    ...(stackPointer === 0 ? {} : { stackPointer }), ...((request.flags & CLONE.SETTLS) === 0 ? {} : { threadPointer }),
  });
  const registers = cpu.save();
  cpu.load(own);
  return registers;
}
