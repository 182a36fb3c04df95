/**
 * Runs a program in a machine in this process, all in memory: the shortest way from ELF bytes to { stdout, stderr, outcome }.
 * What this does NOT do: files on the host, journals, checkpoints.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ChannelSet, type ChannelSpec } from '../../../src/channel/index.ts';
import { seedFromNumber } from '../../../src/core/index.ts';
import { createNodeDigests } from '../../../src/core/live/digest.ts';
import type { ImageTree } from '../../../src/image/index.ts';
import type { Isa } from '../../../src/isa/index.ts';
import { riscv64 } from '../../../src/isa/riscv/index.ts';
import { Guest, type BootOptions, type FileSystem, type GuestStop } from '../../../src/posix/index.ts';

export const digests = await createNodeDigests();
export const repositoryRoot = path.resolve(import.meta.dirname, '../../..');
const buildDirectory = path.join(repositoryRoot, 'build/posix-process');

const unlimited = { gets: null, getBytes: null, puts: null, putBytes: null };

function stream(name: string, direction: { readonly reads: boolean }): ChannelSpec {
  return { name, path: `/dev/${name}`, access: 'sequential', reads: direction.reads, writes: !direction.reads, live: false, seenAs: 'pipe', initialSize: 0, limits: unlimited };
}

export function standardChannels(): ChannelSet {
  return new ChannelSet([stream('stdin', { reads: true }), stream('stdout', { reads: false }), stream('stderr', { reads: false })], digests);
}

export interface RunOptions {
  readonly argv?: readonly string[];
  readonly environment?: readonly string[];
  readonly stdin?: Uint8Array | string;
  readonly memoryBytes?: number;
  readonly clock?: BootOptions['clock'];
  readonly entropy?: BootOptions['entropy'];
  /** Instructions a run() call may take; the results must not depend on it. */
  readonly slice?: number | (() => number);
  /** Stops with 'budget' after this many instructions in all. */
  readonly instructionsMax?: number;
  readonly workingDirectory?: string;
  readonly user?: BootOptions['user'];
  readonly prepare?: (files: FileSystem) => void;
  /** Gets the machine before its first instruction. */
  readonly onBoot?: (guest: Guest) => void;
  /** What lies below the guest's files. */
  readonly image?: ImageTree;
  /** Seed of another schedule. */
  readonly schedule?: bigint;
  /** The program is a file of `image`, at programPath. */
  readonly isInImage?: boolean;
  /** Where the guest sees the program; it may be there already when `prepare` has run. */
  readonly programPath?: string;
  /** Another executor than the reference interpreter. */
  readonly isa?: Isa;
}

export interface GuestResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Uint8Array;
  /** The stop that ended it: ended, capped, or budget when instructionsMax was used up. */
  readonly stop: GuestStop;
  /** `exit N`, `signal N`, or the cap. */
  readonly outcome: string;
  readonly retired: bigint;
  readonly guest: Guest;
}

export function bootGuest(program: Uint8Array, options: RunOptions = {}, channels: ChannelSet = standardChannels()): Guest {
  return Guest.boot({
    isa: options.isa ?? riscv64, program, argv: options.argv ?? ['program'], environment: options.environment ?? [], workingDirectory: options.workingDirectory ?? '/',
    memoryBytes: options.memoryBytes ?? 64 * 1024 * 1024, clock: options.clock ?? { kind: 'zero' },
    entropy: options.entropy ?? { kind: 'seed', seed: seedFromNumber(1n) }, channels, programPath: options.programPath ?? '/bin/program', image: options.image, isInImage: options.isInImage ?? false, schedule: options.schedule, user: options.user,
    ...(options.prepare === undefined ? {} : { prepare: options.prepare }),
  });
}

/** Gives blocked channels what they want from `stdin`, and recorded clock and entropy made-up values that grow. */
export class Feeder {
  readonly #stdin: Uint8Array;
  #clock = 1_700_000_000_000_000_000n;
  constructor(stdin: Uint8Array | string = '') {
    this.#stdin = typeof stdin === 'string' ? new TextEncoder().encode(stdin) : stdin;
  }

  feed(guest: Guest, stop: GuestStop & { readonly kind: 'blocked' }): void {
    for (const channel of stop.channels) {
      const wanted = channel.wanted;
      if (wanted === undefined) continue;
      const bytes = this.#stdin.subarray(wanted.offset, wanted.offset + wanted.length);
      if (bytes.length === 0) channel.supplyEnd(wanted.offset);
      else channel.supply(wanted.offset, bytes.slice());
    }
    if (stop.needsClock) guest.supplyClock(this.#clock += 1_000_000n);
    if (stop.needsEntropy > 0) guest.supplyEntropy(new Uint8Array(stop.needsEntropy).fill(0x5a));
  }
}

export function describeStop(stop: GuestStop): string {
  switch (stop.kind) {
    case 'ended': return stop.outcome.kind === 'exited' ? `exit ${stop.outcome.status}` : `signal ${stop.outcome.signal}`;
    case 'capped': return stop.cap;
    case 'budget':
    case 'blocked': return stop.kind;
  }
}

/** Boots and runs to the end (or to instructionsMax). Synchronous. */
export function runGuest(program: Uint8Array, options: RunOptions = {}): GuestResult {
  const channels = standardChannels();
  const guest = bootGuest(program, options, channels);
  options.onBoot?.(guest);
  const feeder = new Feeder(options.stdin);
  const outputs = new Map<string, Uint8Array[]>([['stdout', []], ['stderr', []]]);
  const collect = (): void => {
    for (const operation of channels.takeOutput()) if (operation.kind === 'write') outputs.get(operation.channel)?.push(operation.bytes.slice());
  };
  const most = BigInt(options.instructionsMax ?? Number.MAX_SAFE_INTEGER);
  const slice = options.slice ?? 1_000_000_000;
  for (;;) {
    const left = most - guest.retired;
    const wanted = typeof slice === 'number' ? slice : slice();
    const stop: GuestStop = left <= 0n ? { kind: 'budget' } : guest.run(Number(left < BigInt(wanted) ? left : BigInt(wanted)));
    collect();
    if (stop.kind === 'blocked') feeder.feed(guest, stop);
    else if (stop.kind !== 'budget' || guest.retired >= most) {
      const stdoutBytes = Buffer.concat(outputs.get('stdout')!);
      const stderr = Buffer.concat(outputs.get('stderr')!).toString('latin1');
      return { stdout: stdoutBytes.toString('latin1'), stderr, stdoutBytes, stop, outcome: describeStop(stop), retired: guest.retired, guest };
    }
  }
}

/** Compiles a C file of programs/ statically with the cross compiler (once for a source); returns the path of the executable. */
export function compileProgram(name: string, flags: readonly string[] = []): string {
  const source = path.join(import.meta.dirname, 'programs', `${name}.c`);
  const target = path.join(buildDirectory, `${name}${flags.join('').replaceAll('/', '_')}`);
  const isFresh = fs.existsSync(target) && fs.statSync(target).mtimeMs >= fs.statSync(source).mtimeMs;
  if (!isFresh) {
    fs.mkdirSync(buildDirectory, { recursive: true });
    const partial = `${target}.${process.pid}`;
    execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O1', '-w', source, '-o', partial, '-lm', '-lpthread', ...flags]);
    fs.renameSync(partial, target);
  }
  return target;
}

export function loadProgram(name: string, flags: readonly string[] = []): Uint8Array {
  return fs.readFileSync(compileProgram(name, flags));
}
