/**
 * The guest's code as the translator reads it: from the machine's memory, or, in a thread of its own, from copies of pages (the engine has them).
 * Invariants: what a source answers is what the memory held when it was asked, or when its copy was made; whoever uses a translation sees that its pages still are so.
 * What this does NOT do: keep decoded instructions (code-cache.ts), hear of changes.
 */
import { BIAS, CONTROL, controlAddress, PAGE_FLAG, type CpuMemory } from '../../cpu.ts';
import { FLAG } from '../float/handler.ts';
import { hasRights } from '../memory-access.ts';

/** Every call may throw where the bytes of a page are elsewhere: the translation is then begun again once they are there. */
export interface CodeSource {
  /** First guest address past the address space. */
  readonly limit: number;
  /** Whether a page has all of `rights` (PAGE_FLAG.read, write, execute); one that has not come yet is brought. */
  hasRights(page: number, rights: number): boolean;
  /** The same, but a page that has not come yet has none. */
  hasRightsNow(page: number, rights: number): boolean;
  /** The half word at an even address, on a page with some right. */
  half(address: number): number;
  /** The word at a multiple of 4, on a page with some right, as a signed number. */
  word(address: number): number;
  /** The half words of the pages [first, end), all of which have some right. A view or a copy. */
  halves(first: number, end: number): Uint16Array;
  /** A copy of the bytes from an address on, on pages with some right. */
  bytes(address: number, length: number): Uint8Array;
  /** Decoded code of a page is kept from now on. */
  keeps(page: number): void;
  /** Whether no float result has been inexact since the guest looked. */
  isExact(): boolean;
}

/** The machine's memory itself. `registers`: where the register block lies in it. */
export function codeIn(memory: CpuMemory, registers: number): CodeSource {
  return {
    limit: memory.limit,
    hasRights: (page, rights) => hasRights(memory, page, rights),
    hasRightsNow: (page, rights) => (memory.pageFlags[page]! & rights) === rights,
    half: (address) => memory.u16[(address - BIAS) >>> 1]!,
    word: (address) => memory.i32[(address - BIAS) >>> 2]!,
    halves: (first, end) => memory.u16.subarray((first * 4096 - BIAS) / 2, (end * 4096 - BIAS) / 2),
    bytes: (address, length) => new Uint8Array(memory.u16.buffer, address - BIAS, length).slice(),
    keeps: (page) => { if ((memory.pageFlags[page]! & PAGE_FLAG.code) === 0) memory.markCode(page); },
    isExact: () => (memory.i32[controlAddress(registers, CONTROL.fcsr) >>> 2]! & FLAG.inexact) === 0,
  };
}
