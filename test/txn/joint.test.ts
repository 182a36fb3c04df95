/**
 * Two-phase commit under every single fault at every step, and under pairs of faults: no divergence, no lost answer, nothing in doubt after recovery.
 * STILLPOINT_SLOW=1 takes more pairs; a failed case prints its faults, STILLPOINT_SEED draws others.
 */
import { describe, expect, it } from 'vitest';
import { StillpointError } from '../../src/core/index.ts';
import { inspectStore, listDecisions, parseTransactionId, readCoordinator, StoreParticipant } from '../../src/txn/index.ts';
import { digests } from '../journal/support.ts';
import { TEARS, type Tear } from '../store/log-store.ts';
import { COORDINATOR, World, type Fault } from './joint-world.ts';
import { generator } from './support.ts';

const NAMES = ['a', 'b'];
const PARTIES = [COORDINATOR, ...NAMES];
const PAIRS = process.env['STILLPOINT_SLOW'] === '1' ? 20_000 : 300;

interface Options { readonly refuses?: boolean; readonly diskLies?: boolean }
interface Outcome { readonly answer: 'committed' | 'aborted' | 'nothing'; readonly points: number; readonly trace: readonly string[] }

/** One transaction that sets all cells from 0 to 1 under faults; then recovery without any, and a transaction that must work. */
async function play(faults: readonly Fault[], { refuses = false, diskLies = false }: Options = {}): Promise<Outcome> {
  const world = await World.create(NAMES, { faults, diskLies });
  const transact = (value: number) => world.coordinate(async (coordinator) => {
    const branches = NAMES.map((name) => refuses && name === 'b' && value === 1 ? { ...world.branch(name, 1), prepare: () => Promise.reject(new StillpointError('E_PARTICIPANT', 'no')) } : world.branch(name, value));
    await coordinator.commit({ branches, local: [world.change(COORDINATOR, value)] });
    return 'committed' as const;
  }).catch((error: unknown) => { if (error instanceof StillpointError && (error.code === 'E_PARTICIPANT' || error.code === 'E_TXN_CONFLICT')) return 'aborted' as const; throw error; });
  const first = await transact(1);
  const values = (): number[] => PARTIES.map((name) => world.value(name));
  const leftovers = async (): Promise<unknown> => {
    const word = readCoordinator({ store: world.store(COORDINATOR), digests }, 'bank')!;
    const doubts = await Promise.all(NAMES.map((name) => new StoreParticipant({ store: world.store(name), digests }, name).inDoubt({ id: word.id, epoch: 1 })));
    return { doubts, decisions: listDecisions({ store: world.store(COORDINATOR), digests }, word.id) };
  };
  const nothing = { doubts: NAMES.map(() => []), decisions: [] };
  const recover = async (): Promise<void> => { while (await world.coordinate(() => Promise.resolve('recovered')) === 'dead'); };
  await recover(); // A second fault may strike here; then everybody is asked once more.
  await recover();
  const points = world.trace.length;
  world.mend();
  const after = values();
  expect(new Set(after).size, 'no divergence').toBe(1);
  if (first !== 'dead') expect(after[0], 'the answer is kept').toBe(first === 'committed' ? 1 : 0);
  expect(await leftovers()).toEqual(nothing);
  await world.deliverLate();
  expect(values(), 'late messages change nothing').toEqual(after);
  await recover();
  expect(await leftovers()).toEqual(nothing);
  expect(await transact(2), 'the next transaction finds nothing locked').toBe('committed');
  expect(values()).toEqual([2, 2, 2]);
  return { answer: first === 'dead' ? 'nothing' : first, points, trace: world.trace };
}

async function check(faults: readonly Fault[], options: Options = {}): Promise<Outcome> {
  return play(faults, options).catch((cause: unknown) => { throw new Error(`${JSON.stringify({ faults, ...options })}: ${(cause as Error).message}`, { cause }); });
}

const SOME: readonly Tear[] = ['lost', 'whole'];
/** Every party dies; the one that is writing in every way. */
const kills = (at: number, label = ''): Fault[] => PARTIES.flatMap((party) => (label === `${party} writes` ? TEARS : SOME).map((tear): Fault => ({ kind: 'kill', at, party, tear })));
const losses = (at: number): Fault[] => [{ kind: 'lose', at }, { kind: 'delay', at }];

describe('two-phase commit', () => {
  it('without faults commits, and forgets', async () => {
    const { answer, trace } = await check([]);
    expect(answer).toBe('committed');
    expect(trace.slice(12, 32)).toMatchInlineSnapshot(`
      [
        "prepare to a",
        "prepare to b",
        "a writes",
        "b writes",
        "a has written",
        "b has written",
        "a answers prepare",
        "b answers prepare",
        "coordinator writes",
        "coordinator has written",
        "commit to a",
        "commit to b",
        "a writes",
        "b writes",
        "a has written",
        "b has written",
        "a answers commit",
        "b answers commit",
        "coordinator writes",
        "coordinator has written",
      ]
    `);
  });

  it('a participant that says no aborts everything', async () => {
    expect((await check([], { refuses: true })).answer).toBe('aborted');
  });

  it.each([false, true])('survives the death of every party and the loss or delay of every message, at every step (one refuses: %s)', async (refuses) => {
    const { points, trace } = await check([], { refuses });
    const answers = new Map<string, number>();
    for (let at = 0; at < points; at++) {
      for (const fault of [...kills(at, trace[at]), ...losses(at)]) {
        const { answer } = await check([fault], { refuses });
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    }
    expect([...answers.keys()].sort()).toEqual(refuses ? ['aborted', 'nothing'] : ['aborted', 'committed', 'nothing']); // The faults hit all kinds of moments.
  });

  it(`survives ${PAIRS} pairs of faults, the second often during recovery`, async () => {
    const random = generator(Number(process.env['STILLPOINT_SEED'] ?? 1));
    const { points } = await check([]);
    const all = (at: number): Fault[] => [...kills(at), ...losses(at)];
    const horizon = 2 * points; // A fault adds a recovery.
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
    for (let count = 0; count < PAIRS; count++) {
      const at = Math.floor(random() * points);
      await check([pick(all(at)), pick(all(at + 1 + Math.floor(random() * (horizon - at))))]);
    }
  }, 3_600_000);

  it('canary: a disk that says done before it is ends in divergence or a broken answer', async () => {
    const { points } = await check([]);
    let noticed = 0;
    for (let at = 0; at < points; at++) await check([{ kind: 'kill', at, party: COORDINATOR, tear: 'lost' }], { diskLies: true }).catch(() => { noticed++; });
    expect(noticed).toBeGreaterThan(2);
  });
});
