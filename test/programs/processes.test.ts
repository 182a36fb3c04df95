// Programs of several processes or threads (test/guests/posix): the same stdout and end as built for the host (or under qemu-riscv64, as the header says); one instruction count
// and one root for all modes. STILLPOINT_PROGRAM=NAME runs one program only. STILLPOINT_SLOW=1, or a single program: really all modes, and that both oracles agree.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildProgram, listPrograms, type GuestProgram } from '../guests/build.ts';
import { allModes, modesInTurn, runInMode, type Mode, type ModeResult } from './modes.ts';
import { programOracle, type OracleResult } from './oracle.ts';

const only = process.env['STILLPOINT_PROGRAM'];
const programs = listPrograms('posix').filter((program) => only === undefined || program.name === only);

function comparable(result: Pick<OracleResult | ModeResult, 'stdout' | 'end'>): { readonly end: OracleResult['end']; readonly stdout: string } {
  return { end: result.end, stdout: Buffer.from(result.stdout).toString('latin1') };
}

const isThorough = process.env['STILLPOINT_SLOW'] === '1' || only !== undefined;
const modesOf = (program: GuestProgram): readonly Mode[] => (isThorough ? allModes : modesInTurn(programs.indexOf(program)));

async function runAll(program: GuestProgram): Promise<readonly ModeResult[]> {
  const bytes = readFileSync(await buildProgram(program, 'O2'));
  const results: ModeResult[] = [];
  for (const mode of modesOf(program)) results.push(await runInMode(mode, { program: bytes, argv: [program.name, ...program.args], stdin: program.stdin, files: program.files, hotLimit: 200, memoryBytes: 1024 * 1024 * 1024 }));
  return results;
}

/** The oracles run ahead of the machines, a few at a time: most of them wait for clocks. */
const ORACLES_MAX = 4;
const answers = new Map<string, Promise<OracleResult>>();
function askOracles(): void {
  const lines: Promise<unknown>[] = Array.from({ length: ORACLES_MAX }, () => Promise.resolve());
  for (const [index, program] of programs.entries()) {
    const answer = lines[index % ORACLES_MAX]!.then(() => programOracle(program, program.oracle === 'qemu' ? 'O2' : 'native'));
    answers.set(program.name, answer);
    lines[index % ORACLES_MAX] = answer.catch(() => undefined); // Its own test tells.
  }
}

async function check(program: GuestProgram): Promise<void> {
  const modesHere = modesOf(program);
  const [answer, results] = await Promise.all([answers.get(program.name)!, runAll(program)]);
  const expected = comparable(answer);
  if (isThorough && program.oracle === 'both') expect(comparable(await programOracle(program, 'O2')), 'the two oracles agree').toEqual(expected);
  expect(expected.end, 'the oracle ends as the header says').toEqual(program.end);
  for (const [index, result] of results.entries()) {
    const mode = modesHere[index];
    expect(comparable(result), `${mode} against the oracle (stderr: ${result.stderr})`).toEqual(expected);
    expect({ retired: result.retired, root: result.root }, `${mode} against ${modesHere[0]}`).toEqual({ retired: results[0]!.retired, root: results[0]!.root });
  }
}

describe('processes and threads', () => {
  beforeAll(askOracles);

  it.each(programs.map((program) => [program.name, program] as const))('%s', (_name, program) => check(program));
});
