/** `--image` as a user meets it: programs found through PATH, runs that survive their archive, removal that keeps what others need. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bench, complaint } from '../cli/command.ts';

const bench = new Bench();
const SUM = `
  #include <stdio.h>
  #include <string.h>
  int main(int n, char **v) {
    for (int i = 1; i < n; i++) {
      FILE *in = fopen(v[i], "r");
      if (!in) { perror(v[i]); continue; }
      unsigned long sum = 0;
      for (int c; (c = getc(in)) != EOF;) for (int k = 0; k < 10; k++) sum = sum * 31 + c + k;
      printf("%s %lu\\n", v[i], sum);
      fclose(in);
    }
    return 7;
  }`;

beforeAll(() => {
  const root = bench.makeDirectory('root');
  for (const name of ['usr/bin', 'data', 'etc']) fs.mkdirSync(`${root}/${name}`, { recursive: true });
  fs.copyFileSync(bench.compile('sum', SUM), `${root}/usr/bin/sum`);
  fs.symlinkSync('usr/bin', `${root}/bin`);
  fs.symlinkSync('sum', `${root}/usr/bin/total`);
  fs.writeFileSync(`${root}/data/a`, 'alpha\n'.repeat(50_000));
  fs.writeFileSync(`${root}/data/b`, 'beta\n');
  execFileSync('tar', ['-C', root, '--owner=0', '--group=0', '-cf', bench.path('root.tar'), '.']);
  execFileSync('tar', ['-C', root, '--owner=0', '--group=0', '-czf', bench.path('root.tar.gz'), '.']);
  const upper = bench.makeDirectory('upper');
  fs.mkdirSync(`${upper}/data`);
  fs.writeFileSync(`${upper}/data/.wh.b`, '');
  fs.writeFileSync(`${upper}/data/c`, 'gamma\n');
});
afterAll(() => { fs.rmSync(bench.directory, { recursive: true, force: true }); });

describe('--image', () => {

  it('finds PROGRAM in the image: through PATH, by absolute path, through links', () => {
    const run = (program: string): [number | null, string] => {
      const seen = bench.stillpoint(['run', '--ephemeral', '--image', 'root.tar', program, '/data/b']);
      return [seen.status, seen.stdout];
    };
    const answer = run('sum');
    expect(answer[0]).toBe(7);
    expect(answer[1]).toMatch(/^\/data\/b \d+\n$/);
    for (const program of ['total', '/usr/bin/sum', '/bin/total', './sum']) expect(run(program)).toEqual(answer);
  });

  it('takes directories, archives and gzip archives alike, over each other and at a place', () => {
    const sums = (images: readonly string[], files: readonly string[]): Record<string, string> => {
      const { stdout } = bench.stillpoint(['run', '--ephemeral', ...images.flatMap((image) => ['--image', image]), './sum', ...files]);
      return Object.fromEntries(stdout.trim().split('\n').map((line) => line.split(' ') as [string, string]));
    };
    const plain = sums(['root.tar'], ['/data/a', '/data/b']);
    expect(Object.keys(plain)).toEqual(['/data/a', '/data/b']);
    for (const image of ['root.tar.gz', 'root']) expect(sums([image], ['/data/a', '/data/b'])).toEqual(plain);
    const layered = sums(['root.tar', 'upper'], ['/data/a', '/data/b', '/data/c']);
    expect(layered).toMatchObject({ '/data/a': plain['/data/a'] });
    expect(Object.keys(layered)).toEqual(['/data/a', '/data/c']);
    expect(Object.keys(sums(['root.tar:/mnt/x', 'upper:/mnt'], ['/mnt/x/data/a', '/mnt/data/c', '/data/a']))).toEqual(['/mnt/x/data/a', '/mnt/data/c']);
  });

  it('a recorded run needs its archive no more: cap, resume, replay; other runs may be removed', () => {
    fs.copyFileSync(bench.path('root.tar'), bench.path('gone.tar'));
    const options = ['--image', 'gone.tar', '--checkpoint-every', '1M'];
    expect(bench.stillpoint(['run', '--name', 'whole', ...options, 'sum', '/data/a', '/data/b']).status).toBe(7);
    expect(bench.stillpoint(['run', '--name', 'cut', ...options, '--max-instructions', '4M', 'sum', '/data/a', '/data/b']).status).toBe(124);
    fs.rmSync(bench.path('gone.tar'));
    expect(bench.stillpoint(['rm', 'whole']).status).toBe(0);
    const resumed = bench.stillpoint(['resume', 'cut', '--max-instructions', '1G']);
    expect([resumed.status, resumed.stderr]).toEqual([7, '']);
    const replayed = bench.stillpoint(['replay', 'cut']);
    expect([replayed.status, replayed.stderr]).toEqual([0, '']);
    expect(bench.stillpoint(['rm', 'cut']).status).toBe(0);
  });

  it('named images: import, ls, run, rm; names and runs keep what they need from the collector', () => {
    fs.copyFileSync(bench.path('root.tar'), bench.path('named.tar'));
    expect(bench.stillpoint(['image', 'import', 'base', 'named.tar']).status).toBe(0);
    expect(bench.stillpoint(['image', 'import', 'top', 'upper']).status).toBe(0);
    expect(complaint(bench.stillpoint(['image', 'import', 'base', 'upper']))).toBe('E_IMAGE_EXISTS');
    expect(complaint(bench.stillpoint(['image', 'import', 'no/name', 'upper']))).toBe('E_IMAGE_NAME');
    fs.rmSync(bench.path('named.tar'));
    const listed = JSON.parse(bench.stillpoint(['image', 'ls', '--json']).stdout) as { name: string; inodes: number; digest: string }[];
    expect(listed.map(({ name }) => name)).toEqual(['base', 'top']);
    expect(bench.stillpoint(['image', 'ls', '-q']).stdout).toBe('base\ntop\n');
    expect(bench.stillpoint(['gc']).status).toBe(0);
    const over = ['--image', 'base', '--image', 'top', 'sum', '/data/a', '/data/b', '/data/c'];
    const first = bench.stillpoint(['run', '--name', 'over', ...over]);
    expect([first.status, first.stdout.split('\n').length]).toEqual([7, 3]);
    expect(bench.stillpoint(['run', '--ephemeral', ...over]).stdout).toBe(first.stdout);
    expect(bench.stillpoint(['image', 'rm', 'base', 'top']).status).toBe(0);
    expect(complaint(bench.stillpoint(['image', 'rm', 'base']))).toBe('E_IMAGE_UNKNOWN');
    expect(bench.stillpoint(['gc']).status).toBe(0);
    expect(bench.stillpoint(['replay', 'over']).status).toBe(0);
    expect(bench.stillpoint(['rm', 'over']).status).toBe(0);
    expect(bench.stillpoint(['gc', '--json']).stdout).toContain('"blobs": 0');
    expect(bench.stillpoint(['image', 'ls', '--json']).stdout).toBe('[]\n');
  });

  it('what a guest changed becomes a layer: at the end, from a stored run, from a checkpoint', () => {
    const writer = bench.compile('writer', `
      #include <stdio.h>
      #include <unistd.h>
      int main(void) {
        unlink("/work/b"); rename("/work/a", "/work/moved");
        FILE *out = fopen("/work/new", "w"); fprintf(out, "written\\n"); fclose(out);
        volatile unsigned long spin = 0; for (int i = 0; i < 3000000; i++) spin += i;
        out = fopen("/work/late", "w"); fprintf(out, "late\\n"); return fclose(out);
      }`);
    const base = bench.makeDirectory('base');
    for (const name of ['a', 'b', 'same']) fs.writeFileSync(`${base}/${name}`, `${name}\n`);
    const options = ['--image', './base:/work', '--cwd', '/work'];
    expect(bench.stillpoint(['run', '--name', 'change', '--checkpoint-every', '5M', ...options, '--export-layer', 'one.tar', writer]).status).toBe(0);
    expect(bench.stillpoint(['run', '--ephemeral', ...options, '--export-layer', 'two.tar', writer]).status).toBe(0);
    expect(bench.stillpoint(['image', 'export', 'change', 'three.tar']).status).toBe(0);
    const bytes = (name: string): Buffer => fs.readFileSync(bench.path(name));
    expect(bytes('two.tar').equals(bytes('one.tar'))).toBe(true);
    expect(bytes('three.tar').equals(bytes('one.tar'))).toBe(true);
    const names = (name: string): string[] => execFileSync('tar', ['-tf', bench.path(name)], { encoding: 'utf8' }).trim().split('\n');
    expect(names('one.tar')).toEqual(['work/', 'work/.wh.a', 'work/.wh.b', 'work/late', 'work/moved', 'work/new']);
    expect(bench.stillpoint(['image', 'export', 'change@1', 'early.tar']).status).toBe(0);
    expect(names('early.tar')).toEqual(['work/', 'work/.wh.a', 'work/.wh.b', 'work/moved', 'work/new']);
    const seen = bench.stillpoint(['run', '--ephemeral', ...options, '--image', 'one.tar', './sum', '/work/a', '/work/moved', '/work/new', '/work/same', '/work/b']);
    expect(seen.stdout.split('\n').map((line) => line.split(' ')[0])).toEqual(['/work/moved', '/work/new', '/work/same', '']);
    expect(complaint(bench.stillpoint(['run', '--ephemeral', ...options, '--export-layer', 'no/such/dir.tar', writer]))).toBe('E_HOST_FILE');
    expect(fs.readdirSync(bench.directory).filter((name) => name.includes('.new-'))).toEqual([]);
  });

  it('a run that was capped or killed exports, when it is resumed, the layer of an undisturbed one', async () => {
    const writer = bench.compile('slow-writer', `
      #include <stdio.h>
      #include <unistd.h>
      int main(int n, char **v) {
        unlink("/work/b"); rename("/work/a", "/work/moved");
        FILE *out = fopen("/work/new", "w"); fprintf(out, "written\\n"); fclose(out);
        if (n > 1) { out = fopen(v[1], "w"); fprintf(out, "begun\\n"); fclose(out); }
        volatile unsigned long spin = 0; for (int i = 0; i < 60000000; i++) spin += i;
        out = fopen("/work/late", "w"); fprintf(out, "late\\n"); return fclose(out);
      }`);
    const base = bench.makeDirectory('killed-base');
    for (const name of ['a', 'b', 'same']) fs.writeFileSync(`${base}/${name}`, `${name}\n`);
    const run = (name: string, ...extra: readonly string[]): string[] => ['run', '--name', name, '--image', './killed-base:/work', '--cwd', '/work', '--checkpoint-every', '20M', '--out', `mark=${name}.mark`, ...extra, writer, '/dev/out/mark'];
    expect(bench.stillpoint(run('whole', '--export-layer', 'whole.tar')).status).toBe(0);
    expect(bench.stillpoint(run('capped', '--max-instructions', '50M')).status).toBe(124);
    expect(complaint(bench.stillpoint(['resume', 'capped', '--max-instructions', '10G', '--export-layer', 'no/such/dir.tar']))).toBe('E_HOST_FILE');
    expect(bench.stillpoint(['resume', 'capped', '--max-instructions', '10G', '--export-layer', 'capped.tar']).status).toBe(0);
    const killed = bench.start(run('killed', '--export-layer', 'never.tar'));
    await bench.until(() => fs.existsSync(bench.path('killed.mark')) && fs.readFileSync(bench.path('killed.mark'), 'utf8') === 'begun\n');
    killed.kill('SIGKILL');
    await killed.ended;
    expect(fs.existsSync(bench.path('never.tar'))).toBe(false);
    expect(bench.stillpoint(['resume', 'killed', '--export-layer', 'killed.tar']).status).toBe(0);
    for (const name of ['capped.tar', 'killed.tar']) expect(fs.readFileSync(bench.path(name)).equals(fs.readFileSync(bench.path('whole.tar'))), name).toBe(true);
    for (const name of ['whole', 'capped', 'killed']) expect(bench.stillpoint(['rm', name]).status).toBe(0);
  });

  it('an archive that changed is read again', async () => {
    const image = bench.path('changing.tar');
    const root = bench.makeDirectory('changing');
    const sum = (content: string): string => {
      fs.writeFileSync(`${root}/f`, content);
      execFileSync('tar', ['-C', root, '-cf', image, '.']);
      return bench.stillpoint(['run', '--image', './changing.tar', './sum', '/f']).stdout;
    };
    const [one, two] = [sum('one'), sum('two')];
    expect(one).not.toBe(two);
    expect(sum('one')).toBe(one);
  });

  it('says in one line what is wrong', () => {
    fs.writeFileSync(bench.path('text'), 'no archive\n'.repeat(100));
    fs.writeFileSync(bench.path('cut.gz'), fs.readFileSync(bench.path('root.tar.gz')).subarray(0, 2000));
    fs.writeFileSync(bench.path('cut.tar'), fs.readFileSync(bench.path('root.tar')).subarray(0, 20_000));
    fs.writeFileSync(bench.path('x.tar.zst'), Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0]));
    const cases: readonly (readonly [string, string])[] = [
      ['nothing-here', 'E_IMAGE_OPEN'], ['text', 'E_IMAGE_FORMAT'], ['cut.gz', 'E_IMAGE_TRUNCATED'], ['cut.tar', 'E_IMAGE_TRUNCATED'], ['x.tar.zst', 'E_IMAGE_UNSUPPORTED'], ['root.tar:/a/../b', 'E_USAGE'],
    ];
    for (const [image, code] of cases) expect([image, complaint(bench.stillpoint(['run', '--ephemeral', '--image', image, 'sum']))]).toEqual([image, code]);
    expect(complaint(bench.stillpoint(['run', '--ephemeral', '--image', 'root.tar', 'missing']))).toBe('E_PROGRAM_NOT_FOUND');
  });
});
