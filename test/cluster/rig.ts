/**
 * Clusters as a user runs them: the built command, real processes, real files, C programs of examples/cluster. Each rig has a directory and a store.
 * What this does NOT do: build the command.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
export const CLI = join(ROOT, 'dist/bin/stillpoint.js');
export const EXAMPLES = join(ROOT, 'examples/cluster');
export const isSlow = process.env['STILLPOINT_SLOW'] === '1';

/** The parts of `up --report` that tests look at. */
export interface ClusterReport {
  readonly kind: string; readonly restarts: number; readonly milliseconds: number;
  readonly envelopes: { readonly sent: number; readonly dropped: Readonly<Record<string, number>> };
  readonly nodes: readonly { readonly node: string; readonly state: string; readonly root?: string; readonly instructions?: string; readonly outcome?: { readonly kind: string; readonly status?: number }; readonly channels?: readonly unknown[] }[];
}

export interface Ended { readonly status: number | null; readonly stdout: string; readonly stderr: string }

export class ClusterRig {
  readonly directory = mkdtempSync(join(tmpdir(), 'stillpoint-cluster-'));
  #starts = 0;

  constructor() {
    cpSync(EXAMPLES, this.directory, { recursive: true });
    mkdirSync(join(this.directory, 'build'), { recursive: true });
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Compiles a program of the examples, or the source given. */
  compile(name: string, source?: string): void {
    if (source !== undefined) writeFileSync(this.path(`${name}.c`), source);
    execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O2', '-I', EXAMPLES, this.path(`${name}.c`), '-o', this.path(`build/${name}.elf`)]);
  }

  write(name: string, content: string | Uint8Array): void {
    writeFileSync(this.path(name), content);
  }

  read(name: string): Buffer {
    return readFileSync(this.path(name));
  }

  remove(...names: readonly string[]): void {
    for (const name of names) rmSync(this.path(name), { force: true });
  }

  sha256(name: string): string {
    return createHash('sha256').update(this.read(name)).digest('hex');
  }

  /** A command in the background, with a store of its own unless `store` names one; `prefix`: what it is started by. */
  start(commandArguments: readonly string[], store = 'store', prefix: readonly string[] = []): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
    const [program = '', ...words] = [...prefix, process.execPath, CLI, ...commandArguments];
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.directory, env: { ...process.env, STILLPOINT_STORE: this.path(store) } });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (bytes: Buffer) => { stdout += bytes.toString(); });
    child.stderr.on('data', (bytes: Buffer) => { stderr += bytes.toString(); });
    return { child, ended: new Promise((done) => { child.on('close', (status) => { done({ status, stdout, stderr }); }); }) };
  }

  stillpoint(commandArguments: readonly string[], store?: string): Promise<Ended> {
    return this.start(commandArguments, store).ended;
  }

  /** A whole cluster in a store of its own; fails unless it ends well. */
  async up(file: string, options: readonly string[] = []): Promise<ClusterReport & { readonly store: string; readonly output: string }> {
    const store = `store-${++this.#starts}`;
    const { status, stdout, stderr } = await this.stillpoint(['up', file, '--report', 'report.json', ...options], store);
    if (status !== 0) throw new Error(`up ${file} ${options.join(' ')} ended with ${status}: ${stderr}`);
    return { ...this.report(), store, output: stdout };
  }

  report(): ClusterReport {
    return JSON.parse(this.read('report.json').toString()) as ClusterReport;
  }

  /** Process ids of the cluster's processes below a coordinator. */
  processesOf(coordinator: number): readonly number[] {
    const found: number[] = [];
    for (const name of readdirSync('/proc').filter((entry) => /^[0-9]+$/.test(entry))) {
      const stat = statOf(name);
      if (stat?.parent === coordinator && stat.state !== 'Z') found.push(Number(name));
    }
    return found.sort((a, b) => a - b);
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function isRunning(pid: number): boolean {
  const stat = statOf(String(pid));
  return stat !== undefined && stat.state !== 'Z';
}

function statOf(pid: string): { readonly parent: number; readonly state: string } | undefined {
  if (!existsSync(`/proc/${pid}/stat`)) return undefined;
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: state!, parent: Number(parent) };
  } catch {
    return undefined; // It ended while we looked.
  }
}

const LOOK_MS = 200;

/**
 * How long nobody of a cluster had anything to do: milliseconds in which none of its threads ran or waited for a processor. By the clock a cluster takes as many times its processor time as
 * others want the processors; a hang, and a wait that only a timer ends, show here on a busy machine, too.
 */
export class IdleTime {
  readonly #processes: () => readonly number[];
  readonly #timer = setInterval(() => { this.#look(); }, LOOK_MS);
  /** By thread: nanoseconds that it ran or wanted to. */
  #busy = new Map<string, number>();
  #lookedAt = performance.now();
  #idleMs = 0;

  constructor(processes: () => readonly number[]) {
    this.#processes = processes;
  }

  end(): number {
    clearInterval(this.#timer);
    return this.#idleMs;
  }

  #look(): void {
    const now = performance.now();
    const threads = this.#processes().flatMap(threadsOf);
    const busy = new Map(threads.map((thread) => [thread, busyOf(thread)]));
    const most = Math.max(0, ...[...busy].map(([thread, nanoseconds]) => nanoseconds - (this.#busy.get(thread) ?? 0)));
    // The kernel counts a wait for a processor when it ends: where others leave none for minutes, only the state of the thread tells.
    if (!threads.some(isRunnable)) this.#idleMs += Math.max(0, now - this.#lookedAt - most / 1e6);
    this.#busy = busy;
    this.#lookedAt = now;
  }
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`);
  } catch {
    return []; // It ended while we looked.
  }
}

function busyOf(thread: string): number {
  try {
    const [ran = 0, waited = 0] = readFileSync(`${thread}/schedstat`, 'utf8').split(' ').map(Number);
    return ran + waited;
  } catch {
    return 0;
  }
}

function isRunnable(thread: string): boolean {
  try {
    return readFileSync(`${thread}/stat`, 'utf8').split(') ').at(-1)!.startsWith('R');
  } catch {
    return false;
  }
}

/** What must be the same in every run of a cluster: root and instruction count of every node. */
export function fingerprint({ nodes }: ClusterReport): string {
  return nodes.map(({ node, root, instructions }) => `${node} ${instructions} ${root}`).join('\n');
}

/** Random numbers from a seed: a failed test prints the seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Two minutes at least: on a busy machine a cluster takes its processor time many times over. */
const TRIES_MAX = 12_000;

/** Waits until a fact holds, looking often. */
export async function until(fact: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !fact(); tries++) {
    if (tries > TRIES_MAX) throw new Error(`${what} did not come`);
    await new Promise((done) => { setTimeout(done, 10); });
  }
}
