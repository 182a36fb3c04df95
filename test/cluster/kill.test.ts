/**
 * SIGKILL of processes of running clusters at random moments: the cluster ends by itself, with outputs, roots and instruction counts of the
 * undisturbed run. STILLPOINT_SLOW=1 kills 200 times.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mkdirSync } from 'node:fs';
import { randomBytes } from './link-conformance.ts';
import { ClusterRig, fingerprint, isSlow, randomFrom } from './rig.ts';

const KILLS = isSlow ? 100 : 3;
const seed = Number(process.env['STILLPOINT_SEED'] ?? 20_261_125);
const rig = new ClusterRig();
afterAll(() => { rig.close(); });

beforeAll(() => {
  for (const name of ['copy', 'sort-source', 'sort-sink', 'sort-manager']) rig.compile(name);
  mkdirSync(rig.path('build'), { recursive: true });
  rig.write('build/data', randomBytes(9, isSlow ? 12_000_000 : 4_000_000));
  const often = 'restarts: 100000\ncheckpointEvery: 5M\nprocesses: 3\n';
  rig.write('pipeline.yaml', often + rig.read('pipeline.yaml').toString());
  rig.write('sort.yaml', often + rig.read('sort.yaml').toString().replace('"20000"', isSlow ? '"100000"' : '"20000"'));
});

interface Job { readonly file: string; readonly outputs: readonly string[]; readonly kills: number }

/** Kills processes of the cluster until `kills` have died or it has ended; how many died. */
async function disturb(coordinator: number, hasEnded: () => boolean, options: { readonly kills: number; readonly random: () => number }): Promise<number> {
  let kills = 0;
  while (kills < options.kills && !hasEnded()) {
    await new Promise((done) => { setTimeout(done, 30 + options.random() ** 2 * 700); });
    const processes = rig.processesOf(coordinator);
    if (hasEnded() || processes.length === 0) continue;
    process.kill(processes[Math.floor(options.random() * processes.length)]!, 'SIGKILL');
    kills++;
  }
  return kills;
}

describe(`SIGKILL of processes of a cluster (STILLPOINT_SEED=${seed})`, () => {
  it.each<Job>([
    { file: 'pipeline.yaml', outputs: ['build/copy'], kills: KILLS },
    { file: 'sort.yaml', outputs: Array.from({ length: 10 }, (_, index) => `build/sorted-${index}`), kills: isSlow ? KILLS : 2 },
  ])('$file', async ({ file, outputs, kills: wanted }) => {
    const undisturbed = await rig.up(file, ['--no-logs']);
    const hashes = outputs.map((name) => rig.sha256(name));
    const random = randomFrom(seed);
    let kills = 0;
    for (let round = 0; kills < wanted; round++) {
      const store = `kill-${file}-${round}`;
      const { child, ended } = rig.start(['up', file, '--report', 'report.json', '--no-logs'], store);
      let hasEnded = false;
      void ended.then(() => { hasEnded = true; });
      const killed = await disturb(child.pid!, () => hasEnded, { kills: Math.min(10, wanted - kills), random });
      const { status, stderr } = await ended;
      expect([status, stderr], `round ${round}`).toEqual([0, expect.stringContaining('nodes ended')]);
      kills += Math.max(1, killed);
      const report = rig.report();
      expect(outputs.map((name) => rig.sha256(name)), `round ${round}, ${killed} kills, ${report.restarts} restarts`).toEqual(hashes);
      expect(fingerprint(report), `round ${round}`).toBe(fingerprint(undisturbed));
    }
  }, isSlow ? 3_600_000 : 120_000);
});
