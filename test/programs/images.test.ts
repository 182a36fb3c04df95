/** Images that are not glibc's: musl, picolibc, no C library at all, linked at odd addresses, built as C++; against qemu-riscv64. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../posix/process/run-guest.ts';
import { modes, runInMode } from './modes.ts';
import { runUnderQemu } from './oracle.ts';

const out = join(repositoryRoot, 'build/guests/images');
const source = (name: string): string => join(repositoryRoot, 'test/guests/bare', name);
const root = join(repositoryRoot, 'build/riscv64-root');
const musl = join(root, 'usr/lib/riscv64-linux-musl');
const compiler = 'riscv64-linux-gnu-gcc';
mkdirSync(out, { recursive: true });

function build(name: string, options: readonly string[]): string {
  const target = join(out, name);
  execFileSync(compiler, ['-O2', '-w', '-o', target, ...options]);
  return target;
}

const asked = (option: string): string => execFileSync(compiler, [option], { encoding: 'utf8' }).trim();
/** Headers of the compiler itself, and its arithmetic; for images with a C library that is not glibc. */
const compilerHeaders = asked('-print-file-name=include');
const arithmetic = asked('-print-libgcc-file-name');

/** A file of a C library without unwinding tables, whose relocations an older linker does not know; nothing here unwinds. */
function withoutTables(file: string, name: string): string {
  const target = join(out, name);
  execFileSync('riscv64-linux-gnu-objcopy', ['-g', '-R', '.eh_frame', '-R', '.rela.eh_frame', file, target]);
  return target;
}

const bare = (name: string, options: readonly string[]): string =>
  build(name, ['-static', '-nostdlib', '-ffreestanding', '-fno-stack-protector', '-fno-tree-loop-distribute-patterns', ...options, source('start.S'), source('bare.c')]);

async function check(executable: string, args: readonly string[], image: readonly string[] = []): Promise<void> {
  const expected = await runUnderQemu({ executable, args });
  let first: unknown;
  for (const mode of modes) {
    const result = await runInMode(mode, { program: readFileSync(executable), argv: [executable, ...args], image, memoryBytes: 256 * 1024 * 1024 });
    expect(Buffer.from(result.stdout).toString(), `${mode}: ${result.stderr}`).toBe(Buffer.from(expected.stdout).toString());
    expect(result.end).toEqual(expected.end);
    first ??= { retired: result.retired, root: result.root };
    expect({ retired: result.retired, root: result.root }).toEqual(first);
  }
}

describe('images', () => {
  it('musl, static', async () => {
    const include = join(root, 'usr/include/riscv64-linux-musl');
    const [start, library] = [withoutTables(join(musl, 'crt1.o'), 'musl-crt1.o'), withoutTables(join(musl, 'libc.a'), 'musl-libc.a')];
    await check(build('musl', ['-static', '-nostdinc', '-nostdlib', '-isystem', include, '-isystem', compilerHeaders, start, source('musl.c'), library, arithmetic]), ['last']);
  });

  // musl's dynamic linker is its C library: Debian's own, unmodified, at a place of its own.
  it('musl, dynamic, with threads', async () => {
    mkdirSync(join(out, 'musl-library'), { recursive: true });
    const library = join(out, 'musl-library/libc.so');
    copyFileSync(join(musl, 'libc.so'), library);
    const include = join(root, 'usr/include/riscv64-linux-musl');
    const [start, before, behind] = ['Scrt1.o', 'crti.o', 'crtn.o'].map((file) => withoutTables(join(musl, file), `musl-${file}`)) as [string, string, string]; // Three of three.
    const options = ['-pie', '-fPIE', '-nostdinc', '-nostdlib', '-isystem', include, '-isystem', compilerHeaders, `-Wl,-dynamic-linker,${library}`];
    await check(build('musl-threads', [...options, start, before, source('musl-threads.c'), library, arithmetic, behind]), ['last'], [join(out, 'musl-library')]);
  }, 300_000);

  // The package is 115 MB: only with STILLPOINT_SLOW.
  if (process.env['STILLPOINT_SLOW'] === '1') {
    it('picolibc, at 0x80000000', async () => {
      const picolibc = join(root, 'picolibc');
      const library = withoutTables(join(picolibc, 'lib/rv64iafd/lp64d/libc.a'), 'picolibc.a');
      const options = ['-static', '-nostdlib', '-nostdinc', '-ffreestanding', '-Wl,-Ttext=0x80000000', '-Wl,-z,max-page-size=4096'];
      await check(build('picolibc', [...options, '-isystem', join(picolibc, 'include'), '-isystem', compilerHeaders, source('start.S'), source('picolibc.c'), library, arithmetic]), ['a', 'b']);
    });
  }

  it('bare, at the usual place', async () => check(bare('bare', []), ['a', 'b c', '']));
  it('bare, at 0x80000000 as board images are', async () => check(bare('bare-high', ['-Wl,-Ttext=0x80000000', '-Wl,-z,max-page-size=4096']), ['x']));
  it('bare, at 0x400000 and without compressed instructions', async () => check(bare('bare-plain', ['-Wl,-Ttext=0x400000', '-march=rv64g', '-mabi=lp64d']), []));
  it('stripped', async () => check(bare('bare-stripped', ['-s']), ['y']));
  it('position-independent without an interpreter', async () => check(bare('bare-pie', ['-static-pie', '-fPIE']), ['z']));
});
