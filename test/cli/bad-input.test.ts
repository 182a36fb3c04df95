/** Bad input of every kind: one line, a stable code, the exit status of the design, nothing half done. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, linkSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bench, CLI, complaint } from './command.ts';

const bench = new Bench();
let hello = '';

beforeAll(() => {
  hello = bench.compile('hello.elf', '#include <stdio.h>\nint main(void){puts("hello");return 0;}');
});
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

/** hello.elf with some bytes replaced. */
function patched(name: string, at: number, bytes: readonly number[]): string {
  const path = bench.path(name);
  copyFileSync(hello, path);
  const file = openSync(path, 'r+');
  writeSync(file, Uint8Array.from(bytes), 0, bytes.length, at);
  closeSync(file);
  return path;
}

function program(kind: string): string {
  const path = bench.path(`bad-${kind}`);
  switch (kind) {
    case 'missing': return path;
    case 'directory': mkdirSync(path, { recursive: true }); return path;
    case 'empty': writeFileSync(path, ''); return path;
    case 'text': writeFileSync(path, 'echo hi\n'); return path;
    case 'script': writeFileSync(path, '#!/bin/sh\necho hi\n'); return path;
    case 'device': return '/dev/null';
    case 'native': copyFileSync(process.execPath, path); truncateSync(path, 1_000_000); return path;
    case 'object': execFileSync('riscv64-linux-gnu-gcc', ['-c', '-x', 'c', '-', '-o', path], { input: 'int f(void){return 1;}' }); return path;
    case 'dynamic': execFileSync('riscv64-linux-gnu-gcc', ['-x', 'c', '-', '-o', path], { input: 'int main(void){return 1;}' }); return path;
    case 'truncated': copyFileSync(hello, path); truncateSync(path, 3000); return path;
    case 'cut-header': copyFileSync(hello, path); truncateSync(path, 40); return path;
    case 'entry-outside': return patched(`bad-${kind}`, 24, [0, 0, 0, 0x70, 0, 0, 0, 0]);
    case 'many-headers': return patched(`bad-${kind}`, 56, [0xff, 0xff]);
    case 'huge-segment': return patched(`bad-${kind}`, headerOf('LOAD') + 40, [0, 0, 0, 0, 0, 0, 0, 0x7f]);
    case 'far-segment': return patched(`bad-${kind}`, headerOf('LOAD') + 16, [0, 0, 0, 0, 0, 0x10, 0, 0]);
    default: throw new Error(kind);
  }
}

/** Offset of the first PT_LOAD header of hello.elf. */
function headerOf(_kind: 'LOAD'): number {
  const bytes = readFileSync(hello);
  for (let at = 64; ; at += 56) if (bytes.readUInt32LE(at) === 1) return at;
}

describe('programs that cannot be run', () => {
  it.each<[string, string[], number]>([
    ['missing', ['E_PROGRAM_NOT_FOUND'], 127], ['directory', ['E_PROGRAM_DIRECTORY'], 126], ['empty', ['E_PROGRAM_EMPTY'], 126], ['text', ['E_ELF_MAGIC'], 126], ['script', ['E_ELF_DYNAMIC'], 126],
    ['device', ['E_PROGRAM_UNREADABLE'], 126], ['native', ['E_ELF_MACHINE', 'E_ELF_TRUNCATED'], 126], ['object', ['E_ELF_KIND'], 126], ['dynamic', ['E_ELF_DYNAMIC'], 126],
    ['truncated', ['E_ELF_TRUNCATED'], 126], ['cut-header', ['E_ELF_TRUNCATED'], 126], ['entry-outside', ['E_ELF_ENTRY'], 126],
    ['many-headers', ['E_ELF_HEADER', 'E_ELF_TRUNCATED'], 126], ['huge-segment', ['E_ELF_SEGMENT', 'E_ELF_TOO_LARGE', 'E_ELF_OVERLAP'], 126],
    ['far-segment', ['E_ELF_SEGMENT', 'E_ELF_TOO_LARGE', 'E_ELF_ENTRY', 'E_ELF_HEADER'], 126],
  ])('%s', (kind, codes, status) => {
    const seen = bench.stillpoint(['run', '--out', `o=${bench.path(`made-${kind}`)}`, program(kind)]);
    expect(codes).toContain(complaint(seen));
    expect(seen.stderr).toContain(kind === 'device' ? '/dev/null' : `bad-${kind}`);
    if (kind === 'native') expect(seen.stderr).toContain('for x86-64, not for RISC-V');
    expect(seen).toMatchObject({ status, stdout: '' });
    expect(existsSync(bench.path(`made-${kind}`))).toBe(false);
    expect(bench.hasStore()).toBe(false);
  });
});

describe('wishes that cannot be met', () => {
  it.each<[string, string[], string]>([
    ['an unknown option', ['--frobnicate'], 'E_USAGE'], ['an engine that is none', ['--engine', 'steam'], 'E_USAGE'], ['a wrong size', ['--memory', '12Q'], 'E_USAGE'], ['a tiny memory', ['--memory', '4096'], 'E_USAGE'], ['a store without a name', ['--store', ''], 'E_USAGE'], ['a report without a name', ['--report', ''], 'E_USAGE'],
    ['a wrong clock', ['--clock', 'sundial'], 'E_USAGE'], ['a wrong seed', ['--entropy', 'seed:x'], 'E_USAGE'], ['a wrong interval', ['--checkpoint-every', 'often'], 'E_USAGE'],
    ['a channel without file', ['--in', 'a'], 'E_USAGE'], ['a channel with a wrong name', ['--in', 'a/b=/dev/null'], 'E_USAGE'], ['a missing input', ['--in', 'a=/no/such/file'], 'E_CHANNEL_OPEN'],
    ['an input that is a directory', ['--in', 'a=/tmp'], 'E_CHANNEL_OPEN'], ['an output in no directory', ['--out', 'a=/no/such/dir/file'], 'E_CHANNEL_OPEN'],
    ['a channel declared twice', ['--in', 'a=/dev/null', '--out', 'a=/tmp/x'], 'E_CHANNEL_DECLARATION'], ['a limit on no channel', ['--limit', 'zz:gets=1'], 'E_CHANNEL_DECLARATION'],
    ['a wrong limit', ['--limit', 'stdin:bananas=1'], 'E_USAGE'], ['a wrong run name', ['--name', 'a/b'], 'E_RUN_NAME'], ['a missing manifest', ['--manifest', '/no/such.yaml'], 'E_HOST_FILE E_MANIFEST'],
    ['a working directory that is not there', ['--cwd', '/nowhere'], 'E_USAGE'],
  ])('%s', (_what, options, codes) => {
    const seen = bench.stillpoint(['run', ...options, hello]);
    expect(seen.status).toBe(125);
    expect(seen.stdout).toBe('');
    expect(codes.split(' ')).toContain(complaint(seen));
    expect(seen.stderr).not.toMatch(/ at .*\.js/);
    const names = bench.hasStore() ? bench.stillpoint(['ls', '-q']).stdout : '';
    expect(names.split('\n').filter((name) => name !== '')).toEqual([]);
  });
});

describe('nothing is left half done', () => {
  it('an output that cannot be opened leaves the outputs before it as they were', () => {
    writeFileSync(bench.path('kept'), 'what was there');
    symlinkSync('/no/such/directory/file', bench.path('dangling'));
    const seen = bench.stillpoint(['run', '--out', `a=${bench.path('fresh')}`, '--out', `b=${bench.path('kept')}`, '--out', `c=${bench.path('dangling')}`, hello]);
    expect([complaint(seen), seen.status]).toEqual(['E_CHANNEL_OPEN', 125]);
    expect(existsSync(bench.path('fresh'))).toBe(false);
    expect(readFileSync(bench.path('kept'), 'utf8')).toBe('what was there');
  });

  it('what is written is nothing else that the command names, whatever the names', () => {
    const own = bench.makeDirectory('apart');
    writeFileSync(`${own}/in`, 'in');
    copyFileSync(hello, `${own}/p.elf`);
    linkSync(`${own}/in`, `${own}/hard`);
    symlinkSync('in', `${own}/soft`);
    symlinkSync(own, `${own}/here`);
    const at = (name: string): string => `${own}/${name}`;
    for (const [wishes, program] of [[['--in', `a=${at('in')}`, '--out', `b=${at('hard')}`]], [['--out', `a=${at('new')}`, '--append', `b=${at('here/new')}`]], [['--report', at('p.elf')], at('p.elf')],
      [['--ephemeral', '--report', at('soft'), '--in', `a=${at('in')}`]], [['--report', `${bench.path('full')}/data.mdb`, '--store', bench.path('full')]]] as const) {
      if (wishes.includes('--store' as never)) expect(bench.stillpoint(['run', '--store', bench.path('full'), hello]).status).toBe(0);
      const seen = bench.stillpoint(['run', ...wishes, program ?? hello]);
      expect([wishes.join(' '), complaint(seen), seen.status]).toEqual([wishes.join(' '), 'E_USAGE', 125]);
    }
    expect(bench.stillpoint(['ls', '--store', bench.path('full')]).status).toBe(0);
    expect(['in', 'new'].map((name) => (existsSync(at(name)) ? readFileSync(at(name), 'utf8') : undefined))).toEqual(['in', undefined]);
    expect(Buffer.compare(readFileSync(at('p.elf')), readFileSync(hello))).toBe(0);
    expect(bench.stillpoint(['run', '--ephemeral', '--out', 'a=/dev/null', '--in', `b=${at('in')}`, '--in', `c=${at('soft')}`, '--report', '/dev/null', hello]).status).toBe(0);
  });

  it('a report that cannot be written is noticed before the run', () => {
    const seen = bench.stillpoint(['run', '--name', 'unreported', '--report', '/no/such/dir/report', '--out', `a=${bench.path('unmade')}`, hello]);
    expect([complaint(seen), seen.status, seen.stdout, existsSync(bench.path('unmade'))]).toEqual(['E_HOST_FILE', 125, '', false]);
    const resumed = bench.stillpoint(['resume', 'unreported', '--report', '/no/such/dir/report']);
    expect([complaint(resumed), resumed.status]).toEqual(['E_HOST_FILE', 125]);
  });

  it('the message about --memory offers only what is taken', () => {
    const seen = bench.stillpoint(['run', '--memory', '4G', hello]);
    expect(seen.stderr).toContain('from 2M to 4079M');
    expect(bench.stillpoint(['run', '--ephemeral', '--memory', '4079M', hello]).status).toBe(0);
  });
});

describe('a mistake of the command line is one line with a code', () => {
  it.each([[['frobnicate']], [['resume']], [['rm']], [['cc']], [['replay', '--jobs']], [['ls', 'too', 'many']], [['help', 'frobnicate']], [['image', 'help', 'frobnicate']], [['help', 'image', 'frobnicate']]])('%j', (words) => {
    const seen = bench.stillpoint(words);
    expect([complaint(seen), seen.status, seen.stdout]).toEqual(['E_USAGE', 125, '']);
    expect(seen.stderr.trimEnd()).not.toContain('\n');
  });

  it('an exported file that cannot be made is told by the name that was asked for', () => {
    const store = bench.path('exporting');
    expect(bench.stillpoint(['run', '--store', store, '--name', 'told', hello]).status).toBe(0);
    for (const more of [[], ['--oci']]) {
      const seen = bench.stillpoint(['export', ...more, '--store', store, 'told', '/proc/no-such/told.stillpoint']);
      expect([complaint(seen), seen.status, seen.stdout, seen.stderr.includes('aside')]).toEqual(['E_HOST_FILE', 125, '', false]);
    }
  });

  it('nothing is exported to what has no name, and no layout to standard output', () => {
    for (const words of [['told', ''], ['--oci', 'told', ''], ['--oci', 'told', '-']]) {
      expect(complaint(bench.stillpoint(['export', '--store', bench.path('exporting'), ...words]))).toBe('E_USAGE');
    }
    expect(existsSync(bench.path('-'))).toBe(false);
  });

  it('a file that is exported under the name of a symbolic link is written where the link points', () => {
    const store = bench.path('exporting');
    writeFileSync(bench.path('target'), 'what was there');
    symlinkSync(bench.path('target'), bench.path('link'));
    for (const [verb, begins] of [[['export'], 'stillpoint-export'], [['image', 'export'], '\0\0\0\0']] as const) {
      expect(bench.stillpoint([...verb, '--store', store, 'told', bench.path('link')]).status).toBe(0);
      expect([lstatSync(bench.path('link')).isSymbolicLink(), readFileSync(bench.path('target'), 'latin1').startsWith(begins)]).toEqual([true, true]);
    }
    const streamed = bench.stillpoint(['image', 'export', '--store', store, 'told', '-']);
    expect([streamed.status, streamed.stdout, existsSync(bench.path('-'))]).toEqual([0, readFileSync(bench.path('target'), 'latin1'), false]);
  });

  it('help of a command in a group is the help of that command', () => {
    expect(bench.stillpoint(['help', 'image', 'ls']).stdout).toMatch(/^Usage: stillpoint image ls /);
  });

  it('--json changes nothing about it', () => {
    const none = bench.path('no-store');
    for (const [words, code] of [[['ls', '--json', '--store', none], 'E_STORE_OPEN'], [['fsck', '--json', '--store', none], 'E_STORE_OPEN'], [['image', 'ls', '--json', '--frobnicate'], 'E_USAGE']] as const) {
      const seen = bench.stillpoint(words);
      expect([seen.status, seen.stdout, complaint(seen)]).toEqual([125, '', code]);
    }
  });

  it('--json of a run that reached its cap is the report and nothing else', () => {
    const seen = bench.stillpoint(['run', '--ephemeral', '--json', '--max-instructions', '10', hello]);
    expect([seen.status, JSON.parse(seen.stderr)]).toEqual([124, expect.objectContaining({ outcome: { kind: 'capped', cap: 'instructions' } })]);
  });

  it('a run whose resume is refused at its cap has ended as it had', () => {
    expect(bench.stillpoint(['run', '--name', 'capped', '--max-instructions', '10', hello]).status).toBe(124);
    expect(complaint(bench.stillpoint(['resume', 'capped']))).toBe('E_USAGE');
    expect(bench.stillpoint(['ls', '--filter', 'name=capped']).stdout).toMatch(/capped +ended +cap instructions/);
  });

  it('plan says which programs are not there', () => {
    writeFileSync(bench.path('plan.yaml'), `version: 1\ngroups:\n  here: { program: ${hello} }\n  gone: { program: ${bench.path('gone.elf')}, count: 3 }\n`);
    const seen = bench.stillpoint(['plan', bench.path('plan.yaml')]);
    expect([seen.status, seen.stderr]).toEqual([0, `stillpoint: there is no program ${bench.path('gone.elf')} yet (gone-0 and 2 more)\n`]);
  });

  it('a standard stream that cannot be opened leaves no run behind', () => {
    const directory = openSync(bench.directory, 'r');
    const seen = spawnSync(process.execPath, [CLI, 'run', '--name', 'never-began', '--store', bench.path('streams'), hello], { stdio: [directory, 'pipe', 'pipe'], encoding: 'utf8' });
    closeSync(directory);
    expect([complaint(seen), seen.status, seen.stdout]).toEqual(['E_CHANNEL_OPEN', 125, '']);
    expect(bench.stillpoint(['ls', '-q', '--store', bench.path('streams')])).toMatchObject({ status: 0, stdout: '' });
  });
});

describe('stores that are none', () => {
  it('a directory with other things in it is left alone', () => {
    const foreign = bench.makeDirectory('foreign');
    writeFileSync(`${foreign}/letter.txt`, 'dear');
    const seen = bench.stillpoint(['run', '--store', foreign, hello]);
    expect([complaint(seen), seen.status]).toEqual(['E_STORE_FOREIGN', 125]);
    expect(readdirSync(foreign)).toEqual(['letter.txt']);
  });

  it('a file is no store', () => {
    writeFileSync(bench.path('file-store'), 'x');
    const seen = bench.stillpoint(['run', '--store', bench.path('file-store'), hello]);
    expect(['E_STORE_FOREIGN', 'E_STORE_OPEN']).toContain(complaint(seen));
    expect(seen.status).toBe(125);
  });

  it('garbage where the data should be is named', () => {
    const broken = bench.makeDirectory('broken');
    writeFileSync(`${broken}/data.mdb`, Buffer.alloc(40_000, 0x5a));
    const seen = bench.stillpoint(['ls', '--store', broken]);
    expect(['E_STORE_FOREIGN', 'E_STORE_CORRUPT', 'E_STORE_OPEN']).toContain(complaint(seen));
    expect(seen.status).toBe(125);
  });

  it('a data file that is no file is left alone by a repair', () => {
    for (const [name, make] of Object.entries({ pipe: (path: string) => execFileSync('mkfifo', [path]), directory: (path: string) => mkdirSync(path), device: (path: string) => symlinkSync('/dev/zero', path) })) {
      const strange = bench.makeDirectory(`strange-${name}`);
      make(`${strange}/data.mdb`);
      const seen = bench.stillpoint(['fsck', '--repair', '--store', strange]);
      expect([name, complaint(seen), seen.status, readdirSync(strange)]).toEqual([name, 'E_STORE_FOREIGN', 125, ['data.mdb']]);
    }
  });

  it('looking at a store that is not there makes none', () => {
    for (const verb of [['ls'], ['show', 'x'], ['log', 'x'], ['checkpoints', 'x'], ['replay', 'x'], ['resume', 'x'], ['rm', 'x']]) {
      const seen = bench.stillpoint([...verb, '--store', bench.path('nowhere')]);
      expect([complaint(seen), seen.status, existsSync(bench.path('nowhere'))]).toEqual(['E_STORE_OPEN', 125, false]);
    }
  });

  it('runs can be removed on a disk without a free byte', () => {
    const small = bench.makeDirectory('no-byte');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200m', 'tmpfs', small]);
    try {
      const filler = bench.compile('filler-16.elf', '#include <stdlib.h>\n#include <stdio.h>\nint main(void){unsigned*p=malloc(16<<20);for(unsigned i=0;i<4u<<20;i++)p[i]=i*2654435761u;printf("%u\\n",p[12345]);return 0;}');
      for (const name of ['one', 'two']) {
        expect(bench.stillpoint(['run', '--store', bench.path('roomy'), '--name', name, name === 'one' ? filler : hello]).status).toBe(0);
        expect(bench.stillpoint(['export', name, bench.path(`${name}.stillpoint`), '--store', bench.path('roomy')]).status).toBe(0);
        expect(bench.stillpoint(['import', bench.path(`${name}.stillpoint`), '--store', `${small}/store`]).status).toBe(0); // A database without free pages.
      }
      spawnSync('dd', ['if=/dev/zero', `of=${small}/rest`, 'bs=1k']);
      for (const [name, rest] of [['one', 'two\n'], ['two', '']] as const) {
        const seen = bench.stillpoint(['rm', name, '--store', `${small}/store`]);
        expect([seen.status, seen.stdout], seen.stderr).toEqual([0, '']);
        expect(bench.stillpoint(['ls', '-q', '--store', `${small}/store`]).stdout).toBe(rest);
        expect(bench.stillpoint(['fsck', '--store', `${small}/store`]).status).toBe(0);
      }
    } finally {
      execFileSync('umount', [small]);
    }
  });

  it('a full disk stops the run in one line and keeps what was committed', () => {
    const small = bench.makeDirectory('small');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', small]);
    try {
      const filler = bench.compile('filler.elf', '#include <stdlib.h>\n#include <stdio.h>\nint main(void){unsigned*p=malloc(64<<20);for(unsigned i=0;i<16u<<20;i++)p[i]=i*2654435761u;printf("%u\\n",p[12345]);return 0;}');
      const seen = bench.stillpoint(['run', '--store', `${small}/store`, '--checkpoint-every', '5M', '--name', 'full', filler]);
      expect([complaint(seen), seen.status, seen.stdout]).toEqual(['E_DISK_FULL', 125, '']);
      expect(bench.stillpoint(['ls', '-q', '--store', `${small}/store`]).stdout).toBe('full\n');
      execFileSync('mount', ['-o', 'remount,size=200m', small]);
      const resumed = bench.stillpoint(['resume', 'full', '--store', `${small}/store`]);
      expect([resumed.status, resumed.stdout, resumed.stderr]).toEqual([0, `${(12345 * 2654435761) % 2 ** 32}\n`, '']);
    } finally {
      execFileSync('umount', [small]);
    }
  });
});
