/**
 * Fields of the 16-bit instructions: from compressed-table.ts to the operands of the base instruction.
 * Immediates are scattered over the half word (Unpriv. ISA chapter "C"); `gather` puts them together from (bit of half, bit of value) runs.
 * What this does NOT do: decide what the base instruction means.
 */
import { COMPRESSED, type CompressedRow } from './compressed-table.ts';
import type { Decoded } from './decode.ts';
import { operationNumber } from './instruction-table.ts';

const EXPANSIONS: readonly number[] = COMPRESSED.map((row) => operationNumber(row.expandsTo));
/** Rows by quadrant (bits 0-1) and funct3 (bits 13-15), in table order. */
const BUCKETS: readonly (readonly number[])[] = Array.from({ length: 32 }, (_, bucket) => {
  const fixed = (bucket & 3) | ((bucket >> 2) << 13);
  return COMPRESSED.flatMap((row, index) => (((row.match ^ fixed) & 0xe003) === 0 ? [index] : []));
});

/** Decodes a half word whose low bits are not 11 into `into`, whose fields are zero; leaves operation -1 when it is illegal. */
export function decodeCompressed(half: number, into: Decoded): void {
  for (const index of BUCKETS[(half & 3) | ((half >>> 13) << 2)]!) {
    const row = COMPRESSED[index]!;
    if ((half & row.mask) !== row.match) continue;
    readOperands(half, row, into);
    if (isReserved(half, row, into)) continue;
    into.compressed = index;
    into.operation = EXPANSIONS[index]!;
    return;
  }
}

/** A field that must not be zero is. The scan goes on: c.jr with a second register is c.mv, c.addi16sp never falls to a legal c.lui. */
function isReserved(half: number, row: CompressedRow, into: Decoded): boolean {
  for (const field of row.nonZero) {
    if (field === 'rd' && (half & 0xf80) === 0) return true;
    if (field === 'rs2' && (half & 0x7c) === 0) return true;
    if (field === 'imm' && into.imm === 0) return true;
  }
  return false;
}

const STACK_POINTER = 2;
const lowRegister = (half: number): number => 8 + ((half >>> 2) & 7);
const highRegister = (half: number): number => 8 + ((half >>> 7) & 7);
const bits = (half: number, from: number, count: number, to: number): number => ((half >>> from) & ((1 << count) - 1)) << to;
const sixBits = (half: number): number => bits(half, 12, 1, 5) | bits(half, 2, 5, 0);
const signed = (value: number, width: number): number => (value << (32 - width)) >> (32 - width);

function set(into: Decoded, rd: number, rs1: number, rs2: number, imm: number): void {
  into.rd = rd;
  into.rs1 = rs1;
  into.rs2 = rs2;
  into.imm = imm;
}

function readOperands(half: number, row: CompressedRow, into: Decoded): void {
  const full = (half >>> 7) & 31;
  const second = (half >>> 2) & 31;
  switch (row.format) {
    case 'addi4spn': return set(into, lowRegister(half), STACK_POINTER, 0, bits(half, 11, 2, 4) | bits(half, 7, 4, 6) | bits(half, 6, 1, 2) | bits(half, 5, 1, 3));
    case 'loadWord': return set(into, lowRegister(half), highRegister(half), 0, wordOffset(half));
    case 'loadDouble': return set(into, lowRegister(half), highRegister(half), 0, doubleOffset(half));
    case 'storeWord': return set(into, 0, highRegister(half), lowRegister(half), wordOffset(half));
    case 'storeDouble': return set(into, 0, highRegister(half), lowRegister(half), doubleOffset(half));
    case 'immediate': return set(into, full, full, 0, signed(sixBits(half), 6));
    case 'loadImmediate': return set(into, full, 0, 0, signed(sixBits(half), 6));
    case 'addi16sp':
      return set(into, STACK_POINTER, STACK_POINTER, 0,
        signed(bits(half, 12, 1, 9) | bits(half, 6, 1, 4) | bits(half, 5, 1, 6) | bits(half, 3, 2, 7) | bits(half, 2, 1, 5), 10));
    case 'upper': return full === STACK_POINTER ? set(into, full, 0, 0, 0) : set(into, full, 0, 0, signed(sixBits(half), 6) << 12);
    case 'shiftPrime': return set(into, highRegister(half), highRegister(half), 0, sixBits(half));
    case 'immediatePrime': return set(into, highRegister(half), highRegister(half), 0, signed(sixBits(half), 6));
    case 'registerPrime': return set(into, highRegister(half), highRegister(half), lowRegister(half), 0);
    case 'jump': return set(into, 0, 0, 0, jumpOffset(half));
    case 'branch': return set(into, 0, highRegister(half), 0, branchOffset(half));
    case 'shift': return set(into, full, full, 0, sixBits(half));
    case 'loadWordStack': return set(into, full, STACK_POINTER, 0, bits(half, 12, 1, 5) | bits(half, 4, 3, 2) | bits(half, 2, 2, 6));
    case 'loadDoubleStack': return set(into, full, STACK_POINTER, 0, bits(half, 12, 1, 5) | bits(half, 5, 2, 3) | bits(half, 2, 3, 6));
    case 'storeWordStack': return set(into, 0, STACK_POINTER, second, bits(half, 9, 4, 2) | bits(half, 7, 2, 6));
    case 'storeDoubleStack': return set(into, 0, STACK_POINTER, second, bits(half, 10, 3, 3) | bits(half, 7, 3, 6));
    case 'jumpRegister': return set(into, 0, full, 0, 0);
    case 'jumpLinkRegister': return set(into, 1, full, 0, 0);
    case 'move': return set(into, full, 0, second, 0);
    case 'add': return set(into, full, full, second, 0);
    case 'none': return;
  }
}

const wordOffset = (half: number): number => bits(half, 10, 3, 3) | bits(half, 6, 1, 2) | bits(half, 5, 1, 6);
const doubleOffset = (half: number): number => bits(half, 10, 3, 3) | bits(half, 5, 2, 6);
const jumpOffset = (half: number): number =>
  signed(bits(half, 12, 1, 11) | bits(half, 11, 1, 4) | bits(half, 9, 2, 8) | bits(half, 8, 1, 10) | bits(half, 7, 1, 6)
    | bits(half, 6, 1, 7) | bits(half, 3, 3, 1) | bits(half, 2, 1, 5), 12);
const branchOffset = (half: number): number =>
  signed(bits(half, 12, 1, 8) | bits(half, 10, 2, 3) | bits(half, 5, 2, 6) | bits(half, 3, 2, 1) | bits(half, 2, 1, 5), 9);
