/** The Linux ABI: layouts compared with what the cross compiler says about the C structs. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CONTROL, riscv64, STOP } from '../../src/isa/index.ts';
import { CODE, DATA, Guest } from './guest.ts';

const { abi } = riscv64;

/** sizeof and offsetof as the target's own headers have them. */
function targetLayout(): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'isa-abi-'));
  try {
    writeFileSync(join(folder, 'l.c'), `#include <asm/sigcontext.h>\n#include <elf.h>\n#include <stddef.h>\n#include <stdio.h>
      int main(void) { printf("%zu %zu %zu %zu %d", sizeof(struct sigcontext), offsetof(struct sigcontext, sc_fpregs.d),
        offsetof(struct sigcontext, sc_fpregs.d.fcsr), offsetof(struct sigcontext, sc_regs.a0), EM_RISCV); return 0; }`);
    execFileSync('riscv64-linux-gnu-gcc', ['-static', '-o', join(folder, 'l'), join(folder, 'l.c')]);
    return execFileSync('qemu-riscv64', [join(folder, 'l')], { encoding: 'utf8' }).split(' ').map(Number);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('the Linux riscv64 ABI', () => {
  it('lays out the machine context as the headers of the target say', () => {
    const [size, floats, fcsr, a0, machine] = targetLayout();
    const guest = new Guest('nop');
    guest.setX(10, 0x1122334455667788n);
    guest.cpu.state.f[0] = 0x1234;
    guest.cpu.state.control[CONTROL.fcsr] = 0xa5;
    const bytes = new Uint8Array(abi.signalContextBytes);
    abi.saveContext(guest.cpu.state, bytes);
    const view = new DataView(bytes.buffer);
    expect([bytes.length, abi.signalContextBytes, abi.elfMachine]).toEqual([size, size, machine]);
    expect(view.getBigUint64(a0!, true)).toBe(0x1122334455667788n);
    expect(view.getBigUint64(0, true)).toBe(BigInt(CODE));
    expect([view.getUint32(floats!, true), view.getUint32(fcsr!, true)]).toEqual([0x1234, 0xa5]);
  });

  it('restores every register that it saves', () => {
    const guest = new Guest('nop');
    for (let index = 1; index < 32; index++) guest.setX(index, BigInt(index) * 0x0101010101010101n);
    guest.cpu.state.f.forEach((_, index) => { guest.cpu.state.f[index] = -index * 77; });
    guest.cpu.state.control[CONTROL.fcsr] = 0x7f;
    const bytes = new Uint8Array(abi.signalContextBytes);
    abi.saveContext(guest.cpu.state, bytes);
    const before = guest.picture();
    abi.startProgram(guest.cpu.state, { entry: 0, stackPointer: 0 });
    abi.restoreContext(guest.cpu.state, bytes);
    expect(guest.picture()).toEqual(before);
  });

  it('starts a program with zero registers but sp', () => {
    const guest = new Guest('nop');
    for (let index = 1; index < 32; index++) expect(guest.x(index)).toBe(index === 2 ? BigInt(DATA + 8192) : 0n);
    expect(abi.stackPointer(guest.cpu.state)).toBe(BigInt(DATA + 8192));
    expect(abi.programCounter(guest.cpu.state)).toBe(BigInt(CODE));
  });

  it('starts a thread after its system call, with result 0 and its own sp and tp', () => {
    const guest = new Guest('ecall');
    abi.startThread(guest.cpu.state, { stackPointer: 0x80001000, threadPointer: 0x1234 });
    expect([guest.x(10), guest.x(2), guest.x(4), guest.pc]).toEqual([0n, 0x80001000n, 0x1234n, CODE + 4]);
  });

  it('enters a handler with signal, siginfo, ucontext and a return address', () => {
    const guest = new Guest('nop');
    abi.enterHandler(guest.cpu.state, { handler: 0x9000, signal: 11, siginfo: 0x100, context: 0x200, stackPointer: 0x300, returnAddress: 0x400 });
    expect([10, 11, 12, 2, 1].map((index) => guest.x(index))).toEqual([11n, 0x100n, 0x200n, 0x300n, 0x400n]);
    expect(guest.pc).toBe(0x9000);
  });

  it('returns from a signal by rt_sigreturn', () => {
    const guest = new Guest(abi.signalReturnCode);
    expect(guest.run()).toBe(STOP.syscall);
    expect(abi.syscallNumber(guest.cpu.state)).toBe(139);
  });

  it('reads arguments as halves and takes results as numbers or 64-bit integers', () => {
    const guest = new Guest('ecall');
    guest.setX(13, 0x89abcdef01234567n);
    expect([abi.argumentLow(guest.cpu.state, 3), abi.argumentHigh(guest.cpu.state, 3)]).toEqual([0x01234567, 0x89abcdef | 0]);
    abi.completeSyscall(guest.cpu.state, 0x123456789abcn);
    expect(guest.x(10)).toBe(0x123456789abcn);
  });

  it('announces I M A F D C to programs', () => {
    expect(abi.hardwareCapabilities).toBe(0x112dn);
  });
});
