/** What `show` prints of a run, and how tables keep to their lines. */
import { expect, test } from 'vitest';
import { factLines } from '../../cli/run-facts.ts';
import { table } from '../../cli/terminal.ts';

const limits = { gets: null, getBytes: 4096, puts: null, putBytes: null };
const FACTS = {
  name: 'sort', createdMs: 1, created: '1970-01-01T00:00:00.001Z', arguments: ['sort.elf', 'a\nb'], environment: [], image: undefined,
  clock: { kind: 'virtual', startNanoseconds: 1_500_000_000n }, entropy: { kind: 'seed', seed: 7n },
  outputs: { stdin: { synced: 0, delivered: 0, intended: 0 }, stdout: { synced: 1, delivered: 2, intended: 3 } },
  channels: [
    { name: 'stdin', path: '/dev/stdin', access: 'sequential', reads: true, writes: false, live: true, limits, host: { kind: 'standard' } },
    { name: 'stdout', path: '/dev/stdout', access: 'sequential', reads: false, writes: true, live: false, limits: {}, host: { kind: 'file', path: '/out' } },
  ],
};

test('facts are lines for people: settings as options, channels and outputs as tables, nothing as JSON', () => {
  expect(factLines(FACTS)).toEqual([
    'name               sort', 'created            1970-01-01T00:00:00.001Z', 'arguments:', '  sort.elf', '  a\\nb', 'image              -', 'clock              virtual:1.5', 'entropy            seed:7',
    'outputs:', '  NAME    COMMITTED  DELIVERED  SYNCED', '  stdout          3          2       1',
    'channels:', '  NAME    PATH         ACCESS            THE PROGRAM  LIMITS          ON THE HOST',
    '  stdin   /dev/stdin   sequential, live  reads        get-bytes=4096  standard', '  stdout  /dev/stdout  sequential        writes                       /out',
  ]);
});

test('a row of a table stays on its line, whatever its cells hold', () => {
  expect(table(['NAME', 'PROGRAM'], [['a', 'new\nline'], ['b', 'x']]).split('\n')).toEqual(['NAME  PROGRAM', 'a     new\\nline', 'b     x']);
});
