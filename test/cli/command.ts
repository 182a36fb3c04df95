/**
 * Runs the built command as a user does and gives back what a user sees. Each test directory has its own store.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
export const CLI = join(ROOT, 'dist/bin/stillpoint.js');

export interface Seen { readonly status: number | null; readonly stdout: string; readonly stderr: string }

export class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), 'stillpoint-cli-'));
  readonly store = join(this.directory, 'store');

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Compiles C source for the machine; `extra` are options of the compiler. */
  compile(name: string, source: string, extra: readonly string[] = []): string {
    const program = this.path(name);
    execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O1', '-x', 'c', '-', '-o', program, ...extra], { input: source });
    return program;
  }

  /** A command of stillpoint with this bench's store; `input` is its standard input. */
  stillpoint(commandArguments: readonly string[], input = '', environment: Readonly<Record<string, string>> = {}, timeoutMs = 60_000): Seen {
    const result = spawnSync(process.execPath, [CLI, ...commandArguments], {
      input, encoding: 'utf8', timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024, cwd: this.directory, env: { ...process.env, STILLPOINT_STORE: this.store, ...environment },
    });
    return { status: result.status, stdout: result.stdout, stderr: result.stderr };
  }

  /** The same in the background. */
  start(commandArguments: readonly string[], standardInput: 'ignore' | 'pipe' = 'ignore'): { readonly kill: (signal: NodeJS.Signals) => void; readonly ended: Promise<Seen>; readonly pid: number } {
    const child = spawn(process.execPath, [CLI, ...commandArguments], { stdio: [standardInput, 'pipe', 'pipe'], cwd: this.directory, env: { ...process.env, STILLPOINT_STORE: this.store } });
    let stdout = '';
    let stderr = '';
    child.stdout!.on('data', (bytes: Buffer) => { stdout += bytes.toString(); });
    child.stderr!.on('data', (bytes: Buffer) => { stderr += bytes.toString(); });
    const ended = new Promise<Seen>((done) => { child.on('close', (status) => done({ status, stdout, stderr })); });
    return { kill: (signal) => { child.kill(signal); }, ended, pid: child.pid! };
  }

  /** Waits until a file exists (or another fact holds), looking often. */
  async until(fact: () => boolean): Promise<void> {
    for (let tries = 0; !fact(); tries++) {
      if (tries > 2000) throw new Error('what was waited for did not come');
      await new Promise((done) => { setTimeout(done, 10); });
    }
  }

  hasStore(): boolean {
    return existsSync(this.store);
  }

  makeDirectory(name: string): string {
    mkdirSync(this.path(name), { recursive: true });
    return this.path(name);
  }
}

/** The one line of a failed command: code first. */
export function complaint({ stderr }: Seen): string {
  const lines = stderr.trimEnd().split('\n');
  if (lines.length !== 1) return `${lines.length} lines: ${stderr}`;
  return /^stillpoint: (E_[A-Z_]+): .{10,}/.exec(lines[0]!)?.[1] ?? `no code: ${stderr}`;
}
