/**
 * One unit of translation: a region as one WebAssembly function (fuel: i32, pc: i32) -> i32, the next pc. Structured control flow from the
 * dominator tree: a loop for each header, a block around each merge node (after Ramsey, "Beyond Relooper").
 *
 *   entry   fuel below the longest way to the next check: return at once, reason `fuel`; else load every register that the unit uses
 *   block   fuel -= instructions; a loop header first compares fuel with its own longest way
 *   side    an instruction that cannot be done here: fuel is given back, all written registers are stored, reason `interpret`
 *   chain   dirty registers are stored, tail call through the table to the unit of the next pc (slot 0: return to the driver)
 *
 * Invariants: no WebAssembly trap is relied on; a register local always holds the register's value; the fuel used is exactly the number of
 * instructions retired. What this does NOT do: decide what to translate, compile, or own the table.
 */
import { CPU_STATE_OFFSET, type CpuMemory } from '../cpu.ts';
import { CodeWriter, ModuleBuilder, OP, TYPE } from '../../wasm/index.ts';
import { findRegion, type Block, type Edge, type LiftedInstruction, type Region } from './lift-region.ts';
import { planAccesses, type AccessPlan } from './lift-accesses.ts';
import { HELPER, LOCAL, REASON, TARGETS, type UnitLayout } from './lift-layout.ts';
import { emitAccess } from './lift-memory.ts';
import { emitCalled, emitFloat } from './lift-float.ts';
import { CALLED, CONDITIONS, LOADS, PURE, STORES } from './lift-table.ts';
import { usedRegisters, writtenRegister } from './lift-registers.ts';

export interface Unit { readonly module: Uint8Array; readonly pages: ReadonlySet<number>; readonly cost: number }

const UNIT_TYPE = { parameters: [TYPE.i32, TYPE.i32], results: [TYPE.i32] } as const;
const HELPER_TYPE = { parameters: [TYPE.i32, TYPE.i32, TYPE.i32], results: [TYPE.i32] } as const;
function newModule(layout: UnitLayout): { readonly module: ModuleBuilder; readonly unitType: number } {
  const module = new ModuleBuilder();
  for (const name of ['float', 'operation', 'atomic']) module.importFunction('e', name, HELPER_TYPE);
  module.importMemory('e', 'memory', { minimum: layout.memoryPages, maximum: layout.memoryPages });
  module.importTable('e', 'table', layout.tableSize);
  return { module, unitType: module.type(UNIT_TYPE) };
}

function closeModule(module: ModuleBuilder, code: CodeWriter, registers: number): Uint8Array {
  const index = module.declareFunction(UNIT_TYPE);
  module.addBody([[1, TYPE.i64], [2, TYPE.i32], [1, TYPE.f64], [registers, TYPE.i64]], code);
  module.exportFunction('unit', index);
  return module.finish();
}

/** The function of slot 0 and of every empty slot: notes the fuel and returns the pc. */
export function stubModule(layout: UnitLayout): Uint8Array {
  const { module } = newModule(layout);
  const code = new CodeWriter();
  storeOutcome(code, layout, () => code.i32Const(REASON.noUnit));
  code.localGet(LOCAL.pc);
  return closeModule(module, code, 0);
}

function storeOutcome(code: CodeWriter, layout: UnitLayout, reason: () => void): void {
  code.i32Const(0); code.localGet(LOCAL.fuel); code.access(OP.i32Store, 2, layout.outcome);
  code.i32Const(0); reason(); code.access(OP.i32Store, 2, layout.outcome + 4);
}

/** The unit of an entry; undefined when nothing can be translated there. */
export function liftUnit(memory: CpuMemory, entry: number, layout: UnitLayout): Unit | undefined {
  const region = findRegion(memory, entry);
  if (region === undefined) return undefined;
  const { module, unitType } = newModule(layout);
  const writer = new UnitWriter(region, layout, unitType);
  writer.unit();
  return { module: closeModule(module, writer.code, writer.registerCount), pages: region.pages, cost: region.costs[0]! };
}

interface Label { readonly kind: 'side' | 'loop' | 'merge' | 'if'; readonly block: number }

/** Emits one unit. `instruction` and what is after it belong to the block being emitted. */
export class UnitWriter {
  readonly code = new CodeWriter();
  readonly layout: UnitLayout;
  readonly #region: Region;
  readonly #unitType: number;
  readonly #labels: Label[] = [];
  /** Local of each register, or -1. */
  readonly #locals = new Int32Array(32).fill(-1);
  #written = 0;
  /** Registers written on some way to the start of each block, as a bit set. */
  readonly #dirty: Int32Array;
  readonly #forward: readonly number[];
  readonly #mergeChildren: readonly (readonly number[])[];
  registerCount = 0;
  plan: AccessPlan = new Map();
  #left = 0;
  #instruction: LiftedInstruction | undefined;

  constructor(region: Region, layout: UnitLayout, unitType: number) {
    this.#region = region;
    this.layout = layout;
    this.#unitType = unitType;
    const used = new Set(region.blocks.flatMap((block) => block.instructions.flatMap((instruction) => usedRegisters(instruction))));
    for (const register of [...used].sort((a, b) => a - b)) if (register !== 0) this.#locals[register] = LOCAL.registers + this.registerCount++;
    const writes = region.blocks.map((block) => block.instructions.reduce((set, instruction) => set | bitOf(writtenRegister(instruction)), 0));
    for (const set of writes) this.#written |= set;
    this.#dirty = flowDirty(region, writes);
    this.#forward = countForward(region);
    const children: number[][] = region.blocks.map(() => []);
    for (let index = region.blocks.length - 1; index > 0; index--) if (this.#forward[index]! > 1) children[region.dominators[index]!]!.push(index);
    this.#mergeChildren = children;
  }

  unit(): void {
    const { code, layout } = this;
    const { blocks, costs } = this.#region;
    code.localGet(LOCAL.fuel); code.i32Const(costs[0]!); code.op(OP.i32LtS);
    code.open(OP.if, TYPE.empty);
    storeOutcome(code, layout, () => code.i32Const(REASON.fuel));
    code.i32Const(blocks[0]!.start); code.op(OP.return);
    code.end();
    for (let register = 1; register < 32; register++) if (this.#locals[register]! >= 0) this.reload(register);
    code.i32Const(REASON.interpret); code.localSet(LOCAL.reason);
    this.#open({ kind: 'side', block: -1 });
    this.#tree(0);
    code.op(OP.unreachable);
    this.#close();
    this.#spill(this.#written);
    storeOutcome(code, layout, () => code.localGet(LOCAL.reason));
    code.localGet(LOCAL.pc);
  }

  /** Pushes an integer register. */
  readonly get = (register: number): void => {
    if (register === 0) this.code.i64ConstSmall(0);
    else this.code.localGet(this.#locals[register]!);
  };

  /** Pops into an integer register. */
  set(register: number): void {
    if (register === 0) this.code.op(OP.drop);
    else this.code.localSet(this.#locals[register]!);
  }

  /** Stores a register's local to the register block, or loads it from there. */
  store(register: number): void {
    if (register === 0) return;
    this.code.i32Const(0); this.get(register); this.code.access(OP.i64Store, 3, this.layout.registers + CPU_STATE_OFFSET.x + 8 * register);
  }

  reload(register: number): void {
    if (register === 0) return;
    this.code.i32Const(0); this.code.access(OP.i64Load, 3, this.layout.registers + CPU_STATE_OFFSET.x + 8 * register); this.set(register);
  }

  /** Pops a condition: when true, leaves before the current instruction, which the interpreter shall execute. */
  leaveIf(): void {
    const { code } = this;
    this.#open({ kind: 'if', block: -1 });
    code.localGet(LOCAL.fuel); code.i32Const(this.#left); code.op(OP.i32Add); code.localSet(LOCAL.fuel);
    code.i32Const(this.#instruction!.address); code.localSet(LOCAL.pc);
    this.#branch('side', -1);
    this.#close();
  }

  #open(label: Label): void {
    this.#labels.push(label);
    this.code.open(label.kind === 'loop' ? OP.loop : label.kind === 'if' ? OP.if : OP.block, TYPE.empty);
  }

  #close(): void {
    this.#labels.pop();
    this.code.end();
  }

  #branch(kind: Label['kind'], block: number): void {
    for (let index = this.#labels.length - 1; index >= 0; index--) {
      const label = this.#labels[index]!;
      if (label.kind === kind && label.block === block) return this.code.br(this.#labels.length - 1 - index);
    }
    throw new Error('a branch has its label'); // The dominator tree encloses every target.
  }

  /** A block and everything that it dominates. */
  #tree(index: number): void {
    const isHeader = this.#region.headers.has(index);
    if (isHeader) {
      this.#open({ kind: 'loop', block: index });
      this.#checkFuel(index);
    }
    this.#within(index, 0);
    if (isHeader) this.#close();
  }

  #within(index: number, child: number): void {
    const merge = this.#mergeChildren[index]![child];
    if (merge === undefined) return this.#block(index);
    this.#open({ kind: 'merge', block: merge });
    this.#within(index, child + 1);
    this.#close();
    this.#tree(merge);
  }

  #checkFuel(index: number): void {
    const { code } = this;
    code.localGet(LOCAL.fuel); code.i32Const(this.#region.costs[index]!); code.op(OP.i32LtS);
    this.#open({ kind: 'if', block: -1 });
    code.i32Const(REASON.fuel); code.localSet(LOCAL.reason);
    code.i32Const(this.#region.blocks[index]!.start); code.localSet(LOCAL.pc);
    this.#branch('side', -1);
    this.#close();
  }

  #block(index: number): void {
    const { code } = this;
    const block = this.#region.blocks[index]!;
    const { instructions } = block;
    this.plan = planAccesses(instructions);
    if (instructions.length > 0) {
      code.localGet(LOCAL.fuel); code.i32Const(instructions.length); code.op(OP.i32Sub); code.localSet(LOCAL.fuel);
    }
    instructions.forEach((instruction, position) => {
      this.#left = instructions.length - position;
      this.#instruction = instruction;
      this.#emit(instruction);
    });
    this.#leave(index, block);
  }

  #emit(instruction: LiftedInstruction): void {
    const { row: { mnemonic, format }, rd } = instruction;
    if (mnemonic in PURE) {
      if (rd === 0) return;
      PURE[mnemonic]!({ code: this.code, instruction, get: this.get });
      return this.set(rd);
    }
    if (mnemonic in LOADS || mnemonic in STORES) return emitAccess(this, instruction);
    if (CALLED.has(mnemonic) || format.startsWith('Csr')) return emitCalled(this, instruction, HELPER.operation);
    if (format === 'Atomic' || format === 'LoadReserved') return emitCalled(this, instruction, HELPER.atomic);
    if (format.includes('Float')) emitFloat(this, instruction);
  }

  #leave(index: number, block: Block): void {
    const { code } = this;
    const last = block.instructions.at(-1);
    if (block.kind === 'stop') return this.#exit(index, block.end);
    if (block.kind === 'indirect') return this.#indirect(index, last!);
    if (block.kind === 'jump') {
      if (last!.row.format === 'Jump' && last!.rd !== 0) {
        code.i64Const(BigInt(block.end));
        this.set(last!.rd);
      }
      return this.#edge(index, block.edges[0]!);
    }
    this.get(last!.rs1); this.get(last!.rs2); code.op(CONDITIONS[last!.row.mnemonic]!);
    this.#open({ kind: 'if', block: -1 });
    this.#edge(index, block.edges[0]!);
    code.byte(OP.else);
    this.#edge(index, block.edges[1]!);
    this.#close();
  }

  #edge(from: number, edge: Edge): void {
    if (!('block' in edge)) return this.#exit(from, edge.address);
    if (edge.block <= from) return this.#branch('loop', edge.block);
    if (this.#forward[edge.block]! > 1) return this.#branch('merge', edge.block);
    this.#tree(edge.block);
  }

  /** Chains to a known address. One outside the address space faults in the interpreter after the driver has the pc. */
  #exit(from: number, address: number): void {
    const { code } = this;
    if (address < 0 || address >= 2 ** 32) {
      this.#left = 1;
      code.i32Const(1);
      this.leaveIf();
      return code.op(OP.unreachable);
    }
    this.#spill(this.#dirty[from]!);
    code.localGet(LOCAL.fuel); code.i32Const(address); code.i32Const(this.layout.slotOf(address));
    code.op(OP.returnCallIndirect); code.u32(this.#unitType); code.u32(0);
  }

  #indirect(from: number, { rs1, rd, imm, address, length }: LiftedInstruction): void {
    const { code } = this;
    this.get(rs1); code.i64ConstSmall(imm); code.op(OP.i64Add); code.i64ConstSmall(-2); code.op(OP.i64And); code.localTee(LOCAL.wide);
    code.i64ConstSmall(32); code.op(OP.i64ShrU); code.op(OP.i32WrapI64);
    this.leaveIf();
    code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.localSet(LOCAL.pc);
    if (rd !== 0) {
      code.i64Const(BigInt(address + length));
      this.set(rd);
    }
    this.#spill(this.#dirty[from]!);
    code.localGet(LOCAL.fuel); code.localGet(LOCAL.pc);
    code.localGet(LOCAL.pc); code.i32Const((TARGETS - 1) * 2); code.op(OP.i32And); code.i32Const(2); code.op(OP.i32Shl);
    code.access(OP.i64Load, 3, this.layout.targets); code.localTee(LOCAL.wide);
    code.i64ConstSmall(32); code.op(OP.i64ShrU); code.op(OP.i32WrapI64);
    code.i32Const(0);
    code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.localGet(LOCAL.pc); code.op(OP.i32Eq);
    code.op(OP.select);
    code.op(OP.returnCallIndirect); code.u32(this.#unitType); code.u32(0);
  }

  #spill(set: number): void {
    for (let register = 1; register < 32; register++) if ((set & (1 << register)) !== 0) this.store(register);
  }
}

function bitOf(register: number): number {
  return register === 0 ? 0 : 1 << register;
}

/** Registers that some way through the unit has written by the end of each block. */
function flowDirty(region: Region, writes: readonly number[]): Int32Array {
  const out = Int32Array.from(writes);
  for (let isChanged = true; isChanged;) {
    isChanged = false;
    region.blocks.forEach((block, from) => {
      for (const edge of block.edges) {
        if (!('block' in edge)) continue;
        const next = out[edge.block]! | out[from]!;
        if (next === out[edge.block]) continue;
        out[edge.block] = next;
        isChanged = true;
      }
    });
  }
  return out;
}

function countForward(region: Region): number[] {
  const counts = region.blocks.map(() => 0);
  region.blocks.forEach((block, from) => {
    for (const edge of block.edges) if ('block' in edge && edge.block > from) counts[edge.block]!++;
  });
  return counts;
}
