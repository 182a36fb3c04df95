/** diff as a user sees it: every kind of thing is named as the program's source names it. */
import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Symbols } from '../../src/session/symbols.ts';
import { generator } from '../txn/support.ts';
import { Bench, complaint } from './command.ts';

const bench = new Bench();
let program = '';

beforeAll(() => {
  program = bench.compile('steps.elf', `
    #include <fcntl.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <sys/stat.h>
    #include <unistd.h>
    char marked_buffer[8192];
    static void work(unsigned long n) { volatile unsigned long s = 0; for (unsigned long i = 0; i < n; i++) s += i; }
    int main(int argc, char **argv) {
      mkdir("/tmp/dir", 0755);
      work(8000000);
      for (int i = 100; i < 140; i++) marked_buffer[i] = 'x';
      int fd = open("/tmp/dir/file", O_CREAT | O_RDWR, 0640);
      write(fd, "hello", 5);
      char *heap = malloc(100000); heap[5000] = 1;
      work(8000000);
      unlink("/tmp/dir/file");
      symlink("nowhere", "/tmp/link");
      work(8000000);
      puts("done");
      return 0;
    }`);
  const seen = bench.stillpoint(['run', '--name', 'steps', '--checkpoint-every', '40M', program]);
  expect([seen.status, seen.stderr]).toEqual([0, '']);
});
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

interface Facts { readonly isSame: boolean; readonly differences: readonly { readonly area: string; readonly what: string; readonly first?: string; readonly second?: string }[] }

function diff(first: string, second: string): Facts {
  const seen = bench.stillpoint(['diff', first, second, '--json']);
  expect(seen.stderr).toBe('');
  const facts = JSON.parse(seen.stdout) as Facts;
  expect(seen.status).toBe(facts.isSame ? 0 : 1);
  return facts;
}

describe('diff', () => {
  it('names registers, descriptors, files, memory by symbol, and the rest', () => {
    const { differences } = diff('steps@1', 'steps@2');
    const of = (area: string): string[] => differences.filter((one) => one.area === area).map(({ what, first, second }) => `${what}: ${first ?? '-'} | ${second ?? '-'}`);
    expect(of('descriptors')).toEqual([expect.stringMatching(/^process [0-9]+ descriptor 3: - \| \/tmp\/dir\/file at 5 \(flags 02\)$/)]);
    expect(of('files')).toContain('/tmp/dir/file: presence: - | file');
    expect(of('memory').join('\n')).toMatch(/marked_buffer \(40\)/);
    expect(of('memory').join('\n')).toMatch(/\[stack\]|\[heap\]|anonymous/);
    expect(of('state').join('\n')).toMatch(/kernel\.retired: [0-9]+ \| [0-9]+/);
    const last = diff('steps@2', 'steps');
    expect(last.differences.filter(({ area }) => area === 'files').map(({ what, first, second }) => [what, first, second])).toEqual(expect.arrayContaining([['/tmp/dir/file: presence', 'file', undefined], ['/tmp/link: presence', undefined, 'symlink']]) as unknown);
    expect(last.differences.some(({ area, what }) => area === 'registers' && / (pc|sp|a0|s0|ra)$/.test(what))).toBe(true);
    expect(bench.stillpoint(['diff', 'steps@1', 'steps@2']).stdout).toMatch(/^steps@1 {2}instruction 40000000[\s\S]*\nmemory\n/);
  });

  it('finds nothing between a run and its fork, and says what it cannot compare', () => {
    bench.stillpoint(['fork', 'steps@1', '--name', 'twin']);
    expect(diff('steps@1', 'twin')).toMatchObject({ isSame: true, differences: [] });
    for (const [words, code] of [[['diff', 'steps@0', 'steps'], 'E_CHECKPOINT_UNKNOWN'], [['diff', 'steps', 'nobody'], 'E_RUN_UNKNOWN'], [['diff', 'steps'], 'E_USAGE']] as const) {
      expect(complaint(bench.stillpoint(words))).toBe(code);
    }
  });
});

describe('bisect', () => {
  it('finds the very instruction at which an input made the difference', () => {
    const reader = bench.compile('reader.elf', '#include <unistd.h>\nint main(void){char c;unsigned long s=7;while(read(0,&c,1)==1)for(int i=0;i<3000;i++)s=s*31+c;return s==1;}');
    const text = 'abcdefghij'.repeat(60);
    for (const [name, words] of [['left', text], ['right', `${text.slice(0, 400)}X${text.slice(401)}`], ['same', text]] as const) expect(bench.stillpoint(['run', '--name', name, '--checkpoint-every', '1M', reader], words).status).toBe(0);
    const facts = JSON.parse(bench.stillpoint(['bisect', 'left', 'right', '--json']).stdout) as { common: { instructions: string; first: number }; differsAt: string };
    const [common, at] = [Number(facts.common.instructions), Number(facts.differsAt)];
    expect(facts.common.first).toBeGreaterThan(0);
    // The whole of a short standard input is fed at the first read; the byte that differs lies in the channel from then on.
    expect(at).toBeGreaterThanOrEqual(common);
    expect(at - common).toBeLessThanOrEqual(1_000_000);
    expect(bench.stillpoint(['bisect', 'left', 'same'])).toMatchObject({ status: 0, stderr: '' });
    expect(complaint(bench.stillpoint(['bisect', 'left', 'steps']))).toBe('E_USAGE');
    bench.stillpoint(['fork', 'left@2', '--name', 'lucky', '--fresh-entropy']);
    bench.stillpoint(['resume', 'lucky']);
    const at2 = (JSON.parse(bench.stillpoint(['checkpoints', 'left', '--json']).stdout) as { at: string }[])[1]!.at;
    expect(JSON.parse(bench.stillpoint(['bisect', 'left', 'lucky', '--json']).stdout)).toMatchObject({ common: { first: 2, second: 2 }, differsAt: at2 });
  });
});

describe('symbols', () => {
  it('hostile programs give fewer symbols, never an error', () => {
    const bytes = new Uint8Array(readFileSync(program));
    expect(new Symbols(bytes).at(0)).toBeUndefined();
    const random = generator(9);
    for (let index = 0; index < 40; index++) {
      const hostile = index % 4 === 0 ? bytes.slice(0, Math.floor(random() * bytes.length)) : bytes.slice();
      for (let flips = 0; flips < 20 && hostile.length > 64; flips++) hostile[Math.floor(random() < 0.5 ? random() * 64 : hostile.length - 1 - random() * 3000)]! ^= 1 << Math.floor(random() * 8);
      expect(() => new Symbols(hostile).nameAt(0x10500)).not.toThrow();
    }
  });
});
