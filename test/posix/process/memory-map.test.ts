/** The mapping list against a page-by-page model, and the address space against the rules of Linux. */
import { expect, test } from 'vitest';
import { GuestMemory } from '../../../src/engine/index.ts';
import { AddressSpace } from '../../../src/posix/address-space.ts';
import { MemoryAccount } from '../../../src/posix/memory-account.ts';
import { MemoryMap, PROT, type Mapping } from '../../../src/posix/memory-map.ts';
import { random as randomOf } from '../../random.ts';

const PAGE = 4096;
const BASE = 0x10_0000;

function mapping(page: number, count: number, protection: number): Mapping {
  return { start: BASE + page * PAGE, end: BASE + (page + count) * PAGE, protection, isShared: false, name: '', backing: undefined, wasAccessible: true };
}

for (const seed of [1, 2, 3, 4]) {
  test(`random inserts and removes equal a page table (seed ${seed})`, () => {
    const random = randomOf(seed);
    const map = new MemoryMap();
    const model = new Array<number>(64).fill(0);
    for (let round = 0; round < 3000; round++) {
      const page = random(64);
      const count = 1 + random(Math.min(12, 64 - page));
      map.remove(BASE + page * PAGE, BASE + (page + count) * PAGE);
      const protection = random(3) === 0 ? 0 : 1 + random(3);
      if (protection > 0) map.insert(mapping(page, count, protection));
      model.fill(protection, page, page + count);
      const found = model.map((_, index) => map.find(BASE + index * PAGE)?.protection ?? 0);
      expect(found).toEqual(model);
      for (let index = 1; index < map.mappings.length; index++) {
        const [before, after] = [map.mappings[index - 1]!, map.mappings[index]!];
        expect(before.end < after.start || (before.end === after.start && before.protection !== after.protection)).toBe(true);
      }
      const length = 1 + random(8);
      const gap = map.highestGap(length * PAGE, { bottom: BASE, top: BASE + 64 * PAGE });
      let expected = -1;
      for (let at = 64 - length; at >= 0 && expected < 0; at--) if (model.slice(at, at + length).every((value) => value === 0)) expected = at;
      expect(gap).toBe(expected < 0 ? undefined : BASE + expected * PAGE);
    }
  });
}

function makeSpace(memoryBytes = 1 << 20): AddressSpace {
  const none = { retain: () => {}, release: () => {}, size: () => 0, read: () => new Uint8Array(0), write: () => {}, generation: () => 0, changedSince: () => [] };
  return new AddressSpace({ memory: new GuestMemory(0x100_0000), account: new MemoryAccount(memoryBytes), layout: { heapStart: 0x2_0000, mmapBottom: 0x1_0000, mmapTop: 0xff_0000, stackBottom: 0, stackTop: 0 }, files: none });
}

const anywhere = { kind: 'any', hint: 0 } as const;
const writable = { protection: PROT.read | PROT.write, isShared: false, place: anywhere };

test('accessible bytes never exceed the memory; reservations are free', () => {
  const space = makeSpace();
  expect(space.mapRange({ length: 8 << 20, protection: PROT.none, isShared: false, place: anywhere })).toBeGreaterThan(0);
  const first = space.mapRange({ length: 1 << 20, ...writable });
  expect(first).toBeGreaterThan(0);
  expect(space.mapRange({ length: 1, ...writable })).toBe(-12);
  expect(space.setHeapEnd(0x2_0001)).toBe(0x2_0000);
  expect(space.unmap(first, PAGE)).toBe(0);
  expect(space.setHeapEnd(0x2_0001)).toBe(0x2_0001);
  expect(space.accessibleBytes).toBe(1 << 20);
});

test('unmapped pages hold zeros when they come back', () => {
  const space = makeSpace();
  const start = space.mapRange({ length: PAGE, ...writable });
  space.memory.write(start, Uint8Array.of(1, 2, 3));
  space.unmap(start, PAGE);
  expect(space.memory.readable(start, 1)).toBeUndefined();
  expect(space.mapRange({ length: PAGE, ...writable, place: { kind: 'fixed', address: start } })).toBe(start);
  expect([...space.memory.readable(start, 3)!]).toEqual([0, 0, 0]);
});

test('write implies read, execute implies read, PROT_NONE keeps content', () => {
  const space = makeSpace();
  const start = space.mapRange({ length: PAGE, protection: PROT.write, isShared: false, place: anywhere });
  space.memory.write(start, Uint8Array.of(7));
  expect(space.memory.readable(start, 1)![0]).toBe(7);
  expect(space.protect(start, PAGE, PROT.none)).toBe(0);
  expect(space.memory.readable(start, 1)).toBeUndefined();
  expect(space.protect(start, PAGE, PROT.execute)).toBe(0);
  expect(space.memory.readable(start, 1)![0]).toBe(7);
  expect(space.memory.writable(start, 1)).toBeUndefined();
});

for (const seed of [11, 12]) {
  test(`memory follows a model over random calls (seed ${seed})`, () => {
    const random = randomOf(seed);
    const space = makeSpace(1 << 24);
    const live: { start: number; pages: number[] }[] = [];
    for (let round = 0; round < 800; round++) {
      const action = random(4);
      const block = live[random(Math.max(1, live.length))];
      if (action === 0 || block === undefined) {
        const pages = Array.from({ length: 1 + random(5) }, () => random(256));
        const start = space.mapRange({ length: pages.length * PAGE, ...writable });
        pages.forEach((value, index) => space.memory.write(start + index * PAGE + 5, Uint8Array.of(value)));
        live.push({ start, pages });
      } else if (action === 1) {
        space.unmap(block.start, block.pages.length * PAGE);
        live.splice(live.indexOf(block), 1);
      } else if (action === 2) {
        const count = 1 + random(8);
        const moved = space.remap({ address: block.start, oldLength: block.pages.length * PAGE, newLength: count * PAGE, mayMove: true, to: undefined, keepsMapping: false });
        expect(moved).toBeGreaterThan(0);
        block.pages = Array.from({ length: count }, (_, index) => block.pages[index] ?? 0);
        block.start = moved;
      } else {
        space.forget(block.start, block.start + PAGE);
        block.pages[0] = 0;
      }
      for (const { start, pages } of live) expect(pages.map((_, index) => space.memory.readable(start + index * PAGE + 5, 1)?.[0])).toEqual(pages);
      expect(space.accessibleBytes).toBe(live.reduce((sum, { pages }) => sum + pages.length * PAGE, 0));
    }
  });
}
