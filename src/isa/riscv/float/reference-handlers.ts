/**
 * Handlers of the reference: every instruction that computes, by exact arithmetic. The fast paths fall back to these.
 *
 * Invariant: the meaning of an instruction is what its handler here does.
 * What this does NOT do: bit moves, sign injection and classification, which have one path only (bit-handlers.ts).
 */
import { add, convertFormat, divide, fusedMultiplyAdd, multiply, squareRoot } from './arithmetic.ts';
import { isEqual, isLess, isLessOrEqual, maximum, minimum } from './compare.ts';
import { DOUBLE, negate, SINGLE, type Format } from './format.ts';
import type { FloatHandler } from './handler.ts';
import { fromInteger, INTEGER_TYPES, toInteger, type IntegerType } from './integer-conversion.ts';
import { accrue, readFloat, readInteger, writeFloat, writeInteger } from './registers.ts';
import type { FloatResult } from './round.ts';

type Binary = (format: Format, a: bigint, b: bigint, rm: number) => FloatResult;

/** Mnemonic → handler. */
export const referenceHandlers: ReadonlyMap<string, FloatHandler> = new Map([...formatHandlers(SINGLE), ...formatHandlers(DOUBLE),
  ['fcvt.s.d', converting(DOUBLE, SINGLE)], ['fcvt.d.s', converting(SINGLE, DOUBLE)]]);

/** The reference handler of a mnemonic; used by fast paths at module load. */
export function referenceHandler(mnemonic: string): FloatHandler {
  const handler = referenceHandlers.get(mnemonic);
  if (handler === undefined) throw new Error('assertion failed: no reference handler of this name');
  return handler;
}

function formatHandlers(format: Format): [string, FloatHandler][] {
  const handlers: [string, FloatHandler][] = [
    ['fadd', binary(format, add)],
    ['fsub', binary(format, (_, a, b, rm) => add(format, a, negate(format, b), rm))],
    ['fmul', binary(format, multiply)],
    ['fdiv', binary(format, divide)],
    ['fsqrt', (state, rd, rs1, _rs2, _rs3, rm) => put(state, format, rd, squareRoot(format, readFloat(state, format, rs1), rm))],
    ['fmin', binary(format, minimum)],
    ['fmax', binary(format, maximum)],
    ['fmadd', fused(format, { negatesProduct: false, negatesAddend: false })],
    ['fmsub', fused(format, { negatesProduct: false, negatesAddend: true })],
    ['fnmsub', fused(format, { negatesProduct: true, negatesAddend: false })],
    ['fnmadd', fused(format, { negatesProduct: true, negatesAddend: true })],
    ['feq', comparing(format, isEqual)],
    ['flt', comparing(format, isLess)],
    ['fle', comparing(format, isLessOrEqual)],
  ];
  const named = handlers.map(([name, handler]): [string, FloatHandler] => [`${name}.${format.name}`, handler]);
  for (const type of INTEGER_TYPES) {
    named.push([`fcvt.${type.name}.${format.name}`, toIntegerHandler(format, type)], [`fcvt.${format.name}.${type.name}`, fromIntegerHandler(format, type)]);
  }
  return named;
}

type State = Parameters<FloatHandler>[0];

function put(state: State, format: Format, rd: number, result: FloatResult): void {
  writeFloat(state, format, rd, result.bits);
  accrue(state, result.flags);
}

function binary(format: Format, operation: Binary): FloatHandler {
  return (state, rd, rs1, rs2, _rs3, rm) => {
    put(state, format, rd, operation(format, readFloat(state, format, rs1), readFloat(state, format, rs2), rm));
  };
}

function comparing(format: Format, operation: (format: Format, a: bigint, b: bigint) => FloatResult): FloatHandler {
  return (state, rd, rs1, rs2) => {
    const result = operation(format, readFloat(state, format, rs1), readFloat(state, format, rs2));
    writeInteger(state, rd, result.bits, 64);
    accrue(state, result.flags);
  };
}

function fused(format: Format, signs: { readonly negatesProduct: boolean; readonly negatesAddend: boolean }): FloatHandler {
  return (state, rd, rs1, rs2, rs3, rm) => {
    const a = readFloat(state, format, rs1);
    const c = readFloat(state, format, rs3);
    const result = fusedMultiplyAdd(format, signs.negatesProduct ? negate(format, a) : a, readFloat(state, format, rs2),
      signs.negatesAddend ? negate(format, c) : c, rm);
    put(state, format, rd, result);
  };
}

function converting(from: Format, to: Format): FloatHandler {
  return (state, rd, rs1, _rs2, _rs3, rm) => put(state, to, rd, convertFormat(from, to, readFloat(state, from, rs1), rm));
}

function toIntegerHandler(format: Format, type: IntegerType): FloatHandler {
  return (state, rd, rs1, _rs2, _rs3, rm) => {
    const result = toInteger(format, readFloat(state, format, rs1), type, rm);
    writeInteger(state, rd, result.bits, type.width);
    accrue(state, result.flags);
  };
}

function fromIntegerHandler(format: Format, type: IntegerType): FloatHandler {
  return (state, rd, rs1, _rs2, _rs3, rm) => put(state, format, rd, fromInteger(format, readInteger(state, rs1, type), rm));
}
