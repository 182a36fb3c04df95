/**
 * What the emitter of a unit needs to know of its surroundings: the graph and what the analyses found, where things lie, and its neighbours.
 * What this does NOT do: compute any of it (module.ts does).
 */
import type { CpuMemory } from '../../cpu.ts';
import type { BlockCode, Registers } from './dataflow.ts';
import type { Graph } from './graph.ts';
import type { DirectTable } from './jump-table.ts';
import type { UnitLayout } from './layout.ts';
import type { LoadWindows } from './windows.ts';

/** A map from addresses to numbers of blocks, two bytes for each two bytes of code: where it lies, its first address, its bytes, and how many addresses it has. */
export interface PlacedMap { readonly offset: number; readonly low: number; readonly span: number; readonly count: number }

/**
 * A jump table whose content is relied on, read by the instruction at `position` of its block. `order`: the number of the block that each entry leads to, 0 where there is none, where the jump can go
 * by entry; the map at `offset` then gives an entry for each number. undefined: the map gives the number for each entry.
 */
export interface PlacedTable { readonly table: DirectTable; readonly position: number; readonly offset: number; readonly order: readonly number[] | undefined }

export interface UnitContext {
  readonly memory: CpuMemory;
  readonly layout: UnitLayout;
  readonly graph: Graph;
  readonly before: readonly Registers[];
  readonly windows: LoadWindows;
  /** Registers with narrow values at the start of each node. */
  readonly narrow: Int32Array;
  /** Of the stack pointer at the end of each node (handover.ts). */
  readonly displacements: Int32Array;
  /** Of each node. */
  readonly codes: readonly BlockCode[];
  /** Nodes that look at the fuel first. */
  readonly checked: ReadonlySet<number>;
  /** Of the targets of indirect jumps, and of the addresses besides its own at which the unit can be entered; undefined when it has none. */
  readonly jumpMap: PlacedMap | undefined;
  readonly entryMap: PlacedMap | undefined;
  /** By node. */
  readonly tables: ReadonlyMap<number, PlacedTable>;
  /** No result has been inexact so far, so mostly none will be; code is right either way. */
  readonly isExact: boolean;
  readonly unitType: number;
  /** Instructions of the unit. */
  readonly instructions: number;
  /** Index of a function of the same module. */
  functionOf(address: number): number | undefined;
  /** Pages that emitted code relies on being readable. */
  readonly reliedPages: Set<number>;
}
