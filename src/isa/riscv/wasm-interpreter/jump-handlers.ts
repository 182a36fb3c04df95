/**
 * Handlers of branches and jumps. A branch has three forms: `near` forward and `back` within its page of records, `far` to another page. Backward
 * branches, calls and indirect jumps count their target, as the TypeScript interpreter does, so that a driver above learns what is hot.
 * Tails are pieces that several handlers end in; labels of their own names lead to them.
 */
import { OP, TYPE, type Opcode } from '../../../wasm/index.ts';
import { PAGE_FLAG, BIAS } from '../../cpu.ts';
import { CONDITIONS } from '../lift-table.ts';
import type { Handlers } from './handler.ts';
import { countTarget } from './hot-counters.ts';
import { RECORD_SCALE, type LoopLayout } from './layout.ts';
import { FIELD, LOCAL, type LoopWriter } from './loop-writer.ts';

const SCALE_SHIFT = Math.log2(RECORD_SCALE);

function moveRecord(writer: LoopWriter): void {
  writer.localGet(LOCAL.record); writer.field(FIELD.rs2); writer.op(OP.i32Add); writer.localSet(LOCAL.record);
}

/** Pushes the distance of the record in bytes of code. */
function pushDistance(writer: LoopWriter): void {
  writer.field(FIELD.rs2); writer.i32Const(SCALE_SHIFT); writer.op(OP.i32ShrS);
}

function setWideFar(writer: LoopWriter): void {
  writer.pc(); writer.op(OP.i64ExtendI32u); pushDistance(writer); writer.operations(OP.i64ExtendI32s, OP.i64Add); writer.localSet(LOCAL.wide);
}

/** rd := address of the next instruction. */
function link(writer: LoopWriter): void {
  writer.field(FIELD.rd);
  writer.pc();
  writer.localGet(LOCAL.record); writer.access(OP.i32Load8u, 0, 1); writer.i32Const(SCALE_SHIFT); writer.operations(OP.i32ShrU, OP.i32Add, OP.i64ExtendI32u);
  writer.access(OP.i64Store, 3, 0);
}

function pushCondition(writer: LoopWriter, mnemonic: string): void {
  writer.register(FIELD.rd);
  if (mnemonic === 'beqz' || mnemonic === 'bnez') return writer.operations(OP.i64Eqz, ...(mnemonic === 'bnez' ? [OP.i32Eqz] : []));
  writer.register(FIELD.rs1);
  writer.op(CONDITIONS[mnemonic] as Opcode); // A row of the table.
}

const branch = (mnemonic: string, form: 'near' | 'back' | 'far') => (writer: LoopWriter): void => {
  pushCondition(writer, mnemonic);
  if (form === 'near') {
    writer.open(OP.if, TYPE.empty);
    moveRecord(writer);
    writer.to('top');
    writer.end();
  } else writer.toIf(form);
  writer.next();
};

/** jalr: the target from rs1, which may be rd. */
const indirect = (isCall: boolean) => (writer: LoopWriter): void => {
  writer.register(FIELD.rs1); writer.localGet(LOCAL.record); writer.access(OP.i64Load32s, 2, FIELD.rs2); writer.op(OP.i64Add);
  writer.i64ConstSmall(-2); writer.op(OP.i64And); writer.localSet(LOCAL.wide);
  if (isCall) link(writer);
  writer.to('wide');
};

/** Executes the record that field rs1 names in place of this one, which does not count. */
function executeSide(writer: LoopWriter): void {
  writer.pc(); writer.localSet(LOCAL.word);
  writer.field(FIELD.rs1); writer.localSet(LOCAL.record);
  writer.localGet(LOCAL.word); writer.localGet(LOCAL.record); writer.i32Const(SCALE_SHIFT); writer.operations(OP.i32ShrU, OP.i32Sub); writer.localSet(LOCAL.bias);
  uncount(writer);
  writer.to('top');
}

function uncount(writer: LoopWriter): void {
  writer.localGet(LOCAL.left); writer.i32Const(1); writer.op(OP.i32Add); writer.localSet(LOCAL.left);
}

/** A straddling instruction: its side slot is right while the second page may be executed and the word is the one that was decoded. */
const straddle = (layout: LoopLayout) => (writer: LoopWriter): void => {
  writer.pc(); writer.localTee(LOCAL.word);
  writer.i32Const(12); writer.op(OP.i32ShrU); writer.access(OP.i32Load8u, 0, layout.pageFlags + 1);
  writer.i32Const(PAGE_FLAG.execute); writer.operations(OP.i32And, OP.i32Eqz);
  writer.toIf('leave');
  writer.localGet(LOCAL.word); writer.i32Const(BIAS); writer.op(OP.i32Sub); writer.access(OP.i32Load, 1, 0);
  writer.field(FIELD.rs2); writer.op(OP.i32Ne);
  writer.toIf('leave');
  executeSide(writer);
};

export function jumpHandlers(layout: LoopLayout): Handlers {
  const handlers: Record<string, (writer: LoopWriter) => void> = {
    straddle: straddle(layout),
    endOfPage: (writer) => {
      uncount(writer);
      writer.pc(); writer.op(OP.i64ExtendI32u); writer.localSet(LOCAL.wide);
      writer.to('far-page');
    },
    enter: (writer) => {
      writer.localGet(LOCAL.isPlain); writer.op(OP.i32Eqz);
      writer.toIf('leave');
      executeSide(writer);
    },
    'jal.near': (writer) => { link(writer); writer.to('back'); },
    'jal.far': (writer) => {
      link(writer);
      setWideFar(writer);
      writer.to('wide');
    },
    'jump.near': (writer) => { moveRecord(writer); writer.to('top'); },
    'jump.back': (writer) => writer.to('back'),
    'jump.far': (writer) => writer.to('far'),
    jalr: indirect(true),
    jumpRegister: indirect(false),
  };
  for (const mnemonic of [...Object.keys(CONDITIONS), 'beqz', 'bnez']) {
    for (const form of ['near', 'back', 'far'] as const) handlers[`${mnemonic}.${form}`] = branch(mnemonic, form);
  }
  return handlers;
}

export function jumpTails(layout: LoopLayout): Handlers {
  return {
    back: (writer) => {
      moveRecord(writer);
      writer.pc(); writer.localSet(LOCAL.word);
      countTarget(writer, layout, () => { writer.localGet(LOCAL.word); writer.op(OP.i64ExtendI32u); writer.localSet(LOCAL.wide); });
      writer.to('top');
    },
    far: (writer) => {
      setWideFar(writer);
      writer.field(FIELD.rs2); writer.i32Const(0); writer.op(OP.i32GeS);
      writer.toIf('far-page');
      writer.to('wide');
    },
    wide: (writer) => {
      writer.localGet(LOCAL.wide); writer.op(OP.i32WrapI64); writer.localSet(LOCAL.word);
      countTarget(writer, layout, () => undefined);
      writer.to('far-page');
    },
  };
}
