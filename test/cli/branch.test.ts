/** Fork, rollback, names and notes, retention and garbage collection, as a user sees them; an undisturbed run is the oracle. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bench, complaint } from './command.ts';

const bench = new Bench();
let program = '';

beforeAll(() => {
  program = bench.compile('dice.elf', `
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/random.h>
    int main(int n, char **v) {
      FILE *in = fopen(v[1], "r"), *out = fopen(v[2], "w");
      char line[200]; unsigned long sum = 0; long count = 0; char *keep = malloc(1 << 20);
      while (fgets(line, sizeof line, in)) {
        for (char *p = line; *p; p++) for (int k = 0; k < 300; k++) sum = sum * 31 + (unsigned char)*p + k;
        keep[(count * 4096) & 0xfffff] = (char)sum;
        if (++count % 50 == 0) { unsigned dice; getrandom(&dice, sizeof dice, 0); fprintf(out, "%ld %lu %u\\n", count, sum, dice); fflush(out); }
      }
      printf("%ld lines\\n", count);
      return fclose(out) ? 1 : 0;
    }`);
  writeFileSync(bench.path('input'), Array.from({ length: 2000 }, (_, index) => `line ${index * 7919}`).join('\n'));
  const seen = bench.stillpoint(['run', '--name', 'first', '--checkpoint-every', '10M', '--in', `i=${bench.path('input')}`, '--out', `o=${bench.path('first.out')}`, program, '/dev/in/i', '/dev/out/o']);
  expect([seen.status, seen.stderr, seen.stdout]).toEqual([0, '', '2000 lines\n']);
});
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

function show(name: string): { root: string; instructions: string; checkpoints: number; parent: string; id: string; state: string } {
  return JSON.parse(bench.stillpoint(['show', name, '--json']).stdout) as ReturnType<typeof show>;
}

function ok(words: readonly string[], input = ''): string {
  const seen = bench.stillpoint(words, input);
  expect([seen.status, seen.stderr]).toEqual([0, '']);
  return seen.stdout;
}

describe('fork', () => {
  it('goes on from a checkpoint to the same end, with a file and an identity of its own', () => {
    expect(ok(['fork', 'first@3', '--name', 'second'])).toMatch(/^second: a fork of first at checkpoint 3, instruction [0-9]+\n {2}.*first\.out\.second: a copy/);
    expect(bench.stillpoint(['resume', 'second'])).toMatchObject({ status: 0, stdout: '2000 lines\n' });
    expect(readFileSync(bench.path('first.out.second'), 'utf8')).toBe(readFileSync(bench.path('first.out'), 'utf8'));
    const [first, second] = [show('first'), show('second')];
    expect([second.root, second.instructions, second.parent.startsWith('first@3')]).toEqual([first.root, first.instructions, true]);
    expect(second.id).not.toBe(first.id);
    for (const name of ['first', 'second']) expect(ok(['replay', name])).toContain('identical');
  });

  it('from before the first instruction, and of the end', () => {
    ok(['fork', 'first@0', '--name', 'again', '--bind', `o=${bench.path('again.out')}`]);
    expect(bench.stillpoint(['resume', 'again'])).toMatchObject({ status: 0, stdout: '2000 lines\n' });
    expect(show('again').root).toBe(show('first').root);
    expect(readFileSync(bench.path('again.out'), 'utf8')).toBe(readFileSync(bench.path('first.out'), 'utf8'));
    ok(['fork', 'first', '--name', 'ended']);
    expect([complaint(bench.stillpoint(['resume', 'ended'])), show('ended').state]).toEqual(['E_RUN_FINISHED', 'ended']);
    expect(ok(['replay', 'ended'])).toContain('identical');
  });

  it('a fresh seed changes the dice from there on, is journaled, and survives a second resume', () => {
    ok(['fork', 'first@3', '--name', 'luck', '--fresh-entropy']);
    const { instructions } = JSON.parse(ok(['fork', 'luck', '--name', 'probe', '--json'])) as { instructions: string };
    expect(bench.stillpoint(['resume', 'luck', '--checkpoint-every', '10M', '--max-instructions', String(BigInt(instructions) + 15_000_000n)]).status).toBe(124);
    expect(bench.stillpoint(['resume', 'luck', '--max-instructions', '10G'])).toMatchObject({ status: 0 });
    const [first, luck] = ['first.out', 'first.out.luck'].map((file) => readFileSync(bench.path(file), 'utf8').split('\n'));
    const differing = first!.findIndex((line, index) => line !== luck![index]);
    expect(differing).toBeGreaterThan(2);
    expect(luck!.map((line) => line.split(' ').slice(0, 2))).toEqual(first!.map((line) => line.split(' ').slice(0, 2)));
    expect(ok(['log', 'luck'])).toContain('a seed of its own');
    expect(ok(['replay', 'luck'])).toContain('identical');
    expect(ok(['replay', 'luck', '--from', '4'])).toContain('identical');
  });

  it.each<[string, string[], string]>([
    ['a name that is taken', ['fork', 'first@2', '--name', 'first'], 'E_RUN_EXISTS'], ['no such checkpoint', ['fork', 'first@99', '--name', 'x'], 'E_CHECKPOINT_UNKNOWN'],
    ['no checkpoint of that name', ['fork', 'first@lost', '--name', 'x'], 'E_CHECKPOINT_UNKNOWN'], ['no such run', ['fork', 'nobody', '--name', 'x'], 'E_RUN_UNKNOWN'],
    ['half a reference', ['fork', 'first@', '--name', 'x'], 'E_USAGE'], ['no name', ['fork', 'first'], 'E_USAGE'], ['a wrong name', ['fork', 'first', '--name', 'a/b', '--bind', 'o=/dev/null'], 'E_RUN_NAME'],
    ['a file that is there', ['fork', 'first@2', '--name', 'x', '--bind', 'o=./input'], 'E_CHANNEL_OPEN'], ['a channel that is not there', ['fork', 'first', '--name', 'x', '--bind', 'q=f'], 'E_USAGE'],
  ])('%s is refused in one line', (_what, words, code) => {
    const seen = bench.stillpoint(words);
    expect([complaint(seen), seen.status, seen.stdout, existsSync(bench.path('first.out.x'))]).toEqual([code, 125, '', false]);
  });
});

describe('rollback', () => {
  it('goes back in place, keeps the name and the id, and ends as before', () => {
    ok(['fork', 'first@0', '--name', 'back', '--bind', `o=${bench.path('back.out')}`]);
    ok(['resume', 'back', '--checkpoint-every', '10M']);
    const before = show('back');
    expect(ok(['rollback', 'back', '--to', '2', '--keep', 'back-as-it-was'])).toContain('back: back at checkpoint 2');
    expect(show('back')).toMatchObject({ id: before.id, state: 'stopped' });
    expect(ok(['checkpoints', 'back']).trimEnd().split('\n').length).toBe(3);
    ok(['resume', 'back', '--checkpoint-every', '10M']);
    expect(show('back')).toMatchObject({ root: before.root, instructions: before.instructions });
    expect(readFileSync(bench.path('back.out'), 'utf8')).toBe(readFileSync(bench.path('first.out'), 'utf8'));
    for (const name of ['back', 'back-as-it-was']) expect(ok(['replay', name])).toContain('identical');
    expect(complaint(bench.stillpoint(['rollback', 'back', '--to', '77']))).toBe('E_CHECKPOINT_UNKNOWN');
    ok(['rollback', 'back', '--to', '0', '--fresh-entropy']);
    ok(['resume', 'back', '--checkpoint-every', '10M']);
    expect(show('back').root).not.toBe(before.root);
    expect(ok(['replay', 'back'])).toContain('identical');
  });

  it('never under a living owner', async () => {
    const spin = bench.compile('spin.elf', 'int main(void){volatile unsigned long i=0;for(;;)i++;}');
    const running = bench.start(['run', '--name', 'busy', '--checkpoint-every', '100ms', '--no-progress', spin]);
    await bench.until(() => bench.hasStore() && bench.stillpoint(['checkpoints', 'busy']).stdout.includes('\n     2 '));
    expect(complaint(bench.stillpoint(['rollback', 'busy', '--to', '1']))).toBe('E_RUN_OWNED');
    expect(ok(['checkpoint', 'busy@1', '--name', 'start', '--note', 'while it runs'])).toBe('busy@1 is start: while it runs\n');
    ok(['fork', 'busy', '--name', 'twin']);
    expect(Number(JSON.parse(ok(['gc', 'busy', '--keep-last', '1', '--json'])).checkpoints)).toBeGreaterThan(0);
    running.kill('SIGINT');
    expect((await running.ended).status).toBe(130);
    expect(ok(['checkpoints', 'busy'])).toContain('start  while it runs');
    for (const name of ['busy', 'twin']) expect(ok(['replay', name])).toContain('identical');
  });
});

describe('names, notes, retention', () => {
  it('names lead to checkpoints, and gc keeps them', () => {
    ok(['fork', 'first', '--name', 'thin']);
    ok(['checkpoint', 'thin@2', '--name', 'second-pass']);
    expect(complaint(bench.stillpoint(['checkpoint', 'thin@3', '--name', 'second-pass']))).toBe('E_USAGE');
    expect(complaint(bench.stillpoint(['checkpoint', 'thin@3', '--name', '7']))).toBe('E_USAGE');
    expect(complaint(bench.stillpoint(['checkpoint', 'thin']))).toBe('E_USAGE');
    ok(['checkpoint', 'thin@second-pass', '--note', 'kept']);
    const last = show('thin').checkpoints;
    ok(['gc', 'thin', '--keep-last', '2']);
    expect(JSON.parse(ok(['checkpoints', 'thin', '--json']))).toMatchObject([{ number: 2, name: 'second-pass', note: 'kept' }, { number: last - 1 }, { number: last }]);
    expect(JSON.parse(ok(['checkpoints', 'first', '--json']))).toHaveLength(last);
    for (const words of [['replay', 'thin'], ['replay', 'thin', '--from', '2'], ['replay', 'thin', '--jobs', '3']]) expect(ok(words)).toContain('identical');
    expect(complaint(bench.stillpoint(['replay', 'thin', '--from', '3']))).toBe('E_CHECKPOINT_UNKNOWN');
    ok(['fork', 'thin@second-pass', '--name', 'named']);
    expect(bench.stillpoint(['resume', 'named']).status).toBe(0);
    expect(complaint(bench.stillpoint(['gc', 'thin']))).toBe('E_USAGE');
    expect(complaint(bench.stillpoint(['gc', '--keep-last', 'x']))).toBe('E_USAGE');
  });

  it('what nobody needs goes, and only that', () => {
    const names = ok(['ls', '-q']).trimEnd().split('\n');
    bench.stillpoint(['rm', ...names.filter((name) => name !== 'first')]);
    expect(JSON.parse(ok(['gc', '--json']))).toMatchObject({ checkpoints: 0, nodes: 0, pages: 0, blobs: 0, orphans: 0 });
    expect(ok(['replay', 'first'])).toContain('identical');
    bench.stillpoint(['rm', 'first']);
    expect(JSON.parse(ok(['gc', '--json']))).toMatchObject({ checkpoints: 0, nodes: 0, pages: 0, packs: 0, blobs: 0, orphans: 0 });
    expect(ok(['ls', '-q'])).toBe('');
  });
});
