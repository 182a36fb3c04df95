/**
 * Float results that are no numbers or infinite, and comparisons with a NaN: their flags are raised in small functions of the module, so that programs with missing
 * values or infinite distances stay in translated code.
 *
 *   special     result NaN: invalid where an operand signals, where none is a NaN, or for inf * 0 + NaN
 *               result infinite: exact where an operand is; x / 0 raises divide by zero; overflow only where that and inexact are raised already
 *               result finite: leaves no trace where inexact and underflow are raised already
 *   slow        what code calls where its result is refused: takes it where special() can say what is due, else asks the interpreter's function
 *   unordered   invalid where an operand signals, or always for the comparisons that signal (flt, fle)
 *
 *   classify    what fclass gives: a bit for the kind of value
 *
 * All take the bits of values, and the bits of infinity in their format, from which sign, quiet bit and size follow. Rounding plays no part in any of this.
 * What this does NOT do: compute results, or finite ones.
 */
import { CodeWriter, OP, TYPE, type Signature } from '../../../wasm/index.ts';
import { CONTROL, controlAddress, CPU_STATE_OFFSET } from '../../cpu.ts';
import { DYNAMIC } from './float-needs.ts';
import { BOX } from './float-values.ts';
import { HELPER, OWN, type UnitLayout } from './layout.ts';

export const INFINITY_DOUBLE = 0x7ff0000000000000n;
export const INFINITY_SINGLE = 0x7f800000n;
/** What `slow` is told of an operation, above its packed registers (five bits each); two operands and doubles where nothing is said. */
export const NATURE = { divide: 1 << 20, fused: 1 << 21, unary: 1 << 22, single: 1 << 23 } as const;

const FRM_SHIFT = 5;
const INVALID = 16;
const DIVIDE_BY_ZERO = 8;
const OVERFLOW_INEXACT = 5;
const UNDERFLOW_INEXACT = 3;

/** (nature, infinity, result, a, b, c) -> done: the flags are raised, and the result is the one given, or the canonical NaN. The mode is nearest even. */
export const SPECIAL_TYPE: Signature = { parameters: [TYPE.i32, TYPE.i64, TYPE.i64, TYPE.i64, TYPE.i64, TYPE.i64], results: [TYPE.i32] };
/** (operation, packed registers and nature, rounding mode, the host's result) -> done. Operands and result are in the register block. */
export const SLOW_TYPE: Signature = { parameters: [TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i64], results: [TYPE.i32] };
export const SLOW_LOCALS = [[4, TYPE.i64]] as const;
/** (infinity, a, b, isSignalling) */
export const UNORDERED_TYPE: Signature = { parameters: [TYPE.i64, TYPE.i64, TYPE.i64, TYPE.i32], results: [] };

/** (infinity, bits) */
export const CLASSIFY_TYPE: Signature = { parameters: [TYPE.i64, TYPE.i64], results: [TYPE.i64] };

const fcsrAddress = (layout: UnitLayout): number => controlAddress(layout.registers, CONTROL.fcsr);

/** Raises flags that no later float result depends on. */
export function emitRaise(code: CodeWriter, layout: UnitLayout, flags: number): void {
  code.i32Const(0);
  code.i32Const(0); code.access(OP.i32Load, 2, fcsrAddress(layout)); code.i32Const(flags); code.op(OP.i32Or);
  code.access(OP.i32Store, 2, fcsrAddress(layout));
}

function pushAreRaised(code: CodeWriter, layout: UnitLayout, flags: number): void {
  code.i32Const(0); code.access(OP.i32Load, 2, fcsrAddress(layout)); code.i32Const(flags); code.op(OP.i32And); code.i32Const(flags); code.op(OP.i32Eq);
}

export const emitInvalid = (code: CodeWriter, layout: UnitLayout): void => emitRaise(code, layout, INVALID);

/** Pushes infinity's lowest bit, which is the least normal number. `infinity`: the local that holds it. */
function pushLeastNormal(code: CodeWriter, infinity: number): void {
  code.localGet(infinity); code.i64ConstSmall(0); code.localGet(infinity); code.op(OP.i64Sub); code.op(OP.i64And);
}

/** Pushes what is left of a value without its sign. */
function pushMagnitude(code: CodeWriter, infinity: number, value: number): void {
  code.localGet(value);
  code.localGet(infinity); pushLeastNormal(code, infinity); code.i64ConstSmall(1); code.op(OP.i64Sub); code.op(OP.i64Or);
  code.op(OP.i64And);
}

function pushIs(code: CodeWriter, infinity: number, value: number, compare: typeof OP.i64GtU | typeof OP.i64Eq): void {
  pushMagnitude(code, infinity, value); code.localGet(infinity); code.op(compare);
}

const pushIsNan = (code: CodeWriter, infinity: number, value: number): void => pushIs(code, infinity, value, OP.i64GtU);
const pushIsInfinite = (code: CodeWriter, infinity: number, value: number): void => pushIs(code, infinity, value, OP.i64Eq);

/** Whether the uppermost bit of the fraction is clear, as in NaNs that signal. */
function pushIsNotQuiet(code: CodeWriter, infinity: number, value: number): void {
  code.localGet(value); pushLeastNormal(code, infinity); code.i64ConstSmall(1); code.op(OP.i64ShrU); code.op(OP.i64And); code.op(OP.i64Eqz);
}

function pushIsSignalling(code: CodeWriter, infinity: number, value: number): void {
  pushIsNan(code, infinity, value); pushIsNotQuiet(code, infinity, value); code.op(OP.i32And);
}

function pushAny(code: CodeWriter, values: readonly number[], push: (value: number) => void): void {
  values.forEach((value, index) => {
    push(value);
    if (index > 0) code.op(OP.i32Or);
  });
}

/** Body of `special`. */
export function specialBody(layout: UnitLayout): CodeWriter {
  const code = new CodeWriter();
  const [nature, infinity, result, a, b, c] = [0, 1, 2, 3, 4, 5];
  const is = (bit: number): void => { code.localGet(nature); code.i32Const(bit); code.op(OP.i32And); code.i32Const(0); code.op(OP.i32Ne); };
  const isZero = (value: number): void => { pushMagnitude(code, infinity, value); code.op(OP.i64Eqz); };
  const answer = (done: number): void => { code.i32Const(done); code.op(OP.return); };
  pushIsNan(code, infinity, result);
  code.open(OP.if, TYPE.empty);
  pushAny(code, [a, b, c], (value) => pushIsSignalling(code, infinity, value));
  pushAny(code, [a, b, c], (value) => pushIsNan(code, infinity, value)); code.op(OP.i32Eqz); code.op(OP.i32Or);
  is(NATURE.fused);
  for (const [x, y] of [[a, b], [b, a]] as const) { pushIsInfinite(code, infinity, x); isZero(y); code.op(OP.i32And); }
  code.op(OP.i32Or); code.op(OP.i32And); code.op(OP.i32Or);
  code.open(OP.if, TYPE.empty);
  emitInvalid(code, layout);
  code.end();
  answer(1);
  code.end();
  pushIsInfinite(code, infinity, result); code.op(OP.i32Eqz);
  code.open(OP.if, TYPE.empty);
  pushAreRaised(code, layout, UNDERFLOW_INEXACT); code.op(OP.return);
  code.end();
  pushAny(code, [a, b, c], (value) => pushIsInfinite(code, infinity, value)); // Of a divisor it is not: the quotient would be zero.
  code.open(OP.if, TYPE.empty);
  answer(1);
  code.end();
  is(NATURE.divide); isZero(b); code.op(OP.i32And);
  code.open(OP.if, TYPE.empty);
  emitRaise(code, layout, DIVIDE_BY_ZERO);
  answer(1);
  code.end();
  pushAreRaised(code, layout, OVERFLOW_INEXACT);
  return code;
}

/** Body of `slow`. */
export function slowBody(layout: UnitLayout): CodeWriter {
  const code = new CodeWriter();
  const [operation, packed, mode, result, infinity, a, b, c] = [0, 1, 2, 3, 4, 5, 6, 7];
  const is = (bit: number): void => { code.localGet(packed); code.i32Const(bit); code.op(OP.i32And); };
  /** Pushes the address of the register in a field of `packed`. */
  const pushRegister = (field: number): void => {
    code.localGet(packed); code.i32Const(5 * field); code.op(OP.i32ShrU); code.i32Const(31); code.op(OP.i32And); code.i32Const(3); code.op(OP.i32Shl);
  };
  const floats = layout.registers + CPU_STATE_OFFSET.f;
  code.open(OP.block, TYPE.empty);
  // Nearest even is 0.
  code.i32Const(0); code.access(OP.i32Load, 2, fcsrAddress(layout)); code.i32Const(FRM_SHIFT); code.op(OP.i32ShrU); code.localGet(mode);
  code.localGet(mode); code.i32Const(DYNAMIC); code.op(OP.i32Eq); code.op(OP.select); code.brIf(0);
  code.i64Const(INFINITY_SINGLE); code.i64Const(INFINITY_DOUBLE); is(NATURE.single); code.op(OP.select); code.localSet(infinity);
  for (const [field, operand] of [[1, a], [2, b], [3, c]] as const) { pushRegister(field); code.access(OP.i64Load, 3, floats); code.localSet(operand); }
  is(NATURE.unary); code.open(OP.if, TYPE.empty); code.localGet(a); code.localSet(b); code.end();
  is(NATURE.fused); code.op(OP.i32Eqz); code.open(OP.if, TYPE.empty); code.localGet(b); code.localSet(c); code.end();
  is(NATURE.single);
  code.open(OP.if, TYPE.empty);
  pushAny(code, [a, b, c], (operand) => { code.localGet(operand); code.i64Const(BOX); code.op(OP.i64LtU); }); code.brIf(1);
  for (const operand of [a, b, c]) { code.localGet(operand); code.op(OP.i32WrapI64); code.op(OP.i64ExtendI32u); code.localSet(operand); }
  code.end();
  for (const value of [packed, infinity, result, a, b, c]) code.localGet(value);
  code.call(OWN.special); code.op(OP.i32Eqz); code.brIf(0);
  pushRegister(0);
  // The canonical NaN is infinity and the quiet bit.
  code.localGet(infinity); pushLeastNormal(code, infinity); code.i64ConstSmall(1); code.op(OP.i64ShrU); code.op(OP.i64Or); code.localGet(result);
  pushIsNan(code, infinity, result); code.op(OP.select);
  code.i64Const(BOX); code.i64ConstSmall(0); is(NATURE.single); code.op(OP.select); code.op(OP.i64Or);
  code.access(OP.i64Store, 3, floats);
  code.i32Const(1); code.op(OP.return);
  code.end();
  for (const value of [operation, packed, mode]) code.localGet(value);
  code.call(HELPER.float);
  return code;
}

/** Body of `unordered`. */
export function unorderedBody(layout: UnitLayout): CodeWriter {
  const code = new CodeWriter();
  const [infinity, a, b, isSignalling] = [0, 1, 2, 3];
  pushAny(code, [a, b], (value) => pushIsSignalling(code, infinity, value)); code.localGet(isSignalling); code.op(OP.i32Or);
  code.open(OP.if, TYPE.empty);
  emitInvalid(code, layout);
  code.end();
  return code;
}

/** Bits of fclass: 0 to 3 negative from infinite to zero, 4 to 7 positive from zero to infinite, then NaNs. */
const SIGNALLING_NAN_BIT = 8;

/** Body of `classify`. */
export function classifyBody(): CodeWriter {
  const code = new CodeWriter();
  const [infinity, value] = [0, 1];
  /** 0 zero, 1 subnormal, 2 normal, 3 infinite. */
  const pushSize = (): void => {
    pushMagnitude(code, infinity, value); code.i64ConstSmall(0); code.op(OP.i64Ne);
    pushMagnitude(code, infinity, value); pushLeastNormal(code, infinity); code.op(OP.i64GeU); code.op(OP.i32Add);
    pushMagnitude(code, infinity, value); code.localGet(infinity); code.op(OP.i64GeU); code.op(OP.i32Add);
  };
  code.i64ConstSmall(1);
  pushIsNan(code, infinity, value);
  code.open(OP.if, TYPE.i32);
  code.i32Const(SIGNALLING_NAN_BIT); pushIsNotQuiet(code, infinity, value); code.op(OP.i32Eqz); code.op(OP.i32Add);
  code.byte(OP.else);
  code.i32Const(4); pushSize(); code.op(OP.i32Add);
  code.i32Const(3); pushSize(); code.op(OP.i32Sub);
  pushMagnitude(code, infinity, value); code.localGet(value); code.op(OP.i64Eq); // No sign.
  code.op(OP.select);
  code.end();
  code.op(OP.i64ExtendI32u); code.op(OP.i64Shl);
  return code;
}
