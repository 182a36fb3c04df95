/**
 * Numbers of the cases of the interpreter's switch. Names are mnemonics where a case means exactly one instruction of the table, else words.
 * Dense from 0, so that the switch compiles to one indexed jump; the switch itself has literals, because V8 only makes a jump table of
 * literals. test/isa/table.test.ts compares the comments of those literals with this list.
 */
export const CASE = {
  /** Not decoded yet. */
  undecoded: 0,
  endOfPage: 1,
  straddle: 2,
  illegal: 3,
  /** Through the function of its operation number. */
  called: 4,
  /** Through its float handler; rounding mode in the record. */
  float: 5,
  /** The same; rounding mode from frm. */
  floatDynamic: 6,
  nop: 7,
  /** A 64-bit constant: li, lui, auipc. */
  constant: 8,
  move: 9,
  addi: 10, add: 11, sub: 12, addiw: 13, addw: 14, subw: 15,
  /** addiw with immediate 0. */
  signExtendWord: 16,
  slti: 17, sltiu: 18, slt: 19, sltu: 20,
  xori: 21, ori: 22, andi: 23, xor: 24, or: 25, and: 26,
  /** Immediate shifts of 64 bits by 1..31, and by 32..63. */
  slli: 27, slliHigh: 28, srli: 29, srliHigh: 30, srai: 31, sraiHigh: 32,
  slliw: 33, srliw: 34, sraiw: 35,
  sll: 36, srl: 37, sra: 38, sllw: 39, srlw: 40, sraw: 41,
  lb: 42, lbu: 43, lh: 44, lhu: 45, lw: 46, lwu: 47, ld: 48,
  sb: 49, sh: 50, sw: 51, sd: 52,
  beq: 53, bne: 54, blt: 55, bge: 56, bltu: 57, bgeu: 58,
  /** beq and bne against x0. */
  beqz: 59, bnez: 60,
  jal: 61,
  /** jal and jalr with rd = x0. */
  jump: 62, jalr: 63, jumpRegister: 64,
  flw: 65, fld: 66, fsw: 67, fsd: 68,
  mul: 69, mulw: 70,
  sh1add: 71, sh2add: 72, sh3add: 73, 'add.uw': 74,
  ecall: 75, ebreak: 76,
  /** An entry of translated code: the driver above decides. */
  enter: 77,
} as const;
