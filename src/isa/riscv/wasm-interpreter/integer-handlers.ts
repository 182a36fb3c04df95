/**
 * Handlers of instructions whose only effect is an integer register: the translator's table of meanings, with operands from the record.
 * What this does NOT do: rd = x0 (lowered to nop).
 */
import { OP } from '../../../wasm/index.ts';
import { INSTRUCTIONS, type Format } from '../instruction-table.ts';
import { PURE } from '../lift-table.ts';
import { FIELD, IMMEDIATE, LOCAL, type LoopWriter } from './loop-writer.ts';
import type { Handlers } from './handler.ts';

const FIRST = 1;
const SECOND = 2;
const READS_SECOND: ReadonlySet<Format> = new Set(['R']);
/** What the emitters see: two registers, and an immediate that the writer turns into a load. */
const OPERANDS = { operation: -1, compressed: -1, length: 4, rd: 0, rs1: FIRST, rs2: SECOND, rs3: 0, imm: IMMEDIATE, rm: 0, address: 0 };

/** Leaves the operands in the two locals, and the address of rd on the stack. */
function begin(writer: LoopWriter, readsSecond: boolean): void {
  writer.register(FIELD.rs1); writer.localSet(LOCAL.first);
  if (readsSecond) { writer.register(FIELD.rs2); writer.localSet(LOCAL.second); }
  writer.field(FIELD.rd);
}

function finish(writer: LoopWriter): void {
  writer.access(OP.i64Store, 3, 0);
  writer.next();
}

/** Upper 64 bits of the product of two unsigned words, by 32-bit halves; a signed factor takes the other one away where it is negative. */
function multiplyHigh(writer: LoopWriter, isFirstSigned: boolean, isSecondSigned: boolean): void {
  begin(writer, true);
  const halves = (local: number, shift: boolean): void => {
    writer.localGet(local);
    if (shift) { writer.i64ConstSmall(32); writer.op(OP.i64ShrU); } else { writer.i64Const(0xffffffffn); writer.op(OP.i64And); }
  };
  const product = (high1: boolean, high2: boolean): void => {
    halves(LOCAL.first, high1); halves(LOCAL.second, high2); writer.op(OP.i64Mul);
  };
  const upper = (): void => { writer.i64ConstSmall(32); writer.op(OP.i64ShrU); };
  // middle = high1 * low2 + (low1 * low2 >>> 32); result = high1 * high2 + (middle >>> 32) + ((low(middle) + low1 * high2) >>> 32)
  product(true, false); product(false, false); upper(); writer.op(OP.i64Add); writer.localSet(LOCAL.wide);
  product(true, true);
  writer.localGet(LOCAL.wide); upper(); writer.op(OP.i64Add);
  writer.localGet(LOCAL.wide); writer.i64Const(0xffffffffn); writer.op(OP.i64And); product(false, true); writer.op(OP.i64Add); upper();
  writer.op(OP.i64Add);
  const correct = (sign: number, other: number): void => {
    writer.localGet(sign); writer.i64ConstSmall(63); writer.op(OP.i64ShrS); writer.localGet(other); writer.operations(OP.i64And, OP.i64Sub);
  };
  if (isFirstSigned) correct(LOCAL.first, LOCAL.second);
  if (isSecondSigned) correct(LOCAL.second, LOCAL.first);
  finish(writer);
}

const OWN: Handlers = {
  nop: (writer) => writer.next(),
  constant: (writer) => {
    writer.field(FIELD.rd); writer.localGet(LOCAL.record); writer.access(OP.i64Load, 3, FIELD.rs1);
    finish(writer);
  },
  move: (writer) => { writer.field(FIELD.rd); writer.register(FIELD.rs1); finish(writer); },
  signExtendWord: (writer) => {
    writer.field(FIELD.rd); writer.field(FIELD.rs1); writer.access(OP.i64Load32s, 2, 0);
    finish(writer);
  },
  mulh: (writer) => multiplyHigh(writer, true, true),
  mulhsu: (writer) => multiplyHigh(writer, true, false),
  mulhu: (writer) => multiplyHigh(writer, false, false),
};

const FROM_TABLE: Handlers = Object.fromEntries(INSTRUCTIONS.flatMap(({ mnemonic, format }) => {
  const emit = PURE[mnemonic];
  if (emit === undefined || mnemonic in OWN || format === 'Upper') return [];
  const handler = (writer: LoopWriter): void => {
    begin(writer, READS_SECOND.has(format));
    emit({ code: writer, instruction: OPERANDS, get: (register) => writer.localGet(register === FIRST ? LOCAL.first : LOCAL.second) });
    finish(writer);
  };
  return [[mnemonic, handler]];
}));

export const INTEGER_HANDLERS: Handlers = { ...OWN, ...FROM_TABLE };
