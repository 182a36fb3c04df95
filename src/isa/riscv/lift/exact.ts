/**
 * Whether a result is exact, so that no flag is due: programs that compute with whole numbers never raise one. Code in place of the instruction, which
 * leaves for the interpreter's function (label 0) unless it is certain. r is the result that the host has rounded to nearest even.
 *
 *   sum a + b       r - a = b and r - b = a: one of the two is FastTwoSum's proof, whichever operand is larger (Dekker; Muller et al., Handbook of
 *                   Floating-Point Arithmetic 4.3), and an exact sum passes both
 *   product a * b   r - a * b, fused, is 0, and r is far above the subnormal numbers, so that an error would not vanish, or a factor is zero
 *   fused           with d = c - r: a * b + d, fused, is 0, so that -d is the product exactly, and r + d = c, so that r is the sum of both exactly
 *   quotient, root  a - r * b and a - r * r, fused, are 0, where a is far above the subnormal numbers
 *   singles         products and their differences are exact in double, sums are shown as above
 *
 * Invariants: comparisons with a NaN fail, and its bits are not zero; infinities that are exact (and raise nothing) may pass. A zero sum has the sign of the rounding mode: the
 * caller has made sure that it is nearest even. What this does NOT do: raise flags, compute r.
 */
import { OP, TYPE, type CodeWriter, type Opcode } from '../../../wasm/index.ts';
import type { UnitEmitter } from './emit-unit.ts';
import type { Instruction } from './instruction.ts';
import { LOCAL } from './layout.ts';

/** Bits of a double's first byte of which one is set where its exponent is 128 or more: below that an error of a product may be too small to be a number. */
const LARGE = 0x78;

type Push = () => void;
/** Operands in the order of the instruction with the signs of the operation, and the result; for singles as doubles too. */
interface Values { readonly a: Push; readonly b: Push; readonly c: Push; readonly result: Push }
type Proof = (code: CodeWriter, values: Values) => void;

/** Leaves where the condition on the stack holds. */
function leaveIf(code: CodeWriter): void {
  code.hint(false); code.brIf(0);
}

function difference(code: CodeWriter, x: Push, y: Push, subtract: Opcode): void {
  x(); y(); code.op(subtract);
}

/** Leaves unless result = x + y exactly, for a result that is rounded from that sum. */
function proveSum(code: CodeWriter, { x, y, result }: { readonly x: Push; readonly y: Push; readonly result: Push }, subtract: Opcode, notEqual: Opcode): void {
  difference(code, result, x, subtract); y(); code.op(notEqual); leaveIf(code);
  difference(code, result, y, subtract); x(); code.op(notEqual); leaveIf(code);
}

/** Leaves unless a factor is zero or z has an exponent of 128 or more, which is far above the subnormal numbers. */
function proveLarge(code: CodeWriter, x: Push, y: Push, z: Push): void {
  code.open(OP.block, TYPE.empty);
  z(); code.op(OP.i64ReinterpretF64); code.i64ConstSmall(56); code.op(OP.i64ShrU); code.op(OP.i32WrapI64); code.i32Const(LARGE); code.op(OP.i32And); code.brIf(0);
  x(); code.f64Const(0); code.op(OP.f64Eq); code.brIf(0);
  y(); code.f64Const(0); code.op(OP.f64Ne); code.hint(false); code.brIf(1);
  code.end();
}

/** Pushes the bits of z - x * y, or of z + x * y: zero where the product is z, or -z. */
function pushResidue(code: CodeWriter, x: Push, y: Push, z: Push, fused: Opcode): void {
  for (const push of [x, y, z]) { push(); code.op(OP.f64x2Splat); }
  code.op(fused); code.op(OP.f64x2ExtractLane); code.byte(0); code.op(OP.i64ReinterpretF64);
}

/** Leaves unless x * y = z exactly, z being large enough or a factor zero. */
function proveProduct(code: CodeWriter, x: Push, y: Push, z: Push): void {
  pushResidue(code, x, y, z, OP.f64x2RelaxedNmadd);
  code.i64ConstSmall(0); code.op(OP.i64Ne); leaveIf(code);
  proveLarge(code, x, y, z);
}

/** With the product's sign turned, c - r, so that both equations are sums; one look at both residues. */
const fused: Proof = (code, { a, b, c, result }) => {
  const negated = (): void => code.localGet(LOCAL.term);
  difference(code, c, result, OP.f64Sub); code.localSet(LOCAL.term);
  pushResidue(code, a, b, negated, OP.f64x2RelaxedMadd);
  result(); negated(); code.op(OP.f64Add); c(); code.op(OP.f64Sub); code.op(OP.i64ReinterpretF64);
  code.op(OP.i64Or); code.i64ConstSmall(0); code.op(OP.i64Ne); leaveIf(code);
  proveLarge(code, a, b, negated);
};

/** Leaves unless the product of two doubles that came from singles is a third one. */
function proveSingleProduct(code: CodeWriter, x: Push, y: Push, z: Push): void {
  x(); y(); code.op(OP.f64Mul); z(); code.op(OP.f64Ne); leaveIf(code);
}

const fusedSingle: Proof = (code, { a, b, c, result }) => {
  const product = (): void => code.localGet(LOCAL.term);
  a(); b(); code.op(OP.f64Mul); code.localTee(LOCAL.term); c(); code.op(OP.f64Add); result(); code.op(OP.f64Ne); leaveIf(code);
  proveSum(code, { x: product, y: c, result }, OP.f64Sub, OP.f64Ne);
};

const DOUBLES: Readonly<Record<string, Proof>> = {
  fadd: (code, { a, b, result }) => proveSum(code, { x: a, y: b, result }, OP.f64Sub, OP.f64Ne),
  fmul: (code, { a, b, result }) => proveProduct(code, a, b, result),
  fdiv: (code, { a, b, result }) => proveProduct(code, result, b, a),
  fsqrt: (code, { a, result }) => proveProduct(code, result, result, a),
  fmadd: fused,
};

const SINGLES: Readonly<Record<string, Proof>> = {
  fadd: (code, { a, b, result }) => { a(); b(); code.op(OP.f64Add); result(); code.op(OP.f64Ne); leaveIf(code); proveSum(code, { x: a, y: b, result }, OP.f64Sub, OP.f64Ne); },
  fmul: (code, { a, b, result }) => proveSingleProduct(code, a, b, result),
  fdiv: (code, { a, b, result }) => proveSingleProduct(code, result, b, a),
  fsqrt: (code, { a, result }) => proveSingleProduct(code, result, result, a),
  fmadd: fusedSingle,
};

const KINDS: Readonly<Record<string, string>> = { fsub: 'fadd', fmsub: 'fmadd', fnmsub: 'fmadd', fnmadd: 'fmadd' };

/** Whether there is a proof for an instruction on this host. */
export function isProvable({ row: { mnemonic } }: Instruction, hasFused: boolean): boolean {
  const [operation, format] = kindOf(mnemonic);
  if (format === 's') return operation in SINGLES;
  return format === 'd' && operation in DOUBLES && (hasFused || operation === 'fadd');
}

function kindOf(mnemonic: string): readonly [operation: string, format: string] {
  const [name = '', format = '', rest] = mnemonic.split('.');
  return [KINDS[name] ?? name, rest === undefined ? format : ''];
}

/** Leaves unless the result (LOCAL.double, LOCAL.single) is exact. `push` pushes an operand as a double, leaving when it is none. */
export function emitExact({ code }: UnitEmitter, { row: { mnemonic }, rs1, rs2, rs3 }: Instruction, push: (register: number) => void): void {
  const [operation, format] = kindOf(mnemonic);
  const signed = (register: number, isNegated: boolean): Push => () => {
    push(register);
    if (isNegated) code.op(OP.f64Neg);
  };
  const isSingle = format === 's';
  (isSingle ? SINGLES : DOUBLES)[operation]!(code, {
    a: signed(rs1, mnemonic.startsWith('fn')), b: signed(rs2, mnemonic.startsWith('fsub')), c: signed(rs3, mnemonic.startsWith('fmsub') || mnemonic.startsWith('fnmadd')),
    result: () => {
      code.localGet(isSingle ? LOCAL.single : LOCAL.double);
      if (isSingle) code.op(OP.f64PromoteF32);
    },
  });
}
