// Users, with Linux as the oracle: the same C program (users.c) runs natively as root in an empty directory, and as a guest whose user is root in an
// empty directory; every line must be the same. Needs root, as `npm test` says.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { translating } from '../../../src/engine/index.ts';
import { riscv64 } from '../../../src/isa/riscv/index.ts';
import { runGuest } from '../process/run-guest.ts';

const SOURCE = join(import.meta.dirname, 'users.c');
const ROOT = { uid: 0, gid: 0, groups: [0] };

test('users, groups and their rights are those of Linux', () => {
  const directory = mkdtempSync(join(tmpdir(), 'stillpoint-users-'));
  try {
    const build = (compiler: string, flags: readonly string[], out: string): string => {
      execFileSync(compiler, ['-w', '-O1', ...flags, '-o', join(directory, out), SOURCE]);
      return join(directory, out);
    };
    const native = build('gcc', [], 'native');
    const work = join(directory, 'work');
    mkdirSync(work);
    for (const path of [directory, work]) chmodSync(path, 0o755);
    const expected = spawnSync(native, [], { cwd: work, encoding: 'utf8', timeout: 60_000 });
    expect([expected.status, expected.stderr]).toEqual([0, '']);
    const program = readFileSync(build('riscv64-linux-gnu-gcc', ['-static'], 'guest'));
    for (const isa of [riscv64, translating(riscv64)]) {
      const result = runGuest(program, { workingDirectory: '/tmp/work', isa, user: ROOT, prepare: (files) => { files.makeDirectory(directoryAt(files.root, 'tmp'), 'work', { credentials: ROOT, mode: 0o755 }); } });
      expect(result.stderr).toBe('');
      const [ours, theirs] = [result.stdout.split('\n'), expected.stdout.split('\n')];
      expect(theirs.flatMap((line, index) => (line === ours[index] ? [] : [`Linux: ${line}\n ours: ${ours[index]}`]))).toEqual([]);
      expect([ours.length, result.outcome]).toEqual([theirs.length, 'exit 0']);
      expect(theirs.length).toBeGreaterThan(220);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

function directoryAt(root: import('../../../src/posix/files/inode.ts').DirectoryInode, name: string): import('../../../src/posix/files/inode.ts').DirectoryInode {
  const inode = root.entries.get(name)?.inode;
  if (inode?.kind !== 'directory') throw new Error(`there is no directory ${name}`);
  return inode;
}
