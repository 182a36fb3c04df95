/**
 * What kill -9 leaves of `pipe` and `up` on the host: directories in $TMPDIR, of which the next command that makes one removes those whose process is gone, beside others that run.
 * STILLPOINT_SLOW=1 kills sixty times.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../src/session/index.ts';
import { randomBytes } from './link-conformance.ts';
import { ClusterRig, isRunning, isSlow, randomFrom, until } from './rig.ts';

const KILLS = isSlow ? 30 : 2;
const seed = Number(process.env['STILLPOINT_SEED'] ?? 20_261_127);

const rig = new ClusterRig();
const before = process.env['TMPDIR'];
const left = (): readonly string[] => readdirSync(tmpdir());
afterAll(() => {
  if (before === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = before;
  rig.close();
});

let undisturbed: string;
beforeAll(async () => {
  rig.compile('copy');
  rig.write('build/data', randomBytes(3, 3_000_000));
  mkdirSync(rig.path('tmp'));
  process.env['TMPDIR'] = rig.path('tmp');
  expect(await pipe('build/data', 'build/out').ended).toMatchObject({ status: 0 });
  undisturbed = rig.sha256('build/out');
  expect(left()).toEqual([]);
});

const pipe = (input: string, output: string): ReturnType<ClusterRig['start']> => {
  const stage = 'build/copy.elf /dev/stdin /dev/stdout 1';
  return rig.start(['pipe', stage, stage, '--processes', '2', '--no-progress', '--in', input, '--out', output]);
};

/** Kills a command, or it and its processes, after a while; resolves when nothing of it runs. */
async function killed({ child, ended }: ReturnType<ClusterRig['start']>, { afterMs, isWhole }: { readonly afterMs: number; readonly isWhole: boolean }): Promise<void> {
  await new Promise((done) => { setTimeout(done, afterMs); });
  const processes = rig.processesOf(child.pid!);
  for (const pid of [child.pid!, ...(isWhole ? processes : [])]) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  await ended;
  await until(() => !processes.some(isRunning), 'the end of all processes');
}

describe(`kill -9 at any moment (STILLPOINT_SEED=${seed})`, () => {
  it.each(['pipe', 'up'])('of %s: the next command leaves nothing of it, and takes nothing from one that runs', async (verb) => {
    const random = randomFrom(seed);
    rig.write('endless.yaml', `version: 1\nname: endless\ngroups:\n  a: { program: build/copy.elf, arguments: [/dev/in/data, /dev/out/b-0, "1"], files: { data: { in: build/never } } }\n  b: { program: build/copy.elf, arguments: [/dev/in/a-0, /dev/null, "2"] }\nchannels:\n  - { from: a, to: b }\nprocesses: 2\n`);
    writeFileSync(rig.path('build/never'), randomBytes(1, 20_000_000));
    const running = rig.start(['up', 'endless.yaml', '--ephemeral', '--no-logs', '--no-progress'], 'running');
    await until(() => left().length > 0, 'a directory for sockets');
    const [its = ''] = left();
    for (const pid of [running.child.pid!, ...rig.processesOf(running.child.pid!)]) process.kill(pid, 'SIGSTOP');
    let seen = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const command = verb === 'pipe' ? pipe('build/data', 'build/out') : rig.start(['up', 'pipeline.yaml', '--processes', '3', '--no-progress'], `up-${kill}`);
      await killed(command, { afterMs: kill === 0 ? 900 : random() * 2500, isWhole: kill % 2 === 0 });
      seen = Math.max(seen, left().length - 1);
      expect(left().every((name) => /^stillpoint-[0-9a-f]{8}-[0-9a-f]{8}-\d+-\d+-\w{6}$/.test(name)), left().join(' ')).toBe(true);
    }
    const last = pipe('build/data', 'build/out');
    expect(await last.ended).toMatchObject({ status: 0 });
    expect(rig.sha256('build/out')).toBe(undisturbed);
    expect(left()).toEqual([its]);
    if (isSlow) expect(seen).toBeGreaterThan(0);
    for (const pid of [...rig.processesOf(running.child.pid!), running.child.pid!]) process.kill(pid, 'SIGCONT');
    expect(await running.ended).toMatchObject({ status: 0 });
    expect(left()).toEqual([]);
  });
});

describe('a temporary directory', () => {
  it('stays when it is of another host, of a living process, or called otherwise; goes when its process or its boot is gone', () => {
    const own = temporaryDirectory().slice(tmpdir().length + 1);
    const [, host, boot, pid, started] = /^stillpoint-(\w+)-(\w+)-(\d+)-(\d+)-\w+$/.exec(own)!;
    const stays = [own, `stillpoint-00000000-${boot}-1-1-abcdef`, `stillpoint-${host}-${boot}-${pid}-${started}-abcdef`, `stillpoint-${host}-${boot}-1-1-abcde`, 'stillpoint-pipe-abcdef'];
    const goes = [`stillpoint-${host}-${boot}-1-1-abcdef`, `stillpoint-${host}-00000000-${pid}-${started}-abcdef`];
    for (const name of [...stays.slice(1), ...goes]) mkdirSync(join(tmpdir(), name));
    const next = temporaryDirectory().slice(tmpdir().length + 1);
    expect([...left()].sort()).toEqual([...stays, next].sort());
  });

  it('may have a path that is too long for sockets', async () => {
    const long = join(rig.path('tmp'), 'long'.repeat(20));
    mkdirSync(long);
    process.env['TMPDIR'] = long;
    expect(await pipe('build/data', 'build/out').ended).toMatchObject({ status: 0 });
    expect(rig.sha256('build/out')).toBe(undisturbed);
    expect(left()).toEqual([]);
  });
});
