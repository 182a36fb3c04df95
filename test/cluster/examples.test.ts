/**
 * The programs of examples/cluster (scenarios 6, 7, 8, 10 of the ancestor), each checked by something that is not a machine of ours, each run twice
 * with different processes and the same bits (the sort always, the others when there is time). STILLPOINT_SLOW=1: larger data, 500 repetitions of the
 * teardown; STILLPOINT_SEEDS=FIRST-LAST: these repetitions.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomBytes } from './link-conformance.ts';
import { ClusterRig, fingerprint, IdleTime, isSlow, randomFrom, type ClusterReport } from './rig.ts';

/** Of one start of the torture in which no thread ran or wanted to: disks, and the ticks of ten a second that see what was lost or is full. */
const IDLE_MS_MAX = 20_000;

const [firstRound, lastRound] = (process.env['STILLPOINT_SEEDS'] ?? (isSlow ? '0-499' : '0-0')).split('-').map(Number) as [number, number]; // As the header says.

const rig = new ClusterRig();
afterAll(() => { rig.close(); });

beforeAll(() => {
  for (const file of readdirSync(rig.directory)) if (file.endsWith('.c')) rig.compile(file.slice(0, -2));
});

/** Runs a cluster in one process and in several; roots, instruction counts and files must be equal. */
async function twice(file: string, files: readonly string[], options: readonly string[] = []): Promise<ClusterReport & { readonly output: string }> {
  if (!isSlow && file !== 'sort.yaml') return rig.up(file, ['--processes', '2']);
  const first = await rig.up(file, ['--processes', '1', ...options]);
  const hashes = files.map((name) => rig.sha256(name));
  const second = await rig.up(file, ['--processes', '3', ...options]);
  expect(fingerprint(second)).toBe(fingerprint(first));
  expect(files.map((name) => rig.sha256(name))).toEqual(hashes);
  return second;
}

const names = (base: string, count: number): readonly string[] => Array.from({ length: count }, (_, index) => `build/${base}-${index}`);

describe('sort, all to all, 21 nodes', () => {
  it('is sorted over all sinks and loses nothing, says a checker that makes the numbers itself, and the manager agrees', async () => {
    const perSource = isSlow ? 25_000_000 : 5000;
    rig.write('sort.yaml', rig.read('sort.yaml').toString().replace('"20000"', `"${perSource}"`).replaceAll('256M', isSlow ? '1G' : '64M'));
    const files = names('sorted', 10);
    const { output, nodes } = await twice('sort.yaml', files, isSlow ? ['--ephemeral'] : []);
    const checker = rig.path('build/check-sort');
    execFileSync('gcc', ['-O2', '-o', checker, join(import.meta.dirname, 'check-sort.c')]);
    const [count, largest] = execFileSync(checker, [String(perSource), '10', ...files], { cwd: rig.directory, encoding: 'utf8' }).split(' ').map(Number);
    expect([nodes.length, count]).toEqual([21, 10 * perSource]);
    expect(output).toContain(`manager-0 | ${count} numbers, sum `);
    expect(largest).toBeLessThan(1.2 * perSource);
    rig.write('build/canary', rig.read(files[9]!).map((byte, at) => (at === 4 ? byte ^ 1 : byte)));
    expect(spawnSync(checker, [String(perSource), '10', ...files.slice(0, 9), 'build/canary'], { cwd: rig.directory }).status).toBe(1);
  }, isSlow ? 3_600_000 : 120_000);
});

describe('word count', () => {
  it('equals what other tools count', async () => {
    mkdirSync(rig.path('build/corpus'), { recursive: true });
    const random = randomFrom(31);
    const files = isSlow ? 31 : 3;
    for (let file = 0; file < files; file++) {
      rig.write(`build/corpus/t${file}.txt`, Array.from({ length: isSlow ? 25_000 : 3000 }, () => Math.floor(random() ** 3 * 5000).toString(26).replace(/[0-9]/g, (digit) => 'QRSTUVWXYZ'[Number(digit)]!)).join(' ,\n') + '\n');
    }
    const { nodes } = await twice('words.yaml', names('counts', 5));
    expect(nodes.length).toBe(files + 5);
    const got = names('counts', 5).flatMap((name) => rig.read(name).toString().trimEnd().split('\n')).sort();
    const oracle = execFileSync('bash', ['-c', "cat build/corpus/*.txt | tr -c 'A-Za-z' '\\n' | tr A-Z a-z | grep -v '^$' | LC_ALL=C sort | uniq -c | awk '{ print $1, $2 }'"], { cwd: rig.directory, encoding: 'utf8' });
    expect(got).toEqual(oracle.trimEnd().split('\n').sort());
  }, isSlow ? 600_000 : 120_000);
});

describe('sort of 100-byte records', () => {
  it('is in order over all reducers and has every record', async () => {
    mkdirSync(rig.path('build/tera'), { recursive: true });
    const records = isSlow ? 50_000 : 2000;
    const parts = [0, 1, 2, 3].map((part) => randomBytes(100 + part, records * 100));
    parts.forEach((bytes, part) => { rig.write(`build/tera/part-${part}`, bytes); });
    await twice('tera.yaml', names('tera', 4));
    const rows = (bytes: Uint8Array): string[] => Array.from({ length: bytes.length / 100 }, (_, row) => Buffer.from(bytes.subarray(row * 100, row * 100 + 100)).toString('latin1'));
    expect(names('tera', 4).flatMap((name) => rows(rig.read(name)))).toEqual(parts.flatMap(rows).sort());
  });
});

describe('group-by', () => {
  it('has sum and count of every key', async () => {
    const rows = isSlow ? 400_000 : 20_000;
    rig.write('group.yaml', rig.read('group.yaml').toString().replace('"100000"', `"${rows}"`));
    await twice('group.yaml', names('groups', 7));
    const expected = new Map<number, { count: number; sum: number }>();
    for (let seed = 0; seed < 3; seed++) {
      let state = BigInt(seed) + 1n;
      for (let row = 0; row < rows; row++) {
        state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
        const key = Number(state >> 33n) % 10_000;
        const group = expected.get(key) ?? { count: 0, sum: 0 };
        expected.set(key, { count: group.count + 1, sum: group.sum + Number((state >> 40n) & 0xffffn) - 0x8000 });
      }
    }
    const got = names('groups', 7).flatMap((name) => rig.read(name).toString().trimEnd().split('\n'));
    expect(got.sort()).toEqual([...expected].map(([key, { count, sum }]) => `${key} ${count} ${sum}`).sort());
  });
});

describe('request and reply', () => {
  it('answers every client; the server polls, and its replay alone gives the same log', async () => {
    const { output, store } = await rig.up('request.yaml', ['--processes', '2']);
    for (const client of [0, 1, 2]) expect(output).toContain(`client-${client} | client-${client}: 20 replies, sum 2870`);
    expect(output.match(/^server-0 \| client-[012] \d+$/gm)).toHaveLength(60);
    const replayed = await rig.stillpoint(['replay', 'request.server-0'], store);
    expect([replayed.status, replayed.stdout]).toEqual([0, expect.stringContaining('identical')]);
  });
});

describe('publish and subscribe', () => {
  it('gives every subscriber every message of its topic from its point on, in order', async () => {
    rig.write('publish.yaml', rig.read('publish.yaml').toString().replace('"3000"', '"600"'));
    await twice('publish.yaml', names('none', 0));
    const weather = Array.from({ length: 600 }, (_, number) => number).filter((number) => (number * 7) % 3 === 0);
    for (const subscriber of [0, 1, 2, 3]) {
      expect(rig.read(`publish.logs/subscriber-${subscriber}.out`).toString().trimEnd().split('\n')).toEqual(weather.filter((number) => number >= subscriber * 100).map((number) => `weather ${number}`));
    }
  });
});

describe('topics', () => {
  it('are files of their publisher; who does not keep up is waited for or cut off, as declared', async () => {
    const { output, store, nodes } = await rig.up('topics.yaml', ['--processes', '2']);
    for (const fan of ['fan-0', 'fan-1']) expect(output).toContain(`${fan} | weather 400\n${fan} | sport 400\n`);
    expect(output).toContain('trader-0 | stocks 400\n');
    const [, seen] = /^sleeper-0 \| stocks (\d+)$/m.exec(output) ?? [];
    expect(Number(seen)).toBeGreaterThanOrEqual(60);
    expect(Number(seen)).toBeLessThan(400);
    expect(nodes.map(({ state }) => state)).toEqual(Array<string>(5).fill('ended'));
    const replayed = await rig.stillpoint(['replay', 'topics'], store);
    expect([replayed.status, replayed.stdout]).toEqual([0, expect.stringContaining('topics: identical. 5 nodes')]);
  });
});

describe('teardown torture, 30 nodes', () => {
  it('readers stop anywhere, writers write on, buffers are too small: no hang, and the same bits', async () => {
    const { nodes } = await twice('torture.yaml', []);
    expect(nodes.map(({ state }) => state)).toEqual(Array<string>(30).fill('ended'));
  });

  it(`nodes that fail end the cluster, in ${lastRound - firstRound + 1} repetitions, and nobody waits long for nobody`, async () => {
    const text = rig.read('torture.yaml').toString();
    for (let round = firstRound; round <= lastRound; round++) {
      const fails = round % 2 === 0 ? 12 : 0;
      rig.write('torture-n.yaml', text.replaceAll('"0"]', `"${fails}"]`).replace(/"([123])\{index\}"/g, `"${round}$1{index}"`));
      const { child, ended } = rig.start(['up', 'torture-n.yaml', '--no-logs', '--processes', String(1 + (round % 4))], `torture-${round}`);
      const idle = new IdleTime(() => [child.pid!, ...rig.processesOf(child.pid!)]);
      const { status, stderr } = await ended;
      expect(stderr, `round ${round}`).toMatch(status === 0 ? /30 nodes ended/ : /^stillpoint: E_CLUSTER_FAILED: node (first|second|third)-\d of cluster torture-n: it ended with status 9; its last lines: \S+ read \d+ and wrote \d+$/m);
      expect([0, 125]).toContain(status);
      expect(idle.end(), `round ${round}`).toBeLessThan(IDLE_MS_MAX);
      rmSync(rig.path(`torture-${round}`), { recursive: true, force: true });
    }
  }, isSlow ? 7_200_000 : 120_000);

  it('a cluster in which everybody waits for another is ended with the names', async () => {
    rig.write('dead.yaml', 'version: 1\ngroups:\n  a: { program: build/copy.elf, arguments: [/dev/in/b-0, /dev/out/b-0, "1"] }\n  b: { program: build/copy.elf, arguments: [/dev/in/a-0, /dev/out/a-0, "1"] }\nchannels:\n  - { from: a, to: b }\n  - { from: b, to: a }\n');
    const { status, stderr } = await rig.stillpoint(['up', 'dead.yaml'], 'dead');
    expect([status, stderr]).toEqual([125, expect.stringContaining('every node waits for another: a-0 for bytes of b-0, b-0 for bytes of a-0')]);
  });
});
