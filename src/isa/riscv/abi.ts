/**
 * Linux riscv64 conventions: system call registers, program and thread start, signal frames.
 * The machine context (`uc_mcontext`) is Linux's struct sigcontext, little-endian:
 *
 *     0  pc, x1 .. x31 (32 words of 64 bits)
 *   256  f0 .. f31 (32 words of 64 bits), u32 fcsr, zeros up to the 528 bytes of the union of float states
 *   784  end
 *
 * What this does NOT do: uc_flags, uc_link, uc_stack and the signal mask before it, which do not depend on the ISA (posix writes them).
 */
import { assert } from '../../core/index.ts';
import { CONTROL, type Abi, type CpuState } from '../cpu.ts';

const REGISTER = { ra: 1, sp: 2, tp: 4, a0: 10, a1: 11, a2: 12, a7: 17 } as const;
const SYSCALL_BYTES = 4;
const CONTEXT = { floats: 256, fcsr: 512, bytes: 784 } as const;
const EM_RISCV = 243;
/** AT_HWCAP: bit n is the single-letter extension 'A' + n. */
const hwcap = [...'IMAFDC'].reduce((bits, letter) => bits | (1n << BigInt(letter.charCodeAt(0) - 65)), 0n);

function setRegister(state: CpuState, register: number, value: number | bigint): void {
  const wide = BigInt(value);
  state.x[2 * register] = Number(BigInt.asIntN(32, wide));
  state.x[2 * register + 1] = Number(BigInt.asIntN(32, wide >> 32n));
}

function register(state: CpuState, index: number): bigint {
  return (BigInt(state.x[2 * index + 1]! >>> 0) << 32n) | BigInt(state.x[2 * index]! >>> 0);
}

function setProgramCounter(state: CpuState, address: number | bigint): void {
  const wide = BigInt(address);
  state.control[CONTROL.pc] = Number(BigInt.asIntN(32, wide));
  state.control[CONTROL.pcHigh] = Number(BigInt.asIntN(32, wide >> 32n));
  clearReservation(state);
}

function programCounter(state: CpuState): bigint {
  return (BigInt(state.control[CONTROL.pcHigh]! >>> 0) << 32n) | BigInt(state.control[CONTROL.pc]! >>> 0);
}

function clearReservation(state: CpuState): void {
  state.control[CONTROL.reservationValid] = 0;
  state.control[CONTROL.reservationAddress] = 0;
}

function completeSyscall(state: CpuState, result: number | bigint): void {
  setRegister(state, REGISTER.a0, result);
  setProgramCounter(state, programCounter(state) + BigInt(SYSCALL_BYTES));
}

function startProgram(state: CpuState, start: { readonly entry: number; readonly stackPointer: number }): void {
  state.x.fill(0);
  state.f.fill(0);
  state.control[CONTROL.fcsr] = 0;
  setRegister(state, REGISTER.sp, start.stackPointer);
  setProgramCounter(state, start.entry);
}

function startThread(state: CpuState, start: { readonly stackPointer?: number; readonly threadPointer?: number }): void {
  if (start.stackPointer !== undefined) setRegister(state, REGISTER.sp, start.stackPointer);
  if (start.threadPointer !== undefined) setRegister(state, REGISTER.tp, start.threadPointer);
  completeSyscall(state, 0);
}

function saveContext(state: CpuState): Uint8Array {
  const bytes = new Uint8Array(CONTEXT.bytes);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, state.control[CONTROL.pc]!, true);
  view.setInt32(4, state.control[CONTROL.pcHigh]!, true);
  for (let word = 2; word < 64; word++) view.setInt32(word * 4, state.x[word]!, true);
  for (let word = 0; word < 64; word++) view.setInt32(CONTEXT.floats + word * 4, state.f[word]!, true);
  view.setUint32(CONTEXT.fcsr, state.control[CONTROL.fcsr]! & 0xff, true);
  return bytes;
}

function restoreContext(state: CpuState, bytes: Uint8Array): void {
  assert(bytes.length === CONTEXT.bytes, 'a machine context has its fixed size');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  setProgramCounter(state, view.getBigUint64(0, true));
  for (let word = 2; word < 64; word++) state.x[word] = view.getInt32(word * 4, true);
  for (let word = 0; word < 64; word++) state.f[word] = view.getInt32(CONTEXT.floats + word * 4, true);
  state.control[CONTROL.fcsr] = view.getUint32(CONTEXT.fcsr, true) & 0xff;
}

export const riscv64Abi: Abi = {
  elfMachine: EM_RISCV,
  machineName: 'riscv64',
  // A number that needs its upper half is no system call (ENOSYS).
  syscallNumber: (state) => (state.x[2 * REGISTER.a7 + 1] === 0 ? state.x[2 * REGISTER.a7]! : -1),
  argumentLow: (state, index) => state.x[2 * (REGISTER.a0 + index)]!,
  argumentHigh: (state, index) => state.x[2 * (REGISTER.a0 + index) + 1]!,
  completeSyscall,
  startProgram,
  startThread,
  programCounter,
  stackPointer: (state) => register(state, REGISTER.sp),
  setProgramCounter,
  signalContextBytes: CONTEXT.bytes,
  saveContext,
  restoreContext,
  enterHandler(state, entry) {
    setRegister(state, REGISTER.a0, entry.signal);
    setRegister(state, REGISTER.a1, entry.siginfo);
    setRegister(state, REGISTER.a2, entry.context);
    setRegister(state, REGISTER.sp, entry.stackPointer);
    setRegister(state, REGISTER.ra, entry.returnAddress);
    setProgramCounter(state, entry.handler);
  },
  // li a7,139 ; ecall
  signalReturnCode: Uint8Array.of(0x93, 0x08, 0xb0, 0x08, 0x73, 0x00, 0x00, 0x00),
  hardwareCapabilities: hwcap,
};
