/** Joint transactions over three LMDB stores in a real process that is killed at random moments: all cells agree, and no acknowledged round is lost. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generator } from './support.ts';

const KILLS = process.env['STILLPOINT_SLOW'] === '1' ? 200 : 6;
const SEED = Number(process.env['STILLPOINT_SEED'] ?? 1);
let home = '';
beforeAll(() => { home = mkdtempSync(join(tmpdir(), 'stillpoint-joint-')); });
afterAll(() => { rmSync(home, { recursive: true, force: true }); });

/** Runs until it ends, or until `killAfter` rounds were told and `delayMs` more passed. */
function run(rounds: number, kill?: { readonly afterRounds: number; readonly delayMs: number }): Promise<string[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'joint-child.mjs'), home, String(rounds)]);
  let text = '';
  let isDoomed = false;
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (kill === undefined || isDoomed || text.split('committed').length <= kill.afterRounds) return;
    isDoomed = true;
    setTimeout(() => child.kill('SIGKILL'), kill.delayMs); // The moment of the kill is the subject; nothing waits for it.
  });
  child.stderr.on('data', (chunk: Buffer) => { text += chunk.toString(); });
  return new Promise((resolve) => child.on('close', () => resolve(text.split('\n').slice(0, -1)))); // A line cut by the kill was not told.
}

describe('joint transactions in a real process', () => {
  it(`killed ${KILLS} times (seed ${SEED})`, async () => {
    const random = generator(SEED);
    let acknowledged = 0;
    const check = (lines: readonly string[]): void => {
      const starts = lines.flatMap((line, index) => line.startsWith('doubt') ? [lines.slice(index, index + 2)] : []).filter((pair) => pair.length === 2);
      for (const [doubt, cells] of starts) {
        expect(doubt).toBe('doubt 0');
        expect(new Set(cells!.split(' ').slice(1)).size, cells).toBe(1);
      }
      const first = Number(starts[0]?.[1]?.split(' ')[1] ?? 0);
      expect(first, lines.join('\n')).toBeGreaterThanOrEqual(acknowledged);
      expect(first).toBeLessThanOrEqual(acknowledged + 1); // At most the round that nobody was told about.
      acknowledged = Math.max(first, ...lines.filter((line) => line.startsWith('committed')).map((line) => Number(line.split(' ')[1])));
    };
    for (let kill = 0; kill < KILLS; kill++) check(await run(1_000_000, { afterRounds: 1 + Math.floor(random() * 20), delayMs: random() * 8 }));
    check(await run(3));
    expect(acknowledged).toBeGreaterThan(KILLS);
  }, 14_400_000);
});
