/**
 * Crashes at every step of the output protocol, in one process: whatever is lost, the run goes on from a consistent prefix, the finished sink
 * holds exactly what the journal's inputs produce, and nobody ever saw a byte that was not to be.
 * STILLPOINT_SEED repeats one case.
 */
import { describe, expect, it } from 'vitest';
import { openJournal, readRun } from '../../src/txn/index.ts';
import { MemoryStore } from '../../src/store/index.ts';
import { digests } from '../journal/support.ts';
import { Crash, MiniSession, outputOf, Sink, type World } from './mini-session.ts';
import { generator } from './support.ts';

const ONE = process.env['STILLPOINT_SEED'];
const RUNS = process.env['STILLPOINT_SLOW'] === '1' ? 5_000 : 250;
const CRASHES_MAX = 2_000; // At 5 % a step a run dies a few dozen times; more means that it makes no progress.

interface Result { readonly crashes: number; readonly contradictions: number; readonly isEqual: boolean }

async function live(seed: number, { deliversEarly }: { readonly deliversEarly: boolean }): Promise<Result> {
  const world: World = { sink: new Sink(), random: generator(seed), crashChance: 0.05, deliversEarly, inputsWanted: 40 };
  let store = new MemoryStore({ flush: 'by-hand' });
  let crashes = 0;
  let session: MiniSession | undefined = await MiniSession.start(store, world);
  for (;;) {
    try {
      session ??= await MiniSession.resume(store, world);
      await session.run();
      break;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      store = error.store;
      session = undefined;
      if (++crashes > CRASHES_MAX) throw new Error('no progress');
      if (readRun({ store, digests }, 'mini').status === 'ended') break; // It died after its last word.
    }
  }
  const context = { store, digests };
  const record = readRun(context, 'mini');
  expect(record.status).toBe('ended');
  const journal = openJournal(context, record);
  const inputs = [...journal.frames()].flatMap(({ frame }) => frame.kind === 'input' ? [journal.inputBytes(frame)] : []);
  const expected = Buffer.from(outputOf(inputs));
  return { crashes, contradictions: world.sink.contradictions, isEqual: expected.equals(world.sink.bytes()) && expected.equals(Uint8Array.from(world.sink.observed)) };
}

const repeat = (seed: number): string => `repeat with STILLPOINT_SEED=${seed} npx vitest run test/txn/crash.test.ts`;

describe('crashes', () => {
  it('never lose, repeat or take back a byte', async () => {
    let crashes = 0;
    for (const seed of ONE === undefined ? Array.from({ length: RUNS }, (_, index) => index + 1) : [Number(ONE)]) {
      const result = await live(seed, { deliversEarly: false }).catch((cause: unknown) => { throw new Error(repeat(seed), { cause }); });
      expect({ contradictions: result.contradictions, isEqual: result.isEqual }, repeat(seed)).toEqual({ contradictions: 0, isEqual: true });
      crashes += result.crashes;
    }
    if (ONE === undefined) expect(crashes).toBeGreaterThan(RUNS * 2);
  });

  it('canary: output that leaves before its input is durable is noticed', async () => {
    let noticed = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const { contradictions } = await live(seed, { deliversEarly: true });
      if (contradictions > 0) noticed++;
    }
    expect(noticed).toBeGreaterThan(20);
  });
});
