/**
 * Instruction bits to fields, for any 16- or 32-bit pattern: the row of the instruction table and its operands, or illegal.
 * Reserved encodings are illegal: unknown opcodes, rounding modes 5 and 6, CSRs that do not exist, writes to read-only CSRs.
 * Invariants: registers are 0..31; imm is the signed, scaled immediate (a shift amount, byte offset, CSR number or upper immediate << 12).
 * What this does NOT do: read memory or know an address. A dynamic rounding mode (7) is checked when it is used.
 */
import { decodeCompressed } from './decode-compressed.ts';
import { INSTRUCTIONS, type Format } from './instruction-table.ts';
import { CSR, isReadOnlyCsr } from './csr-numbers.ts';

/** One decoded instruction. Reused by callers that decode often: decode() overwrites every field. */
export interface Decoded {
  /** Operation number (row of INSTRUCTIONS), or -1: illegal. */
  operation: number;
  /** Row of COMPRESSED, or -1 for a 32-bit form. */
  compressed: number;
  /** Bytes: 2 or 4. */
  length: number;
  rd: number;
  rs1: number;
  rs2: number;
  rs3: number;
  imm: number;
  /** Rounding mode as encoded: 0..4, or 7 for dynamic. 0 where the format has none. */
  rm: number;
}

export function newDecoded(): Decoded {
  return { operation: -1, compressed: -1, length: 4, rd: 0, rs1: 0, rs2: 0, rs3: 0, imm: 0, rm: 0 };
}

/** Rows by opcode bits 2-6 and funct3: what can match a word at all. Filled at first use: all of them at once would be a tenth of the start of a command. */
const BUCKETS: (readonly number[] | undefined)[] = Array.from({ length: 256 }, () => undefined);

function bucketOf(bucket: number): readonly number[] {
  const fixed = ((bucket & 31) << 2) | 3 | ((bucket >> 5) << 12);
  return (BUCKETS[bucket] ??= INSTRUCTIONS.flatMap((row, index) => (((row.match ^ fixed) & row.mask & 0x707f) === 0 ? [index] : [])));
}

/**
 * Decodes the instruction whose first 32 bits are `word` (only the low 16 matter when bits 0-1 are not 11) into `into`.
 * An illegal pattern gives operation -1 and the length that its low bits announce (2 or 4).
 */
export function decode(word: number, into: Decoded): void {
  into.rd = into.rs1 = into.rs2 = into.rs3 = into.imm = into.rm = 0;
  into.operation = into.compressed = -1;
  if ((word & 3) !== 3) {
    into.length = 2;
    decodeCompressed(word & 0xffff, into);
    return;
  }
  into.length = 4;
  for (const index of bucketOf(((word >>> 2) & 31) | (((word >>> 12) & 7) << 5))) {
    const row = INSTRUCTIONS[index]!;
    if (((word ^ row.match) & row.mask) !== 0) continue;
    if (readFields(word, index, into)) into.operation = index;
    return;
  }
}

const IS_ROUNDED: readonly boolean[] = INSTRUCTIONS.map(({ format }) => format.endsWith('Rounded'));

/** Fills the fields; false when they make the encoding reserved. */
function readFields(word: number, index: number, into: Decoded): boolean {
  const row = INSTRUCTIONS[index]!;
  into.rd = (word >>> 7) & 31;
  into.rs1 = (word >>> 15) & 31;
  into.rs2 = (word >>> 20) & 31;
  into.imm = immediate(word, row.format);
  if (row.format === 'FloatFusedRounded') into.rs3 = word >>> 27;
  if (IS_ROUNDED[index]!) {
    into.rm = (word >>> 12) & 7;
    return into.rm !== 5 && into.rm !== 6;
  }
  if (row.format === 'Csr' || row.format === 'CsrImmediate') return isAllowedCsr(row.mnemonic, into);
  return true;
}

function immediate(word: number, format: Format): number {
  switch (format) {
    case 'I': case 'Load': case 'JumpRegister': case 'FloatLoad': return word >> 20;
    case 'Shift': return (word >>> 20) & 63;
    case 'Csr': case 'CsrImmediate': case 'Fence': return word >>> 20;
    case 'Store': case 'FloatStore': return ((word >> 25) << 5) | ((word >>> 7) & 31);
    case 'Branch': return ((word >> 31) << 12) | ((word & 0x80) << 4) | ((word >>> 20) & 0x7e0) | ((word >>> 7) & 0x1e);
    case 'Jump': return ((word >> 31) << 20) | (word & 0xff000) | ((word >>> 9) & 0x800) | ((word >>> 20) & 0x7fe);
    case 'Upper': return word & 0xfffff000;
    default: return 0;
  }
}

/** csrrs and csrrc with x0 (or an immediate of 0) only read; everything else writes. */
function isAllowedCsr(mnemonic: string, decoded: Decoded): boolean {
  const number = decoded.imm;
  if (number === CSR.fflags || number === CSR.frm || number === CSR.fcsr) return true;
  return isReadOnlyCsr(number) && !mnemonic.startsWith('csrrw') && decoded.rs1 === 0;
}
