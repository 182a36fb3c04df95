/**
 * Processes, LMDB and SIGKILL for real: a run that is killed again and again ends with the output that its journal explains, and what anybody
 * could read from the file in between was always a prefix of it (or of what was made again, equal). Owners are real processes.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import { openJournal, readOwnerRecord, readRun } from '../../src/txn/index.ts';
import { digests } from '../journal/support.ts';
import { compileFor } from '../store/compile.ts';
import { generator } from './support.ts';

const KILLS = process.env['STILLPOINT_SLOW'] === '1' ? 300 : 5;
const FRAMES_LAST = 2_000;
const SEED = Number(process.env['STILLPOINT_SEED'] ?? 1);

let home = '';
let script = '';
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'stillpoint-txn-'));
  script = await compileFor('test/txn/child.ts', join(home, 'compiled'));
});
/** Every process started here; a failed case leaves none behind. */
const children: Child[] = [];
afterAll(async () => {
  for (const { process: child } of children) child.kill('SIGKILL');
  await Promise.all(children.map(({ closed }) => closed));
  rmSync(home, { recursive: true, force: true });
});

// A process that stopped between its commit and its write could still write to the file: sinks are not fenced, only the store is (docs/formats/run.md).
interface Child { readonly process: ChildProcessWithoutNullStreams; readonly closed: Promise<void>; lines(): string[]; story(): string; until(line: RegExp): Promise<void> }

function start(name: string, { frames = 1_000_000, env = {} }: { readonly frames?: number; readonly env?: Record<string, string> } = {}): Child {
  const child = spawn(process.execPath, [script, join(home, `${name}.store`), join(home, `${name}.out`), String(frames)], { env: { ...process.env, ...env } });
  let text = '';
  let error = '';
  let changed = (): void => undefined;
  child.stdout.on('data', (chunk: Buffer) => { text += chunk.toString(); changed(); });
  child.stderr.on('data', (chunk: Buffer) => { error += chunk.toString(); });
  const closed = new Promise<void>((resolve) => child.on('close', () => { resolve(); changed(); }));
  const lines = (): string[] => text.split('\n').filter((line) => line !== '');
  const story = (): string => JSON.stringify({ pid: child.pid, exit: child.exitCode ?? child.signalCode, text, error });
  const until = async (line: RegExp): Promise<void> => {
    while (!line.test(text)) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the child ended before ${String(line)}: ${story()}`);
      await new Promise<void>((resolve) => { changed = resolve; });
    }
  };
  const started: Child = { process: child, closed, lines, story, until };
  children.push(started);
  return started;
}

const fileOf = (name: string): Buffer => readFileSync(join(home, `${name}.out`));

/** What the inputs in the journal produce, computed here. */
async function expectedOutput(name: string): Promise<string> {
  const store = await openLmdbStore({ directory: join(home, `${name}.store`), mode: 'existing' });
  const context = { store, digests };
  const record = readRun(context, 'torture');
  expect([record.status, readOwnerRecord(context, record.id)?.owner]).toEqual(['ended', undefined]);
  const journal = openJournal(context, record);
  let state = Buffer.alloc(32);
  let text = '';
  for (const { frame } of journal.frames()) {
    if (frame.kind !== 'input') continue;
    state = createHash('sha256').update(state).update(journal.inputBytes(frame)).digest();
    text += `${state.toString('hex')}\n`;
  }
  await store.close();
  return text;
}

describe('processes', () => {
  it(`a run killed ${KILLS} times at random moments ends with the output its journal explains (seed ${SEED})`, async () => {
    const random = generator(SEED);
    const seen: Buffer[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const child = start('killed');
      await child.until(random() < 0.7 ? /recovered/ : /epoch/);
      await new Promise((resolve) => setTimeout(resolve, random() * 60)); // The moment of the kill is the subject; nothing waits for it.
      child.process.kill('SIGKILL');
      await child.closed;
      seen.push(fileOf('killed'));
    }
    const last = start('killed', { frames: FRAMES_LAST });
    await last.closed;
    expect(last.lines()).toEqual([`epoch ${KILLS + 1}`, 'recovered', 'done']);
    const whole = fileOf('killed');
    expect(whole.toString()).toBe(await expectedOutput('killed'));
    for (const part of seen) expect(part.equals(whole.subarray(0, part.length))).toBe(true);
    expect(seen.at(-1)!.length).toBeGreaterThan(0);
  });

  it('a second process gets E_RUN_OWNED at once while the owner lives, and the run when it was killed', async () => {
    const first = start('owned');
    await first.until(/recovered/);
    const second = start('owned');
    await second.closed;
    expect(second.lines()).toEqual(['E_RUN_OWNED']);
    first.process.kill('SIGKILL');
    await first.closed;
    const third = start('owned', { frames: 10 });
    await third.closed;
    expect(third.lines()).toEqual(['epoch 2', 'recovered', 'done']);
  });

  it('of several processes that take a dead run at once, one wins', async () => {
    const first = start('raced');
    await first.until(/recovered/);
    first.process.kill('SIGKILL');
    await first.closed;
    const racers = [start('raced'), start('raced'), start('raced')];
    const isDecided = (child: Child): Promise<void> => child.until(/recovered|E_RUN_OWNED\n/);
    await Promise.all(racers.map((child) => isDecided(child)));
    const winners = racers.filter((child) => child.lines().includes('recovered'));
    expect(winners, racers.map((child) => child.story()).join('\n')).toHaveLength(1);
    winners[0]!.process.kill('SIGKILL');
    await Promise.all(racers.map(({ closed }) => closed));
  });

  // It sleeps between commits. Stopped inside one (SIGSTOP) it would keep LMDB's write lock, and every writer of the store would wait for it.
  it('a sleeping owner that others took for dead is fenced when it wakes, and nothing of it is applied', async () => {
    const sleeper = start('fenced', { env: { TEST_SLEEP: '1' } });
    await sleeper.until(/recovered/);
    const next = start('fenced', { frames: 10, env: { TEST_ALL_DEAD: '1' } });
    await next.closed;
    expect(next.lines()).toEqual(['epoch 2', 'recovered', 'done']);
    sleeper.process.stdin.write('wake\n');
    await sleeper.closed;
    expect(sleeper.lines()).toEqual(['epoch 1', 'recovered', 'E_RUN_FENCED']);
    await expectedOutput('fenced');
  });
});
