/** What a user relies on between run, resume and replay: damage is named, owners are respected, caps and signals end a run as designed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import type { Table } from '../../src/store/index.ts';
import { Bench, CLI, complaint } from './command.ts';

const bench = new Bench();
const programs: Record<string, string> = {};

beforeAll(() => {
  programs['lines'] = bench.compile('lines.elf', `
    #include <stdio.h>
    #include <string.h>
    int main(int n, char **v) {
      FILE *in = fopen(v[1], "r"), *out = fopen(v[2], "w");
      if (!in || !out) { perror("open"); return 9; }
      char line[200]; unsigned long sum = 0; long count = 0;
      while (fgets(line, sizeof line, in)) { for (char *p = line; *p; p++) for (int k = 0; k < 20; k++) sum = sum * 31 + (unsigned char)*p + k; count++; if (count % 100 == 0) fprintf(out, "%ld %lu\\n", count, sum); }
      fprintf(out, "%ld lines %lu\\n", count, sum);
      return fclose(out) ? 1 : 3;
    }`);
  programs['spin'] = bench.compile('spin.elf', 'int main(void){volatile unsigned long i=0;for(;;)i++;}');
  programs['echo'] = bench.compile('echo.elf', '#include <stdio.h>\n#include <unistd.h>\nint main(void){char b[4096];ssize_t n;long calls=0;while((n=read(0,b,sizeof b))>0){write(1,b,n);calls++;}fprintf(stderr,"calls\\n");return n<0?4:0;}');
  programs['facts'] = bench.compile('facts.elf', `
    #include <stdio.h>
    #include <stdlib.h>
    #include <time.h>
    #include <sys/random.h>
    int main(void) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); unsigned long r; getrandom(&r, sizeof r, 0); printf("%ld %ld %lx\\n", (long)t.tv_sec, (long)time(0), r); return 0; }`);
  programs['fault'] = bench.compile('fault.elf', 'int main(void){*(volatile int*)8=1;return 0;}');
  programs['reader'] = bench.compile('reader.elf', `
    #include <errno.h>
    #include <fcntl.h>
    #include <stdio.h>
    #include <unistd.h>
    int main(int n, char **v) { int fd = open(v[1], O_RDONLY); char b[4]; for (;;) { ssize_t got = read(fd, b, sizeof b); if (got < 0) { printf("errno %d\\n", errno); return 1; } printf("%zd ", got); if (got == 0) { printf("end\\n"); return 0; } } }`);
  writeFileSync(bench.path('input'), Array.from({ length: 20_000 }, (_, index) => `line ${index * 7919} of the input`).join('\n'));
});
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

function record(name: string, options: readonly string[] = []): void {
  const seen = bench.stillpoint(['run', '--name', name, '--checkpoint-every', '15M', '--in', `i=${bench.path('input')}`, '--out', `o=${bench.path(`${name}.out`)}`, ...options, programs['lines']!, '/dev/in/i', '/dev/out/o']);
  expect([seen.status, seen.stderr]).toEqual([3, '']);
}

/** A cap a little beyond what a run has recorded, however fast the engine is. */
function beyond(name: string): string {
  const { instructions } = JSON.parse(bench.stillpoint(['show', name, '--json']).stdout) as { instructions: string };
  return String(BigInt(instructions) + 50_000_000n);
}

/** Changes one stored record by `change`; returns how many records the table has. */
async function damage(table: Table, change: (value: Uint8Array, index: number, count: number) => boolean): Promise<void> {
  const store = await openLmdbStore({ directory: bench.store, mode: 'existing' });
  const entries = [...store.range(table, { from: new Uint8Array([0]), to: new Uint8Array(40).fill(255) })];
  for (const [index, { key, value }] of entries.entries()) if (change(value, index, entries.length)) await store.commit({ puts: [{ table, key, value }] });
  await store.close();
}

describe('replay', () => {
  it('is identical from the start, between checkpoints and in parallel', () => {
    record('whole');
    const checkpoints = JSON.parse(bench.stillpoint(['checkpoints', 'whole', '--json']).stdout) as { number: number; root: string }[];
    expect(checkpoints.length).toBeGreaterThan(3);
    const whole = JSON.parse(bench.stillpoint(['replay', 'whole', '--json']).stdout) as { root: string; checkpoints: number; isIdentical: boolean; instructions: string };
    expect(whole).toMatchObject({ isIdentical: true, checkpoints: checkpoints.length, root: checkpoints.at(-1)!.root });
    expect(bench.stillpoint(['checkpoint', 'whole@2', '--name', 'second']).status).toBe(0);
    expect(bench.stillpoint(['replay', 'whole', '--from', 'second', '--to', '3']).status).toBe(0);
    const parallel = JSON.parse(bench.stillpoint(['replay', 'whole', '--jobs', '2', '--json']).stdout) as typeof whole;
    expect(parallel).toMatchObject({ isIdentical: true, instructions: whole.instructions, root: whole.root });
  });

  it('the same job gives the same instruction count and root in a second run', () => {
    record('again');
    const facts = (name: string): unknown => { const { root, instructions, programHash } = JSON.parse(bench.stillpoint(['show', name, '--json']).stdout) as Record<string, unknown>; return { root, instructions, programHash }; };
    expect(facts('again')).toEqual(facts('whole'));
    expect(readFileSync(bench.path('again.out'))).toEqual(readFileSync(bench.path('whole.out')));
  });

  it('needs no input file, no program file and no output file', () => {
    record('alone');
    rmSync(bench.path('alone.out'));
    const moved = new Bench();
    execFileSync('cp', ['-r', bench.store, moved.store]);
    expect(moved.stillpoint(['replay', 'alone']).status).toBe(0);
    rmSync(moved.directory, { recursive: true });
  });
});

describe('damage is found and named, each by its own code', () => {
  it('a changed output file', () => {
    record('output');
    appendFileSync(bench.path('output.out'), '');
    const bytes = readFileSync(bench.path('output.out'));
    bytes[100]! ^= 1;
    writeFileSync(bench.path('output.out'), bytes);
    const seen = bench.stillpoint(['replay', 'output']);
    expect([complaint(seen), seen.status]).toEqual(['E_OUTPUT_DAMAGED', 125]);
    expect(seen.stderr).toContain('output.out');
    expect(bench.stillpoint(['replay', 'output', '--jobs', '2'])).toMatchObject(seen);
    expect(bench.stillpoint(['replay', 'output', '--no-outputs']).status).toBe(0);
  });

  it.each<[string, Table, string[]]>([
    ['a journal frame', 'frames', ['E_JOURNAL_DAMAGED', 'E_JOURNAL_FORMAT']], ['a recorded input or program', 'blobs', ['E_BLOB_DAMAGED', 'E_PROGRAM_DAMAGED']],
    ['a page', 'packs' as Table, ['E_PAGE_DAMAGED', 'E_PAGE_MISSING', 'E_SNAPSHOT_FORMAT']], ['a node', 'nodes', ['E_PAGE_DAMAGED', 'E_PAGE_MISSING', 'E_SNAPSHOT_FORMAT']], ['a checkpoint record', 'checkpoints', ['E_SNAPSHOT_FORMAT']], ['a run record', 'runs', ['E_STORE_CORRUPT']],
  ])('%s', async (what, table, codes) => {
    const keep = new Bench();
    if (existsSync(bench.store)) execFileSync('cp', ['-r', bench.store, keep.store]);
    try {
      const name = `damaged-${table}`;
      record(name);
      await damage(table, (value) => { value[Math.floor(value.length / 2)]! ^= 0x10; return true; });
      const seen = bench.stillpoint(['replay', name, '--no-outputs']);
      expect(codes, `${what}: ${seen.stderr}`).toContain(complaint(seen));
      expect(seen.status).toBe(125);
    } finally {
      rmSync(bench.store, { recursive: true, force: true });
      if (existsSync(keep.store)) execFileSync('cp', ['-r', keep.store, bench.store]);
      rmSync(keep.directory, { recursive: true, force: true });
    }
  });
});

describe('owners', () => {
  it('a run that is being executed is not resumed a second time, and can be once its owner is dead', async () => {
    const first = bench.start(['run', '--name', 'owned', '--checkpoint-every', '100ms', programs['spin']!]);
    await bench.until(() => bench.stillpoint(['ls', '-q']).stdout.includes('owned'));
    const second = bench.stillpoint(['resume', 'owned']);
    expect([complaint(second), second.status]).toEqual(['E_RUN_OWNED', 125]);
    expect(second.stderr).toContain(String(first.pid));
    expect(complaint(bench.stillpoint(['rm', 'owned']))).toBe('E_RUN_OWNED');
    first.kill('SIGKILL');
    await first.ended;
    expect((JSON.parse(bench.stillpoint(['ls', '--json']).stdout) as { name: string; state: string }[]).find((run) => run.name === 'owned')?.state).toBe('interrupted');
    const third = bench.stillpoint(['resume', 'owned', '--max-instructions', beyond('owned')]);
    expect([third.status, complaint(third)]).toEqual([124, expect.stringContaining('no code')]);
    expect(bench.stillpoint(['rm', 'owned']).status).toBe(0);
  });

  it('two processes use one store at once', async () => {
    const runs = ['left', 'right'].map((name) => bench.start(['run', '--name', name, '--checkpoint-every', '5M', '--in', `i=${bench.path('input')}`, '--out', `o=${bench.path(`${name}.out`)}`, programs['lines']!, '/dev/in/i', '/dev/out/o']));
    for (const run of runs) expect((await run.ended).status).toBe(3);
    for (const name of ['left', 'right']) expect(bench.stillpoint(['replay', name]).status).toBe(0);
  });

  it('a name is taken once', () => {
    const seen = bench.stillpoint(['run', '--name', 'left', programs['facts']!]);
    expect([complaint(seen), seen.status]).toEqual(['E_RUN_EXISTS', 125]);
  });
});

describe('ends', () => {
  it('a run whose first process died before it made its output files resumes', () => {
    const output = bench.path('late.out');
    expect(bench.stillpoint(['run', '--name', 'late', '--max-instructions', '5000', '--out', `o=${output}`, '--in', `i=${bench.path('input')}`, programs['lines']!, '/dev/in/i', '/dev/out/o']).status).toBe(124);
    rmSync(output);
    expect(bench.stillpoint(['resume', 'late', '--max-instructions', '9G'])).toMatchObject({ status: 3, stderr: '' });
    expect(statSync(output).size).toBeGreaterThan(100);
  });

  it('the cap on instructions is exact and can be raised', () => {
    const seen = bench.stillpoint(['run', '--name', 'capped', '--max-instructions', '12345678', '--report', bench.path('report.json'), programs['spin']!]);
    expect(seen.status).toBe(124);
    expect(JSON.parse(readFileSync(bench.path('report.json'), 'utf8'))).toMatchObject({ instructions: '12345678', outcome: { kind: 'capped', cap: 'instructions' } });
    expect(complaint(bench.stillpoint(['resume', 'capped']))).toBe('E_USAGE');
    expect(bench.stillpoint(['resume', 'capped', '--max-instructions', '20M']).status).toBe(124);
    expect(bench.stillpoint(['replay', 'capped']).status).toBe(0);
  });

  it('a fault ends the guest with 128 + signal, never the host', () => {
    expect(bench.stillpoint(['run', '--name', 'fault', programs['fault']!])).toMatchObject({ status: 139, stderr: expect.stringMatching(/^stillpoint: the program was ended by signal 11 \(SIGSEGV\) at instruction \d+\n$/) as string });
    expect(bench.stillpoint(['replay', 'fault']).status).toBe(0);
  });

  it('Ctrl-C stops at a resumable point, also while input is waited for', async () => {
    const spinning = bench.start(['run', '--name', 'stopped', programs['spin']!]);
    await bench.until(() => bench.stillpoint(['ls', '-q']).stdout.includes('stopped'));
    spinning.kill('SIGHUP'); // The end of the terminal is one, too.
    expect(await spinning.ended).toMatchObject({ status: 129, stderr: expect.stringContaining('stillpoint resume stopped') as string });
    expect(bench.stillpoint(['resume', 'stopped', '--max-instructions', beyond('stopped')]).status).toBe(124);
    expect(bench.stillpoint(['replay', 'stopped']).status).toBe(0);
    const waiting = bench.start(['run', '--name', 'waiting', programs['echo']!], 'pipe');
    await bench.until(() => bench.stillpoint(['ls', '-q']).stdout.includes('waiting'));
    waiting.kill('SIGUSR1'); // Opens no debugger.
    await new Promise((done) => { setTimeout(done, 100); }); // That Node would have told by then.
    waiting.kill('SIGINT');
    expect(await waiting.ended).toMatchObject({ status: 130, stderr: expect.stringMatching(/^(?![^]*[Dd]ebugger)[^]*stillpoint resume waiting/) as string });
  });

  it('a reader that goes away stops the run in one line, and it can be resumed', () => {
    const big = bench.path('big');
    writeFileSync(big, 'x'.repeat(3_000_000));
    const script = `"${process.execPath}" "${CLI}" run --name piped "${programs['echo']!}" < "${big}" | head -c 100000 > "${bench.path('head')}"`;
    const result = spawnSync('bash', ['-c', `set -o pipefail; ${script}; echo "status \${PIPESTATUS[0]}"`], { encoding: 'utf8', env: { ...process.env, STILLPOINT_STORE: bench.store } });
    expect(result.stderr).toMatch(/^stillpoint: E_CHANNEL_CLOSED: .*\n$/);
    expect(result.stdout).toBe('status 125\n');
    const held = statSync(bench.path('head')).size;
    const resumed = bench.stillpoint(['resume', 'piped', '--have', `stdout=${held}`]);
    expect([resumed.status, resumed.stdout.length + held]).toEqual([0, 3_000_000]);
  });
});

describe('channels', () => {
  it.each([[9, '4 4 1 errno 122'], [10, '4 4 2 0 end'], [11, '4 4 2 0 end']])('a file of 10 bytes with a quota of %i', (quota, expected) => {
    writeFileSync(bench.path('ten'), '0123456789');
    for (const name of ['first', 'second']) {
      const seen = bench.stillpoint(['run', '--name', `quota-${quota}-${name}`, '--in', `t=${bench.path('ten')}`, '--limit', `t:get-bytes=${quota}`, programs['reader']!, '/dev/in/t']);
      expect(seen.stdout.trim()).toBe(expected);
    }
    expect(bench.stillpoint(['replay', `quota-${quota}-first`]).status).toBe(0);
  });

  it('@FILE gives the guest a file, and the report counts and hashes every direction', () => {
    const seen = bench.stillpoint(['run', '--name', 'at', '--report', bench.path('at.json'), programs['lines']!, `@${bench.path('input')}`, '/dev/stdout']);
    expect(seen.status).toBe(3);
    const { channels } = JSON.parse(readFileSync(bench.path('at.json'), 'utf8')) as { channels: { channel: string; input?: { bytes: number; sha256: string }; output?: { sha256: string } }[] };
    const sha = (path: string): string => execFileSync('sha256sum', [path], { encoding: 'utf8' }).slice(0, 64);
    writeFileSync(bench.path('at.out'), seen.stdout);
    expect(channels.find(({ channel }) => channel === 'input')?.input).toMatchObject({ bytes: statSync(bench.path('input')).size, sha256: sha(bench.path('input')) });
    expect(channels.find(({ channel }) => channel === 'stdout')?.output?.sha256).toBe(sha(bench.path('at.out')));
  });

  it('the sender cuts a pipe as it likes, the guest sees the same', () => {
    const counts = ['cat "$0"', 'dd if="$0" bs=1 2>/dev/null | dd bs=3 2>/dev/null', '(head -c 1000; sleep 0.3; cat) < "$0"'].map((sender, index) => {
      writeFileSync(bench.path('small'), Array.from({ length: 3000 }, (_, at) => String(at)).join(','));
      spawnSync('bash', ['-c', `${sender} | "${process.execPath}" "${CLI}" run --name cut-${index} "${programs['echo']!}"`, bench.path('small')], { env: { ...process.env, STILLPOINT_STORE: bench.store } });
      const { instructions, root } = JSON.parse(bench.stillpoint(['show', `cut-${index}`, '--json']).stdout) as { instructions: string; root: string };
      return `${instructions} ${root}`;
    });
    expect(new Set(counts).size).toBe(1);
  });

  it('an input file that vanishes or changes stops the run in one line', async () => {
    const path = bench.path('changing');
    mkdirSync(bench.path('d'), { recursive: true });
    writeFileSync(path, 'some line of text\n'.repeat(400_000));
    const run = bench.start(['run', '--name', 'changing', '--in', `i=${path}`, programs['lines']!, '/dev/in/i', '/dev/stdout']);
    await bench.until(() => bench.stillpoint(['ls', '-q']).stdout.includes('changing'));
    appendFileSync(path, 'more\n');
    const seen = await run.ended;
    expect([complaint(seen), seen.status]).toEqual(['E_CHANNEL_CHANGED', 125]);
  });
});

describe('looking at a store', () => {
  it('every verb prints facts for people and for machines', () => {
    record('looked-at', ['--env', 'A=b', '--clock', 'virtual:5', '--max-instructions', '900M']);
    for (const verb of ['show', 'log', 'checkpoints']) {
      expect(bench.stillpoint([verb, 'looked-at'])).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/\S/) as string });
      const lines = bench.stillpoint([verb, 'looked-at', '--json']).stdout;
      expect(() => { for (const text of verb === 'log' ? lines.trim().split('\n') : [lines]) JSON.parse(text); }).not.toThrow();
    }
    expect(bench.stillpoint(['ls', '-q', '--filter', 'name=looked*', '--filter', 'state=ended']).stdout).toBe('looked-at\n');
    expect(bench.stillpoint(['ls', '-q', '--filter', 'name=looked']).stdout).toBe('');
    const frames = (...options: readonly string[]): readonly number[] => bench.stillpoint(['log', 'looked-at', ...options]).stdout.trim().split('\n').map((line) => Number(line.trim().split(' ')[0]));
    const all = frames();
    expect([frames('--tail', '2'), frames('--from', '1', '--to', '2')]).toEqual([all.slice(-2), [1, 2]]);
  });
});

describe('clock and entropy', () => {
  it('read zero and one seeded stream by default', () => {
    const first = bench.stillpoint(['run', '--ephemeral', programs['facts']!]);
    expect(first.stdout).toMatch(/^0 0 [0-9a-f]+\n$/);
    expect(bench.stillpoint(['run', '--ephemeral', programs['facts']!]).stdout).toBe(first.stdout);
    expect(bench.stillpoint(['run', '--ephemeral', '--entropy', 'seed:5', programs['facts']!]).stdout).not.toBe(first.stdout);
  });

  it('recorded: real values, the same again on replay', () => {
    const seen = bench.stillpoint(['run', '--name', 'real', '--clock', 'recorded', '--entropy', 'recorded', programs['facts']!]);
    expect(Math.abs(Number(seen.stdout.split(' ')[0]) - Date.now() / 1000)).toBeLessThan(100);
    expect(bench.stillpoint(['replay', 'real'])).toMatchObject({ status: 0 });
  });
});
