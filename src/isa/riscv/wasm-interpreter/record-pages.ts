/**
 * Decoded code in the linear memory, a page of records at a time (layout.ts), made as it is executed.
 * Invariants: a page with a record other than zero has PAGE_FLAG.code; forgetting zeroes in place, so that a store to the page being executed takes
 * effect at the very next fetch. A straddling instruction is compared with memory at each execution instead, so that the second page needs
 * no mark. The map leads to no records but these.
 * What this does NOT do: execute.
 */
import { assert } from '../../../core/index.ts';
import { BIAS, PAGE_FLAG, type CpuMemory } from '../../cpu.ts';
import { decode, newDecoded } from '../decode.ts';
import { INSTRUCTIONS, type Format } from '../instruction-table.ts';
import { hasRights } from '../memory-access.ts';
import { ON } from './handlers.ts';
import { AREA, PAGES_MAX, RECORD_BYTES, RECORD_SCALE, RECORD_WORDS, RECORDS_END, SIDE_BYTES, SIDES_MAX, STRIDE, type LoopLayout } from './layout.ts';
import { RecordWriter, type Place } from './lower-record.ts';

const LAST_HALF = 4094;
/** After these, what follows may never run. */
const ENDS: ReadonlySet<Format> = new Set(['Jump', 'JumpRegister', 'None']);
/** Instructions decoded at once. */
const AHEAD_MAX = 64;

export class RecordPages {
  readonly #memory: CpuMemory;
  readonly #words: Int32Array;
  /** Unsigned: with a memory of 1 GiB and more, records lie beyond 2 GiB. */
  readonly #map: Uint32Array;
  readonly #base: number;
  readonly #sidesBase: number;
  readonly #pagesMax: number;
  readonly #writer: RecordWriter;
  readonly #decoded = newDecoded();
  /** Guest page in each slot. */
  readonly #pages: number[] = [];
  /** First and last decoded offset in each slot, bytes of code: what a change of the page must forget. */
  readonly #first: Int16Array;
  readonly #last: Int16Array;
  /** Guest page → offset in it → slot of the unit there. */
  readonly #entries = new Map<number, Map<number, number>>();
  readonly #place: Place = { page: 0, offset: 0, index: 0, isAlone: false };
  /** Side slot of an address: of its straddling instruction (even key), of the instruction under an entry mark (odd). */
  readonly #sides = new Map<number, number>();

  constructor(memory: CpuMemory, layout: LoopLayout) {
    this.#memory = memory;
    this.#words = memory.i32;
    this.#map = new Uint32Array(memory.i32.buffer, layout.area + AREA.map, 2 ** 20);
    this.#sidesBase = layout.area + AREA.sides;
    this.#base = layout.area + AREA.pages;
    this.#pagesMax = Math.min(PAGES_MAX, Math.floor((layout.areaBytes - AREA.pages) / STRIDE));
    assert(this.#pagesMax > 0, 'the area has room for records');
    this.#first = new Int16Array(this.#pagesMax).fill(4096);
    this.#last = new Int16Array(this.#pagesMax).fill(-1);
    this.#writer = new RecordWriter(memory.i32, layout.registers);
    memory.onCodeChange((page) => this.forget(page));
  }

  /** Makes records for an executable page that the map does not know. */
  add(page: number): void {
    if (this.#map[page] !== 0) return;
    if (this.#pages.length === this.#pagesMax) this.dropAll();
    const records = this.#base + this.#pages.length * STRIDE;
    this.#pages.push(page);
    this.#map[page] = records;
    this.#putEnds(records + RECORDS_END);
  }

  /** Forgets what was decoded from one page; a loop over its records sees that at its next fetch. */
  forget(page: number): void {
    const records = this.#map[page]!;
    if (records !== 0) this.#clear((records - this.#base) / STRIDE);
  }

  /** Forgets everything. Pages keep their code mark; a store to one finds nothing to forget. */
  dropAll(): void {
    for (let slot = 0; slot < this.#pages.length; slot++) {
      this.#clear(slot);
      this.#map[this.#pages[slot]!] = 0;
    }
    this.#pages.length = 0;
    this.#sides.clear();
  }

  /** Marks an address as an entry of translated code with the slot of its unit, or takes the mark away; its record is made again at its next fetch. */
  setEntry(address: number, slot: number | undefined): void {
    const [page, offset] = [address >>> 12, address & 4095];
    let offsets = this.#entries.get(page);
    if (offsets === undefined) this.#entries.set(page, offsets = new Map());
    if (slot !== undefined) offsets.set(offset, slot);
    else offsets.delete(offset);
    const records = this.#map[page]!;
    if (records !== 0) this.#words[(records >>> 2) + offset * RECORD_WORDS] = ON.undecoded;
  }

  /** Makes the record at `address`, of an executable page that has records, and those after it up to a jump. */
  fill(address: number): void {
    const page = address >>> 12;
    const memory = this.#memory;
    assert((memory.pageFlags[page]! & PAGE_FLAG.execute) !== 0, 'only executable pages are decoded');
    if (this.#sides.size > SIDES_MAX - 2 * AHEAD_MAX) this.dropAll();
    this.add(page);
    if ((memory.pageFlags[page]! & PAGE_FLAG.code) === 0) memory.markCode(page);
    const records = this.#map[page]!;
    const [slot, index] = [(records - this.#base) / STRIDE, records >>> 2];
    const entries = this.#entries.get(page);
    let offset = address & 4095;
    if (offset < this.#first[slot]!) this.#first[slot] = offset;
    let last = offset;
    for (let count = 0; count < AHEAD_MAX && offset < 4096 && this.#words[index + offset * RECORD_WORDS] === 0; count++) {
      last = offset;
      const at = index + offset * RECORD_WORDS;
      const unit = entries?.get(offset);
      const length = unit === undefined ? this.#lowerAt(page, offset, at, false) : this.#fillEntry(page, offset, at, unit);
      if (length === 0) break;
      offset += length;
    }
    if (last > this.#last[slot]!) this.#last[slot] = last;
  }

  /** Decodes the straddling instruction at `address` anew. False: its second page may not be executed. */
  fillStraddle(address: number): boolean {
    if (!hasRights(this.#memory, (address >>> 12) + 1, PAGE_FLAG.execute)) return false;
    const side = this.#sides.get(address * 2)!;
    const word = this.#fetch(address);
    decode(word, this.#decoded);
    this.#writer.lower(this.#decoded, this.#at(address >>> 12, LAST_HALF, side >>> 2, true));
    const straddles = [this.#map[address >>> 12]! + LAST_HALF * RECORD_SCALE, this.#sides.get(address * 2 + 1) ?? 0];
    for (const at of straddles) if (at !== 0 && (this.#words[at >>> 2]! & 255) === ON.straddle) this.#words[(at >>> 2) + 3] = word;
    return true;
  }

  /** The record of an entry of translated code; its instruction has one of its own. Length of the instruction, or 0 where decoding ahead ends. */
  #fillEntry(page: number, offset: number, index: number, unit: number): number {
    const side = this.#side((page * 4096 + offset) * 2 + 1);
    const length = this.#lowerAt(page, offset, side >>> 2, true);
    this.#writer.put(index, ON.enter, 4, unit, side, 0);
    return length;
  }

  /** Length of the instruction, or 0 where decoding ahead ends. */
  #lowerAt(page: number, offset: number, index: number, isAlone: boolean): number {
    const { u16 } = this.#memory;
    const half = (page * 4096 - BIAS + offset) >>> 1;
    const low = u16[half]!;
    const isLong = (low & 3) === 3;
    if (isLong && offset === LAST_HALF) {
      this.#writer.put(index, ON.straddle, 4, 0, this.#side((page * 4096 + offset) * 2), 0); // No 32-bit instruction is the word 0: decoded when it executes.
      return 0;
    }
    decode(isLong ? low | (u16[half + 1]! << 16) : low, this.#decoded);
    this.#writer.lower(this.#decoded, this.#at(page, offset, index, isAlone));
    const { operation, length } = this.#decoded;
    return operation < 0 || ENDS.has(INSTRUCTIONS[operation]!.format) ? 0 : length;
  }

  /** The place to be written next: one object, used again. */
  #at(page: number, offset: number, index: number, isAlone: boolean): Readonly<Place> {
    const place = this.#place;
    place.page = page;
    place.offset = offset;
    place.index = index;
    place.isAlone = isAlone;
    return place;
  }

  #fetch(address: number): number {
    const { u16 } = this.#memory;
    const index = (address - BIAS) >>> 1;
    return u16[index]! | (u16[index + 1]! << 16);
  }

  #side(key: number): number {
    const known = this.#sides.get(key);
    if (known !== undefined) return known;
    const side = this.#sidesBase + this.#sides.size * SIDE_BYTES;
    this.#sides.set(key, side);
    this.#putEnds(side + RECORD_BYTES);
    return side;
  }

  #putEnds(at: number): void {
    for (let index = 0; index < 2; index++) this.#writer.put((at + index * RECORD_BYTES) >>> 2, ON.endOfPage, 2, 0, 0, 0);
  }

  #clear(slot: number): void {
    const last = this.#last[slot]!;
    if (last < 0) return;
    const records = this.#base + slot * STRIDE;
    this.#words.fill(0, (records + this.#first[slot]! * RECORD_SCALE) >>> 2, (records + (last + 2) * RECORD_SCALE) >>> 2);
    this.#first[slot] = 4096;
    this.#last[slot] = -1;
  }
}
