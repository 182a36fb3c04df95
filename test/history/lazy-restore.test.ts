// A machine that begins before its pages are there: reads little, goes on exactly as the one that was filled at once, and names a page that is damaged when it
// needs it.
import { expect, it } from 'vitest';
import type { ChannelSet } from '../../src/channel/index.ts';
import { seedFromNumber } from '../../src/core/index.ts';
import { interpretingInWasm, translating } from '../../src/engine/index.ts';
import { enableWasmFeatures } from '../../src/engine/live/v8-flags.ts';
import { riscv64, type Isa } from '../../src/isa/index.ts';
import { Guest } from '../../src/posix/index.ts';
import { openSnapshot, SnapshotWriter, type Root } from '../../src/snapshot/index.ts';
import { MemoryStore, type Store, type Table } from '../../src/store/index.ts';
import { bootGuest, digests, Feeder, loadProgram, standardChannels } from '../posix/process/run-guest.ts';


enableWasmFeatures();
const MODES: readonly (readonly [string, Isa])[] = [['interpret', riscv64], ['wasm', interpretingInWasm(riscv64, { warmUp: 0 })], ['translate', translating(riscv64, { hotLimit: 3 })]];
const FILLED_PAGES = 1024;

interface Life { readonly guest: Guest; readonly channels: ChannelSet; readonly snapshots: SnapshotWriter; readonly reads: Map<Table, number> }

/** The machine at its first read: its root, in a store. */
async function prepared(): Promise<{ readonly store: MemoryStore; readonly root: Root; readonly digestsOfChannels: Uint8Array }> {
  const store = new MemoryStore();
  const channels = standardChannels();
  const guest = bootGuest(loadProgram('spread'), {}, channels);
  let text = '';
  while (text !== 'ready\n') {
    const stop = guest.run(100_000_000);
    expect(['budget', 'blocked']).toContain(stop.kind);
    for (const operation of channels.takeOutput()) if (operation.kind === 'write') text += Buffer.from(operation.bytes).toString();
  }
  const capture = new SnapshotWriter(store, digests).capture(guest.state());
  await store.commit({ puts: capture.batch.puts });
  return { store, root: capture.root, digestsOfChannels: channels.saveDigests() };
}

const start = await prepared();

function restored(isa: Isa, isLazy: boolean, store: Pick<Store, 'get' | 'range'> = start.store): Life {
  const reads = new Map<Table, number>();
  const counting: Pick<Store, 'get' | 'range'> = {
    range: (...asked) => store.range(...asked),
    get: (table, key) => {
      reads.set(table, (reads.get(table) ?? 0) + 1);
      return store.get(table, key);
    },
  };
  const channels = standardChannels();
  const guest = Guest.restore(openSnapshot(counting, start.root, digests), { isa, channels, clock: { kind: 'zero' }, entropy: { kind: 'seed', seed: seedFromNumber(1n) }, isLazy });
  channels.restoreDigests(start.digestsOfChannels);
  const snapshots = new SnapshotWriter(start.store, digests);
  snapshots.adopt(start.root);
  return { guest, channels, snapshots, reads };
}

/** Lets it do what `letters` say; its output and the root at each read. */
function live({ guest, channels, snapshots }: Life, letters: string): readonly string[] {
  const feeder = new Feeder(letters);
  const seen: string[] = [];
  for (;;) {
    const stop = guest.run(50_000_000);
    for (const operation of channels.takeOutput()) if (operation.kind === 'write') seen.push(Buffer.from(operation.bytes).toString());
    if (stop.kind === 'ended') return seen;
    if (stop.kind !== 'blocked') continue;
    const capture = snapshots.capture(guest.state());
    capture.abandon();
    seen.push(`${guest.retired} ${capture.root}`);
    feeder.feed(guest, stop);
  }
}

it.each(['rwumpfa', 'k', 'ufka'])('does the same as a machine that was filled at once: %s', (letters) => {
  const expected = live(restored(riscv64, false), letters);
  for (const [mode, isa] of MODES) expect(live(restored(isa, true), letters), mode).toEqual(expected);
});

it('reads what it uses, and the next capture looks at what changed', () => {
  const life = restored(riscv64, true);
  expect(life.reads.get('pages') ?? 0).toBeLessThan(50); // Sections.
  life.guest.run(100);
  live(life, 'rw');
  expect(life.reads.get('pages')).toBeLessThan(150);
  const again = restored(riscv64, true);
  again.guest.run(100);
  expect(again.snapshots.capture(again.guest.state()).stats.dirtyPages).toBeLessThan(50);
  const all = restored(riscv64, false);
  expect(all.reads.get('pages')).toBeGreaterThan(FILLED_PAGES);
});

it.each(MODES)('a damaged page is named when it is needed, and only then: %s', (_, isa) => {
  const page = openSnapshot(start.store, start.root, digests).objects.find(({ name }) => name.startsWith('memory/'))!;
  const wanted = [...page.pages()].find(({ bytes }) => bytes[0] === 1 + ((234 * 7) % 251) && bytes[512] === 1 + ((234 * 7 + 512) % 251))!;
  const name = Buffer.from(digests.sha256(wanted.bytes), 'hex');
  const damage = (value: Uint8Array): Uint8Array => {
    const at = Buffer.from(value.buffer, value.byteOffset, value.length).indexOf(name);
    if (at >= 0) value[at]! ^= 1;
    return value;
  };
  const damaged: Pick<Store, 'get' | 'range'> = {
    get: (...asked) => start.store.get(...asked),
    range: (table, bounds) => (table === 'packs' ? [...start.store.range(table, bounds)].map((row) => ({ ...row, value: damage(row.value) })) : start.store.range(table, bounds)),
  };
  expect(live(restored(isa, true, damaged), 'wf').join('')).toContain('file ');
  expect(() => live(restored(isa, true, damaged), 'r')).toThrowError(expect.objectContaining({ code: 'E_PAGE_DAMAGED', data: expect.objectContaining({ object: page.name }) }));
  expect(() => restored(isa, false, damaged)).toThrowError(expect.objectContaining({ code: 'E_PAGE_DAMAGED' }));
});
