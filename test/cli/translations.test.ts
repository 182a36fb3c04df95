/** The translation cache: a second start uses it, and nothing that happens to its files or to the program changes a bit. */
import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bench } from './command.ts';

/** V8 14 (Node 26) has no function that gives machine code. */
const hasMachineCode = Number.parseInt(process.versions.v8, 10) < 14;
const bench = new Bench();
const cache = bench.path('cache');
let program = '';
let plain: Facts;

const SOURCE = `
  #include <stdio.h>
  #include <sys/wait.h>
  #include <unistd.h>
  unsigned table[4096];
  __attribute__((noinline)) unsigned mix(unsigned x) { return (x ^ (x >> 7)) * 2654435761u + SEED; }
  __attribute__((noinline)) unsigned work(unsigned x, int n) { for (int i = 0; i < n; i++) { x = mix(x + i); table[x % 4096] += x; switch (x % 5) { case 0: x++; break; case 1: x ^= 9; break; case 2: x -= 3; break; case 3: x *= 5; } } return x; }
  int main(int n, char **v) { if (n > 1) for (int i = 0; i < 3; i++) { if (fork() == 0) { printf("%u\\n", work(i, 300000)); return 0; } wait(0); } printf("%u\\n", work(7, 300000)); return 0; }`;

interface Facts { readonly root: string; readonly instructions: string; readonly stdout: string; readonly kept: number }

let runs = 0;
function run(path: string, directory: string, programArguments: readonly string[] = []): Facts {
  const name = `run-${runs++}`;
  const seen = bench.stillpoint(['run', '--name', name, '--report', bench.path('report'), path, ...programArguments], '', { STILLPOINT_TRANSLATIONS: directory });
  expect([seen.status, seen.stderr]).toEqual([0, '']);
  const { root, instructions, host } = JSON.parse(readFileSync(bench.path('report'), 'utf8')) as { root: string; instructions: string; host: { translation: { keptModules: number } } };
  return { root, instructions, stdout: seen.stdout, kept: host.translation.keptModules };
}

const ENGINE = '-engine.translations';
/** Of programs; one more has the engine's own modules. */
function files(): string[] {
  return readdirSync(cache).filter((name) => !name.endsWith(ENGINE)).map((name) => join(cache, name));
}

/** Where a program ran that is long enough for V8 to optimise it, and the engine's modules. */
const optimised = bench.path('machine-code');
function engineFile(): string {
  return join(optimised, readdirSync(optimised).find((name) => name.endsWith(ENGINE))!);
}

function damages(file: string): readonly (() => void)[] {
  const whole = readFileSync(file);
  return [
    ...[0, 20, 60, whole.length >> 1, whole.length - 1].map((at) => () => { const bytes = Buffer.from(whole); bytes[at]! ^= 4; writeFileSync(file, bytes); }),
    () => { truncateSync(file, whole.length - 100); }, () => { truncateSync(file, 0); },
  ];
}

beforeAll(() => {
  program = bench.compile('job.elf', SOURCE, ['-O2', '-DSEED=11']);
  plain = run(program, 'off');
});
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

describe('the translation cache', () => {
  it('is filled by one run and used by the next, for the same bits', () => {
    expect(plain.kept).toBe(0);
    expect(run(program, cache)).toEqual(plain);
    expect(files().length).toBe(1);
    expect([statSync(cache).mode & 0o777, statSync(files()[0]!).mode & 0o777]).toEqual([0o700, 0o600]);
    const { kept, ...facts } = run(program, cache);
    expect(kept).toBeGreaterThan(0);
    expect({ ...facts, kept: 0 }).toEqual(plain);
  });

  it('holds what V8 has optimised, as far as it came, and it is used for the same bits', () => {
    const long = bench.compile('long.elf', SOURCE.replaceAll('300000', '20000000'), ['-O2', '-DSEED=11']);
    const expected = run(long, 'off');
    for (let index = 0; index < 3; index++) expect({ ...run(long, optimised), kept: 0 }).toEqual(expected);
    const { translations } = JSON.parse(bench.stillpoint(['stats', '--json'], '', { STILLPOINT_TRANSLATIONS: optimised }).stdout) as { translations: { machineCodeBytes: number } };
    if (hasMachineCode) expect(translations.machineCodeBytes).toBeGreaterThan(1000);
    else expect(translations.machineCodeBytes).toBe(0);
  });

  it('is told by stats, as it stands in its files', () => {
    const stats = (directory: string, ...more: readonly string[]): string => bench.stillpoint(['stats', ...more], '', { STILLPOINT_TRANSLATIONS: directory }).stdout;
    const { translations } = JSON.parse(stats(cache, '--json')) as { translations: Readonly<Record<string, number>> };
    expect(translations).toMatchObject({ directory: cache, programs: 1, fileBytes: readdirSync(cache).reduce((sum, name) => sum + statSync(join(cache, name)).size, 0) });
    for (const fact of ['units', 'instructions', 'codeBytes', 'milliseconds']) expect(translations[fact], fact).toBeGreaterThan(0);
    expect(stats(cache)).toMatch(/translations of 1 programs: [0-9]+ units of [0-9]+ instructions, .*B of code made in [0-9.]+ s, .*B of machine code; .*B in /);
    expect(JSON.parse(stats('off', '--json'))).not.toHaveProperty('translations');
  });

  it('is passed over and written anew when its file is damaged in any place', () => {
    for (const damage of damages(files()[0]!)) {
      damage();
      expect(run(program, cache)).toEqual(plain);
    }
    expect(run(program, cache).kept).toBeGreaterThan(0);
  });

  it.skipIf(!hasMachineCode)('begins with an engine of its own where the kept one is damaged', () => {
    for (const damage of damages(engineFile())) {
      damage();
      expect({ ...run(program, optimised), kept: 0 }).toEqual(plain);
    }
  });

  it('is not trusted when others may write to it', () => {
    const [file] = files() as [string];
    chmodSync(file, 0o622);
    expect(run(program, cache)).toEqual(plain);
    chmodSync(cache, 0o777);
    expect(run(program, cache)).toEqual(plain);
    chmodSync(cache, 0o700);
  });

  it('is not used for other code, even where its file says so', () => {
    const other = bench.compile('other.elf', SOURCE, ['-O2', '-DSEED=12']);
    const expected = run(other, 'off');
    const [mine] = files() as [string];
    run(other, cache);
    const theirs = files().find((file) => file !== mine)!;
    copyFileSync(mine, theirs);
    const { root, stdout } = run(other, cache);
    expect({ root, stdout }).toEqual({ root: expected.root, stdout: expected.stdout });
  });

  it('is shared by the processes of one machine', () => {
    const expected = run(program, 'off', ['fork']);
    const { kept, ...facts } = run(program, bench.path('fresh'), ['fork']);
    expect(kept).toBeGreaterThan(0);
    expect({ ...facts, kept: 0 }).toEqual(expected);
  });

  it('survives a process that is killed, and does without a directory', async () => {
    const victim = bench.start(['run', '--ephemeral', program]);
    victim.kill('SIGKILL');
    await victim.ended;
    expect(run(program, cache).root).toBe(plain.root);
    writeFileSync(bench.path('no-directory'), '');
    expect(run(program, bench.path('no-directory'))).toEqual(plain);
    expect(existsSync(bench.path('no-directory'))).toBe(true);
  });
});
