/** The memory twin: the common suite, and its ways to play a bad disk. */
import { expect, it } from 'vitest';
import { MemoryStore } from '../../src/store/index.ts';
import { conformance, key } from './conformance.ts';

conformance('MemoryStore', async () => {
  const store = new MemoryStore();
  return { store, dispose: () => store.close() };
});

const batch = (name: string) => ({ puts: [{ table: 'runs' as const, key: key(name), value: Uint8Array.of(1) }] });

it('a commit told to fail applies nothing, and the next one works', async () => {
  const store = new MemoryStore();
  store.failNextCommit('E_DISK_FULL');
  await expect(store.commit(batch('a'))).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  expect(store.has('runs', key('a'))).toBe(false);
  expect(await store.commit(batch('a'))).toBe('done');
});

it('a crash loses commits that were not flushed, and keeps those the disk had', async () => {
  const store = new MemoryStore({ flush: 'by-hand' });
  let acknowledged = 0;
  for (const name of ['a', 'b', 'c']) void store.commit(batch(name)).then(() => { acknowledged++; });
  expect(store.has('runs', key('c'))).toBe(true);
  store.flush(1);
  await Promise.resolve().then(() => undefined).then(() => undefined);
  expect(acknowledged).toBe(1);
  const after = store.crash(1);
  expect(['a', 'b', 'c'].map((name) => after.has('runs', key(name)))).toEqual([true, true, false]);
});
