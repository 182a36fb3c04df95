/**
 * What people write for a point in a run's history: RUN, RUN@NUMBER, RUN@NAME. @0 is before the first instruction.
 * What this does NOT do: read state.
 */
import { StillpointError } from '../core/index.ts';
import { listMarks, readCheckpoint, type RunRecord, type StoreContext } from '../txn/index.ts';

export interface RunReference { readonly name: string; readonly checkpoint: string | undefined }

/** Splits at the last `@`. Run names hold none. */
export function parseReference(text: string): RunReference {
  const at = text.lastIndexOf('@');
  if (at < 0) return { name: text, checkpoint: undefined };
  if (at === 0 || at === text.length - 1) throw new StillpointError('E_USAGE', `${JSON.stringify(text.slice(0, 160))} is not RUN or RUN@CHECKPOINT`);
  return { name: text.slice(0, at), checkpoint: text.slice(at + 1) };
}

/** The number of a checkpoint that exists (or 0); undefined text: the last one, 0 when there is none. Throws E_CHECKPOINT_UNKNOWN. */
export function resolveCheckpoint(context: StoreContext, record: RunRecord, text: string | undefined): number {
  if (text === undefined) return record.lastCheckpoint ?? 0;
  if (/^[0-9]{1,10}$/.test(text)) {
    const number = Number(text);
    return number === 0 ? 0 : readCheckpoint(context, record, number).number;
  }
  for (const [number, mark] of listMarks(context, record.id)) if (mark.name === text) return readCheckpoint(context, record, number).number;
  throw new StillpointError('E_CHECKPOINT_UNKNOWN', `run ${record.name} has no checkpoint called ${JSON.stringify(text.slice(0, 80))}; stillpoint checkpoints ${record.name} lists them`, { data: { run: record.name } });
}
