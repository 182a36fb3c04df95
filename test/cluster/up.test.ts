/**
 * `up` as a user runs it: the same bits whatever the processes and transport, a node that fails, Ctrl-C and resume, a coordinator that is killed,
 * replay of one node alone, and `pipe`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, ClusterRig, fingerprint, isRunning, until, type ClusterReport } from './rig.ts';
import { randomBytes } from './link-conformance.ts';

const rig = new ClusterRig();
afterAll(() => { rig.close(); });

const DATA = randomBytes(5, 800_000);

beforeAll(() => {
  for (const name of ['copy']) rig.compile(name);
  rig.compile('fails', '#include <stdio.h>\nint main(int c, char **v) { puts("about to fail"); fprintf(stderr, "no luck in %s\\n", v[0]); return 7; }\n');
  rig.compile('large', 'char large[64 << 20];\nint main(void) { return large[0]; }\n');
  rig.compile('waits', '#include <stdio.h>\n#include <fcntl.h>\n#include <unistd.h>\nint main(int c, char **v) { char b; int n = read(open(v[1], O_RDONLY), &b, 1); printf("read %d\\n", n); return 0; }\n');
  rig.compile('spins', '#include <stdio.h>\nint main(void) { volatile unsigned long n = 0; for (int r = 0; r < 40; r++) { for (int i = 0; i < 4000000; i++) n += i; printf("%d\\n", r); fflush(stdout); } return 0; }\n');
  rig.write('build/data', DATA);
  rig.write('fails.yaml', 'version: 1\ngroups:\n  good: { program: build/waits.elf, arguments: [/dev/in/bad-0] }\n  long: { program: build/spins.elf }\n  bad: { program: build/fails.elf }\nchannels:\n  - { from: bad, to: good }\n');
  rig.write('spins.yaml', 'version: 1\ngroups:\n  spin: { program: build/spins.elf, count: 2 }\n  wait: { program: build/waits.elf, arguments: [/dev/in/spin-0] }\nchannels:\n  - { from: spin, to: wait }\n');
});

describe('a pipeline', () => {
  it('gives the same output, roots and instruction counts in one process, in three, over ipc, and over tcp', async () => {
    const first = await rig.up('pipeline.yaml', ['--processes', '1']);
    expect(Buffer.compare(rig.read('build/copy'), DATA)).toBe(0);
    expect(first.output).toMatch(/^third-0 \| third-0 copied 800000 bytes, sum [0-9a-f]{16}$/m);
    expect(first.nodes.map(({ state }) => state)).toEqual(['ended', 'ended', 'ended']);
    const text = rig.read('pipeline.yaml').toString();
    rig.write('tcp.yaml', `name: pipeline\ntransport: tcp\nprocesses: one-per-node\n${text}`);
    for (const [file, options] of [['pipeline.yaml', ['--processes', '3']], ['tcp.yaml', []]] as const) {
      rig.write('build/copy', '');
      const next = await rig.up(file, options);
      expect(fingerprint(next)).toBe(fingerprint(first));
      expect(Buffer.compare(rig.read('build/copy'), DATA)).toBe(0);
      expect(next.envelopes.sent).toBeGreaterThan(10);
    }
    const replayed = await rig.stillpoint(['replay', 'pipeline.second-0'], first.store);
    expect([replayed.status, replayed.stdout]).toEqual([0, expect.stringContaining('pipeline.second-0: identical.')]);
  });
});

describe('a cluster of which nothing is kept', () => {
  it('gives the same output and instruction counts, makes no store, and ends with a killed process', async () => {
    const recorded = await rig.up('pipeline.yaml', ['--processes', '2']);
    const kept = await rig.up('pipeline.yaml', ['--ephemeral', '--processes', '2']);
    expect(Buffer.compare(rig.read('build/copy'), DATA)).toBe(0);
    const facts = ({ nodes }: ClusterReport): unknown => nodes.map(({ node, instructions, channels }) => ({ node, instructions, channels }));
    expect(facts(kept)).toEqual(facts(recorded));
    expect(existsSync(rig.path(kept.store))).toBe(false);
    expect((await rig.stillpoint(['up', 'pipeline.yaml', '--ephemeral', '--resume'], kept.store)).stderr).toMatch(/^stillpoint: E_USAGE: of a cluster that runs with --ephemeral nothing is kept/);
    const { child, ended } = rig.start(['up', 'spins.yaml', '--ephemeral', '--processes', '2'], 'none');
    await until(() => rig.processesOf(child.pid!).length === 2 || child.exitCode !== null, 'two processes');
    const [first = 0, second = 0] = rig.processesOf(child.pid!);
    process.kill(second, 'SIGKILL');
    const { status, stderr } = await ended;
    expect([status, stderr]).toEqual([125, expect.stringMatching(/E_CLUSTER_FAILED: node spin-1 of cluster spins: its process was ended by SIGKILL/)]);
    expect(isRunning(first)).toBe(false);
  });
});

describe('a node that fails', () => {
  it('ends the cluster with its status and its last lines, and nothing keeps running', async () => {
    const { child, ended } = rig.start(['up', 'fails.yaml', '--processes', '3', '--report', 'failed.json'], 'failing');
    await until(() => rig.processesOf(child.pid!).length === 3 || child.exitCode !== null, 'three processes');
    const processes = rig.processesOf(child.pid!);
    const { status, stderr } = await ended;
    expect(status).toBe(125);
    expect(stderr).toMatch(/^stillpoint: E_CLUSTER_FAILED: node bad-0 of cluster fails: it ended with status 7; its last lines: no luck in bad-0$/m);
    expect(processes.filter(isRunning)).toEqual([]);
    const report = JSON.parse(rig.read('failed.json').toString()) as ClusterReport & { readonly reason: string };
    expect([report.kind, report.reason, report.nodes.find(({ node }) => node === 'bad-0')?.outcome]).toEqual(['failed', expect.stringContaining('it ended with status 7'), { kind: 'exited', status: 7 }]);
    const again = await rig.stillpoint(['up', 'fails.yaml', '--resume'], 'failing');
    expect(again.stderr).toMatch(/E_RUN_FINISHED: node bad-0 of cluster fails has failed: it ended with status 7/);
    expect((await rig.stillpoint(['up', 'fails.yaml'], 'failing')).stderr).toMatch(/E_RUN_EXISTS: the store holds 3 runs of cluster fails/);
  });

  it.each<[string, number, RegExp]>([
    ['build/absent.elf', 127, /E_PROGRAM_NOT_FOUND: node a-0 of cluster absent: there is no program at .*absent\.elf/],
    ['build/large.elf, memory: 16M', 126, /E_ELF_TOO_LARGE: node a-0 of cluster absent: .*large\.elf: the program does not fit in the memory of the machine: give it more \(--memory, or memory in a manifest\)/],
    ['words.yaml', 126, /E_ELF_MAGIC: node a-0 of cluster absent: .*words\.yaml: the file does not begin with the ELF magic number/],
  ])('a program that cannot be, such as %s, is named with its node before outputs are touched', async (program, exit, says) => {
    rig.write('absent.yaml', `version: 1\ngroups:\n  a: { program: ${program}, files: { result: { out: earlier } } }\n`);
    rig.write('earlier', Buffer.from('of an earlier cluster'));
    const { status, stderr } = await rig.stillpoint(['up', 'absent.yaml'], 'absent');
    expect([status, stderr]).toEqual([exit, expect.stringMatching(says)]);
    expect([rig.read('earlier').toString(), existsSync(rig.path('absent'))]).toEqual(['of an earlier cluster', false]);
  });
});

describe('a stop', () => {
  let undisturbed: string | undefined;

  it.each<[string, NodeJS.Signals, number | null]>([['Ctrl-C', 'SIGINT', 130], ['a kill of the coordinator', 'SIGKILL', null]])('%s leaves every node resumable and no process; the resume gives the same bits', async (name, signal, expected) => {
    undisturbed ??= fingerprint(await rig.up('spins.yaml', ['--processes', '3', '--no-logs']));
    const store = `stop-${signal}`;
    const { child, ended } = rig.start(['up', 'spins.yaml', '--processes', '3'], store);
    let text = '';
    child.stdout!.on('data', (bytes: Buffer) => { text += bytes.toString(); });
    await until(() => /spin-0 \| 5$/m.test(text), 'progress of a node');
    const processes = rig.processesOf(child.pid!);
    child.kill(signal);
    const { status, stderr } = await ended;
    expect(status, name).toBe(expected);
    if (signal === 'SIGINT') expect(stderr).toContain('cluster spins stopped (SIGINT); go on with: stillpoint up spins.yaml --resume');
    if (signal === 'SIGINT') expect(processes.filter(isRunning)).toEqual([]); // Else the resume itself waits for them.
    const resumed = await rig.stillpoint(['up', 'spins.yaml', '--resume', '--processes', '2', '--report', 'report.json'], store);
    expect([resumed.status, resumed.stderr]).toEqual([0, expect.stringContaining('3 nodes ended')]);
    expect(fingerprint(rig.report())).toBe(undisturbed);
    expect((await rig.stillpoint(['replay', 'spins.wait-0'], store)).status).toBe(0);
  });

  it('a node that reached its cap goes on with a higher one, or without', async () => {
    rig.compile('brief', '#include <stdio.h>\nint main(void) { puts("done"); return 0; }\n');
    rig.write('capped.yaml', 'version: 1\ngroups:\n  brief: { program: build/brief.elf, maxInstructions: 200 }\n');
    const capped = await rig.stillpoint(['up', 'capped.yaml', '--no-logs'], 'capped');
    expect([capped.status, capped.stderr]).toEqual([125, expect.stringContaining('a cap was reached: instructions; with a higher maxInstructions, up --resume goes on')]);
    expect((await rig.stillpoint(['up', 'capped.yaml', '--no-logs', '--resume'], 'capped')).stderr).toMatch(/has reached its cap of 200 instructions; give a higher one .*maxInstructions of its group/);
    rig.write('capped.yaml', rig.read('capped.yaml').toString().replace('200', '300'));
    expect((await rig.stillpoint(['up', 'capped.yaml', '--no-logs', '--resume'], 'capped')).stderr).toContain('a cap was reached');
    rig.write('capped.yaml', rig.read('capped.yaml').toString().replace(', maxInstructions: 300', ''));
    const whole = await rig.stillpoint(['up', 'capped.yaml', '--no-logs', '--resume'], 'capped');
    expect([whole.status, whole.stderr]).toEqual([0, expect.stringContaining('1 node ended')]);
    expect(await rig.stillpoint(['replay', 'capped'], 'capped')).toMatchObject({ status: 0 });
  });

  it('a node whose run is lost is named at the resume, where nobody can write its input again', async () => {
    const { store } = await rig.up('pipeline.yaml', ['--no-logs']);
    await rig.stillpoint(['rm', 'pipeline.second-0'], store);
    const { status, stderr } = await rig.stillpoint(['up', 'pipeline.yaml', '--resume'], store);
    expect([status, stderr]).toEqual([125, expect.stringMatching(/E_RUN_UNKNOWN: the store holds no run of node second-0, and first-0, which wrote to it, has ended/)]);
  });

  it('a changed manifest does not go on with the old runs', async () => {
    rig.write('changed.yaml', `name: spins\n${rig.read('spins.yaml').toString().replace('count: 2', 'count: 2, environment: { X: y }')}`);
    const { child, ended } = rig.start(['up', 'spins.yaml'], 'changed');
    let text = '';
    child.stdout!.on('data', (bytes: Buffer) => { text += bytes.toString(); });
    await until(() => text.includes('spin-0 | 2'), 'progress of a node');
    child.kill('SIGTERM');
    expect((await ended).status).toBe(143);
    const { stderr } = await rig.stillpoint(['up', 'changed.yaml', '--resume'], 'changed');
    expect(stderr).toMatch(/E_CLUSTER_FAILED: node spin-[01] of cluster spins: E_CLUSTER_CHANGED/);
    expect((await rig.stillpoint(['resume', 'spins.wait-0'], 'changed')).stderr).toMatch(/E_USAGE: channel in\/spin-0 leads to node spin-0 of a cluster/);
  });
});

describe('pipe', () => {
  it('joins standard output and input of programs', async () => {
    rig.compile('count', '#include <stdio.h>\nint main(int c, char **v) { long n = 0; int k; while ((k = getchar()) != EOF) n++; printf("%ld %s\\n", n, v[1]); return 0; }\n');
    rig.compile('twice', '#include <stdio.h>\nint main(void) { int k; while ((k = getchar()) != EOF) { putchar(k); putchar(k); } return 0; }\n');
    rig.write('text', 'some text\n');
    const { status, stdout } = await rig.stillpoint(['pipe', '--in', 'text', 'build/twice.elf', 'build/twice.elf', "build/count.elf 'two words'"]);
    expect([status, stdout]).toEqual([0, '40 two words\n']);
    const kept = await rig.stillpoint(['pipe', '--in', 'text', '--out', 'result', '--name', 'kept', 'build/twice.elf', 'build/count.elf "x\\"y"'], 'kept');
    expect([kept.status, kept.stdout, rig.read('result').toString()]).toEqual([0, '', '20 x"y\n']);
    expect((await rig.stillpoint(['replay', 'kept.count-0'], 'kept')).status).toBe(0);
  });

  it('takes what is to come of its standard input, also of a file that has lost its name', () => {
    rig.write('lines', 'one\ntwo\n');
    const command = `{ read first; rm lines; ${process.execPath} ${CLI} pipe build/twice.elf; } < lines`;
    expect(execFileSync('bash', ['-c', command], { cwd: rig.directory, encoding: 'utf8' })).toBe('ttwwoo\n\n');
  });

  it('leaves nothing behind when its reader goes away', () => {
    rig.write('much', Buffer.alloc(3_000_000));
    const temporary = rig.path('temporary');
    mkdirSync(temporary, { recursive: true });
    const command = `${process.execPath} ${CLI} pipe --in much build/twice.elf | head -c 1; echo "\${PIPESTATUS[*]}"`;
    expect(execFileSync('bash', ['-c', command], { cwd: rig.directory, encoding: 'latin1', env: { ...process.env, TMPDIR: temporary } })).toBe('\x00141 0\n');
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('says what is wrong', async () => {
    expect((await rig.stillpoint(['pipe', "a.elf 'open"])).stderr).toMatch(/E_USAGE: a.elf 'open: a quote is not closed/);
    expect((await rig.stillpoint(['pipe', '--in', 'nothing', 'build/twice.elf'])).stderr).toMatch(/E_USAGE: stage twice: there is no file .*nothing$/m);
    expect((await rig.stillpoint(['pipe', 'build/fails.elf'])).stderr).toMatch(/E_CLUSTER_FAILED: node fails-0 of cluster pipe: it ended with status 7/);
  });
});
