/**
 * Processes of an earlier start of a cluster whose coordinator is gone: they are on their way to a point to stop at, and a resume waits for them. What this does NOT do: end them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, monotonicMs, nodeRecord } from '../../session/index.ts';
import { owned, readOwnerRecord, type StoreContext } from '../../txn/index.ts';

/** As long as a coordinator gives its processes to stop, and a store that is slow to write. */
export const ORPHANS_MS = 15_000;
const LOOK_MS = 50;

/** Waits until nobody executes these runs. Throws E_RUN_OWNED: somebody else goes on with them. */
export async function waitForOrphans(context: StoreContext, names: readonly string[], patienceMs: number): Promise<void> {
  const until = monotonicMs() + patienceMs;
  for (const name of names) {
    for (;;) {
      const record = nodeRecord(context, name);
      const owner = record === undefined ? undefined : readOwnerRecord(context, record.id)?.owner;
      if (owner === undefined || !isAlive(owner)) break;
      if (monotonicMs() >= until) throw owned(name, owner);
      await sleep(LOOK_MS);
    }
  }
}
