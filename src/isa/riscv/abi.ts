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
import { CONTROL, controlAddress, CPU_STATE_OFFSET, type Abi, type CpuState, type RegisterPlace } from '../cpu.ts';
import { callChain } from './call-chain.ts';

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

function saveContext(state: CpuState, bytes: Uint8Array): void {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, CONTEXT.bytes / 4);
  words.set(state.x);
  words[0] = state.control[CONTROL.pc]!; // In place of x0.
  words[1] = state.control[CONTROL.pcHigh]!;
  words.set(state.f, CONTEXT.floats / 4);
  words[CONTEXT.fcsr / 4] = state.control[CONTROL.fcsr]! & 0xff;
  words.fill(0, CONTEXT.fcsr / 4 + 1);
}

function restoreContext(state: CpuState, bytes: Uint8Array): void {
  assert(bytes.length === CONTEXT.bytes, 'a machine context has its fixed size');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  setProgramCounter(state, view.getBigUint64(0, true));
  for (let word = 2; word < 64; word++) state.x[word] = view.getInt32(word * 4, true);
  for (let word = 0; word < 64; word++) state.f[word] = view.getInt32(CONTEXT.floats + word * 4, true);
  state.control[CONTROL.fcsr] = view.getUint32(CONTEXT.fcsr, true) & 0xff;
}

/** ABI names of x0 to x31 and f0 to f31. */
const INTEGER_NAMES = 'zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6'.split(' ');
const FLOAT_NAMES = 'ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5 fa6 fa7 fs2 fs3 fs4 fs5 fs6 fs7 fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11'.split(' ');

const registers: readonly RegisterPlace[] = [
  { name: 'pc', offset: controlAddress(0, CONTROL.pc), bytes: 8 },
  ...INTEGER_NAMES.map((name, index): RegisterPlace => ({ name, offset: CPU_STATE_OFFSET.x + 8 * index, bytes: 8 })),
  ...FLOAT_NAMES.map((name, index): RegisterPlace => ({ name, offset: CPU_STATE_OFFSET.f + 8 * index, bytes: 8 })),
  { name: 'fcsr', offset: controlAddress(0, CONTROL.fcsr), bytes: 4 },
];

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
  callChain,
  stackPointer: (state) => register(state, REGISTER.sp),
  setProgramCounter,
  registers,
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
