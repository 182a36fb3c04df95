/**
 * Captures beside the guest, with the built worker on a real store: the same roots as in place, whatever the guest does meanwhile; what a collector took
 * is stored again; trouble comes as its code; a process that dies in between leaves the checkpoint before.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { StillpointError } from '../../src/core/index.ts';
import { encodeManifest } from '../../src/manifest/index.ts';
import { BesideStore } from '../../src/session/beside-store.ts';
import { HistoryKeeper } from '../../src/session/keep-history.ts';
import { PacksAhead } from '../../src/session/packs-ahead.ts';
import { openSnapshot, SnapshotWriter, type PageObject } from '../../src/snapshot/index.ts';
import { MemoryStore } from '../../src/store/index.ts';
import { openLmdbStore, type LmdbStore } from '../../src/store/live/lmdb-store.ts';
import { createRun, listCheckpoints, liveLeases, readRun, StaleSnapshot, type RunWriter, type StoreContext } from '../../src/txn/index.ts';
import { at, digests } from '../journal/support.ts';
import { declare } from '../manifest/helpers.ts';
import { plain, TestMachine } from '../snapshot/machines.ts';
import { allAlive, generator, newRun, owner } from '../txn/support.ts';

const WORKER = pathToFileURL(resolve(import.meta.dirname, '../../dist/src/session/capture-worker.js'));
const base = mkdtempSync(join(tmpdir(), 'stillpoint-beside-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;

interface Scene { readonly inner: LmdbStore; readonly beside: BesideStore; readonly context: StoreContext; readonly writer: RunWriter }

async function scene(work: (scene: Scene) => Promise<void>, file = WORKER): Promise<void> {
  expect(existsSync(WORKER), 'npm run build comes first').toBe(true);
  const inner = await openLmdbStore({ directory: join(base, `store-${count++}`), mode: 'create' });
  const beside = new BesideStore(inner, file);
  try {
    const context = { store: beside, digests };
    const writer = await createRun(context, newRun('one', { manifest: encodeManifest(declare({}).manifest) }));
    beside.prepare({ run: writer.record.id, owner: owner('me') }, { snapshots: new SnapshotWriter(beside, digests), root: undefined });
    await work({ inner, beside, context, writer });
  } finally {
    await beside.close();
    await inner.close();
  }
}

function change(machine: TestMachine, random: () => number, changes: number): void {
  for (let index = 0; index < changes; index++) {
    const bytes = new Uint8Array(4096);
    for (let word = 0; word < 4096; word += 8) bytes[word] = Math.floor(random() * 256);
    machine.object(random() < 0.7 ? 'memory/1' : 'file/3').write(Math.floor(random() * 3000), random() < 0.1 ? new Uint8Array(4096) : bytes);
  }
  machine.sections.set('kernel', new Uint8Array(40).fill(Math.floor(random() * 256)));
}

const checkpointOf = (root: ReturnType<SnapshotWriter['capture']>['root']): { root: typeof root; channels: Map<string, { inputPosition: number; outputPosition: number }>; digests: Uint8Array; createdMs: number } => ({ root, channels: new Map(), digests: new Uint8Array(0), createdMs: 0 });

describe('captures beside the guest', () => {
  it('have the roots of captures in place, small and large, while the guest writes on', async () => scene(async ({ beside, context, writer }) => {
    const random = generator(1);
    const machine = new TestMachine();
    const reference = new SnapshotWriter(new MemoryStore(), digests);
    for (const [step, changes] of [20, 3, 2500, 0, 1, 1800, 7].entries()) {
      change(machine, random, changes);
      const still = machine.copy();
      for (const object of still.objects) for (const [index, bytes] of object.content) object.content.set(index, bytes.slice());
      const pending = await beside.begin(machine);
      for (const object of machine.objects) object.scribble(); // The guest runs on.
      const sealed = await pending.sealed();
      const expected = reference.capture(still);
      expected.abandon();
      expect(sealed.root).toBe(expected.root);
      await writer.commit({ instructions: at(BigInt(step)), snapshot: sealed.snapshot, checkpoint: checkpointOf(sealed.root) });
      sealed.confirm();
      expect(plain(openSnapshot(context.store, sealed.root, digests))).toEqual(plain(still));
      expect(liveLeases(context, allAlive).size).toBe(0);
      for (const object of machine.objects) object.scribble();
    }
  }), 60_000);

  it('store again what a collector took in between', async () => scene(async ({ inner, beside, context, writer }) => {
    const machine = new TestMachine();
    change(machine, generator(2), 30);
    // Somebody stored the same pages before; then they go.
    const before = new SnapshotWriter(inner, digests).capture(machine.copy());
    await inner.commit(before.batch);
    const sealed = await (await beside.begin(machine)).sealed();
    await inner.commit({ deletes: before.batch.puts.map(({ table, key }) => ({ table, key })) });
    const commit = (root: typeof sealed.root, snapshot: typeof sealed.snapshot): Promise<unknown> => writer.commit({ instructions: at(1n), snapshot, checkpoint: checkpointOf(root) });
    await expect(commit(sealed.root, sealed.snapshot)).rejects.toBeInstanceOf(StaleSnapshot);
    const again = await sealed.again();
    expect(again.root).toBe(sealed.root);
    await commit(again.root, again.snapshot);
    again.confirm();
    expect(plain(openSnapshot(context.store, again.root, digests))).toEqual(plain(machine));
  }), 60_000);

  it('more than a batch of packs is stored ahead under a lease, which goes with the commit; again, too', async () => scene(async ({ inner, beside, context, writer }) => {
    const pages = 6000;
    const content = randomBytes(pages * 4096);
    let isDirty = true;
    const memory: PageObject = {
      name: 'memory/1', dirtyPages: () => (isDirty ? Array.from({ length: pages }, (_, index) => index) : []),
      readPage: (index) => content.subarray(index * 4096, (index + 1) * 4096), markClean: () => void (isDirty = false),
    };
    const sealed = await (await beside.begin({ sections: new Map(), objects: [memory] })).sealed();
    expect([liveLeases(context, allAlive).size, isDirty]).toEqual([1, false]);
    expect(inner.usage().tables.packs.entries).toBeGreaterThan(0);
    expect(inner.usage().tables.pages.entries).toBe(0);
    // A collector that found an equal pack dead before this one was stored takes it.
    const [pack] = [...inner.range('packs', { from: Uint8Array.of(0), to: new Uint8Array(40).fill(255), limit: 1 })];
    await inner.commit({ deletes: [{ table: 'packs', key: pack!.key }] });
    await expect(writer.commit({ instructions: at(1n), snapshot: sealed.snapshot, checkpoint: checkpointOf(sealed.root) })).rejects.toBeInstanceOf(StaleSnapshot);
    const again = await sealed.again();
    expect(again.root).toBe(sealed.root);
    await writer.commit({ instructions: at(1n), snapshot: again.snapshot, checkpoint: checkpointOf(again.root) });
    again.confirm();
    expect(liveLeases(context, allAlive).size).toBe(0);
    const restored = openSnapshot(context.store, again.root, digests).objects[0]!;
    let count = 0;
    for (const { index, bytes } of restored.pages()) {
      count++;
      if (!content.subarray(index * 4096, (index + 1) * 4096).equals(bytes)) throw new Error(`page ${index}`);
    }
    expect(count).toBe(pages);
    expect(inner.usage().tables.packs.entries).toBe(Math.ceil(pages / 31)); // With the nodes beside them.
  }), 60_000);

  it('a rule drops checkpoints and a thread frees their space, beside captures; ended in the middle it leaves no collector behind', async () => scene(async ({ inner, beside, context, writer }) => {
    const collector = pathToFileURL(resolve(import.meta.dirname, '../../dist/src/session/collect-worker.js'));
    expect(existsSync(collector), 'npm run build comes first').toBe(true);
    const keeper = new HistoryKeeper(context, { last: 2 }, collector);
    const random = generator(4);
    const machine = new TestMachine();
    let step = 0;
    const checkpoint = async (): Promise<void> => {
      change(machine, random, 100);
      let sealed = await (await beside.begin(machine)).sealed();
      const commit = (): Promise<boolean> => writer.commit({ instructions: at(BigInt(step)), snapshot: sealed.snapshot, checkpoint: checkpointOf(sealed.root) }).then(() => true, (error) => {
        if (error instanceof StaleSnapshot) return false;
        throw error;
      });
      for (step++; !await commit();) sealed = await sealed.again();
      sealed.confirm();
      await keeper.checkpointed(writer.record);
    };
    for (let tries = 0; keeper.facts.collections === 0; tries++) {
      expect([tries < 2000, keeper.facts.trouble]).toEqual([true, undefined]);
      await checkpoint();
      if (tries > 20) await setTimeout(20); // A collector that found no turn between checkpoints without a pause.
    }
    expect(keeper.facts).toEqual({ droppedCheckpoints: step - 2, collections: 1 });
    const left = listCheckpoints(context, readRun(context, 'one'));
    expect(left.map(({ number }) => number)).toEqual([step - 1, step]);
    expect(plain(openSnapshot(context.store, left[1]!.root, digests))).toEqual(plain(machine));
    await keeper.end();
    const next = new HistoryKeeper(context, { last: 0 }, collector);
    for (let more = 0; more < 9; more++) await checkpoint();
    await next.checkpointed(writer.record);
    await next.end();
    expect([inner.has('meta', new TextEncoder().encode('collector')), next.facts.trouble]).toEqual([false, undefined]);
  }), 120_000);

  it('a batch ahead that fails is kept as the failure of the capture, and nothing follows it', () => {
    const batches: number[] = [];
    const full = new StillpointError('E_DISK_FULL', 'the disk is full');
    const ahead = new PacksAhead({ commitNow: ({ puts }) => {
      batches.push(puts!.length);
      if (batches.length === 2) throw full;
      return 'done';
    } });
    const pack = { table: 'packs', key: Uint8Array.of(1), value: Uint8Array.of(1) } as const;
    for (let capture = 0; capture < 2; capture++) {
      ahead.begin({ table: 'meta', key: Uint8Array.of(2), value: Uint8Array.of() });
      for (let index = 0; index < 1200; index++) ahead.put({ ...pack, value: ahead.room(61_440) });
      expect(ahead.failure).toBe(capture === 0 ? full : undefined);
    }
    expect(batches).toEqual([274, 273, 274, 273, 273, 273]);
  });

  it('a thread that dies is an error of whoever waits, not a hang', async () => scene(async ({ beside, writer }) => {
    const machine = new TestMachine();
    change(machine, generator(3), 500);
    const pending = await beside.begin(machine);
    const sealed = pending.sealed();
    await beside.close();
    await expect(sealed).rejects.toMatchObject({ code: 'E_INTERNAL' });
    await writer.commit({ instructions: at(1n) }); // The store below goes on.
  }), 60_000);

  it.each(['at once', 'when it is asked'])('a thread that has died %s is an error of whoever asks later, too', async (when) => {
    const file = join(base, `dies-${count++}.mjs`);
    writeFileSync(file, when === 'at once' ? 'process.exit(3);' : "import { parentPort } from 'node:worker_threads'; parentPort.once('message', () => process.exit(3));");
    await scene(async ({ beside, writer }) => {
      const machine = new TestMachine();
      change(machine, generator(4), 500);
      const died = { code: 'E_INTERNAL', message: 'the thread that stores checkpoints ended with 3' };
      await expect((await beside.begin(machine)).sealed()).rejects.toMatchObject(died);
      change(machine, generator(5), 5);
      await expect((await beside.begin(machine)).sealed()).rejects.toMatchObject(died);
      await expect(writer.commit({ instructions: at(1n) })).rejects.toMatchObject(died);
    }, pathToFileURL(file));
  }, 10_000);
});
