/** One state for one count: slicing, restoring and dropping caches change nothing. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { riscv64 } from '../../../src/isa/riscv/index.ts';
import { Guest, type MachineImage, type RestoredImage } from '../../../src/posix/index.ts';
import { seedFromNumber } from '../../../src/core/index.ts';
import { bootGuest, Feeder, loadProgram, runGuest, standardChannels, type RunOptions } from './run-guest.ts';

const memoryBytes = 96 * 1024 * 1024;

function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

/** Keeps the pages of a machine like a store: fed with dirty pages, read whole. */
class PageKeeper {
  readonly objects = new Map<string, Map<number, Uint8Array>>();

  capture(image: MachineImage): void {
    for (const object of image.objects) {
      const pages = this.objects.get(object.name) ?? new Map<number, Uint8Array>();
      this.objects.set(object.name, pages);
      for (const index of object.dirtyPages()) {
        const page = object.readPage(index).slice();
        if (page.some((byte) => byte !== 0)) pages.set(index, page);
        else pages.delete(index);
      }
      object.markClean();
    }
  }

  image(sections: MachineImage['sections'], names: readonly string[]): RestoredImage {
    const objects = names.map((name) => ({
      name, pages: () => [...this.objects.get(name)!].sort(([a], [b]) => a - b).map(([index, bytes]) => ({ index, bytes })),
    }));
    return { sections, objects };
  }

  digest(image: MachineImage): string {
    this.capture(image);
    const hash = createHash('sha256');
    for (const [name, bytes] of [...image.sections].sort()) hash.update(name).update(bytes);
    for (const { name } of image.objects) {
      hash.update(name);
      for (const [index, bytes] of [...this.objects.get(name)!].sort(([a], [b]) => a - b)) hash.update(String(index)).update(bytes);
    }
    return hash.digest('hex');
  }
}

interface Subject { readonly name: string; readonly options: RunOptions }

const subjects: readonly Subject[] = [
  { name: 'hello', options: { stdin: 'one\ntwo\n' } },
  { name: 'signals', options: {} },
  { name: 'memory', options: {} },
  { name: 'threads', options: {} },
  { name: 'time', options: { clock: { kind: 'virtual', start: 7n } } },
  { name: 'time', options: { clock: { kind: 'recorded' }, entropy: { kind: 'recorded' } } },
];

/** Digests at the given counts and at the end, in one life or with a restore at each count. */
function life(subject: Subject, counts: readonly number[], how: { readonly restores: boolean; readonly slice: () => number }): string[] {
  const options = { ...subject.options, memoryBytes };
  const feeder = new Feeder(options.stdin);
  let guest = bootGuest(loadProgram(subject.name), options);
  let keeper = new PageKeeper();
  const digests: string[] = [];
  for (const count of [...counts, Number.MAX_SAFE_INTEGER]) {
    for (;;) {
      const left = BigInt(count) - guest.retired;
      if (left <= 0n) break;
      const slice = how.slice();
      const stop = guest.run(left < BigInt(slice) ? Number(left) : slice);
      if (stop.kind === 'blocked') feeder.feed(guest, stop);
      else if (stop.kind !== 'budget') break;
    }
    digests.push(`${guest.retired} ${keeper.digest(guest.state())}`);
    if (!how.restores) continue;
    const image = guest.state();
    const from = keeper.image(image.sections, image.objects.map(({ name }) => name));
    guest = Guest.restore(from, {
      isa: riscv64, channels: standardChannels(), clock: options.clock ?? { kind: 'zero' }, entropy: options.entropy ?? { kind: 'seed', seed: seedFromNumber(1n) },
    });
    keeper = new PageKeeper();
    expect(`${guest.retired} ${keeper.digest(guest.state())}`).toBe(digests.at(-1));
  }
  return digests;
}

for (const [index, subject] of subjects.entries()) {
  describe(`${subject.name} (${subject.options.clock?.kind ?? 'zero'})`, () => {
    const { retired } = runGuest(loadProgram(subject.name), { ...subject.options, memoryBytes });
    const random = randomOf(100 + index);
    const span = Math.min(Number(retired), 400_000);
    const counts = [...new Set(Array.from({ length: 12 }, () => 1 + random(span - 1)))].sort((a, b) => a - b);
    const whole = life(subject, counts, { restores: false, slice: () => 1e9 });

    test('slicing changes no state', () => {
      const slices = randomOf(7);
      expect(life(subject, counts, { restores: false, slice: () => 1 + slices(5000) })).toEqual(whole);
    });

    test('restoring at random counts changes no state', () => {
      expect(life(subject, counts, { restores: true, slice: () => 1e9 })).toEqual(whole);
    });
  });
}

test('every count around system calls and signals is one state', () => {
  const subject = { name: 'signals', options: {} };
  const start = 20_000;
  const counts = Array.from({ length: 400 }, (_, index) => start + index);
  const stepped = life(subject, counts, { restores: false, slice: () => 1 });
  const jumps = [start + 13, start + 130, start + 399];
  const jumped = life(subject, jumps, { restores: true, slice: () => 1e9 });
  expect(jumps.map((count) => stepped[count - start])).toEqual(jumped.slice(0, 3));
});

test('the seed is part of the state, and only the seed is random', () => {
  const first = (seed: bigint): string[] => life({ name: 'hello', options: { entropy: { kind: 'seed', seed: seedFromNumber(seed) } } }, [5], { restores: false, slice: () => 100 });
  expect(first(1n)).toEqual(first(1n));
  expect(first(2n)).not.toEqual(first(1n));
});
