/**
 * Who called the code that a thread stands in, read from registers and stack without frame pointers or unwind tables: compilers for this ISA make
 * room on the stack and store the return address at the start of a function, and the start tells where.
 *
 *   start ── addi sp,sp,-N   sd ra,X(sp)   (addi s0,sp,M) ──► pc:   caller's sp = sp + N   return address = memory[sp + X]
 *
 * Invariants: every return address that is given lies in executable memory behind a call instruction; reads only, so the guest cannot notice.
 * What this does NOT do: be right always. A function whose start is not known, or that keeps its return address elsewhere, ends the chain early.
 */
import { BIAS, CONTROL, PAGE_FLAG, type CpuMemory, type CpuState, type FunctionRange } from '../cpu.ts';
import { decode, newDecoded, type Decoded } from './decode.ts';
import { INSTRUCTIONS } from './instruction-table.ts';

const REGISTER = { ra: 1, sp: 2, s0: 8 } as const;
/** Longer functions are looked at up to here: the start is what matters. */
const SCAN_BYTES_MAX = 65_536;

/** Where a function keeps things at a place in it. Offsets are from its caller's stack pointer. */
interface Frame {
  /** Bytes that the stack pointer is below the caller's; undefined when only the frame pointer tells. */
  readonly depth: number | undefined;
  readonly returnAt: number | undefined;
  readonly framePointerAt: number | undefined;
  /** s0 is the caller's stack pointer plus this. */
  readonly framePointer: number | undefined;
}

const NO_FRAME: Frame = { depth: 0, returnAt: undefined, framePointerAt: undefined, framePointer: undefined };

/** Program counter first, then return addresses, at most `max` in all. `functionAt` tells where functions begin. */
export function callChain(memory: CpuMemory, state: CpuState, { functionAt, max }: { readonly functionAt: (address: number) => FunctionRange | undefined; readonly max: number }): number[] {
  const pc = state.control[CONTROL.pc]! >>> 0;
  const chain = [pc];
  const low = (register: number): number => (state.x[2 * register + 1] === 0 ? state.x[2 * register]! >>> 0 : 0);
  let stackPointer = low(REGISTER.sp);
  let framePointer = low(REGISTER.s0);
  let returnRegister: number | undefined = low(REGISTER.ra);
  for (let at = pc; chain.length < max;) {
    const range = functionAt(at);
    const frame = range === undefined ? undefined : frameAt(memory, range.start, at);
    if (frame === undefined) break;
    const above = frame.depth === undefined ? framePointer - (frame.framePointer ?? 0) : stackPointer + frame.depth;
    const back = frame.returnAt === undefined ? returnRegister : read(memory, above + frame.returnAt);
    // A frame that was guessed wrongly: the innermost function may still have its return address in the register.
    const next = isReturnAddress(memory, back) ? back : returnRegister;
    if (next === undefined || next === at || !isReturnAddress(memory, next)) break;
    if (next === back && frame.framePointerAt !== undefined) framePointer = read(memory, above + frame.framePointerAt) ?? 0;
    stackPointer = next === back ? above : stackPointer;
    returnRegister = undefined;
    chain.push(next);
    at = next - 2; // Inside the call: the return address may be another function's first.
  }
  return chain;
}

function read(memory: CpuMemory, address: number): number | undefined {
  if (!isReadable(memory, address) || (address & 7) !== 0) return undefined;
  const at = (address - BIAS) >>> 2;
  return memory.i32[at + 1] === 0 ? memory.i32[at]! >>> 0 : undefined;
}

function isReadable({ limit, pageFlags }: CpuMemory, address: number): boolean {
  return address >= BIAS && address + 8 <= limit && (pageFlags[address >>> 12]! & PAGE_FLAG.read) !== 0;
}

/** Executable, and a call that links in ra ends there. */
function isReturnAddress(memory: CpuMemory, address: number | undefined): address is number {
  if (address === undefined || (address & 1) !== 0 || address < BIAS + 4 || address >= memory.limit) return false;
  for (const place of [address - 4, address]) if ((memory.pageFlags[place >>> 12]! & PAGE_FLAG.execute) === 0) return false;
  const decoded = newDecoded();
  for (const length of [4, 2]) if (instruction(memory, address - length, decoded) === length && decoded.rd === REGISTER.ra && mnemonicOf(decoded).startsWith('jal')) return true;
  return false;
}

/** Decodes; the length in bytes. */
function instruction({ u16 }: CpuMemory, address: number, into: Decoded): number {
  const at = (address - BIAS) >>> 1;
  const low = u16[at]!;
  decode((low & 3) === 3 ? low | (u16[at + 1]! << 16) : low, into);
  return into.length;
}

function mnemonicOf({ operation }: Decoded): string {
  return INSTRUCTIONS[operation]?.mnemonic ?? '';
}

/** Follows the instructions from a function's start to a place in it, as they lie; undefined when that cannot be done. What stands behind a return or a jump has the deepest frame seen. */
function frameAt(memory: CpuMemory, start: number, pc: number): Frame | undefined {
  if (pc - start > SCAN_BYTES_MAX || start > pc || start < BIAS || (start & 1) !== 0) return undefined;
  const decoded = newDecoded();
  const constants = new Map<number, number>();
  let frame = NO_FRAME;
  let deepest = NO_FRAME;
  for (let at = start; at < pc;) {
    if ((memory.pageFlags[at >>> 12]! & PAGE_FLAG.execute) === 0) return undefined;
    at += instruction(memory, at, decoded);
    frame = step(frame, decoded, constants);
    if (frame.returnAt !== undefined && (frame.depth === undefined || frame.depth >= (deepest.depth ?? 0))) deepest = frame;
    const mnemonic = mnemonicOf(decoded);
    if ((mnemonic === 'jal' || mnemonic === 'jalr') && decoded.rd === 0) frame = deepest;
  }
  return frame;
}

/** One instruction's effect. Stores of the registers of interest are noted, restores forgotten. */
function step(frame: Frame, decoded: Decoded, constants: Map<number, number>): Frame {
  const { rd, rs1, rs2, imm } = decoded;
  const { depth } = frame;
  const mnemonic = mnemonicOf(decoded);
  if (mnemonic === 'sd' && rs1 === REGISTER.sp && depth !== undefined) {
    if (rs2 === REGISTER.ra) return { ...frame, returnAt: imm - depth };
    return rs2 === REGISTER.s0 ? { ...frame, framePointerAt: imm - depth } : frame;
  }
  if (mnemonic === 'ld' && rs1 === REGISTER.sp && rd === REGISTER.ra) return { ...frame, returnAt: undefined };
  if (mnemonic === 'ld' && rs1 === REGISTER.sp && rd === REGISTER.s0) return { ...frame, framePointerAt: undefined, framePointer: undefined };
  if (rd === REGISTER.s0) return { ...frame, framePointer: mnemonic === 'addi' && rs1 === REGISTER.sp && depth !== undefined ? imm - depth : undefined };
  if (rd !== REGISTER.sp) {
    noteConstant(decoded, mnemonic, constants);
    return frame;
  }
  if (mnemonic === 'addi' && rs1 === REGISTER.sp) return { ...frame, depth: depth === undefined ? undefined : depth - imm };
  if (mnemonic === 'addi' && rs1 === REGISTER.s0 && frame.framePointer !== undefined) return { ...frame, depth: -(frame.framePointer + imm) };
  const constant = mnemonic === 'add' && (rs1 === REGISTER.sp || rs2 === REGISTER.sp) ? constants.get(rs1 === REGISTER.sp ? rs2 : rs1) : undefined;
  if (constant !== undefined && depth !== undefined) return { ...frame, depth: depth - constant };
  return { ...frame, depth: frame.framePointer === undefined ? depth : undefined };
}

/** Large frames are made with a constant: `lui`, `addi`, `add sp,sp,…`. */
function noteConstant({ rd, rs1, imm }: Decoded, mnemonic: string, constants: Map<number, number>): void {
  const base = rs1 === 0 ? 0 : constants.get(rs1);
  if (mnemonic === 'lui') constants.set(rd, imm);
  else if ((mnemonic === 'addi' || mnemonic === 'addiw') && base !== undefined) constants.set(rd, base + imm);
  else constants.delete(rd);
}
