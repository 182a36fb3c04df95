/**
 * With which dirty registers a block can be left early: they are stored on the way out, each set after what it adds to the one before.
 * What this does NOT do: emit the stores (emit-unit.ts).
 */
import { copyRegisters, stepRegisters, type BlockCode, type Registers } from './dataflow.ts';

export interface ExitSet { readonly dirty: number; readonly dirtyFloats: number }
export interface ExitPlan { readonly sets: readonly ExitSet[]; readonly labelDepths: readonly number[] }

/** The sets of dirty registers with which a block can be left early, growing. */
export function exitSets(before: Readonly<Registers>, code: BlockCode, isChecked: boolean): ExitSet[] {
  const sets: ExitSet[] = [];
  const state = copyRegisters(before);
  const add = (): void => {
    const last = sets.at(-1);
    if (last === undefined || last.dirty !== state.dirty || last.dirtyFloats !== state.dirtyFloats) sets.push({ dirty: state.dirty, dirtyFloats: state.dirtyFloats });
  };
  if (isChecked) add();
  code.instructions.forEach(({ canLeave }, at) => {
    if (canLeave && code.free?.[at] !== 1) add();
    stepRegisters(state, code, at);
  });
  return sets;
}
