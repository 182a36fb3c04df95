/** fsck and stats as a user sees them, on a store with damage in our records and in the database's own pages. */
import { closeSync, cpSync, openSync, readSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Table } from '../../src/store/index.ts';
import { openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import { generator } from '../txn/support.ts';
import { Bench, complaint } from './command.ts';

const bench = new Bench();
const SEED = Number(process.env['STILLPOINT_SEED'] ?? 3);
const CASES = process.env['STILLPOINT_SLOW'] === '1' ? 300 : 5;

beforeAll(() => {
  const program = bench.compile('fill.elf', '#include <stdio.h>\n#include <stdlib.h>\nint main(void){static char b[1<<20];unsigned long s=7;int c;while((c=getchar())!=EOF){for(int i=0;i<2000;i++){s=s*6364136223846793005ul+c;b[s>>44]=(char)(s>>33);}if(c==10)printf("%lu\\n",s);}return 0;}');
  writeFileSync(bench.path('input'), 'some words in lines\n'.repeat(60));
  const seen = bench.stillpoint(['run', '--name', 'fill', '--checkpoint-every', '3M', '--in', `x=${bench.path('input')}`, program], 'some words in lines\n'.repeat(60));
  expect([seen.status, seen.stderr]).toEqual([0, '']);
});
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

function copy(name: string): string {
  cpSync(bench.store, bench.path(name), { recursive: true });
  return bench.path(name);
}

async function flip(directory: string, table: Table, index: number): Promise<void> {
  const store = await openLmdbStore({ directory, mode: 'existing' });
  const entry = [...store.range(table, { from: Uint8Array.of(0), to: new Uint8Array(60).fill(255) })].at(index)!;
  entry.value[entry.value.length >> 1]! ^= 4;
  await store.commit({ puts: [{ table, ...entry }] });
  await store.close();
}

describe('fsck', () => {
  it('a sound store is sound, and stats adds up', () => {
    const seen = bench.stillpoint(['fsck']);
    expect([seen.status, seen.stderr]).toEqual([0, '']);
    expect(seen.stdout).toMatch(/^1 run, [0-9]+ checkpoints?, [0-9]+ frames, .*B checked: sound\n$/);
    expect(JSON.parse(bench.stillpoint(['fsck', '--json']).stdout)).toMatchObject({ isSound: true, findings: [], runs: 1 });
    const stats = JSON.parse(bench.stillpoint(['stats', '--json']).stdout) as { pages: { stored: number; needed: number; unshared: number }; runs: { ownPageBytes: number; pageBytes: number }[] };
    expect(stats.pages.stored).toBe(stats.pages.needed);
    expect(stats.runs[0]!.ownPageBytes).toBe(stats.pages.needed * 4096);
    bench.stillpoint(['fork', 'fill', '--name', 'twin']);
    const after = JSON.parse(bench.stillpoint(['stats', '--json']).stdout) as typeof stats;
    expect([after.pages.needed, after.pages.unshared, after.runs[0]!.ownPageBytes]).toEqual([stats.pages.needed, 2 * stats.pages.needed, 0]);
    expect(bench.stillpoint(['stats']).stdout).toContain('TABLE');
    bench.stillpoint(['rm', 'twin']);
  });

  it.each<[Table, number, RegExp]>([['packs', -1, /E_PAGE_DAMAGED/], ['frames', 1, /E_JOURNAL/], ['checkpoints', -1, /E_SNAPSHOT_FORMAT/]])('a flipped bit in %s is named, and after a repair the run goes on to the same end', async (table, index, code) => {
    const directory = copy(`flipped-${table}`);
    await flip(directory, table, index);
    const found = bench.stillpoint(['fsck', '--store', directory]);
    expect([found.status, found.stderr]).toEqual([1, '']);
    expect(found.stdout).toMatch(code);
    const repaired = bench.stillpoint(['fsck', '--repair', '--store', directory]);
    expect([repaired.status, repaired.stderr]).toEqual([0, '']);
    expect(repaired.stdout).toMatch(/repaired: .*(lost|dropped)[\s\S]*sound now\n$/);
    expect(bench.stillpoint(['fsck', '--store', directory]).status).toBe(0);
    const { state } = JSON.parse(bench.stillpoint(['show', 'fill', '--json', '--store', directory]).stdout) as { state: string };
    if (state === 'stopped') expect(bench.stillpoint(['resume', 'fill', '--store', directory], 'some words in lines\n'.repeat(60)).status).toBe(0);
    expect(bench.stillpoint(['replay', 'fill', '--no-outputs', '--store', directory]).stdout).toContain('identical');
  });

  it('a lost program is taken from its file; where that is gone, the loss is said once and for all, and the run keeps its checkpoints', async () => {
    const away = copy('program-away');
    await flip(away, 'blobs', -1);
    renameSync(bench.path('fill.elf'), bench.path('away.elf'));
    const repaired = bench.stillpoint(['fsck', '--repair', '--store', away]);
    renameSync(bench.path('away.elf'), bench.path('fill.elf'));
    expect([repaired.status, repaired.stderr]).toEqual([0, '']);
    expect(repaired.stdout).toMatch(/repaired: lost: run fill can be resumed, but not replayed from its beginning[\s\S]*sound now\n$/);
    const again = bench.stillpoint(['fsck', '--store', away]);
    expect([again.status, again.stderr]).toEqual([0, '']);
    expect(again.stdout).toMatch(/^known: run fill can be resumed, but not replayed from its beginning, as a repair has said: [\s\S]*: sound\n$/);
    expect(complaint(bench.stillpoint(['replay', 'fill', '--store', away]))).toBe('E_BLOB_MISSING');
    const back = copy('program-back');
    await flip(back, 'blobs', -1);
    expect(bench.stillpoint(['fsck', '--repair', '--store', back]).stdout).toMatch(/repaired: restored from .*fill\.elf: [\s\S]*sound now\n$/);
    expect(bench.stillpoint(['replay', 'fill', '--no-progress', '--store', back]).status).toBe(0);
  });

  it('a lost run record is made again from the journal, under its name', async () => {
    const directory = copy('record');
    await flip(directory, 'runs', 0);
    const repaired = bench.stillpoint(['fsck', '--repair', '--store', directory]);
    expect([repaired.status, repaired.stderr]).toEqual([0, '']);
    expect(repaired.stdout).toMatch(/repaired: run fill .* was found by its journal[\s\S]*sound now\n$/);
    expect(bench.stillpoint(['fsck', '--store', directory]).status).toBe(0);
    expect(bench.stillpoint(['replay', 'fill', '--no-progress', '--store', directory]).status).toBe(0);
    expect(JSON.parse(bench.stillpoint(['show', 'fill', '--json', '--store', directory]).stdout)).toMatchObject({ root: (JSON.parse(bench.stillpoint(['show', 'fill', '--json']).stdout) as { root: string }).root });
  });

  it('what another store or an exported run holds is put back, and nothing is lost', async () => {
    const whole = bench.stillpoint(['show', 'fill', '--json']).stdout;
    bench.stillpoint(['export', 'fill', 'fill.stillpoint']);
    for (const from of [bench.store, 'fill.stillpoint']) {
      const directory = copy(`healed-${from.length}`);
      await flip(directory, 'packs', -1);
      await flip(directory, 'frames', 1);
      const repaired = bench.stillpoint(['fsck', '--repair', '--from', from, '--store', directory]);
      expect([repaired.status, repaired.stderr]).toEqual([0, '']);
      expect(repaired.stdout).toMatch(/repaired: restored from the other copy[\s\S]*sound now\n$/);
      expect(repaired.stdout).not.toMatch(/lost|dropped/);
      expect(bench.stillpoint(['show', 'fill', '--json', '--store', directory]).stdout).toBe(whole);
    }
    expect(complaint(bench.stillpoint(['fsck', '--from', 'fill.stillpoint']))).toBe('E_USAGE');
    expect(complaint(bench.stillpoint(['fsck', '--repair', '--from', bench.store]))).toBe('E_USAGE');
    expect(complaint(bench.stillpoint(['fsck', '--repair', '--from', 'nowhere']))).toBe('E_HOST_FILE');
  });

  it('damage in the database\'s own pages is one line, whatever it does to the process', () => {
    const random = generator(SEED);
    for (let index = 0; index < CASES; index++) {
      const directory = copy(`pages-${index}`);
      const file = openSync(join(directory, 'data.mdb'), 'r+');
      const pages = statSync(join(directory, 'data.mdb')).size / 4096;
      const page = 2 + Math.floor(random() * (pages - 2));
      const bytes = new Uint8Array(64);
      const at = page * 4096 + Math.floor(random() * 60);
      readSync(file, bytes, 0, 64, at);
      for (let flips = 0; flips < 8; flips++) bytes[Math.floor(random() * 64)]! ^= 1 << Math.floor(random() * 8);
      writeSync(file, bytes, 0, 64, at);
      closeSync(file);
      const seen = bench.stillpoint(['fsck', '--store', directory]);
      expect([0, 1, 125], `STILLPOINT_SEED=${SEED} case ${index}: ${seen.stderr}`).toContain(seen.status);
      if (seen.status === 125) expect(complaint(seen)).toMatch(/^E_/);
      else expect(seen.stderr).toBe('');
      rmSync(directory, { recursive: true });
    }
  });
});
