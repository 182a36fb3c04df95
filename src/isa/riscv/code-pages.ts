/**
 * HOT PATH. Decoded code, a page at a time. A page's records form one Int32Array of 4 words for each half word of the page, so that
 * the record of the instruction at byte offset o starts at word 2*o:
 *
 *   word 0  case of the switch (interpreter-table.ts) in bits 0-7, words to the next record (4 or 8) above
 *   word 1..3  operands, as lowering.ts writes them for that case
 *
 *   [0, END)          records, all zero (case 0: not decoded yet) until executed
 *   [END, END + 8)    two records of the case "end of page", so that running off the page needs no test
 *   STRADDLE          the record of a 32-bit instruction that begins in the last half word, and its bits in the word after it
 *   DECODED           first and last decoded word offset: what a change of the page must forget
 *
 * Invariants: a page with a record other than zero has PAGE_FLAG.code; forgetting zeroes in place, so that a store to the page being executed
 * takes effect at the very next fetch. A straddling instruction is compared with memory at each execution instead, so that
 * the second page needs no mark.
 */
import { BIAS, PAGE_FLAG, type CpuMemory } from '../cpu.ts';
import { assert } from '../../core/index.ts';
import { decode, newDecoded } from './decode.ts';
import { CASE } from './cases.ts';
import { lower } from './lowering.ts';
import { hasRights } from './memory-access.ts';

export const END = 2048 * 4;
const STRADDLE = END + 8;
const STRADDLE_WORD = STRADDLE + 4;
const DECODED_FIRST = STRADDLE + 5;
const DECODED_LAST = STRADDLE + 6;
const RECORD_WORDS = STRADDLE + 8;
/** Direct-mapped lookup in front of the map of pages. A power of two. */
const LINES = 256;
/** 33 KB each: at most 128 MB of records; the largest program text we met has 14000 pages but runs in far fewer. All are dropped when full. */
const PAGES_MAX = 4096;
const LAST_HALF = END - 4;

export class CodePages {
  readonly #memory: CpuMemory;
  readonly #pages = new Map<number, Int32Array>();
  /** Page number in each line, or -1. */
  readonly tags = new Int32Array(LINES).fill(-1);
  readonly lines: Int32Array[];
  /** Where a straddling instruction executes from: a page of records with only its last one in use. */
  readonly straddle = newRecords();
  readonly #decoded = newDecoded();
  /** Addresses whose record is CASE.enter once it is decoded. */
  readonly #entries = new Set<number>();

  constructor(memory: CpuMemory) {
    this.#memory = memory;
    this.lines = new Array<Int32Array>(LINES).fill(this.straddle);
    memory.onCodeChange((pageIndex) => this.forget(pageIndex));
  }

  /** Records of a page, made when missing. The caller has checked the execute right. */
  page(pageIndex: number): Int32Array {
    const line = pageIndex & (LINES - 1);
    if (this.tags[line] === pageIndex) return this.lines[line]!;
    let records = this.#pages.get(pageIndex);
    if (records === undefined) {
      if (this.#pages.size >= PAGES_MAX) this.dropAll();
      records = newRecords();
      this.#pages.set(pageIndex, records);
    }
    this.tags[line] = pageIndex;
    this.lines[line] = records;
    return records;
  }

  /** Forgets what was decoded from one page; a running loop over its records sees that at its next fetch. */
  forget(pageIndex: number): void {
    const records = this.#pages.get(pageIndex);
    if (records === undefined || records[DECODED_LAST]! < 0) return;
    records.fill(0, records[DECODED_FIRST]!, records[DECODED_LAST]! + 4);
    records[DECODED_FIRST] = END;
    records[DECODED_LAST] = -1;
  }

  /** Forgets everything. Pages keep their code mark; a store to one finds nothing to forget. */
  dropAll(): void {
    this.#pages.clear();
    this.tags.fill(-1);
    this.lines.fill(this.straddle);
  }

  /** Marks or unmarks an address as an entry of translated code; its record is made again at its next fetch. */
  setEntry(address: number, isEntry: boolean): void {
    if (isEntry) this.#entries.add(address);
    else this.#entries.delete(address);
    const records = this.#pages.get(address >>> 12);
    if (records !== undefined) records[(address & 4095) << 1] = CASE.undecoded;
  }

  /**
   * Decodes the instruction at record `at` of an executable page, the last half word of which may begin a straddling one.
   */
  fill(pageIndex: number, records: Int32Array, at: number): void {
    const memory = this.#memory;
    const address = pageIndex * 4096 + (at >>> 1);
    const low = memory.u16[(address - BIAS) >>> 1]!;
    assert((memory.pageFlags[pageIndex]! & PAGE_FLAG.execute) !== 0, 'only executable pages are decoded');
    if ((memory.pageFlags[pageIndex]! & PAGE_FLAG.code) === 0) memory.markCode(pageIndex);
    if (at < records[DECODED_FIRST]!) records[DECODED_FIRST] = at;
    if (at > records[DECODED_LAST]!) records[DECODED_LAST] = at;
    if (this.#entries.has(address)) {
      records[at] = CASE.enter;
      return;
    }
    if ((low & 3) === 3 && at === LAST_HALF) {
      records[at] = CASE.straddle;
      records[STRADDLE] = 0;
      return;
    }
    const word = (low & 3) === 3 ? low | (memory.u16[(address + 2 - BIAS) >>> 1]! << 16) : low;
    decode(word, this.#decoded);
    lower(this.#decoded, address, records, at);
  }

  /** Makes `straddle` hold the instruction at the last half word of a page. False: its second page may not be executed. */
  fillStraddle(pageIndex: number, records: Int32Array): boolean {
    const memory = this.#memory;
    const next = pageIndex + 1;
    if (next >= memory.pageFlags.length || !hasRights(memory, next, PAGE_FLAG.execute)) return false;
    const address = next * 4096 - 2;
    const word = memory.u16[(address - BIAS) >>> 1]! | (memory.u16[(address + 2 - BIAS) >>> 1]! << 16);
    if (records[STRADDLE] === 0 || records[STRADDLE_WORD] !== word) {
      decode(word, this.#decoded);
      lower(this.#decoded, address, records, STRADDLE);
      records[STRADDLE_WORD] = word;
    }
    for (let index = 0; index < 4; index++) this.straddle[LAST_HALF + index] = records[STRADDLE + index]!;
    return true;
  }
}

function newRecords(): Int32Array {
  const records = new Int32Array(RECORD_WORDS);
  records[END] = CASE.endOfPage;
  records[END + 4] = CASE.endOfPage;
  records[DECODED_FIRST] = END;
  records[DECODED_LAST] = -1;
  return records;
}
