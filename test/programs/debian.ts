// build/debian-root as the image of a guest: programs of Debian's riscv64 archive, unmodified and dynamic. One job runs in every mode and is
// compared with qemu-riscv64 over the same root, or with known output. STILLPOINT_MODES=MODE,… runs these modes only. Does NOT fetch packages (scripts/fetch-packages.sh does).
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { expect } from 'vitest';
import type { ImageTree } from '../../src/image/index.ts';
import { layerFromDirectory } from '../../src/image/live/layer-from-directory.ts';
import { repositoryRoot } from '../guests/build.ts';
import { catalogOf } from '../image/support.ts';
import { modes, runInMode, type Mode, type ModeResult } from './modes.ts';
import { qemuCommand } from './oracle.ts';

export const debianRoot: string = join(repositoryRoot, 'build/debian-root');

const onlyModes = process.env['STILLPOINT_MODES']?.split(',') as readonly Mode[] | undefined; // Words of the person who runs it.

let tree: ImageTree | undefined;

/** The whole root, read when it is needed; made once a process. */
export function debianImage(): ImageTree {
  return (tree ??= catalogOf(layerFromDirectory(debianRoot)));
}

export interface DebianJob {
  readonly args: readonly string[];
  readonly stdin?: string;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly modes?: readonly Mode[];
  /** Expected, where the oracle is not qemu. */
  readonly stdout?: string;
  readonly exit?: number;
  readonly environment?: readonly string[];
}

/** Variables of every job; programs must not depend on the host's. */
const ENVIRONMENT = ['PATH=/usr/bin:/bin', 'HOME=/home/guest', 'LC_ALL=C.UTF-8', 'PYTHONDONTWRITEBYTECODE=1', 'PYTHONHASHSEED=0'];

interface Expected { readonly stdout: string; readonly exit: number | null }

/** Runs `use` in a fresh directory with the job's files. */
function inDirectory<Result>(files: DebianJob['files'], use: (cwd: string) => Result): Result {
  const cwd = mkdtempSync(join(tmpdir(), 'stillpoint-debian-'));
  try {
    for (const [name, content] of Object.entries(files ?? {})) {
      mkdirSync(dirname(join(cwd, name)), { recursive: true });
      writeFileSync(join(cwd, name), content);
    }
    return use(cwd);
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

function underQemu(path: string, job: DebianJob): Expected {
  const [command, ...options] = qemuCommand as [string, ...string[]];
  const variables = [...ENVIRONMENT, ...(job.environment ?? [])].flatMap((variable) => ['-E', variable]);
  return inDirectory(job.files, (cwd) => {
    const result = spawnSync(command, [...options, '-L', debianRoot, ...variables, '-0', basename(path), join(debianRoot, path), ...job.args], { cwd, env: { PATH: process.env['PATH'] }, input: job.stdin ?? '', encoding: 'latin1', timeout: 120_000 });
    if (result.error !== undefined) throw result.error;
    return { stdout: result.stdout, exit: result.status };
  });
}

/** A shell of the host on the same script, in an empty directory: the oracle of scripts, whose programs qemu-riscv64 cannot start. */
export function onHost(shell: string, script: string): Expected {
  return inDirectory({}, (cwd) => {
    const result = spawnSync(shell, ['-c', script], { cwd, encoding: 'latin1', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', HOME: '/home/guest' }, timeout: 60_000 });
    return { stdout: result.stdout, exit: result.status };
  });
}

/** Runs the program at a path of the root in every mode (or those of the job). */
export async function checkDebian(path: string, job: DebianJob): Promise<void> {
  const expected = job.stdout === undefined ? underQemu(path, job) : { stdout: job.stdout, exit: job.exit ?? 0 };
  const program = readFileSync(join(debianRoot, realpathSync(join(debianRoot, path)).slice(debianRoot.length)));
  let first: ModeResult | undefined;
  for (const mode of onlyModes ?? job.modes ?? modes) {
    const result = await runInMode(mode, {
      program, programPath: path, argv: [basename(path), ...job.args], environment: [...ENVIRONMENT, ...(job.environment ?? [])], hotLimit: 2000,
      stdin: Buffer.from(job.stdin ?? '', 'latin1'), memoryBytes: 1024 * 1024 * 1024, root: debianImage(), ...(job.files === undefined ? {} : { files: job.files }),
    });
    expect(Buffer.from(result.stdout).toString('latin1'), `${mode}: ${result.stderr}`).toBe(expected.stdout);
    expect(result.end, `${mode}: ${result.stderr}`).toEqual({ kind: 'exit', status: expected.exit });
    first ??= result;
    expect({ retired: result.retired, root: result.root }, mode).toEqual({ retired: first.retired, root: first.root });
  }
}
