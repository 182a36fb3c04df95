/**
 * The interpreter whose loop is WebAssembly: drives the loop of loop-module.ts, makes records for it, and does what it leaves, through the functions of
 * the TypeScript interpreter. Same results, counts and stops as ProfilingInterpreter, and the same pauses for a translating driver.
 * Invariants: between two calls of the loop, the pc and all registers are in the register block and the budget in #left.
 * What this does NOT do: compile the module (the engine does), decide what to translate.
 */
import { assert } from '../../../core/index.ts';
import { CONTROL, PAGE_FLAG, STOP, type CpuMemory, type CpuState, type Stop } from '../../cpu.ts';
import { operationNumber } from '../instruction-table.ts';
import { LOADS, STORES } from '../lift-table.ts';
import { HOT_MASK, isTrap, Machine, PAUSE, RETIRED, type Pause } from '../machine.ts';
import { hasRights, loadSlow, storeSlow } from '../memory-access.ts';
import { FLOAT_HANDLERS, OPERATIONS } from '../operations/index.ts';
import type { ColdInterpreter, Nesting } from '../profiling-interpreter.ts';
import { CHUNK, RELAY } from '../relay.ts';
import { executeFloat, executeOperation } from '../single-instructions.ts';
import { LOOP_OPERATIONS, ON } from './handlers.ts';
import { AREA, LEFT, STATE, type LoopLayout } from './layout.ts';
import { RecordPages } from './record-pages.ts';

/** The loop of the module, instantiated on the memory that the layout speaks of. */
export type Loop = (left: number, isPlain: number) => number;
/** The function of relay.ts over that loop. */
export type Relay = (left: number, reserve: number, depth: number, back: number, sp: number, spHigh: number) => number;

const NOT_STOPPED = -2;
const RM_DYNAMIC = 7;
const RM_MAX = 4;

/** What an operation that left the loop is, by operation of the loop. */
interface Leaver {
  readonly load: number;
  readonly store: number;
  readonly isSigned: boolean;
  readonly isBoxed: boolean;
  /** Row of the instruction table. */
  readonly operation: number;
  readonly isFloat: boolean;
}
const LEAVERS: readonly Leaver[] = LOOP_OPERATIONS.map(({ name }) => {
  const operation = operationNumber(name);
  return {
    load: LOADS[name]?.[1] ?? 0, store: STORES[name]?.[1] ?? 0, isSigned: name.startsWith('l') && !name.endsWith('u'), isBoxed: name === 'flw',
    operation, isFloat: name.startsWith('f') && name !== 'flw' && operation >= 0,
  };
});

export class WasmInterpreter implements ColdInterpreter {
  readonly #machine: Machine;
  readonly #pages: RecordPages;
  readonly #loop: Loop;
  readonly #relay: Relay | undefined;
  readonly #words: Int32Array;
  readonly #control: Int32Array;
  readonly #registers: number;
  readonly #leftWord: number;
  readonly #recordWord: number;
  readonly #totalWord: number;
  readonly #translatedWord: number;
  readonly #hot: Uint16Array;
  readonly #hotLimit: number;
  #budget = 0;
  #left = 0;
  translated = 0;

  /** `hotLimit`: jumps to a target before run() pauses with PAUSE.hot, 1 to 65535; NEVER_HOT: it does not. */
  constructor(memory: CpuMemory, state: CpuState, { layout, loop, relay, hotLimit }: { readonly layout: LoopLayout; readonly loop: Loop; readonly relay?: Relay | undefined; readonly hotLimit: number }) {
    assert(state.x.byteOffset === layout.registers && memory.pageFlags.byteOffset === layout.pageFlags, 'the layout is that of this memory');
    this.#machine = new Machine(memory, state);
    this.#pages = new RecordPages(memory, layout);
    this.#loop = loop;
    this.#relay = relay;
    this.#words = memory.i32;
    this.#control = state.control;
    this.#registers = layout.registers;
    this.#leftWord = (layout.registers + STATE.left) >>> 2;
    this.#recordWord = (layout.registers + STATE.record) >>> 2;
    this.#totalWord = (layout.registers + STATE.total) >>> 2;
    this.#translatedWord = (layout.registers + STATE.translated) >>> 2;
    this.#hot = new Uint16Array(memory.i32.buffer, layout.area + AREA.hot, HOT_MASK + 1);
    this.#hotLimit = hotLimit;
    this.#words[(layout.registers + STATE.hotLimit) >>> 2] = hotLimit;
  }

  /** Arrivals by bits of the address. */
  get counters(): Uint16Array { return this.#hot; }
  get executed(): number { return this.#machine.executed; }
  get faultLow(): number { return this.#machine.faultLow; }
  get faultHigh(): number { return this.#machine.faultHigh; }

  /** `spent`: how much of the budget another interpreter has retired already in this run; `executed` has it in it. */
  run(budget: number, nesting?: Nesting, spent = 0): Stop | Pause {
    return nesting === undefined || this.#relay === undefined ? this.#run(budget, spent, 0) : this.#runBoth(this.#relay, budget, spent, nesting);
  }

  runPlain(budget: number, spent = 0): Stop | Pause {
    return this.#run(budget, spent, 1);
  }

  setEntry(address: number, slot: number | undefined): void {
    this.#pages.setEntry(address, slot);
  }

  countArrival(address: number): boolean {
    return ++this.#hot[(address >>> 1) & HOT_MASK]! === this.#hotLimit;
  }

  arrivals(address: number): number {
    return this.#hot[(address >>> 1) & HOT_MASK]!;
  }

  forgetArrivals(address: number): void {
    this.#hot[(address >>> 1) & HOT_MASK] = 0;
  }

  forgetAllArrivals(): void {
    this.#hot.fill(0);
  }

  executeFloat(operation: number, packed: number, rm: number): number { return executeFloat(this.#machine, operation, packed, rm); }
  executeOperation(operation: number, packed: number, imm: number): number { return executeOperation(this.#machine, operation, packed, imm); }

  dropCaches(): void {
    this.#pages.dropAll();
  }

  #run(budget: number, spent: number, isPlain: number): Stop | Pause {
    let stop = this.#begin(budget, spent);
    while (stop === NOT_STOPPED) {
      const chunk = this.#left < CHUNK ? this.#left : CHUNK;
      const reason = this.#loop(chunk, isPlain);
      this.#left -= chunk - (this.#words[this.#leftWord]! + 1);
      stop = this.#stopFor(reason);
    }
    return this.#end(budget, stop);
  }

  /** What comes of a reason for which the loop or the relay ended. */
  #stopFor(reason: number): number {
    let stop = NOT_STOPPED;
    if (reason === LEFT.record) stop = this.#doRecord();
    else if (reason === LEFT.hot) stop = PAUSE.hot;
    else if (reason === RELAY.left) stop = PAUSE.left;
    else if (reason === RELAY.lookFirst) stop = PAUSE.lookFirst;
    else if (reason === RELAY.back) stop = PAUSE.enter;
    else if (reason === LEFT.page && this.#left > 0) stop = this.#enterPage();
    return this.#left <= 0 && stop === NOT_STOPPED ? STOP.budget : stop;
  }

  /** As #run, calling units. While they run, others may run this interpreter: what it keeps of the run is set again behind them. */
  #runBoth(relay: Relay, budget: number, spent: number, { reserve, depth, back, sp, spHigh }: Readonly<Nesting>): Stop | Pause {
    const control = this.#control;
    const [retiredLow, retiredHigh] = [control[CONTROL.retiredLow]!, control[CONTROL.retiredHigh]!];
    let stop = this.#begin(budget, spent);
    let translated = 0;
    while (stop === NOT_STOPPED) {
      const reason = relay(this.#left, reserve, depth, back, sp, spHigh);
      this.#budget = budget;
      this.#left = this.#words[this.#totalWord]!;
      translated += this.#words[this.#translatedWord]!;
      control[CONTROL.retiredLow] = retiredLow;
      control[CONTROL.retiredHigh] = retiredHigh;
      stop = this.#stopFor(reason);
    }
    this.translated = translated;
    return this.#end(budget, stop);
  }

  #begin(budget: number, spent: number): number {
    assert(Number.isInteger(budget) && budget > spent && budget <= 0x7fffffff, 'a budget is a positive 32-bit integer');
    const control = this.#control;
    this.#budget = budget;
    this.#left = budget - spent;
    this.translated = 0;
    // The loop keeps an even pc even; one that was set from outside may be odd.
    return (control[CONTROL.pc]! & 1) === 0 ? NOT_STOPPED : this.#machine.fault(STOP.misaligned, control[CONTROL.pc]!, control[CONTROL.pcHigh]!);
  }

  #end(budget: number, stop: number): Stop | Pause {
    this.#machine.executed = budget - this.#left;
    const reached = stop as Stop | Pause; // Operations return RETIRED or a Stop, and RETIRED ends no run.
    if (isTrap(reached)) this.#machine.clearReservation();
    return reached;
  }

  #enterPage(): number {
    const low = this.#control[CONTROL.pc]!;
    const high = this.#control[CONTROL.pcHigh]!;
    if (high !== 0 || !hasRights(this.#machine.memory, low >>> 12, PAGE_FLAG.execute)) return this.#machine.fault(STOP.fetchFault, low, high);
    this.#pages.add(low >>> 12);
    return NOT_STOPPED;
  }

  /** Does what the record at which the loop was left asks for. */
  #doRecord(): number {
    const at = this.#words[this.#recordWord]! >>> 2;
    const head = this.#words[at]!;
    const machine = this.#machine;
    const pc = this.#control[CONTROL.pc]!;
    switch (head & 255) {
      case ON.undecoded:
        if (!hasRights(machine.memory, pc >>> 12, PAGE_FLAG.execute)) return machine.fault(STOP.fetchFault, pc, 0);
        this.#pages.fill(pc >>> 0);
        return NOT_STOPPED;
      case ON.straddle:
        if (!this.#pages.fillStraddle(pc >>> 0)) return machine.fault(STOP.fetchFault, (pc & ~4095) + 4096, 0);
        return NOT_STOPPED;
      case ON.illegal: return machine.fault(STOP.illegal, pc, 0);
      case ON.ecall: return STOP.syscall;
      case ON.ebreak: return machine.fault(STOP.breakpoint, pc, 0);
      case ON.enter: return PAUSE.enter;
      default: return this.#retire(this.#execute(at, head), head, pc);
    }
  }

  #retire(result: number, head: number, pc: number): number {
    if (result !== RETIRED) {
      if (result === STOP.illegal) this.#machine.fault(STOP.illegal, pc, 0);
      return result;
    }
    this.#left--;
    this.#control[CONTROL.pc] = pc + ((head >>> 11) & 31);
    return NOT_STOPPED;
  }

  /** One instruction by its function: RETIRED or a Stop. */
  #execute(at: number, head: number): number {
    const words = this.#words;
    const machine = this.#machine;
    const a = words[at + 1]!;
    const b = words[at + 2]!;
    const c = words[at + 3]!;
    if ((head & 255) === ON.called) {
      machine.executed = this.#budget - this.#left;
      return OPERATIONS[c]!(machine, a, b);
    }
    if ((head & 255) === ON.float) return this.#executeFloat(c, a, b);
    const leaver = LEAVERS[head & 255]!;
    if (leaver.load > 0) return this.#load(leaver, a, b >>> 2, c);
    if (leaver.store > 0) {
      return storeSlow(machine, words[b >>> 2]!, words[(b >>> 2) + 1]!, c, leaver.store, words[a >>> 2]!, words[(a >>> 2) + 1]!) ? RETIRED : STOP.storeFault;
    }
    const packed = this.#number(a) | (this.#number(b) << 5) | (this.#number(c) << 10);
    if (leaver.isFloat) return this.#executeFloat(leaver.operation, packed | ((head >>> 24) << 15), (head >>> 16) & 7);
    assert(leaver.operation >= 0, 'what leaves the loop has a function');
    return OPERATIONS[leaver.operation]!(machine, packed, 0);
  }

  #executeFloat(operation: number, packed: number, rm: number): number {
    const mode = rm === RM_DYNAMIC ? (this.#control[CONTROL.fcsr]! >>> 5) & 7 : rm;
    if (mode > RM_MAX) return STOP.illegal;
    FLOAT_HANDLERS[operation]!(this.#machine.state, packed & 31, (packed >>> 5) & 31, (packed >>> 10) & 31, packed >>> 15, mode);
    return RETIRED;
  }

  #load({ load, isSigned, isBoxed }: Leaver, target: number, base: number, offset: number): number {
    const machine = this.#machine;
    const words = this.#words;
    if (!loadSlow(machine, words[base]!, words[base + 1]!, offset, load)) return STOP.loadFault;
    const unused = 32 - 8 * Math.min(load, 4);
    const low = isSigned ? (machine.valueLow << unused) >> unused : machine.valueLow;
    words[target >>> 2] = low;
    words[(target >>> 2) + 1] = load === 8 ? machine.valueHigh : isBoxed ? -1 : isSigned ? low >> 31 : 0;
    return RETIRED;
  }

  /** Register number of an address in the register block; 0 of the dump. */
  #number(address: number): number {
    return ((address - this.#registers) >>> 3) & 31;
  }
}
