/**
 * From a decoded instruction to the record that the loop executes. Chooses cheaper operations where operands allow (a write to x0 without other
 * effect is a nop, `li`, `lui` and `auipc` are constants, a move between register files is a move), never another meaning.
 * Fields of operations that are not as layout.ts says:
 *
 *   enter      slot of the unit | side slot
 *   constant   rd | 64 bits                          called  packed rd, rs1, rs2 (5 bits each) | immediate | operation number
 *   branch     rs1 | rs2 | distance                  float   packed rd, rs1, rs2, rs3 | rounding mode | operation number
 *   jump       rd | – | distance                     store   rs2 | rs1 | offset
 */
import { CPU_STATE_OFFSET } from '../../cpu.ts';
import type { Decoded } from '../decode.ts';
import { INSTRUCTIONS, type Format } from '../instruction-table.ts';
import { RECORD_SCALE, STATE } from './layout.ts';
import { ON, operationPair, type OperationPair } from './handlers.ts';

/** Formats whose only effect is the integer register rd. */
const PURE_FORMATS: ReadonlySet<Format> = new Set(['R', 'Unary', 'I', 'Shift', 'Upper']);
const FLOAT_RESULTS: ReadonlySet<Format> = new Set([
  'FloatLoad', 'FloatStore', 'FloatR', 'FloatRRounded', 'FloatUnaryRounded', 'FloatFusedRounded', 'IntToFloatRounded', 'IntToFloat',
]);
const INTEGER_SOURCES: ReadonlySet<Format> = new Set(['FloatLoad', 'FloatStore', 'IntToFloatRounded', 'IntToFloat']);
const NEAREST_EVEN = 0;
const TO_ZERO = 1;
const DYNAMIC = 7;
const MOVES: ReadonlySet<string> = new Set(['addi', 'slli', 'srli', 'srai', 'rori']);

/** Numbers of the operations, looked up once: every process of a guest decodes its code anew. */
const OWN: readonly OperationPair[] = INSTRUCTIONS.map(({ mnemonic }) => operationPair(mnemonic));
const NOP = operationPair('nop');
const CONSTANT = operationPair('constant');
const MOVE = operationPair('move');
const SIGN_EXTEND = operationPair('signExtendWord');
const BOX = operationPair('boxWord');
const LOAD = operationPair('ld');
const STORE = operationPair('sd');
const STORE_WORD = operationPair('sw');

/** By where a jump or branch goes: forward in the page, backward in it, out of it. */
interface Forms { readonly near: OperationPair; readonly back: OperationPair; readonly far: OperationPair }
const formsOf = (name: string): Forms => ({ near: operationPair(`${name}.near`), back: operationPair(`${name}.back`), far: operationPair(`${name}.far`) });
const JUMP = formsOf('jump');
const LINK = { ...formsOf('jal'), back: operationPair('jal.near') };
const JUMP_REGISTER = operationPair('jumpRegister');
const LINK_REGISTER = operationPair('jalr');
const BRANCHES: readonly (Forms | undefined)[] = INSTRUCTIONS.map(({ mnemonic, format }) => (format === 'Branch' ? formsOf(mnemonic) : undefined));
/** With zero. */
const ZERO_BRANCHES: readonly (Forms | undefined)[] = INSTRUCTIONS.map(({ mnemonic }) => (mnemonic === 'beq' || mnemonic === 'bne' ? formsOf(`${mnemonic}z`) : undefined));

/**
 * A record to be made: of the instruction at `offset` of a guest's page, its first word at `index` of the linear memory (bytes would not be small integers).
 * `isAlone`: it executes outside its page, so that no jump may move among the records around it.
 */
export interface Place { page: number; offset: number; index: number; isAlone: boolean }

export class RecordWriter {
  readonly #words: Int32Array;
  readonly #registers: number;

  /** `words`: the linear memory; `registers`: byte of the register block in it. */
  constructor(words: Int32Array, registers: number) {
    this.#words = words;
    this.#registers = registers;
  }

  /** Writes the record of an instruction. */
  lower(decoded: Decoded, place: Readonly<Place>): void {
    const at = place.index;
    if (decoded.operation < 0) return this.put(at, ON.illegal, decoded.length, 0, 0, 0);
    const { format, mnemonic } = INSTRUCTIONS[decoded.operation]!;
    const { rd, rs1, rs2, imm, length } = decoded;
    const own = OWN[decoded.operation]!;
    if (PURE_FORMATS.has(format)) return this.#lowerPure(decoded, place);
    switch (format) {
      case 'Branch': return this.#lowerBranch(decoded, at, isNear(place, imm));
      case 'Jump': {
        const form = formAt(rd === 0 ? JUMP : LINK, imm, isNear(place, imm));
        return this.#put(at, form, length, this.integer(rd), 0, imm * RECORD_SCALE);
      }
      case 'JumpRegister': return this.#put(at, rd === 0 ? JUMP_REGISTER : LINK_REGISTER, length, this.integer(rd), this.#source(rs1), imm);
      case 'Load': return this.#put(at, own, length, this.integer(rd), this.#source(rs1), imm);
      case 'Store': return this.#put(at, own, length, this.#source(rs2), this.#source(rs1), imm);
      case 'FloatLoad': return this.#put(at, mnemonic === 'fld' ? LOAD : own, length, this.#float(rd), this.#source(rs1), imm);
      case 'FloatStore': return this.#put(at, mnemonic === 'fsd' ? STORE : STORE_WORD, length, this.#float(rs2), this.#source(rs1), imm);
      case 'Fence': return this.#put(at, NOP, length, 0, 0, 0);
      case 'None': return this.#lowerBare(mnemonic, at, length);
      case 'Atomic': case 'LoadReserved': return this.#put(at, own, length, this.integer(rd), this.#source(rs1), this.#source(rs2));
      case 'Csr': case 'CsrImmediate': return this.#call(decoded, at);
      default: return this.#lowerFloat(decoded, at);
    }
  }

  /** `index`: of the record's first word. */
  put(index: number, operation: number, length: number, a: number, b: number, c: number): void {
    const words = this.#words;
    words[index] = operation | (length * RECORD_SCALE << 8);
    words[index + 1] = a;
    words[index + 2] = b;
    words[index + 3] = c;
  }

  #put(at: number, pair: OperationPair, length: number, a: number, b: number, c: number): void {
    this.put(at, pair[length >>> 2]!, length, a, b, c);
  }

  /** Address of a destination. */
  integer(register: number): number {
    return this.#registers + (register === 0 ? STATE.dump : CPU_STATE_OFFSET.x + 8 * register);
  }

  #source(register: number): number {
    return this.#registers + CPU_STATE_OFFSET.x + 8 * register;
  }

  #float(register: number): number {
    return this.#registers + CPU_STATE_OFFSET.f + 8 * register;
  }

  #lowerBare(mnemonic: string, at: number, length: number): void {
    this.put(at, mnemonic === 'ecall' ? ON.ecall : mnemonic === 'ebreak' ? ON.ebreak : NOP[length >>> 2]!, length, 0, 0, 0);
  }

  #call({ operation, length, rd, rs1, rs2, imm }: Decoded, at: number): void {
    this.put(at, ON.called, length, rd | (rs1 << 5) | (rs2 << 10), imm, operation);
  }

  #lowerBranch({ operation, length, rs1, rs2, imm }: Decoded, at: number, isNearby: boolean): void {
    const forms = (rs2 === 0 ? ZERO_BRANCHES[operation] : undefined) ?? BRANCHES[operation]!;
    this.#put(at, formAt(forms, imm, isNearby), length, this.#source(rs1), this.#source(rs2), imm * RECORD_SCALE);
  }

  #lowerPure(decoded: Decoded, { page, offset, index: at }: Readonly<Place>): void {
    const { rd, rs1, rs2, imm, length } = decoded;
    const { mnemonic, format } = INSTRUCTIONS[decoded.operation]!;
    if (rd === 0) return this.#put(at, NOP, length, 0, 0, 0);
    const target = this.integer(rd);
    if (mnemonic === 'lui' || (mnemonic === 'addi' && rs1 === 0)) return this.#put(at, CONSTANT, length, target, imm, imm >> 31);
    if (mnemonic === 'auipc') {
      const value = page * 4096 + offset + imm;
      return this.#put(at, CONSTANT, length, target, value | 0, Math.floor(value / 2 ** 32));
    }
    if (imm === 0 && MOVES.has(mnemonic)) return this.#put(at, MOVE, length, target, this.#source(rs1), 0);
    if (mnemonic === 'add' && (rs1 === 0 || rs2 === 0)) return this.#put(at, MOVE, length, target, this.#source(rs1 | rs2), 0);
    if (mnemonic === 'addiw' && imm === 0) return this.#put(at, SIGN_EXTEND, length, target, this.#source(rs1), 0);
    this.#put(at, OWN[decoded.operation]!, length, target, this.#source(rs1), format === 'R' ? this.#source(rs2) : imm);
  }

  /** Arithmetic that rounds to nearest even, or as frm says, has a handler; so has truncation. Exact conversions have one in every mode. */
  #lowerFloat(decoded: Decoded, at: number): void {
    const { rd, rs1, rs2, rs3, rm, length } = decoded;
    const { mnemonic, format } = INSTRUCTIONS[decoded.operation]!;
    const target = FLOAT_RESULTS.has(format) ? this.#float(rd) : this.integer(rd);
    const first = INTEGER_SOURCES.has(format) ? this.#source(rs1) : this.#float(rs1);
    switch (mnemonic) {
      case 'fmv.x.d': case 'fmv.d.x': return this.#put(at, MOVE, length, target, first, 0);
      case 'fmv.x.w': return this.#put(at, SIGN_EXTEND, length, target, first, 0);
      case 'fmv.w.x': return this.#put(at, BOX, length, target, first, 0);
      case 'fsgnj.d':
        if (rs1 === rs2) return this.#put(at, MOVE, length, target, first, 0);
        break;
      default: break;
    }
    const operation = OWN[decoded.operation]![length >>> 2]!;
    if (operation < 0 || !hasHandledMode(mnemonic, format, rm)) {
      return this.put(at, ON.float, length, rd | (rs1 << 5) | (rs2 << 10) | (rs3 << 15), rm, decoded.operation);
    }
    this.put(at, operation, length, target, first, this.#float(rs2));
    this.#words[at]! |= (rm << 16) | (rs3 << 24);
  }
}

function formAt({ near, back, far }: Forms, distance: number, isNearby: boolean): OperationPair {
  if (!isNearby) return far;
  return distance < 0 ? back : near;
}

function isNear({ offset, isAlone }: Readonly<Place>, distance: number): boolean {
  const target = offset + distance;
  return !isAlone && target >= 0 && target < 4096;
}

function hasHandledMode(mnemonic: string, format: Format, rm: number): boolean {
  if (!format.endsWith('Rounded')) return true;
  if (format === 'FloatToIntRounded') return rm === TO_ZERO;
  return rm === NEAREST_EVEN || rm === DYNAMIC || mnemonic === 'fcvt.d.w' || mnemonic === 'fcvt.d.wu' || mnemonic === 'fcvt.d.s';
}
