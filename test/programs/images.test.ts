/** Images that are not glibc's: musl, no C library at all, linked at odd addresses, built as C++; against qemu-riscv64. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../posix/process/run-guest.ts';
import { modes, runInMode } from './modes.ts';
import { runUnderQemu } from './oracle.ts';

const out = join(repositoryRoot, 'build/guests/images');
const source = (name: string): string => join(repositoryRoot, 'test/guests/bare', name);
const musl = join(repositoryRoot, 'build/riscv64-root/usr/lib/riscv64-linux-musl');
const compiler = 'riscv64-linux-gnu-gcc';
mkdirSync(out, { recursive: true });

function build(name: string, options: readonly string[]): string {
  const target = join(out, name);
  execFileSync(compiler, ['-O2', '-w', '-o', target, ...options]);
  return target;
}

const bare = (name: string, options: readonly string[]): string =>
  build(name, ['-static', '-nostdlib', '-ffreestanding', '-fno-stack-protector', '-fno-tree-loop-distribute-patterns', ...options, source('start.S'), source('bare.c')]);

async function check(executable: string, args: readonly string[]): Promise<void> {
  const expected = runUnderQemu({ executable, args });
  let first: unknown;
  for (const mode of modes) {
    const result = await runInMode(mode, { program: readFileSync(executable), argv: [executable, ...args] });
    expect(Buffer.from(result.stdout).toString(), `${mode}: ${result.stderr}`).toBe(Buffer.from(expected.stdout).toString());
    expect(result.end).toEqual(expected.end);
    first ??= { retired: result.retired, root: result.root };
    expect({ retired: result.retired, root: result.root }).toEqual(first);
  }
}

describe('images', () => {
  it('musl, static', async () => {
    const gcc = (name: string): string => execFileSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
    const libgcc = execFileSync(compiler, ['-print-libgcc-file-name'], { encoding: 'utf8' }).trim();
    const include = join(repositoryRoot, 'build/riscv64-root/usr/include/riscv64-linux-musl');
    // Debian's musl has unwinding tables with relocations that an older linker does not know; nothing here unwinds.
    const plain = (name: string): string => {
      const target = join(out, `musl-${name}`);
      execFileSync('riscv64-linux-gnu-objcopy', ['-g', '-R', '.eh_frame', '-R', '.rela.eh_frame', join(musl, name), target]);
      return target;
    };
    await check(build('musl', ['-static', '-nostdinc', '-nostdlib', '-isystem', include, '-isystem', gcc('include'), plain('crt1.o'), source('musl.c'), plain('libc.a'), libgcc]), ['last']);
  });

  it('bare, at the usual place', async () => check(bare('bare', []), ['a', 'b c', '']));
  it('bare, at 0x80000000 as board images are', async () => check(bare('bare-high', ['-Wl,-Ttext=0x80000000', '-Wl,-z,max-page-size=4096']), ['x']));
  it('bare, at 0x400000 and without compressed instructions', async () => check(bare('bare-plain', ['-Wl,-Ttext=0x400000', '-march=rv64g', '-mabi=lp64d']), []));
  it('stripped', async () => check(bare('bare-stripped', ['-s']), ['y']));
  it('position-independent without an interpreter', async () => check(bare('bare-pie', ['-static-pie', '-fPIE']), ['z']));
});
