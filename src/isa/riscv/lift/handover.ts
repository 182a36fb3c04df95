/**
 * What units hand to each other beside fuel, depth and pc: the stack pointer and a0, in the host's registers and not through the register block. While a unit is on the WebAssembly
 * stack the block's own words for them mean nothing; whoever lets anybody look at the block stores them first.
 *
 *   call     both are arguments. What comes back in order (an even next) has the stack pointer that was passed; a0 is a result
 *   astray   a return with another stack pointer, or to another place than the caller's: both are in the block, next is odd, and OUTCOME.moved says that nobody
 *            has to look first: a caller who finds its own place and stack pointer goes on, the driver goes on at next
 *
 * Where the stack pointer stands relative to the entry is mostly known (findDisplacements), so that a return compares nothing.
 * What this does NOT do: emit calls and returns (emit-control.ts).
 */
import { CodeWriter, OP, TYPE, type Signature } from '../../../wasm/index.ts';
import { CPU_STATE_OFFSET } from '../../cpu.ts';
import { STACK_POINTER } from './facts.ts';
import { solveForward } from './forward.ts';
import type { Graph } from './graph.ts';
import type { Instruction } from './instruction.ts';
import { LEFT, LOCAL, OUTCOME, type UnitLayout } from './layout.ts';

/** The first argument and result of a function. */
export const ARGUMENT = 10;
/** The registers that are handed over, as a bit set. */
export const PASSED = (1 << STACK_POINTER) | (1 << ARGUMENT);
/** `next` stands in the upper half of what a unit gives back. */
export const NEXT_SHIFT = 32;

/** A displacement of which nothing is known, and that of a node that was not reached yet. */
export const UNKNOWN = 0x7fffffff;
const ANY = 0x7ffffffe;
/** Beyond it sums might leave 32 bits. */
const DISPLACEMENT_MAX = 1 << 28;

function displace(before: number, { writes, rs1, imm, row: { mnemonic } }: Instruction): number {
  if ((writes & (1 << STACK_POINTER)) === 0 || before === UNKNOWN || before === ANY) return before;
  const after = before + imm;
  return mnemonic === 'addi' && rs1 === STACK_POINTER && Math.abs(after) < DISPLACEMENT_MAX ? after : UNKNOWN;
}

/** For each node: how far the stack pointer at its end is from the one that was passed, or UNKNOWN. */
export function findDisplacements(graph: Graph): Int32Array {
  const within = (before: number, index: number): number => (graph.nodes[index]!.block?.instructions ?? []).reduce(displace, before);
  const before = solveForward(graph, {
    any: ANY, meet: (a, b) => (a === b || b === ANY ? a : a === ANY ? b : UNKNOWN),
    after: (known, { block }, index) => (block?.kind === 'step' ? UNKNOWN : within(known, index)),
  });
  return before.map(within);
}

/** Stores the local `value` as a register of the block. */
function storeRegister(code: CodeWriter, { registers }: Pick<UnitLayout, 'registers'>, register: number, value: number): void {
  code.i32Const(0); code.localGet(value); code.access(OP.i64Store, 3, registers + CPU_STATE_OFFSET.x + 8 * register);
}

export function pushRegister(code: CodeWriter, { registers }: Pick<UnitLayout, 'registers'>, register: number): void {
  code.i32Const(0); code.access(OP.i64Load, 3, registers + CPU_STATE_OFFSET.x + 8 * register);
}

/** Stores what was handed over, from the locals given. */
export function storePassed(code: CodeWriter, layout: Pick<UnitLayout, 'registers'>, { stack, argument }: { readonly stack: number; readonly argument: number }): void {
  storeRegister(code, layout, STACK_POINTER, stack);
  storeRegister(code, layout, ARGUMENT, argument);
}

/** Stores what `push` pushes as OUTCOME.moved. */
function setMoved(code: CodeWriter, { outcome }: Pick<UnitLayout, 'outcome'>, push: () => void): void {
  code.i32Const(0); push(); code.access(OP.i32Store, 2, outcome + OUTCOME.moved);
}

export const LATE_TYPE: Signature = { parameters: [TYPE.i64, TYPE.i64, TYPE.i64, TYPE.i32], results: [TYPE.i64] };

/**
 * Body of `late` (what a call gave back, its a0, the caller's stack pointer, where it should come back) -> what the caller gives back in turn; 0: it goes on,
 * with a0 from the block. For what came back elsewhere, or without fuel.
 */
export function lateBody(layout: UnitLayout): CodeWriter {
  const code = new CodeWriter();
  const [came, argument, stack, back, next] = [0, 1, 2, 3, 4];
  code.localGet(came); code.i64ConstSmall(NEXT_SHIFT); code.op(OP.i64ShrU); code.op(OP.i32WrapI64); code.localTee(next);
  code.i32Const(1); code.op(OP.i32And); code.op(OP.i32Eqz);
  code.open(OP.if, TYPE.empty);
  storePassed(code, layout, { stack, argument });
  setMoved(code, layout, () => { code.localGet(next); code.localGet(back); code.op(OP.i32Ne); }); // Without fuel somebody has to look.
  code.localGet(came); code.i64Const(1n << BigInt(NEXT_SHIFT)); code.op(OP.i64Or); code.op(OP.return);
  code.end();
  code.open(OP.block, TYPE.empty);
  code.i32Const(0); code.access(OP.i32Load, 2, layout.outcome + OUTCOME.moved); code.op(OP.i32Eqz); code.brIf(0);
  code.localGet(next); code.localGet(back); code.i32Const(1); code.op(OP.i32Or); code.op(OP.i32Ne); code.brIf(0);
  setMoved(code, layout, () => code.i32Const(0));
  code.localGet(came); code.op(OP.i32WrapI64); code.i32Const(0); code.op(OP.i32LtS); code.brIf(0);
  pushRegister(code, layout, STACK_POINTER); code.localGet(stack); code.op(OP.i64Ne); code.brIf(0);
  code.i64ConstSmall(0); code.op(OP.return);
  code.end();
  code.localGet(came);
  return code;
}
export const LATE_LOCALS = [[1, TYPE.i32]] as const;

export const ASTRAY_TYPE: Signature = { parameters: [TYPE.i64, TYPE.i32, TYPE.i64, TYPE.i64], results: [TYPE.i64] };

/** Body of `astray` (next, fuel, stack pointer, a0) -> what to give back: a return with another stack pointer than the one that was passed. */
export function astrayBody(layout: UnitLayout): CodeWriter {
  const code = new CodeWriter();
  const [next, fuel, stack, argument] = [0, 1, 2, 3];
  storePassed(code, layout, { stack, argument });
  setMoved(code, layout, () => code.i32Const(1));
  code.localGet(next); code.i64ConstSmall(1); code.op(OP.i64Or);
  packResult(code, fuel);
  return code;
}

/** Pops next, pushes it with the fuel of a local: what a unit gives back. */
export function packResult(code: CodeWriter, fuel: number): void {
  code.i64ConstSmall(NEXT_SHIFT); code.op(OP.i64Shl); code.localGet(fuel); code.op(OP.i64ExtendI32u); code.op(OP.i64Or);
}

/** What a unit gives back that goes on at a constant, with all registers in the block. */
export function pushResult(code: CodeWriter, next: number): void {
  code.i64Const(BigInt(next >>> 0)); packResult(code, LOCAL.fuel); code.i64ConstSmall(0);
}

/** Returns from a unit to the driver, which looks first and goes on at `address`, or at the one that the unit was called at. All registers are in the block. */
export function refuse(code: CodeWriter, address?: number): void {
  if (address !== undefined) pushResult(code, address | 1);
  else {
    code.localGet(LOCAL.pc); code.op(OP.i64ExtendI32u); code.i64ConstSmall(1); code.op(OP.i64Or); packResult(code, LOCAL.fuel);
    code.i64ConstSmall(0);
  }
  code.op(OP.return);
}

/** Where execution stands when a unit leaves, as one outcome word: at `address`, of whose block `left` instructions are given back. */
export function exitWord(address: number, left: number, reason: number): bigint {
  return BigInt(address) | (BigInt(left) << 32n) | (BigInt(reason) << 48n);
}

/** Stores the outcome words: the fuel, and the exit word that `push` pushes. */
export function storeOutcome(code: CodeWriter, { outcome }: Pick<UnitLayout, 'outcome'>, push: () => void): void {
  code.i32Const(0); code.localGet(LOCAL.fuel); code.access(OP.i32Store, 2, outcome + OUTCOME.fuel);
  code.i32Const(0); push(); code.access(OP.i64Store, 3, outcome + OUTCOME.pc);
}

/** Everybody returns: the outcome words say where execution stands. */
export function leave(code: CodeWriter): void {
  pushResult(code, LEFT);
  code.op(OP.return);
}

/** Numbers of the locals of a caller that is no unit. */
export interface OutsideLocals { readonly stack: number; readonly argument: number; readonly fuel: number; readonly next: number }

/** Pops what came back, for a caller that looks at the block: it is complete then. `next` is even where nobody has to look first. */
export function takeResult(code: CodeWriter, layout: Pick<UnitLayout, 'registers' | 'outcome'>, { stack, argument, fuel, next }: OutsideLocals): void {
  code.localSet(argument); code.localTee(next); code.op(OP.i32WrapI64); code.localSet(fuel);
  code.localGet(next); code.i64ConstSmall(NEXT_SHIFT); code.op(OP.i64ShrU); code.localTee(next); code.op(OP.i32WrapI64); code.i32Const(1); code.op(OP.i32And);
  code.open(OP.if, TYPE.empty);
  code.localGet(next); code.i32Const(0); code.access(OP.i32Load, 2, layout.outcome + OUTCOME.moved); code.op(OP.i64ExtendI32u); code.op(OP.i64Sub); code.localSet(next);
  setMoved(code, layout, () => code.i32Const(0));
  code.byte(OP.else);
  storePassed(code, layout, { stack, argument });
  code.end();
}
