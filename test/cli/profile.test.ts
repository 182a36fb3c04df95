/** `--profile`: the machine does not notice it, every engine gives the same one, and it names who called whom. */
import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bench, complaint } from './command.ts';

const bench = new Bench();
let program = '';

/** Frames of every shape: a large one, a variable one, a leaf without any, recursion, a return in the middle, a call through a pointer. */
beforeAll(() => {
  program = bench.compile('shapes.elf', `
    #include <alloca.h>
    #include <stdio.h>
    #include <string.h>
    #define APART __attribute__((noinline, noclone))
    APART unsigned leaf(unsigned x) { for (int i = 0; i < 200; i++) x = x * 1664525u + 1013904223u; return x; }
    APART unsigned large(unsigned x) { volatile char room[300000]; room[x % sizeof room] = 1; x = leaf(x); return x + room[x % 7]; }
    APART unsigned variable(unsigned x) { char *room = alloca(16 + x % 500); memset(room, x, 16 + x % 500); x = leaf(x); return x + room[3]; }
    APART unsigned early(unsigned x) { if (x % 3 == 0) return leaf(x) + 1; if (x % 3 == 1) return x; x = leaf(x + 1); return leaf(x) ^ x; }
    APART unsigned deep(unsigned x, int n) { return n == 0 ? leaf(x) : deep(x + n, n - 1) + 1; }
    unsigned (*pointers[])(unsigned) = { large, variable, early };
    APART unsigned rounds(unsigned x) { for (int i = 0; i < 3; i++) x = pointers[i](x); return deep(x, 5); }
    int main(void) { unsigned x = 1; for (int i = 0; i < 4000; i++) x = rounds(x); printf("%u\\n", x); return 0; }`, ['-O2', '-fno-inline', '-fno-optimize-sibling-calls']);
});
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

interface Facts { readonly root?: string; readonly instructions: string; readonly host?: { readonly translation?: { readonly units: number; readonly moduleBytes: number; readonly translatedPart: number } } }

function run(name: string, options: readonly string[]): Facts {
  const seen = bench.stillpoint(['run', '--name', name, '--report', bench.path(`${name}.report`), ...options, program]);
  expect([seen.status, seen.stderr]).toEqual([0, '']);
  const { root, instructions } = JSON.parse(readFileSync(bench.path(`${name}.report`), 'utf8')) as Facts;
  return { root: root!, instructions };
}

function folded(file: string): Map<string, number> {
  return new Map(readFileSync(bench.path(file), 'utf8').trimEnd().split('\n').map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

describe('a profile', () => {
  it('is the same whatever executes, and the run is the one without', () => {
    const plain = run('plain', []);
    expect(run('translated', ['--profile', bench.path('translated.folded')])).toEqual(plain);
    expect(run('interpreted', ['--engine', 'interpret', '--profile', bench.path('interpreted.folded'), '--checkpoint-every', '3M'])).toEqual(plain);
    expect(folded('translated.folded')).toEqual(folded('interpreted.folded'));
    const weights = [...folded('translated.folded').values()].reduce((sum, weight) => sum + weight, 0);
    expect(weights / Number(plain.instructions)).toBeGreaterThan(0.99);
    expect(weights).toBeLessThanOrEqual(Number(plain.instructions));
  });

  it('stands beside what translating cost, in the report', () => {
    const translation = (name: string) => (JSON.parse(readFileSync(bench.path(`${name}.report`), 'utf8')) as Facts).host?.translation;
    const { units, moduleBytes, translatedPart } = translation('plain')!;
    expect([units > 0, moduleBytes > units, translatedPart > 0.3 && translatedPart <= 1]).toEqual([true, true, true]);
    expect(translation('interpreted')).toBeUndefined();
  });

  it('names callers through frames of every shape', () => {
    const stacks = folded('translated.folded');
    const chains = ['large', 'variable', 'early', 'deep;deep;deep;deep;deep;deep'].map((middle) => `rounds;${middle};leaf`);
    const share = (end: string): number => [...stacks].reduce((sum, [stack, weight]) => sum + (stack.endsWith(`;main;${end}`) ? weight : 0), 0) / [...stacks.values()].reduce((sum, weight) => sum + weight, 0);
    for (const chain of chains) expect([chain, share(chain) > 0.1]).toEqual([chain, true]);
    const lost = [...stacks].reduce((sum, [stack, weight]) => sum + (stack.startsWith('shapes.elf;_start;') ? 0 : weight), 0);
    expect(lost / [...stacks.values()].reduce((sum, weight) => sum + weight, 0)).toBeLessThan(0.02);
  });

  it('goes on where a run is resumed, as speedscope JSON for a name in .json', () => {
    const capped = bench.stillpoint(['run', '--name', 'capped', '--max-instructions', '2M', program]);
    expect(capped.status).toBe(124);
    const seen = bench.stillpoint(['resume', 'capped', '--max-instructions', '1G', '--profile', bench.path('rest.json')]);
    expect(seen.status).toBe(0);
    const { shared, profiles } = JSON.parse(readFileSync(bench.path('rest.json'), 'utf8')) as { shared: { frames: { name: string }[] }; profiles: { samples: number[][]; weights: number[]; endValue: number }[] };
    expect(shared.frames.map(({ name }) => name)).toEqual(expect.arrayContaining(['shapes.elf', '_start', 'main', 'rounds', 'leaf']));
    expect(profiles[0]!.samples.length).toBe(profiles[0]!.weights.length);
    expect(profiles[0]!.weights.reduce((sum, weight) => sum + weight, 0)).toBe(profiles[0]!.endValue);
  });

  it('is refused before the run when its file cannot be written', () => {
    expect(complaint(bench.stillpoint(['run', '--name', 'nowhere', '--profile', bench.path('no/such/place'), program]))).toBe('E_HOST_FILE');
    expect(complaint(bench.stillpoint(['show', 'nowhere']))).toBe('E_RUN_UNKNOWN');
  });
});
