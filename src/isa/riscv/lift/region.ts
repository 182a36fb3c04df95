/**
 * The code of one unit of translation: everything reachable from an entry inside its function, as basic blocks. A call is one block's end: control
 * comes back behind it. Jump tables are found by jump-table.ts.
 * Where another function begins the unit ends: behind a call that does not return stands code that is never reached.
 * Invariants: block 0 is empty and goes to block 1, the entry's own, so that no loop leads to block 0; a block holds at most `blockMax` instructions and what it guards; targets that are not blocks of the unit are plain addresses.
 * What this does NOT do: order blocks or look for loops (graph.ts), emit code.
 */
import { assert } from '../../../core/index.ts';
import type { CpuMemory } from '../../cpu.ts';
import type { CodeCache } from './code-cache.ts';
import { convertBranches, type Guards } from './if-conversion.ts';
import { isReturn, type Instruction } from './instruction.ts';
import { findJumpTable, MadeConstants, type DirectTable, type JumpTable, type TableCode } from './jump-table.ts';
import { PAGE_SHIFT } from './layout.ts';

/** The largest function that becomes one unit: sqlite3VdbeExec has 14000 instructions, and pieces of it would be left all the time. */
const INSTRUCTIONS_MAX = 20_000;
/** Of a larger one only so much around the entry is taken: the rest becomes units of its own. */
const PIECE_INSTRUCTIONS = 1500;
/** Rounds of jump-table search; each can uncover code with more tables. */
const TABLE_ROUNDS = 8;

/** Where control goes: a block of this unit, or an address outside it. */
export type Edge = { readonly block: number } | { readonly address: number };

export interface Block {
  readonly start: number;
  /** Everything that retires in this block; of what its branch guards one arm. */
  readonly instructions: readonly Instruction[];
  /**
   * entry: block 0, to the code at the unit's address (graph.ts may add more). branch: taken, then not taken. jump: one. call, callRegister: one, where control comes back. return: none, as are indirect jumps without known targets.
   * table: the known targets of an indirect jump. step: one, behind the instruction at `end`, which is not among `instructions`.
   */
  readonly kind: 'entry' | 'branch' | 'jump' | 'call' | 'callRegister' | 'return' | 'indirect' | 'table' | 'step';
  readonly edges: readonly Edge[];
  /** How many of its last instructions are guarded by the branch before them. */
  readonly guards?: Guards;
  /** Of a table in memory that the block itself reads. */
  readonly direct?: DirectTable | undefined;
  /** Address behind the last of `instructions`, and where control comes back after a call or step. */
  readonly end: number;
  readonly resume: number;
}

/** Whether other code runs at the end of a block, and comes back. */
export function isCallingBlock(block: Block | undefined): boolean {
  return block?.kind === 'call' || block?.kind === 'callRegister' || block?.kind === 'step';
}

export interface Region {
  /** Made when they are asked for: many regions are only measured. */
  readonly blocks: readonly Block[];
  /** Where its blocks start, the entry first. */
  readonly starts: readonly number[];
  /** Instructions in its blocks. */
  readonly size: number;
  /** Whether an instruction of the region begins there. */
  has(address: number): boolean;
  /** Pages whose bytes were read. */
  readonly pages: ReadonlySet<number>;
  /** Targets of direct calls. */
  readonly callees: ReadonlySet<number>;
}

export interface RegionOptions {
  readonly blockMax: number;
  /** What a register held when the entry became hot, as far as that is known. */
  guess(register: number): number | undefined;
  isFunction(address: number): boolean;
  /** Further places of the function that belong to the unit, whether or not a way to them is seen. */
  readonly roots: readonly number[];
}

/** The region of an entry; undefined when no instruction can be read there. */
export function findRegion(code: CodeCache, entry: number, options: RegionOptions): Region | undefined {
  let scan = scanFrom(code, entry, options, INSTRUCTIONS_MAX);
  if (scan.instructions.size >= INSTRUCTIONS_MAX) scan = scanFrom(code, entry, options, PIECE_INSTRUCTIONS);
  if (!scan.instructions.has(entry)) return undefined;
  const starts = scan.blockStarts(entry);
  let blocks: readonly Block[] | undefined;
  return {
    get blocks() { return (blocks ??= makeBlocks(scan, entry, { starts, roots: options.roots })); },
    starts, size: scan.instructions.size - scan.steps, has: (address) => scan.instructions.has(address), pages: scan.pages, callees: scan.callees,
  };
}

function makeBlocks(scan: Scan, entry: number, { starts, roots }: { readonly starts: readonly number[]; readonly roots: readonly number[] }): readonly Block[] {
  const indexOf = new Map(starts.map((start, index) => [start, index + 1]));
  const first: Block = { start: entry, instructions: [], kind: 'entry', edges: [{ block: 1 }], end: entry, resume: entry };
  return convertBranches([first, ...starts.map((start) => makeBlock(scan, start, indexOf))], roots);
}

function scanFrom(code: CodeCache, entry: number, options: RegionOptions, instructionsMax: number): Scan {
  const scan = new Scan(code, options, instructionsMax);
  scan.flood([entry, ...options.roots]);
  for (let round = 0; round < TABLE_ROUNDS && scan.findTables(); round++);
  return scan;
}

class Scan {
  readonly #code: CodeCache;
  readonly #memory: CpuMemory;
  readonly #options: RegionOptions;
  readonly instructions = new Map<number, Instruction>();
  readonly #tableCode: TableCode;
  readonly leaders = new Set<number>();
  readonly pages = new Set<number>();
  readonly callees = new Set<number>();
  /** Of an indirect jump, by its address. */
  readonly tables = new Map<number, JumpTable>();
  readonly #jumps = new Set<number>();
  readonly #max: number;
  /** Instructions that belong to no block. */
  steps = 0;

  constructor(code: CodeCache, options: RegionOptions, instructionsMax: number) {
    this.#max = instructionsMax;
    this.#code = code;
    this.#memory = code.memory;
    this.#options = options;
    this.#tableCode = Object.assign(this.instructions, { guess: (register: number) => options.guess(register), constants: new MadeConstants() });
  }

  flood(starts: readonly number[]): void {
    const open = [...starts];
    for (const start of starts) this.leaders.add(start);
    // Nearest first, so that a piece is one around its entry.
    for (let at = 0; at < open.length; at++) this.#line(open[at]!, open);
  }

  /** Looks at indirect jumps that were not looked at; true when that made new code reachable. */
  findTables(): boolean {
    const before = this.instructions.size;
    for (const address of [...this.#jumps]) {
      this.#jumps.delete(address);
      const table = findJumpTable(this.#memory, this.#tableCode, address);
      if (table === undefined) continue;
      this.tables.set(address, table);
      this.flood(table.targets);
    }
    return this.instructions.size > before;
  }

  /** Decodes until control cannot fall through, or known or unreadable code comes. */
  #line(from: number, open: number[]): void {
    for (let address = from, page = -1; ;) {
      if (this.instructions.has(address) || this.instructions.size >= this.#max || this.#options.isFunction(address)) return;
      const instruction = this.#code.at(address);
      if (instruction === undefined) return;
      if (address >>> PAGE_SHIFT !== page) this.pages.add(address >>> PAGE_SHIFT);
      page = (address + instruction.length - 1) >>> PAGE_SHIFT;
      if (address >>> PAGE_SHIFT !== page) this.pages.add(page);
      this.instructions.set(address, instruction);
      const next = address + instruction.length;
      const target = address + instruction.imm;
      const { kind } = instruction;
      if (kind === 'register') {
        if (instruction.rd === 0) {
          if (!isReturn(instruction)) this.#jumps.add(address);
          return;
        }
        this.leaders.add(next);
      } else if (kind === 'jump') {
        if (instruction.rd === 0) {
          this.leaders.add(target);
          open.push(target);
          return;
        }
        this.callees.add(target);
        this.leaders.add(next);
      } else if (kind === 'branch') {
        this.leaders.add(target);
        open.push(target);
        this.leaders.add(next);
      } else if (kind === 'step') {
        this.steps++;
        this.leaders.add(next);
      }
      address = next;
    }
  }

  /** Starts of all blocks, the entry first, then by address; long runs are cut. */
  blockStarts(entry: number): number[] {
    const starts = new Set<number>();
    for (const leader of this.leaders) {
      if (!this.instructions.has(leader) || starts.has(leader)) continue;
      starts.add(leader);
      let count = 0;
      for (let address = leader; ;) {
        const instruction = this.instructions.get(address);
        if (instruction === undefined || instruction.kind !== 'plain') break;
        address += instruction.length;
        if (this.leaders.has(address)) break;
        if (++count % this.#options.blockMax === 0 && this.instructions.has(address)) starts.add(address);
      }
    }
    starts.delete(entry);
    return [entry, ...[...starts].sort((a, b) => a - b)];
  }
}

function makeBlock(scan: Scan, start: number, indexOf: ReadonlyMap<number, number>): Block {
  const instructions: Instruction[] = [];
  const edge = (address: number): Edge => {
    const block = indexOf.get(address);
    return block === undefined ? { address } : { block };
  };
  for (let address = start; ;) {
    const instruction = scan.instructions.get(address);
    assert(instruction !== undefined, 'a block starts at a known instruction and ends before an unknown one');
    const next = address + instruction.length;
    const { kind } = instruction;
    if (kind === 'step') return { start, instructions, end: address, resume: next, kind, edges: [edge(next)] };
    instructions.push(instruction);
    if (kind !== 'plain') return { start, instructions, end: next, resume: next, ...endOf(scan, instruction, edge) };
    if (indexOf.has(next) || !scan.instructions.has(next)) return { start, instructions, end: next, resume: next, kind: 'jump', edges: [edge(next)] };
    address = next;
  }
}

/** How a block ends behind a branch or jump. */
function endOf(scan: Scan, instruction: Instruction, edge: (address: number) => Edge): Pick<Block, 'kind' | 'edges' | 'direct'> {
  const { address, length, imm, kind, rd } = instruction;
  if (kind === 'branch') return { kind, edges: [edge(address + imm), edge(address + length)] };
  if (kind === 'jump') return rd !== 0 ? { kind: 'call', edges: [edge(address + length)] } : { kind, edges: [edge(address + imm)] };
  return registerJump(scan, instruction, edge);
}

function registerJump(scan: Scan, instruction: Instruction, edge: (address: number) => Edge): Pick<Block, 'kind' | 'edges' | 'direct'> {
  const { address, length, rd } = instruction;
  if (rd !== 0) return { kind: 'callRegister', edges: [edge(address + length)] };
  if (isReturn(instruction)) return { kind: 'return', edges: [] };
  const { targets, direct } = scan.tables.get(address) ?? { targets: [], direct: undefined };
  const edges = targets.map(edge).filter((target) => 'block' in target);
  return edges.length === 0 ? { kind: 'indirect', edges: [] } : { kind: 'table', edges, direct };
}
