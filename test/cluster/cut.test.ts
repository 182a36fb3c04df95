/**
 * Checkpoints of a whole cluster under one name, taken while it runs: rollback, fork and resume give the undisturbed run's bits; replay of all nodes compares
 * both ends of every channel and names what differs.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { StillpointError } from '../../src/core/index.ts';
import { openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import { decodeCut, encodeCut, type Cut } from '../../src/txn/index.ts';
import { compileFor } from '../store/compile.ts';
import { linesOf, MixRig } from './mix-rig.ts';
import { ClusterRig, fingerprint, until, type ClusterReport } from './rig.ts';

const rig = new ClusterRig();
afterAll(() => { rig.close(); });

const network = new MixRig(rig);
afterAll(() => { network.close(); });
beforeAll(() => { rig.write('mix.yaml', network.manifest()); });
const openGates = (): void => { network.openGates(); };

const ROOTS_OF_MAKERS = (report: ClusterReport): string => fingerprint({ ...report, nodes: report.nodes.filter(({ node }) => node.startsWith('maker')) });

describe('a checkpoint of a running cluster', () => {
  it('is a place where all nodes can go back to, in place and beside, also where a node polls', async () => {
    const { child, ended } = rig.start(['up', 'mix.yaml', '--report', 'report.json'], 'mixed');
    let text = '';
    child.stdout!.on('data', (bytes: Buffer) => { text += bytes.toString(); });
    await until(() => /maker-0 \| 20$/m.test(text), 'progress');
    const taken = await rig.stillpoint(['checkpoint', 'mix', '--name', 'early', '--note', 'all is well'], 'mixed');
    expect([taken.status, taken.stdout]).toEqual([0, expect.stringMatching(/^mix@early: 4 nodes, .* instructions$/m)]);
    expect((await rig.stillpoint(['checkpoint', 'mix', '--name', 'early'], 'mixed')).stderr).toMatch(/E_USAGE: cluster mix has a checkpoint called early already/);
    openGates();
    await until(() => /maker-0 \| 100$/m.test(text), 'more progress');
    await rig.stillpoint(['checkpoint', 'mix', '--name', 'late'], 'mixed');
    openGates();
    expect((await ended).status).toBe(0);
    const first = rig.report();
    const kept = rig.read('build/kept').toString();
    expect([linesOf(kept, 'maker-0').length, linesOf(kept, 'maker-1').length]).toEqual([300, 300]);

    const forked = await rig.stillpoint(['fork', 'mix@late', '--name', 'other'], 'mixed');
    expect([forked.status, forked.stdout]).toEqual([0, expect.stringContaining('other: a fork of mix at checkpoint late, 4 nodes')]);
    expect((await rig.stillpoint(['fork', 'mix@late', '--name', 'other'], 'mixed')).stderr).toMatch(/E_RUN_EXISTS/);
    const back = await rig.stillpoint(['rollback', 'mix', '--to', 'early'], 'mixed');
    expect([back.status, back.stdout]).toEqual([0, 'mix: 4 nodes back at checkpoint early\n']);
    expect((await rig.stillpoint(['checkpoints', 'mix'], 'mixed')).stdout).toMatch(/^NAME .*\nearly .*all is well\n$/);
    expect((await rig.stillpoint(['fsck'], 'mixed')).status).toBe(0);

    for (const [name, file] of [['mix', 'build/kept'], ['other', 'build/kept.other']] as const) {
      for (const _gate of [60, 120]) openGates();
      const resumed = await rig.stillpoint(['up', 'mix.yaml', '--name', name, '--resume', '--report', 'report.json'], 'mixed');
      expect([resumed.status, resumed.stderr]).toEqual([0, expect.stringContaining('4 nodes ended')]);
      expect(ROOTS_OF_MAKERS(rig.report())).toBe(ROOTS_OF_MAKERS(first));
      const again = rig.read(file).toString();
      for (const maker of ['maker-0', 'maker-1']) expect(linesOf(again, maker)).toEqual(linesOf(kept, maker));
      const replayed = await rig.stillpoint(['replay', name], 'mixed');
      expect([replayed.status, replayed.stdout]).toEqual([0, expect.stringMatching(new RegExp(`${name}: identical. 4 nodes, \\d+ instructions; 3 channels, ${2 * again.length} bytes equal at both ends`))]);
    }
    expect((await rig.stillpoint(['rm', 'mix', 'other'], 'mixed')).status).toBe(0);
    expect((await rig.stillpoint(['ls', '-q'], 'mixed')).stdout).toBe('');
  });

  it('a cluster in one process goes back to its first instruction and gives the same bits; a changed record is named', async () => {
    rig.write('build/data', 'x'.repeat(300_000));
    rig.compile('copy');
    const first = await rig.up('pipeline.yaml', ['--processes', '1']);
    expect((await rig.stillpoint(['rollback', 'pipeline', '--to', '0', '--keep', 'before'], first.store)).status).toBe(0);
    const again = await rig.stillpoint(['up', 'pipeline.yaml', '--resume', '--report', 'report.json'], first.store);
    const linesOfAll = (text: string): readonly string[] => text.split('\n').sort();
    expect([again.status, linesOfAll(again.stdout)]).toEqual([0, linesOfAll(first.output)]); // They come again, too.
    expect(fingerprint(rig.report())).toBe(fingerprint(first));
    expect((await rig.stillpoint(['rollback', 'pipeline', '--to', 'never'], first.store)).stderr).toMatch(/E_CHECKPOINT_UNKNOWN: cluster pipeline has no checkpoint called "never"/);
    expect((await rig.stillpoint(['show', 'pipeline'], first.store)).stderr).toMatch(/E_RUN_UNKNOWN: the store holds no run named pipeline, but pipeline.first-0 and 2 others$/m);
    expect((await rig.stillpoint(['fork', 'pipeline', '--name', 'x.y'], first.store)).stderr).toMatch(/E_USAGE: option --name/);
    expect((await rig.stillpoint(['replay', 'pipeline', '--jobs', '2'], first.store)).stderr).toMatch(/E_USAGE: option --jobs/);
    // Another job under the name of the second stage: its own journal is sound, but it is not what the third stage has read of it.
    rig.write('build/data', 'y'.repeat(300_000));
    const strange = await rig.up('pipeline.yaml', ['--name', 'strange', '--processes', '1']);
    await swapRuns(rig.path(first.store), rig.path(strange.store));
    const replayed = await rig.stillpoint(['replay', 'pipeline', '--no-outputs'], first.store);
    expect([replayed.status, replayed.stderr]).toEqual([1, expect.stringMatching(/E_DIVERGED_OUTPUT: run pipeline.first-0 writes other bytes than run pipeline.second-0 has read: channel out\/second-0 to in\/first-0, byte 0/)]);
  });

  /** Exports a node from one store and puts it in the place of the same node of another. */
  async function swapRuns(to: string, from: string): Promise<void> {
    const file = rig.path('node.export');
    const [into, out] = [to.split('/').at(-1)!, from.split('/').at(-1)!];
    expect((await rig.stillpoint(['export', 'strange.second-0', file], out)).status).toBe(0);
    expect((await rig.stillpoint(['rm', 'pipeline.second-0'], into)).status).toBe(0);
    expect((await rig.stillpoint(['import', file, '--name', 'pipeline.second-0'], into)).status).toBe(0);
  }
});

describe('the record of a cut', () => {
  const cut: Cut = { cluster: 'words', name: 'noon', note: 'a note', createdMs: 1_700_000_000_000, parts: new Map([['words.map-0', { run: 'ab'.repeat(16) as never, frames: 12, link: 'cd'.repeat(32) as never, instructions: 99n }]]) };

  it('decodes to what was encoded; what is cut or flipped is refused', async () => {
    const digests = await createNodeDigests();
    const bytes = encodeCut(digests, cut);
    const golden = new URL('./golden-cut-1.hex', import.meta.url);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, `${Buffer.from(bytes).toString('hex')}\n`);
    expect(`${Buffer.from(bytes).toString('hex')}\n`).toBe(readFileSync(golden, 'utf8'));
    expect(decodeCut(digests, cut, bytes)).toEqual(cut);
    expect(() => decodeCut(digests, { cluster: 'words', name: 'other' }, bytes)).toThrow(StillpointError);
    for (let length = 0; length < bytes.length; length++) expect(() => decodeCut(digests, cut, bytes.subarray(0, length)), `cut at ${length}`).toThrow(StillpointError);
    for (let index = 0; index < bytes.length; index++) {
      const flipped = bytes.slice();
      flipped[index]! ^= 1 << index % 8;
      expect(() => decodeCut(digests, cut, flipped), `flipped at ${index}`).toThrow(StillpointError);
    }
  });

  it('reads of one turn of the event loop see one state of the store, whatever another process commits meanwhile', async () => {
    const directory = rig.path('turns');
    const reader = await openLmdbStore({ directory, mode: 'create' });
    const child = spawn(process.execPath, [await compileFor('test/cluster/turn-writer.ts', rig.path('turn-writer')), directory], { stdio: ['pipe', 'inherit', 'inherit'] });
    const read = (name: string): string => new TextDecoder().decode(reader.get('meta', new TextEncoder().encode(`turn ${name}`)) ?? new Uint8Array(0));
    const seen = new Set<string>();
    for (let turn = 0; seen.size < 30 && turn < 5000; turn++) {
      const a = read('a');
      for (const until = performance.now() + 2; performance.now() < until;);
      expect(read('b')).toBe(a);
      seen.add(a);
      await new Promise((done) => { setTimeout(done, 1); });
    }
    child.stdin.end();
    await new Promise((done) => { child.on('close', done); });
    await reader.close();
    expect(seen.size, 'the writer was at work meanwhile').toBe(30);
  });
});
