/**
 * Which instructions leave a sign-extended 32-bit number in their register (narrow.ts).
 * What this does NOT do: follow ways through a unit, emit code.
 */
import type { Instruction } from './instruction.ts';

/** Instructions whose result is narrow whatever they read. */
const NARROW_RESULTS: ReadonlySet<string> = new Set((
  'addiw slliw srliw sraiw addw subw sllw srlw sraw mulw divw divuw remw remuw rolw rorw roriw clzw ctzw cpopw lb lbu lh lhu lw lui slti sltiu slt sltu '
  + 'sext.b sext.h zext.h clz ctz cpop bext bexti fcvt.w.s fcvt.wu.s fcvt.w.d fcvt.wu.d fmv.x.w feq.s flt.s fle.s feq.d flt.d fle.d fclass.s fclass.d '
  + 'lr.w sc.w sc.d amoswap.w amoadd.w amoxor.w amoand.w amoor.w amomin.w amomax.w amominu.w amomaxu.w'
).split(' '));
const WORD_BITS = 32;

/** When the result of an instruction is narrow: never, always, or where the registers that it reads are. */
export const NARROW = { never: 0, always: 1, asFirst: 2, asBoth: 3 } as const;

/** Those whose rule depends on what they read. */
const BY_OPERANDS: ReadonlySet<string> = new Set('addi andi ori xori add and or xor srli srai'.split(' '));

/** Of all instructions of a row; undefined where it depends on what they read. */
export function narrowRuleOfRow(mnemonic: string): number | undefined {
  if (NARROW_RESULTS.has(mnemonic)) return NARROW.always;
  return BY_OPERANDS.has(mnemonic) ? undefined : NARROW.never;
}

/** Of an instruction that writes a register, where its row has none. */
export function narrowRule(mnemonic: string, { rs1, rs2, imm }: { readonly rs1: number; readonly rs2: number; readonly imm: number }): number {
  switch (mnemonic) {
    case 'addi': return rs1 === 0 ? NARROW.always : imm === 0 ? NARROW.asFirst : NARROW.never;
    case 'andi': return imm >= 0 ? NARROW.always : NARROW.asFirst;
    case 'ori': case 'xori': return NARROW.asFirst;
    case 'add': return rs1 === 0 || rs2 === 0 ? NARROW.asBoth : NARROW.never; // c.mv.
    case 'and': case 'or': case 'xor': return NARROW.asBoth;
    case 'srli': return imm > WORD_BITS ? NARROW.always : NARROW.never;
    case 'srai': return imm >= WORD_BITS ? NARROW.always : NARROW.asFirst;
    default: return NARROW.never;
  }
}

/** Narrow registers, as a bit set, after an instruction. x0 is narrow always. */
export function narrowAfter(narrow: number, { writes, narrowRule: rule, rs1, rs2, guarded }: Pick<Instruction, 'writes' | 'narrowRule' | 'rs1' | 'rs2' | 'guarded'>): number {
  if (writes === 0) return narrow;
  const read = rule === NARROW.asBoth ? (1 << rs1) | (1 << rs2) : 1 << rs1;
  const isNarrow = rule === NARROW.always || (rule !== NARROW.never && ((narrow | 1) & read) === read);
  if (isNarrow && guarded !== undefined) return narrow; // It may be left as it is.
  return isNarrow ? narrow | writes : narrow & ~writes;
}
