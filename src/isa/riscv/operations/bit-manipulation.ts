/**
 * HOT PATH. Zba, Zbb, Zbs and Zicond apart from the few in the switch (sh1add, sh2add, sh3add, add.uw).
 * Each entry computes (low, high) from the halves of rs1 (a) and rs2 (b) or the immediate. None traps.
 */
import { RETIRED, type Machine } from '../machine.ts';
import { rdOf, rs1Of, rs2Of, type Operation } from './operation.ts';

const set = (machine: Machine, operands: number, low: number, high: number): number => {
  machine.setRegister(rdOf(operands), low, high);
  return RETIRED;
};
const setWord = (machine: Machine, operands: number, value: number): number => set(machine, operands, value, value >> 31);

/** rd = (uint32)rs1 * 2^amount + rs2. */
function shiftAddWord(machine: Machine, operands: number, amount: number): number {
  const { x } = machine;
  const a = x[rs1Of(operands)]!;
  const b = rs2Of(operands);
  const low = ((a << amount) + x[b]!) | 0;
  const carry = (low >>> 0) < (x[b]! >>> 0) ? 1 : 0;
  return set(machine, operands, low, ((a >>> (32 - amount)) + x[b + 1]! + carry) | 0);
}

/** rd = rs1 rotated right by 0..63. */
function rotateRight(machine: Machine, operands: number, amount: number): number {
  const a = rs1Of(operands);
  const isSwapped = (amount & 32) !== 0;
  const low = isSwapped ? machine.x[a + 1]! : machine.x[a]!;
  const high = isSwapped ? machine.x[a]! : machine.x[a + 1]!;
  const by = amount & 31;
  // (v << 1) << (31 - by) is v << (32 - by) without the trap of a shift by 32.
  return set(machine, operands, (low >>> by) | ((high << 1) << (31 - by)), (high >>> by) | ((low << 1) << (31 - by)));
}

function rotateRightWord(machine: Machine, operands: number, amount: number): number {
  const value = machine.x[rs1Of(operands)]!;
  const by = amount & 31;
  return setWord(machine, operands, (value >>> by) | ((value << 1) << (31 - by)));
}

function countBits(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
/** 32 for zero. */
const trailingZeros = (word: number): number => (word === 0 ? 32 : 31 - Math.clz32(word & -word));
const reverseBytes = (word: number): number =>
  (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
function orBytes(word: number): number {
  return ((word & 0xff) !== 0 ? 0xff : 0) | ((word & 0xff00) !== 0 ? 0xff00 : 0) | ((word & 0xff0000) !== 0 ? 0xff0000 : 0)
    | ((word & 0xff000000) !== 0 ? 0xff000000 : 0);
}

/** Whether rs1 < rs2, signed or not. */
function isLess(machine: Machine, operands: number, isSigned: boolean): boolean {
  const { x } = machine;
  const a = rs1Of(operands);
  const b = rs2Of(operands);
  const ah = x[a + 1]!;
  const bh = x[b + 1]!;
  if (ah === bh) return (x[a]! >>> 0) < (x[b]! >>> 0);
  return isSigned ? ah < bh : (ah >>> 0) < (bh >>> 0);
}
/** rd = rs1 when `isFirst`, else rs2. */
function choose(machine: Machine, operands: number, isFirst: boolean): number {
  const from = isFirst ? rs1Of(operands) : rs2Of(operands);
  return set(machine, operands, machine.x[from]!, machine.x[from + 1]!);
}

const maskLow = (bit: number): number => ((bit & 32) === 0 ? 1 << bit : 0);
const maskHigh = (bit: number): number => ((bit & 32) === 0 ? 0 : 1 << bit);
function setBit(machine: Machine, operands: number, bit: number): number {
  const a = rs1Of(operands);
  return set(machine, operands, machine.x[a]! | maskLow(bit), machine.x[a + 1]! | maskHigh(bit));
}
function clearBit(machine: Machine, operands: number, bit: number): number {
  const a = rs1Of(operands);
  return set(machine, operands, machine.x[a]! & ~maskLow(bit), machine.x[a + 1]! & ~maskHigh(bit));
}
function invertBit(machine: Machine, operands: number, bit: number): number {
  const a = rs1Of(operands);
  return set(machine, operands, machine.x[a]! ^ maskLow(bit), machine.x[a + 1]! ^ maskHigh(bit));
}
function extractBit(machine: Machine, operands: number, bit: number): number {
  const word = machine.x[rs1Of(operands) + ((bit >>> 5) & 1)]!;
  return set(machine, operands, (word >>> bit) & 1, 0);
}
const amountOf = (machine: Machine, operands: number): number => machine.x[rs2Of(operands)]! & 63;

function keepUnless(machine: Machine, operands: number, isZeroed: boolean): number {
  const a = rs1Of(operands);
  return isZeroed ? set(machine, operands, 0, 0) : set(machine, operands, machine.x[a]!, machine.x[a + 1]!);
}
const isSecondZero = (machine: Machine, operands: number): boolean =>
  (machine.x[rs2Of(operands)]! | machine.x[rs2Of(operands) + 1]!) === 0;

const LOGIC: Readonly<Record<string, Operation>> = {
  andn: (machine, operands) => {
    const a = rs1Of(operands), b = rs2Of(operands);
    return set(machine, operands, machine.x[a]! & ~machine.x[b]!, machine.x[a + 1]! & ~machine.x[b + 1]!);
  },
  orn: (machine, operands) => {
    const a = rs1Of(operands), b = rs2Of(operands);
    return set(machine, operands, machine.x[a]! | ~machine.x[b]!, machine.x[a + 1]! | ~machine.x[b + 1]!);
  },
  xnor: (machine, operands) => {
    const a = rs1Of(operands), b = rs2Of(operands);
    return set(machine, operands, ~(machine.x[a]! ^ machine.x[b]!), ~(machine.x[a + 1]! ^ machine.x[b + 1]!));
  },
  max: (machine, operands) => choose(machine, operands, !isLess(machine, operands, true)),
  maxu: (machine, operands) => choose(machine, operands, !isLess(machine, operands, false)),
  min: (machine, operands) => choose(machine, operands, isLess(machine, operands, true)),
  minu: (machine, operands) => choose(machine, operands, isLess(machine, operands, false)),
  'czero.eqz': (machine, operands) => keepUnless(machine, operands, isSecondZero(machine, operands)),
  'czero.nez': (machine, operands) => keepUnless(machine, operands, !isSecondZero(machine, operands)),
};

const COUNT_AND_BYTES: Readonly<Record<string, Operation>> = {
  clz: (machine, operands) => {
    const a = rs1Of(operands);
    const high = machine.x[a + 1]!;
    return set(machine, operands, high === 0 ? 32 + Math.clz32(machine.x[a]!) : Math.clz32(high), 0);
  },
  ctz: (machine, operands) => {
    const a = rs1Of(operands);
    const low = machine.x[a]!;
    return set(machine, operands, low === 0 ? 32 + trailingZeros(machine.x[a + 1]!) : trailingZeros(low), 0);
  },
  cpop: (machine, operands) => set(machine, operands, countBits(machine.x[rs1Of(operands)]!) + countBits(machine.x[rs1Of(operands) + 1]!), 0),
  clzw: (machine, operands) => set(machine, operands, Math.clz32(machine.x[rs1Of(operands)]!), 0),
  ctzw: (machine, operands) => set(machine, operands, trailingZeros(machine.x[rs1Of(operands)]!), 0),
  cpopw: (machine, operands) => set(machine, operands, countBits(machine.x[rs1Of(operands)]!), 0),
  'sext.b': (machine, operands) => setWord(machine, operands, (machine.x[rs1Of(operands)]! << 24) >> 24),
  'sext.h': (machine, operands) => setWord(machine, operands, (machine.x[rs1Of(operands)]! << 16) >> 16),
  'zext.h': (machine, operands) => set(machine, operands, machine.x[rs1Of(operands)]! & 0xffff, 0),
  'orc.b': (machine, operands) => set(machine, operands, orBytes(machine.x[rs1Of(operands)]!), orBytes(machine.x[rs1Of(operands) + 1]!)),
  rev8: (machine, operands) =>
    set(machine, operands, reverseBytes(machine.x[rs1Of(operands) + 1]!), reverseBytes(machine.x[rs1Of(operands)]!)),
};

const SHIFTS: Readonly<Record<string, Operation>> = {
  'sh1add.uw': (machine, operands) => shiftAddWord(machine, operands, 1),
  'sh2add.uw': (machine, operands) => shiftAddWord(machine, operands, 2),
  'sh3add.uw': (machine, operands) => shiftAddWord(machine, operands, 3),
  'slli.uw': (machine, operands, imm) => {
    const word = machine.x[rs1Of(operands)]!;
    return imm < 32 ? set(machine, operands, word << imm, (word >>> 1) >>> (31 - imm)) : set(machine, operands, 0, word << imm);
  },
  rol: (machine, operands) => rotateRight(machine, operands, -amountOf(machine, operands) & 63),
  ror: (machine, operands) => rotateRight(machine, operands, amountOf(machine, operands)),
  rori: (machine, operands, imm) => rotateRight(machine, operands, imm),
  rolw: (machine, operands) => rotateRightWord(machine, operands, -amountOf(machine, operands)),
  rorw: (machine, operands) => rotateRightWord(machine, operands, amountOf(machine, operands)),
  roriw: (machine, operands, imm) => rotateRightWord(machine, operands, imm),
  bset: (machine, operands) => setBit(machine, operands, amountOf(machine, operands)),
  bclr: (machine, operands) => clearBit(machine, operands, amountOf(machine, operands)),
  binv: (machine, operands) => invertBit(machine, operands, amountOf(machine, operands)),
  bext: (machine, operands) => extractBit(machine, operands, amountOf(machine, operands)),
  bseti: setBit,
  bclri: clearBit,
  binvi: invertBit,
  bexti: extractBit,
};

export const BIT_MANIPULATION: Readonly<Record<string, Operation>> = { ...LOGIC, ...COUNT_AND_BYTES, ...SHIFTS };
