/** Every lie of an ELF file is named by its own code, and no mangled file does anything worse. */
import { describe, expect, test } from 'vitest';
import { StillpointError } from '../../../src/core/index.ts';
import { parseElf } from '../../../src/posix/index.ts';
import { buildElf, CODE_ADDRESS, type Lie, type Load } from './elf-builder.ts';
import { bootGuest, describeStop, loadProgram } from './run-guest.ts';

const machine = 243;

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof StillpointError) return error.code;
    throw error;
  }
  return 'accepted';
}

function check(rule: string, expected: string, loads: readonly Load[] = [{}], lie: Lie = {}): void {
  test(rule, () => expect(codeOf(() => parseElf(buildElf(loads, lie), { machine }))).toBe(expected));
}

describe('the ELF header', () => {
  check('a truthful file is accepted', 'accepted');
  check('a static-pie file is accepted', 'accepted', [{ address: 0 }], { type: 3, entry: 0 });
  test('an empty file is named', () => expect(codeOf(() => parseElf(new Uint8Array(0), { machine }))).toBe('E_PROGRAM_EMPTY'));
  test('a text file is no ELF', () => expect(codeOf(() => parseElf(new TextEncoder().encode('#!/bin/sh\n'), { machine }))).toBe('E_ELF_MAGIC'));
  test('two bytes of the magic number are no ELF', () => expect(codeOf(() => parseElf(Uint8Array.of(0x7f, 0x45), { machine }))).toBe('E_ELF_MAGIC'));
  check('a file that ends in the header is truncated', 'E_ELF_TRUNCATED', [{}], { sizeBytes: 40 });
  check('32-bit files are refused', 'E_ELF_CLASS', [{}], { class: 1 });
  check('big-endian files are refused', 'E_ELF_CLASS', [{}], { data: 2 });
  check('an unknown version is refused', 'E_ELF_HEADER', [{}], { version: 2 });
  check('x86-64 files are refused', 'E_ELF_MACHINE', [{}], { machine: 62 });
  check('object files are refused', 'E_ELF_KIND', [{}], { type: 1 });
  check('core files are refused', 'E_ELF_KIND', [{}], { type: 4 });
  check('program headers beyond the end are truncated', 'E_ELF_TRUNCATED', [{}], { headersOffset: 0x2fff });
  check('program headers at a huge offset are truncated', 'E_ELF_TRUNCATED', [{}], { headersOffset: Number.MAX_SAFE_INTEGER });
  check('no program headers at all', 'E_ELF_HEADER', [{}], { headersCount: 0 });
  check('too many program headers', 'E_ELF_HEADER', [{}], { headersCount: 129 });
  check('odd program header size', 'E_ELF_HEADER', [{}], { entryBytes: 32 });
  check('odd ELF header size', 'E_ELF_HEADER', [{}], { headerBytes: 52 });
  check('nothing to load', 'E_ELF_HEADER', [{ type: 2 }]);
});

describe('segments', () => {
  check('more in the file than in memory', 'E_ELF_SEGMENT', [{ fileBytes: 0x200, memoryBytes: 0x100 }]);
  check('bytes beyond the end of the file', 'E_ELF_TRUNCATED', [{ fileBytes: 0x9000 }]);
  check('an offset beyond 2^53', 'E_ELF_TRUNCATED', [{ offset: 2 ** 60 }]);
  check('a memory size of exabytes', 'E_ELF_TOO_LARGE', [{ memoryBytes: 2 ** 60 }]);
  check('an address beyond the space', 'E_ELF_TOO_LARGE', [{ address: 2 ** 32 }]);
  check('an address that wraps', 'E_ELF_TOO_LARGE', [{ address: 2 ** 63 }]);
  check('an alignment that is no power of two', 'E_ELF_SEGMENT', [{ alignment: 0x3000 }]);
  check('an enormous alignment', 'E_ELF_SEGMENT', [{ alignment: 2 ** 40 }]);
  check('address and offset that disagree', 'E_ELF_SEGMENT', [{ address: CODE_ADDRESS + 8 }]);
  check('an address in the null area', 'E_ELF_SEGMENT', [{ address: 0x1000 }]);
  check('segments that overlap', 'E_ELF_OVERLAP', [{}, { address: CODE_ADDRESS, offset: 0x2000 }]);
  check('segments that overlap by one byte', 'E_ELF_OVERLAP', [{ memoryBytes: 0x1001 }, { address: CODE_ADDRESS + 0x1000, offset: 0x2000 }]);
  check('an entry outside', 'E_ELF_ENTRY', [{}], { entry: 0x5_0000 });
  check('an entry in data', 'E_ELF_ENTRY', [{ flags: 6 }]);
  check('an odd entry', 'E_ELF_ENTRY', [{}], { entry: CODE_ADDRESS + 1 });
  test('a dynamic program asks for its loader', () => {
    expect(codeOf(() => bootGuest(buildElf([{}, { type: 3, offset: 0x2000, fileBytes: 4 }], {})))).toBe('E_ELF_DYNAMIC');
  });
  test('a program larger than the memory is refused', () => {
    expect(codeOf(() => bootGuest(buildElf([{ memoryBytes: 60 * 2 ** 20 }]), { memoryBytes: 32 * 2 ** 20 }))).toBe('E_ELF_TOO_LARGE');
  });
});

test('a bare image linked at 0x80000000 runs', () => {
  // li a0, 9; li a7, 93; ecall
  const code = [0x13, 0x05, 0x90, 0x00, 0x93, 0x08, 0xd0, 0x05, 0x73, 0x00, 0x00, 0x00];
  const guest = bootGuest(buildElf([{ address: 0x8000_0000, flags: 7, memoryBytes: 0x5000 }], { entry: 0x8000_0000 }, code));
  expect(describeStop(guest.run(100))).toBe('exit 9');
  expect(guest.retired).toBe(3n);
});

test('no truncation and no flipped byte of the headers does anything but a code or an accepted file', () => {
  const program = loadProgram('hello').subarray(0, 0x2000);
  for (let length = 0; length < 600; length++) expect(codeOf(() => parseElf(program.slice(0, length), { machine }))).toMatch(/^E_(ELF|PROGRAM)_/);
  const whole = loadProgram('hello');
  for (let at = 0; at < 64 + 56 * 8; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const bad = whole.slice();
      bad[at]! ^= flip;
      expect(codeOf(() => parseElf(bad, { machine }))).toMatch(/^(accepted|E_(ELF|PROGRAM)_.*)$/);
    }
  }
});
