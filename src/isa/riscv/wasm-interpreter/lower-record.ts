/**
 * From a decoded instruction to the record that the loop executes. Chooses cheaper operations where operands allow (a write to x0 without other
 * effect is a nop, `li`, `lui` and `auipc` are constants, a move between register files is a move), never another meaning.
 * Fields of operations that are not as layout.ts says:
 *
 *   constant   rd | 64 bits                          called  packed rd, rs1, rs2 (5 bits each) | immediate | operation number
 *   branch     rs1 | rs2 | distance                  float   packed rd, rs1, rs2, rs3 | rounding mode | operation number
 *   jump       rd | – | distance                     store   rs2 | rs1 | offset
 */
import { CPU_STATE_OFFSET } from '../../cpu.ts';
import type { Decoded } from '../decode.ts';
import { INSTRUCTIONS, type Format } from '../instruction-table.ts';
import { RECORD_SCALE, STATE } from './layout.ts';
import { loopOperation, ON } from './handlers.ts';

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

export class RecordWriter {
  readonly #words: Int32Array;
  readonly #registers: number;

  /** `words`: the linear memory; `registers`: byte of the register block in it. */
  constructor(words: Int32Array, registers: number) {
    this.#words = words;
    this.#registers = registers;
  }

  /**
   * Writes the record of the instruction at guest `address` to the bytes at `at`. `isAlone`: it executes outside its page, so that no
   * jump may move among the records around it.
   */
  lower(decoded: Decoded, address: number, at: number, isAlone: boolean): void {
    if (decoded.operation < 0) return this.put(at, ON.illegal, decoded.length, 0, 0, 0);
    const { format, mnemonic } = INSTRUCTIONS[decoded.operation]!;
    const { rd, rs1, rs2, imm, length } = decoded;
    if (PURE_FORMATS.has(format)) return this.#lowerPure(decoded, address, at);
    switch (format) {
      case 'Branch': return this.#lowerBranch(decoded, at, isNear(address, imm, isAlone));
      case 'Jump': {
        const form = !isNear(address, imm, isAlone) ? 'far' : imm < 0 && rd === 0 ? 'back' : 'near';
        return this.put(at, loopOperation(`${rd === 0 ? 'jump' : 'jal'}.${form}`, length), length, this.integer(rd), 0, imm * RECORD_SCALE);
      }
      case 'JumpRegister': return this.put(at, loopOperation(rd === 0 ? 'jumpRegister' : 'jalr', length), length, this.integer(rd), this.#source(rs1), imm);
      case 'Load': return this.put(at, loopOperation(mnemonic, length), length, this.integer(rd), this.#source(rs1), imm);
      case 'Store': return this.put(at, loopOperation(mnemonic, length), length, this.#source(rs2), this.#source(rs1), imm);
      case 'FloatLoad': return this.put(at, loopOperation(mnemonic === 'fld' ? 'ld' : mnemonic, length), length, this.#float(rd), this.#source(rs1), imm);
      case 'FloatStore': return this.put(at, loopOperation(mnemonic === 'fsd' ? 'sd' : 'sw', length), length, this.#float(rs2), this.#source(rs1), imm);
      case 'Fence': return this.put(at, loopOperation('nop', length), length, 0, 0, 0);
      case 'None': return this.#lowerBare(mnemonic, at, length);
      case 'Atomic': case 'LoadReserved':
        return this.put(at, loopOperation(mnemonic, length), length, this.integer(rd), this.#source(rs1), this.#source(rs2));
      case 'Csr': case 'CsrImmediate': return this.#call(decoded, at);
      default: return this.#lowerFloat(decoded, at);
    }
  }

  put(at: number, operation: number, length: number, a: number, b: number, c: number): void {
    const words = this.#words;
    const index = at >>> 2;
    words[index] = operation | (length * RECORD_SCALE << 8);
    words[index + 1] = a;
    words[index + 2] = b;
    words[index + 3] = c;
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
    this.put(at, mnemonic === 'ecall' ? ON.ecall : mnemonic === 'ebreak' ? ON.ebreak : loopOperation('nop', length), length, 0, 0, 0);
  }

  #call({ operation, length, rd, rs1, rs2, imm }: Decoded, at: number): void {
    this.put(at, ON.called, length, rd | (rs1 << 5) | (rs2 << 10), imm, operation);
  }

  #lowerBranch({ operation, length, rs1, rs2, imm }: Decoded, at: number, isNearby: boolean): void {
    const { mnemonic } = INSTRUCTIONS[operation]!;
    const isZero = rs2 === 0 && (mnemonic === 'beq' || mnemonic === 'bne');
    const form = !isNearby ? 'far' : imm < 0 ? 'back' : 'near';
    this.put(at, loopOperation(`${mnemonic}${isZero ? 'z' : ''}.${form}`, length), length, this.#source(rs1), this.#source(rs2), imm * RECORD_SCALE);
  }

  #lowerPure(decoded: Decoded, address: number, at: number): void {
    const { rd, rs1, rs2, imm, length } = decoded;
    const { mnemonic, format } = INSTRUCTIONS[decoded.operation]!;
    if (rd === 0) return this.put(at, loopOperation('nop', length), length, 0, 0, 0);
    const target = this.integer(rd);
    const constant = loopOperation('constant', length);
    if (mnemonic === 'lui' || (mnemonic === 'addi' && rs1 === 0)) return this.put(at, constant, length, target, imm, imm >> 31);
    if (mnemonic === 'auipc') return this.put(at, constant, length, target, (address + imm) | 0, Math.floor((address + imm) / 2 ** 32));
    const move = loopOperation('move', length);
    if (imm === 0 && MOVES.has(mnemonic)) return this.put(at, move, length, target, this.#source(rs1), 0);
    if (mnemonic === 'add' && (rs1 === 0 || rs2 === 0)) return this.put(at, move, length, target, this.#source(rs1 | rs2), 0);
    if (mnemonic === 'addiw' && imm === 0) return this.put(at, loopOperation('signExtendWord', length), length, target, this.#source(rs1), 0);
    this.put(at, loopOperation(mnemonic, length), length, target, this.#source(rs1), format === 'R' ? this.#source(rs2) : imm);
  }

  /** Arithmetic that rounds to nearest even, or as frm says, has a handler; so has truncation. Exact conversions have one in every mode. */
  #lowerFloat(decoded: Decoded, at: number): void {
    const { rd, rs1, rs2, rs3, rm, length } = decoded;
    const { mnemonic, format } = INSTRUCTIONS[decoded.operation]!;
    const target = FLOAT_RESULTS.has(format) ? this.#float(rd) : this.integer(rd);
    const first = INTEGER_SOURCES.has(format) ? this.#source(rs1) : this.#float(rs1);
    switch (mnemonic) {
      case 'fmv.x.d': case 'fmv.d.x': return this.put(at, loopOperation('move', length), length, target, first, 0);
      case 'fmv.x.w': return this.put(at, loopOperation('signExtendWord', length), length, target, first, 0);
      case 'fmv.w.x': return this.put(at, loopOperation('boxWord', length), length, target, first, 0);
      case 'fsgnj.d':
        if (rs1 === rs2) return this.put(at, loopOperation('move', length), length, target, first, 0);
        break;
      default: break;
    }
    const operation = loopOperation(mnemonic, length);
    if (operation < 0 || !hasHandledMode(mnemonic, format, rm)) {
      return this.put(at, ON.float, length, rd | (rs1 << 5) | (rs2 << 10) | (rs3 << 15), rm, decoded.operation);
    }
    this.put(at, operation, length, target, first, this.#float(rs2));
    this.#words[at >>> 2]! |= (rm << 16) | (rs3 << 24);
  }
}

function isNear(address: number, distance: number, isAlone: boolean): boolean {
  const offset = (address & 4095) + distance;
  return !isAlone && offset >= 0 && offset < 4096;
}

function hasHandledMode(mnemonic: string, format: Format, rm: number): boolean {
  if (!format.endsWith('Rounded')) return true;
  if (format === 'FloatToIntRounded') return rm === TO_ZERO;
  return rm === NEAREST_EVEN || rm === DYNAMIC || mnemonic === 'fcvt.d.w' || mnemonic === 'fcvt.d.wu' || mnemonic === 'fcvt.d.s';
}
