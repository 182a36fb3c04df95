/** Whole C programs: the machines of all engines agree on registers, memory and count at every stop. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ChannelSet } from '../../src/channel/index.ts';
import { limits, seedFromNumber } from '../../src/core/index.ts';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { interpretingInWasm, translating } from '../../src/engine/index.ts';
import { enableWasmFeatures } from '../../src/engine/live/v8-flags.ts';
import { BIAS, riscv64, type Isa } from '../../src/isa/index.ts';
import type { ChannelSpec } from '../../src/manifest/index.ts';
import { Guest, type GuestStop } from '../../src/posix/index.ts';
import { buildProgram, listPrograms } from '../guests/build.ts';
import { isSlow, Random, SEED } from '../isa/random.ts';

enableWasmFeatures();
const digests = await createNodeDigests();
const NAMES = ['algorithm-bigint', 'algorithm-sha256', 'algorithm-numeric', 'algorithm-text', 'c-atomics', 'math-fenv'];
const INSTRUCTIONS_MAX = isSlow ? 10n ** 9n : 12_000_000n;
const COMPARISONS = 25;

const stream = (name: string, reads: boolean): ChannelSpec => ({
  name, path: `/dev/${name}`, access: 'sequential', reads, writes: !reads, live: false, seenAs: 'pipe', initialSize: 0,
  limits: { gets: null, getBytes: null, puts: null, putBytes: null },
});

function boot(isa: Isa, program: Uint8Array): { readonly guest: Guest; readonly channels: ChannelSet } {
  const channels = new ChannelSet([stream('stdin', true), stream('stdout', false), stream('stderr', false)], digests);
  const guest = Guest.boot({
    isa, program, argv: ['program'], environment: [], workingDirectory: '/', memoryBytes: 64 * 1024 * 1024, clock: { kind: 'zero' },
    entropy: { kind: 'seed', seed: seedFromNumber(1n) }, channels, programPath: '/bin/program',
  });
  return { guest, channels };
}

/** Everything but memory, and memory too where asked. */
function describeGuest(guest: Guest, stop: GuestStop, withMemory: boolean): string {
  const processes = guest.kernel.processes.map(({ cpu }) => {
    const { memory } = cpu;
    const hash = withMemory ? createHash('sha1').update(memory.u8.subarray(limits.LOWEST_ADDRESS - BIAS, memory.limit - BIAS)).digest('hex') : '';
    return `${Buffer.from(cpu.save()).toString('hex')} ${hash}`;
  });
  return `${stop.kind} ${guest.retired} ${processes.join('\n')}`;
}

describe('lockstep on programs', () => {
  for (const program of listPrograms().filter(({ name }) => NAMES.includes(name))) {
    it(program.name, async () => {
      const bytes = readFileSync(await buildProgram(program, 'O2'));
      const random = new Random(SEED);
      const engines = [riscv64, translating(riscv64, { hotLimit: 50 }), interpretingInWasm(riscv64, { warmUp: 1000 })];
      const machines = engines.map((isa) => boot(isa, bytes));
      for (let turn = 0; machines[0]!.guest.retired < INSTRUCTIONS_MAX; turn++) {
        const budget = 1 + random.below(random.below(4) === 0 ? 2000 : Number(INSTRUCTIONS_MAX) / COMPARISONS);
        const withMemory = turn % 10 === 0;
        const stops = machines.map(({ guest }) => guest.run(budget));
        const [reference, ...others] = machines.map(({ guest }, index) => describeGuest(guest, stops[index]!, withMemory));
        others.forEach((other, index) => expect(other, `seed ${SEED}, turn ${turn}, engine ${index + 1}`).toBe(reference));
        if (random.below(8) === 0) machines.slice(1).forEach(({ guest }) => guest.dropCaches());
        if (stops[0]!.kind !== 'budget') break;
      }
      const [first, ...others] = machines.map(({ channels }) => JSON.stringify(channels.takeOutput(), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)));
      for (const other of others) expect(other).toBe(first);
    }, 120_000);
  }
});
