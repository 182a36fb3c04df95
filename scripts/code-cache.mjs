/**
 * The last step of a build: makes the command executable, runs a small program, recorded, and a cluster of it, and has the launcher keep what V8 compiled on the way (cli/launch.ts). Functions that
 * such runs do not reach are compiled when they are called, as ever.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const LAUNCHER = resolve(import.meta.dirname, '../dist/bin/stillpoint.js');
const BASE = 0x10000;
const HEADER_BYTES = 64 + 56;
const TEXT = 'ready\n';
/** write(1, TEXT, 6); exit_group(0) of riscv64 Linux; the text lies behind the code. */
const CODE = [0x00100513, 0x00000597, 0x02058593, 0x00600613, 0x04000893, 0x00000073, 0x00000513, 0x05e00893, 0x00000073];

function smallestProgram() {
  const bytes = Buffer.alloc(HEADER_BYTES + 4 * CODE.length + TEXT.length);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.writeUInt16LE(2, 16); bytes.writeUInt16LE(243, 18); bytes.writeUInt32LE(1, 20); // Executable, RISC-V.
  bytes.writeBigUInt64LE(BigInt(BASE + HEADER_BYTES), 24); bytes.writeBigUInt64LE(64n, 32); bytes.writeUInt32LE(5, 48); // Entry, program headers, flags: compressed, double.
  bytes.writeUInt16LE(64, 52); bytes.writeUInt16LE(56, 54); bytes.writeUInt16LE(1, 56);
  bytes.writeUInt32LE(1, 64); bytes.writeUInt32LE(5, 68); bytes.writeBigUInt64LE(BigInt(BASE), 80); bytes.writeBigUInt64LE(BigInt(BASE), 88);
  bytes.writeBigUInt64LE(BigInt(bytes.length), 96); bytes.writeBigUInt64LE(BigInt(bytes.length), 104); bytes.writeBigUInt64LE(4096n, 112);
  CODE.forEach((word, index) => bytes.writeUInt32LE(word, HEADER_BYTES + 4 * index));
  bytes.write(TEXT, HEADER_BYTES + 4 * CODE.length);
  return bytes;
}

chmodSync(LAUNCHER, 0o755);
const folder = mkdtempSync(join(tmpdir(), 'stillpoint-build-'));
try {
  const program = join(folder, 'ready.elf');
  writeFileSync(program, smallestProgram());
  const environment = { ...process.env, STILLPOINT_CODE_CACHE: 'write', STILLPOINT_TRANSLATIONS: 'off', STILLPOINT_STORE: join(folder, 'store') };
  const command = (...words) => execFileSync(process.execPath, [LAUNCHER, ...words], { env: environment, encoding: 'utf8', cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = command('run', '--no-progress', '--name', 'ready', program);
  if (output !== TEXT) throw new Error(`the program of the build printed ${JSON.stringify(output)} instead of ${JSON.stringify(TEXT)}`);
  // What only clusters need.
  writeFileSync(join(folder, 'ready.yaml'), 'version: 1\ngroups:\n  ready: { program: ready.elf, count: 2, memory: 16M }\n');
  command('up', 'ready.yaml', '--no-logs', '--processes', '2');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
