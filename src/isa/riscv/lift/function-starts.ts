/**
 * Where functions begin, in stripped code too: a guess that nothing depends on but the extent of units. They end where another function begins, and
 * what is hot in the middle of a large function brings all of it. A function begins
 *
 *   at the target of a call                              jal ra, f
 *   behind a jump, return or call, where no branch goes and the stack pointer is lowered before the next branch
 *   behind one, where no branch goes, at the target of a jump across another beginning: a tail call
 *
 * Instructions are told apart by their length bits only; data between functions may yield false beginnings, which cost time and nothing else.
 * Invariants: pages that have not come yet are not brought for this; each page is looked through once.
 * What this does NOT do: decode (code-cache.ts), hear of changed code: what was a beginning stays one.
 */
import { BIAS, PAGE_FLAG, type CpuMemory } from '../../cpu.ts';

const PAGE_BYTES = 4096;
/** Pages looked through on either side of a place: calls of a function stand near it mostly, and huge programs are not read as a whole. */
const PAGES_AROUND = 16;
/** Instructions from a function's first to the one that lowers the stack pointer. */
const PROLOGUE_MAX = 12;
/** Link registers by convention. */
const RA = 1;
const T0 = 5;

/** What is known of a half word of the code being looked through. */
const MARK = { branchTarget: 1, jumpTarget: 2, behindJump: 4, prologue: 8 } as const;

/** Kinds of instructions that matter here. */
const KIND = { other: 0, branch: 1, jump: 2, call: 3, away: 4, lowersStack: 5 } as const;

export class FunctionStarts {
  readonly #memory: CpuMemory;
  readonly #starts = new Set<number>();
  readonly #seen = new Set<number>();
  /** All starts in order; undefined when there are new ones. */
  #sorted: Uint32Array | undefined = undefined;

  constructor(memory: CpuMemory) {
    this.#memory = memory;
  }

  has(address: number): boolean {
    return this.#starts.has(address);
  }

  /** The nearest start at or below an address; undefined when there is none. */
  before(address: number): number | undefined {
    this.#sorted ??= Uint32Array.from(this.#starts).sort();
    const sorted = this.#sorted;
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return sorted[low - 1];
  }

  add(address: number): void {
    if (this.#starts.has(address)) return;
    this.#starts.add(address);
    this.#sorted = undefined;
  }

  /** Looks through the executable pages around an address, as far as they adjoin each other. */
  lookAround(address: number): void {
    const page = Math.floor(address / PAGE_BYTES);
    if (this.#seen.has(page)) return;
    let [first, end] = [page, page + 1];
    while (first > page - PAGES_AROUND && this.#isCode(first - 1)) first--;
    while (end < page + PAGES_AROUND && this.#isCode(end)) end++;
    for (let at = first; at < end;) {
      if (this.#seen.has(at)) {
        at++;
        continue;
      }
      const from = at;
      while (at < end && !this.#seen.has(at)) this.#seen.add(at++);
      this.#sweep(from * PAGE_BYTES, at * PAGE_BYTES);
    }
  }

  /** Another program lies in this memory. */
  forget(): void {
    this.#starts.clear();
    this.#seen.clear();
    this.#sorted = undefined;
  }

  #isCode(page: number): boolean {
    const rights = PAGE_FLAG.read | PAGE_FLAG.execute;
    return page >= BIAS / PAGE_BYTES && (this.#memory.pageFlags[page]! & rights) === rights;
  }

  #sweep(from: number, to: number): void {
    const { u16 } = this.#memory;
    const marks = new Uint8Array((to - from) / 2);
    const jumps: number[] = [];
    const mark = (address: number, bit: number): void => { if (address >= from && address < to) marks[(address - from) >>> 1]! |= bit; };
    let behind = -1;
    let count = 0;
    for (let address = from; address + 4 <= to;) {
      const at = (address - BIAS) >>> 1;
      const low = u16[at]!;
      const isLong = (low & 3) === 3;
      const word = isLong ? low | (u16[at + 1]! << 16) : low;
      const kind = isLong ? kindOfLong(word) : kindOfShort(low);
      const target = address + (kind === KIND.branch || kind === KIND.jump || kind === KIND.call ? distanceOf(word, kind) : 0);
      if (kind === KIND.branch) mark(target, MARK.branchTarget);
      else if (kind === KIND.call) this.#note(target);
      else if (kind === KIND.jump) {
        mark(target, MARK.jumpTarget);
        jumps.push(address, target);
      } else if (kind === KIND.lowersStack && behind >= 0 && count < PROLOGUE_MAX) mark(behind, MARK.prologue);
      address += isLong ? 4 : 2;
      count++;
      if (kind === KIND.branch || kind === KIND.lowersStack) behind = -1;
      else if (kind !== KIND.other) {
        behind = address;
        count = 0;
        if (kind !== KIND.call) mark(address, MARK.behindJump);
      }
    }
    this.#resolve(from, marks, jumps);
  }

  /** What the marks of the code from `from` on say, and the jumps in it: (source, target) in turn. */
  #resolve(from: number, marks: Uint8Array, jumps: readonly number[]): void {
    const notFirst = MARK.branchTarget | MARK.jumpTarget;
    for (let index = 0; index < marks.length; index++) if ((marks[index]! & (MARK.prologue | notFirst)) === MARK.prologue) this.add(from + 2 * index);
    const tails: number[] = []; // Added at last: before() sorts anew after each add().
    for (let at = 0; at < jumps.length; at += 2) {
      const [source, target] = [jumps[at]!, jumps[at + 1]!];
      const found = target < from ? 0 : marks[(target - from) >>> 1] ?? 0;
      if ((found & MARK.branchTarget) !== 0 || (found & (MARK.behindJump | MARK.prologue)) === 0) continue;
      const between = this.before(Math.max(source, target)) ?? 0;
      if (between > Math.min(source, target) && between !== target) tails.push(target);
    }
    for (const target of tails) this.add(target);
  }

  /** The target of a call, where that is code. */
  #note(target: number): void {
    if (target >= BIAS && target < this.#memory.limit && this.#isCode(Math.floor(target / PAGE_BYTES))) this.add(target);
  }
}

function kindOfLong(word: number): number {
  const rd = (word >>> 7) & 31;
  switch (word & 127) {
    case 0x63: return KIND.branch;
    case 0x6f: return rd === RA || rd === T0 ? KIND.call : KIND.jump;
    case 0x67: return KIND.away; // jalr: through a register, call, jump or return.
    case 0x13: return (word & 0xfffff) === 0x10113 && word < 0 ? KIND.lowersStack : KIND.other; // addi sp, sp, -n
    default: return KIND.other;
  }
}

function kindOfShort(word: number): number {
  const upper = word >>> 13;
  switch (word & 3) {
    case 1:
      if (upper === 5) return KIND.jump;
      if (upper >= 6) return KIND.branch;
      return (word & 0xff83) === 0x7101 || (word & 0xff83) === 0x1101 ? KIND.lowersStack : KIND.other; // c.addi16sp, c.addi sp of a negative number
    case 2: return upper === 4 && ((word >>> 2) & 31) === 0 && ((word >>> 7) & 31) !== 0 ? KIND.away : KIND.other; // c.jr, c.jalr
    default: return KIND.other;
  }
}

/** How far a branch or direct jump goes, in bytes. */
function distanceOf(word: number, kind: number): number {
  /** Bits [from, from + count) of the word, to stand at `to`. */
  const bits = (from: number, count: number, to: number): number => ((word >>> from) & ((1 << count) - 1)) << to;
  const signed = (value: number, sign: number): number => (value << (31 - sign)) >> (31 - sign);
  const isLong = (word & 3) === 3;
  if (kind === KIND.branch) {
    if (isLong) return signed(bits(8, 4, 1) | bits(25, 6, 5) | bits(7, 1, 11) | bits(31, 1, 12), 12);
    return signed(bits(3, 2, 1) | bits(10, 2, 3) | bits(2, 1, 5) | bits(5, 2, 6) | bits(12, 1, 8), 8);
  }
  if (isLong) return signed(bits(21, 10, 1) | bits(20, 1, 11) | bits(12, 8, 12) | bits(31, 1, 20), 20);
  return signed(bits(3, 3, 1) | bits(11, 1, 4) | bits(2, 1, 5) | bits(7, 1, 6) | bits(6, 1, 7) | bits(9, 2, 8) | bits(8, 1, 10) | bits(12, 1, 11), 11);
}
