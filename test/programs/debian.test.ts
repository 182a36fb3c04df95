// Programs of Debian's riscv64 archive, unmodified, dynamic, in every mode with one root: single programs against qemu-riscv64 with the
// same root file system, scripts with many processes against the host's own shell (qemu-riscv64 starts no riscv64 program by execve).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commands, debianFiles, debianRoot, programBytes } from './debian.ts';
import { modes, runInMode, type Mode, type ModeResult } from './modes.ts';
import { qemuCommand } from './oracle.ts';

interface Job {
  readonly args: readonly string[];
  readonly stdin?: string;
  /** More of the root than the program and the libraries. */
  readonly needs?: readonly string[];
  readonly modes?: readonly Mode[];
  /** Expected, where the oracle is not qemu. */
  readonly stdout?: string;
  readonly exit?: number;
}

const environment = ['PATH=/usr/bin:/bin', 'HOME=/home/guest', 'LC_ALL=C'];

function qemu(path: string, job: Job): { readonly stdout: string; readonly exit: number | null } {
  const [command, ...options] = qemuCommand as [string, ...string[]];
  const cwd = mkdtempSync(join(tmpdir(), 'stillpoint-debian-'));
  try {
    const result = spawnSync(command, [...options, '-L', debianRoot, '-E', 'LC_ALL=C', '-0', path.slice(path.lastIndexOf('/') + 1), join(debianRoot, path), ...job.args], { cwd, input: job.stdin ?? '', encoding: 'latin1', timeout: 60_000 });
    return { stdout: result.stdout, exit: result.status };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

async function check(path: string, job: Job): Promise<void> {
  const expected = job.stdout === undefined ? qemu(path, job) : { stdout: job.stdout, exit: job.exit ?? 0 };
  let first: ModeResult | undefined;
  for (const mode of job.modes ?? modes) {
    const result = await runInMode(mode, {
      program: programBytes(path), programPath: path, argv: [path.slice(path.lastIndexOf('/') + 1), ...job.args], environment, hotLimit: 2000,
      stdin: Buffer.from(job.stdin ?? ''), memoryBytes: 512 * 1024 * 1024, prepare: debianFiles([path, ...(job.needs ?? [])]),
    });
    expect(Buffer.from(result.stdout).toString('latin1'), `${mode}: ${result.stderr}`).toBe(expected.stdout);
    expect(result.end, `${mode}: ${result.stderr}`).toEqual({ kind: 'exit', status: expected.exit });
    first ??= result;
    expect({ retired: result.retired, root: result.root }, mode).toEqual({ retired: first.retired, root: first.root });
  }
}

/** The host's bash on the same script, in an empty directory. */
function onHost(script: string): string {
  const cwd = mkdtempSync(join(tmpdir(), 'stillpoint-script-'));
  try {
    return spawnSync('bash', ['-c', script], { cwd, encoding: 'latin1', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } }).stdout;
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

const SCRIPT = `
set -u
fruit() { cat <<END
pear 3
apple 12
plum 7
END
}
fruit | sort | sed 's/^/> /' | tr a-z A-Z
echo "sum $(fruit | { total=0; while read name count; do total=$((total + count)); done; echo $total; })"
( cd /; pwd; exit 3 ); echo "subshell $?"
for n in 1 2 3; do ( exit $n ) & done; wait; echo "jobs $?"
( while :; do :; done ) & spinner=$!; kill -TERM $spinner; wait $spinner; echo "spinner $?"
mkdir d; echo one >d/a; echo two >>d/a; cat d/a; ls d | wc -l
cat <(echo substituted) | grep -c sub
seq 1 200 | head -n 3 | tail -n 1
false | true; echo "\${PIPESTATUS[0]}"
trap 'echo usr1' USR1; kill -USR1 $$
x=$(sh -c 'echo $PPID'); [ "$x" = $$ ] && echo parent
trap 'echo trap $?' EXIT
exec 3>&1; echo three >&3
read -r line < <(printf 'a b\\n'); echo "$line"
[ -e /nonexistent ] || echo absent
exit 5
`;

describe('Debian', () => {
  it('lua', () => check('/usr/bin/lua5.4', { args: ['-e', 'local t = {} for i = 1, 20 do t[i] = i * i end print(table.concat(t, " "), 2^53, string.format("%5.2f", math.pi))'] }));
  it('jq', () => check('/usr/bin/jq', { args: ['-c', '.a | map(. * 2) | add'], stdin: '{"a": [1, 2.5, 3]}', modes: ['whole', 'translated', 'restored', 'replayed'] }));
  it('a shell script with pipelines, subshells, traps, here-documents, jobs and substitutions', async () => {
    const stdout = onHost(SCRIPT);
    expect(stdout.split('\n').length).toBeGreaterThan(20);
    await check('/usr/bin/bash', { args: ['-c', SCRIPT], needs: commands('sort sed tr cat mkdir ls wc grep seq head tail sh dash true false'), stdout, exit: 5 });
  });
});
