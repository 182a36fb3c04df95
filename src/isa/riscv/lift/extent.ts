/**
 * What a hot place is translated with: the code from there on, or the whole function around it, and where the unit can be entered.
 * What this does NOT do: emit code (module.ts), choose among hot places.
 */
import type { CodeCache } from './code-cache.ts';
import { makeGraph, type Graph } from './graph.ts';
import type { UnitLayout } from './layout.ts';
import { findRegion, type Region } from './region.ts';

/** From so many instructions on a part of a function brings the rest of it, and from so many on it is never translated alone. */
const MIDDLING_PART = 300;
const LARGE_PART = 1500;
/** How far from its start a place in a function may be. */
const FUNCTION_BYTES_MAX = 1 << 18;

/** A unit to be: its own address, its code, and that in order. */
export interface Plan { readonly entry: number; readonly region: Region; readonly graph: Graph; readonly instructions: number }

/** An entry that has become hot, and the low words of the integer registers then. */
export interface HotEntry { readonly address: number; readonly registers: Int32Array }

/** The plan for a hot place; undefined when nothing can be translated there. */
export function makePlan(code: CodeCache, hot: Hot, layout: UnitLayout): Plan | undefined {
  const found = extentOf(code, hot, layout);
  if (found === undefined) return undefined;
  const { entry, region, wanted, inside } = found;
  const graph = makeGraph(region, { wanted, inside });
  if (inside === undefined || graph.entries.length > wanted.length) return { entry, region, graph, instructions: region.size };
  const alone = regionAt(code, { ...hot, roots: layout.entriesOf(hot.address) }, layout)!; // It is in no loop.
  return { entry: hot.address, region: alone, graph: makeGraph(alone), instructions: alone.size };
}

export interface Hot { readonly address: number; readonly registers: Int32Array | undefined }
/** `inside`: the unit is to be entered at the outermost loop around this place. */
interface Extent { readonly entry: number; readonly region: Region; readonly wanted: readonly number[]; readonly inside: number | undefined }

/**
 * The code that a hot place is translated with. What lies in a loop of a function brings the whole function, entered at its outermost loops too, where that
 * costs nothing: each place in it would need a copy of nearly everything else. A place that stays hot nevertheless is added to a large unit; a small one is made once more.
 */
function extentOf(code: CodeCache, hot: Hot, layout: UnitLayout): Extent | undefined {
  const { address, registers } = hot;
  const { functions } = layout;
  const known = layout.entriesOf(address);
  const region = regionAt(code, { address, registers, roots: known }, layout);
  if (region === undefined) return undefined;
  const alone: Extent = { entry: address, region, wanted: known, inside: undefined };
  const start = functions.has(address) ? undefined : functions.before(address);
  const { size } = region;
  if (start === undefined || address - start > FUNCTION_BYTES_MAX || size < MIDDLING_PART || layout.isSettled(start)) return alone;
  if (layout.isCovered(address) && size < LARGE_PART) return alone;
  const entries = layout.entriesOf(start);
  const seen = regionAt(code, { address: start, registers, roots: entries }, layout);
  const isReached = seen?.has(address) === true;
  if (!isReached && !region.starts.some((own) => seen?.has(own) === true)) return alone;
  const isAdded = !isReached || layout.isCovered(address);
  const whole = isAdded ? regionAt(code, { address: start, registers, roots: [...entries, address] }, layout) : seen;
  if (whole?.has(address) !== true) return alone;
  return isAdded ? { entry: start, region: whole, wanted: [...new Set([...entries, address])], inside: undefined } : { entry: start, region: whole, wanted: entries, inside: address };
}

function regionAt(code: CodeCache, { address, registers, roots }: Hot & { readonly roots: readonly number[] }, { margin, functions }: UnitLayout): Region | undefined {
  functions.lookAround(address);
  return findRegion(code, address, {
    roots, blockMax: Math.max(1, margin >>> 1), guess: (register) => (registers === undefined ? undefined : registers[register]! >>> 0),
    isFunction: (target) => target !== address && functions.has(target),
  });
}

/** What the unit of an entry would consist of: how many instructions, and the starts of its blocks. */
export function unitExtent(code: CodeCache, hot: HotEntry, layout: UnitLayout): { readonly instructions: number; readonly starts: readonly number[] } {
  const region = extentOf(code, hot, layout)?.region;
  return region === undefined ? { instructions: 0, starts: [] } : { instructions: region.size, starts: region.starts };
}
