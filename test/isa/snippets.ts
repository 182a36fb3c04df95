/** Assembly snippets for the oracle: every integer, atomic, bit-manipulation and compressed instruction in the shapes that matter. */
import { INSTRUCTIONS, type InstructionRow } from '../../src/isa/riscv/instruction-table.ts';

export interface Snippet {
  readonly text: string;
  /** The instruction under test. */
  readonly mnemonic: string;
  /** a1 must point into the scratch bytes: at multiples of this. 0: a1 is free. */
  readonly alignment: number;
}

const IMMEDIATES = [0, 1, -1, 7, -2048, 2047, 255, -256];
/** qemu 7.2 and binutils 2.40 lack them; checked against their formula instead. */
const WITHOUT_ORACLE = /^czero\./;

/** A static and a dynamic rounding mode; the exact conversions are written without one. */
function rounded(text: string, name: string): string[] {
  return /^fcvt\.d\.(wu?|s)$/.test(name) ? [text] : [`${text},rup`, `fsrmi 1;${text},dyn`];
}

function shapes(row: InstructionRow): string[] {
  const { mnemonic: name, format } = row;
  switch (format) {
    case 'R': return [`${name} a0,a1,a2`, `${name} a0,a1,a1`, `mv a0,a1;${name} a0,a0,a2`, `mv a0,a2;${name} a0,a1,a0`, `${name} zero,a1,a2;mv a0,zero`,
      `${name} a0,zero,a2`, `${name} a0,a1,zero`];
    case 'Unary': return [`${name} a0,a1`, `mv a0,a1;${name} a0,a0`, `${name} zero,a1;mv a0,zero`, `${name} a0,zero`];
    case 'I': return [...IMMEDIATES.map((imm) => `${name} a0,a1,${imm}`), `mv a0,a1;${name} a0,a0,-5`, `${name} zero,a1,3;mv a0,zero`, `${name} a0,zero,-7`];
    case 'Shift': {
      const amounts = (row.mask & 0x02000000) !== 0 ? [0, 1, 5, 16, 31] : [0, 1, 5, 31, 32, 33, 63];
      return [...amounts.map((amount) => `${name} a0,a1,${amount}`), `mv a0,a1;${name} a0,a0,3`, `${name} zero,a1,1;mv a0,zero`];
    }
    case 'Upper': return [0, 1, 0x7ffff, 0x80000, 0xfffff].map((imm) => `${name} a0,${imm}`);
    case 'Branch': return [`li a0,0;${name} a1,a2,1f;li a0,1;1:`, `li a0,0;${name} a1,zero,1f;li a0,1;1:`, `li a0,0;${name} zero,a2,1f;li a0,1;1:`,
      `li a0,0;j 2f;1: li a0,1;j 3f;2: ${name} a1,a2,1b;3:`, `li a0,0;${name} a1,a1,1f;li a0,1;1:`];
    case 'Jump': return ['mv t2,ra;jal a0,1f;nop;1:mv ra,t2', 'j 1f;li a0,1;1:'];
    case 'JumpRegister': return ['lla t0,1f;jalr a0,1(t0);li a0,7;1:', 'lla t0,1f;jalr t0,-4(t0);nop;.option norvc;nop;.option rvc;1: mv a0,t0', 'lla t0,1f;jr t0;li a0,3;1:'];
    case 'Csr': return ['fcsr', 'frm', 'fflags'].map((csr) => `${name} a0,${csr},a1;csrrs a0,${csr},a0`)
      .concat([`${name} a0,fcsr,a1`, `${name} a0,fcsr,zero`, `${name} zero,fflags,a1`]);
    case 'CsrImmediate': return ['fcsr', 'frm', 'fflags'].flatMap((csr) => [0, 5, 31].map((imm) => `${name} a0,${csr},${imm}`));
    case 'FloatR': return [`${name} fa0,fa1,fa2`, `${name} fa0,fa1,fa1`];
    case 'FloatRRounded': return rounded(`${name} fa0,fa1,fa2`, name);
    case 'FloatUnaryRounded': return rounded(`${name} fa0,fa1`, name);
    case 'FloatFusedRounded': return rounded(`${name} fa0,fa1,fa2,fa3`, name);
    case 'FloatToIntRounded': return rounded(`${name} a0,fa1`, name);
    case 'IntToFloatRounded': return rounded(`${name} fa0,a1`, name);
    case 'FloatCompare': return [`${name} a0,fa1,fa2`, `${name} zero,fa1,fa2;mv a0,zero`];
    case 'FloatToInt': return [`${name} a0,fa1`];
    case 'IntToFloat': return [`${name} fa0,a1`];
    case 'Fence': case 'None': return name === 'ecall' || name === 'ebreak' ? [] : [name];
    default: return [];
  }
}

function memoryShapes(row: InstructionRow): string[] {
  const { mnemonic: name, format } = row;
  switch (format) {
    case 'Load': return [`${name} a0,0(a1)`, `${name} a0,5(a1)`, `addi a1,a1,8;${name} a0,-6(a1)`, `${name} zero,0(a1);mv a0,zero`, `mv a0,a1;${name} a0,8(a0)`];
    case 'Store': return [`${name} a2,0(a1)`, `${name} a2,7(a1)`, `addi a1,a1,8;${name} a2,-6(a1)`, `${name} zero,2(a1)`];
    case 'FloatLoad': return [`${name} fa0,0(a1)`, `${name} fa0,3(a1)`];
    case 'FloatStore': return [`${name} fa1,0(a1)`, `${name} fa1,7(a1)`];
    case 'Atomic': return name.startsWith('sc') ? [] : [`${name} a0,a2,(a1)`, `${name}.aqrl a0,a2,(a1)`, `${name} zero,a2,(a1);mv a0,zero`, `${name} a0,zero,(a1)`,
      `mv a0,a2;${name} a0,a0,(a1)`];
    case 'LoadReserved': {
      const width = name.slice(-1);
      return [name, `${name}.aqrl`].map((load) => `${load} a0,(a1)`).concat([
        `${name} a0,(a1);sc.${width} a0,a2,(a1)`, `${name} a0,(a1);sc.${width} a3,a2,(a1);sc.${width} a0,a3,(a1)`,
        `${name} a0,(a1);addi a3,a1,8;sc.${width} a0,a2,(a3)`, `${name} zero,(a1);sc.${width}.rl zero,a2,(a1);mv a0,zero`]);
    }
    default: return [];
  }
}

const ALIGNMENT: Readonly<Record<string, number>> = { Atomic: 8, LoadReserved: 8 };

const COMPRESSED: readonly Snippet[] = [
  'c.nop', 'c.addi a1,-32;mv a0,a1', 'c.addi a1,31;mv a0,a1', 'c.addiw a1,-1;mv a0,a1', 'c.addiw a1,0;mv a0,a1', 'c.li a0,-32', 'c.li a0,31',
  'c.lui a0,0xfffe0', 'c.lui a0,31', 'mv t2,sp;c.addi16sp sp,-512;sub a0,sp,t2;mv sp,t2', 'mv t2,sp;c.addi16sp sp,496;sub a0,sp,t2;mv sp,t2',
  'c.addi4spn a0,sp,1020;sub a0,a0,sp', 'c.addi4spn a0,sp,4;sub a0,a0,sp', 'c.srli a1,1;mv a0,a1', 'c.srli a1,40;mv a0,a1', 'c.srai a1,63;mv a0,a1',
  'c.srai a1,7;mv a0,a1', 'c.andi a1,-32;mv a0,a1', 'c.andi a1,31;mv a0,a1', 'c.slli a1,1;mv a0,a1', 'c.slli a1,63;mv a0,a1', 'c.sub a1,a2;mv a0,a1',
  'c.xor a1,a2;mv a0,a1', 'c.or a1,a2;mv a0,a1', 'c.and a1,a2;mv a0,a1', 'c.subw a1,a2;mv a0,a1', 'c.addw a1,a2;mv a0,a1', 'c.mv a0,a2', 'c.add a1,a2;mv a0,a1',
  'li a0,0;c.beqz a1,1f;c.li a0,1;1:', 'li a0,0;c.bnez a1,1f;c.li a0,1;1:', 'c.j 1f;c.li a0,1;1:', 'lla t0,1f;c.jr t0;c.li a0,1;1:',
  'mv t2,ra;lla t0,1f;c.jalr t0;c.li a0,1;1: mv a0,ra;mv ra,t2',
].map((text) => ({ text, mnemonic: text.match(/c\.[a-z0-9]+/)![0], alignment: 0 }));

const COMPRESSED_MEMORY: readonly Snippet[] = [
  'c.lw a0,4(a1)', 'c.ld a0,8(a1)', 'c.sw a2,4(a1)', 'c.sd a2,8(a1)', 'c.fld fa0,8(a1)', 'c.fsd fa1,8(a1)',
  'mv t2,sp;mv sp,a1;c.lwsp a0,4(sp);mv sp,t2', 'mv t2,sp;mv sp,a1;c.ldsp a0,8(sp);mv sp,t2', 'mv t2,sp;mv sp,a1;c.swsp a2,4(sp);mv sp,t2',
  'mv t2,sp;mv sp,a1;c.sdsp a2,8(sp);mv sp,t2', 'mv t2,sp;mv sp,a1;c.fldsp fa0,8(sp);mv sp,t2', 'mv t2,sp;mv sp,a1;c.fsdsp fa1,8(sp);mv sp,t2',
].map((text) => ({ text, mnemonic: text.match(/c\.[a-z0-9]+/)![0], alignment: 1 }));

const ROWS = INSTRUCTIONS.filter((row) => !WITHOUT_ORACLE.test(row.mnemonic));

export const SNIPPETS: readonly Snippet[] = [
  ...ROWS.flatMap((row) => shapes(row).map((text) => ({ text, mnemonic: row.mnemonic, alignment: 0 }))),
  ...ROWS.flatMap((row) => memoryShapes(row).map((text) => ({ text, mnemonic: row.mnemonic, alignment: ALIGNMENT[row.format] ?? 1 }))),
  ...COMPRESSED, ...COMPRESSED_MEMORY,
];
