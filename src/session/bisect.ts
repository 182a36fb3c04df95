/**
 * `bisect`: where two runs of one job part: the last state that both have, then the first instruction after which their states differ.
 *
 *   last common checkpoint ── execute both again to the middle ── same root? ── … ── first count with different roots
 *
 * Invariants: both are executed from their journals alone, nothing is written; between two checkpoints
 * that part states that differ are taken to differ from then on.
 * What this does NOT do: say what differs (diff does, on checkpoints) or which run is right.
 */
import { instructionCount, StillpointError } from '../core/index.ts';
import { InputIndex } from '../journal/index.ts';
import { decodeManifest } from '../manifest/index.ts';
import { listCheckpoints, openJournal, readRun, recover, type RunRecord, type StoreContext } from '../txn/index.ts';
import { ENGINE_DEFAULT, withStore } from './context.ts';
import { InputFeed } from './input-feed.ts';
import { rebuild, recordedFacts } from './rebuild.ts';
import { Verifier } from './verifier.ts';

export interface BisectResult {
  readonly first: string;
  readonly second: string;
  /** The last checkpoint whose state both runs have; its number in each, 0 when there is none. */
  readonly common: { readonly instructions: bigint; readonly first: number; readonly second: number };
  /** The least instruction count at which their states differ; undefined: they are the same as far as both go. */
  readonly differsAt: bigint | undefined;
  /** How far both were compared. */
  readonly comparedTo: bigint;
}

export async function bisectRuns(first: string, second: string, store: string | undefined, onProgress?: (left: bigint) => void): Promise<BisectResult> {
  return withStore(store, 'read-only', async (context) => {
    const runs = [readRun(context, first), readRun(context, second)] as const;
    if (runs[0].genesis !== runs[1].genesis) throw new StillpointError('E_USAGE', `${first} and ${second} are not runs of one job: program, arguments, files or limits differ; stillpoint show tells`, { data: { run: first } });
    const { common, differing } = commonPart(context, runs);
    const comparedTo = differing ?? (runs[0].tail.at < runs[1].tail.at ? runs[0].tail.at : runs[1].tail.at);
    const isSame = async (at: bigint): Promise<boolean> => await rootAt(context, runs[0], { from: common.first, at }) === await rootAt(context, runs[1], { from: common.second, at });
    let differsAt: bigint | undefined;
    if (differing !== undefined || !await isSame(comparedTo)) {
      // The state at `low` is the same unless the runs part right there.
      let low: bigint = common.instructions;
      let high: bigint = comparedTo;
      if (!await isSame(low)) high = low;
      while (high - low > 1n) {
        onProgress?.(high - low);
        const middle = (low + high) / 2n;
        if (await isSame(middle)) low = middle;
        else high = middle;
      }
      differsAt = high;
    }
    return { first, second, common, differsAt, comparedTo };
  });
}

interface Bounds { readonly common: BisectResult['common']; readonly differing: bigint | undefined }

/** Checkpoints of both at one count, in order: the last that is the same before the first that is not. What ends alike may have differed on the way. */
function commonPart(context: StoreContext, [first, second]: readonly [RunRecord, RunRecord]): Bounds {
  const theirs = new Map(listCheckpoints(context, second).map((checkpoint) => [checkpoint.at, checkpoint]));
  let common: BisectResult['common'] = { instructions: 0n, first: 0, second: 0 };
  for (const { at, root, number } of listCheckpoints(context, first)) {
    const other = theirs.get(at);
    if (other === undefined) continue;
    if (other.root !== root) return { common, differing: at };
    common = { instructions: at, first: number, second: other.number };
  }
  return { common, differing: undefined };
}

/** The root that a run has at an instruction count, made from its journal. */
async function rootAt(context: StoreContext, record: RunRecord, { from, at }: { readonly from: number; readonly at: bigint }): Promise<string> {
  const recovery = recover(context, record, { checkpoint: from === 0 ? 'genesis' : from });
  const manifest = decodeManifest(openJournal(context, record).genesis().manifest);
  const { guest, channels, snapshots } = rebuild(context, { recovery, manifest, engine: ENGINE_DEFAULT });
  const inputs = new InputIndex(recovery.journal, (name) => channels.get(name)?.spec.access !== 'sequential');
  const feed = new InputFeed({ past: { inputs, facts: recordedFacts(recovery), isStrict: true } });
  const verifier = new Verifier({ guest, channels, feed, snapshots });
  return verifier.rootAt(recovery.refeed(), instructionCount(at));
}
