/**
 * Writes the body of the interpreter's loop: record fields, register access through them, and branches to named labels.
 * Immediates: an emitter of the tables that writes the constant IMMEDIATE gets the record's last field instead, so that one table of meanings
 * serves translated code (immediates are constants) and this interpreter (they are data).
 * Invariants: labels are levels of nesting; every open() has its end().
 */
import { CodeWriter, OP, type Opcode } from '../../../wasm/index.ts';

/** No constant of any emitter has this value. */
export const IMMEDIATE = 0x5eedf00d;

/** Parameters, then locals of the loop function. */
export const LOCAL = {
  left: 0, isPlain: 1, record: 2, bias: 3, address: 4, word: 5, reason: 6, wide: 7, first: 8, second: 9, x: 10, y: 11, z: 12, scratch: 13, single: 26,
} as const;
/** f64 locals beginning with x; f32 locals beginning with `single`. */
export const DOUBLES = 16;
export const SINGLES = 3;

/** Fields of a record by byte. */
export const FIELD = { rd: 4, rs1: 8, rs2: 12 } as const;

export class LoopWriter extends CodeWriter {
  /** How many blocks are open. */
  level = 0;
  /** Bytes to the next record; undefined: as the record says. */
  step: number | undefined;
  readonly #labels = new Map<string, number>();

  override open(opcode: typeof OP.block | typeof OP.loop | typeof OP.if, blockType: number): void {
    this.level++;
    super.open(opcode, blockType);
  }

  override end(): void {
    this.level--;
    super.end();
  }

  override i64ConstSmall(value: number): void {
    if (value !== IMMEDIATE) return super.i64ConstSmall(value);
    this.localGet(LOCAL.record);
    this.access(OP.i64Load32s, 2, FIELD.rs2);
  }

  override i32Const(value: number): void {
    if (value === IMMEDIATE) this.field(FIELD.rs2);
    else super.i32Const(value);
  }

  operations(...opcodes: readonly Opcode[]): void {
    for (const opcode of opcodes) this.op(opcode);
  }

  /** Names the block that was opened last. */
  label(name: string): void {
    this.#labels.set(name, this.level);
  }

  to(name: string): void {
    this.br(this.#depth(name));
  }

  toIf(name: string): void {
    this.brIf(this.#depth(name));
  }

  #depth(name: string): number {
    return this.level - this.#labels.get(name)!;
  }

  /** Pushes a word of the record. */
  field(offset: number): void {
    this.localGet(LOCAL.record);
    this.access(OP.i32Load, 2, offset);
  }

  /** Pushes the 64 bits of the register that a field names. */
  register(offset: number): void {
    this.field(offset);
    this.access(OP.i64Load, 3, 0);
  }

  /** Pushes the guest address of the record. */
  pc(): void {
    this.localGet(LOCAL.record); this.i32Const(3); this.op(OP.i32ShrU); this.localGet(LOCAL.bias); this.op(OP.i32Add);
  }

  /** To the next instruction: the end of every handler that does not jump. */
  next(): void {
    this.localGet(LOCAL.record);
    if (this.step === undefined) {
      this.localGet(LOCAL.record);
      this.access(OP.i32Load8u, 0, 1);
    } else this.i32Const(this.step);
    this.op(OP.i32Add);
    this.localSet(LOCAL.record);
    this.to('top');
  }
}
