/**
 * `stillpoint doctor`: what this host offers. Exit status 0 when a program can be run and recorded here, 1 otherwise.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { defaultStoreDirectory } from '../../src/index.ts';
import { say, sayJson } from '../terminal.ts';

interface Finding { readonly what: string; readonly isOk: boolean; readonly isNeeded: boolean; readonly says: string }

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('what this host offers: Node, memory, store, cross toolchain, oracle')
    .option('--json', 'facts as JSON')
    .addHelpText('after', '\nExample:\n  stillpoint doctor')
    .action((options: { readonly json?: boolean }) => {
      const findings = [node(), memory(), store(), tool('riscv64-linux-gnu-gcc', 'stillpoint cc', 'gcc-riscv64-linux-gnu'), tool('qemu-riscv64', 'tests and benchmarks', 'qemu-user'), bits()];
      if (options.json === true) sayJson({ findings });
      else for (const { what, isOk, isNeeded, says } of findings) say(`${isOk ? 'ok  ' : isNeeded ? 'FAIL' : 'none'}  ${what.padEnd(24)} ${says}`);
      if (findings.some((finding) => finding.isNeeded && !finding.isOk)) process.exitCode = 1;
    });
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return { what: 'node', isOk: major > 20 || (major === 20 && minor >= 19), isNeeded: true, says: `${process.version}, V8 ${process.versions.v8}; 20.19 or newer is needed` };
}

function memory(): Finding {
  const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return { what: 'memory', isOk: freemem() > 2 ** 29, isNeeded: false, says: `${gibibytes(freemem())} free of ${gibibytes(totalmem())}, ${availableParallelism()} processors` };
}

function bits(): Finding {
  const isLittle = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
  return { what: 'byte order', isOk: isLittle, isNeeded: true, says: `${process.arch}, ${isLittle ? 'little' : 'big'}-endian; the machine is little-endian` };
}

function store(): Finding {
  const directory = defaultStoreDirectory();
  let place = directory;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  try {
    accessSync(place, constants.W_OK);
    return { what: 'store', isOk: true, isNeeded: true, says: `${directory} (${existsSync(directory) ? 'exists' : 'will be made'})` };
  } catch {
    return { what: 'store', isOk: false, isNeeded: true, says: `${place} is not writable; set STILLPOINT_STORE` };
  }
}

function tool(name: string, use: string, debianPackage: string): Finding {
  const result = spawnSync(name, ['--version'], { encoding: 'utf8' });
  if (result.error !== undefined || result.status !== 0) return { what: name, isOk: false, isNeeded: false, says: `not installed (for ${use}); on Debian: apt-get install ${debianPackage}` };
  return { what: name, isOk: true, isNeeded: false, says: result.stdout.split('\n')[0]! };
}
