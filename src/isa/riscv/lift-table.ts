/**
 * What each lifted instruction without control flow emits: a table from mnemonic to a few WebAssembly operations on register locals.
 * An emitter leaves exactly one i64 on the stack, the new value of rd or of an atomic's place. Memory, floating point and jumps are in lift/emit-memory.ts, emit-float.ts
 * and emit-control.ts.
 * What this does NOT do: rd = x0 (the caller drops instructions without effect), count, or spill.
 */
import { OP, TYPE, type CodeWriter, type Opcode } from '../../wasm/index.ts';
import { CSR } from './csr-numbers.ts';
import type { Decoded } from './decode.ts';
import type { InstructionRow } from './instruction-table.ts';

/** How an emitter reads registers. */
export interface Operands {
  readonly code: CodeWriter;
  readonly instruction: Decoded & { readonly address: number };
  /** Pushes integer register `register` as i64. */
  get(register: number): void;
}
type Emitter = (operands: Operands) => void;

const both = ({ get, instruction }: Operands): void => { get(instruction.rs1); get(instruction.rs2); };
const operate = (...operations: Opcode[]): Emitter => (operands) => {
  both(operands);
  for (const operation of operations) operands.code.op(operation);
};
const withImmediate = (...operations: Opcode[]): Emitter => ({ code, get, instruction }) => {
  get(instruction.rs1);
  code.i64ConstSmall(instruction.imm);
  for (const operation of operations) code.op(operation);
};
/** 32-bit operation on the low words, sign-extended. */
const word = (operation: Opcode): Emitter => ({ code, get, instruction }) => {
  get(instruction.rs1); code.op(OP.i32WrapI64);
  get(instruction.rs2); code.op(OP.i32WrapI64);
  code.op(operation); code.op(OP.i64ExtendI32s);
};
const wordImmediate = (operation: Opcode): Emitter => ({ code, get, instruction }) => {
  get(instruction.rs1); code.op(OP.i32WrapI64);
  code.i32Const(instruction.imm);
  code.op(operation); code.op(OP.i64ExtendI32s);
};
const unary = (...operations: Opcode[]): Emitter => ({ code, get, instruction }) => {
  get(instruction.rs1);
  for (const operation of operations) code.op(operation);
};
const NOT = -1;
/** rs1 op ~rs2. */
const inverted = (operation: Opcode): Emitter => ({ code, get, instruction }) => {
  get(instruction.rs1); get(instruction.rs2); code.i64ConstSmall(NOT); code.op(OP.i64Xor); code.op(operation);
};
const choose = (compare: Opcode): Emitter => (operands) => {
  both(operands); both(operands);
  operands.code.op(compare); operands.code.op(OP.select);
};
const shiftAdd = (by: number, isWord: boolean): Emitter => ({ code, get, instruction }) => {
  get(instruction.rs1);
  if (isWord) { code.op(OP.i32WrapI64); code.op(OP.i64ExtendI32u); }
  if (by > 0) { code.i64ConstSmall(by); code.op(OP.i64Shl); }
  get(instruction.rs2); code.op(OP.i64Add);
};
/** One bit of rs2 (or of the immediate): set, clear or flip it in rs1. */
const bit = (operation: Opcode, isImmediate: boolean, isInverted: boolean): Emitter => ({ code, get, instruction }) => {
  get(instruction.rs1);
  code.i64ConstSmall(1);
  if (isImmediate) code.i64ConstSmall(instruction.imm); else get(instruction.rs2);
  code.op(OP.i64Shl);
  if (isInverted) { code.i64ConstSmall(NOT); code.op(OP.i64Xor); }
  code.op(operation);
};
/** rs2 zero (or not): 0, else rs1. */
const zeroIf = (isZero: boolean): Emitter => ({ code, get, instruction }) => {
  code.i64ConstSmall(0); get(instruction.rs1); get(instruction.rs2); code.op(OP.i64Eqz);
  if (!isZero) code.op(OP.i32Eqz);
  code.op(OP.select);
};

/** x / 0 = -1, x % 0 = x; the most negative number / -1 = itself, % -1 = 0. WebAssembly traps on these, so they are kept from it. */
const divide = (operation: Opcode, isSigned: boolean, isRemainder: boolean): Emitter => (operands) => {
  const { code, get, instruction: { rs1, rs2 } } = operands;
  get(rs2); code.op(OP.i64Eqz);
  code.open(OP.if, TYPE.i64);
  if (isRemainder) get(rs1); else code.i64ConstSmall(-1);
  code.byte(OP.else);
  if (isSigned) {
    get(rs2); code.i64ConstSmall(-1); code.op(OP.i64Eq);
    code.open(OP.if, TYPE.i64);
    code.i64ConstSmall(0);
    if (!isRemainder) { get(rs1); code.op(OP.i64Sub); }
    code.byte(OP.else);
  }
  both(operands); code.op(operation);
  if (isSigned) code.end();
  code.end();
};
const divideWord = (operation: Opcode, isSigned: boolean, isRemainder: boolean): Emitter => ({ code, get, instruction: { rs1, rs2 } }) => {
  const low = (register: number): void => { get(register); code.op(OP.i32WrapI64); };
  low(rs2); code.op(OP.i32Eqz);
  code.open(OP.if, TYPE.i32);
  if (isRemainder) low(rs1); else code.i32Const(-1);
  code.byte(OP.else);
  if (isSigned) {
    low(rs2); code.i32Const(-1); code.op(OP.i32Eq);
    code.open(OP.if, TYPE.i32);
    code.i32Const(0);
    if (!isRemainder) { low(rs1); code.op(OP.i32Sub); }
    code.byte(OP.else);
  }
  low(rs1); low(rs2); code.op(operation);
  if (isSigned) code.end();
  code.end();
  code.op(OP.i64ExtendI32s);
};

/** Pushes a value with its fields of so many bits swapped in pairs: `push` pushes it, twice, which the host's compiler computes once. */
function swapPairs(code: CodeWriter, bits: number, lowFields: bigint, push: () => void): void {
  push(); code.i64Const(lowFields); code.op(OP.i64And); code.i64ConstSmall(bits); code.op(OP.i64Shl);
  push(); code.i64ConstSmall(bits); code.op(OP.i64ShrU); code.i64Const(lowFields); code.op(OP.i64And);
  code.op(OP.i64Or);
}

const reverseBytes: Emitter = ({ code, get, instruction }) => {
  swapPairs(code, 16, 0x0000ffff0000ffffn, () => swapPairs(code, 8, 0x00ff00ff00ff00ffn, () => get(instruction.rs1)));
  code.i64ConstSmall(32); code.op(OP.i64Rotl);
};

/** Each byte becomes 0xff where it has a bit: bit 7 of (x | (x & 0x7f..) + 0x7f..), times 0xff. */
const orBytes: Emitter = ({ code, get, instruction }) => {
  const low = 0x7f7f7f7f7f7f7f7fn;
  get(instruction.rs1); code.i64Const(low); code.op(OP.i64And); code.i64Const(low); code.op(OP.i64Add);
  get(instruction.rs1); code.op(OP.i64Or);
  code.i64ConstSmall(7); code.op(OP.i64ShrU); code.i64Const(0x0101010101010101n); code.op(OP.i64And);
  code.i64ConstSmall(255); code.op(OP.i64Mul);
};

/** Emitters of instructions whose only effect is rd. */
export const PURE: Readonly<Record<string, Emitter>> = {
  lui: ({ code, instruction }) => code.i64ConstSmall(instruction.imm),
  auipc: ({ code, instruction }) => code.i64Const(BigInt(instruction.address) + BigInt(instruction.imm)),
  addi: withImmediate(OP.i64Add), xori: withImmediate(OP.i64Xor), ori: withImmediate(OP.i64Or), andi: withImmediate(OP.i64And),
  slti: withImmediate(OP.i64LtS, OP.i64ExtendI32u), sltiu: withImmediate(OP.i64LtU, OP.i64ExtendI32u),
  slli: withImmediate(OP.i64Shl), srli: withImmediate(OP.i64ShrU), srai: withImmediate(OP.i64ShrS),
  add: operate(OP.i64Add), sub: operate(OP.i64Sub), sll: operate(OP.i64Shl), srl: operate(OP.i64ShrU), sra: operate(OP.i64ShrS),
  slt: operate(OP.i64LtS, OP.i64ExtendI32u), sltu: operate(OP.i64LtU, OP.i64ExtendI32u),
  xor: operate(OP.i64Xor), or: operate(OP.i64Or), and: operate(OP.i64And), mul: operate(OP.i64Mul),
  addiw: wordImmediate(OP.i32Add), slliw: wordImmediate(OP.i32Shl), srliw: wordImmediate(OP.i32ShrU), sraiw: wordImmediate(OP.i32ShrS),
  addw: word(OP.i32Add), subw: word(OP.i32Sub), sllw: word(OP.i32Shl), srlw: word(OP.i32ShrU), sraw: word(OP.i32ShrS), mulw: word(OP.i32Mul),
  div: divide(OP.i64DivS, true, false), divu: divide(OP.i64DivU, false, false), rem: divide(OP.i64RemS, true, true), remu: divide(OP.i64RemU, false, true),
  divw: divideWord(OP.i32DivS, true, false), divuw: divideWord(OP.i32DivU, false, false),
  remw: divideWord(OP.i32RemS, true, true), remuw: divideWord(OP.i32RemU, false, true),
  'add.uw': shiftAdd(0, true), sh1add: shiftAdd(1, false), sh2add: shiftAdd(2, false), sh3add: shiftAdd(3, false),
  'sh1add.uw': shiftAdd(1, true), 'sh2add.uw': shiftAdd(2, true), 'sh3add.uw': shiftAdd(3, true),
  'slli.uw': ({ code, get, instruction }) => {
    get(instruction.rs1); code.op(OP.i32WrapI64); code.op(OP.i64ExtendI32u); code.i64ConstSmall(instruction.imm); code.op(OP.i64Shl);
  },
  andn: inverted(OP.i64And), orn: inverted(OP.i64Or), xnor: inverted(OP.i64Xor),
  clz: unary(OP.i64Clz), ctz: unary(OP.i64Ctz), cpop: unary(OP.i64Popcnt),
  clzw: unary(OP.i32WrapI64, OP.i32Clz, OP.i64ExtendI32u), ctzw: unary(OP.i32WrapI64, OP.i32Ctz, OP.i64ExtendI32u),
  cpopw: unary(OP.i32WrapI64, OP.i32Popcnt, OP.i64ExtendI32u),
  'sext.b': unary(OP.i64Extend8s), 'sext.h': unary(OP.i64Extend16s),
  'zext.h': ({ code, get, instruction }) => { get(instruction.rs1); code.i64ConstSmall(0xffff); code.op(OP.i64And); },
  max: choose(OP.i64GtS), maxu: choose(OP.i64GtU), min: choose(OP.i64LtS), minu: choose(OP.i64LtU),
  rol: operate(OP.i64Rotl), ror: operate(OP.i64Rotr), rori: withImmediate(OP.i64Rotr),
  rolw: word(OP.i32Rotl), rorw: word(OP.i32Rotr), roriw: wordImmediate(OP.i32Rotr),
  bclr: bit(OP.i64And, false, true), bclri: bit(OP.i64And, true, true), binv: bit(OP.i64Xor, false, false), binvi: bit(OP.i64Xor, true, false),
  bset: bit(OP.i64Or, false, false), bseti: bit(OP.i64Or, true, false),
  bext: ({ code, get, instruction }) => { get(instruction.rs1); get(instruction.rs2); code.op(OP.i64ShrU); code.i64ConstSmall(1); code.op(OP.i64And); },
  bexti: ({ code, get, instruction }) => { get(instruction.rs1); code.i64ConstSmall(instruction.imm); code.op(OP.i64ShrU); code.i64ConstSmall(1); code.op(OP.i64And); },
  rev8: reverseBytes, 'orc.b': orBytes, 'czero.eqz': zeroIf(true), 'czero.nez': zeroIf(false),
};

/** Conditions of branches, on rs1 and rs2. */
export const CONDITIONS: Readonly<Record<string, Opcode>> = {
  beq: OP.i64Eq, bne: OP.i64Ne, blt: OP.i64LtS, bge: OP.i64GeS, bltu: OP.i64LtU, bgeu: OP.i64GeU,
};

/** Loads and stores: WebAssembly operation and size in bytes. */
export const LOADS: Readonly<Record<string, readonly [Opcode, number]>> = {
  lb: [OP.i64Load8s, 1], lbu: [OP.i64Load8u, 1], lh: [OP.i64Load16s, 2], lhu: [OP.i64Load16u, 2],
  lw: [OP.i64Load32s, 4], lwu: [OP.i64Load32u, 4], ld: [OP.i64Load, 8], flw: [OP.i64Load32u, 4], fld: [OP.i64Load, 8],
};
export const STORES: Readonly<Record<string, readonly [Opcode, number]>> = {
  sb: [OP.i64Store8, 1], sh: [OP.i64Store16, 2], sw: [OP.i64Store32, 4], sd: [OP.i64Store, 8], fsw: [OP.i64Store32, 4], fsd: [OP.i64Store, 8],
};

/** Atomics: size in bytes, WebAssembly load and store. Words are sign-extended, which keeps the order of unsigned ones too. */
export const ATOMIC_WIDTHS = { w: { size: 4, load: OP.i64Load32s, store: OP.i64Store32 }, d: { size: 8, load: OP.i64Load, store: OP.i64Store } } as const;
export type AtomicWidth = (typeof ATOMIC_WIDTHS)[keyof typeof ATOMIC_WIDTHS];

/** The locals of the place's old value and of the operand. */
interface AtomicOperands { readonly old: number; readonly operand: number }
type AtomicEmitter = (code: CodeWriter, operands: AtomicOperands) => void;
const combine = (operation: Opcode): AtomicEmitter => (code, { old, operand }) => {
  code.localGet(old); code.localGet(operand); code.op(operation);
};
const keep = (compare: Opcode): AtomicEmitter => (code, operands) => {
  code.localGet(operands.old); code.localGet(operands.operand); combine(compare)(code, operands); code.op(OP.select);
};
/** What `amo` with such a name stores. */
export const ATOMIC_RESULTS: Readonly<Record<string, AtomicEmitter>> = {
  swap: (code, { operand }) => code.localGet(operand),
  add: combine(OP.i64Add), xor: combine(OP.i64Xor), and: combine(OP.i64And), or: combine(OP.i64Or),
  min: keep(OP.i64LtS), max: keep(OP.i64GtS), minu: keep(OP.i64LtU), maxu: keep(OP.i64GtU),
};

/** Upper halves of 128-bit products: which operands are signed. */
export const HIGH_PRODUCTS: Readonly<Record<string, readonly [isFirstSigned: boolean, isSecondSigned: boolean]>> = { mulh: [true, true], mulhsu: [true, false], mulhu: [false, false] };

/** Whether a unit goes on past such an instruction (or ends with it as its jump). What is not lifted is interpreted. */
export function isLifted({ mnemonic, format }: InstructionRow, imm: number): boolean {
  if (format === 'Csr' || format === 'CsrImmediate') return imm >= CSR.fflags && imm <= CSR.fcsr; // Those that no instruction count enters.
  if (mnemonic in PURE || mnemonic in LOADS || mnemonic in STORES || mnemonic in CONDITIONS || mnemonic in HIGH_PRODUCTS) return true;
  return format === 'Jump' || format === 'JumpRegister' || format === 'Fence' || format === 'Atomic' || format === 'LoadReserved' || format.includes('Float');
}
