/**
 * `--check CMD`: a command of the host that judges an answer. It gets the answer on standard input, the request in a file named by $STILLPOINT_REQUEST,
 * and says yes with exit status 0.
 * Invariant: it ends, or is ended, within its time. What this does NOT do: reach the guest.
 */
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../../session/index.ts';
import type { Validator } from '../service.ts';

/** What is kept of the command's remarks. */
const REMARK_BYTES_MAX = 4096;

export function checkCommand(command: string, timeoutMs: number): Validator {
  return async ({ request, response }) => {
    const directory = temporaryDirectory();
    try {
      const file = join(directory, 'request');
      writeFileSync(file, request, { mode: 0o600 });
      return await judge(command, { response, file, timeoutMs });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  };
}

function judge(command: string, { response, file, timeoutMs }: { readonly response: Uint8Array; readonly file: string; readonly timeoutMs: number }): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['pipe', 'ignore', 'pipe'], env: { ...process.env, STILLPOINT_REQUEST: file }, detached: true });
    let remarks = '';
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL'); // Its group: what it started, too.
    }, timeoutMs);
    child.stdin.on('error', () => undefined); // A command need not read the answer.
    child.stdin.end(response);
    child.stderr.on('data', (bytes: Buffer) => { if (remarks.length < REMARK_BYTES_MAX) remarks += bytes.toString(); });
    child.on('error', (error) => { clearTimeout(timer); resolve(error.message); });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      if (status === 0) return resolve(undefined);
      const last = remarks.trimEnd().split('\n').at(-1)?.slice(0, REMARK_BYTES_MAX) ?? '';
      if (isLate) return resolve(`the check took longer than ${timeoutMs} ms`);
      return resolve(last !== '' ? last : signal === null ? `exit status ${status}` : `ended by ${signal}`);
    });
  });
}
