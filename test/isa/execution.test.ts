/** Faults, page edges, self-modifying code, budgets, counters: what the interpreter promises around the meaning of instructions. */
import { describe, expect, it } from 'vitest';
import { CONTROL, PAGE_FLAG, STOP, type Stop } from '../../src/isa/index.ts';
import { INSTRUCTIONS } from '../../src/isa/riscv/instruction-table.ts';
import { assemble, CODE, DATA, Guest } from './guest.ts';
import { EDGES, Random, SEED } from './random.ts';

const A0 = 10;
const A1 = 11;
const A2 = 12;
/** DATA has two pages; the third is absent. */
const DATA_END = BigInt(DATA + 8192);

/** One instruction with a1 = address and a2 = a pattern must stop so, at itself, with this address, and change nothing. */
function checkFault(text: string, address: bigint, stop: Stop, at: bigint, prepare?: (guest: Guest) => void): void {
  const guest = new Guest(`nop;${text};nop`);
  guest.setX(A1, address);
  guest.setX(A2, 0x1122334455667788n);
  prepare?.(guest);
  expect(guest.run(1)).toBe(STOP.budget);
  const before = guest.picture();
  const pc = guest.pc;
  expect(guest.run(), text).toBe(stop);
  expect(guest.cpu.faultAddress, text).toBe(at);
  expect(guest.pc).toBe(pc);
  expect(guest.cpu.retired).toBe(1n);
  expect(guest.picture()).toEqual(before);
}

describe('a data fault is precise and has no effect', () => {
  const absent = 0x90000n;
  for (const load of ['lb', 'lbu', 'lh', 'lhu', 'lw', 'lwu', 'ld']) {
    it(`${load} from an absent page`, () => checkFault(`${load} a0,8(a1)`, absent, STOP.loadFault, absent + 8n));
    it(`${load} to x0 faults as well`, () => checkFault(`${load} x0,8(a1)`, absent, STOP.loadFault, absent + 8n));
    it(`${load} with an upper address bit`, () => checkFault(`${load} a0,0(a1)`, 0x100000000n + BigInt(DATA), STOP.loadFault, 0x100000000n + BigInt(DATA)));
    it(`${load} with the top address bit`, () => checkFault(`${load} a0,-8(a1)`, 0x8000000000000008n, STOP.loadFault, 0x8000000000000000n));
  }
  for (const load of ['flw', 'fld']) it(`${load} from an absent page`, () => checkFault(`${load} fa0,0(a1)`, absent, STOP.loadFault, absent));
  for (const store of ['sb', 'sh', 'sw', 'sd']) {
    it(`${store} to an absent page`, () => checkFault(`${store} a2,8(a1)`, absent, STOP.storeFault, absent + 8n));
    it(`${store} to a read-only page`, () => checkFault(`${store} a2,0(a1)`, BigInt(CODE), STOP.storeFault, BigInt(CODE)));
    it(`${store} with an upper address bit`, () => checkFault(`${store} a2,0(a1)`, 0xffffffff00000000n + BigInt(DATA), STOP.storeFault, 0xffffffff00000000n + BigInt(DATA)));
  }
  for (const store of ['fsw', 'fsd']) it(`${store} to a read-only page`, () => checkFault(`${store} fa2,0(a1)`, BigInt(CODE), STOP.storeFault, BigInt(CODE)));
  it('an offset that wraps below zero', () => checkFault('lw a0,-8(a1)', 4n, STOP.loadFault, 0xfffffffffffffffcn));
  it('an offset that wraps past 2^32', () => checkFault('lw a0,8(a1)', 0xfffffffcn, STOP.loadFault, 0x100000004n));
  it('the null pointer', () => checkFault('ld a0,0(a1)', 0n, STOP.loadFault, 0n));
  it('a load across the end reports the second page', () => checkFault('ld a0,0(a1)', DATA_END - 4n, STOP.loadFault, DATA_END));
  it('a load across the start reports the access', () => checkFault('ld a0,0(a1)', BigInt(DATA) - 4n, STOP.loadFault, BigInt(DATA) - 4n));
  it('a store across the end writes nothing', () => checkFault('sd a2,0(a1)', DATA_END - 1n, STOP.storeFault, DATA_END));
  it('a store across the start writes nothing', () => checkFault('sh a2,0(a1)', BigInt(DATA) - 1n, STOP.storeFault, BigInt(DATA) - 1n));
  it('a page without the read right', () =>
    checkFault('lb a0,0(a1)', BigInt(DATA), STOP.loadFault, BigInt(DATA), (guest) => guest.memory.setRights(DATA >>> 12, 1, PAGE_FLAG.execute)));
});

describe('atomics', () => {
  it('lr is a load fault', () => checkFault('lr.d a0,(a1)', 0x90000n, STOP.loadFault, 0x90000n));
  it('amo is a store fault, also when nothing is there to read', () => checkFault('amoadd.w a0,a2,(a1)', 0x90000n, STOP.storeFault, 0x90000n));
  it('amo on a read-only page is a store fault', () => checkFault('amoor.d a0,a2,(a1)', BigInt(CODE), STOP.storeFault, BigInt(CODE)));
  it('sc on a read-only page is a store fault', () => checkFault('sc.w a0,a2,(a1)', BigInt(CODE), STOP.storeFault, BigInt(CODE)));
  for (const [text, offset] of [['lr.w a0,(a1)', 2n], ['lr.d a0,(a1)', 4n], ['sc.d a0,a2,(a1)', 4n], ['amoswap.w a0,a2,(a1)', 1n], ['amomax.d a0,a2,(a1)', 4n]] as const) {
    it(`${text} at a misaligned address`, () => checkFault(text, BigInt(DATA) + offset, STOP.misaligned, BigInt(DATA) + offset));
  }
  it('a reservation survives slices and ends at a trap', () => {
    const guest = new Guest('lr.w a0,(a1);ebreak;sc.w a0,a2,(a1)');
    guest.setX(A1, BigInt(DATA));
    expect(guest.run(1)).toBe(STOP.budget);
    expect(guest.cpu.state.control[CONTROL.reservationValid]).toBe(1);
    expect(guest.run()).toBe(STOP.breakpoint);
    guest.pc += 2;
    expect(guest.run(1)).toBe(STOP.budget);
    expect(guest.x(A0)).toBe(1n);
  });
});

describe('fetch', () => {
  const code = assemble('c.nop;lui a0,0x12345;ebreak');
  /** `code` two bytes before the end of a page, with the next page as asked. */
  function atPageEnd(second: 'executable' | 'absent' | 'readable'): Guest {
    const bytes = new Uint8Array(8192);
    bytes.set(code, 4092);
    const guest = new Guest(bytes, { isWritable: true });
    if (second !== 'executable') guest.memory.setRights((CODE >>> 12) + 1, 1, second === 'readable' ? PAGE_FLAG.read : 0);
    guest.pc = CODE + 4092;
    return guest;
  }
  it('an instruction across a page boundary works', () => {
    const guest = atPageEnd('executable');
    expect(guest.run()).toBe(STOP.breakpoint);
    expect(guest.x(A0)).toBe(0x12345000n);
    expect(guest.pc).toBe(CODE + 4098);
  });
  for (const second of ['absent', 'readable'] as const) {
    it(`its second half on a page that is ${second} faults there, with the pc at it`, () => {
      const guest = atPageEnd(second);
      expect(guest.run()).toBe(STOP.fetchFault);
      expect(guest.cpu.faultAddress).toBe(BigInt(CODE + 4096));
      expect(guest.pc).toBe(CODE + 4094);
      expect(guest.cpu.retired).toBe(1n);
    });
  }
  it('a changed second half takes effect', () => {
    const guest = atPageEnd('executable');
    guest.run();
    guest.memory.write(CODE + 4096, Uint8Array.of(0x45, 0x67));
    guest.pc = CODE + 4092;
    expect(guest.run()).toBe(STOP.breakpoint);
    expect(guest.x(A0)).toBe(0x67455000n);
  });
  it('a second half that loses its execute right faults after having run', () => {
    const guest = atPageEnd('executable');
    guest.run();
    guest.memory.setRights((CODE >>> 12) + 1, 1, PAGE_FLAG.read);
    guest.pc = CODE + 4092;
    expect(guest.run()).toBe(STOP.fetchFault);
    expect(guest.cpu.faultAddress).toBe(BigInt(CODE + 4096));
  });
  it('running off the last page faults at its end', () => {
    const guest = new Guest(new Uint8Array(4096).fill(1).map((_, index) => index & 1 ? 0 : 1));
    expect(guest.run()).toBe(STOP.fetchFault);
    expect(guest.cpu.retired).toBe(2048n);
    expect(guest.pc).toBe(CODE + 4096);
  });
  it('a jump elsewhere retires, then the fetch faults there', () => {
    for (const target of [0n, 0x100000000n + BigInt(CODE), 0xfffffffffffff000n, BigInt(DATA)]) {
      const guest = new Guest('jalr a0,1(a1)');
      guest.setX(A1, target);
      expect(guest.run()).toBe(STOP.fetchFault);
      expect(guest.cpu.faultAddress).toBe(target);
      expect(guest.cpu.retired).toBe(1n);
      expect(guest.x(A0)).toBe(BigInt(CODE + 4));
    }
  });
  it('a jump below address zero has its upper bits', () => {
    const guest = new Guest('.word 0x8000006f'); // j .-1048576
    expect(guest.run()).toBe(STOP.fetchFault);
    expect(guest.cpu.faultAddress).toBe(BigInt.asUintN(64, BigInt(CODE) - 1048576n));
  });
  it('an odd program counter is misaligned', () => {
    const guest = new Guest('nop');
    guest.pc = CODE + 1;
    expect(guest.run()).toBe(STOP.misaligned);
  });
  it('the budget comes before a fault of the next fetch', () => {
    const guest = new Guest('jr a1');
    expect(guest.run(1)).toBe(STOP.budget);
    expect(guest.run(1)).toBe(STOP.fetchFault);
    expect(guest.cpu.retired).toBe(1n);
  });
});

describe('self-modifying code', () => {
  it('a store to the next instruction takes effect at once, in the same block', () => {
    const guest = new Guest('lla a1,1f;li a2,0x00700513;2: sw a2,0(a1);.option norvc;1: addi a0,zero,1;.option rvc;ebreak', { isWritable: true });
    expect(guest.run()).toBe(STOP.breakpoint);
    expect(guest.x(A0)).toBe(7n);
  });
  it('a loop that rewrites itself counts with its new step each time round', () => {
    // a0 += imm, where the addi's immediate grows by one each time.
    const guest = new Guest('lla a1,1f;li a3,10;li a5,0x00100000;2: .option norvc;1: addi a0,a0,1;.option rvc;lw a2,0(a1);addw a2,a2,a5;sw a2,0(a1);'
      + 'addi a3,a3,-1;bnez a3,2b;ebreak', { isWritable: true });
    expect(guest.run()).toBe(STOP.breakpoint);
    expect(guest.x(A0)).toBe(55n);
  });
  it('an atomic, a misaligned and a floating store are seen too', () => {
    for (const store of ['amoswap.w zero,a2,(a1)', 'sh a2,0(a1);srli a2,a2,16;sh a2,2(a1)', 'fmv.w.x fa0,a2;fsw fa0,0(a1)', 'lr.w a4,(a1);sc.w a4,a2,(a1)']) {
      const guest = new Guest(`lla a1,1f;li a2,0x00700513;li a3,2;3: .balign 4;.option norvc;1: addi a0,zero,1;.option rvc;addi a3,a3,-1;beqz a3,4f;${store};j 3b;4: ebreak`,
        { isWritable: true });
      expect(guest.run(), store).toBe(STOP.breakpoint);
      expect(guest.x(A0), store).toBe(7n);
    }
  });
  it('a kernel write between runs is seen', () => {
    const guest = new Guest('li a0,1;ebreak', { isWritable: true });
    guest.run();
    guest.memory.write(CODE, assemble('li a0,2;ebreak'));
    guest.pc = CODE;
    guest.run();
    expect(guest.x(A0)).toBe(2n);
  });
  it('unmapped code faults, mapped again it runs', () => {
    const guest = new Guest('li a0,1;ebreak', { isWritable: true });
    guest.run();
    guest.memory.discard(CODE >>> 12, 1);
    guest.pc = CODE;
    expect(guest.run()).toBe(STOP.fetchFault);
    guest.memory.install(CODE, assemble('li a0,3;ebreak'));
    guest.memory.setRights(CODE >>> 12, 1, PAGE_FLAG.execute);
    expect(guest.run()).toBe(STOP.breakpoint);
    expect(guest.x(A0)).toBe(3n);
  });
});

describe('stops', () => {
  it('a system call stops at itself; a completed one is stepped over', () => {
    const guest = new Guest('li a7,64;ecall;li a1,5;ebreak');
    expect(guest.run()).toBe(STOP.syscall);
    const { abi } = guest.cpu.isa;
    expect([guest.pc, abi.syscallNumber(guest.cpu.state)]).toEqual([CODE + 4, 64]);
    abi.completeSyscall(guest.cpu.state, -38);
    expect(guest.run()).toBe(STOP.breakpoint);
    expect(guest.x(A0)).toBe(BigInt.asUintN(64, -38n));
  });
  for (const [rule, text] of [['the zero half word', '.half 0'], ['an unknown opcode', '.word 0x0000000b'], ['an unknown csr', 'csrr a0,0x300'],
    ['a write to a counter', '.word 0xc0001573'], ['a reserved compressed form', '.half 0x8002'], ['rounding mode 5', '.word 0x00c5d553']] as const) {
    it(`${rule} is illegal`, () => checkFault(text, 0n, STOP.illegal, BigInt(CODE + 2)));
  }
  it('a dynamic rounding mode is illegal while frm is 5, 6 or 7', () => {
    for (const frm of [5, 6, 7]) {
      checkFault('fadd.d fa0,fa1,fa2', 0n, STOP.illegal, BigInt(CODE + 2), (guest) => { guest.cpu.state.control[CONTROL.fcsr] = frm << 5; });
    }
    const guest = new Guest('fsrmi 4;fadd.d fa0,fa1,fa2;ebreak');
    expect(guest.run()).toBe(STOP.breakpoint);
  });
  it('a static rounding mode and an operation without one ignore frm', () => {
    const guest = new Guest('fsrmi 7;fadd.d fa0,fa1,fa2,rne;fsgnj.d fa0,fa1,fa2;ebreak');
    expect(guest.run()).toBe(STOP.breakpoint);
  });
});

const PROGRAM = `li a0,1;li a1,${DATA};li a3,50;1: add a0,a0,a3;mul a0,a0,a0;sd a0,4(a1);lw a2,7(a1);amoadd.d a4,a0,(a1);divu a5,a0,a3;jal t0,2f;`
  + 'fcvt.d.l fa0,a0;fmadd.d fa1,fa0,fa0,fa1;csrr a6,instret;xor a0,a0,a6;addi a3,a3,-1;bnez a3,1b;ecall;.balign 2048;2: rori a0,a0,7;jr t0';

describe('budgets', () => {
  const whole = new Guest(PROGRAM);
  const stop = whole.run();
  for (const slice of [1, 7, 0]) {
    it(slice === 0 ? `random slices give the same state (seed ${SEED})` : `slices of ${slice} give the same state`, () => {
      expect(stop).toBe(STOP.syscall);
      const random = new Random(SEED);
      const guest = new Guest(PROGRAM);
      let last: Stop = STOP.budget;
      while (last === STOP.budget) {
        const budget = slice === 0 ? 1 + random.below(20) : slice;
        const before = guest.cpu.retired;
        last = guest.run(budget);
        if (last === STOP.budget) expect(guest.cpu.retired - before).toBe(BigInt(budget));
        if (random.below(4) === 0) guest.cpu.dropCaches();
      }
      expect([last, guest.cpu.retired]).toEqual([stop, whole.cpu.retired]);
      expect(guest.picture()).toEqual(whole.picture());
    });
  }
});

describe('counters', () => {
  it('cycle and instret read the instructions retired before them, over 32 bits too', () => {
    const guest = new Guest('nop;rdinstret a0;rdcycle a1;ebreak');
    guest.cpu.retired = 0x1fffffffen;
    guest.run();
    expect([guest.x(A0), guest.x(A1)]).toEqual([0x1ffffffffn, 0x200000000n]);
  });
  it('time reads zero, or a hundredth of the count', () => {
    for (const runs of [0, 1]) {
      const guest = new Guest('nop;rdtime a0;ebreak');
      guest.cpu.retired = 1_234_567_899n;
      guest.cpu.state.control[CONTROL.timeRuns] = runs;
      guest.run();
      expect(guest.x(A0)).toBe(runs === 0 ? 0n : 12_345_679n);
    }
  });
});

it('Zicond follows its formula, with every operand pair of the edges', () => {
  const words = ['czero.eqz', 'czero.nez'].map((name) => INSTRUCTIONS.find((row) => row.mnemonic === name)!.match | (A0 << 7) | (A1 << 15) | (A2 << 20));
  const guest = new Guest(new Uint8Array(Int32Array.from(words).buffer));
  for (const first of EDGES) {
    for (const second of EDGES) {
      guest.setX(A1, first);
      guest.setX(A2, second);
      guest.pc = CODE;
      guest.run(1);
      expect(guest.x(A0)).toBe(second === 0n ? 0n : first);
      guest.run(1);
      expect(guest.x(A0)).toBe(second === 0n ? first : 0n);
    }
  }
});
