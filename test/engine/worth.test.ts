/** Translating waits until it pays: in proportion to the code, more for large units, again for another entry. */
import { expect, it } from 'vitest';
import { Extents } from '../../src/engine/extents.ts';
import { Worth, type Extent } from '../../src/engine/worth.ts';

/** Hot events at the places in turn until one shall be translated. */
function eventsUntil(worth: Worth, extent: Extent, places: readonly number[] = [...extent.starts]): number {
  for (let events = 1; events < 1_000_000; events++) if (worth.note(places[events % places.length]!, () => extent)) return events;
  return Infinity;
}

const unit = (instructions: number, starts: readonly number[] = [0x1000]): Extent => ({ instructions, starts });

it('a small unit is translated after a few hot events, a large one later, a very large one much later', () => {
  const [small, large, huge] = [20, 2000, 20_000].map((instructions) => eventsUntil(new Worth(), unit(instructions)));
  expect(small).toBe(10);
  expect(large! / 2000).toBeGreaterThan(0.1);
  expect(huge! / 20_000).toBeGreaterThan(3 * (large! / 2000));
});

it('all places of a unit pay together', () => {
  const places = [0x1000, 0x1010, 0x1020, 0x1030];
  expect(Math.abs(eventsUntil(new Worth(), unit(2000, places)) - eventsUntil(new Worth(), unit(2000)))).toBeLessThan(10);
});

it('another entry into the same code pays again', () => {
  const worth = new Worth();
  const extent = unit(2000, [0x1000, 0x1010]);
  const first = eventsUntil(worth, extent, [0x1000]);
  expect(eventsUntil(worth, extent, [0x1010])).toBe(first);
});

it('code is looked at once, and anew when it has changed', () => {
  const worth = new Worth();
  let looks = 0;
  const look = (): Extent => { looks++; return unit(2000, [0x1000, 0x1010]); };
  for (let event = 0; event < 20; event++) for (const place of [0x1000, 0x1010]) worth.note(place, look);
  expect(looks).toBe(1);
  worth.forget();
  for (let event = 0; event < 20; event++) worth.note(0x1010, look);
  expect(looks).toBe(2);
});

it('extents are the same after they were kept, and those of too many blocks are not', () => {
  const extents = new Extents();
  extents.note(0x1000, unit(12, [0x1000, 0x1010, 0xffff_fffe]));
  extents.note(0xffff_f000, unit(0, []));
  extents.note(0x2000, unit(1, Array.from({ length: 1 << 18 }, (_, index) => index)));
  const again = new Extents(extents.encode());
  expect([again.size, again.of(0x2000)]).toEqual([2, undefined]);
  expect([...again.of(0x1000)!.starts]).toEqual([0x1000, 0x1010, 0xffff_fffe]);
  expect(again.of(0xffff_f000)).toMatchObject({ instructions: 0, starts: { length: 0 } });
  expect(again.encode()).toEqual(extents.encode());
});
