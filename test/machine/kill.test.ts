/**
 * A real process with a bank is killed at random moments, again and again, and its records are counted. STILLPOINT_SLOW=1: a thousand kills.
 * In every life: the sum is what it was, every acknowledged transfer is there, the file has each number once and in order, nothing aborted is anywhere.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { replayRun } from '../../src/index.ts';
import { guestProgram, random, scratch } from './rig.ts';

const KILLS = process.env['STILLPOINT_SLOW'] === '1' ? 1000 : 8;
const LIBRARY = resolve(import.meta.dirname, '../../dist/bin/library.js');

interface Life { readonly lines: readonly string[]; readonly stderr: string }

/** One life of the bank: killed `afterMs` after it has said `from` (it has opened, or it has acknowledged something), or asked to close (undefined). */
async function live(paths: { readonly store: string; readonly log: string }, { seed, afterMs, from }: { readonly seed: number; readonly afterMs: number | undefined; readonly from: 'start' | 'ack' }): Promise<Life> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bank-child.mjs'), LIBRARY, guestProgram('ledger'), paths.store, paths.log, String(seed)], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  let isArmed = false;
  child.stderr.on('data', (bytes: Buffer) => { stderr += bytes.toString(); });
  child.stdout.on('data', (bytes: Buffer) => {
    stdout += bytes.toString();
    if (isArmed || !stdout.includes(from)) return;
    isArmed = true;
    if (afterMs === undefined) child.stdin.end();
    else setTimeout(() => child.kill('SIGKILL'), afterMs);
  });
  await new Promise<void>((done) => { child.on('close', () => done()); });
  return { lines: stdout.split('\n').slice(0, -1), stderr };
}

/** The numbers of the records in the file, whole lines only. */
function recordsOf(log: string): readonly number[] {
  if (!existsSync(log)) return [];
  return readFileSync(log, 'latin1').split('\n').slice(0, -1).map((line) => Number(line.split(' ')[3]));
}

it(`a bank that is killed ${KILLS} times keeps its promises`, async () => {
  const directory = scratch();
  const paths = { store: join(directory.path, 'store'), log: join(directory.path, 'records.txt') };
  const draw = random(Number(process.env['STILLPOINT_SEED'] ?? 7));
  let [acknowledged, least] = [0, 0];
  for (let life = 0; life <= KILLS; life++) {
    const from = draw(4) === 0 && life < KILLS ? 'start' : 'ack';
    if (from === 'ack') least++;
    const { lines, stderr } = await live(paths, { seed: life, afterMs: life === KILLS ? undefined : draw(60), from });
    expect(stderr, `life ${life}`).toBe('');
    expect(lines.filter((line) => line.startsWith('bad')), `life ${life}`).toEqual([]);
    const [, , sum, count] = lines[0]!.split(' ');
    expect(sum, `life ${life}: the sum is invariant`).toBe('1000000');
    expect(Number(count), `life ${life}: every acknowledged commit is there`).toBeGreaterThanOrEqual(acknowledged);
    for (const line of lines) if (line.startsWith('ack')) acknowledged = Number(line.split(' ')[1]);
    const records = recordsOf(paths.log);
    expect(records.findIndex((number, index) => number !== index + 1), `life ${life}: each record once and in order`).toBe(-1);
    expect(records.length).toBeGreaterThanOrEqual(acknowledged);
  }
  expect(recordsOf(paths.log).length).toBe(acknowledged);
  expect(acknowledged).toBeGreaterThanOrEqual(least);
  const replayed = await replayRun({ name: 'bank', store: paths.store, comparesFiles: false }, {});
  expect(replayed.isIdentical).toBe(true);
  directory.remove();
}, 14_400_000); // A thousand lives on a busy machine.
