/**
 * Memory that is lent stays what it was, whatever its owner does: random lives of a memory against plain copies of it, forks of forks included; and a copy of dirty
 * pages that is made while they are written to.
 */
import { expect, it } from 'vitest';
import { limits } from '../../src/core/index.ts';
import { GuestMemory, Lender, type Loan } from '../../src/engine/index.ts';
import { PAGE_FLAG } from '../../src/isa/index.ts';
import { DirtyCopy } from '../../src/session/dirty-copy.ts';
import { generator } from '../txn/support.ts';

const PAGE = 4096;
const PAGES = 40;
const FIRST = limits.LOWEST_ADDRESS / PAGE;
const LIMIT = (FIRST + PAGES) * PAGE;
/** Of the short ones each finds one way less to tell of a write, when that is taken out. */
const SEEDS = process.env['STILLPOINT_SLOW'] === '1' ? Array.from({ length: 1000 }, (_, index) => index + 1) : [1, 2, 13];
const STEPS = 150;
const RIGHTS = PAGE_FLAG.read | PAGE_FLAG.write;

const contentOf = (memory: GuestMemory): Buffer => Buffer.concat(Array.from({ length: PAGES }, (_, page) => memory.page(FIRST + page)));
const lentContent = (loan: Loan): Buffer => Buffer.concat(Array.from({ length: PAGES }, (_, page) => {
  expect(loan.page(FIRST + page) === undefined || loan.hasPage(FIRST + page)).toBe(true);
  return loan.page(FIRST + page) ?? new Uint8Array(PAGE);
}));

function fresh(): GuestMemory {
  const memory = new GuestMemory(LIMIT);
  memory.setRights(FIRST, PAGES, RIGHTS);
  return memory;
}

/** A memory whose pages may come late, and one that is given the same words and has all its pages. */
interface Pair { readonly memory: GuestMemory; readonly twin: GuestMemory }
type Word = (memory: GuestMemory, undos: (() => void)[]) => void;

/** One change of any kind that a guest can make. */
function change(int: (below: number) => number): Word {
  const page = FIRST + int(PAGES);
  const count = 1 + int(Math.min(4, FIRST + PAGES - page));
  const [fill, within, length] = [int(256), int(PAGE), 1 + int(count * PAGE / 2)];
  switch (int(9)) {
    case 0: return (memory) => memory.zero(page, count);
    case 1: return (memory) => {
      memory.discard(page, count);
      memory.setRights(page, count, RIGHTS);
    };
    case 2: return (memory) => memory.install(page * PAGE, new Uint8Array(count * PAGE).fill(fill));
    case 3: return (memory, undos) => void undos.push(memory.mark());
    case 4: return (_, undos) => undos.pop()?.();
    case 5: return (memory) => void memory.writeU64(page * PAGE + within - within % 8, BigInt(fill));
    default: return (memory) => void memory.write(page * PAGE + within, new Uint8Array(length).fill(fill).subarray(0, LIMIT - page * PAGE - within));
  }
}

/** Some changes between two times when nothing is marked. */
function changes(memories: readonly GuestMemory[], int: (below: number) => number, count: number): void {
  const undos = memories.map((): (() => void)[] => []);
  for (let index = 0; index < count; index++) {
    const word = change(int);
    memories.forEach((memory, which) => word(memory, undos[which]!));
  }
  for (const memory of memories) memory.release();
}

function reset(memory: GuestMemory): void {
  memory.setRights(FIRST, PAGES, 0);
  memory.reset();
  memory.setRights(FIRST, PAGES, RIGHTS);
}

function forkOf(loan: Loan, content: Buffer): Pair {
  const [memory, twin] = [new GuestMemory(LIMIT), fresh()];
  memory.fillLater(loan);
  memory.setRights(FIRST, PAGES, RIGHTS);
  twin.install(FIRST * PAGE, content);
  return { memory, twin };
}

function live(seed: number): void {
  const random = generator(seed);
  const int = (below: number): number => Math.floor(random() * below);
  const pairs: Pair[] = [{ memory: fresh(), twin: fresh() }];
  const lent: { readonly loan: Loan; readonly content: Buffer }[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { memory, twin } = pairs[int(pairs.length)]!;
    changes([memory, twin], int, 1 + int(5));
    const [which] = lent.splice(int(lent.length), 1); // Taken out: for one of the words below.
    switch (int(8)) {
      case 0: memory.clearDirty(); break;
      case 1: case 2: lent.push({ loan: memory.lend(), content: contentOf(twin) }); break;
      case 3: which?.loan.release(); continue;
      case 4: if (which !== undefined && pairs.length < 9) {
        pairs.push(forkOf(which.loan, which.content)); // It is released when the fork needs it no more.
        continue;
      } break;
      case 5: if (int(3) === 0) memory.bringAll(); break;
      case 6: if (int(3) === 0) for (const one of [memory, twin]) reset(one); break;
      case 7: if (int(4) === 0) expect(contentOf(memory).equals(contentOf(twin)), `seed ${seed}, step ${step}`).toBe(true); break;
    }
    if (which === undefined) continue;
    lent.push(which);
    if (int(4) === 0) expect(lentContent(which.loan).equals(which.content), `seed ${seed}, step ${step}`).toBe(true);
  }
  for (const { loan, content } of lent) expect(lentContent(loan).equals(content), `seed ${seed}, at the end`).toBe(true);
  for (const { memory, twin } of pairs) expect(contentOf(memory).equals(contentOf(twin)), `seed ${seed}, at the end`).toBe(true);
}

it(`what is lent stays what it was (${SEEDS.length} lives)`, () => {
  for (const seed of SEEDS) live(seed);
});

it('a page that is written a thousand times after a thousand loans is copied once', () => {
  const memory = fresh();
  memory.write(FIRST * PAGE, Uint8Array.of(1));
  const loans = Array.from({ length: 1000 }, () => memory.lend());
  for (let value = 0; value < 1000; value++) memory.write(FIRST * PAGE, Uint8Array.of(value & 255));
  expect(new Set(loans.map((loan) => loan.page(FIRST)![0]))).toEqual(new Set([1]));
});

it('what closed loans were kept is let go, though older and younger ones stay open', () => {
  const memory = fresh();
  const lender = new Lender({ watch: (before) => memory.watch(before), readPage: (page) => memory.page(page), mayHold: () => true });
  const write = (value: number): void => { for (let page = FIRST; page < FIRST + 4; page++) memory.write(page * PAGE, Uint8Array.of(value)); };
  write(1);
  const oldest = lender.lend();
  for (let value = 2; value < 100; value++) {
    const loan = lender.lend();
    write(value);
    expect(loan.page(FIRST)![0]).toBe(value - 1);
    loan.release();
    expect(lender.pagesKept, `after ${value - 1} loans`).toBe(4);
  }
  const [middle, youngest] = [lender.lend(), lender.lend()];
  write(100);
  middle.release();
  expect([oldest, youngest].map((loan) => loan.page(FIRST + 3)![0])).toEqual([1, 99]);
  oldest.release();
  expect(youngest.page(FIRST + 3)![0]).toBe(99);
  youngest.release();
  write(101);
  expect(lender.pagesKept).toBe(0);
});

it.each(SEEDS)('dirty pages are copied as they were, whatever is written meanwhile (seed %i)', (seed) => {
  const random = generator(seed);
  const int = (below: number): number => Math.floor(random() * below);
  const memory = fresh();
  const object = { name: 'memory/1', dirtyPages: () => memory.dirtyPages(), readPage: (page: number) => memory.page(page), markClean: () => memory.clearDirty(), watch: (before: (page: number) => void) => memory.watch(before) };
  for (let round = 0; round < 8; round++) {
    changes([memory], int, 10);
    const expected = contentOf(memory);
    const dirty = memory.dirtyPages();
    const copy = new DirtyCopy({ sections: new Map(), objects: [object] }, (length) => new Uint8Array(length));
    while (!copy.isDone) {
      changes([memory], int, int(3));
      if (int(20) === 0) reset(memory);
      copy.advance(() => int(3) > 0);
    }
    const [{ dirty: copied, offset }] = copy.objects as [typeof copy.objects[number]];
    expect([...copied]).toEqual(dirty);
    copied.forEach((page, place) => expect(Buffer.from(copy.pages.subarray(offset + place * PAGE, offset + (place + 1) * PAGE)).equals(expected.subarray((page - FIRST) * PAGE, (page - FIRST + 1) * PAGE)), `page ${page}`).toBe(true));
  }
});

it('a memory that is made ahead is one more only where the host has room for it', () => {
  const inside = WebAssembly.Memory;
  WebAssembly.Memory = class { constructor() { throw new RangeError('could not allocate memory'); } } as unknown as typeof inside; // Nobody sees what it makes.
  try {
    expect(() => GuestMemory.prepare(LIMIT)).not.toThrow(); // Called from the event loop, where an error would be the end of the process.
    expect(() => new GuestMemory(LIMIT)).toThrow(RangeError);
  } finally {
    WebAssembly.Memory = inside;
  }
  GuestMemory.prepare(LIMIT);
  expect(contentOf(fresh()).every((byte) => byte === 0)).toBe(true);
});
