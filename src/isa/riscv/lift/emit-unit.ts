/**
 * One unit as one WebAssembly function. Structured control flow from the dominator tree: a loop for each header, a block around each node that is
 * reached in several ways (after Ramsey, "Beyond Relooper"). Registers are in locals as dataflow.ts says.
 *
 *   node    [fuel < 0: leave]   fuel -= instructions   instructions   terminator
 *   leave   an instruction that cannot be done here, or no fuel: dirty registers are stored, the outcome words say where, everybody returns
 *
 *   block next { block L0 { block L1 {  instructions; `br Lj` leaves with the registers that are dirty at that point;  br next }
 *                           stores of what became dirty between L0 and L1 }  stores of what was dirty before;  br leave }
 *
 * Invariants: no WebAssembly trap is relied on; the fuel used is exactly the number of instructions retired.
 * What this does NOT do: choose what to translate (module.ts), compile, or own the table.
 */
import { assert } from '../../../core/index.ts';
import { CodeWriter, OP, TYPE } from '../../../wasm/index.ts';
import { CPU_STATE_OFFSET } from '../../cpu.ts';
import { LIMITS_BIT, copyRegisters, endRegisters, stepRegisters, type Registers } from './dataflow.ts';
import { exitSets, type ExitPlan } from './exit-sets.ts';
import { STACK_POINTER } from './facts.ts';
import { emitInstruction } from './emit-instruction.ts';
import { emitLimits } from './emit-float.ts';
import { emitGuards, emitTerminator } from './emit-control.ts';
import { ARGUMENT, exitWord, PASSED, pushResult, refuse, storeOutcome, storePassed } from './handover.ts';
import type { GraphEdge, GraphNode } from './graph.ts';
import type { Instruction } from './instruction.ts';
import type { Block } from './region.ts';
import type { Span } from './shared-checks.ts';
import { droppedBetween } from './strip-rounds.ts';
import { TwoStepWriter } from './two-step-writer.ts';
import type { UnitContext } from './unit-context.ts';
import { LEFT, LOCAL, REASON, type UnitLayout } from './layout.ts';

type LabelKind = 'leave' | 'loop' | 'merge' | 'plain';
interface Label { readonly kind: LabelKind; readonly node: number }

export class UnitEmitter {
  readonly code: CodeWriter;
  readonly context: UnitContext;
  readonly layout: UnitLayout;
  /** Registers in locals at the point of emission. */
  state: Registers;
  /** Constants in integer registers, and bytes ready for stores by base register, both of the block being emitted. */
  readonly constants = new Map<number, number>();
  /** Registers with narrow values (narrow.ts) at the point of emission. */
  narrow = 0;
  /** Position of a right shift in the block → the left shift before it that was put off (narrow.ts). */
  readonly extensions = new Map<number, Instruction>();
  readonly ranges = new Map<number, Span>();
  /** The block being emitted, and the place in it. */
  instructions: readonly Instruction[] = [];
  covered: Uint8Array = new Uint8Array(0);
  position = 0;
  node = 0;
  readonly #labels: Label[] = [];
  readonly #tasks: (() => void)[] = [];
  readonly #merges: readonly (readonly number[])[];
  readonly #isMerge: Uint8Array;
  readonly #locals = new Int32Array(64).fill(-1);
  integerCount = 0;
  floatCount = 0;
  #exits: ExitPlan = { sets: [], labelDepths: [] };

  constructor(context: UnitContext) {
    this.context = context;
    this.layout = context.layout;
    this.code = this.layout.extendsInTwo ? new TwoStepWriter() : new CodeWriter();
    this.state = copyRegisters(context.before[0]!);
    const { nodes, dominators, entryNode } = context.graph;
    const forward = nodes.map(() => 0);
    this.#isMerge = new Uint8Array(nodes.length);
    nodes.forEach(({ edges, indices }, from) => {
      for (const edge of edges) {
        if (!('node' in edge) || edge.node <= from) continue;
        if (++forward[edge.node]! > 1 || indices.length > 0 || edge.node === entryNode) this.#isMerge[edge.node] = 1;
      }
    });
    const merges: number[][] = nodes.map(() => []);
    for (let index = nodes.length - 1; index > 0; index--) if (this.#isMerge[index] === 1) merges[dominators[index]!]!.push(index);
    this.#merges = merges;
    this.#numberLocals(nodes);
  }

  #numberLocals(nodes: readonly GraphNode[]): void {
    let integers = PASSED;
    let floats = 0;
    for (const { block } of nodes) {
      for (const { reads, writes, floatReads, floatWrites } of block?.instructions ?? []) {
        integers |= reads | writes;
        floats |= floatReads | floatWrites;
      }
    }
    for (let register = 1; register < 32; register++) if ((integers & (1 << register)) !== 0) this.#locals[register] = LOCAL.registers + this.integerCount++;
    for (let register = 0; register < 32; register++) if ((floats & (1 << register)) !== 0) this.#locals[32 + register] = LOCAL.registers + this.integerCount + this.floatCount++;
  }

  /** Emits the whole function. */
  unit(): void {
    const { code } = this;
    this.openBlock({ kind: 'leave', node: -1 });
    code.localGet(LOCAL.fuel); code.localGet(LOCAL.depth); code.op(OP.i32Or); code.i32Const(0); code.op(OP.i32LtS);
    this.openIf(false);
    storePassed(code, this.layout, LOCAL);
    refuse(code);
    this.close();
    code.localGet(LOCAL.stack); code.localSet(this.#locals[STACK_POINTER]!);
    code.localGet(LOCAL.argument); code.localSet(this.#locals[ARGUMENT]!);
    this.#tasks.push(() => this.#tree(0));
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) task();
    code.op(OP.unreachable);
    this.close();
    storeOutcome(code, this.layout, () => code.localGet(LOCAL.exit));
    pushResult(code, LEFT);
  }

  /** Tasks run last in, first out: `first` is done next. */
  later(...inOrder: (() => void)[]): void {
    for (const task of inOrder.reverse()) this.#tasks.push(task);
  }

  /** Loads an integer register when its local does not hold it. */
  need(register: number): void {
    const bit = 1 << register;
    if (register === 0 || (this.state.available & bit) !== 0) return;
    this.load(register);
    this.state.available |= bit;
  }

  needFloat(register: number): void {
    const bit = 1 << register;
    if ((this.state.availableFloats & bit) !== 0) return;
    this.loadFloat(register);
    this.state.availableFloats |= bit;
  }

  /** Makes the limits of float results. */
  needLimits(): void {
    if ((this.state.available & LIMITS_BIT) !== 0) return;
    emitLimits(this);
    this.state.available |= LIMITS_BIT;
  }

  /** Loads what an instruction uses, so that ways can part after it. */
  needOperands(instruction: Instruction): void {
    const { reads, floatReads } = instruction;
    for (let register = 0; register < 32 && (reads | floatReads) !== 0; register++) {
      if ((reads & (1 << register)) !== 0) this.need(register);
      if ((floatReads & (1 << register)) !== 0) this.needFloat(register);
    }
    if (instruction.isLimited) this.needLimits();
  }

  /** Pushes an integer register. */
  readonly get = (register: number): void => {
    if (register === 0) return this.code.i64ConstSmall(0);
    this.need(register);
    this.code.localGet(this.#locals[register]!);
  };

  /** Pops into an integer register. */
  set(register: number): void {
    if (register === 0) return this.code.op(OP.drop);
    this.code.localSet(this.#locals[register]!);
    this.state.available |= 1 << register;
    this.state.dirty |= 1 << register;
  }

  getFloat(register: number): void {
    this.needFloat(register);
    this.code.localGet(this.#locals[32 + register]!);
  }

  setFloat(register: number): void {
    this.code.localSet(this.#locals[32 + register]!);
    this.state.availableFloats |= 1 << register;
    this.state.dirtyFloats |= 1 << register;
  }

  /** The local holds a new value already. */
  noteSet(register: number): void {
    this.state.available |= 1 << register;
    this.state.dirty |= 1 << register;
  }

  noteFloatSet(register: number): void {
    this.state.availableFloats |= 1 << register;
    this.state.dirtyFloats |= 1 << register;
  }

  local(register: number): number { return this.#locals[register]!; }
  floatLocal(register: number): number { return this.#locals[32 + register]!; }
  registerAddress(register: number): number { return this.layout.registers + CPU_STATE_OFFSET.x + 8 * register; }
  floatAddress(register: number): number { return this.layout.registers + CPU_STATE_OFFSET.f + 8 * register; }

  /** Between a local and the register block; says nothing of what is available or dirty. */
  load(register: number): void {
    this.code.i32Const(0); this.code.access(OP.i64Load, 3, this.registerAddress(register)); this.code.localSet(this.#locals[register]!);
  }

  store(register: number): void {
    this.code.i32Const(0); this.code.localGet(this.#locals[register]!); this.code.access(OP.i64Store, 3, this.registerAddress(register));
  }

  loadFloat(register: number): void {
    this.code.i32Const(0); this.code.access(OP.f64Load, 3, this.floatAddress(register)); this.code.localSet(this.#locals[32 + register]!);
  }

  storeFloat(register: number): void {
    this.code.i32Const(0); this.code.localGet(this.#locals[32 + register]!); this.code.access(OP.f64Store, 3, this.floatAddress(register));
  }

  storeSets(integers: number, floats: number): void {
    for (let register = 1; register < 32; register++) if ((integers & (1 << register)) !== 0) this.store(register);
    for (let register = 0; register < 32; register++) if ((floats & (1 << register)) !== 0) this.storeFloat(register);
  }

  loadSets(integers: number, floats: number): void {
    for (let register = 1; register < 32; register++) if ((integers & (1 << register)) !== 0) this.load(register);
    for (let register = 0; register < 32; register++) if ((floats & (1 << register)) !== 0) this.loadFloat(register);
    if ((integers & LIMITS_BIT) !== 0) emitLimits(this);
  }

  /** Stores every dirty register but what is handed over. */
  spillRest(): void {
    this.storeSets(this.state.dirty & ~PASSED, this.state.dirtyFloats);
    this.state.dirty &= PASSED;
    this.state.dirtyFloats = 0;
  }

  /** Stores every dirty register. */
  spill(): void {
    this.storeSets(this.state.dirty, this.state.dirtyFloats);
    this.state.dirty = this.state.dirtyFloats = 0;
  }

  openBlock(label: Label = { kind: 'plain', node: -1 }): void {
    this.#labels.push(label);
    this.code.open(label.kind === 'loop' ? OP.loop : OP.block, TYPE.empty);
  }

  /** Pops a condition. `isLikely` is a hint for V8; undefined gives none. */
  openIf(isLikely?: boolean): void {
    this.#labels.push({ kind: 'plain', node: -1 });
    if (isLikely !== undefined) this.code.hint(isLikely);
    this.code.open(OP.if, TYPE.empty);
  }

  close(): void {
    this.#labels.pop();
    this.code.end();
  }

  get depth(): number { return this.#labels.length; }

  /** Relative depth of the label that was opened as number `absolute`. */
  relative(absolute: number): number { return this.#labels.length - 1 - absolute; }

  labelOf(kind: LabelKind, node: number): number {
    for (let index = this.#labels.length - 1; index >= 0; index--) if (this.#labels[index]!.kind === kind && this.#labels[index]!.node === node) return this.#labels.length - 1 - index;
    throw new Error('assertion failed: the dominator tree encloses every target');
  }

  /** Pops a condition: when true, leaves before the current instruction, which shall be interpreted. Rare. */
  leaveIf(): void {
    const { code } = this;
    this.openIf(false);
    this.#setExit(REASON.instruction);
    code.br(this.relative(this.#exitLabel()));
    this.close();
  }

  #setExit(reason: number): void {
    const instruction = this.instructions[this.position];
    const isFuel = reason === REASON.fuel;
    const left = isFuel ? 0 : this.instructions.length - this.position;
    const address = isFuel ? this.#blockStart : instruction!.address;
    this.code.i64Const(exitWord(address, left, reason)); this.code.localSet(LOCAL.exit);
  }

  #blockStart = 0;

  #exitLabel(): number {
    const { dirty, dirtyFloats } = this.state;
    const at = this.#exits.sets.findIndex((set) => set.dirty === dirty && set.dirtyFloats === dirtyFloats);
    assert(at >= 0, 'every way out of a block was foreseen');
    return this.#exits.labelDepths[at]!;
  }

  #tree(index: number): void {
    if (this.context.graph.loops.has(index)) {
      this.openBlock({ kind: 'loop', node: index });
      this.later(() => this.close());
    }
    const merges = this.#merges[index]!;
    for (const merge of merges) this.openBlock({ kind: 'merge', node: merge });
    this.later(() => this.#node(index), ...[...merges].reverse().flatMap((merge) => [() => this.close(), () => this.#tree(merge)]));
  }

  #node(index: number): void {
    const node = this.context.graph.nodes[index]!;
    const { block } = node;
    this.#begin(index);
    if (block !== undefined) this.#body(block, index);
    emitTerminator(this, node, index);
  }

  #begin(index: number): void {
    this.state = copyRegisters(this.context.before[index]!);
    this.narrow = this.context.narrow[index]!;
    this.beginBlock();
  }

  /** Forgets what is known of the block before. */
  beginBlock(): void {
    this.constants.clear();
    this.ranges.clear();
    this.extensions.clear();
  }

  #body(block: Block, index: number): void {
    const { code } = this;
    const { instructions } = block;
    this.instructions = instructions;
    this.node = index;
    this.#blockStart = block.start;
    const isChecked = this.context.checked.has(index);
    const blockCode = this.context.codes[index]!;
    const { flushes } = blockCode;
    this.covered = blockCode.covered;
    const sets = exitSets(this.state, blockCode, isChecked);
    const outside = this.depth;
    for (let count = 0; count <= sets.length && sets.length > 0; count++) this.openBlock();
    this.#exits = { sets, labelDepths: sets.map((_, at) => outside + 1 + at) };
    this.position = 0;
    if (isChecked) {
      code.localGet(LOCAL.fuel); code.i32Const(0); code.op(OP.i32LtS);
      this.openIf(false);
      this.#setExit(REASON.fuel);
      code.br(this.relative(this.#exitLabel()));
      this.close();
    }
    if (instructions.length > 0) {
      code.localGet(LOCAL.fuel); code.i32Const(instructions.length); code.op(OP.i32Sub); code.localSet(LOCAL.fuel);
    }
    instructions.forEach((instruction, position) => {
      this.position = position;
      emitInstruction(this, instruction);
      if (instruction.kind === 'branch' && block.guards !== undefined) emitGuards(this, instruction, block.guards);
      const [flush, flushFloats] = [flushes[2 * position]!, flushes[2 * position + 1]!];
      if ((flush | flushFloats) !== 0) this.storeSets(this.state.dirty & flush, this.state.dirtyFloats & flushFloats);
      stepRegisters(this.state, blockCode, position);
    });
    if (sets.length === 0) return;
    code.br(this.relative(outside));
    for (let at = sets.length - 1; at >= 0; at--) {
      this.close();
      const { dirty, dirtyFloats } = sets[at]!;
      const before = sets[at - 1] ?? { dirty: 0, dirtyFloats: 0 };
      this.storeSets(dirty & ~before.dirty, dirtyFloats & ~before.dirtyFloats);
    }
    code.br(this.labelOf('leave', -1));
    this.close();
  }

  /** Goes along an edge from the current state: registers are moved as the target wants them. */
  edge(from: number, edge: GraphEdge): void {
    if ('address' in edge) throw new Error('assertion failed: exits are emitted by the terminator');
    const target = this.context.before[edge.node]!;
    this.storeSets(this.state.dirty & ~target.available & ~droppedBetween(this.context.graph.nodes, from, edge.node), this.state.dirtyFloats & ~target.availableFloats);
    this.loadSets(target.available & ~this.state.available, target.availableFloats & ~this.state.availableFloats);
    if (edge.index !== undefined) { this.code.i32Const(edge.index); this.code.localSet(LOCAL.index); }
    if (this.isLabelled(from, edge)) this.code.br(this.labelFor(from, edge.node));
    else this.#tree(edge.node);
  }

  /** Nothing to move and a label to go to: a bare branch will do. */
  isBare(from: number, edge: GraphEdge): boolean {
    if ('address' in edge || edge.index !== undefined || !this.isLabelled(from, edge)) return false;
    const target = this.context.before[edge.node]!;
    return (this.state.dirty & ~target.available & ~droppedBetween(this.context.graph.nodes, from, edge.node)) === 0 && (this.state.dirtyFloats & ~target.availableFloats) === 0
      && (target.available & ~this.state.available) === 0 && (target.availableFloats & ~this.state.availableFloats) === 0;
  }

  isLabelled(from: number, edge: { readonly node: number }): boolean {
    return edge.node <= from || this.#isMerge[edge.node] === 1;
  }

  labelFor(from: number, node: number): number {
    return node <= from ? this.labelOf('loop', node) : this.labelOf('merge', node);
  }

  /** After a terminator that calls: what is in locals now. */
  afterCall(node: GraphNode): void {
    endRegisters(this.state, node);
  }
}
