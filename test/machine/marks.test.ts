/**
 * The way back holds for every program: at random points of programs with files, pipes, sockets, signals, threads and processes a mark is made, the
 * program runs on, nested marks are undone, and the whole state (sections and pages) is compared. STILLPOINT_SLOW=1: all small C programs.
 * What this does NOT do: transactions (transaction.test.ts).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { interpretingInWasm, translating } from '../../src/engine/index.ts';
import { enableWasmFeatures } from '../../src/engine/live/v8-flags.ts';
import { riscv64, type Isa } from '../../src/isa/index.ts';
import type { Guest, GuestStop } from '../../src/posix/index.ts';
import { SnapshotWriter } from '../../src/snapshot/index.ts';
import { MemoryStore } from '../../src/store/index.ts';
import { buildProgram, listPrograms, type GuestProgram } from '../guests/build.ts';
import { bootGuest, digests, Feeder, standardChannels } from '../posix/process/run-guest.ts';
import { random } from './rig.ts';

enableWasmFeatures();
const isas: readonly Isa[] = [riscv64, interpretingInWasm(riscv64), translating(riscv64)];
const isSlow = process.env['STILLPOINT_SLOW'] === '1';
/** Those with the most kernel state, by what is in their names. */
const RICH = /^(file-tree|file-mapped-log|memory-mmap|signal-handlers|process-fork|process-pipes|sockets-rights|thread-waits|terminals)$/;
const programs = ['c', 'posix'].flatMap((folder) => listPrograms(folder)).filter(({ name, image, files }) => image.length === 0 && Object.keys(files).length === 0 && (isSlow || RICH.test(name)));

function rootOf(guest: Guest): string {
  const capture = new SnapshotWriter(new MemoryStore(), digests).capture(guest.wholeState());
  capture.abandon();
  return capture.root;
}

/** Runs up to `count` instructions; outputs stay in the outbox. The stop when the program is over. */
function advance(guest: Guest, feeder: Feeder, count: number): GuestStop | undefined {
  const target = guest.retired + BigInt(count);
  while (guest.retired < target) {
    const stop = guest.run(Number(target - guest.retired));
    if (stop.kind === 'ended' || stop.kind === 'capped') return stop;
    if (stop.kind === 'blocked' && stop.channels.length === 0 && !stop.needsClock && stop.needsEntropy === 0) return stop;
    if (stop.kind === 'blocked') feeder.feed(guest, stop);
  }
  return undefined;
}

async function check(program: GuestProgram, seed: number): Promise<void> {
  const bytes = new Uint8Array(readFileSync(await buildProgram(program, 'O2')));
  const options = { isa: isas[seed % isas.length]!, argv: [program.name, ...program.args], memoryBytes: 48 * 1024 * 1024 };
  const boot = (): Guest => bootGuest(bytes, options, standardChannels());
  const plain = boot();
  advance(plain, new Feeder(program.stdin), 3_000_000);
  const [end, ended] = [plain.retired, rootOf(plain)];
  const guest = boot();
  const feeder = new Feeder(program.stdin);
  const draw = random(seed * 7919);
  const step = Math.max(2, Math.floor(Number(end) / 4));
  while (guest.retired < end) {
    const undo = guest.mark();
    const before = rootOf(guest);
    advance(guest, feeder, 1 + draw(step));
    const inner = guest.mark();
    const middle = rootOf(guest);
    for (let times = 1 + draw(2); times > 0; times--) {
      advance(guest, feeder, 1 + draw(step));
      inner();
      expect(rootOf(guest), `${program.name}: an inner mark at ${guest.retired}`).toBe(middle);
    }
    if (draw(3) > 0) {
      undo();
      expect(rootOf(guest), `${program.name}: a mark at ${guest.retired}`).toBe(before);
    }
    guest.release();
    advance(guest, feeder, Math.min(1 + draw(step), Number(end - guest.retired)));
    if (guest.kernel.outcome !== undefined) break;
  }
  if (guest.retired === end) expect(rootOf(guest), `${program.name}: the end`).toBe(ended);
}

describe('marks', () => {
  it.each(programs.map((program, index) => [program.name, program, index] as const))('%s', async (_name, program, index) => {
    await check(program, index + 1);
  });
});
