/** A rule for checkpoints that holds while a run goes on, as a user sees it: what stays, what is freed, killed in between. */
import { existsSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { complaint, Bench } from './command.ts';

const bench = new Bench();
const SOURCE = `#include <stdio.h>
#include <stdlib.h>
int main(void) {
  static unsigned char memory[4 << 20];
  unsigned seed = 1;
  for (int step = 0; step < 30; step++) {
    for (int index = 0; index < 60000; index++) { seed = seed * 1664525u + 1013904223u; memory[(seed >> 4) % sizeof memory] += seed >> 24; }
    printf("%d %u\\n", step, seed);
    fflush(stdout);
  }
  return 0;
}`;
const KEPT = ['--checkpoint-every', '1M', '--keep-checkpoints', 'last=3', '--no-progress'];
let program = '';
let output = '';

beforeAll(() => {
  program = bench.compile('dirty.elf', SOURCE);
  const seen = bench.stillpoint(['run', '--name', 'all', '--checkpoint-every', '1M', '--no-progress', program]);
  expect([seen.status, seen.stderr]).toEqual([0, '']);
  output = seen.stdout;
});
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

const json = (...words: string[]): unknown => JSON.parse(bench.stillpoint([...words, '--json']).stdout);
const numbers = (run: string, store: string): number[] => (json('checkpoints', run, '--store', store) as { number: number }[]).map(({ number }) => number);

describe('--keep-checkpoints', () => {
  it('keeps what the rule says', () => {
    const store = bench.path('kept');
    const seen = bench.stillpoint(['run', '--store', store, '--name', 'few', ...KEPT, '--json', program]);
    expect([seen.status, seen.stdout]).toEqual([0, output]);
    const report = JSON.parse(seen.stderr) as { checkpoints: number; history: { droppedCheckpoints: number; trouble?: unknown } };
    const every = numbers('all', bench.store);
    expect(report.checkpoints).toBe(every.length);
    expect(report.history.trouble).toBeUndefined();
    expect(report.history.droppedCheckpoints).toBe(every.length - 3);
    expect(numbers('few', store)).toEqual(every.slice(-3));
    expect(bench.stillpoint(['fsck', '--store', store]).status).toBe(0);
    expect(bench.stillpoint(['replay', 'few', '--store', store]).status).toBe(0);
  });

  it('is kept over kills and resumes, until another rule is given', async () => {
    const store = bench.path('killed');
    const run = bench.start(['run', '--store', store, '--name', 'few', ...KEPT, program]);
    await bench.until(() => (bench.stillpoint(['checkpoints', 'few', '--json', '--store', store]).stdout.match(/"number"/g)?.length ?? 0) >= 2);
    bench.stillpoint(['checkpoint', 'few', '--name', 'early', '--store', store]);
    for (const wait of [300, 900]) {
      const session = wait === 300 ? run : bench.start(['resume', 'few', '--store', store, '--no-progress']);
      await new Promise((done) => { setTimeout(done, wait); });
      session.kill('SIGKILL');
      await session.ended;
    }
    expect(bench.stillpoint(['fsck', '--store', store]).status).toBe(0);
    const seen = bench.stillpoint(['resume', 'few', '--store', store, '--no-progress', '--json']);
    if (seen.status === 0) expect((JSON.parse(seen.stderr) as { history: unknown }).history).toBeDefined(); // Else it had ended.
    const every = numbers('all', bench.store);
    const kept = numbers('few', store);
    expect(kept.slice(-3)).toEqual(every.slice(-3));
    expect(kept.length).toBeLessThanOrEqual(4);
    expect(bench.stillpoint(['gc', '--store', store]).status).toBe(0);
    expect(bench.stillpoint(['fsck', '--store', store]).status).toBe(0);
    expect(bench.stillpoint(['rollback', 'few', '--to', String(kept[0]), '--store', store]).status).toBe(0);
    const whole = bench.stillpoint(['resume', 'few', '--store', store, '--no-progress', '--keep-checkpoints', 'all', '--json']);
    expect([whole.status, (JSON.parse(whole.stderr) as { history?: unknown }).history]).toEqual([0, undefined]);
    expect(bench.stillpoint(['show', 'all']).stdout.split('\n').find((line) => line.includes('root'))).toBe(bench.stillpoint(['show', 'few', '--store', store]).stdout.split('\n').find((line) => line.includes('root')));
  });

  it('refuses a rule that is none before anything happens', () => {
    const store = bench.path('none');
    const seen = bench.stillpoint(['run', '--store', store, '--keep-checkpoints', 'weekly=3', program]);
    expect([seen.status, complaint(seen), existsSync(store)]).toEqual([125, 'E_USAGE', false]);
  });
});
