/**
 * What translated units and their driver agree on: where things lie in the linear memory, numbers of locals and of imported functions, the signature
 * of a unit.
 *
 *   unit (fuel: i32, depth: i32, pc: i32, sp: i64, a0: i64) -> (next << 32 | fuel: i64, a0: i64)
 *     next even    the return address where the guest returned in order: with the stack pointer that was passed
 *     next odd     go on at next - 1. All registers are in the block, and the driver looks first (fuel, depth), unless `moved` says that the
 *                  guest only went elsewhere (handover.ts)
 *     next = LEFT  everybody returns; the driver finds in the outcome words where execution stands
 *
 * What this does NOT do: allocate anything.
 */
import { TYPE, type Signature } from '../../../wasm/index.ts';
import type { FunctionStarts } from './function-starts.ts';

/** Where the driver keeps things, as bytes of the linear memory: all that its own modules depend on. */
export interface DriverLayout {
  readonly memoryPages: number;
  /** The register block (CPU_STATE_OFFSET). */
  readonly registers: number;
  /** The outcome area: OUTCOME, 24 bytes. */
  readonly outcome: number;
  readonly tableSize: number;
  /** Instructions that may retire between two looks at the fuel; the driver keeps that many back. */
  readonly margin: number;
}

/** What units need besides. */
export interface UnitLayout extends DriverLayout {
  readonly pageFlags: number;
  /** (tag, slot) pairs of words, direct-mapped by pc >>> 1. */
  readonly targets: number;
  /** The host has a fused multiply-add in WebAssembly, proved by a test. */
  readonly hasFused: boolean;
  /** Words are extended by two-step-writer.ts. */
  readonly extendsInTwo: boolean;
  /** Table slot of a static target. */
  slotOf(address: number): number;
  /** Where functions begin: a jump there leaves the unit. */
  readonly functions: FunctionStarts;
  /** Addresses at which the unit of a function can be entered in its middle; none when there is no unit. */
  entriesOf(start: number): readonly number[];
  /** Whether an address begins a block of some unit. */
  isCovered(address: number): boolean;
  /** Whether the unit of a function was made so often that it shall stay as it is. */
  isSettled(start: number): boolean;
  /** Byte offset of `bytes` zeroed bytes for a jump map; undefined when there is no more room. */
  allocate(bytes: number): number | undefined;
}

export const UNIT_TYPE: Signature = { parameters: [TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i64, TYPE.i64], results: [TYPE.i64, TYPE.i64] };
/** next of a unit that has left: the outcome words say the rest. */
export const LEFT = 1;

/** Of an address, to the number of its page. */
export const PAGE_SHIFT = 12;
/** Entries of the target cache; a power of two. */
export const TARGETS = 1 << 14;
/** One of them: the address, then the slot of its unit in the table. */
export const TARGET_BYTES = 8;
export const TARGET_SLOT = 4;
/** Why a unit left. `instruction`: the next one must be interpreted. `fuel`: the driver shall look. `pending`: a call back of the driver has stopped. */
export const REASON = { instruction: 0, fuel: 1, pending: 2 } as const;
/** Byte offsets in the outcome area. `moved`: 1 where the guest went elsewhere. `detail`: instructions given back, reason << 16. `next`: what a stub returns. */
export const OUTCOME = { fuel: 0, moved: 4, pc: 8, detail: 12, next: 16 } as const;

/** (fuel, depth, pc) -> fuel, and OUTCOME.next: code without a unit, run as a call. */
export const COLD_TYPE: Signature = { parameters: [TYPE.i32, TYPE.i32, TYPE.i32], results: [TYPE.i32] };

/**
 * Functions of the driver's side: the first ones of each module, in this order. The driver's module imports them and puts a function that calls each into the table, one slot after the other;
 * what a unit's module has under these indices calls that slot. For V8 compiles a way from WebAssembly to JavaScript for each signature that a module imports, in every module anew.
 */
export const HELPERS = [
  /** (operation, packed registers, rounding mode) -> done */
  ['float', { parameters: [TYPE.i32, TYPE.i32, TYPE.i32], results: [TYPE.i32] }],
  /** (operation, packed registers, immediate) -> done */
  ['operation', { parameters: [TYPE.i32, TYPE.i32, TYPE.i32], results: [TYPE.i32] }],
  /** (address, last byte's distance) -> refused: makes pages ready for stores */
  ['store', { parameters: [TYPE.i64, TYPE.i32], results: [TYPE.i32] }],
  /** (pc, fuel) -> fuel, or LEAVE: one interpreted instruction */
  ['step', { parameters: [TYPE.i32, TYPE.i32], results: [TYPE.i32] }],
  ['cold', COLD_TYPE],
] as const satisfies readonly (readonly [string, Signature])[];
export const HELPER = { float: 0, operation: 1, store: 2, step: 3 } as const;
/** Slots of the table before units': 0 stands for none, these lead to the helpers. */
export const FIRST_HELPER_SLOT = 1;
export const LAST_HELPER_SLOT = FIRST_HELPER_SLOT + HELPERS.length - 1;
/** Functions of the unit's own module that follow those. */
export const OWN = { reach: HELPERS.length, special: HELPERS.length + 1, unordered: HELPERS.length + 2, classify: HELPERS.length + 3, slow: HELPERS.length + 4, late: HELPERS.length + 5, astray: HELPERS.length + 6 } as const;
/** Answer of `step` and of a nested driver: everything is told, leave. No fuel is ever this low. */
export const LEAVE = -0x80000000;

/**
 * Locals: five parameters, scratch, then one i64 a used integer register, one f64 a used float register.
 * `index` is the number of the next block at a dispatch; `exit` is pc | detail << 32 (OUTCOME). The limits say which
 * float results need no second look (see emit-float.ts). `floor`: a strip ends when no more fuel than this is left.
 * `entry`: which entry of a jump table a load reads. `taken`: whether the branch before guarded instructions is.
 */
export const LOCAL = {
  fuel: 0, depth: 1, pc: 2, stack: 3, argument: 4, index: 5, address: 6, wide: 7, exit: 8, next: 9, first: 10, second: 11, third: 12, fourth: 13, double: 14, single: 15,
  addLimit: 16, multiplyLimit: 17, singleAddLimit: 18, singleMultiplyLimit: 19, term: 20, floor: 21, entry: 22, taken: 23, registers: 24,
} as const;
/** Runs of scratch locals after the parameters. */
export const SCRATCH_LOCALS = [[2, TYPE.i32], [7, TYPE.i64], [1, TYPE.f64], [1, TYPE.f32], [2, TYPE.i64], [2, TYPE.i32], [1, TYPE.f64], [1, TYPE.i32], [1, TYPE.i64], [1, TYPE.i32]] as const;

/** Registers by which a driver knows where a call comes back. */
export const returnTarget = { link: 1, stackPointer: 2 } as const;
