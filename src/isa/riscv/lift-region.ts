/**
 * The control flow of one unit of translation: all blocks reachable from an entry by direct branches and jumps, at most INSTRUCTIONS_MAX
 * instructions. Calls, indirect jumps and instructions that are not lifted end a block.
 * Invariants: blocks are in reverse postorder, block 0 is the entry; a retreating edge whose target does not dominate its source is no edge
 * but an exit (its target becomes a unit of its own when it is hot), so that what remains is reducible.
 * What this does NOT do: emit code, or know what an instruction means beyond its control flow.
 */
import { BIAS, PAGE_FLAG, type CpuMemory } from '../cpu.ts';
import { decode, newDecoded, type Decoded } from './decode.ts';
import { INSTRUCTIONS, type InstructionRow } from './instruction-table.ts';
import { isLifted } from './lift-table.ts';

const INSTRUCTIONS_MAX = 800;

export interface LiftedInstruction extends Decoded { readonly address: number; readonly row: InstructionRow }

/** Where control goes: a block of this unit, or an address outside it. */
export type Edge = { readonly block: number } | { readonly address: number };

export interface Block {
  readonly start: number;
  /** Everything that retires in this block, its jump included. */
  readonly instructions: readonly LiftedInstruction[];
  /** branch: taken, then not taken. jump: one (fall through, jump, call). indirect: none. stop: none, the instruction at `end` is not lifted. */
  readonly kind: 'branch' | 'jump' | 'indirect' | 'stop';
  readonly edges: readonly Edge[];
  readonly end: number;
}

export interface Region {
  readonly blocks: readonly Block[];
  /** Immediate dominator of each block; the entry's is itself. */
  readonly dominators: readonly number[];
  /** Blocks that an edge from a block at or after them leads to. */
  readonly headers: ReadonlySet<number>;
  /** Longest number of instructions from the start of each block to the next header or exit. */
  readonly costs: readonly number[];
  /** Pages whose bytes were read. */
  readonly pages: ReadonlySet<number>;
}

/** The region of an entry; undefined when its first instruction cannot be lifted. */
export function findRegion(memory: CpuMemory, entry: number): Region | undefined {
  const scan = new Scan(memory);
  scan.flood(entry);
  const blocks = new Map<number, RawBlock>();
  const order = postorder(scan, blocks, entry).reverse();
  if (blocks.get(entry)!.instructions.length === 0) return undefined;
  return finish(order.map((address) => blocks.get(address)!), scan.pages);
}

class Scan {
  readonly #memory: CpuMemory;
  readonly instructions = new Map<number, LiftedInstruction>();
  readonly leaders = new Set<number>();
  readonly pages = new Set<number>();

  constructor(memory: CpuMemory) {
    this.#memory = memory;
  }

  flood(entry: number): void {
    const open = [entry];
    this.leaders.add(entry);
    for (let from = open.pop(); from !== undefined; from = open.pop()) this.#line(from, open);
  }

  /** Decodes until control cannot fall through, or known or unliftable code comes. */
  #line(from: number, open: number[]): void {
    for (let address = from; ;) {
      if (this.instructions.has(address) || this.instructions.size >= INSTRUCTIONS_MAX) return;
      const instruction = this.#decodeAt(address);
      if (instruction === undefined) return;
      this.instructions.set(address, instruction);
      const { format } = instruction.row;
      const target = address + instruction.imm;
      if (format === 'JumpRegister' || (format === 'Jump' && instruction.rd !== 0)) return;
      if (format === 'Jump' || format === 'Branch') {
        this.leaders.add(target);
        open.push(target);
        if (format === 'Jump') return;
        this.leaders.add(address + instruction.length);
      }
      address += instruction.length;
    }
  }

  #decodeAt(address: number): LiftedInstruction | undefined {
    if (address < BIAS || address + 4 >= this.#memory.limit) return undefined;
    if (!this.#fetchable(address)) return undefined;
    const low = this.#memory.u16[(address - BIAS) >>> 1]!;
    const isLong = (low & 3) === 3;
    if (isLong && !this.#fetchable(address + 2)) return undefined;
    const decoded = newDecoded();
    decode(isLong ? low | (this.#memory.u16[(address + 2 - BIAS) >>> 1]! << 16) : low, decoded);
    const row = INSTRUCTIONS[decoded.operation];
    return row !== undefined && isLifted(row, decoded.imm) ? { ...decoded, address, row } : undefined;
  }

  #fetchable(address: number): boolean {
    const page = address >>> 12;
    if ((this.#memory.pageFlags[page]! & PAGE_FLAG.execute) === 0) return false;
    this.pages.add(page);
    return true;
  }
}

interface RawBlock { readonly start: number; readonly instructions: LiftedInstruction[]; readonly kind: Block['kind']; readonly targets: readonly number[]; readonly end: number }

function rawBlock(scan: Scan, start: number): RawBlock {
  const instructions: LiftedInstruction[] = [];
  for (let address = start; ;) {
    const instruction = scan.instructions.get(address);
    if (instruction === undefined) return { start, instructions, kind: 'stop', targets: [], end: address };
    instructions.push(instruction);
    const { format } = instruction.row;
    const next = address + instruction.length;
    if (format === 'JumpRegister') return { start, instructions, kind: 'indirect', targets: [], end: next };
    if (format === 'Jump') return { start, instructions, kind: 'jump', targets: [address + instruction.imm], end: next };
    if (format === 'Branch') return { start, instructions, kind: 'branch', targets: [address + instruction.imm, next], end: next };
    if (scan.leaders.has(next)) return { start, instructions, kind: 'jump', targets: [next], end: next };
    address = next;
  }
}

/** A call leaves the unit even when its target is in it. */
function isCall(block: RawBlock): boolean {
  const last = block.instructions.at(-1);
  return last !== undefined && last.row.format === 'Jump' && last.rd !== 0;
}

/** Block addresses in postorder from the entry; makes the blocks. */
function postorder(scan: Scan, blocks: Map<number, RawBlock>, entry: number): number[] {
  const done: number[] = [];
  const visit = (address: number): { block: RawBlock; next: number } => {
    const block = rawBlock(scan, address);
    blocks.set(address, block);
    return { block, next: 0 };
  };
  const stack = [visit(entry)];
  while (stack.length > 0) {
    const top = stack.at(-1)!;
    const target = isCall(top.block) ? undefined : top.block.targets[top.next++];
    if (target === undefined) {
      done.push(top.block.start);
      stack.pop();
    } else if (!blocks.has(target) && scan.instructions.has(target)) {
      stack.push(visit(target));
    }
  }
  return done;
}

function finish(raw: readonly RawBlock[], pages: ReadonlySet<number>): Region {
  const indexOf = new Map(raw.map((block, index) => [block.start, index]));
  let edges = raw.map((block) => block.targets.map((address): Edge => {
    const index = isCall(block) ? undefined : indexOf.get(address);
    return index === undefined ? { address } : { block: index };
  }));
  let dominators = findDominators(edges);
  edges = edges.map((list, from) => list.map((edge) =>
    ('block' in edge && edge.block <= from && !dominates(dominators, edge.block, from) ? { address: raw[edge.block]!.start } : edge)));
  dominators = findDominators(edges);
  const headers = new Set(edges.flatMap((list, from) => list.flatMap((edge) => ('block' in edge && edge.block <= from ? [edge.block] : []))));
  const blocks = raw.map(({ start, instructions, kind, end }, index): Block => ({ start, instructions, kind, end, edges: edges[index]! }));
  const costs = new Array<number>(blocks.length).fill(0);
  for (let index = blocks.length - 1; index >= 0; index--) {
    let rest = 0;
    for (const edge of edges[index]!) if ('block' in edge && edge.block > index && !headers.has(edge.block)) rest = Math.max(rest, costs[edge.block]!);
    costs[index] = blocks[index]!.instructions.length + rest;
  }
  return { blocks, dominators, headers, costs, pages };
}

/** Immediate dominators by intersection in reverse postorder until nothing changes (Cooper, Harvey, Kennedy). */
function findDominators(edges: readonly (readonly Edge[])[]): number[] {
  const sources: number[][] = edges.map(() => []);
  edges.forEach((list, from) => { for (const edge of list) if ('block' in edge) sources[edge.block]!.push(from); });
  const dominators: number[] = edges.map((_, index) => (index === 0 ? 0 : -1));
  for (let isChanged = true; isChanged;) {
    isChanged = false;
    for (let index = 1; index < edges.length; index++) {
      let best = -1;
      for (const source of sources[index]!) {
        if (dominators[source]! < 0) continue;
        best = best < 0 ? source : intersect(dominators, best, source);
      }
      if (best !== dominators[index]) {
        dominators[index] = best;
        isChanged = true;
      }
    }
  }
  return dominators;
}

function intersect(dominators: readonly number[], a: number, b: number): number {
  while (a !== b) {
    if (a > b) a = dominators[a]!;
    else b = dominators[b]!;
  }
  return a;
}

function dominates(dominators: readonly number[], a: number, b: number): boolean {
  while (b > a) b = dominators[b]!;
  return a === b;
}
