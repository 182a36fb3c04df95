/**
 * Text of an instruction, in the syntax of `objdump -d -M no-aliases`: mnemonic, a space, operands. Jump and branch targets are absolute.
 * Never throws: what is illegal here, and a tail shorter than the instruction, prints as `.half`/`.word` data.
 * What this does NOT do: symbols, aliases.
 */
import { COMPRESSED, type CompressedFormat } from './compressed-table.ts';
import { csrName } from './csr-numbers.ts';
import { decode, newDecoded, type Decoded } from './decode.ts';
import { INSTRUCTIONS, type Format, type InstructionRow } from './instruction-table.ts';

const X_NAMES = [
  'zero', 'ra', 'sp', 'gp', 'tp', 't0', 't1', 't2', 's0', 's1', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7',
  's2', 's3', 's4', 's5', 's6', 's7', 's8', 's9', 's10', 's11', 't3', 't4', 't5', 't6',
] as const;
const F_NAMES = [
  'ft0', 'ft1', 'ft2', 'ft3', 'ft4', 'ft5', 'ft6', 'ft7', 'fs0', 'fs1', 'fa0', 'fa1', 'fa2', 'fa3', 'fa4', 'fa5', 'fa6', 'fa7',
  'fs2', 'fs3', 'fs4', 'fs5', 'fs6', 'fs7', 'fs8', 'fs9', 'fs10', 'fs11', 'ft8', 'ft9', 'ft10', 'ft11',
] as const;
const ROUNDING = [',rne', ',rtz', ',rdn', ',rup', ',rmm', '', '', ''] as const;
const ORDERING = ['', '.rl', '.aq', '.aqrl'] as const;
/** Conversions that cannot round: their mode is not written. */
const EXACT: ReadonlySet<string> = new Set(['fcvt.d.w', 'fcvt.d.wu', 'fcvt.d.s']);

const x = (register: number): string => X_NAMES[register]!;
const f = (register: number): string => F_NAMES[register]!;
const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
const target = (address: number, offset: number): string => `0x${BigInt.asUintN(64, BigInt(address) + BigInt(offset)).toString(16)}`;

/** Text and length in bytes of the instruction at the start of `bytes`, which lies at guest `address`. */
export function disassemble(bytes: Uint8Array, address: number): { readonly text: string; readonly length: number } {
  if (bytes.length === 0) return { text: '.half', length: 0 };
  if (bytes.length === 1) return { text: `.byte ${hex(bytes[0]!)}`, length: 1 };
  const half = bytes[0]! | (bytes[1]! << 8);
  if ((half & 3) === 3 && bytes.length < 4) return { text: `.half ${hex(half)}`, length: 2 };
  const word = (half & 3) === 3 ? half | (bytes[2]! << 16) | (bytes[3]! << 24) : half;
  const decoded = newDecoded();
  decode(word, decoded);
  const { length } = decoded;
  if (decoded.operation < 0) return { text: `${length === 2 ? '.half' : '.word'} ${hex(word)}`, length };
  if (decoded.compressed >= 0) return { text: compressedText(decoded, address), length };
  return { text: fullText(word, INSTRUCTIONS[decoded.operation]!, decoded, address), length };
}

function fullText(word: number, row: InstructionRow, decoded: Decoded, address: number): string {
  const ordering = row.format === 'Atomic' || row.format === 'LoadReserved' ? ORDERING[(word >>> 25) & 3]! : '';
  const operands = operandText(row.format, row.mnemonic, decoded, address);
  return `${row.mnemonic}${ordering}${operands === '' ? '' : ' '}${operands}`;
}

function operandText(format: Format, mnemonic: string, decoded: Decoded, address: number): string {
  const { rd, rs1, rs2, rs3, imm } = decoded;
  const rounding = EXACT.has(mnemonic) ? '' : ROUNDING[decoded.rm]!;
  switch (format) {
    case 'R': return `${x(rd)},${x(rs1)},${x(rs2)}`;
    case 'Unary': return `${x(rd)},${x(rs1)}`;
    case 'I': return `${x(rd)},${x(rs1)},${imm}`;
    case 'Shift': return `${x(rd)},${x(rs1)},${hex(imm)}`;
    case 'Load': case 'JumpRegister': return `${x(rd)},${imm}(${x(rs1)})`;
    case 'Store': return `${x(rs2)},${imm}(${x(rs1)})`;
    case 'Branch': return `${x(rs1)},${x(rs2)},${target(address, imm)}`;
    case 'Upper': return `${x(rd)},${hex(imm >>> 12)}`;
    case 'Jump': return `${x(rd)},${target(address, imm)}`;
    case 'Fence': return fenceText(imm);
    case 'None': return '';
    case 'Csr': return `${x(rd)},${csrName(imm)},${x(rs1)}`;
    case 'CsrImmediate': return `${x(rd)},${csrName(imm)},${rs1}`;
    case 'Atomic': return `${x(rd)},${x(rs2)},(${x(rs1)})`;
    case 'LoadReserved': return `${x(rd)},(${x(rs1)})`;
    case 'FloatLoad': return `${f(rd)},${imm}(${x(rs1)})`;
    case 'FloatStore': return `${f(rs2)},${imm}(${x(rs1)})`;
    case 'FloatR': return `${f(rd)},${f(rs1)},${f(rs2)}`;
    case 'FloatRRounded': return `${f(rd)},${f(rs1)},${f(rs2)}${rounding}`;
    case 'FloatUnaryRounded': return `${f(rd)},${f(rs1)}${rounding}`;
    case 'FloatFusedRounded': return `${f(rd)},${f(rs1)},${f(rs2)},${f(rs3)}${rounding}`;
    case 'FloatCompare': return `${x(rd)},${f(rs1)},${f(rs2)}`;
    case 'FloatToIntRounded': return `${x(rd)},${f(rs1)}${rounding}`;
    case 'FloatToInt': return `${x(rd)},${f(rs1)}`;
    case 'IntToFloatRounded': return `${f(rd)},${x(rs1)}${rounding}`;
    case 'IntToFloat': return `${f(rd)},${x(rs1)}`;
  }
}

/** `fence iorw,iorw`: predecessor and successor sets; fence.tso is fm 8 with rw,rw and is written as the plain fence it implies. */
function fenceText(imm: number): string {
  const set = (bits: number): string => ['i', 'o', 'r', 'w'].filter((_, index) => (bits & (8 >> index)) !== 0).join('') || '0';
  return `${set((imm >>> 4) & 15)},${set(imm & 15)}`;
}

function compressedText(decoded: Decoded, address: number): string {
  const row = COMPRESSED[decoded.compressed]!;
  const operands = compressedOperandText(row.format, row.isFloat, decoded, address);
  return `${row.mnemonic}${operands === '' ? '' : ' '}${operands}`;
}

function compressedOperandText(format: CompressedFormat, isFloat: boolean, decoded: Decoded, address: number): string {
  const { rd, rs1, rs2, imm } = decoded;
  const data = isFloat ? f : x;
  switch (format) {
    case 'addi4spn': return `${x(rd)},${x(rs1)},${imm}`;
    case 'loadWord': case 'loadDouble': case 'loadWordStack': case 'loadDoubleStack': return `${data(rd)},${imm}(${x(rs1)})`;
    case 'storeWord': case 'storeDouble': case 'storeWordStack': case 'storeDoubleStack': return `${data(rs2)},${imm}(${x(rs1)})`;
    case 'immediate': case 'loadImmediate': case 'addi16sp': case 'immediatePrime': return `${x(rd)},${imm}`;
    case 'upper': return `${x(rd)},${hex(imm >>> 12)}`;
    case 'shift': case 'shiftPrime': return `${x(rd)},${hex(imm)}`;
    case 'registerPrime': case 'move': case 'add': return `${x(rd)},${x(rs2)}`;
    case 'jump': return target(address, imm);
    case 'branch': return `${x(rs1)},${target(address, imm)}`;
    case 'jumpRegister': case 'jumpLinkRegister': return x(rs1);
    case 'none': return '';
  }
}
