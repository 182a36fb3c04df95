/**
 * HOT PATH. The M extension apart from mul and mulw: high halves of products, quotients and remainders, on 32-bit halves.
 * Division by zero and overflow give the values of Unpriv. ISA "M": nothing traps.
 * Doubles are used as exact integers below 2^53 only; the reasons stand where it is not evident.
 */
import { RETIRED, type Machine } from '../machine.ts';
import { rdOf, rs1Of, rs2Of, type Operation } from './operation.ts';

const TWO_32 = 4294967296;

/** High 32 bits of the unsigned product of two 32-bit words. */
export function multiplyHighWord(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const p01 = Math.imul(a0, b1);
  const p10 = Math.imul(a1, b0);
  const middle = (Math.imul(a0, b0) >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
  return (Math.imul(a1, b1) + (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16)) | 0;
}

/** rd = high 64 bits of the unsigned product, less b where `a` counts as signed and negative, less a where `b` does. */
function multiplyHigh(machine: Machine, operands: number, isSignedA: boolean, isSignedB: boolean): void {
  const { x } = machine;
  const a = rs1Of(operands);
  const b = rs2Of(operands);
  const al = x[a]!, ah = x[a + 1]!, bl = x[b]!, bh = x[b + 1]!;
  // Columns of weight 2^32 and 2^64; sums of three words stay far below 2^53.
  const column1 = (multiplyHighWord(al, bl) >>> 0) + (Math.imul(al, bh) >>> 0) + (Math.imul(ah, bl) >>> 0);
  const column2 = (multiplyHighWord(al, bh) >>> 0) + (multiplyHighWord(ah, bl) >>> 0) + (Math.imul(ah, bh) >>> 0) + Math.floor(column1 / TWO_32);
  let low = column2 | 0;
  let high = (multiplyHighWord(ah, bh) + Math.floor(column2 / TWO_32)) | 0;
  if (isSignedA && ah < 0) {
    const borrow = (low >>> 0) < (bl >>> 0) ? 1 : 0;
    low = (low - bl) | 0;
    high = (high - bh - borrow) | 0;
  }
  if (isSignedB && bh < 0) {
    const borrow = (low >>> 0) < (al >>> 0) ? 1 : 0;
    low = (low - al) | 0;
    high = (high - ah - borrow) | 0;
  }
  machine.setRegister(rdOf(operands), low, high);
}

/** Results of divide64(), as words. One division at a time, no reentrance. */
const result = new Int32Array(4);
const QUOTIENT = 0;
const REMAINDER = 2;

/** Unsigned 64 by 64 bits into `result`. The divisor is not zero. */
function divide64(al: number, ah: number, bl: number, bh: number): void {
  if (bh !== 0) return divideByLarge(al, ah, bl, bh);
  const divisor = bl >>> 0;
  // Schoolbook: a 32-bit digit, then two of 16 bits, so that remainder * 2^16 + digit stays below 2^48.
  const top = ah >>> 0;
  const quotientHigh = Math.floor(top / divisor);
  const middle = (top - quotientHigh * divisor) * 65536 + (al >>> 16);
  const digit1 = Math.floor(middle / divisor);
  const bottom = (middle - digit1 * divisor) * 65536 + (al & 0xffff);
  const digit0 = Math.floor(bottom / divisor);
  result[QUOTIENT] = (digit1 * 65536 + digit0) | 0;
  result[QUOTIENT + 1] = quotientHigh | 0;
  result[REMAINDER] = (bottom - digit0 * divisor) | 0;
  result[REMAINDER + 1] = 0;
}

/** Divisor at least 2^32: the quotient fits 32 bits and the quotient of the rounded doubles is off by at most one. */
function divideByLarge(al: number, ah: number, bl: number, bh: number): void {
  const dividend = (ah >>> 0) * TWO_32 + (al >>> 0);
  const divisor = (bh >>> 0) * TWO_32 + (bl >>> 0);
  let quotient = Math.min(Math.floor(dividend / divisor), TWO_32 - 1);
  let low = 0;
  let high = 0;
  for (;;) {
    // remainder = a - quotient * b, as 96 bits of which the top word tells the sign.
    const q = quotient | 0;
    const productLow = Math.imul(q, bl);
    const column = (multiplyHighWord(q, bl) >>> 0) + (Math.imul(q, bh) >>> 0);
    const productTop = (multiplyHighWord(q, bh) >>> 0) + Math.floor(column / TWO_32);
    low = (al - productLow) | 0;
    const borrow = (al >>> 0) < (productLow >>> 0) ? 1 : 0;
    const difference = (ah >>> 0) - ((column | 0) >>> 0) - borrow;
    high = difference | 0;
    if (productTop > 0 || difference < 0) quotient--;
    else if ((high >>> 0) > (bh >>> 0) || (high === bh && (low >>> 0) >= (bl >>> 0))) quotient++;
    else break;
  }
  result[QUOTIENT] = quotient | 0;
  result[QUOTIENT + 1] = 0;
  result[REMAINDER] = low;
  result[REMAINDER + 1] = high;
}

function negate(at: number): void {
  const low = result[at]!;
  result[at] = -low;
  result[at + 1] = ~result[at + 1]! + (low === 0 ? 1 : 0);
}

/** rd = the quotient or remainder at `at`, of unsigned operands. */
function divideUnsigned(machine: Machine, operands: number, at: number): void {
  const { x } = machine;
  const a = rs1Of(operands);
  const b = rs2Of(operands);
  const al = x[a]!, ah = x[a + 1]!, bl = x[b]!, bh = x[b + 1]!;
  if ((bl | bh) === 0) {
    if (at === QUOTIENT) machine.setRegister(rdOf(operands), -1, -1);
    else machine.setRegister(rdOf(operands), al, ah);
    return;
  }
  divide64(al, ah, bl, bh);
  machine.setRegister(rdOf(operands), result[at]!, result[at + 1]!);
}

/** rd = the quotient or remainder at `at`, of signed operands, rounded towards zero; the most negative number over -1 wraps. */
function divideSigned(machine: Machine, operands: number, at: number): void {
  const { x } = machine;
  const a = rs1Of(operands);
  const b = rs2Of(operands);
  let al = x[a]!, ah = x[a + 1]!, bl = x[b]!, bh = x[b + 1]!;
  if ((bl | bh) === 0) return divideUnsigned(machine, operands, at);
  const isNegativeA = ah < 0;
  const isNegativeB = bh < 0;
  if (isNegativeA) {
    ah = (~ah + (al === 0 ? 1 : 0)) | 0;
    al = -al | 0;
  }
  if (isNegativeB) {
    bh = (~bh + (bl === 0 ? 1 : 0)) | 0;
    bl = -bl | 0;
  }
  divide64(al, ah, bl, bh);
  if (at === QUOTIENT ? isNegativeA !== isNegativeB : isNegativeA) negate(at);
  machine.setRegister(rdOf(operands), result[at]!, result[at + 1]!);
}

const setWord = (machine: Machine, operands: number, value: number): void => machine.setRegister(rdOf(operands), value, value >> 31);

export const MULTIPLY_DIVIDE: Readonly<Record<string, Operation>> = {
  mulh(machine, operands) {
    multiplyHigh(machine, operands, true, true);
    return RETIRED;
  },
  mulhsu(machine, operands) {
    multiplyHigh(machine, operands, true, false);
    return RETIRED;
  },
  mulhu(machine, operands) {
    multiplyHigh(machine, operands, false, false);
    return RETIRED;
  },
  div(machine, operands) {
    divideSigned(machine, operands, QUOTIENT);
    return RETIRED;
  },
  divu(machine, operands) {
    divideUnsigned(machine, operands, QUOTIENT);
    return RETIRED;
  },
  rem(machine, operands) {
    divideSigned(machine, operands, REMAINDER);
    return RETIRED;
  },
  remu(machine, operands) {
    divideUnsigned(machine, operands, REMAINDER);
    return RETIRED;
  },
  // `| 0` of the double quotient truncates towards zero; -2^31 / -1 = 2^31 wraps to -2^31, and x % 0 is handled apart.
  divw(machine, operands) {
    const a = machine.x[rs1Of(operands)]!;
    const b = machine.x[rs2Of(operands)]!;
    setWord(machine, operands, b === 0 ? -1 : (a / b) | 0);
    return RETIRED;
  },
  divuw(machine, operands) {
    const a = machine.x[rs1Of(operands)]! >>> 0;
    const b = machine.x[rs2Of(operands)]! >>> 0;
    setWord(machine, operands, b === 0 ? -1 : (a / b) | 0);
    return RETIRED;
  },
  remw(machine, operands) {
    const a = machine.x[rs1Of(operands)]!;
    const b = machine.x[rs2Of(operands)]!;
    setWord(machine, operands, b === 0 ? a : (a % b) | 0);
    return RETIRED;
  },
  remuw(machine, operands) {
    const a = machine.x[rs1Of(operands)]! >>> 0;
    const b = machine.x[rs2Of(operands)]! >>> 0;
    setWord(machine, operands, b === 0 ? a | 0 : (a % b) | 0);
    return RETIRED;
  },
};
