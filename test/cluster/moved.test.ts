/** A cluster whose directory moved: `up --resume --bind` takes the new places of its files, all or none. */
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { complaint } from '../cli/command.ts';
import { ClusterRig, type Ended } from './rig.ts';

const rig = new ClusterRig();
afterAll(() => { rig.close(); });

const LINES = Array.from({ length: 400 }, (_, index) => `line ${index}\n`).join('');
const manifest = (cap: string): string => `version: 1\nname: c\ngroups:\n  j: { program: build/work.elf, count: 2, ${cap}files: { w: { in: build/words }, o: { out: "build/o-{index}" } } }\n`;

it('goes on in its new directory, and only with what is there', async () => {
  rig.compile('work', '#include <stdio.h>\nint main(void) { FILE *in = fopen("/dev/in/w", "r"), *out = fopen("/dev/out/o", "w"); char line[99]; volatile int n = 0; while (fgets(line, 99, in)) { for (int i = 0; i < 20000; i++) n += i; fputs(line, out); fflush(out); } return 0; }\n');
  rig.write('build/words', LINES);
  rig.write('c.yaml', manifest('maxInstructions: 10M, '));
  const resume = (...options: readonly string[]): Promise<Ended> => rig.stillpoint(['up', 'c.yaml', '--resume', ...options.flatMap((option) => ['--bind', option])]);
  expect((await rig.stillpoint(['up', 'c.yaml'])).stderr).toContain('a cap was reached');
  const old = rig.path('build');
  renameSync(old, rig.path('moved'));
  writeFileSync(rig.path('c.yaml'), manifest('').replaceAll('build/', 'moved/'));
  for (const [wish, code] of [['j-0:z=moved/words', 'E_USAGE'], ['/nowhere=moved', 'E_USAGE'], [`${old}=gone`, 'E_CHANNEL_OPEN']] as const) {
    expect([wish, complaint(await resume('j-1:w=moved/words', wish))]).toEqual([wish, code]);
  }
  expect((await resume()).stderr).toContain(`E_CHANNEL_OPEN: channel w (${old}/words)`); // Nothing was kept of those.
  writeFileSync(rig.path('moved/w2'), LINES);
  const { status, stderr } = await resume(`${old}/=moved`, 'j-1:w=moved/w2');
  expect([status, stderr]).toEqual([0, expect.stringContaining('2 nodes ended')]);
  for (const name of ['moved/o-0', 'moved/o-1']) expect(rig.read(name).toString()).toBe(LINES);
  expect(existsSync(join(old, 'o-0'))).toBe(false);
  expect((await rig.stillpoint(['replay', 'c'])).status).toBe(0);
}, 60_000);
