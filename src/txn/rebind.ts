/**
 * New host bindings of runs at rest: a store that came to another host, whose files lie elsewhere there.
 * Invariant: all of the runs have them in one commit, or none. What this does NOT do: know what bindings say (session/rebind.ts).
 */
import { StillpointError } from '../core/index.ts';
import type { StoreExpectation, StorePut } from '../store/index.ts';
import { owned, readOwnerRecord, type IsAlive, type StoreContext } from './ownership.ts';
import { encodeRunRecord, nameKey } from './run-record.ts';
import { readRun } from './runs.ts';

/** `bindings`: by name of the run. Throws E_RUN_UNKNOWN, E_RUN_OWNED. */
export async function rebindRuns(context: StoreContext, bindings: ReadonlyMap<string, string>, isAlive: IsAlive): Promise<void> {
  const { store, digests } = context;
  const expect: StoreExpectation[] = [];
  const puts: StorePut[] = [];
  for (const [name, text] of bindings) {
    const place = { table: 'runs', key: nameKey(name) } as const;
    const before = store.get(place.table, place.key);
    const record = readRun(context, name);
    const owner = readOwnerRecord(context, record.id)?.owner;
    if (owner !== undefined && isAlive(owner)) throw owned(name, owner);
    expect.push({ ...place, value: before });
    puts.push({ ...place, value: encodeRunRecord(digests, { ...record, bindings: text }) });
  }
  if (await store.commit({ expect, puts }) === 'conflict') throw new StillpointError('E_RUN_OWNED', `another process uses one of the runs ${[...bindings.keys()].join(', ')}; wait for it or stop it`);
}
