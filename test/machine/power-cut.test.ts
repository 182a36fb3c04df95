/**
 * The power fails: a bank ran in a process whose every write was recorded, and is opened again on disks that lost what was not synced, in any mixture, with
 * the last write torn. What was acknowledged is there, each record once and in order, the sum is what it was. And the same in one process over a store whose
 * log is torn at any byte. STILLPOINT_SLOW=1: hundreds of cuts.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkStore, openMachineRun, replayRun } from '../../src/index.ts';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { openMachineIn, openMachineRunIn } from '../../src/machine/index.ts';
import { LogStore, TEARS } from '../store/log-store.ts';
import { RecordedDisk, recorder } from './power-cut.ts';
import { ask, codeOf, guestProgram, random, scratch } from './rig.ts';

const isSlow = process.env['STILLPOINT_SLOW'] === '1';
const CUTS = isSlow ? 300 : 10;
const ACKNOWLEDGED = isSlow ? 120 : 40;
const SEED = Number(process.env['STILLPOINT_SEED'] ?? 11);
const LIBRARY = resolve(import.meta.dirname, '../../dist/bin/library.js');
const directory = scratch();
afterAll(directory.remove);
const numbersOf = (text: string): readonly number[] => text.split('\n').slice(0, -1).map((line) => Number(line.split(' ')[3]));

/** A bank on a recorded disk, killed when it has acknowledged enough. */
async function recorded(disk: string, log: string): Promise<RecordedDisk> {
  mkdirSync(disk, { recursive: true });
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bank-child.mjs'), LIBRARY, guestProgram('ledger'), join(disk, 'store'), join(disk, 'records.txt'), String(SEED)], {
    stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, LD_PRELOAD: recorder(), RECORD_DIRECTORY: disk, RECORD_LOG: log },
  });
  let said = '';
  child.stdout.on('data', (bytes: Buffer) => { if ((said += bytes.toString()).split('ack').length > ACKNOWLEDGED) child.kill('SIGKILL'); });
  await new Promise<void>((done) => { child.on('close', () => done()); });
  return new RecordedDisk(disk, log);
}

it(`a bank whose disk lost power ${CUTS} times (seed ${SEED})`, async () => {
  const disk = join(directory.path, 'disk');
  const recording = await recorded(disk, join(directory.path, 'log'));
  const draw = random(SEED);
  let opened = 0;
  const narrow = recording.narrowMoments.filter((moment, index) => index % 8 === 0 || moment >= recording.momentOf('start')); // Making the store has many.
  for (let turn = 0; turn < CUTS; turn++) {
    const moment = draw(3) === 0 ? draw(recording.moments + 1) : narrow[draw(narrow.length)]!;
    recording.cut(moment, draw);
    const lines = recording.said(moment).split('\n');
    const acknowledged = Math.max(0, ...lines.flatMap((line) => (line.startsWith('ack ') ? [Number(line.split(' ')[1])] : [])));
    const about = `moment ${moment}`;
    let machine;
    try {
      machine = await openMachineRun({ name: 'bank', store: join(disk, 'store') });
    } catch (error) {
      const { code = '' } = error as { code?: string };
      expect(['E_RUN_UNKNOWN', 'E_STORE_OPEN'], `${about}: ${String(error)}`).toContain(code); // The power failed before the bank was made.
      expect(lines.some((line) => line.startsWith('start')), about).toBe(false);
      continue;
    }
    opened++;
    const check = machine.begin();
    if (lines.some((line) => line.startsWith('start'))) expect(await ask(check, 's'), about).toBe('sum 1000000\n');
    await check.abort();
    const numbers = numbersOf(readFileSync(join(disk, 'records.txt'), 'latin1'));
    expect(numbers, about).toEqual(Array.from({ length: numbers.length }, (_, index) => index + 1));
    expect(numbers.length, `${about}: what was acknowledged is there`).toBeGreaterThanOrEqual(acknowledged);
    await machine.close();
    if (turn % 5 > 0) continue;
    expect((await checkStore({ store: join(disk, 'store'), repairs: false })).findings, about).toEqual([]);
    expect((await replayRun({ name: 'bank', store: join(disk, 'store'), comparesFiles: true }, {})).isIdentical, about).toBe(true);
  }
  expect(opened).toBeGreaterThan(CUTS / 2);
  // The canary: a disk that said it had what it had not.
  recording.cut(recording.momentOf('ack'), draw);
  const liar = await openMachineRun({ name: 'bank', store: join(disk, 'store') });
  await liar.close();
  expect(numbersOf(readFileSync(join(disk, 'records.txt'), 'latin1')).length).toBeLessThan(ACKNOWLEDGED);
}, 3_600_000);

describe('a machine over a store whose log is torn', () => {
  it.each(TEARS)('has what was acknowledged when the last record is %s', async (tear) => {
    const digests = await createNodeDigests();
    let holds = false;
    const open = (log: Buffer): Promise<LogStore> => LogStore.open(log, { beforeSync: () => (holds ? new Promise(() => undefined) : Promise.resolve()) });
    const log = join(directory.path, `${tear.replaceAll(' ', '-')}.txt`);
    let store = await open(Buffer.alloc(0));
    let machine = await openMachineIn({ store, digests }, { program: guestProgram('ledger'), name: 'bank', out: [`log=${log}`], memory: '16M', engine: 'wasm' });
    await machine.transact((transaction) => transaction.run());
    for (let number = 1; number <= 3; number++) await machine.transact((transaction) => ask(transaction, `t 1 2 1 ${number}`));
    const root = machine.root();
    holds = true; // The next record is appended and never synced.
    const last = machine.begin();
    await ask(last, 't 1 2 1 4');
    void last.commit();
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => { setImmediate(resolve); });
    const wanted = machine.root();
    expect(numbersOf(readFileSync(log, 'latin1')), 'nothing leaves before its commit is on disk').toEqual([1, 2, 3]);
    holds = false;
    store = await open(store.crash(tear));
    machine = await openMachineRunIn({ store, digests }, { name: 'bank', isAlive: () => false });
    expect(machine.root()).toBe(tear === 'whole' ? wanted : root);
    expect(numbersOf(readFileSync(log, 'latin1'))).toEqual(tear === 'whole' ? [1, 2, 3, 4] : [1, 2, 3]);
    await machine.close();
    expect(await codeOf(() => machine.begin())).toBe('E_USAGE');
  });
});
