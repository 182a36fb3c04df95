/**
 * Small loops with several entries, as compilers make them by turning loops around: the blocks that are reached from the other entries are there twice, once in the loop and
 * once on the way into it, so that the loop is left with one entry. A dispatch node would ask in each round which block comes next, and the host's processor would have to
 * guess it twice.
 *
 *      a ──► h ◄──► e ◄── b            a ──► h ◄──► e        b ──► e' ──► h
 *
 * Invariants: a copy leads to copies where its block leads to what was copied, else where its block leads; from outside the loop only `h` is reached; what is copied has no loop with
 * several entries itself, so that no dispatch node, which goes by the numbers of blocks, is put among copies.
 * What this does NOT do: large loops and those of interpreters (graph.ts puts dispatch nodes there).
 */
import { isReducible } from './components.ts';
import { isCallingBlock } from './region.ts';
import { leadTo, type StripDraft } from './strips.ts';

const ENTRIES_MAX = 3;
const NODES_MAX = 20;
/** Instructions of all copies of one loop. */
const COPIED_INSTRUCTIONS_MAX = 150;

/** Blocks of a unit that are copies, at most. */
export const COPIES_MAX = 100;

/**
 * Copies what it takes to leave `entries` of a component with one. Gives how many drafts were added; 0 where that is not done, or takes more than `room`: nothing has changed then.
 */
export function splitLoop(drafts: StripDraft[], component: readonly number[], { entries, room }: { readonly entries: readonly number[]; readonly room: number }): number {
  if (entries.length > ENTRIES_MAX || component.length > NODES_MAX || !component.every((node) => isCopyable(drafts[node]!))) return 0;
  const members = new Set(component);
  const header = headerOf(drafts, { entries, members });
  if (header === undefined) return 0;
  const parts = entries.filter((entry) => entry !== header).map((entry) => partOf(drafts, { entry, header, members }));
  const copied = parts.flat();
  if (copied.length > room || copied.reduce((sum, node) => sum + drafts[node]!.block!.instructions.length, 0) > COPIED_INSTRUCTIONS_MAX) return 0;
  if (!parts.every((part) => isReducible(drafts, part, part[0]!))) return 0;
  const outside = [...drafts.keys()].filter((from) => !members.has(from));
  for (const part of parts) {
    const start = drafts.length;
    for (const node of part) {
      const { block, edges, redirect } = drafts[node]!;
      const copy: StripDraft = { block, edges: [...edges], redirect: new Map(redirect) };
      part.forEach((other, at) => { leadTo(copy, other, start + at); });
      drafts.push(copy);
    }
    for (const from of outside) leadTo(drafts[from]!, part[0]!, start);
  }
  return copied.length;
}

/** Blocks without calls that end with a branch or a jump. */
function isCopyable({ block }: StripDraft): boolean {
  return block !== undefined && !isCallingBlock(block) && (block.kind === 'branch' || block.kind === 'jump');
}

/**
 * The entry that stays one: the one to which an edge leads that cannot lead to a copy (of the unit's start, of a dispatch node or a table, which go by the numbers of blocks), else
 * the one that most ways inside the loop come back to. Undefined: there are several of the first kind.
 */
function headerOf(drafts: readonly StripDraft[], { entries, members }: { readonly entries: readonly number[]; readonly members: ReadonlySet<number> }): number | undefined {
  const fixed = entries.filter((entry) => drafts.some(({ block, edges }, from) => !members.has(from) && (from === 0 || block === undefined || block.kind === 'table') && edges.includes(entry)));
  if (fixed.length > 0) return fixed.length === 1 ? fixed[0] : undefined;
  const ways = (entry: number): number => [...members].filter((node) => drafts[node]!.edges.includes(entry)).length;
  return entries.reduce((best, entry) => (ways(entry) > ways(best) ? entry : best));
}

/** What is reached in the loop from an entry without going through the header, the entry first. */
function partOf(drafts: readonly StripDraft[], { entry, header, members }: { readonly entry: number; readonly header: number; readonly members: ReadonlySet<number> }): number[] {
  const part = [entry];
  for (const node of part) {
    for (const target of drafts[node]!.edges) if (members.has(target) && target !== header && !part.includes(target)) part.push(target); // The walk goes on with what is added.
  }
  return part;
}
