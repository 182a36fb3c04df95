/**
 * Decoded instructions of the guest's code, kept from one translation to the next: functions are looked at again and again, as callees and where they
 * are resumed.
 * Invariants: an instruction is returned only while its pages are executable and unchanged: they carry PAGE_FLAG.code, and forget() is called for one
 * that changes.
 * What this does NOT do: hear of changes itself (the driver does), know control flow.
 */
import { BIAS, PAGE_FLAG, type CpuMemory } from '../../cpu.ts';
import { decode, newDecoded } from '../decode.ts';
import { hasRights } from '../memory-access.ts';
import { instructionAt, type Instruction } from './instruction.ts';

/** Instructions kept, about 200 bytes each; all are forgotten when there are more. */
const INSTRUCTIONS_MAX = 200_000;

export class CodeCache {
  readonly memory: CpuMemory;
  /** Instructions by the page that they begin on, then by half word. */
  readonly #pages = new Map<number, (Instruction | undefined)[]>();
  /** Instructions in the region of an entry, where that is known. */
  readonly regionSizes = new Map<number, number>();
  readonly #decoded = newDecoded();
  #count = 0;

  constructor(memory: CpuMemory) {
    this.memory = memory;
  }

  /** The instruction at an address; undefined when it is illegal, misplaced or may not be executed. */
  at(address: number): Instruction | undefined {
    if (address < BIAS || address + 4 >= this.memory.limit || (address & 1) !== 0) return undefined;
    const index = (address & 4095) >>> 1;
    const known = this.#pages.get(address >>> 12)?.[index];
    if (known !== undefined) return known;
    const instruction = this.#decode(address);
    if (instruction !== undefined) this.#keep(instruction, index);
    return instruction;
  }

  #keep(instruction: Instruction, index: number): void {
    if (this.#count >= INSTRUCTIONS_MAX) this.forgetAll();
    this.#count++;
    const page = instruction.address >>> 12;
    this.#mark(page);
    this.#mark((instruction.address + instruction.length - 1) >>> 12);
    const records = this.#pages.get(page);
    if (records !== undefined) records[index] = instruction;
    else {
      const fresh = new Array<Instruction | undefined>(2048).fill(undefined);
      fresh[index] = instruction;
      this.#pages.set(page, fresh);
    }
  }

  #mark(page: number): void {
    if ((this.memory.pageFlags[page]! & PAGE_FLAG.code) === 0) this.memory.markCode(page);
  }

  #decode(address: number): Instruction | undefined {
    if (!this.#isExecutable(address)) return undefined;
    const { u16 } = this.memory;
    const low = u16[(address - BIAS) >>> 1]!;
    const isLong = (low & 3) === 3;
    if (isLong && !this.#isExecutable(address + 2)) return undefined;
    decode(isLong ? low | (u16[(address + 2 - BIAS) >>> 1]! << 16) : low, this.#decoded);
    return instructionAt(address, this.#decoded);
  }

  #isExecutable(address: number): boolean {
    return hasRights(this.memory, address >>> 12, PAGE_FLAG.execute);
  }

  /** After a change of a page; an instruction of the page before may reach into it. */
  forget(page: number): void {
    this.#pages.delete(page);
    this.#pages.delete(page - 1);
    this.regionSizes.clear();
  }

  forgetAll(): void {
    this.#pages.clear();
    this.regionSizes.clear();
    this.#count = 0;
  }
}
