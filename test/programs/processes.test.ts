// Programs of several processes or threads (test/guests/posix), in every mode: the same stdout and end as under qemu-riscv64 and as built
// for the host; one instruction count and one root for all modes. STILLPOINT_PROGRAM=NAME runs one program only.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildProgram, listPrograms, type GuestProgram } from '../guests/build.ts';
import { modes, runInMode, type ModeResult } from './modes.ts';
import { programOracle, type OracleResult } from './oracle.ts';

const only = process.env['STILLPOINT_PROGRAM'];
const programs = listPrograms('posix').filter((program) => only === undefined || program.name === only);

function comparable(result: Pick<OracleResult | ModeResult, 'stdout' | 'end'>): { readonly end: OracleResult['end']; readonly stdout: string } {
  return { end: result.end, stdout: Buffer.from(result.stdout).toString('latin1') };
}

async function check(program: GuestProgram): Promise<void> {
  const expected = comparable(await programOracle(program, program.oracle === 'qemu' ? 'O2' : 'native'));
  if (program.oracle === 'both') expect(comparable(await programOracle(program, 'O2')), 'the two oracles agree').toEqual(expected);
  expect(expected.end, 'the oracle ends as the header says').toEqual(program.end);
  const bytes = readFileSync(await buildProgram(program, 'O2'));
  let first: { readonly retired: bigint; readonly root: string } | undefined;
  for (const mode of modes) {
    const result = await runInMode(mode, { program: bytes, argv: [program.name, ...program.args], stdin: program.stdin, files: program.files, hotLimit: 200, memoryBytes: 1024 * 1024 * 1024 });
    expect(comparable(result), `${mode} against the oracle (stderr: ${result.stderr})`).toEqual(expected);
    first ??= { retired: result.retired, root: result.root };
    expect({ retired: result.retired, root: result.root }, `${mode} against ${modes[0]}`).toEqual(first);
  }
}

describe('processes and threads', () => {
  it.each(programs.map((program) => [program.name, program] as const))('%s', (_name, program) => check(program));
});
