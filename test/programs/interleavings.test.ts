// Which thread ran from which instruction to which: the same trace in every run of a program, another one under another seed, and that one again in
// every run, in two engines. The programs are those whose output is compared with Linux elsewhere (processes.test.ts); here only their schedule is looked at.
// STILLPOINT_SLOW=1: every program of threads, a hundred runs of each.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { interpretingInWasm, translating } from '../../src/engine/index.ts';
import { enableWasmFeatures } from '../../src/engine/live/v8-flags.ts';
import { riscv64, type Isa } from '../../src/isa/index.ts';
import { buildProgram, listPrograms } from '../guests/build.ts';
import { bootGuest, Feeder, standardChannels } from '../posix/process/run-guest.ts';

const isSlow = process.env['STILLPOINT_SLOW'] === '1';
const RUNS = isSlow ? 100 : 2;
const SEEDED_RUNS = isSlow ? 10 : 2;
const NAMES = isSlow ? /^(thread-|cpp-)/ : /^(thread-waits|cpp-threads)$/;
const programs = listPrograms('posix').filter(({ name }) => NAMES.test(name));
enableWasmFeatures();
const engines: readonly Isa[] = [interpretingInWasm(riscv64), translating(riscv64)];

interface Trace { readonly digest: string; readonly switches: number; readonly threads: number }

/** Every switch: the thread that gets the processor, and after how many instructions of the machine. */
function traceOf(program: Uint8Array, { isa, schedule }: { readonly isa: Isa; readonly schedule: bigint | undefined }): Trace {
  const channels = standardChannels();
  const guest = bootGuest(program, { isa, memoryBytes: 512 * 1024 * 1024, clock: { kind: 'virtual', start: 0n }, ...(schedule === undefined ? {} : { schedule }) }, channels);
  const { kernel } = guest;
  const hash = createHash('sha256');
  const seen = new Set<number>();
  let switches = 0;
  const setCurrent = kernel.setCurrent.bind(kernel);
  kernel.setCurrent = (thread) => {
    hash.update(`${thread.process.pid} ${thread.tid} ${kernel.retired}\n`);
    seen.add(thread.tid);
    switches++;
    setCurrent(thread);
  };
  const feeder = new Feeder();
  for (;;) {
    const stop = guest.run(1_000_000_000);
    for (const operation of channels.takeOutput()) if (operation.kind === 'write') hash.update(operation.bytes);
    if (stop.kind === 'ended') return { digest: hash.update(JSON.stringify(stop.outcome)).digest('hex'), switches, threads: seen.size };
    if (stop.kind !== 'blocked') throw new Error(`the program stopped: ${stop.kind}`);
    feeder.feed(guest, stop);
  }
}

describe('the interleaving of threads', () => {
  it.each(programs)('of $name is one in all runs, and one under each seed', async (program) => {
    const bytes = readFileSync(await buildProgram(program, 'O2'));
    const trace = (run: number, schedule: bigint | undefined): Trace => traceOf(bytes, { isa: engines[run % engines.length]!, schedule });
    const plain = trace(0, undefined);
    expect(plain.switches).toBeGreaterThan(50);
    expect(plain.threads).toBeGreaterThan(8);
    for (let run = 1; run < RUNS; run++) expect(trace(run, undefined), `run ${run}`).toEqual(plain);
    const seen = new Set([plain.digest]);
    for (const seed of [1n, 2n]) {
      const first = trace(0, seed);
      seen.add(first.digest);
      for (let run = 1; run < SEEDED_RUNS; run++) expect(trace(run, seed), `seed ${seed}, run ${run}`).toEqual(first);
    }
    expect(seen.size, 'no two schedules are the same').toBe(3);
  }, 3_600_000);

  it('is looked at over at least eighty cases of threads', () => {
    const sources = listPrograms('posix').filter(({ name }) => /^(thread-|cpp-)/.test(name)).map(({ source }) => readFileSync(source, 'utf8'));
    const cases = sources.flatMap((text) => [...text.matchAll(/\bRUN\((\w+)\);/g)].map(([, name]) => name));
    expect(new Set(cases).size).toBeGreaterThanOrEqual(80);
  });
});
