// Independent oracles for guest programs: qemu-riscv64 runs the same executable, and the host runs its own build.
//
// Each run has a fresh temporary directory as working directory with the files given, an empty environment, no core
// dumps and an 8 MiB stack. Results of the small C programs are kept in build/oracle by the digest of everything that
// decides them. stderr is kept for messages only: qemu writes its own words there.
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BuildTarget, buildProgram, type GuestProgram, type ProgramEnd, repositoryRoot } from '../guests/build.ts';

/** What an oracle saw. */
export interface OracleResult {
  readonly stdout: Uint8Array;
  readonly stderr: string;
  readonly end: ProgramEnd;
}

/** What is run: an executable, its arguments after argv[0], its input and the files around it. */
export interface OracleJob {
  readonly executable: string;
  readonly args: readonly string[];
  readonly stdin?: Uint8Array;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

/** The processor of the oracle: RV64GC without the vector extension, as the guest has it. */
export const qemuCommand: readonly string[] = ['qemu-riscv64', '-cpu', 'rv64,v=false'];

// A program that ends within milliseconds; the limit only keeps one that hangs from hanging the suite.
const timeoutMs = 60_000;
/** By how much an answer of the host must lead. */
const LEAD = 3;
const HANGS_MAX = 3;
const ANSWERS_MAX = 25;

/** A program that was still running when its time was over. */
class Unfinished extends Error {}

/** Runs a command around an executable. Rejects with Unfinished. */
async function runCommand(command: readonly string[], job: OracleJob): Promise<OracleResult> {
  const cwd = mkdtempSync(join(tmpdir(), 'stillpoint-oracle-'));
  try {
    for (const [name, content] of Object.entries(job.files ?? {})) {
      mkdirSync(dirname(join(cwd, name)), { recursive: true });
      writeFileSync(join(cwd, name), content);
    }
    const script = 'ulimit -c 0; ulimit -s 8192; exec "$@"';
    const child = spawn('/bin/sh', ['-c', script, 'sh', ...command, job.executable, ...job.args], { cwd, env: { PATH: '/usr/local/bin:/usr/bin:/bin' } });
    let isUnfinished = false;
    const timer = setTimeout(() => {
      isUnfinished = true;
      child.kill('SIGKILL');
      for (const stream of [child.stdout, child.stderr]) stream.destroy(); // Children of it may hold them.
    }, timeoutMs);
    child.stdin.on('error', () => {}); // A program need not read.
    child.stdin.end(job.stdin ?? new Uint8Array(0));
    try {
      const [stdout, stderr, end] = await Promise.all([collect(child.stdout), collect(child.stderr), endOf(child)]);
      if (isUnfinished) throw new Error('killed');
      return { stdout, stderr: stderr.toString('utf8'), end };
    } catch (cause) {
      throw isUnfinished ? new Unfinished(`${command.join(' ')} ${job.executable} does not end`, { cause }) : cause;
    } finally {
      clearTimeout(timer);
    }
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function endOf(child: ChildProcess): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signal) => { resolve(signal === null ? { kind: 'exit', status: status! } : { kind: 'signal', signal }); });
  });
}

/** What `run` answers; asked again, `HANGS_MAX` times in all, when it never ends: threads and processes of the host, and of an emulator on it, now and then miss each other for good. */
async function thatEnds(run: () => Promise<OracleResult>): Promise<OracleResult> {
  for (let hangs = 1; ; hangs++) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof Unfinished) || hangs === HANGS_MAX) throw error;
    }
  }
}

/** Runs a riscv64 executable under qemu-riscv64. */
export function runUnderQemu(job: OracleJob): Promise<OracleResult> {
  return thatEnds(() => runCommand(qemuCommand, job));
}

/** Runs a host executable. */
export function runOnHost(job: OracleJob): Promise<OracleResult> {
  return thatEnds(() => runCommand([], job));
}

/**
 * The host's answer that is the first to be given `LEAD` times more than any other: the host decides by the clock who runs first, and on a busy machine a program that waits
 * "long enough" for another thread now and then does not. One after another: some make files of fixed names. Throws an Error when no answer comes so often.
 */
async function usualAnswer(job: OracleJob): Promise<OracleResult> {
  const times = new Map<string, number>();
  for (let runs = 0; runs < ANSWERS_MAX; runs++) {
    const result = await runOnHost(job);
    const answer = JSON.stringify([result.end, Buffer.from(result.stdout).toString('base64')]);
    const count = (times.get(answer) ?? 0) + 1;
    const others = Math.max(0, ...[...times].filter(([other]) => other !== answer).map(([, given]) => given));
    times.set(answer, count);
    if (count - others === LEAD) return result;
  }
  throw new Error(`${job.executable}: ${times.size} different answers in ${ANSWERS_MAX} runs on the host`);
}

/** What the oracle says about a small C program built for `target`; computed once per content of everything involved. */
export async function programOracle(program: GuestProgram, target: BuildTarget): Promise<OracleResult> {
  const executable = await buildProgram(program, target);
  const key = createHash('sha256').update(JSON.stringify([executable, program.args, program.files, [...program.stdin], qemuCommand])).digest('hex');
  const cached = join(repositoryRoot, 'build/oracle', `${program.name}-${target}-${key.slice(0, 16)}.json`);
  if (existsSync(cached)) {
    // We wrote it ourselves, with this shape.
    const { stdout, stderr, end } = JSON.parse(readFileSync(cached, 'utf8')) as { stdout: string; stderr: string; end: ProgramEnd };
    return { stdout: Buffer.from(stdout, 'base64'), stderr, end };
  }
  const job: OracleJob = { executable, args: program.args, stdin: program.stdin, files: program.files };
  const result = await (target === 'native' ? usualAnswer(job) : runUnderQemu(job));
  mkdirSync(dirname(cached), { recursive: true });
  const temporary = `${cached}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify({ ...result, stdout: Buffer.from(result.stdout).toString('base64') }));
  renameSync(temporary, cached);
  return result;
}
