/**
 * Small functions of every module: whether a double result is exact, so that no flag is due. All take (a, b, c, result) and answer 1 or 0; 0 may also
 * mean not sure. They need a fused multiply-add, which gives the error of a product in one operation.
 *
 *   sum a + b       TwoSum's error is zero (Knuth, The Art of Computer Programming 4.2.2)
 *   product a * b   fma(a, b, -result) = 0, and the result is far above the subnormal numbers, so that an error would not vanish
 *   fused           the product is exact, and so is its sum with c        quotient, root: result * b = a, result * result = a exactly
 *
 * Invariants: rounding mode to nearest even is checked here. What this does NOT do: raise flags.
 */
import { CodeWriter, OP, TYPE, type Opcode, type Signature } from '../../../wasm/index.ts';
import { CONTROL, CPU_STATE_OFFSET } from '../../cpu.ts';
import { OWN, type UnitLayout } from './layout.ts';

export const EXACT_TYPE: Signature = { parameters: [TYPE.f64, TYPE.f64, TYPE.f64, TYPE.f64], results: [TYPE.i32] };
const [A, B, C, RESULT, SCRATCH] = [0, 1, 2, 3, 4];
const SMALL = 2 ** -900;
const LARGE = 2 ** 1000;
const FRM_MASK = 0xe0;

/** Bodies in the order of OWN. Each has one f64 scratch local. */
export function exactBodies(layout: UnitLayout): readonly CodeWriter[] {
  return [sum(layout), product(), fused(layout), quotient(), root()];
}

function constant(code: CodeWriter, value: number): void {
  code.byte(OP.f64Const);
  code.bytes(new Uint8Array(new Float64Array([value]).buffer));
}

function get(code: CodeWriter, ...locals: readonly number[]): void {
  for (const local of locals) code.localGet(local);
}

/** Pushes x * y - z with one rounding. */
function error(code: CodeWriter, x: number, y: number, z: number): void {
  code.localGet(x); code.op(OP.f64x2Splat); code.localGet(y); code.op(OP.f64x2Splat); code.localGet(z); code.op(OP.f64Neg); code.op(OP.f64x2Splat);
  code.op(OP.f64x2RelaxedMadd); code.op(OP.f64x2ExtractLane); code.byte(0);
}

function compare(code: CodeWriter, operation: Opcode, value: number): void {
  constant(code, value);
  code.op(operation);
}

/** Answers 0 unless the condition on the stack holds. */
function unless(code: CodeWriter): void {
  code.op(OP.i32Eqz);
  code.open(OP.if, TYPE.empty);
  code.i32Const(0); code.op(OP.return);
  code.end();
}

/** Answers the condition that `then` pushes where the one on the stack holds. */
function when(code: CodeWriter, then: () => void): void {
  code.open(OP.if, TYPE.empty);
  then();
  code.op(OP.return);
  code.end();
}

/** Pushes whether |x| lies between SMALL and LARGE. */
function isMedium(code: CodeWriter, local: number): void {
  code.localGet(local); code.op(OP.f64Abs); compare(code, OP.f64Gt, SMALL);
  code.localGet(local); code.op(OP.f64Abs); compare(code, OP.f64Lt, LARGE);
  code.op(OP.i32And);
}

function isRoundedToNearest(code: CodeWriter, layout: UnitLayout): void {
  code.i32Const(0); code.access(OP.i32Load, 2, layout.registers + CPU_STATE_OFFSET.control + 4 * CONTROL.fcsr); code.i32Const(FRM_MASK); code.op(OP.i32And); code.op(OP.i32Eqz);
}

function sum(layout: UnitLayout): CodeWriter {
  const code = new CodeWriter();
  isRoundedToNearest(code, layout); unless(code);
  get(code, RESULT, RESULT); code.op(OP.f64Sub); compare(code, OP.f64Eq, 0); unless(code);
  get(code, RESULT, A); code.op(OP.f64Sub); code.localSet(SCRATCH);
  get(code, A, RESULT, SCRATCH); code.op(OP.f64Sub); code.op(OP.f64Sub);
  get(code, B, SCRATCH); code.op(OP.f64Sub);
  code.op(OP.f64Add); compare(code, OP.f64Eq, 0);
  return code;
}

/** Pushes whether a or b is zero. */
function hasZeroFactor(code: CodeWriter): void {
  code.localGet(A); compare(code, OP.f64Eq, 0); code.localGet(B); compare(code, OP.f64Eq, 0); code.op(OP.i32Or);
}

/** Zero times a number is zero in every rounding mode; other products go through sum(), which looks at the mode. */
function product(): CodeWriter {
  const code = new CodeWriter();
  hasZeroFactor(code);
  when(code, () => { code.localGet(RESULT); compare(code, OP.f64Eq, 0); });
  isMedium(code, RESULT); unless(code);
  error(code, A, B, RESULT); compare(code, OP.f64Eq, 0); unless(code);
  modeIsNearest(code);
  return code;
}

/** Asks sum() about 0 + 0: true in the usual rounding mode. */
function modeIsNearest(code: CodeWriter): void {
  for (let count = 0; count < 4; count++) constant(code, 0);
  code.call(OWN.sum);
}

function fused(layout: UnitLayout): CodeWriter {
  const code = new CodeWriter();
  get(code, A, B); code.op(OP.f64Mul); code.localSet(SCRATCH);
  hasZeroFactor(code); isMedium(code, SCRATCH); code.op(OP.i32Or); unless(code);
  hasZeroFactor(code); code.op(OP.i32Eqz);
  code.open(OP.if, TYPE.empty);
  error(code, A, B, SCRATCH); compare(code, OP.f64Eq, 0); unless(code);
  code.end();
  isRoundedToNearest(code, layout); unless(code);
  sumError(code, SCRATCH, C); compare(code, OP.f64Eq, 0);
  return code;
}

/** Pushes the error of result = x + y, not zero when the result is not finite. Overwrites x. */
function sumError(code: CodeWriter, x: number, y: number): void {
  const z = A;
  get(code, RESULT, x); code.op(OP.f64Sub); code.localSet(z);
  get(code, x, RESULT, z); code.op(OP.f64Sub); code.op(OP.f64Sub);
  get(code, y, z); code.op(OP.f64Sub);
  code.op(OP.f64Add);
}

function quotient(): CodeWriter {
  const code = new CodeWriter();
  isMedium(code, RESULT); isMedium(code, A); code.op(OP.i32And); unless(code);
  error(code, RESULT, B, A); compare(code, OP.f64Eq, 0); unless(code);
  modeIsNearest(code);
  return code;
}

function root(): CodeWriter {
  const code = new CodeWriter();
  isMedium(code, A); unless(code);
  error(code, RESULT, RESULT, A); compare(code, OP.f64Eq, 0); unless(code);
  modeIsNearest(code);
  return code;
}
