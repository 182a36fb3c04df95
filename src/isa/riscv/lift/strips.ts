/**
 * Strips: rounds of an innermost loop for which fuel and pages are looked at once, before the first of them. The loop stands there twice:
 *
 *      ──► round ──► guard ──► test ──► round's copy ──► test …       as many rounds as were found good, without looks
 *            ▲ ▲       │         │ none left
 *            │ └───────┴─────────┘
 *            looks at everything, as everywhere else; a loop of one round sees no guard
 *
 * A register through which a round loads or stores, and which it moves by a constant or not at all, is a base: so many rounds stay on its page (and the
 * next, where it is only read). So is a base what a small number is added to, as for a table (bounded-places.ts). What is reached through other registers is looked at in the copy as well.
 *
 * A strip is tight where its rounds cannot leave. Then what a round writes before it reads it and before the loop can end (`dropped`) need not be stored on
 * the way back, and the host's compiler computes it where the loop ends, if at all. The last round that was found good is then a full one, which stores everything
 * and does not leave either.
 *
 * Invariants: every base's bytes of all rounds of a strip lie on pages whose flags were seen; flags are only taken away by system calls, which are in no strip.
 * What this does NOT do: emit code (emit-strip.ts).
 */
import type { Instruction } from './instruction.ts';
import { PURE } from '../lift-table.ts';
import { placesOf } from './bounded-places.ts';
import type { Block } from './region.ts';
import { countOf, LoopBody } from './small-loops.ts';

const NODES_MAX = 8;
const INSTRUCTIONS_MAX = 100;
const CHAIN_INSTRUCTIONS_MAX = 200;
const STEP_MAX = 512;
/** Bytes of a base that stores reach, and of one that a full round may look at without leaving, lie no farther apart. */
export const REACH_MAX = 2048;
const REACH_OF_LOADS_MAX = 4096;
/** A copy is worth while where one look is saved for so many instructions. */
const INSTRUCTIONS_PER_BASE = 12;
/** Headers with more ways back are an interpreter's. */
const LATCHES_MAX = 4;
/** How many dead registers make a copy worth while where nothing is looked at. */
const DROPPED_MIN = 3;

/**
 * A register, what a round moves it by, offsets of the first byte (at most 0) and behind the last one that are reached through it, and whether by stores too;
 * whether numbers that are not constant are added to it.
 */
export interface Base { readonly register: number; readonly step: number; low: number; high: number; readonly hasStore: boolean; readonly isTable: boolean }

/** `shortest`, `longest`: instructions of a round. `dropped`: bit set of integer registers, none unless it is tight. */
export interface Strip {
  readonly bases: readonly Base[];
  readonly baseSet: number;
  readonly shortest: number;
  readonly longest: number;
  readonly isTight: boolean;
  dropped: number;
}

/** What a draft or node of the graph is to a strip. `round`: a block of the copy. */
export type StripRole = 'guard' | 'test' | 'round';

/** A draft of the graph (graph.ts). `redirect`: where its block's edges lead, if not to that block. */
export interface StripDraft {
  readonly block: Block | undefined;
  edges: number[];
  redirect?: Map<number, number>;
  readonly role?: StripRole;
  readonly strip?: Strip;
}

/** Puts guards, tests and copies on the ways back of loops that have strips. `order`: reverse postorder of a reducible graph. */
export function addStrips(drafts: StripDraft[], order: readonly number[]): void {
  const position = new Int32Array(drafts.length).fill(-1);
  order.forEach((draft, index) => { position[draft] = index; });
  const predecessors: number[][] = drafts.map(() => []);
  for (const from of order) for (const target of drafts[from]!.edges) predecessors[target]!.push(from);
  const found = order.flatMap((header) => {
    const members = loopOf(drafts, { header, position, predecessors });
    const strip = members === undefined ? undefined : stripOf(drafts, members);
    return strip === undefined ? [] : [{ members: members!, strip }];
  });
  for (const { members, strip } of found) copyLoop(drafts, members, strip);
}

interface Place { readonly header: number; readonly position: Int32Array; readonly predecessors: readonly (readonly number[])[] }

/** The blocks of an innermost loop in order, the header first; undefined where it is none that can be copied. */
function loopOf(drafts: readonly StripDraft[], { header, position, predecessors }: Place): readonly number[] | undefined {
  const isBack = (from: number, to: number): boolean => position[from]! >= position[to]!;
  const latches = predecessors[header]!.filter((from) => isBack(from, header));
  if (header === 0 || latches.length === 0 || latches.length > LATCHES_MAX) return undefined;
  const members = new Set([header]);
  const open = [...latches];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (members.has(node)) continue;
    if (members.size === NODES_MAX) return undefined;
    members.add(node);
    open.push(...predecessors[node]!);
  }
  for (const node of members) {
    const kind = drafts[node]!.block?.kind;
    if (kind !== 'branch' && kind !== 'jump') return undefined;
    if (node !== header && predecessors[node]!.some((from) => isBack(from, node))) return undefined;
  }
  return [...members].sort((a, b) => position[a]! - position[b]!);
}

/** A guard, a test and the copy: the last block of a round leads to the guard. Copies come back to the test, and lead out to where the blocks lead. */
function copyLoop(drafts: StripDraft[], members: readonly number[], strip: Strip): void {
  const header = members[0]!;
  const [guard, test, first] = [drafts.length, drafts.length + 1, drafts.length + 2];
  drafts.push({ block: undefined, edges: [test, header], role: 'guard', strip });
  drafts.push({ block: undefined, edges: [first, strip.isTight ? header : guard], role: 'test', strip });
  for (const member of members) {
    const { block, edges, redirect } = drafts[member]!;
    const copy: StripDraft = { block, edges: [...edges], redirect: new Map(redirect), role: 'round', strip };
    members.forEach((other, index) => { leadTo(copy, other, other === header ? test : first + index); });
    drafts.push(copy);
  }
  for (const member of members) leadTo(drafts[member]!, header, guard);
}

/** Turns the edges to a draft (a block, or a copy of one) to another draft. */
export function leadTo(draft: StripDraft, from: number, to: number): void {
  if (!draft.edges.includes(from)) return;
  draft.edges = draft.edges.map((target) => (target === from ? to : target));
  const redirect = (draft.redirect ??= new Map<number, number>());
  const block = [...redirect].find(([, stop]) => stop === from)?.[0] ?? from;
  redirect.set(block, to);
}

/** What can be done in strips in a loop; undefined where that is not worth a copy. */
function stripOf(drafts: readonly StripDraft[], members: readonly number[]): Strip | undefined {
  const blocks = members.map((member) => drafts[member]!.block!); // A loop that can be copied has blocks only.
  const all = blocks.flatMap(({ instructions }) => instructions);
  if (all.length > CHAIN_INSTRUCTIONS_MAX) return undefined;
  const bases = basesOf(blocks, stepsOf(all));
  const isChain = members.every((member) => drafts[member]!.edges.filter((target) => members.includes(target)).length === 1) && blocks.filter(({ kind }) => kind === 'branch').length === 1;
  if (!isChain && all.length > INSTRUCTIONS_MAX) return undefined;
  const baseSet = bases.reduce((set, { register }) => set | (1 << register), 0);
  const dropped = isChain && blocks.every(({ instructions }) => cannotLeave(instructions, baseSet)) ? droppedIn(blocks) : 0;
  const isTight = dropped !== 0;
  const moving = bases.filter(({ step }) => step !== 0).length;
  const tables = bases.filter(({ step, isTable }) => step === 0 && isTable).length;
  if (!isTight && (moving === 0 || all.length > INSTRUCTIONS_PER_BASE * (moving + tables))) return undefined;
  return { bases, baseSet, ...lengthsOf(drafts, members), isTight, dropped };
}

function cannotLeave(instructions: readonly Instruction[], baseSet: number): boolean {
  const free = freeIn(instructions, baseSet);
  return instructions.every(({ kind, isLoad, isStore, guarded, row: { mnemonic } }, at) => (isLoad || isStore ? free[at] === 1 : kind !== 'plain' || guarded !== undefined || mnemonic in PURE));
}

/** For each instruction of a block 1 where it loads or stores what is reached through a base. */
export function freeIn(instructions: readonly Instruction[], baseSet: number): Uint8Array {
  return Uint8Array.from(placesOf(instructions), (place) => Number(place !== undefined && (baseSet & (1 << place.base)) !== 0));
}

/** Registers that a round of a chain writes before it reads them and before it can end, where they are many and the loop is not a small one. */
function droppedIn(blocks: readonly Block[]): number {
  const body = new LoopBody();
  for (const block of blocks) body.add(block);
  if (body.isSmall) return 0;
  let [read, written] = [0, 0];
  for (const { reads, writes } of blocks.slice(0, blocks.findIndex(({ kind }) => kind === 'branch') + 1).flatMap(({ instructions }) => instructions)) {
    read |= reads & ~written;
    written |= writes & ~read;
  }
  return countOf(written) < DROPPED_MIN ? 0 : written;
}

function basesOf(blocks: readonly Block[], steps: ReadonlyMap<number, number>): readonly Base[] {
  const bases = new Map<number, Base>();
  for (const { instructions } of blocks) {
    placesOf(instructions).forEach((place, at) => {
      const step = place === undefined ? undefined : steps.get(place.base);
      if (place === undefined || step === undefined) return;
      const { base, low, high } = place;
      const known = bases.get(base) ?? { register: base, step, low: 0, high: 0, hasStore: false, isTable: false };
      const { isStore, rs1 } = instructions[at]!;
      bases.set(base, { ...known, low: Math.min(known.low, low), high: Math.max(known.high, high), hasStore: known.hasStore || isStore, isTable: known.isTable || rs1 !== base });
    });
  }
  return [...bases.values()].filter(({ low, high, hasStore }) => high - low <= (hasStore ? REACH_MAX : REACH_OF_LOADS_MAX));
}

/** By how much a round moves each register at most, where it only moves it one way by constants; 0 for those that it does not change. */
function stepsOf(instructions: readonly Instruction[]): ReadonlyMap<number, number> {
  const steps = new Map<number, number>(Array.from({ length: 32 }, (_, register) => [register, 0]));
  for (const { row: { mnemonic }, rd, rs1, imm, writes } of instructions) {
    if (writes === 0) continue;
    const before = steps.get(rd);
    if (mnemonic === 'addi' && rs1 === rd && before !== undefined && before * imm >= 0 && Math.abs(before + imm) <= STEP_MAX) steps.set(rd, before + imm);
    else steps.delete(rd);
  }
  return steps;
}

/** Instructions of the shortest and the longest way round. */
function lengthsOf(drafts: readonly StripDraft[], members: readonly number[]): Pick<Strip, 'shortest' | 'longest'> {
  const header = members[0]!;
  const ways = new Map<number, { shortest: number; longest: number }>();
  let round = { shortest: Infinity, longest: 0 };
  for (const member of members) {
    const { block, edges } = drafts[member]!;
    const before = ways.get(member) ?? { shortest: 0, longest: 0 };
    const { instructions: { length }, guards } = block!;
    const after = { shortest: before.shortest + length - (guards === undefined ? 0 : Math.max(guards.taken, guards.other)), longest: before.longest + length };
    round = { shortest: round.shortest, longest: Math.max(round.longest, after.longest) };
    for (const target of edges) {
      if (target === header) round.shortest = Math.min(round.shortest, after.shortest);
      if (target === header || !members.includes(target)) continue;
      const known = ways.get(target) ?? after;
      ways.set(target, { shortest: Math.min(known.shortest, after.shortest), longest: Math.max(known.longest, after.longest) });
    }
  }
  return round;
}
