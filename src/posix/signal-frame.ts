/**
 * The frame that a signal handler finds on its stack, as Linux lays it out (arch/riscv rt_sigframe; the generic ucontext of arm64 too):
 *
 *   sp      siginfo_t               128 bytes
 *   +128    uc_flags 8  uc_link 8   uc_stack: sp 8, flags 4, pad 4, size 8
 *   +168    uc_sigmask 8, padded to 128 bytes, then to a multiple of 16
 *   +304    mcontext (ucontext offset 176): the ISA's own layout, from Abi.saveContext
 *
 * Little-endian. A frame is written whole or not at all.
 * What this does NOT do: decide which signal is delivered (signal-delivery.ts).
 */
import type { GuestMemory } from '../engine/index.ts';
import type { SignalInfo } from './signal-pending.ts';
import { SS_DISABLE, SS_ONSTACK, type AlternateStack } from './thread.ts';

export const SIGINFO_BYTES = 128;
const CONTEXT_OFFSET = SIGINFO_BYTES;
const MACHINE_OFFSET = 176;
const STACK_AT = 16;
const MASK_AT = 40;
const STACK_BYTES = 24;

/** siginfo_t of a signal. */
export function encodeSignalInfo(info: SignalInfo): Uint8Array {
  const bytes = new Uint8Array(SIGINFO_BYTES);
  putSignalInfo(new DataView(bytes.buffer), info);
  return bytes;
}

/** Into zeros. */
function putSignalInfo(view: DataView, info: SignalInfo): void {
  view.setInt32(0, info.signal, true);
  view.setInt32(8, info.code, true);
  if (info.form === 'fault') return view.setBigUint64(16, BigInt.asUintN(64, info.value), true);
  view.setInt32(16, info.pid, true);
  view.setInt32(20, info.uid, true);
  view.setBigUint64(24, BigInt.asUintN(64, info.value), true);
}

/** struct signalfd_siginfo. */
export const SIGNALFD_BYTES = 128;

export function encodeSignalfdInfo(info: SignalInfo): Uint8Array {
  const view = new DataView(new ArrayBuffer(SIGNALFD_BYTES));
  view.setUint32(0, info.signal, true);
  view.setInt32(8, info.code, true);
  if (info.form === 'fault') view.setBigUint64(72, BigInt.asUintN(64, info.value), true);
  else if (info.form === 'timer') {
    view.setUint32(24, info.pid, true);
    view.setUint32(32, info.uid, true);
  } else {
    view.setUint32(12, info.pid, true);
    view.setUint32(16, info.uid, true);
  }
  if (info.form === 'child') view.setInt32(40, Number(BigInt.asIntN(32, info.value)), true);
  else if (info.form !== 'fault') {
    view.setInt32(44, Number(BigInt.asIntN(32, info.value)), true);
    view.setBigUint64(48, BigInt.asUintN(64, info.value), true);
  }
  return new Uint8Array(view.buffer);
}

/** What rt_sigqueueinfo takes from the caller's siginfo_t. */
export function decodeSignalInfo(bytes: Uint8Array, signal: number): SignalInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { signal, code: view.getInt32(8, true), pid: view.getInt32(16, true), uid: view.getInt32(20, true), value: view.getBigUint64(24, true), form: 'kill' };
}

/** Whether `address` lies on the alternate stack. */
export function isOnStack(stack: AlternateStack, address: number): boolean {
  return (stack.flags & SS_DISABLE) === 0 && address > stack.address && address - stack.address <= stack.size;
}

/** stack_t as sigaltstack reports it for a thread whose stack pointer is `stackPointer`. */
export function encodeStack(stack: AlternateStack, stackPointer: number): Uint8Array {
  const bytes = new Uint8Array(STACK_BYTES);
  putStack(new DataView(bytes.buffer), 0, { stack, stackPointer });
  return bytes;
}

function putStack(view: DataView, at: number, { stack, stackPointer }: { readonly stack: AlternateStack; readonly stackPointer: number }): void {
  view.setBigUint64(at, BigInt(stack.address), true);
  view.setUint32(at + 8, (stack.flags | (isOnStack(stack, stackPointer) ? SS_ONSTACK : 0)) >>> 0, true);
  view.setBigUint64(at + 16, BigInt(stack.size), true);
}

export interface FrameContent {
  readonly info: SignalInfo;
  readonly mask: bigint;
  readonly stack: AlternateStack;
  /** Stack pointer of the interrupted code. */
  readonly stackPointer: number;
  /** The machine context: its size, and what writes it, to words that are aligned. */
  readonly machineBytes: number;
  saveMachine(bytes: Uint8Array): void;
}

/** Writes a frame below `top`; its address (16-byte aligned), or undefined when the memory is not writable. */
export function pushFrame(memory: GuestMemory, top: number, content: FrameContent): { readonly address: number; readonly context: number } | undefined {
  const size = CONTEXT_OFFSET + MACHINE_OFFSET + content.machineBytes;
  const address = Math.floor((top - size) / 16) * 16;
  if (address < 0 || !Number.isSafeInteger(address)) return undefined;
  const bytes = memory.writable(address, size);
  if (bytes === undefined) return undefined;
  bytes.fill(0, 0, CONTEXT_OFFSET + MACHINE_OFFSET);
  const view = new DataView(bytes.buffer, bytes.byteOffset, CONTEXT_OFFSET + MACHINE_OFFSET);
  putSignalInfo(view, content.info);
  putStack(view, CONTEXT_OFFSET + STACK_AT, content);
  view.setBigUint64(CONTEXT_OFFSET + MASK_AT, content.mask, true);
  content.saveMachine(bytes.subarray(CONTEXT_OFFSET + MACHINE_OFFSET));
  return { address, context: address + CONTEXT_OFFSET };
}

/** Reads the frame at `address` back for rt_sigreturn, `machine` where it lies; undefined when it is not readable. */
export function readFrame(memory: GuestMemory, address: number, machineBytes: number): { readonly mask: bigint; readonly stack: AlternateStack; readonly machine: Uint8Array } | undefined {
  const bytes = memory.readable(address, CONTEXT_OFFSET + MACHINE_OFFSET + machineBytes);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack = {
    address: Number(view.getBigUint64(CONTEXT_OFFSET + STACK_AT, true)),
    flags: view.getUint32(CONTEXT_OFFSET + STACK_AT + 8, true),
    size: Number(view.getBigUint64(CONTEXT_OFFSET + STACK_AT + 16, true)),
  };
  return { mask: view.getBigUint64(CONTEXT_OFFSET + MASK_AT, true), stack, machine: bytes.subarray(CONTEXT_OFFSET + MACHINE_OFFSET) };
}
