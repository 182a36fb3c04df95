/**
 * Segment-parallel verification: every checkpoint root ends one stretch and begins the next, so K processes verify K stretches at once.
 * Each is this same command with --from and --to; the first that fails ends the others.
 * Invariant: the stretches cover the run without gap, so all of them identical means the run identical (each trusts only a root that its
 * predecessor proves). What this does NOT do: compare anything itself.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { StillpointError, type ErrorCode, ERROR_TABLE } from '../core/index.ts';
import type { RunRecord } from '../txn/index.ts';
import type { ReplayRequest, ReplayResult } from './replay.ts';

interface Piece { readonly from: number | undefined; readonly to: number | undefined }

export async function verifyInParallel(record: RunRecord, parts: { readonly request: ReplayRequest; readonly jobs: number; readonly from: number | undefined; readonly to: number | undefined; readonly checkpoints: readonly number[] }): Promise<ReplayResult> {
  const pieces = cut(parts);
  const results: ReplayResult[] = [];
  const running = new Set<ChildProcess>();
  const waiting = [...pieces];
  const work = async (): Promise<void> => {
    for (let piece = waiting.shift(); piece !== undefined; piece = waiting.shift()) results.push(await verifyPiece(piece, { request: parts.request, running }));
  };
  try {
    await Promise.all(Array.from({ length: Math.min(parts.jobs, pieces.length) }, work));
  } finally {
    for (const child of running) child.kill('SIGKILL');
  }
  return join(record.name, results);
}

/** Stretches of about equal numbers of checkpoints (those that were not dropped), two for each job so that an uneven one does not hold up the rest. */
function cut({ jobs, from, to, checkpoints }: { readonly jobs: number; readonly from: number | undefined; readonly to: number | undefined; readonly checkpoints: readonly number[] }): readonly Piece[] {
  const inside = checkpoints.filter((number) => number > (from ?? 0) && (to === undefined || number < to));
  const count = Math.max(1, Math.min(jobs * 2, inside.length + 1));
  const inner = Array.from({ length: count - 1 }, (_, index) => inside[Math.floor(((index + 1) * inside.length) / count)]!);
  const bounds = [from, ...inner, to];
  return bounds.slice(1).map((bound, index) => ({ from: bounds[index], to: bound }));
}

async function verifyPiece({ from, to }: Piece, { request, running }: { readonly request: ReplayRequest; readonly running: Set<ChildProcess> }): Promise<ReplayResult> {
  const options = [
    ...(request.store === undefined ? [] : ['--store', request.store]), ...(from === undefined ? [] : ['--from', String(from)]), ...(to === undefined ? [] : ['--to', String(to)]),
    ...(request.engine === undefined ? [] : ['--engine', request.engine]), ...(request.comparesFiles ? [] : ['--no-outputs']),
  ];
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, 'replay', request.name, '--json', ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const [output, errors, status] = await Promise.all([text(child.stdout!), text(child.stderr!), new Promise<number | null>((resolve) => { child.on('close', resolve); })]);
  running.delete(child);
  if (status === 0) return JSON.parse(output) as ReplayResult; // Our own command's JSON.
  const [, code, message] = /^stillpoint: (E_[A-Z_]+): (.*)$/m.exec(errors) ?? [];
  if (code !== undefined && code in ERROR_TABLE) throw new StillpointError(code as ErrorCode, message ?? ''); // Looked up just before.
  throw new StillpointError('E_INTERNAL', `a verifying process ended with status ${status}`);
}

async function text(stream: AsyncIterable<unknown>): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += String(chunk);
  return all;
}

function join(name: string, results: readonly ReplayResult[]): ReplayResult {
  const sum = (pick: (result: ReplayResult) => number): number => results.reduce((total, result) => total + pick(result), 0);
  const last = results.find((result) => result.exits > 0);
  return {
    name, isIdentical: true, frames: sum((result) => result.frames), outputs: sum((result) => result.outputs), checkpoints: sum((result) => result.checkpoints),
    exits: sum((result) => result.exits), root: last?.root, instructions: results.reduce((total, result) => total + BigInt(result.instructions), 0n),
    files: results.flatMap((result) => result.files),
  };
}
