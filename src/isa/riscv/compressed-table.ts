/**
 * The 16-bit instructions of RV64C as abbreviations: each row names the base instruction it expands to and where its fields lie.
 * A half word is the form of the first row where (half & mask) === match and no `reserved` field is zero; no row: illegal.
 * Hints (writes to x0 and shifts by 0 that the specification calls hints) execute as what they expand to, which does nothing.
 * What this does NOT do: execute; there is no compressed operation anywhere else.
 */

/** Where registers and the immediate lie, and what is fixed. 8..15 are the registers that three bits can name. */
export type CompressedFormat =
  | 'addi4spn' | 'loadWord' | 'loadDouble' | 'storeWord' | 'storeDouble' | 'immediate' | 'loadImmediate' | 'addi16sp' | 'upper'
  | 'shiftPrime' | 'immediatePrime' | 'registerPrime' | 'jump' | 'branch' | 'shift' | 'loadWordStack' | 'loadDoubleStack'
  | 'storeWordStack' | 'storeDoubleStack' | 'jumpRegister' | 'jumpLinkRegister' | 'move' | 'add' | 'none';

export interface CompressedRow {
  readonly mnemonic: string;
  readonly format: CompressedFormat;
  readonly match: number;
  readonly mask: number;
  /** Base instruction. */
  readonly expandsTo: string;
  /** A field that must not be zero: bits 7-11 ('rd'), bits 2-6 ('rs2'), or the immediate. */
  readonly nonZero: readonly ('rd' | 'rs2' | 'imm')[];
  /** The registers named are floating ones. */
  readonly isFloat: boolean;
}

function row(mnemonic: string, format: CompressedFormat, match: number, mask: number, expandsTo: string,
  nonZero: CompressedRow['nonZero'] = []): CompressedRow {
  return { mnemonic, format, match, mask, expandsTo, nonZero, isFloat: expandsTo.startsWith('f') };
}

/** Special cases stand before the general row of the same bits. */
export const COMPRESSED: readonly CompressedRow[] = [
  row('c.addi4spn', 'addi4spn', 0x0000, 0xe003, 'addi', ['imm']),
  row('c.fld', 'loadDouble', 0x2000, 0xe003, 'fld'),
  row('c.lw', 'loadWord', 0x4000, 0xe003, 'lw'),
  row('c.ld', 'loadDouble', 0x6000, 0xe003, 'ld'),
  row('c.fsd', 'storeDouble', 0xa000, 0xe003, 'fsd'),
  row('c.sw', 'storeWord', 0xc000, 0xe003, 'sw'),
  row('c.sd', 'storeDouble', 0xe000, 0xe003, 'sd'),

  row('c.addi', 'immediate', 0x0001, 0xe003, 'addi'),
  row('c.addiw', 'immediate', 0x2001, 0xe003, 'addiw', ['rd']),
  row('c.li', 'loadImmediate', 0x4001, 0xe003, 'addi'),
  row('c.addi16sp', 'addi16sp', 0x6101, 0xef83, 'addi', ['imm']),
  row('c.lui', 'upper', 0x6001, 0xe003, 'lui', ['imm']),
  row('c.srli', 'shiftPrime', 0x8001, 0xec03, 'srli'),
  row('c.srai', 'shiftPrime', 0x8401, 0xec03, 'srai'),
  row('c.andi', 'immediatePrime', 0x8801, 0xec03, 'andi'),
  row('c.sub', 'registerPrime', 0x8c01, 0xfc63, 'sub'),
  row('c.xor', 'registerPrime', 0x8c21, 0xfc63, 'xor'),
  row('c.or', 'registerPrime', 0x8c41, 0xfc63, 'or'),
  row('c.and', 'registerPrime', 0x8c61, 0xfc63, 'and'),
  row('c.subw', 'registerPrime', 0x9c01, 0xfc63, 'subw'),
  row('c.addw', 'registerPrime', 0x9c21, 0xfc63, 'addw'),
  row('c.j', 'jump', 0xa001, 0xe003, 'jal'),
  row('c.beqz', 'branch', 0xc001, 0xe003, 'beq'),
  row('c.bnez', 'branch', 0xe001, 0xe003, 'bne'),

  row('c.slli', 'shift', 0x0002, 0xe003, 'slli'),
  row('c.fldsp', 'loadDoubleStack', 0x2002, 0xe003, 'fld'),
  row('c.lwsp', 'loadWordStack', 0x4002, 0xe003, 'lw', ['rd']),
  row('c.ldsp', 'loadDoubleStack', 0x6002, 0xe003, 'ld', ['rd']),
  row('c.ebreak', 'none', 0x9002, 0xffff, 'ebreak'),
  row('c.jr', 'jumpRegister', 0x8002, 0xf07f, 'jalr', ['rd']),
  row('c.jalr', 'jumpLinkRegister', 0x9002, 0xf07f, 'jalr', ['rd']),
  row('c.mv', 'move', 0x8002, 0xf003, 'add', ['rs2']),
  row('c.add', 'add', 0x9002, 0xf003, 'add', ['rs2']),
  row('c.fsdsp', 'storeDoubleStack', 0xa002, 0xe003, 'fsd'),
  row('c.swsp', 'storeWordStack', 0xc002, 0xe003, 'sw'),
  row('c.sdsp', 'storeDoubleStack', 0xe002, 0xe003, 'sd'),
];
