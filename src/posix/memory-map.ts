/**
 * The list of mappings of one address space: a sorted, gap-aware list of [start, end) ranges and the algebra on it.
 * Invariants: start < end, both multiples of 4096; sorted, disjoint; neighbours that could be one mapping are one.
 * What this does NOT do: touch memory, count bytes or know system calls (address-space.ts does).
 */
import { assert, limits, markArray, type Undo } from '../core/index.ts';

const { PAGE_BYTES } = limits;

/** PROT_* bits as Linux numbers them. */
export const PROT = { none: 0, read: 1, write: 2, execute: 4 } as const;
/** Name in /proc/self/maps of what is no file. */
export type MappingName = '' | '[heap]' | '[stack]' | '[vdso]';

/** A file behind a mapping. `key` names the open object in the file system for as long as the mapping lives. */
export interface Backing {
  readonly key: number;
  readonly path: string;
  /** Whether a shared mapping may be made writable (the file was open for writing). */
  readonly isWritable: boolean;
  /** File offset of the first byte. */
  readonly offset: number;
}

export interface Mapping {
  readonly start: number;
  readonly end: number;
  /** PROT_* bits as asked for. */
  readonly protection: number;
  readonly isShared: boolean;
  readonly name: MappingName;
  readonly backing: Backing | undefined;
  /** Whether the pages were ever accessible: pages that never were hold zeros for certain. */
  readonly wasAccessible: boolean;
  /** What a child of fork(2) gets in place of a copy (MADV_DONTFORK, MADV_WIPEONFORK): nothing, or zeros. Not there: a copy. */
  readonly fork?: ForkAdvice;
}

export type ForkAdvice = 'nothing' | 'zeros';

export function roundUp(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

/** The part of `mapping` inside [start, end); the backing offset follows. */
function clip(mapping: Mapping, start: number, end: number): Mapping {
  const from = Math.max(mapping.start, start);
  const to = Math.min(mapping.end, end);
  const backing = mapping.backing === undefined ? undefined : { ...mapping.backing, offset: mapping.backing.offset + from - mapping.start };
  return { ...mapping, start: from, end: to, backing };
}

function joins(a: Mapping, b: Mapping): boolean {
  return a.end === b.start && a.protection === b.protection && a.isShared === b.isShared && a.name === b.name && a.wasAccessible === b.wasAccessible && a.fork === b.fork
    && a.backing?.key === b.backing?.key && a.backing?.path === b.backing?.path && a.backing?.isWritable === b.backing?.isWritable
    && (a.backing === undefined || b.backing === undefined || a.backing.offset + a.end - a.start === b.backing.offset);
}

export class MemoryMap {
  readonly #mappings: Mapping[] = [];
  /** Everything in [from, top) is mapped: where highestGap() need not look. Derived. */
  #packed = { from: 0, top: 0 };

  get mappings(): readonly Mapping[] {
    return this.#mappings;
  }

  mark(): Undo {
    const undo = markArray(this.#mappings);
    return () => {
      undo();
      this.#packed = { from: 0, top: 0 };
    };
  }

  /** Index of the first mapping that ends after `address`. */
  #indexAfter(address: number): number {
    let low = 0;
    let high = this.#mappings.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#mappings[middle]!.end > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The mapping that holds `address`. */
  find(address: number): Mapping | undefined {
    const mapping = this.#mappings[this.#indexAfter(address)];
    return mapping !== undefined && mapping.start <= address ? mapping : undefined;
  }

  /** The parts of mappings inside [start, end), in order. */
  within(start: number, end: number): Mapping[] {
    const parts: Mapping[] = [];
    for (let index = this.#indexAfter(start); index < this.#mappings.length; index++) {
      const mapping = this.#mappings[index]!;
      if (mapping.start >= end) break;
      parts.push(clip(mapping, start, end));
    }
    return parts;
  }

  /** Whether [start, end) has no hole. */
  covers(start: number, end: number): boolean {
    let reached = start;
    for (const part of this.within(start, end)) {
      if (part.start !== reached) return false;
      reached = part.end;
    }
    return reached >= end;
  }

  isFree(start: number, end: number): boolean {
    const mapping = this.#mappings[this.#indexAfter(start)];
    return mapping === undefined || mapping.start >= end;
  }

  /** Takes [start, end) out; returns what was there. */
  remove(start: number, end: number): Mapping[] {
    const first = this.#indexAfter(start);
    let last = first;
    while (last < this.#mappings.length && this.#mappings[last]!.start < end) last++;
    const taken = this.#mappings.slice(first, last);
    const kept: Mapping[] = [];
    for (const mapping of taken) {
      if (mapping.start < start) kept.push(clip(mapping, mapping.start, start));
      if (mapping.end > end) kept.push(clip(mapping, end, mapping.end));
    }
    this.#mappings.splice(first, last - first, ...kept);
    if (end > this.#packed.from) this.#packed = { from: 0, top: 0 };
    return taken.map((mapping) => clip(mapping, start, end));
  }

  /** Puts a mapping into free space and joins it with equal neighbours. */
  insert(mapping: Mapping): void {
    assert(mapping.start < mapping.end && mapping.start % PAGE_BYTES === 0 && mapping.end % PAGE_BYTES === 0, 'a mapping is whole pages');
    assert(this.isFree(mapping.start, mapping.end), 'mappings are disjoint');
    let index = this.#indexAfter(mapping.start);
    let joined = mapping;
    const before = this.#mappings[index - 1];
    const after = this.#mappings[index];
    let replaced = 0;
    if (after !== undefined && joins(joined, after)) {
      joined = { ...joined, end: after.end };
      replaced++;
    }
    if (before !== undefined && joins(before, joined)) {
      joined = { ...before, end: joined.end };
      index--;
      replaced++;
    }
    this.#mappings.splice(index, replaced, joined);
  }

  /** The highest free range of `length` bytes inside [bottom, top); undefined when there is none. */
  highestGap(length: number, bounds: { readonly bottom: number; readonly top: number }): number | undefined {
    let end = this.#packed.top === bounds.top ? this.#packed.from : bounds.top;
    let packed = end;
    for (let index = this.#indexAfter(end - 1); index >= 0; index--) {
      const mapping = this.#mappings[index];
      if (mapping === undefined) continue;
      if (mapping.start >= end) continue;
      if (mapping.end <= end - length) break;
      if (mapping.end >= packed) packed = Math.min(packed, mapping.start);
      end = Math.min(end, mapping.start);
    }
    this.#packed = { from: packed, top: bounds.top };
    return end - length >= bounds.bottom ? end - length : undefined;
  }

  /** Where the free range that starts at `address` ends, at most `top`. */
  freeEnd(address: number, top: number): number {
    const mapping = this.#mappings[this.#indexAfter(address)];
    return mapping === undefined ? top : Math.min(top, Math.max(address, mapping.start));
  }
}
