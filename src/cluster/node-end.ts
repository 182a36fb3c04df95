/**
 * How a node of a cluster ended, as its run in the store tells. A node that a cap ended has not: it can go on with a higher one.
 */
import type { Outcome } from '../journal/index.ts';
import { nodeRecord } from '../session/index.ts';
import { readCheckpoint, type StoreContext } from '../txn/index.ts';
import { runNameOf, type ClusterPlan, type PlannedNode } from './plan.ts';

export interface NodeEnd {
  readonly node: string;
  readonly outcome: Outcome;
  readonly instructions: bigint;
  readonly root: string;
  /** Length of everything it wrote to others. */
  readonly written: ReadonlyMap<string, number>;
}

/** Undefined: it has not ended. */
export function nodeEnd(context: StoreContext, plan: Pick<ClusterPlan, 'name' | 'links'>, { name }: PlannedNode): NodeEnd | undefined {
  const record = nodeRecord(context, runNameOf(plan.name, name));
  if (record === undefined || record.status !== 'ended' || record.outcome === undefined || record.outcome.kind === 'capped') return undefined;
  const written = plan.links.filter(({ from }) => from === name).map(({ fromChannel }): [string, number] => [fromChannel, record.outputs.get(fromChannel)?.intended ?? 0]);
  const { root } = readCheckpoint(context, record, record.lastCheckpoint ?? 0); // The last commit of a run holds its last state.
  return { node: name, outcome: record.outcome, instructions: record.instructions, root, written: new Map(written) };
}
