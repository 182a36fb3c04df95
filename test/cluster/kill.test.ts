/**
 * SIGKILL of processes of running clusters at random moments: the cluster ends by itself, with outputs, roots and instruction counts of the
 * undisturbed run. STILLPOINT_SLOW=1 kills 200 times, over all examples whose outputs do not depend on arrival.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { randomBytes } from './link-conformance.ts';
import { ClusterRig, fingerprint, isSlow, randomFrom, until } from './rig.ts';

const seed = Number(process.env['STILLPOINT_SEED'] ?? 20_261_125);
const rig = new ClusterRig();
const example = rig.read('pipeline.yaml').toString();
afterAll(() => { rig.close(); });

beforeAll(() => {
  const programs = isSlow ? readdirSync(rig.directory).filter((file) => file.endsWith('.c')).map((file) => file.slice(0, -2)) : ['copy', 'sort-source', 'sort-sink', 'sort-manager'];
  for (const name of programs) rig.compile(name);
  rig.write('build/data', randomBytes(9, isSlow ? 12_000_000 : 4_000_000));
  const often = 'restarts: 100000\ncheckpointEvery: 5M\nprocesses: 3\n';
  rig.write('pipeline.yaml', often + rig.read('pipeline.yaml').toString());
  rig.write('sort.yaml', often + rig.read('sort.yaml').toString().replace('"20000"', isSlow ? '"100000"' : '"20000"'));
  if (!isSlow) return;
  for (const directory of ['corpus', 'tera']) mkdirSync(rig.path(`build/${directory}`), { recursive: true });
  for (let file = 0; file < 6; file++) rig.write(`build/corpus/t${file}.txt`, Buffer.from(randomBytes(40 + file, 600_000)).toString('base64').replaceAll('/', '\n').replaceAll('+', ' '));
  for (let part = 0; part < 4; part++) rig.write(`build/tera/part-${part}`, randomBytes(60 + part, 2_000_000));
  for (const file of ['words.yaml', 'tera.yaml', 'torture.yaml']) rig.write(file, often + rig.read(file).toString());
  rig.write('group.yaml', often + rig.read('group.yaml').toString().replace('"100000"', '"300000"'));
});

interface Job { readonly file: string; readonly outputs: readonly string[]; readonly kills: number }

const outputs = (base: string, count: number): readonly string[] => Array.from({ length: count }, (_, index) => `build/${base}-${index}`);

/** Kills processes of the cluster until `kills` have died or it has ended; how many died. */
async function disturb(coordinator: number, hasEnded: () => boolean, options: { readonly kills: number; readonly random: () => number }): Promise<number> {
  let kills = 0;
  while (kills < options.kills && !hasEnded()) {
    await new Promise((done) => { setTimeout(done, 30 + options.random() ** 2 * 700); });
    const processes = rig.processesOf(coordinator);
    if (hasEnded() || processes.length === 0) continue;
    if (kill(processes[Math.floor(options.random() * processes.length)]!)) kills++;
  }
  return kills;
}

/** False: it had ended since we looked. */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // Node gives system errors a code.
    return false;
  }
}

describe(`SIGKILL of processes of a cluster (STILLPOINT_SEED=${seed})`, () => {
  it.each<Job>([
    { file: 'pipeline.yaml', outputs: ['build/copy'], kills: isSlow ? 50 : 3 },
    { file: 'sort.yaml', outputs: outputs('sorted', 10), kills: isSlow ? 50 : 2 },
    ...(isSlow ? [
      { file: 'words.yaml', outputs: outputs('counts', 5), kills: 30 },
      { file: 'tera.yaml', outputs: outputs('tera', 4), kills: 25 },
      { file: 'group.yaml', outputs: outputs('groups', 7), kills: 25 },
      { file: 'torture.yaml', outputs: [], kills: 20 },
    ] : []),
  ])('$file', async ({ file, outputs: files, kills: wanted }) => {
    const undisturbed = await rig.up(file, ['--no-logs']);
    const hashes = files.map((name) => rig.sha256(name));
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
      expect(files.map((name) => rig.sha256(name)), `round ${round}, ${killed} kills, ${report.restarts} restarts`).toEqual(hashes);
      expect(fingerprint(report), `round ${round}`).toBe(fingerprint(undisturbed));
    }
  }, isSlow ? 3_600_000 : 120_000);

  it('while their commits are under way beside the guests', async () => {
    // Far beyond what is committed in place; one checkpoint at most, so that the journal is what everything comes back from.
    rig.write('build/data', randomBytes(10, 20_000_000));
    rig.write('stream.yaml', `name: stream\nrestarts: 100000\nprocesses: 3\n${example.replaceAll(/^(name|restarts|processes|checkpointEvery):.*\n/gm, '')}`);
    const undisturbed = await rig.up('stream.yaml', ['--no-logs']);
    expect(rig.sha256('build/copy')).toBe(rig.sha256('build/data'));
    const random = randomFrom(seed);
    let kills = 0;
    for (let round = 0; kills < (isSlow ? 20 : 1); round++) {
      const store = `stream-${round}`;
      const { child, ended } = rig.start(['up', 'stream.yaml', '--report', 'report.json', '--no-logs'], store);
      let hasEnded = false;
      void ended.then(() => { hasEnded = true; });
      const wanted = 15_000_000 + random() * 30_000_000; // Of about 60.
      await until(() => hasEnded || sizeOf(rig.path(`${store}/data.mdb`)) > wanted, 'a journal');
      kills += await disturb(child.pid!, () => hasEnded, { kills: 1, random: () => 0 });
      const { status, stderr } = await ended;
      expect([status, stderr], `round ${round}`).toEqual([0, expect.stringContaining('nodes ended')]);
      expect(rig.sha256('build/copy'), `round ${round}`).toBe(rig.sha256('build/data'));
      expect(fingerprint(rig.report()), `round ${round}`).toBe(fingerprint(undisturbed));
    }
  }, isSlow ? 600_000 : 120_000);
});

function sizeOf(file: string): number {
  return existsSync(file) ? statSync(file).size : 0;
}
