/** The torn-write shim is a store like the others, and loses exactly what was not synced. */
import { describe, expect, it } from 'vitest';
import { conformance, key } from './conformance.ts';
import { LogStore, TEARS } from './log-store.ts';

conformance('log', async () => ({ store: await LogStore.open(Buffer.alloc(0)), dispose: () => Promise.resolve() }));

describe('a log store', () => {
  const put = (name: string) => ({ puts: [{ table: 'runs' as const, key: key(name), value: Uint8Array.of(1) }] });

  it.each(TEARS)('keeps what was synced when the rest is %s', async (tear) => {
    const store = await LogStore.open(Buffer.alloc(0), { beforeSync: () => (store.has('runs', key('loose')) ? new Promise(() => undefined) : Promise.resolve()) });
    await store.commit(put('synced'));
    void store.commit(put('loose'));
    await Promise.resolve();
    const again = await LogStore.open(store.crash(tear));
    expect([again.has('runs', key('synced')), again.has('runs', key('loose'))]).toEqual([true, tear === 'whole']);
    await again.commit(put('next'));
    expect((await LogStore.open(again.crash('lost'))).usage().tables.runs.entries).toBe(tear === 'whole' ? 3 : 2);
  });
});
