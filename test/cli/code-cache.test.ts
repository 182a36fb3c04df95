/** What the launcher keeps of V8's work is trusted only whole and for its own script: damaged, cut or strange data changes nothing that a user sees. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLI, ROOT } from './command.ts';

const folder = join(ROOT, 'build', `code-cache-${process.pid}`);
const caches = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.cache')).map((name) => join(folder, name));
const run = (...options: readonly string[]): readonly [number | null, string, string] => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'stillpoint.js'), ...options], { encoding: 'utf8' });
  return [status, stdout, stderr];
};

beforeEach(() => { cpSync(dirname(CLI), folder, { recursive: true }); });
afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

describe('the code cache of the command', () => {
  it('may be absent, damaged, cut, empty or of another script', () => {
    const wanted = run('run', '--help');
    expect([wanted[0], wanted[2]]).toEqual([0, '']);
    expect(caches().length).toBeGreaterThan(2);
    const kept = caches().map((file) => readFileSync(file));
    const spoil: Readonly<Record<string, (bytes: Buffer, index: number) => Buffer>> = {
      'a flipped bit in the data': (bytes) => { bytes[bytes.length >>> 1]! ^= 4; return bytes; },
      'a flipped bit in the digest': (bytes) => { bytes[3]! ^= 1; return bytes; },
      cut: (bytes) => bytes.subarray(0, bytes.length - 100),
      empty: () => Buffer.alloc(0),
      'of another script': (_, index) => kept[(index + 1) % kept.length]!,
    };
    for (const [name, change] of Object.entries(spoil)) {
      caches().forEach((file, index) => { writeFileSync(file, change(Buffer.from(kept[index]!), index)); });
      expect(run('run', '--help'), name).toEqual(wanted);
    }
    for (const file of caches()) rmSync(file);
    expect(run('run', '--help'), 'absent').toEqual(wanted);
    expect(run('rnu')[2]).toMatch(/^stillpoint: E_USAGE: unknown command 'rnu'/);
    expect(caches().filter((file) => existsSync(file))).toEqual([]);
  }, 60_000);

  it('is taken by the Node that made it', () => {
    const script = `
      const { Script } = require('node:vm'); const fs = require('node:fs'); const { createHash } = require('node:crypto');
      const v8 = require('node:v8'); const Module = require('node:module');
      let rejected = 0, taken = 0;
      const vm = require('node:vm'); const Original = vm.Script;
      vm.Script = class extends Original { constructor(text, options) { super(text, options); if (this.cachedDataRejected) rejected++; else if (options.cachedData !== undefined) taken++; } };
      require('node:module').syncBuiltinESMExports();
      process.argv[1] = ${JSON.stringify(join(folder, 'stillpoint.js'))}; process.argv[2] = '--version';
      process.on('exit', () => console.log(JSON.stringify({ rejected, taken })));
      import(process.argv[1]);`;
    const { stdout } = spawnSync(process.execPath, ['-e', script, '--', '--version'], { encoding: 'utf8' });
    const { rejected, taken } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { readonly rejected: number; readonly taken: number };
    expect([rejected, taken > 10, taken <= caches().length]).toEqual([0, true, true]); // Some are of commands for clusters only.
  }, 60_000);
});
