/**
 * What an instruction-set module sees of the machine: guest memory as biased views, page flags, and one register block.
 * The engine owns and allocates both; an ISA only defines the meaning of the bytes in the register block.
 *
 * Addresses: guest address A lies at byte A - BIAS of `buffer`, whose first page is the engine's. An access at A is allowed when A is below 2^32 and the page's
 * flags say so; upper address bits never alias. Byte order is little-endian, as every host that runs V8.
 */
import { limits } from '../core/index.ts';

/**
 * The guest's lowest page is the second one of the memory buffer, so that null pointers fall outside it in translated code. The first one is the engine's: instructions
 * of the host reach the register block there with the fewest bytes.
 */
export const BIAS = limits.LOWEST_ADDRESS - limits.PAGE_BYTES;

/**
 * One byte a page: rights, dirty mark, and "an executor has cached this page's code". Index: address >>> 12. The upper bits are made from these for
 * translated code: `wide`, the page and the next are readable; `ready`, readable and a store is fast (never the guest's lowest page: an address in it may come from a
 * base below it); `relied`, code relies on the page being readable.
 */
export const PAGE_FLAG = { read: 1, write: 2, execute: 4, dirty: 8, code: 16, wide: 32, ready: 64, relied: 128 } as const;
/** A store is fast when (flags & STORE_MASK) === STORE_FAST: writable, already dirty, no cached code. */
export const STORE_MASK = 26;
export const STORE_FAST = 10;

export interface CpuMemory {
  /** First guest address past the address space; a multiple of 4096. */
  readonly limit: number;
  readonly pageFlags: Uint8Array;
  readonly i8: Int8Array;
  readonly u8: Uint8Array;
  readonly i16: Int16Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  /**
   * Slow path of a store: the page is clean, read-only or holds cached code. Marks it dirty and drops cached code where the store is allowed.
   * Returns false when the page is not writable (the store must fault).
   */
  prepareStore(pageIndex: number): boolean;
  /**
   * A page whose flags forbid an access may only not have its bytes yet: every slow path asks here before it faults. True: it came, its flags are to be
   * looked at again; false: they stand. No side effect that the guest could see.
   */
  bring(pageIndex: number): boolean;
  /** Tells when code cached from a page, or relying on it, is stale: the page was written, unmapped or lost a right. */
  onCodeChange(listener: (pageIndex: number) => void): void;
  /** Notes that code from a page is cached: a store to it is slow from now on. */
  markCode(pageIndex: number): void;
  /** Counts events after which what was once found out about pages (rights, ready for stores, cached code) may be wrong. */
  readonly epoch: number;
}

/** Views on the register block of the thread being executed. All words are zero at first. */
export interface CpuState {
  /** Integer registers as 32-bit halves: x[2*i] low, x[2*i+1] high. x0 stays zero. */
  readonly x: Int32Array;
  /** Floating registers as halves, and the same bytes as doubles and floats (float i's low word is f32[2*i]). */
  readonly f: Int32Array;
  readonly f64: Float64Array;
  readonly f32: Float32Array;
  /** Control words; indices in CONTROL. */
  readonly control: Int32Array;
}

/** Indices into CpuState.control (32-bit words). */
export const CONTROL = {
  /** Program counter, low and high word. */
  pc: 0,
  pcHigh: 1,
  /** RISC-V fcsr: frm in bits 5-7, fflags in bits 0-4. */
  fcsr: 2,
  /** Load reservation: 1 when held, then address low word. Cleared by every trap, context switch and sc. */
  reservationValid: 3,
  reservationAddress: 4,
  /** 1: the `time` counter follows the instruction count at 10 MHz for 1 GHz; 0: it reads zero. */
  timeRuns: 5,
  /** Instructions retired before this run() call, low and high word: what cycle and instret add to. */
  retiredLow: 6,
  retiredHigh: 7,
} as const;
/** Register block: 64 + 64 words of registers, then 64 control words (8 used). Size in bytes. */
export const CPU_STATE_BYTES = 768;
export const CPU_STATE_OFFSET = { x: 0, f: 256, control: 512 } as const;

/** Where a control word lies whose register block begins at `registers`. */
export function controlAddress(registers: number, word: number): number {
  return registers + CPU_STATE_OFFSET.control + 4 * word;
}

/** Why run() returned. Numbers, because the hot loop returns them without allocating. */
export const STOP = {
  /** The budget is used up; exactly `budget` instructions retired. */
  budget: 0,
  /** At a system call instruction: pc is at it and it is not retired. */
  syscall: 1,
  /** At a breakpoint instruction (SIGTRAP); not retired. */
  breakpoint: 2,
  /** Illegal or reserved instruction (SIGILL); faultAddress is pc. */
  illegal: 3,
  /** Instruction fetch, load or store from a page without the right, or from an address >= 2^32. Not retired, no side effect. */
  fetchFault: 4,
  loadFault: 5,
  storeFault: 6,
  /** Misaligned atomic (SIGBUS), or a jump to an odd address. */
  misaligned: 7,
  /** The trap handler has completed a system call and wants to look at the machine: everything is accounted for (see TrapHandler). */
  trapped: 10,
} as const;
export type Stop = (typeof STOP)[keyof typeof STOP];

/**
 * Issues the system call that the thread stands at, without unwinding the executor; `executed` instructions of this run have retired before it.
 * true: it is completed, counts as one instruction of the run, and the same thread goes on. false: leave; the handler has accounted for `executed`,
 * for the call where it completed it, and for whatever it put on the processor.
 */
export type TrapHandler = (executed: number) => boolean;

/** Executes one thread's instructions. The pc and all registers are in the CpuState before and after run(). */
export interface Executor {
  /**
   * Executes until a stop; returns a STOP number. At most `budget` instructions retire (0 < budget <= 2^31 - 1). System calls go to `trap` where there
   * is one and the executor can; otherwise they are stops.
   */
  run(budget: number, trap?: TrapHandler): Stop;
  /** Instructions retired by the last run(). */
  readonly executed: number;
  /** After a fault: the faulting data (or fetch) address, low and high 32-bit halves as int32. */
  readonly faultLow: number;
  readonly faultHigh: number;
  /** Forgets every decoded instruction. Never changes a result. */
  dropCaches(): void;
  /** Another program comes into this memory: forgets what was made of the old one, and how often its places were reached. Never changes a result. */
  forgetProgram(): void;
}

/** A register in the bytes of a register block: little-endian. */
export interface RegisterPlace { readonly name: string; readonly offset: number; readonly bytes: 4 | 8 }

/** Guest addresses [start, end) of one function. */
export interface FunctionRange { readonly start: number; readonly end: number }

/** How the operating-system layer speaks with a thread's registers without knowing them. 64-bit values travel as halves or bigint. */
export interface Abi {
  /** ELF e_machine of programs for this ISA. */
  readonly elfMachine: number;
  /** uname -m. */
  readonly machineName: string;
  syscallNumber(state: CpuState): number;
  /** Argument 0 to 5 of a system call, as signed 32-bit halves. */
  argumentLow(state: CpuState, index: number): number;
  argumentHigh(state: CpuState, index: number): number;
  /** Puts the result (0.., or -errno) and steps over the system call instruction. The caller counts it as one retired instruction. */
  completeSyscall(state: CpuState, result: number | bigint): void;
  /** Registers of a new program: pc, stack pointer, everything else zero. */
  startProgram(state: CpuState, start: { readonly entry: number; readonly stackPointer: number }): void;
  /** Registers of a new thread: a copy of its maker's is in `state`; result 0, after the system call, own stack and thread pointer where given. */
  startThread(state: CpuState, start: { readonly stackPointer?: number; readonly threadPointer?: number }): void;
  programCounter(state: CpuState): bigint;
  stackPointer(state: CpuState): bigint;
  /** Moves the program counter (e.g. past an emulated instruction). */
  setProgramCounter(state: CpuState, address: number): void;
  /**
   * The program counter and the return addresses above it, innermost first, at most `max`: for people. As far as they can be found; nothing is changed.
   * `functionAt` tells where the function at an address begins.
   */
  callChain(memory: CpuMemory, state: CpuState, options: { readonly functionAt: (address: number) => FunctionRange | undefined; readonly max: number }): number[];
  /** Where each register lies in a saved register block, for people who compare two. */
  readonly registers: readonly RegisterPlace[];
  /** Bytes of `struct ucontext` + its machine context as Linux lays it out for this ISA. */
  readonly signalContextBytes: number;
  /** The `uc_mcontext` bytes (integer and floating registers, fcsr) in Linux layout, into a signal frame, whose words are aligned, and back from one. */
  saveContext(state: CpuState, bytes: Uint8Array): void;
  restoreContext(state: CpuState, bytes: Uint8Array): void;
  /** Enters a signal handler: handler(signal, siginfo*, ucontext*) with `stackPointer`, returning to `returnAddress`. */
  enterHandler(state: CpuState, entry: {
    readonly handler: number; readonly signal: number; readonly siginfo: number; readonly context: number;
    readonly stackPointer: number; readonly returnAddress: number;
  }): void;
  /** Machine code of `rt_sigreturn`, mapped read-only by the operating-system layer (the vdso's job on Linux). */
  readonly signalReturnCode: Uint8Array;
  /** AT_HWCAP of the auxiliary vector. */
  readonly hardwareCapabilities: bigint;
}

/** What the executors of one machine have done so far: facts of a host for reports, never part of a state. Times are in milliseconds. */
export interface Effort {
  /** Instructions that an interpreter retired beside translated code. */
  interpreted: number;
  /** Units and modules made, and the guest instructions in them. */
  units: number;
  modules: number;
  /** Of the modules, those that a former run or another process has made. */
  keptModules: number;
  unitInstructions: number;
  /** Bytes of all modules. */
  moduleBytes: number;
  /** Making modules out of guest code, and handing them to the host. The host compiles on in threads of its own. */
  translateMs: number;
  compileMs: number;
}

/** One instruction set. */
export interface Isa {
  /** What its executors have done; undefined where they keep no account. */
  readonly effort?: Effort;
  readonly name: string;
  readonly abi: Abi;
  createInterpreter(memory: CpuMemory, state: CpuState): Executor;
  /** Text of the instruction at `address`; never throws, `unknown` data prints as `.half`/`.word`. `length` is in bytes. */
  disassemble(bytes: Uint8Array, address: number): { readonly text: string; readonly length: number };
}
