// Every small C program at one optimisation level, in every mode: the same stdout and the same end as under qemu-riscv64; one instruction count and one root for all
// modes. STILLPOINT_PROGRAM=NAME runs one program only. Code of -O2 runs in the modes of a suite, in turn (modes.ts), that of the other levels translated, a sixth of the programs of each.
// STILLPOINT_SLOW=1, or a single program: all, in all modes, and the same bytes from the program as built for the host. Each level has a test file of its own (c-programs-o0.test.ts, …), so that they share the cores of a small machine.
// Does NOT say which levels there are (test/guests/build.ts).
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildProgram, listPrograms, type GuestLevel, type GuestProgram } from '../guests/build.ts';
import { allModes, modesInTurn, runInMode, type Mode, type ModeJob, type ModeResult } from './modes.ts';
import { programOracle, type OracleResult } from './oracle.ts';

const HOT = 200;
const only = process.env['STILLPOINT_PROGRAM'];
const programs = listPrograms().filter((program) => only === undefined || program.name === only);

function comparable(result: Pick<OracleResult | ModeResult, 'stdout' | 'end'>): { readonly end: OracleResult['end']; readonly stdout: string } {
  return { end: result.end, stdout: Buffer.from(result.stdout).toString('latin1') };
}

const isThorough = process.env['STILLPOINT_SLOW'] === '1' || only !== undefined;

/** Modes of a program at a level, the first is what the others are compared with. */
function modesOf(program: GuestProgram, level: GuestLevel): readonly Mode[] {
  if (isThorough) return allModes;
  return level === 'O2' ? modesInTurn(programs.indexOf(program)) : ['translated'];
}

/** In the suite that everybody waits for the programs that are only recorded are translated almost whole, of others what is hot. */
function patience(program: GuestProgram): Pick<ModeJob, 'hotLimit'> {
  return isThorough || modesInTurn(programs.indexOf(program)).length === 1 ? {} : { hotLimit: HOT };
}

/** Whether the suite that everybody waits for leaves a program out at a level: -O0 and -O3 have a sixth of them each, none of them both. */
function isLeftOut(index: number, level: GuestLevel): boolean {
  return !isThorough && level !== 'O2' && index % 6 !== (level === 'O0' ? 0 : 3);
}

async function runAll(program: GuestProgram, level: GuestLevel): Promise<readonly ModeResult[]> {
  const bytes = readFileSync(await buildProgram(program, level));
  const results: ModeResult[] = [];
  for (const mode of modesOf(program, level)) results.push(await runInMode(mode, { program: bytes, argv: [program.name, ...program.args], stdin: program.stdin, files: program.files, image: program.image, ...patience(program) }));
  return results;
}

async function checkLevel(program: GuestProgram, level: GuestLevel): Promise<void> {
  const [expected, results] = await Promise.all([programOracle(program, level), runAll(program, level)]);
  expect(expected.end, `qemu-riscv64 ends as the header says (${expected.stderr})`).toEqual(program.end);
  if (isThorough && program.oracle === 'both') expect(comparable(await programOracle(program, 'native')), 'the two oracles agree').toEqual(comparable(expected));
  const levelModes = modesOf(program, level);
  for (const [index, result] of results.entries()) {
    expect(comparable(result), `${levelModes[index]} against the oracle (stderr: ${result.stderr})`).toEqual(comparable(expected));
    expect({ retired: result.retired, root: result.root }, `${levelModes[index]} against ${levelModes[0]}`).toEqual({ retired: results[0]!.retired, root: results[0]!.root });
  }
}

/** Declares the tests of one level. */
export function checkPrograms(level: GuestLevel): void {
  describe(`small C programs, ${level}`, () => {
    it('are more than seventy', () => expect(listPrograms().length).toBeGreaterThanOrEqual(70));

    it.each(programs.filter((_, index) => !isLeftOut(index, level)).map((program) => [program.name, program] as const))('%s', (_name, program) => checkLevel(program, level));
  });
}
