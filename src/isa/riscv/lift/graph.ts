/**
 * The control-flow graph of a region, made reducible and put in order. Where a loop can be entered in several places (computed goto, gcc's jump
 * threading) and is not small (split-loops.ts), one dispatch node stands before its entries: whoever goes to one of them sets its number and goes to the node.
 *
 *      a ──► x ◄──► y ◄── b            a ─┐       ┌─► x
 *                                      b ─┴─► D ──┴─► y      and x, y go to each other through D
 *
 * Nodes are in reverse postorder, node 0 is the entry; an edge to the same or an earlier node is a loop's back edge, and its target dominates its
 * source.
 *
 * An interpreter's loop (computed goto, a switch for each operation) rarely comes back to where its function begins, so the targets of its dispatch node
 * are entries of the unit too: otherwise code that was left in the middle of it would need a copy of everything for each place where it goes on. So are
 * the outermost loops of other large functions, and places that are asked for.
 * What this does NOT do: know instructions, emit code.
 */
import { assert } from '../../../core/index.ts';
import { components, entriesOf, predecessorsOf } from './components.ts';
import { isCallingBlock, type Block, type Edge, type Region } from './region.ts';
import { separateSmallLoops } from './small-loops.ts';
import { COPIES_MAX, splitLoop } from './split-loops.ts';
import { addStrips, type Strip, type StripDraft, type StripRole } from './strips.ts';

/** An edge of the graph: to a node, or out of the unit. `index`: the number to set first, when the node is (or leads to) a dispatch. */
export type GraphEdge = { readonly node: number; readonly index?: number } | { readonly address: number };

export interface GraphNode {
  /** Undefined: a dispatch node, or with one edge a landing (small-loops.ts), or with a role a guard or a test. */
  readonly block: Block | undefined;
  readonly edges: readonly GraphEdge[];
  /** Numbers that lead to each edge of a dispatch or table. */
  readonly indices: readonly number[];
  /** What it is to a strip: a guard leads to the test and to the full loop, a test to the copy and out of the strip (strips.ts). */
  readonly role: StripRole | undefined;
  readonly strip: Strip | undefined;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly dominators: readonly number[];
  readonly predecessors: readonly (readonly number[])[];
  /** Header → nodes of its loop, the header among them. */
  readonly loops: ReadonlyMap<number, ReadonlySet<number>>;
  /** Start address → number, of all blocks that a dispatch or table can lead to. */
  readonly numbers: ReadonlyMap<number, number>;
  /** Addresses, besides the unit's own, at which it can be entered: node 0 leads to them all through one dispatch node, `entryNode`. */
  readonly entries: readonly number[];
  /** -1: there are none. */
  readonly entryNode: number;
}

/** Whether other code runs at the end of a node, and comes back. */
export function isCalling({ block }: GraphNode): boolean {
  return isCallingBlock(block);
}

/** A dispatch node with so many targets, some of them out of a jump table, is an interpreter's. */
const INTERPRETER_TARGETS = 8;
/** A unit of so many blocks can be entered at its outermost loops, so that a second one is not made from the middle of one. */
const LARGE_BLOCKS = 200;

type Draft = StripDraft;

/** Where a unit can be entered besides its start: at these addresses, and at the outermost loop around one that is `inside` it. */
export interface Entrances { readonly wanted: readonly number[]; readonly inside: number | undefined }

export function makeGraph({ blocks }: Region, { wanted, inside }: Entrances = { wanted: [], inside: undefined }): Graph {
  const drafts = reducible(blocks);
  const indexOf = new Map(blocks.map(({ start }, index) => [start, index])); // Of block 1, not of the empty one before it.
  const targets = new Set(interpreterTargets(drafts));
  for (const address of wanted) targets.add(indexOf.get(address) ?? 1);
  const place = inside === undefined ? undefined : blockAround(blocks, inside);
  const isLarge = blocks.length >= LARGE_BLOCKS;
  if (isLarge || place !== undefined) for (const { header, members } of outermostLoops(drafts)) if (header < blocks.length && (isLarge || members.includes(place!))) targets.add(header);
  targets.delete(1);
  if (targets.size === 0) return order(blocks, drafts, { blocks: [], draft: -1 });
  const more = [{ ...blocks[0]!, edges: [...blocks[0]!.edges, ...[...targets].map((block) => ({ block }))] }, ...blocks.slice(1)];
  const withEntries = reducible(more);
  const first = withEntries[0]!;
  const own = first.edges.find((target) => target === 1) ?? first.edges.find((target) => new Leaves(withEntries).has(target, 1))!;
  withEntries.push({ block: undefined, edges: first.edges.filter((target) => target !== 1) });
  const draft = withEntries.length - 1;
  first.edges = [own, draft];
  return order(blocks, withEntries, { blocks: [...targets], draft });
}

function blockAround(blocks: readonly Block[], address: number): number {
  return blocks.findIndex(({ start, end, instructions }) => start <= address && address < end && instructions.length > 0);
}

/** Loops that are in no other one and begin at a block. */
function outermostLoops(drafts: readonly Draft[]): { readonly header: number; readonly members: readonly number[] }[] {
  const predecessors = predecessorsOf(drafts);
  return components(drafts, new Set(drafts.keys())).flatMap((members) => {
    if (members.length === 1 && !drafts[members[0]!]!.edges.includes(members[0]!)) return [];
    const header = entriesOf(predecessors, new Set(members))[0] ?? members[0]!;
    return drafts[header]!.block === undefined ? [] : [{ header, members }];
  });
}

function reducible(blocks: readonly Block[]): Draft[] {
  const drafts: Draft[] = blocks.map((block) => ({ block, edges: [...new Set(block.edges.flatMap((edge) => ('block' in edge ? [edge.block] : [])))] }));
  makeReducible(drafts);
  return drafts;
}

/** Blocks that the dispatch node of an interpreter's loop leads to; none where there is no such loop. */
function interpreterTargets(drafts: readonly Draft[]): number[] {
  const tables = drafts.filter(({ block }) => block?.kind === 'table');
  const leaves = new Leaves(drafts);
  let most: number[] = [];
  drafts.forEach(({ block }, index) => {
    if (block !== undefined || !tables.some(({ edges }) => edges.includes(index))) return;
    const targets = [...new Set(leaves.of(index))];
    if (targets.length > Math.max(most.length, INTERPRETER_TARGETS - 1)) most = targets;
  });
  return most;
}

/** Splits loops with several entries by dispatch nodes, from the outermost inwards. */
function makeReducible(drafts: Draft[]): void {
  const open: number[][] = [drafts.map((_, index) => index)];
  let room = COPIES_MAX;
  let predecessors = predecessorsOf(drafts);
  for (let nodes = open.pop(); nodes !== undefined; nodes = open.pop()) {
    const inside = new Set(nodes);
    for (const component of components(drafts, inside)) {
      if (component.length === 1 && !drafts[component[0]!]!.edges.includes(component[0]!)) continue;
      const members = new Set(component);
      const entries = entriesOf(predecessors, members);
      if (entries.length <= 1) {
        const header = entries[0] ?? component[0]!;
        open.push(component.filter((node) => node !== header));
        continue;
      }
      const copies = splitLoop(drafts, component, { entries, room });
      if (copies > 0) {
        room -= copies;
        predecessors = predecessorsOf(drafts);
        open.push(component);
        continue;
      }
      const dispatch = drafts.length;
      const targets = new Set(entries);
      for (const draft of drafts) draft.edges = [...new Set(draft.edges.map((target) => (targets.has(target) ? dispatch : target)))];
      drafts.push({ block: undefined, edges: entries });
      predecessors = predecessorsOf(drafts);
      open.push(component);
    }
  }
}

/** `entries`: blocks at which the unit can be entered besides its start, and the dispatch node that leads to them. */
function order(blocks: readonly Block[], drafts: Draft[], entries: { readonly blocks: readonly number[]; readonly draft: number }): Graph {
  separateSmallLoops(drafts, reversePostorder(drafts), blocks.length);
  if (blocks.length < LARGE_BLOCKS) addStrips(drafts, reversePostorder(drafts));
  const sequence = reversePostorder(drafts);
  const position = new Int32Array(drafts.length).fill(-1);
  sequence.forEach((draft, index) => { position[draft] = index; });
  const leaves = new Leaves(drafts);
  const numbers = numberTargets(blocks, drafts, leaves);
  /** Draft that stands before block `target` when it is reached from draft `from`: the target itself, a guard, test or copy before it, or a dispatch node. */
  const through = (from: number, target: number): number => {
    const { edges, redirect } = drafts[from]!;
    const redirected = redirect?.get(target);
    if (redirected !== undefined) return redirected;
    return edges.includes(target) ? target : edges.find((edge) => drafts[edge]!.block === undefined && leaves.has(edge, target))!;
  };
  const entryNode = entries.draft < 0 ? -1 : position[entries.draft]!;
  const nodes = sequence.map((draft): GraphNode => {
    const { block, role, strip, edges: successors } = drafts[draft]!;
    if (role === 'guard' || role === 'test') return { block, edges: successors.map((target) => ({ node: position[target]! })), indices: [], role, strip };
    if (draft === 0 && entryNode >= 0) {
      const own = position[successors[0]!]!;
      return { block, edges: [own === position[1]! ? { node: own } : { node: own, index: numbers.get(blocks[1]!.start)! }, { node: entryNode }], indices: [], role, strip };
    }
    const targets: readonly Edge[] = block?.edges ?? leaves.of(draft).map((target) => ({ block: target }));
    const edges = targets.map((edge): GraphEdge => {
      if ('address' in edge) return edge;
      const stop = through(draft, edge.block);
      const node = position[stop]!;
      return isDispatch(drafts[stop]!) ? { node, index: numbers.get(blocks[edge.block]!.start)! } : { node };
    });
    const indices = block !== undefined && block.kind !== 'table' ? [] : targets.map((edge) => ('block' in edge ? numbers.get(blocks[edge.block]!.start)! : -1));
    return { block, edges, indices, role, strip };
  });
  const predecessors: number[][] = nodes.map(() => []);
  nodes.forEach(({ edges }, from) => { for (const edge of edges) if ('node' in edge && !predecessors[edge.node]!.includes(from)) predecessors[edge.node]!.push(from); });
  const dominators = findDominators(predecessors);
  return { nodes, dominators, predecessors, loops: findLoops(predecessors, dominators), numbers, entries: entries.blocks.map((block) => blocks[block]!.start), entryNode };
}

/** Whether a number must be set on the way to a draft: a dispatch node, or a landing before a block. */
function isDispatch({ block, role }: Draft): boolean {
  return block === undefined && role === undefined;
}

/** Blocks behind dispatch nodes, those behind further dispatch nodes among them; each is asked for once a target. */
class Leaves {
  readonly #drafts: readonly Draft[];
  readonly #found = new Map<number, { readonly list: readonly number[]; readonly set: ReadonlySet<number> }>();

  constructor(drafts: readonly Draft[]) {
    this.#drafts = drafts;
  }

  of(dispatch: number): readonly number[] { return this.#find(dispatch).list; }
  has(dispatch: number, target: number): boolean { return this.#find(dispatch).set.has(target); }

  #find(dispatch: number): { readonly list: readonly number[]; readonly set: ReadonlySet<number> } {
    const known = this.#found.get(dispatch);
    if (known !== undefined) return known;
    const list = this.#drafts[dispatch]!.edges.flatMap((edge) => (isDispatch(this.#drafts[edge]!) ? this.of(edge) : [edge]));
    const found = { list, set: new Set(list) };
    this.#found.set(dispatch, found);
    return found;
  }
}

function numberTargets(blocks: readonly Block[], drafts: readonly Draft[], leaves: Leaves): Map<number, number> {
  const targets = new Set<number>();
  drafts.forEach(({ block }, index) => {
    if (isDispatch(drafts[index]!)) for (const target of leaves.of(index)) targets.add(target);
    else if (block?.kind === 'table') for (const edge of block.edges) if ('block' in edge) targets.add(edge.block);
  });
  return new Map([...targets].sort((a, b) => a - b).map((block, index) => [blocks[block]!.start, index + 1]));
}

function reversePostorder(drafts: readonly Draft[]): number[] {
  const done: number[] = [];
  const seen = new Uint8Array(drafts.length);
  const work = [{ node: 0, next: 0 }];
  seen[0] = 1;
  while (work.length > 0) {
    const top = work.at(-1)!;
    const target = drafts[top.node]!.edges[top.next++];
    if (target === undefined) {
      done.push(top.node);
      work.pop();
    } else if (seen[target] === 0) {
      seen[target] = 1;
      work.push({ node: target, next: 0 });
    }
  }
  return done.reverse();
}

/** Immediate dominators by intersection in reverse postorder until nothing changes (Cooper, Harvey, Kennedy). */
function findDominators(predecessors: readonly (readonly number[])[]): number[] {
  const dominators: number[] = predecessors.map((_, index) => (index === 0 ? 0 : -1));
  for (let isChanged = true; isChanged;) {
    isChanged = false;
    for (let index = 1; index < predecessors.length; index++) {
      let best = -1;
      for (const source of predecessors[index]!) {
        if (dominators[source]! < 0) continue;
        best = best < 0 ? source : intersect(dominators, best, source);
      }
      if (best === dominators[index]) continue;
      dominators[index] = best;
      isChanged = true;
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

function findLoops(predecessors: readonly (readonly number[])[], dominators: readonly number[]): Map<number, Set<number>> {
  const loops = new Map<number, Set<number>>();
  predecessors.forEach((sources, header) => {
    for (const source of sources) {
      if (source < header) continue;
      assert(intersect(dominators, header, source) === header, 'the graph is reducible');
      const body = loops.get(header) ?? new Set([header]);
      loops.set(header, body);
      const open = [source];
      for (let node = open.pop(); node !== undefined; node = open.pop()) {
        if (body.has(node)) continue;
        body.add(node);
        open.push(...predecessors[node]!);
      }
    }
  });
  return loops;
}
