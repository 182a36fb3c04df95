/**
 * The one table of the 32-bit RISC-V instructions that exist here: RV64 I, M, A, F, D, Zicsr, Zifencei, Zba, Zbb, Zbs, Zicond.
 * A word is the instruction of the row where (word & mask) === match; rows never overlap. Whatever matches no row is illegal.
 * Decoder, disassembler and interpreter all start from these rows; compressed forms (compressed-table.ts) expand to them.
 * What this does NOT do: check rounding modes and CSR numbers (decode.ts), give meaning (interpreter-table.ts, operations/).
 */

/** Which fields an instruction has and how they are written. `…Rounded` formats hold a rounding mode in bits 12-14. */
export type Format =
  | 'R' | 'Unary' | 'I' | 'Shift' | 'Load' | 'Store' | 'Branch' | 'Upper' | 'Jump' | 'JumpRegister' | 'Fence' | 'None'
  | 'Csr' | 'CsrImmediate' | 'Atomic' | 'LoadReserved'
  | 'FloatLoad' | 'FloatStore' | 'FloatR' | 'FloatRRounded' | 'FloatUnaryRounded' | 'FloatFusedRounded'
  | 'FloatCompare' | 'FloatToIntRounded' | 'IntToFloatRounded' | 'FloatToInt' | 'IntToFloat';

/** Fields of `match`: opcode bits 0-6, funct3 bits 12-14, funct7 bits 25-31, and rs2 where it is part of the opcode. */
export interface InstructionRow {
  readonly mnemonic: string;
  readonly format: Format;
  readonly match: number;
  readonly mask: number;
}

const OPCODE = {
  load: 0x03, loadFloat: 0x07, fence: 0x0f, immediate: 0x13, auipc: 0x17, immediateWord: 0x1b, store: 0x23, storeFloat: 0x27, atomic: 0x2f,
  register: 0x33, lui: 0x37, registerWord: 0x3b, float: 0x53, branch: 0x63, jumpRegister: 0x67, jump: 0x6f, system: 0x73,
} as const;

const MASK = {
  opcode: 0x7f, funct3: 0x707f, shift6: 0xfc00707f, funct7: 0xfe00707f, funct12: 0xfff0707f, all: 0xffffffff,
  atomic: 0xf800707f, loadReserved: 0xf9f0707f, rounded: 0xfe00007f, roundedUnary: 0xfff0007f, fused: 0x0600007f,
} as const;

function row(mnemonic: string, format: Format, mask: number, match: number): InstructionRow {
  return { mnemonic, format, match: match | 0, mask: mask | 0 };
}
const byFunct3 = (format: Format, opcode: number, names: readonly (string | undefined)[]): InstructionRow[] =>
  names.flatMap((name, funct3) => (name === undefined ? [] : [row(name, format, MASK.funct3, opcode | (funct3 << 12))]));
const register = (mnemonic: string, opcode: number, funct3: number, funct7: number): InstructionRow =>
  row(mnemonic, 'R', MASK.funct7, opcode | (funct3 << 12) | (funct7 << 25));
const shift = (mnemonic: string, opcode: number, funct3: number, funct7: number): InstructionRow =>
  row(mnemonic, 'Shift', opcode === OPCODE.immediateWord && mnemonic !== 'slli.uw' ? MASK.funct7 : MASK.shift6, opcode | (funct3 << 12) | (funct7 << 25));
const unary = (mnemonic: string, opcode: number, funct3: number, funct12: number): InstructionRow =>
  row(mnemonic, 'Unary', MASK.funct12, opcode | (funct3 << 12) | (funct12 << 20));

const INTEGER: readonly InstructionRow[] = [
  row('lui', 'Upper', MASK.opcode, OPCODE.lui),
  row('auipc', 'Upper', MASK.opcode, OPCODE.auipc),
  row('jal', 'Jump', MASK.opcode, OPCODE.jump),
  row('jalr', 'JumpRegister', MASK.funct3, OPCODE.jumpRegister),
  ...byFunct3('Branch', OPCODE.branch, ['beq', 'bne', undefined, undefined, 'blt', 'bge', 'bltu', 'bgeu']),
  ...byFunct3('Load', OPCODE.load, ['lb', 'lh', 'lw', 'ld', 'lbu', 'lhu', 'lwu']),
  ...byFunct3('Store', OPCODE.store, ['sb', 'sh', 'sw', 'sd']),
  ...byFunct3('I', OPCODE.immediate, ['addi', undefined, 'slti', 'sltiu', 'xori', undefined, 'ori', 'andi']),
  shift('slli', OPCODE.immediate, 1, 0x00), shift('srli', OPCODE.immediate, 5, 0x00), shift('srai', OPCODE.immediate, 5, 0x20),
  register('add', OPCODE.register, 0, 0x00), register('sub', OPCODE.register, 0, 0x20), register('sll', OPCODE.register, 1, 0x00),
  register('slt', OPCODE.register, 2, 0x00), register('sltu', OPCODE.register, 3, 0x00), register('xor', OPCODE.register, 4, 0x00),
  register('srl', OPCODE.register, 5, 0x00), register('sra', OPCODE.register, 5, 0x20), register('or', OPCODE.register, 6, 0x00),
  register('and', OPCODE.register, 7, 0x00),
  row('addiw', 'I', MASK.funct3, OPCODE.immediateWord),
  shift('slliw', OPCODE.immediateWord, 1, 0x00), shift('srliw', OPCODE.immediateWord, 5, 0x00), shift('sraiw', OPCODE.immediateWord, 5, 0x20),
  register('addw', OPCODE.registerWord, 0, 0x00), register('subw', OPCODE.registerWord, 0, 0x20),
  register('sllw', OPCODE.registerWord, 1, 0x00), register('srlw', OPCODE.registerWord, 5, 0x00), register('sraw', OPCODE.registerWord, 5, 0x20),
  row('fence', 'Fence', MASK.funct3, OPCODE.fence),
  row('fence.i', 'None', MASK.funct3, OPCODE.fence | (1 << 12)),
  row('ecall', 'None', MASK.all, OPCODE.system),
  row('ebreak', 'None', MASK.all, OPCODE.system | (1 << 20)),
  ...byFunct3('Csr', OPCODE.system, [undefined, 'csrrw', 'csrrs', 'csrrc']),
  ...byFunct3('CsrImmediate', OPCODE.system, [undefined, undefined, undefined, undefined, undefined, 'csrrwi', 'csrrsi', 'csrrci']),
];

const MULTIPLY: readonly InstructionRow[] = [
  ...['mul', 'mulh', 'mulhsu', 'mulhu', 'div', 'divu', 'rem', 'remu'].map((name, funct3) => register(name, OPCODE.register, funct3, 1)),
  register('mulw', OPCODE.registerWord, 0, 1), register('divw', OPCODE.registerWord, 4, 1), register('divuw', OPCODE.registerWord, 5, 1),
  register('remw', OPCODE.registerWord, 6, 1), register('remuw', OPCODE.registerWord, 7, 1),
];

const ATOMIC_FUNCT5: readonly (readonly [string, number])[] = [
  ['sc', 0x03], ['amoswap', 0x01], ['amoadd', 0x00], ['amoxor', 0x04], ['amoand', 0x0c], ['amoor', 0x08],
  ['amomin', 0x10], ['amomax', 0x14], ['amominu', 0x18], ['amomaxu', 0x1c],
];
const ATOMIC: readonly InstructionRow[] = (['w', 'd'] as const).flatMap((width, index) => {
  const opcode = OPCODE.atomic | ((index + 2) << 12);
  return [
    row(`lr.${width}`, 'LoadReserved', MASK.loadReserved, opcode | (0x02 << 27)),
    ...ATOMIC_FUNCT5.map(([name, funct5]) => row(`${name}.${width}`, 'Atomic', MASK.atomic, opcode | (funct5 << 27))),
  ];
});

const BITS: readonly InstructionRow[] = [
  register('add.uw', OPCODE.registerWord, 0, 0x04), shift('slli.uw', OPCODE.immediateWord, 1, 0x04),
  register('sh1add', OPCODE.register, 2, 0x10), register('sh2add', OPCODE.register, 4, 0x10), register('sh3add', OPCODE.register, 6, 0x10),
  register('sh1add.uw', OPCODE.registerWord, 2, 0x10), register('sh2add.uw', OPCODE.registerWord, 4, 0x10),
  register('sh3add.uw', OPCODE.registerWord, 6, 0x10),
  register('andn', OPCODE.register, 7, 0x20), register('orn', OPCODE.register, 6, 0x20), register('xnor', OPCODE.register, 4, 0x20),
  unary('clz', OPCODE.immediate, 1, 0x600), unary('ctz', OPCODE.immediate, 1, 0x601), unary('cpop', OPCODE.immediate, 1, 0x602),
  unary('sext.b', OPCODE.immediate, 1, 0x604), unary('sext.h', OPCODE.immediate, 1, 0x605),
  unary('clzw', OPCODE.immediateWord, 1, 0x600), unary('ctzw', OPCODE.immediateWord, 1, 0x601), unary('cpopw', OPCODE.immediateWord, 1, 0x602),
  unary('zext.h', OPCODE.registerWord, 4, 0x080), unary('orc.b', OPCODE.immediate, 5, 0x287), unary('rev8', OPCODE.immediate, 5, 0x6b8),
  register('max', OPCODE.register, 6, 0x05), register('maxu', OPCODE.register, 7, 0x05),
  register('min', OPCODE.register, 4, 0x05), register('minu', OPCODE.register, 5, 0x05),
  register('rol', OPCODE.register, 1, 0x30), register('ror', OPCODE.register, 5, 0x30), shift('rori', OPCODE.immediate, 5, 0x30),
  register('rolw', OPCODE.registerWord, 1, 0x30), register('rorw', OPCODE.registerWord, 5, 0x30), shift('roriw', OPCODE.immediateWord, 5, 0x30),
  register('bclr', OPCODE.register, 1, 0x24), register('bext', OPCODE.register, 5, 0x24), register('binv', OPCODE.register, 1, 0x34),
  register('bset', OPCODE.register, 1, 0x14),
  shift('bclri', OPCODE.immediate, 1, 0x24), shift('bexti', OPCODE.immediate, 5, 0x24), shift('binvi', OPCODE.immediate, 1, 0x34),
  shift('bseti', OPCODE.immediate, 1, 0x14),
  register('czero.eqz', OPCODE.register, 5, 0x07), register('czero.nez', OPCODE.register, 7, 0x07),
];

/** F (format code 0, suffix s) and D (format code 1, suffix d) have the same shape. */
function floatRows(suffix: 's' | 'd', code: 0 | 1): InstructionRow[] {
  const base = (funct5: number, rs2 = 0, funct3 = 0): number => OPCODE.float | (funct5 << 27) | (code << 25) | (rs2 << 20) | (funct3 << 12);
  const fixed = (name: string, funct5: number, funct3: number, format: Format = 'FloatR'): InstructionRow =>
    row(`${name}.${suffix}`, format, MASK.funct7, base(funct5, 0, funct3));
  const bits = suffix === 's' ? 'w' : 'd';
  const integers = ['w', 'wu', 'l', 'lu'];
  return [
    row(suffix === 's' ? 'flw' : 'fld', 'FloatLoad', MASK.funct3, OPCODE.loadFloat | ((code + 2) << 12)),
    row(suffix === 's' ? 'fsw' : 'fsd', 'FloatStore', MASK.funct3, OPCODE.storeFloat | ((code + 2) << 12)),
    ...['fmadd', 'fmsub', 'fnmsub', 'fnmadd'].map((name, index) =>
      row(`${name}.${suffix}`, 'FloatFusedRounded', MASK.fused, (0x43 + index * 4) | (code << 25))),
    ...['fadd', 'fsub', 'fmul', 'fdiv'].map((name, funct5) => row(`${name}.${suffix}`, 'FloatRRounded', MASK.rounded, base(funct5))),
    row(`fsqrt.${suffix}`, 'FloatUnaryRounded', MASK.roundedUnary, base(0x0b)),
    fixed('fsgnj', 0x04, 0), fixed('fsgnjn', 0x04, 1), fixed('fsgnjx', 0x04, 2), fixed('fmin', 0x05, 0), fixed('fmax', 0x05, 1),
    fixed('fle', 0x14, 0, 'FloatCompare'), fixed('flt', 0x14, 1, 'FloatCompare'), fixed('feq', 0x14, 2, 'FloatCompare'),
    ...integers.map((name, rs2) => row(`fcvt.${name}.${suffix}`, 'FloatToIntRounded', MASK.roundedUnary, base(0x18, rs2))),
    ...integers.map((name, rs2) => row(`fcvt.${suffix}.${name}`, 'IntToFloatRounded', MASK.roundedUnary, base(0x1a, rs2))),
    suffix === 's' ? row('fcvt.s.d', 'FloatUnaryRounded', MASK.roundedUnary, base(0x08, 1))
      : row('fcvt.d.s', 'FloatUnaryRounded', MASK.roundedUnary, base(0x08, 0)),
    row(`fmv.x.${bits}`, 'FloatToInt', MASK.funct12, base(0x1c)),
    row(`fclass.${suffix}`, 'FloatToInt', MASK.funct12, base(0x1c, 0, 1)),
    row(`fmv.${bits}.x`, 'IntToFloat', MASK.funct12, base(0x1e)),
  ];
}

/** Every instruction. The position of a row is its operation number inside this build (never stored). */
export const INSTRUCTIONS: readonly InstructionRow[] = [...INTEGER, ...MULTIPLY, ...ATOMIC, ...BITS, ...floatRows('s', 0), ...floatRows('d', 1)];

const NUMBERS: ReadonlyMap<string, number> = new Map(INSTRUCTIONS.map((instruction, index) => [instruction.mnemonic, index]));

/** Operation number of a mnemonic; -1 when there is none. */
export function operationNumber(mnemonic: string): number {
  return NUMBERS.get(mnemonic) ?? -1;
}
