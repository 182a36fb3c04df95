// FileContent against a plain byte array, with random operations: bytes, sparse runs, space account, dirty pages, restore.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FileContent } from '../../../src/posix/files/content.ts';
import { PageRuns } from '../../../src/posix/files/page-runs.ts';

const PAGE = 4096;
const SEED = Number(process.env.STILLPOINT_SEED ?? 20261123);
const RUNS = process.env.STILLPOINT_SLOW === '1' ? 5000 : 300;

const operation = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), offset: fc.nat(40_000), length: fc.integer({ min: 1, max: 9000 }) }),
  fc.record({ kind: fc.constant('truncate' as const), offset: fc.nat(40_000), length: fc.constant(0) }),
  fc.record({ kind: fc.constant('allocate' as const), offset: fc.nat(40_000), length: fc.integer({ min: 1, max: 9000 }) }),
  fc.record({ kind: fc.constant('punch' as const), offset: fc.nat(40_000), length: fc.integer({ min: 1, max: 20_000 }) }),
  fc.record({ kind: fc.constantFrom('capture' as const, 'lazy' as const), offset: fc.constant(0), length: fc.constant(0) }),
);

/** The simplest file: an array of bytes and a set of allocated pages. */
class Model {
  bytes = new Uint8Array(0);
  readonly allocated = new Set<number>();

  resize(size: number): void {
    const next = new Uint8Array(size);
    next.set(this.bytes.subarray(0, size));
    this.bytes = next;
  }

  write(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.bytes.length) this.resize(offset + bytes.length);
    this.bytes.set(bytes, offset);
    for (let page = Math.floor(offset / PAGE); page * PAGE < offset + bytes.length; page++) this.allocated.add(page);
  }

  truncate(size: number): void {
    this.resize(size);
    for (const page of [...this.allocated]) if (page * PAGE >= size) this.allocated.delete(page);
  }

  punch(offset: number, length: number): void {
    const end = Math.min(this.bytes.length, offset + length);
    if (offset < end) this.bytes.fill(0, offset, end);
    for (const page of [...this.allocated]) if (page * PAGE >= offset && (page + 1) * PAGE <= offset + length) this.allocated.delete(page);
  }

  allocate(offset: number, length: number): void {
    for (let page = Math.floor(offset / PAGE); page * PAGE < offset + length; page++) this.allocated.add(page);
  }
}

function apply(file: FileContent, model: Model, step: { readonly kind: 'write' | 'truncate' | 'allocate' | 'punch'; readonly offset: number; readonly length: number }, fill: number): void {
  const bytes = new Uint8Array(step.length).fill(fill);
  switch (step.kind) {
    case 'write': expect(file.writeAt(step.offset, bytes)).toBe(step.length); model.write(step.offset, bytes); break;
    case 'truncate': file.truncate(step.offset); model.truncate(step.offset); break;
    case 'allocate': expect(file.allocate(step.offset, step.length)).toBe(true); model.allocate(step.offset, step.length); break;
    case 'punch': file.punch(step.offset, step.length); model.punch(step.offset, step.length); break;
  }
}

test('a sparse file behaves as an array of bytes and its dirty pages tell all changes', () => {
  fc.assert(fc.property(fc.array(operation, { maxLength: 40 }), (steps) => {
    let used = 0;
    const space = { take: (pages: number) => { used += pages; return true; }, give: (pages: number) => { used -= pages; } };
    let file = new FileContent('file/7', space);
    const model = new Model();
    const capture = new Map<number, Uint8Array>();
    steps.forEach((step, index) => {
      if (step.kind === 'capture' || step.kind === 'lazy') {
        for (const page of file.dirtyPages()) capture.set(page, file.readPage(page).slice());
        file.markClean();
        if (step.kind === 'lazy') {
          const stored = new Map([...capture].filter(([, bytes]) => bytes.some((byte) => byte !== 0)));
          const { size } = file;
          const runs = file.runs();
          used = 0;
          file = new FileContent('file/7', space, { size, runs });
          file.fillLater({ hasPage: (page) => stored.has(page), page: (page) => stored.get(page)?.slice() });
          return;
        }
        for (let page = 0; page < 16; page++) expect(Buffer.compare(file.readPage(page), capture.get(page) ?? new Uint8Array(PAGE))).toBe(0);
        return;
      }
      apply(file, model, { kind: step.kind, offset: step.offset, length: step.length }, (index % 255) + 1);
      expect(file.size).toBe(model.bytes.length);
      expect(used).toBe(model.allocated.size);
    });
    expect(Buffer.compare(file.readAt(0, 100_000), model.bytes)).toBe(0);
    expect(file.pagesAllocated).toBe(model.allocated.size);
    for (let page = 0; page < 16; page++) {
      const end = Math.min(model.bytes.length, (page + 1) * PAGE);
      if (page * PAGE >= end) continue;
      const at = file.seekData(page * PAGE);
      expect(at === page * PAGE, `page ${page} is data`).toBe(model.allocated.has(page));
    }
    const restored = new FileContent('file/7', { take: () => true, give: () => undefined }, { size: file.size, runs: file.runs() });
    for (let page = 0; page < 16; page++) if (file.readPage(page).some((byte) => byte !== 0)) restored.loadPage(page, file.readPage(page));
    expect(Buffer.compare(restored.readAt(0, 100_000), model.bytes)).toBe(0);
    expect(restored.runs()).toEqual(file.runs());
    file.discard();
    expect(used).toBe(0);
  }), { seed: SEED, numRuns: RUNS });
});

test('a full space cuts a write and leaves the rest of the file as it was', () => {
  let left = 2;
  const file = new FileContent('file/1', { take: (pages) => (pages <= left ? ((left -= pages), true) : false), give: (pages) => { left += pages; } });
  expect(file.writeAt(100, new Uint8Array(20_000).fill(1))).toBe(2 * PAGE - 100);
  expect(file.size).toBe(2 * PAGE);
  expect(file.writeAt(3 * PAGE, Uint8Array.of(1))).toBe(0);
  expect(file.size).toBe(2 * PAGE);
  expect(file.allocate(0, 3 * PAGE)).toBe(false);
  file.truncate(PAGE);
  expect(left).toBe(1);
  expect(file.allocate(0, 2 * PAGE)).toBe(true);
});

test('runs of pages stay sorted, disjoint and joined', () => {
  const step = fc.record({ adds: fc.boolean(), start: fc.nat(30), length: fc.nat(8) });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const runs = new PageRuns();
    const model = new Set<number>();
    for (const { adds, start, length } of steps) {
      if (adds) runs.add(start, start + length);
      else runs.remove(start, start + length);
      for (let page = start; page < start + length; page++) if (adds) model.add(page); else model.delete(page);
      const bounds = runs.bounds();
      for (let index = 1; index < bounds.length; index++) expect(bounds[index]!).toBeGreaterThan(bounds[index - 1]!);
      expect(runs.count).toBe(model.size);
      for (let page = 0; page < 40; page++) expect(runs.has(page)).toBe(model.has(page));
    }
  }), { seed: SEED, numRuns: RUNS });
});
