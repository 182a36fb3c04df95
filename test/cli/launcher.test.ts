/**
 * The command as a program of its own, started by a link as npm's are: it hands everything on, and asks for one arena of the C library's memory unless
 * the user says otherwise.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI } from './command.ts';

const folder = mkdtempSync(join(tmpdir(), 'stillpoint-launcher-'));
const command = join(folder, 'still point');
const spy = join(folder, 'spy.cjs');

beforeAll(() => {
  symlinkSync(CLI, command);
  writeFileSync(spy, 'process.on("exit", () => process.stderr.write(`arenas ${process.env.MALLOC_ARENA_MAX}, hang-ups ${process.listenerCount("SIGHUP")}`));');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the launcher', () => {
  it('hands all arguments on, whatever is in them', () => {
    const { status, stderr } = spawnSync(command, ['run', '--ephemeral', '/no such "program" $HOME *'], { encoding: 'utf8' });
    expect(stderr).toBe('stillpoint: E_PROGRAM_NOT_FOUND: there is no program at /no such "program" $HOME *\n');
    expect(status).toBe(127);
  });

  it('asks for one arena, or for as many as the user wants', () => {
    const arenas = (wanted: string): string => {
      const environment = { ...process.env, NODE_OPTIONS: `--require=${spy}`, MALLOC_ARENA_MAX: wanted };
      return spawnSync(command, ['--version'], { env: environment, encoding: 'utf8' }).stderr;
    };
    expect(arenas('')).toBe('arenas 1, hang-ups 0');
    expect(arenas('3')).toBe('arenas 3, hang-ups 0');
  });

  it('tells Node of a signal to hang up that is ignored, as nohup has it', () => {
    const environment = { ...process.env, NODE_OPTIONS: `--require=${spy}` };
    expect(spawnSync('sh', ['-c', 'trap "" HUP; exec "$0" --version', command], { env: environment, encoding: 'utf8' }).stderr).toBe('arenas 1, hang-ups 1');
  });

  it('reads no certificates that are meant for others', () => {
    const environment = { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'none.pem') }; // Node warns of a file that is not there.
    const { status, stderr } = spawnSync(command, ['--version'], { env: environment, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });
});
