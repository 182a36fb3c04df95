/**
 * How translated code may treat a float instruction. free: computed in place in any mode. limited: in place where the limits allow (emit-float.ts).
 * called: always by the interpreter's function. What this does NOT do: emit.
 */
import type { Format, InstructionRow } from '../instruction-table.ts';

const ROUNDED: ReadonlySet<Format> = new Set(['FloatRRounded', 'FloatUnaryRounded', 'FloatFusedRounded', 'FloatToIntRounded', 'IntToFloatRounded']);
/** Rounded in name only: every operand has an exact result. */
const EXACT: ReadonlySet<string> = new Set(['fcvt.d.w', 'fcvt.d.wu', 'fcvt.d.s']);
const NEAREST = 0;
export const TOWARDS_ZERO = 1;
export const DYNAMIC = 7;

export function floatWay({ format, mnemonic }: InstructionRow, rm: number): 'free' | 'limited' | 'called' {
  if (!ROUNDED.has(format)) return 'free';
  if (rm === DYNAMIC || rm === NEAREST) return rm === NEAREST && EXACT.has(mnemonic) ? 'free' : 'limited';
  if (EXACT.has(mnemonic)) return 'free';
  return format === 'FloatToIntRounded' && rm === TOWARDS_ZERO ? 'limited' : 'called';
}
