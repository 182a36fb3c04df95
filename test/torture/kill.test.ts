/**
 * kill -9 at random moments, over and over, with output to a file, to a redirected standard output, to a pipe, and to a random-access file:
 * the outcome always equals an undisturbed run's, and the run replays. STILLPOINT_SLOW=1 kills 200 times and more.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { execute, randomFrom, replay, ROOT, type Sink, type Victim } from './victim.ts';

const isSlow = process.env['STILLPOINT_SLOW'] === '1';
const KILLS_PER_SINK = isSlow ? 60 : 3;
const LINES = isSlow ? 60_000 : 12_000;
const seed = Number(process.env['STILLPOINT_SEED'] ?? 20_261_123);
const directory = mkdtempSync(join(tmpdir(), 'stillpoint-kill-'));
const program = join(directory, 'job.elf');
const input = join(directory, 'words');

beforeAll(() => {
  mkdirSync(directory, { recursive: true });
  execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O2', join(ROOT, 'test/torture/job.c'), '-o', program]);
  const random = randomFrom(7);
  writeFileSync(input, Array.from({ length: LINES }, () => `${Math.floor(random() * 1e9).toString(36)} ${Math.floor(random() * 1e9).toString(36)}`).join('\n') + '\n');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe(`SIGKILL at random moments (STILLPOINT_SEED=${seed})`, () => {
  it.each<[Sink, string]>([['file', '10M'], ['redirected', '60ms'], ['pipe', '15M'], ['random', '60ms']])('output to a %s, a checkpoint every %s', async (sink, every) => {
    const random = randomFrom(seed);
    const victim = (name: string): Victim => ({ directory: join(directory, `${sink}-${name}`), program, input, sink, every });
    const undisturbed = await execute(victim('undisturbed'), { killsMax: 0, random, delayMaxMs: 0 });
    expect(undisturbed.output).toContain(`end ${LINES} `);
    let kills = 0;
    for (let round = 0; kills < KILLS_PER_SINK; round++) {
      const disturbed = await execute(victim(`killed-${round}`), { killsMax: KILLS_PER_SINK - kills, random, delayMaxMs: isSlow ? 2500 : 1500 });
      kills += Math.max(1, disturbed.kills);
      expect({ ...disturbed, kills: 0 }).toEqual({ ...undisturbed, kills: 0 });
      expect(replay(victim(`killed-${round}`))).toContain('identical');
    }
  }, 900_000);
});
