/**
 * The operations of the loop, numbered by their position: names of handlers, each once or once a length of instruction.
 * Invariants: number 0 is `undecoded`; numbers fit a byte.
 */
import { assert } from '../../../core/index.ts';
import { floatHandlers } from './float-handlers.ts';
import { fusedHandlers, fusedTails } from './fused-handlers.ts';
import type { Handlers } from './handler.ts';
import { INTEGER_HANDLERS } from './integer-handlers.ts';
import { jumpHandlers, jumpTails } from './jump-handlers.ts';
import type { LoopLayout } from './layout.ts';
import { memoryHandlers } from './memory-handlers.ts';

/** Operations that only leave the loop; the driver does them. */
const LEAVING = ['undecoded', 'illegal', 'called', 'float', 'ecall', 'ebreak'] as const;
/** Common instructions, with a handler of their own for each length: a constant step keeps a load out of the way from one record to the next. */
const COMMON: ReadonlySet<string> = new Set([
  'nop', 'constant', 'move', 'signExtendWord', 'addi', 'add', 'sub', 'addiw', 'addw', 'subw', 'andi', 'and', 'or', 'xor', 'slli', 'srli', 'srai',
  'lw', 'ld', 'sw', 'sd', 'beqz.near', 'bnez.near', 'beqz.back', 'bnez.back',
]);
/** What has two- and four-byte forms anywhere; all else that is common has one length. */
const LONG_ONLY: ReadonlySet<string> = new Set([
  'sltiu', 'sltu', 'slt', 'slliw', 'srliw', 'sraiw', 'xori', 'ori', 'lbu', 'lb', 'lhu', 'lh', 'lwu', 'sb', 'sh', 'mul', 'mulw', 'sh1add', 'sh2add', 'sh3add', 'add.uw',
  ...['beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu'].flatMap((name) => [`${name}.near`, `${name}.back`]),
]);

export interface LoopOperation {
  readonly name: string;
  /** Bytes of the instructions that it executes; undefined: any. */
  readonly length: 2 | 4 | undefined;
}

export function loopHandlers(layout: LoopLayout): Handlers {
  const leaving = Object.fromEntries(LEAVING.map((name): [string, Handlers[string]] => [name, (writer) => writer.to('leave')]));
  return { ...leaving, ...jumpHandlers(layout), ...INTEGER_HANDLERS, ...memoryHandlers(layout), ...floatHandlers(layout), ...fusedHandlers(layout) };
}

export function loopTails(layout: LoopLayout): Handlers {
  return { ...fusedTails(layout), ...jumpTails(layout) };
}

/** Names do not depend on the layout. */
const NAMES = Object.keys(loopHandlers({ registers: 0, pageFlags: 0, area: 0, areaBytes: 0 }));

export const LOOP_OPERATIONS: readonly LoopOperation[] = NAMES.flatMap((name): readonly LoopOperation[] => {
  if (COMMON.has(name)) return [{ name, length: 2 }, { name, length: 4 }];
  return [{ name, length: LONG_ONLY.has(name) ? 4 : undefined }];
});
assert(LOOP_OPERATIONS.length <= 256 && LOOP_OPERATIONS[0]!.name === 'undecoded', 'operation numbers fit a byte, and a zero record is undecoded');

const NUMBERS: ReadonlyMap<string, number> = new Map(LOOP_OPERATIONS.flatMap(({ name, length }, index): [string, number][] => (
  length === undefined ? [[`${name} 2`, index], [`${name} 4`, index]] : [[`${name} ${length}`, index]]
)));

/** Number of an operation for an instruction of `length` bytes; -1 when it has none. */
export function loopOperation(name: string, length: number): number {
  return NUMBERS.get(`${name} ${length}`) ?? -1;
}

/** Numbers of an operation for instructions of two and of four bytes. */
export type OperationPair = readonly [number, number];

export function operationPair(name: string): OperationPair {
  return [loopOperation(name, 2), loopOperation(name, 4)];
}

/** Numbers that the driver compares with. */
export const ON = {
  undecoded: loopOperation('undecoded', 4), straddle: loopOperation('straddle', 4), illegal: loopOperation('illegal', 4), called: loopOperation('called', 4),
  float: loopOperation('float', 4), ecall: loopOperation('ecall', 4), ebreak: loopOperation('ebreak', 4), enter: loopOperation('enter', 4),
  endOfPage: loopOperation('endOfPage', 4),
} as const;
