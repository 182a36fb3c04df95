/**
 * HOT PATH. The integer instruction set as one switch in one loop, over records of code-pages.ts.
 * Invariants: every pass of the inner loop retires exactly one instruction or gives its unit of budget back; x0 is never written; a stop
 * leaves registers and memory as they were before its instruction. Nothing here allocates, throws or makes a closure.
 * 64-bit values are 32-bit halves; a carry is an unsigned comparison of the low half. `a`, `b`, `c` are words 1..3 of the record.
 * Case literals and their comments equal cases.ts (a test compares them): V8 makes a jump table of literals only.
 * A fast memory access needs an upper base word of 0 and flags at the low address: a 12-bit offset that wraps past 0 or 2^32 lands on pages
 * that never have rights, so the exact 64-bit address is only computed on the slow path.
 */
import { BIAS, CONTROL, PAGE_FLAG, STOP, STORE_FAST, STORE_MASK, type Stop } from '../cpu.ts';
import { END, type CodePages } from './code-pages.ts';
import { HOT_MASK, isTrap, PAUSE, RETIRED, type Machine, type Pause } from './machine.ts';
import { hasRights, loadSlow, storeSlow } from './memory-access.ts';
import { FLOAT_HANDLERS, OPERATIONS } from './operations/index.ts';
import { multiplyHighWord } from './operations/multiply-divide.ts';

const LINE_MASK = 255;
const READ = PAGE_FLAG.read;
const EXECUTE = PAGE_FLAG.execute;
const RM_MAX = 4;

/** Runs until a stop; machine.executed is then the number of instructions retired. The pc is in the control words before and after. */
export function execute(machine: Machine, pages: CodePages, budget: number): Stop | Pause {
  const x = machine.state.x;
  const f = machine.state.f;
  const control = machine.state.control;
  const memory = machine.memory;
  const pageFlags = memory.pageFlags;
  const i8 = memory.i8;
  const u8 = memory.u8;
  const i16 = memory.i16;
  const u16 = memory.u16;
  const i32 = memory.i32;
  const tags = pages.tags;
  const lines = pages.lines;
  const hot = machine.hot;
  const hotLimit = machine.hotLimit;
  let left = budget;
  let pc = control[CONTROL.pc]!;
  let pcHigh = control[CONTROL.pcHigh]!;
  let stop: Stop | Pause = STOP.budget;

  page: for (;;) {
    if (left === 0) break;
    const pageNumber = pc >>> 12;
    if (pcHigh !== 0 || (pc & 1) !== 0 || ((pageFlags[pageNumber]! & EXECUTE) === 0 && !hasRights(memory, pageNumber, EXECUTE))) {
      stop = machine.fault((pc & 1) !== 0 ? STOP.misaligned : STOP.fetchFault, pc, pcHigh);
      break;
    }
    let code = tags[pageNumber & LINE_MASK] === pageNumber ? lines[pageNumber & LINE_MASK]! : pages.page(pageNumber);
    const base = pc & ~4095;
    let at = (pc & 4095) << 1;

    for (;;) {
      const head = code[at]!;
      if (--left < 0) {
        left = 0;
        pc = base + (at >> 1);
        break page;
      }
      const a = code[at + 1]!;
      const b = code[at + 2]!;
      const c = code[at + 3]!;
      switch (head & 255) {
        case 0: { // undecoded
          left++;
          if (code === pages.straddle) { // A straddling branch went back into its page: this array holds that instruction alone.
            pc = base + (at >> 1);
            continue page;
          }
          if (!hasRights(memory, pageNumber, EXECUTE)) {
            pc = base + (at >> 1);
            stop = machine.fault(STOP.fetchFault, pc, 0);
            break page;
          }
          pages.fill(pageNumber, code, at);
          continue;
        }
        case 1: // endOfPage
          left++;
          pc = base + (at >> 1);
          continue page;
        case 2: // straddle
          left++;
          if (!pages.fillStraddle(pageNumber, code)) {
            pc = base + (at >> 1);
            stop = machine.fault(STOP.fetchFault, base + 4096, 0);
            break page;
          }
          code = pages.straddle;
          continue;
        case 3: // illegal
          left++;
          pc = base + (at >> 1);
          stop = machine.fault(STOP.illegal, pc, 0);
          break page;
        case 4: { // called
          machine.executed = budget - left - 1;
          const result = OPERATIONS[c]!(machine, a, b);
          if (result !== RETIRED) {
            left++;
            pc = base + (at >> 1);
            stop = result as Stop; // An operation returns RETIRED or a Stop.
            if (stop === STOP.illegal) machine.fault(stop, pc, 0);
            break page;
          }
          break;
        }
        case 5: // float
          FLOAT_HANDLERS[c]!(machine.state, a & 31, (a >>> 5) & 31, (a >>> 10) & 31, (a >>> 15) & 31, a >>> 20);
          break;
        case 6: { // floatDynamic
          const rm = (control[CONTROL.fcsr]! >>> 5) & 7;
          if (rm > RM_MAX) {
            left++;
            pc = base + (at >> 1);
            stop = machine.fault(STOP.illegal, pc, 0);
            break page;
          }
          FLOAT_HANDLERS[c]!(machine.state, a & 31, (a >>> 5) & 31, (a >>> 10) & 31, (a >>> 15) & 31, rm);
          break;
        }
        case 7: // nop
          break;
        case 8: // constant
          x[a] = b;
          x[a + 1] = c;
          break;
        case 9: // move
          x[a] = x[b]!;
          x[a + 1] = x[b + 1]!;
          break;
        case 10: { // addi
          const low = (x[b]! + c) | 0;
          x[a + 1] = x[b + 1]! + (c >> 31) + ((low >>> 0) < (c >>> 0) ? 1 : 0);
          x[a] = low;
          break;
        }
        case 11: { // add
          const first = x[b]!;
          const low = (first + x[c]!) | 0;
          x[a + 1] = x[b + 1]! + x[c + 1]! + ((low >>> 0) < (first >>> 0) ? 1 : 0);
          x[a] = low;
          break;
        }
        case 12: { // sub
          const first = x[b]!;
          const second = x[c]!;
          x[a + 1] = x[b + 1]! - x[c + 1]! - ((first >>> 0) < (second >>> 0) ? 1 : 0);
          x[a] = first - second;
          break;
        }
        case 13: { // addiw
          const low = (x[b]! + c) | 0;
          x[a] = low;
          x[a + 1] = low >> 31;
          break;
        }
        case 14: { // addw
          const low = (x[b]! + x[c]!) | 0;
          x[a] = low;
          x[a + 1] = low >> 31;
          break;
        }
        case 15: { // subw
          const low = (x[b]! - x[c]!) | 0;
          x[a] = low;
          x[a + 1] = low >> 31;
          break;
        }
        case 16: { // signExtendWord
          const low = x[b]!;
          x[a] = low;
          x[a + 1] = low >> 31;
          break;
        }
        case 17: { // slti
          const high = x[b + 1]!;
          const sign = c >> 31;
          x[a] = high < sign || (high === sign && (x[b]! >>> 0) < (c >>> 0)) ? 1 : 0;
          x[a + 1] = 0;
          break;
        }
        case 18: { // sltiu
          const high = x[b + 1]!;
          const sign = c >> 31;
          x[a] = (high >>> 0) < (sign >>> 0) || (high === sign && (x[b]! >>> 0) < (c >>> 0)) ? 1 : 0;
          x[a + 1] = 0;
          break;
        }
        case 19: { // slt
          const first = x[b + 1]!;
          const second = x[c + 1]!;
          x[a] = first < second || (first === second && (x[b]! >>> 0) < (x[c]! >>> 0)) ? 1 : 0;
          x[a + 1] = 0;
          break;
        }
        case 20: { // sltu
          const first = x[b + 1]!;
          const second = x[c + 1]!;
          x[a] = (first >>> 0) < (second >>> 0) || (first === second && (x[b]! >>> 0) < (x[c]! >>> 0)) ? 1 : 0;
          x[a + 1] = 0;
          break;
        }
        case 21: // xori
          x[a] = x[b]! ^ c;
          x[a + 1] = x[b + 1]! ^ (c >> 31);
          break;
        case 22: // ori
          x[a] = x[b]! | c;
          x[a + 1] = x[b + 1]! | (c >> 31);
          break;
        case 23: // andi
          x[a] = x[b]! & c;
          x[a + 1] = x[b + 1]! & (c >> 31);
          break;
        case 24: // xor
          x[a] = x[b]! ^ x[c]!;
          x[a + 1] = x[b + 1]! ^ x[c + 1]!;
          break;
        case 25: // or
          x[a] = x[b]! | x[c]!;
          x[a + 1] = x[b + 1]! | x[c + 1]!;
          break;
        case 26: // and
          x[a] = x[b]! & x[c]!;
          x[a + 1] = x[b + 1]! & x[c + 1]!;
          break;
        case 27: { // slli
          const low = x[b]!;
          x[a + 1] = (x[b + 1]! << c) | (low >>> (32 - c));
          x[a] = low << c;
          break;
        }
        case 28: // slliHigh
          x[a + 1] = x[b]! << c;
          x[a] = 0;
          break;
        case 29: { // srli
          const high = x[b + 1]!;
          x[a] = (x[b]! >>> c) | (high << (32 - c));
          x[a + 1] = high >>> c;
          break;
        }
        case 30: // srliHigh
          x[a] = x[b + 1]! >>> c;
          x[a + 1] = 0;
          break;
        case 31: { // srai
          const high = x[b + 1]!;
          x[a] = (x[b]! >>> c) | (high << (32 - c));
          x[a + 1] = high >> c;
          break;
        }
        case 32: { // sraiHigh
          const high = x[b + 1]!;
          x[a] = high >> c;
          x[a + 1] = high >> 31;
          break;
        }
        case 33: { // slliw
          const low = x[b]! << c;
          x[a] = low;
          x[a + 1] = low >> 31;
          break;
        }
        case 34: { // srliw
          const low = (x[b]! >>> c) | 0;
          x[a] = low;
          x[a + 1] = low >> 31;
          break;
        }
        case 35: { // sraiw
          const low = x[b]! >> c;
          x[a] = low;
          x[a + 1] = low >> 31;
          break;
        }
        case 36: { // sll
          const by = x[c]!;
          const low = x[b]!;
          if ((by & 32) === 0) {
            x[a + 1] = (x[b + 1]! << by) | ((low >>> 1) >>> (31 - by));
            x[a] = low << by;
          } else {
            x[a + 1] = low << by;
            x[a] = 0;
          }
          break;
        }
        case 37: { // srl
          const by = x[c]!;
          const high = x[b + 1]!;
          if ((by & 32) === 0) {
            x[a] = (x[b]! >>> by) | ((high << 1) << (31 - by));
            x[a + 1] = high >>> by;
          } else {
            x[a] = high >>> by;
            x[a + 1] = 0;
          }
          break;
        }
        case 38: { // sra
          const by = x[c]!;
          const high = x[b + 1]!;
          if ((by & 32) === 0) {
            x[a] = (x[b]! >>> by) | ((high << 1) << (31 - by));
            x[a + 1] = high >> by;
          } else {
            x[a] = high >> by;
            x[a + 1] = high >> 31;
          }
          break;
        }
        case 39: { // sllw
          const low = x[b]! << x[c]!;
          x[a] = low;
          x[a + 1] = low >> 31;
          break;
        }
        case 40: { // srlw
          const low = (x[b]! >>> x[c]!) | 0;
          x[a] = low;
          x[a + 1] = low >> 31;
          break;
        }
        case 41: { // sraw
          const low = x[b]! >> x[c]!;
          x[a] = low;
          x[a + 1] = low >> 31;
          break;
        }
        case 42: { // lb
          const address = (x[b]! + c) | 0;
          let value = 0;
          if (x[b + 1] === 0 && (pageFlags[address >>> 12]! & READ) !== 0) value = i8[(address - BIAS) >>> 0]!;
          else if (loadSlow(machine, x[b]!, x[b + 1]!, c, 1)) value = (machine.valueLow << 24) >> 24;
          else {
            stop = STOP.loadFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          x[a] = value;
          x[a + 1] = value >> 31;
          break;
        }
        case 43: { // lbu
          const address = (x[b]! + c) | 0;
          let value = 0;
          if (x[b + 1] === 0 && (pageFlags[address >>> 12]! & READ) !== 0) value = u8[(address - BIAS) >>> 0]!;
          else if (loadSlow(machine, x[b]!, x[b + 1]!, c, 1)) value = machine.valueLow;
          else {
            stop = STOP.loadFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          x[a] = value;
          x[a + 1] = 0;
          break;
        }
        case 44: { // lh
          const address = (x[b]! + c) | 0;
          let value = 0;
          if (x[b + 1] === 0 && (address & 1) === 0 && (pageFlags[address >>> 12]! & READ) !== 0) value = i16[(address - BIAS) >>> 1]!;
          else if (loadSlow(machine, x[b]!, x[b + 1]!, c, 2)) value = (machine.valueLow << 16) >> 16;
          else {
            stop = STOP.loadFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          x[a] = value;
          x[a + 1] = value >> 31;
          break;
        }
        case 45: { // lhu
          const address = (x[b]! + c) | 0;
          let value = 0;
          if (x[b + 1] === 0 && (address & 1) === 0 && (pageFlags[address >>> 12]! & READ) !== 0) value = u16[(address - BIAS) >>> 1]!;
          else if (loadSlow(machine, x[b]!, x[b + 1]!, c, 2)) value = machine.valueLow;
          else {
            stop = STOP.loadFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          x[a] = value;
          x[a + 1] = 0;
          break;
        }
        case 46: { // lw
          const address = (x[b]! + c) | 0;
          let value = 0;
          if (x[b + 1] === 0 && (address & 3) === 0 && (pageFlags[address >>> 12]! & READ) !== 0) value = i32[(address - BIAS) >>> 2]!;
          else if (loadSlow(machine, x[b]!, x[b + 1]!, c, 4)) value = machine.valueLow;
          else {
            stop = STOP.loadFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          x[a] = value;
          x[a + 1] = value >> 31;
          break;
        }
        case 47: { // lwu
          const address = (x[b]! + c) | 0;
          let value = 0;
          if (x[b + 1] === 0 && (address & 3) === 0 && (pageFlags[address >>> 12]! & READ) !== 0) value = i32[(address - BIAS) >>> 2]!;
          else if (loadSlow(machine, x[b]!, x[b + 1]!, c, 4)) value = machine.valueLow;
          else {
            stop = STOP.loadFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          x[a] = value;
          x[a + 1] = 0;
          break;
        }
        case 48: { // ld
          const address = (x[b]! + c) | 0;
          if (x[b + 1] === 0 && (address & 7) === 0 && (pageFlags[address >>> 12]! & READ) !== 0) {
            const index = (address - BIAS) >>> 2;
            x[a] = i32[index]!;
            x[a + 1] = i32[index + 1]!;
          } else if (loadSlow(machine, x[b]!, x[b + 1]!, c, 8)) {
            x[a] = machine.valueLow;
            x[a + 1] = machine.valueHigh;
          } else {
            stop = STOP.loadFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          break;
        }
        case 49: { // sb
          const address = (x[b]! + c) | 0;
          if (x[b + 1] === 0 && (pageFlags[address >>> 12]! & STORE_MASK) === STORE_FAST) u8[(address - BIAS) >>> 0] = x[a]!;
          else if (!storeSlow(machine, x[b]!, x[b + 1]!, c, 1, x[a]!, 0)) {
            stop = STOP.storeFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          break;
        }
        case 50: { // sh
          const address = (x[b]! + c) | 0;
          if (x[b + 1] === 0 && (address & 1) === 0 && (pageFlags[address >>> 12]! & STORE_MASK) === STORE_FAST) {
            u16[(address - BIAS) >>> 1] = x[a]!;
          } else if (!storeSlow(machine, x[b]!, x[b + 1]!, c, 2, x[a]!, 0)) {
            stop = STOP.storeFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          break;
        }
        case 51: { // sw
          const address = (x[b]! + c) | 0;
          if (x[b + 1] === 0 && (address & 3) === 0 && (pageFlags[address >>> 12]! & STORE_MASK) === STORE_FAST) {
            i32[(address - BIAS) >>> 2] = x[a]!;
          } else if (!storeSlow(machine, x[b]!, x[b + 1]!, c, 4, x[a]!, 0)) {
            stop = STOP.storeFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          break;
        }
        case 52: { // sd
          const address = (x[b]! + c) | 0;
          if (x[b + 1] === 0 && (address & 7) === 0 && (pageFlags[address >>> 12]! & STORE_MASK) === STORE_FAST) {
            const index = (address - BIAS) >>> 2;
            i32[index] = x[a]!;
            i32[index + 1] = x[a + 1]!;
          } else if (!storeSlow(machine, x[b]!, x[b + 1]!, c, 8, x[a]!, x[a + 1]!)) {
            stop = STOP.storeFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          break;
        }
        case 53: // beq
          if (x[a] !== x[b] || x[a + 1] !== x[b + 1]) break;
          at += c;
          if (c < 0 && ++hot[((base + (at >> 1)) >>> 1) & HOT_MASK]! === hotLimit) stop = PAUSE.hot;
          else if ((at >>> 0) < END) continue;
          pc = base + (at >> 1);
          pcHigh = (base >>> 0) + (at >> 1) < 0 ? -1 : 0;
          if (stop !== STOP.budget) break page;
          continue page;
        case 54: // bne
          if (x[a] === x[b] && x[a + 1] === x[b + 1]) break;
          at += c;
          if (c < 0 && ++hot[((base + (at >> 1)) >>> 1) & HOT_MASK]! === hotLimit) stop = PAUSE.hot;
          else if ((at >>> 0) < END) continue;
          pc = base + (at >> 1);
          pcHigh = (base >>> 0) + (at >> 1) < 0 ? -1 : 0;
          if (stop !== STOP.budget) break page;
          continue page;
        case 55: { // blt
          const first = x[a + 1]!;
          const second = x[b + 1]!;
          if (!(first < second || (first === second && (x[a]! >>> 0) < (x[b]! >>> 0)))) break;
          at += c;
          if (c < 0 && ++hot[((base + (at >> 1)) >>> 1) & HOT_MASK]! === hotLimit) stop = PAUSE.hot;
          else if ((at >>> 0) < END) continue;
          pc = base + (at >> 1);
          pcHigh = (base >>> 0) + (at >> 1) < 0 ? -1 : 0;
          if (stop !== STOP.budget) break page;
          continue page;
        }
        case 56: { // bge
          const first = x[a + 1]!;
          const second = x[b + 1]!;
          if (first < second || (first === second && (x[a]! >>> 0) < (x[b]! >>> 0))) break;
          at += c;
          if (c < 0 && ++hot[((base + (at >> 1)) >>> 1) & HOT_MASK]! === hotLimit) stop = PAUSE.hot;
          else if ((at >>> 0) < END) continue;
          pc = base + (at >> 1);
          pcHigh = (base >>> 0) + (at >> 1) < 0 ? -1 : 0;
          if (stop !== STOP.budget) break page;
          continue page;
        }
        case 57: { // bltu
          const first = x[a + 1]! >>> 0;
          const second = x[b + 1]! >>> 0;
          if (!(first < second || (first === second && (x[a]! >>> 0) < (x[b]! >>> 0)))) break;
          at += c;
          if (c < 0 && ++hot[((base + (at >> 1)) >>> 1) & HOT_MASK]! === hotLimit) stop = PAUSE.hot;
          else if ((at >>> 0) < END) continue;
          pc = base + (at >> 1);
          pcHigh = (base >>> 0) + (at >> 1) < 0 ? -1 : 0;
          if (stop !== STOP.budget) break page;
          continue page;
        }
        case 58: { // bgeu
          const first = x[a + 1]! >>> 0;
          const second = x[b + 1]! >>> 0;
          if (first < second || (first === second && (x[a]! >>> 0) < (x[b]! >>> 0))) break;
          at += c;
          if (c < 0 && ++hot[((base + (at >> 1)) >>> 1) & HOT_MASK]! === hotLimit) stop = PAUSE.hot;
          else if ((at >>> 0) < END) continue;
          pc = base + (at >> 1);
          pcHigh = (base >>> 0) + (at >> 1) < 0 ? -1 : 0;
          if (stop !== STOP.budget) break page;
          continue page;
        }
        case 59: // beqz
          if ((x[a]! | x[a + 1]!) !== 0) break;
          at += c;
          if (c < 0 && ++hot[((base + (at >> 1)) >>> 1) & HOT_MASK]! === hotLimit) stop = PAUSE.hot;
          else if ((at >>> 0) < END) continue;
          pc = base + (at >> 1);
          pcHigh = (base >>> 0) + (at >> 1) < 0 ? -1 : 0;
          if (stop !== STOP.budget) break page;
          continue page;
        case 60: // bnez
          if ((x[a]! | x[a + 1]!) === 0) break;
          at += c;
          if (c < 0 && ++hot[((base + (at >> 1)) >>> 1) & HOT_MASK]! === hotLimit) stop = PAUSE.hot;
          else if ((at >>> 0) < END) continue;
          pc = base + (at >> 1);
          pcHigh = (base >>> 0) + (at >> 1) < 0 ? -1 : 0;
          if (stop !== STOP.budget) break page;
          continue page;
        case 61: // jal
          x[a] = base + ((at + (head >>> 8)) >> 1);
          x[a + 1] = 0;
          at += c;
          if (++hot[((base + (at >> 1)) >>> 1) & HOT_MASK]! === hotLimit) stop = PAUSE.hot;
          else if ((at >>> 0) < END) continue;
          pc = base + (at >> 1);
          pcHigh = (base >>> 0) + (at >> 1) < 0 ? -1 : 0;
          if (stop !== STOP.budget) break page;
          continue page;
        case 62: // jump
          at += c;
          if (c < 0 && ++hot[((base + (at >> 1)) >>> 1) & HOT_MASK]! === hotLimit) stop = PAUSE.hot;
          else if ((at >>> 0) < END) continue;
          pc = base + (at >> 1);
          pcHigh = (base >>> 0) + (at >> 1) < 0 ? -1 : 0;
          if (stop !== STOP.budget) break page;
          continue page;
        case 63: { // jalr
          const low = (x[b]! + c) | 0;
          pcHigh = (x[b + 1]! + (c >> 31) + ((low >>> 0) < (c >>> 0) ? 1 : 0)) | 0;
          x[a] = base + ((at + (head >>> 8)) >> 1);
          x[a + 1] = 0;
          pc = low & ~1;
          if (++hot[(pc >>> 1) & HOT_MASK]! === hotLimit) {
            stop = PAUSE.hot;
            break page;
          }
          continue page;
        }
        case 64: { // jumpRegister
          const low = (x[b]! + c) | 0;
          pcHigh = (x[b + 1]! + (c >> 31) + ((low >>> 0) < (c >>> 0) ? 1 : 0)) | 0;
          pc = low & ~1;
          if (++hot[(pc >>> 1) & HOT_MASK]! === hotLimit) {
            stop = PAUSE.hot;
            break page;
          }
          continue page;
        }
        case 65: { // flw
          const address = (x[b]! + c) | 0;
          if (x[b + 1] === 0 && (address & 3) === 0 && (pageFlags[address >>> 12]! & READ) !== 0) f[a] = i32[(address - BIAS) >>> 2]!;
          else if (loadSlow(machine, x[b]!, x[b + 1]!, c, 4)) f[a] = machine.valueLow;
          else {
            stop = STOP.loadFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          f[a + 1] = -1;
          break;
        }
        case 66: { // fld
          const address = (x[b]! + c) | 0;
          if (x[b + 1] === 0 && (address & 7) === 0 && (pageFlags[address >>> 12]! & READ) !== 0) {
            const index = (address - BIAS) >>> 2;
            f[a] = i32[index]!;
            f[a + 1] = i32[index + 1]!;
          } else if (loadSlow(machine, x[b]!, x[b + 1]!, c, 8)) {
            f[a] = machine.valueLow;
            f[a + 1] = machine.valueHigh;
          } else {
            stop = STOP.loadFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          break;
        }
        case 67: { // fsw
          const address = (x[b]! + c) | 0;
          if (x[b + 1] === 0 && (address & 3) === 0 && (pageFlags[address >>> 12]! & STORE_MASK) === STORE_FAST) {
            i32[(address - BIAS) >>> 2] = f[a]!;
          } else if (!storeSlow(machine, x[b]!, x[b + 1]!, c, 4, f[a]!, 0)) {
            stop = STOP.storeFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          break;
        }
        case 68: { // fsd
          const address = (x[b]! + c) | 0;
          if (x[b + 1] === 0 && (address & 7) === 0 && (pageFlags[address >>> 12]! & STORE_MASK) === STORE_FAST) {
            const index = (address - BIAS) >>> 2;
            i32[index] = f[a]!;
            i32[index + 1] = f[a + 1]!;
          } else if (!storeSlow(machine, x[b]!, x[b + 1]!, c, 8, f[a]!, f[a + 1]!)) {
            stop = STOP.storeFault;
            left++;
            pc = base + (at >> 1);
            break page;
          }
          break;
        }
        case 69: { // mul
          const first = x[b]!;
          const second = x[c]!;
          const cross = Math.imul(first, x[c + 1]!) + Math.imul(x[b + 1]!, second);
          x[a + 1] = multiplyHighWord(first, second) + cross;
          x[a] = Math.imul(first, second);
          break;
        }
        case 70: { // mulw
          const low = Math.imul(x[b]!, x[c]!);
          x[a] = low;
          x[a + 1] = low >> 31;
          break;
        }
        case 71: { // sh1add
          const first = x[b]!;
          const second = x[c]!;
          const low = ((first << 1) + second) | 0;
          x[a + 1] = ((x[b + 1]! << 1) | (first >>> 31)) + x[c + 1]! + ((low >>> 0) < (second >>> 0) ? 1 : 0);
          x[a] = low;
          break;
        }
        case 72: { // sh2add
          const first = x[b]!;
          const second = x[c]!;
          const low = ((first << 2) + second) | 0;
          x[a + 1] = ((x[b + 1]! << 2) | (first >>> 30)) + x[c + 1]! + ((low >>> 0) < (second >>> 0) ? 1 : 0);
          x[a] = low;
          break;
        }
        case 73: { // sh3add
          const first = x[b]!;
          const second = x[c]!;
          const low = ((first << 3) + second) | 0;
          x[a + 1] = ((x[b + 1]! << 3) | (first >>> 29)) + x[c + 1]! + ((low >>> 0) < (second >>> 0) ? 1 : 0);
          x[a] = low;
          break;
        }
        case 74: { // add.uw
          const first = x[b]!;
          const low = (first + x[c]!) | 0;
          x[a + 1] = x[c + 1]! + ((low >>> 0) < (first >>> 0) ? 1 : 0);
          x[a] = low;
          break;
        }
        case 75: // ecall
          left++;
          pc = base + (at >> 1);
          stop = STOP.syscall;
          break page;
        case 76: // ebreak
          left++;
          pc = base + (at >> 1);
          stop = machine.fault(STOP.breakpoint, pc, 0);
          break page;
        case 77: // enter
          left++;
          pc = base + (at >> 1);
          stop = PAUSE.enter;
          break page;
        default:
          break;
      }
      at += head >>> 8;
    }
  }
  control[CONTROL.pc] = pc;
  control[CONTROL.pcHigh] = pcHigh;
  machine.executed = budget - left;
  if (isTrap(stop)) machine.clearReservation();
  return stop;
}
