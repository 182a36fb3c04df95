/**
 * HOT PATH of translation: a growing byte buffer with LEB128 (WebAssembly core specification 5.2.2).
 * Allocates only when it grows.
 */
import { OP, type Opcode } from './opcodes-table.ts';

export class ByteWriter {
  #bytes = new Uint8Array(1024);
  length = 0;

  byte(value: number): void {
    if (this.length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.length++] = value;
  }

  bytes(values: Uint8Array | readonly number[]): void {
    if (this.length + values.length > this.#bytes.length) this.#grow(values.length);
    this.#bytes.set(values, this.length);
    this.length += values.length;
  }

  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  s64(value: bigint): void {
    if (value >= -0x80000000n && value <= 0x7fffffffn) return this.s32(Number(value));
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  name(text: string): void {
    this.u32(text.length);
    for (let index = 0; index < text.length; index++) this.byte(text.charCodeAt(index) & 0x7f);
  }

  /** The bytes written so far, a view that the next write may detach. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  #grow(more: number): void {
    const next = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + more));
    next.set(this.#bytes);
    this.#bytes = next;
  }
}

/** Code of one function body: instructions only, locals are declared by the module builder. */
export class CodeWriter extends ByteWriter {
  /** Offset of a branch in this body, then 1 when it is likely taken and 0 when not. */
  readonly hints: number[] = [];

  /** Hints at the outcome of the br_if or if that is written next. */
  hint(isLikely: boolean): void {
    this.hints.push(this.length, isLikely ? 1 : 0);
  }

  op(opcode: Opcode): void {
    if (opcode > 0xff) {
      const wide = opcode > 0xffff;
      this.byte(wide ? opcode >> 12 : opcode >> 8);
      return this.u32(wide ? opcode & 0xfff : opcode & 0xff);
    }
    this.byte(opcode);
  }

  localGet(local: number): void {
    this.byte(OP.localGet);
    this.u32(local);
  }

  localSet(local: number): void {
    this.byte(OP.localSet);
    this.u32(local);
  }

  localTee(local: number): void {
    this.byte(OP.localTee);
    this.u32(local);
  }

  i32Const(value: number): void {
    this.byte(OP.i32Const);
    this.s32(value);
  }

  i64Const(value: bigint): void {
    this.byte(OP.i64Const);
    this.s64(value);
  }

  /** An i64 constant that fits in 32 signed bits, without a bigint. */
  i64ConstSmall(value: number): void {
    this.byte(OP.i64Const);
    this.s32(value);
  }

  f64Const(value: number): void {
    this.byte(OP.f64Const);
    this.bytes(new Uint8Array(Float64Array.of(value).buffer));
  }

  f32Const(value: number): void {
    this.byte(OP.f32Const);
    this.bytes(new Uint8Array(Float32Array.of(value).buffer));
  }

  /** Load or store: opcode, alignment 2^align (a hint), static offset in bytes. */
  access(opcode: Opcode, align: number, offset: number): void {
    this.op(opcode);
    this.u32(align);
    this.u32(offset);
  }

  /** block, loop or if with a block type. */
  open(opcode: typeof OP.block | typeof OP.loop | typeof OP.if, blockType: number): void {
    this.byte(opcode);
    this.byte(blockType);
  }

  end(): void {
    this.byte(OP.end);
  }

  br(depth: number): void {
    this.byte(OP.br);
    this.u32(depth);
  }

  brIf(depth: number): void {
    this.byte(OP.brIf);
    this.u32(depth);
  }

  brTable(depths: readonly number[], otherwise: number): void {
    this.byte(OP.brTable);
    this.u32(depths.length);
    for (const depth of depths) this.u32(depth);
    this.u32(otherwise);
  }

  call(functionIndex: number): void {
    this.byte(OP.call);
    this.u32(functionIndex);
  }

  returnCall(functionIndex: number): void {
    this.byte(OP.returnCall);
    this.u32(functionIndex);
  }

  callIndirect(typeIndex: number, tableIndex: number): void {
    this.byte(OP.callIndirect);
    this.u32(typeIndex);
    this.u32(tableIndex);
  }
}
