/**
 * Profiles as files: folded stacks (`main;work;sort 12345`, one a line, for flame graph tools) or, for a name that ends in .json, a speedscope document.
 * Invariants: weights are instructions; lines are sorted, so that equal profiles are equal files.
 * What this does NOT do: write files.
 */
import type { ProfileStack } from './profile.ts';

const SPEEDSCOPE_SCHEMA = 'https://www.speedscope.app/file-format-schema.json';

export function encodeProfile(stacks: readonly ProfileStack[], options: { readonly file: string; readonly title: string }): string {
  return options.file.endsWith('.json') ? speedscope(stacks, options.title) : folded(stacks);
}

/** A semicolon in a name would look like a call, a line break like another stack. */
function folded(stacks: readonly ProfileStack[]): string {
  return stacks.map(({ frames, instructions }) => `${frames.map((name) => name.replace(/[;\n\r]/g, '_')).join(';')} ${instructions}\n`).join('');
}

function speedscope(stacks: readonly ProfileStack[], title: string): string {
  const numbers = new Map<string, number>();
  const numberOf = (name: string): number => {
    const known = numbers.get(name) ?? numbers.size;
    numbers.set(name, known);
    return known;
  };
  const samples = stacks.map(({ frames }) => frames.map(numberOf));
  const weights = stacks.map(({ instructions }) => instructions);
  const endValue = weights.reduce((sum, weight) => sum + weight, 0);
  return `${JSON.stringify({
    $schema: SPEEDSCOPE_SCHEMA, exporter: 'stillpoint', name: title, shared: { frames: [...numbers.keys()].map((name) => ({ name })) },
    profiles: [{ type: 'sampled', name: `${title}, instructions`, unit: 'none', startValue: 0, endValue, samples, weights }],
  })}\n`;
}
