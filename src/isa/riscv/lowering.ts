/**
 * From a decoded instruction to the record that the interpreter's switch executes. Chooses cheaper cases where operands allow (a write to x0
 * that has no other effect is a nop, `addi rd,x0,n` and `auipc` are constants), never another meaning.
 * Record words 1..3 by kind of case (r(n) is the word offset 2n of register n):
 *
 *   arithmetic   r(rd)   r(rs1)  r(rs2) or immediate        store    r(rs2)  r(rs1)  offset
 *   load, jalr   r(rd)   r(rs1)  offset                     branch   r(rs1)  r(rs2)  distance in record words (2 a byte)
 *   constant     r(rd)   low     high                       jal      r(rd)   –       distance in record words
 *   called, float        rd, rs1, rs2, rs3, rm packed in steps of 5 bits | immediate | operation number
 */
import { CASE } from './cases.ts';
import type { Decoded } from './decode.ts';
import { INSTRUCTIONS, type Format } from './instruction-table.ts';

const CASE_OF: readonly number[] = INSTRUCTIONS.map((row) => (CASE as Readonly<Record<string, number>>)[row.mnemonic] ?? -1);
/** Formats whose only effect is the integer register rd. */
const PURE: ReadonlySet<Format> = new Set(['R', 'Unary', 'I', 'Shift', 'Upper']);

/** Writes the 4-word record of the instruction at guest `address` to out[at..at+3]. */
export function lower(decoded: Decoded, address: number, out: Int32Array, at: number): void {
  const step = decoded.length << 1;
  if (decoded.operation < 0) return write(out, at, CASE.illegal | (step << 8), 0, 0, 0);
  const row = INSTRUCTIONS[decoded.operation]!;
  if (PURE.has(row.format)) return lowerPure(decoded, address, out, at, step);
  const { rd, rs1, rs2, imm } = decoded;
  const direct = CASE_OF[decoded.operation]!;
  switch (row.format) {
    case 'Load':
      if (rd === 0) break;
      return write(out, at, direct | (step << 8), rd * 2, rs1 * 2, imm);
    case 'FloatLoad': return write(out, at, direct | (step << 8), rd * 2, rs1 * 2, imm);
    case 'Store': case 'FloatStore': return write(out, at, direct | (step << 8), rs2 * 2, rs1 * 2, imm);
    case 'Branch': return lowerBranch(decoded, out, at, step, direct);
    case 'Jump': return write(out, at, (rd === 0 ? CASE.jump : CASE.jal) | (step << 8), rd * 2, 0, imm << 1);
    case 'JumpRegister': return write(out, at, (rd === 0 ? CASE.jumpRegister : CASE.jalr) | (step << 8), rd * 2, rs1 * 2, imm);
    case 'Fence': return write(out, at, CASE.nop | (step << 8), 0, 0, 0);
    case 'None': return write(out, at, (direct < 0 ? CASE.nop : direct) | (step << 8), 0, 0, 0);
    default: break;
  }
  const kind = row.format.startsWith('Float') || row.format.startsWith('IntToFloat') ? floatCase(decoded.rm) : CASE.called;
  const packed = rd | (rs1 << 5) | (rs2 << 10) | (decoded.rs3 << 15) | (decoded.rm << 20);
  write(out, at, kind | (step << 8), packed, imm, decoded.operation);
}

function write(out: Int32Array, at: number, head: number, a: number, b: number, c: number): void {
  out[at] = head;
  out[at + 1] = a;
  out[at + 2] = b;
  out[at + 3] = c;
}

function floatCase(rm: number): number {
  return rm === 7 ? CASE.floatDynamic : CASE.float;
}

function lowerBranch(decoded: Decoded, out: Int32Array, at: number, step: number, direct: number): void {
  const { rs1, rs2, imm } = decoded;
  const kind = rs2 !== 0 ? direct : direct === CASE.beq ? CASE.beqz : direct === CASE.bne ? CASE.bnez : direct;
  write(out, at, kind | (step << 8), rs1 * 2, rs2 * 2, imm << 1);
}

function lowerPure(decoded: Decoded, address: number, out: Int32Array, at: number, step: number): void {
  const { rd, rs1, rs2, imm } = decoded;
  const { mnemonic, format } = INSTRUCTIONS[decoded.operation]!;
  const head = step << 8;
  if (rd === 0) return write(out, at, CASE.nop | head, 0, 0, 0);
  if (mnemonic === 'lui') return write(out, at, CASE.constant | head, rd * 2, imm, imm >> 31);
  if (mnemonic === 'auipc') {
    const sum = address + imm;
    return write(out, at, CASE.constant | head, rd * 2, sum | 0, Math.floor(sum / 2 ** 32));
  }
  if (mnemonic === 'addi' && rs1 === 0) return write(out, at, CASE.constant | head, rd * 2, imm, imm >> 31);
  if (imm === 0 && (mnemonic === 'addi' || mnemonic === 'slli' || mnemonic === 'srli' || mnemonic === 'srai')) {
    return write(out, at, CASE.move | head, rd * 2, rs1 * 2, 0);
  }
  if (mnemonic === 'add' && (rs1 === 0 || rs2 === 0)) return write(out, at, CASE.move | head, rd * 2, (rs1 | rs2) * 2, 0);
  if (mnemonic === 'addiw' && imm === 0) return write(out, at, CASE.signExtendWord | head, rd * 2, rs1 * 2, 0);
  const direct = CASE_OF[decoded.operation]!;
  if (direct < 0) return write(out, at, CASE.called | head, rd | (rs1 << 5) | (rs2 << 10), imm, decoded.operation);
  // slliHigh, srliHigh and sraiHigh follow their low forms.
  if (format === 'Shift' && imm >= 32) return write(out, at, (direct + 1) | head, rd * 2, rs1 * 2, imm - 32);
  write(out, at, direct | head, rd * 2, rs1 * 2, format === 'R' ? rs2 * 2 : imm);
}
