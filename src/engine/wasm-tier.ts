/**
 * The WebAssembly interpreter on this engine's memory. A machine begins in the TypeScript interpreter, so that a short program pays for no module, and goes
 * over after a number of instructions, or at once where the process has the module already.
 * Invariants: a module depends on nothing but its layout, so that all machines of one size share it; going over is seen in nothing but time.
 * What this does NOT do: translate; decide what is hot.
 */
import { assert } from '../core/index.ts';
import {
  loopModule, NEVER_HOT, ProfilingInterpreter, STOP, WasmInterpreter,
  type ColdInterpreter, type CpuMemory, type CpuState, type Executor, type Isa, type Loop, type LoopLayout, type Nesting, type Pause, type Relay, type Stop,
} from '../isa/index.ts';
import { EngineModules, type Units } from './kept-module.ts';
import { BLOCK_OFFSET, VM_OFFSET } from './linear-memory.ts';
import { GuestMemory } from './memory.ts';

/** Making and compiling the module takes as long as the TypeScript interpreter, cold, for about this many instructions. */
const WARM_UP = 30_000;
/** What is shared by all machines of the process that are given no other. */
const shared = new EngineModules();

export interface WasmTierOptions {
  /** Jumps to a target before run() pauses with PAUSE.hot; never when it is not given. */
  readonly hotLimit?: number;
  /** Instructions in the TypeScript interpreter first; when it is not given, some where the process has no module yet. */
  readonly warmUp?: number | undefined;
  /** Where the module is kept from one process to the next; without one each process makes its own. */
  readonly modules?: EngineModules | undefined;
}

/** The ISA with this executor in place of its interpreter. */
export function interpretingInWasm(isa: Isa, options: WasmTierOptions = {}): Isa {
  return { ...isa, createInterpreter: (memory, state) => new WasmExecutor(new WasmTier(memory, state, options)) };
}

function layoutOf({ vmBase, buffer }: GuestMemory): LoopLayout {
  const area = vmBase + VM_OFFSET.records;
  return { registers: BLOCK_OFFSET.cpuState, pageFlags: vmBase + VM_OFFSET.pageFlags, area, areaBytes: buffer.byteLength - area };
}

function nameOf(layout: LoopLayout): string {
  return `loop ${JSON.stringify(layout)}`;
}

/** A cold tier: the TypeScript interpreter at first, then the WebAssembly one. */
export class WasmTier implements ColdInterpreter {
  readonly #memory: GuestMemory;
  readonly #state: CpuState;
  readonly #hotLimit: number;
  readonly #modules: EngineModules;
  readonly #first: ProfilingInterpreter;
  #second: WasmInterpreter | undefined;
  /** Held as long as this is. */
  #linked: Units | undefined = undefined;
  readonly #entries = new Map<number, number>();
  #warmUp: number;
  #last: ColdInterpreter;
  #makeRelay: ((loop: Loop, layout: LoopLayout) => Relay) | undefined = undefined;

  constructor(memory: CpuMemory, state: CpuState, { hotLimit = NEVER_HOT, warmUp, modules = shared }: WasmTierOptions) {
    assert(memory instanceof GuestMemory, 'the WebAssembly interpreter works on the linear memory of the engine');
    this.#memory = memory;
    this.#state = state;
    this.#hotLimit = hotLimit;
    this.#modules = modules;
    this.#warmUp = warmUp ?? (modules.has(nameOf(layoutOf(memory))) ? 0 : WARM_UP);
    this.#first = new ProfilingInterpreter(memory, state, hotLimit);
    this.#last = this.#first;
  }

  get executed(): number { return this.#last.executed; }
  get translated(): number { return this.#last.translated; }
  get faultLow(): number { return this.#last.faultLow; }
  get faultHigh(): number { return this.#last.faultHigh; }

  run(budget: number, nesting?: Nesting): Stop | Pause { return this.#run(budget, false, nesting); }
  runPlain(budget: number): Stop | Pause { return this.#run(budget, true, undefined); }

  /** How the WebAssembly interpreter, once it runs, is to call units. To be told before anything runs. */
  callUnits(makeRelay: (loop: Loop, layout: LoopLayout) => Relay): void {
    this.#makeRelay = makeRelay;
  }

  setEntry(address: number, slot: number | undefined): void {
    this.#last.setEntry(address, slot);
    if (this.#second !== undefined) return;
    if (slot !== undefined) this.#entries.set(address, slot);
    else this.#entries.delete(address);
  }

  countArrival(address: number): boolean { return this.#last.countArrival(address); }
  arrivals(address: number): number { return this.#last.arrivals(address); }
  forgetArrivals(address: number): void { this.#last.forgetArrivals(address); }
  forgetAllArrivals(): void { this.#last.forgetAllArrivals(); }
  executeFloat(operation: number, packed: number, rm: number): number { return this.#first.executeFloat(operation, packed, rm); }
  executeOperation(operation: number, packed: number, imm: number): number { return this.#first.executeOperation(operation, packed, imm); }
  dropCaches(): void { this.#last.dropCaches(); }

  #run(budget: number, isPlain: boolean, nesting: Nesting | undefined): Stop | Pause {
    let spent = 0;
    if (this.#warmUp > 0) {
      const first = this.#first;
      const part = Math.min(budget, this.#warmUp);
      const stop = isPlain ? first.runPlain(part) : first.run(part);
      spent = first.executed;
      this.#warmUp -= spent;
      if (stop !== STOP.budget || spent === budget) return stop;
    }
    const second = this.#second ?? this.#goOver();
    return isPlain ? second.runPlain(budget, spent) : second.run(budget, nesting, spent);
  }

  #goOver(): WasmInterpreter {
    const memory = this.#memory;
    const layout = layoutOf(memory);
    const kept = this.#modules.open(nameOf(layout), () => loopModule(layout));
    const instance = new WebAssembly.Instance(kept.module, { e: { memory: memory.wasmMemory } });
    const loop = instance.exports['loop'] as Loop; // What the module exports under this name.
    this.#linked = new Map([[0, loop]]);
    kept.linked(this.#linked);
    const second = new WasmInterpreter(memory, this.#state, { layout, loop, relay: this.#makeRelay?.(loop, layout), hotLimit: this.#hotLimit });
    for (const [entry, slot] of this.#entries) second.setEntry(entry, slot);
    this.#entries.clear();
    second.counters.set(this.#first.counters);
    this.#first.dropCaches();
    this.#second = second;
    this.#last = second;
    return second;
  }
}

class WasmExecutor implements Executor {
  readonly #tier: WasmTier;

  constructor(tier: WasmTier) {
    this.#tier = tier;
  }

  get executed(): number { return this.#tier.executed; }
  get faultLow(): number { return this.#tier.faultLow; }
  get faultHigh(): number { return this.#tier.faultHigh; }

  run(budget: number): Stop {
    return this.#tier.run(budget) as Stop; // Nothing is hot and there are no entries, so it never pauses.
  }

  dropCaches(): void {
    this.#tier.dropCaches();
  }

  forgetProgram(): void {
    this.dropCaches();
  }
}
