/**
 * Handlers of floating-point instructions by the arithmetic of WebAssembly, which is that of the host: IEEE 754, rounding to nearest even.
 * They do what float/fast-*.ts prove right, and only where the one flag that can be raised (inexact) is already accrued or where the result is plainly
 * exact; everything else leaves the loop for those functions. NaN results, infinities and tiny results always do.
 * Operands of singles must be boxed. Locals x, y, z are doubles; single, single + 1, single + 2 are singles.
 * What this does NOT do: other rounding modes, but truncation to integers (lower-record.ts sends those to the functions).
 */
import { OP, TYPE, type Opcode } from '../../../wasm/index.ts';
import { CONTROL, controlAddress } from '../../cpu.ts';
import type { Handlers } from './handler.ts';
import type { LoopLayout } from './layout.ts';
import { FIELD, LOCAL, type LoopWriter } from './loop-writer.ts';

const BOX = -0x100000000n;
const SIGN = -(2n ** 63n);
/** Of fcsr: the rounding mode, and "inexact has been raised". */
const MODE_AND_INEXACT = 0xe1;
const MODE = 0xe0;
const INEXACT = 1;

/** The two precisions: operations in the order of this type. */
interface Precision {
  readonly isDouble: boolean;
  readonly first: number;
  readonly type: 'd' | 's';
  readonly smallestNormal: number;
  readonly op: Readonly<Record<'load' | 'add' | 'sub' | 'mul' | 'div' | 'sqrt' | 'abs' | 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge', Opcode>>;
}
const DOUBLE: Precision = {
  isDouble: true, first: LOCAL.x, type: 'd', smallestNormal: 2 ** -1022,
  op: {
    load: OP.f64Load, add: OP.f64Add, sub: OP.f64Sub, mul: OP.f64Mul, div: OP.f64Div, sqrt: OP.f64Sqrt, abs: OP.f64Abs,
    eq: OP.f64Eq, ne: OP.f64Ne, lt: OP.f64Lt, le: OP.f64Le, gt: OP.f64Gt, ge: OP.f64Ge,
  },
};
const SINGLE: Precision = {
  isDouble: false, first: LOCAL.single, type: 's', smallestNormal: 2 ** -126,
  op: {
    load: OP.f32Load, add: OP.f32Add, sub: OP.f32Sub, mul: OP.f32Mul, div: OP.f32Div, sqrt: OP.f32Sqrt, abs: OP.f32Abs,
    eq: OP.f32Eq, ne: OP.f32Ne, lt: OP.f32Lt, le: OP.f32Le, gt: OP.f32Gt, ge: OP.f32Ge,
  },
};

/** Emits float code for one loop layout and precision. */
class FloatCode {
  readonly #writer: LoopWriter;
  readonly #layout: LoopLayout;
  readonly p: Precision;
  readonly x: number;
  readonly y: number;
  readonly z: number;

  constructor(writer: LoopWriter, layout: LoopLayout, precision: Precision) {
    this.#writer = writer;
    this.#layout = layout;
    this.p = precision;
    this.x = precision.first;
    this.y = this.x + 1;
    this.z = this.x + 2;
  }

  /** Loads one or two operands; unboxed singles leave. */
  load(count: 1 | 2): void {
    const writer = this.#writer;
    const fields = [FIELD.rs1, FIELD.rs2].slice(0, count);
    if (!this.p.isDouble) {
      fields.forEach((field, index) => {
        writer.field(field); writer.access(OP.i32Load, 2, 4);
        if (index > 0) writer.op(OP.i32And);
      });
      writer.i32Const(-1); writer.op(OP.i32Ne);
      writer.toIf('leave');
    }
    fields.forEach((field, index) => {
      writer.field(field); writer.access(this.p.op.load, this.p.isDouble ? 3 : 2, 0); writer.localSet(this.x + index);
    });
  }

  constant(value: number): void {
    if (this.p.isDouble) this.#writer.f64Const(value); else this.#writer.f32Const(value);
  }

  /** Pushes fcsr & mask. */
  status(mask: number): void {
    this.#writer.i32Const(0);
    this.#writer.access(OP.i32Load, 2, controlAddress(this.#layout.registers, CONTROL.fcsr));
    this.#writer.i32Const(mask); this.#writer.op(OP.i32And);
  }

  /** Leaves unless the mode is nearest even and inexact is accrued, or, where `isExact` pushes true, not. */
  requireInexact(isExact?: () => void): void {
    const writer = this.#writer;
    this.status(MODE_AND_INEXACT);
    if (isExact === undefined) {
      writer.i32Const(INEXACT); writer.op(OP.i32Ne);
      writer.toIf('leave');
      return;
    }
    writer.localTee(LOCAL.word); writer.i32Const(INEXACT); writer.op(OP.i32Ne);
    writer.open(OP.if, TYPE.empty);
    writer.localGet(LOCAL.word);
    writer.toIf('leave');
    isExact(); writer.op(OP.i32Eqz);
    writer.toIf('leave');
    writer.end();
  }

  /** Pushes whether z is finite and larger than the smallest normal number. */
  isNormal(): void {
    const { op } = this.p;
    const writer = this.#writer;
    writer.localGet(this.z); writer.op(op.abs); this.constant(this.p.smallestNormal); writer.op(op.gt);
    writer.localGet(this.z); writer.op(op.abs); this.constant(Infinity); writer.operations(op.lt, OP.i32And);
  }

  isZero(local: number): void {
    this.#writer.localGet(local); this.constant(0); this.#writer.op(this.p.op.eq);
  }

  /** Leaves when the pushed condition is false. */
  require(): void {
    this.#writer.op(OP.i32Eqz);
    this.#writer.toIf('leave');
  }

  /** rd := z. */
  store(): void {
    const writer = this.#writer;
    writer.field(FIELD.rd);
    if (this.p.isDouble) {
      writer.localGet(this.z); writer.access(OP.f64Store, 3, 0);
    } else {
      writer.localGet(this.z); writer.operations(OP.i32ReinterpretF32, OP.i64ExtendI32u); writer.i64Const(BOX); writer.op(OP.i64Or);
      writer.access(OP.i64Store, 3, 0);
    }
    writer.next();
  }

  operate(opcode: Opcode): void {
    this.#writer.localGet(this.x); this.#writer.localGet(this.y); this.#writer.op(opcode); this.#writer.localSet(this.z);
  }
}

type Emit = (code: FloatCode, writer: LoopWriter) => void;

/** x + y, or with y's sign changed: exact when TwoSum's error is zero. */
const sum = (isSubtraction: boolean): Emit => (code, writer) => {
  const { op } = code.p;
  code.load(2);
  if (isSubtraction) { writer.localGet(code.y); writer.op(code.p.isDouble ? OP.f64Neg : OP.f32Neg); writer.localSet(code.y); }
  code.operate(op.add);
  writer.localGet(code.z); writer.localGet(code.z); writer.op(op.sub); code.constant(0); writer.op(op.eq);
  code.require();
  code.requireInexact(() => {
    // (x - (z - (z - x))) + (y - (z - x)) === 0
    const part = (): void => { writer.localGet(code.z); writer.localGet(code.x); writer.op(op.sub); };
    writer.localGet(code.x); writer.localGet(code.z); part(); writer.operations(op.sub, op.sub);
    writer.localGet(code.y); part(); writer.operations(op.sub, op.add);
    code.constant(0); writer.op(op.eq);
  });
  code.store();
};

/** A product of doubles with 26 significant bits each, of singles with 12, is exact. */
const product: Emit = (code, writer) => {
  code.load(2);
  code.operate(code.p.op.mul);
  code.isNormal();
  code.isZero(code.z); code.isZero(code.x); code.isZero(code.y); writer.operations(OP.i32Or, OP.i32And, OP.i32Or);
  code.require();
  code.requireInexact(() => {
    const field = (offset: number): void => { writer.field(offset); writer.access(OP.i32Load, 2, 0); };
    field(FIELD.rs1); field(FIELD.rs2); writer.op(OP.i32Or);
    writer.i32Const(code.p.isDouble ? 0x7ffffff : 0xfff); writer.operations(OP.i32And, OP.i32Eqz);
  });
  code.store();
};

const quotient: Emit = (code, writer) => {
  code.load(2);
  code.operate(code.p.op.div);
  code.isNormal();
  code.isZero(code.z); code.isZero(code.x); writer.operations(OP.i32And, OP.i32Or);
  code.require();
  code.requireInexact();
  code.store();
};

const root: Emit = (code, writer) => {
  code.load(1);
  writer.localGet(code.x); code.constant(0); writer.op(code.p.op.ge);
  writer.localGet(code.x); code.constant(Infinity); writer.operations(code.p.op.lt, OP.i32And);
  code.require();
  code.requireInexact();
  writer.localGet(code.x); writer.op(code.p.op.sqrt); writer.localSet(code.z);
  code.store();
};

const compare = (which: 'eq' | 'lt' | 'le'): Emit => (code, writer) => {
  const { op } = code.p;
  code.load(2);
  for (const local of [code.x, code.y]) { writer.localGet(local); writer.localGet(local); writer.op(op.eq); }
  writer.op(OP.i32And);
  code.require();
  writer.field(FIELD.rd);
  writer.localGet(code.x); writer.localGet(code.y); writer.operations(op[which], OP.i64ExtendI32u);
  writer.access(OP.i64Store, 3, 0);
  writer.next();
};

/** The lesser or greater of two that differ; zeros of two signs and NaN leave. */
const extreme = (which: 'lt' | 'gt'): Emit => (code, writer) => {
  const { op } = code.p;
  code.load(2);
  const compared = (opcode: Opcode): void => { writer.localGet(code.x); writer.localGet(code.y); writer.op(opcode); };
  compared(op.lt); compared(op.gt); writer.op(OP.i32Or);
  code.require();
  writer.localGet(code.x); writer.localGet(code.y); compared(op[which]); writer.op(OP.select); writer.localSet(code.z);
  code.store();
};

/** Bits of rs1 with a sign made from rs2's. */
const sign = (kind: 'copy' | 'not' | 'xor'): Emit => (code, writer) => {
  const { isDouble } = code.p;
  if (!isDouble) code.load(2);
  const bit = isDouble ? SIGN : 0x80000000n;
  writer.field(FIELD.rd);
  writer.register(FIELD.rs1);
  if (kind !== 'xor') { writer.i64Const(~bit); writer.op(OP.i64And); }
  writer.register(FIELD.rs2);
  if (kind === 'not') { writer.i64ConstSmall(-1); writer.op(OP.i64Xor); }
  writer.i64Const(bit); writer.op(OP.i64And);
  writer.op(kind === 'xor' ? OP.i64Xor : OP.i64Or);
  writer.access(OP.i64Store, 3, 0);
  writer.next();
};

const ARITHMETIC: Readonly<Record<string, Emit>> = {
  fadd: sum(false), fsub: sum(true), fmul: product, fdiv: quotient, fsqrt: root,
  feq: compare('eq'), flt: compare('lt'), fle: compare('le'), fmin: extreme('lt'), fmax: extreme('gt'),
  fsgnj: sign('copy'), fsgnjn: sign('not'), fsgnjx: sign('xor'),
};

interface Integer { readonly convert: readonly [Opcode, Opcode]; readonly truncate: Opcode; readonly low: number; readonly high: number; readonly isWord: boolean; readonly isSigned: boolean }
/** Conversions to double and single; truncation of a double strictly between the bounds. */
const INTEGERS: Readonly<Record<string, Integer>> = {
  w: { convert: [OP.f64ConvertI32s, OP.f32ConvertI32s], truncate: OP.i32TruncF64s, low: -2147483649, high: 2 ** 31, isWord: true, isSigned: true },
  wu: { convert: [OP.f64ConvertI32u, OP.f32ConvertI32u], truncate: OP.i32TruncF64u, low: -1, high: 2 ** 32, isWord: true, isSigned: false },
  l: { convert: [OP.f64ConvertI64s, OP.f32ConvertI64s], truncate: OP.i64TruncF64s, low: -(2 ** 63) - 2048, high: 2 ** 63, isWord: false, isSigned: true },
  lu: { convert: [OP.f64ConvertI64u, OP.f32ConvertI64u], truncate: OP.i64TruncF64u, low: -1, high: 2 ** 64, isWord: false, isSigned: false },
};

/** Truncation; the mode is in the instruction. A single becomes a double first. */
const toInteger = (type: Integer): Emit => (code, writer) => {
  code.load(1);
  if (!code.p.isDouble) { writer.localGet(code.x); writer.op(OP.f64PromoteF32); writer.localSet(LOCAL.x); }
  writer.localGet(LOCAL.x); writer.f64Const(type.low); writer.op(OP.f64Gt);
  writer.localGet(LOCAL.x); writer.f64Const(type.high); writer.operations(OP.f64Lt, OP.i32And);
  code.status(INEXACT);
  writer.localGet(LOCAL.x); writer.op(OP.f64Trunc); writer.localGet(LOCAL.x); writer.operations(OP.f64Eq, OP.i32Or, OP.i32And);
  code.require();
  writer.field(FIELD.rd);
  writer.localGet(LOCAL.x); writer.op(type.truncate);
  if (type.isWord) writer.op(OP.i64ExtendI32s);
  writer.access(OP.i64Store, 3, 0);
  writer.next();
};

/** Integers below 2^53 (2^24) are exact. */
const fromInteger = (type: Integer): Emit => (code, writer) => {
  const { isDouble } = code.p;
  const push = (): void => {
    writer.register(FIELD.rs1);
    if (!type.isWord) return;
    writer.operations(OP.i32WrapI64, type.isSigned ? OP.i64ExtendI32s : OP.i64ExtendI32u);
  };
  if (isDouble && type.isWord) {
    code.status(MODE);
    writer.toIf('leave');
  } else {
    code.requireInexact(() => {
      const limit = isDouble ? 2n ** 53n : 2n ** 24n;
      push();
      if (type.isSigned) { writer.i64Const(limit); writer.op(OP.i64Add); }
      writer.i64Const(type.isSigned ? 2n * limit : limit); writer.op(OP.i64LeU);
    });
  }
  writer.register(FIELD.rs1);
  if (type.isWord) writer.op(OP.i32WrapI64);
  writer.op(type.convert[isDouble ? 0 : 1]); writer.localSet(code.z);
  code.store();
};

/** fcvt.s.d */
const narrow: Emit = (code, writer) => {
  writer.field(FIELD.rs1); writer.access(OP.f64Load, 3, 0); writer.localTee(LOCAL.x);
  writer.op(OP.f32DemoteF64); writer.localSet(code.z);
  code.isNormal();
  writer.localGet(LOCAL.x); writer.f64Const(0); writer.operations(OP.f64Eq, OP.i32Or);
  code.require();
  code.requireInexact(() => { writer.localGet(code.z); writer.op(OP.f64PromoteF32); writer.localGet(LOCAL.x); writer.op(OP.f64Eq); });
  code.store();
};

/** fcvt.d.s: exact for every number. */
const widen: Emit = (code, writer) => {
  code.load(1);
  writer.localGet(code.x); writer.localGet(code.x); writer.op(OP.f32Eq);
  code.require();
  code.status(MODE);
  writer.toIf('leave');
  writer.field(FIELD.rd); writer.localGet(code.x); writer.op(OP.f64PromoteF32); writer.access(OP.f64Store, 3, 0);
  writer.next();
};

export function floatHandlers(layout: LoopLayout): Handlers {
  const handlers: Record<string, (writer: LoopWriter) => void> = {
    boxWord: (writer) => {
      writer.field(FIELD.rd); writer.register(FIELD.rs1); writer.i64Const(BOX); writer.op(OP.i64Or); writer.access(OP.i64Store, 3, 0);
      writer.next();
    },
  };
  const add = (name: string, precision: Precision, emit: Emit): void => {
    handlers[name] = (writer) => emit(new FloatCode(writer, layout, precision), writer);
  };
  for (const precision of [DOUBLE, SINGLE]) {
    for (const [name, emit] of Object.entries(ARITHMETIC)) add(`${name}.${precision.type}`, precision, emit);
    for (const [name, type] of Object.entries(INTEGERS)) {
      add(`fcvt.${name}.${precision.type}`, precision, toInteger(type));
      add(`fcvt.${precision.type}.${name}`, precision, fromInteger(type));
    }
  }
  add('fcvt.s.d', SINGLE, narrow);
  add('fcvt.d.s', SINGLE, widen);
  return handlers;
}
