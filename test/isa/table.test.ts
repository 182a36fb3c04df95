/** The tables against themselves, against objdump on compiled code and on random words, and the switch against its list of cases. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { riscv64 } from '../../src/isa/index.ts';
import { CASE } from '../../src/isa/riscv/cases.ts';
import { decode, newDecoded } from '../../src/isa/riscv/decode.ts';
import { INSTRUCTIONS } from '../../src/isa/riscv/instruction-table.ts';
import { isSlow, Random, SEED } from './random.ts';

let folder = '';
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'isa-table-')); });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Line { readonly address: number; readonly bits: number; readonly text: string }

/** objdump's lines: `address: bits mnemonic operands`, without symbols and comments, one space after the mnemonic. */
function objdump(args: readonly string[]): Line[] {
  const output = execFileSync('riscv64-linux-gnu-objdump', ['-D', '-M', 'no-aliases', ...args], { encoding: 'utf8', maxBuffer: 1 << 29 });
  return [...output.matchAll(/^ *([0-9a-f]+):\t([0-9a-f]+) *\t([^\n]*)$/gm)].map(([, address, bits, text]) => ({
    address: parseInt(address!, 16), bits: parseInt(bits!, 16), text: text!.replace(/\s*[#<].*$/, '').replace('\t', ' ').trim(),
  }));
}

function ours({ address, bits }: Line, length: number): string {
  const bytes = Uint8Array.of(bits, bits >>> 8, bits >>> 16, bits >>> 24).subarray(0, length);
  return riscv64.disassemble(bytes, address).text;
}

/** objdump writes branch targets of linked code without 0x. */
const normalise = (text: string): string => text.replace(/\b(c\.)?(j|jal|beqz|bnez|beq|bne|blt|bge|bltu|bgeu)( (?:[a-z0-9]+,)*)(?:0x)?([0-9a-f]+)$/, '$1$2$30x$4');
/** Data; a reserved rounding mode, which objdump prints as such; a reserved form that it does not know to be one. */
const isUnknown = (text: string): boolean => /^\.(2byte|4byte|half|word|short|insn|byte)/.test(text) || /unimp$|,unknown$|^c\.addi16sp sp,0$/.test(text);

/** Extensions that binutils 2.40 decodes and this machine does not have: they trap here. */
const ABSENT = new RegExp([
  '^v', '^th\\.', // Vector; T-Head.
  'f[a-z]+(\\.[a-z]+)?\\.[hq]|^fl[hq]|^fs[hq]|\\.h\\b|\\.q\\b', // Half and quad precision.
  '^(mret|sret|uret|dret|wfi|sfence|hfence|hlv|hlvx|hsv|sinval|hinval|wrs|cbo|prefetch|mnret)', // Privileged, cache blocks, waiting.
  '^csr', // CSRs other than the six.
  '^(clmul|pack|brev8|zip|unzip|xperm|aes|sha|sm3|sm4)', // Carry-less and cryptographic.
].join('|'));

/** What this machine executes and objdump prints as data, with the reason. */
const EXTRA: readonly (readonly [RegExp, string])[] = [
  [/^czero\./, 'Zicond is newer than binutils 2.40'],
  [/^fence/, 'reserved fields of fence are ignored, as the specification asks'],
  [/^fcvt\.d\.(w|wu|s)/, 'objdump fixes the rounding mode of exact conversions to rne; the specification allows any valid one'],
  [/^c\.(nop|addi|lui|slli|srli|srai|mv|add|li)/, 'hints'],
];

describe('the instruction table', () => {
  it('has rows that never overlap and fixed bits inside their mask', () => {
    INSTRUCTIONS.forEach((row, index) => {
      expect(row.match & ~row.mask, row.mnemonic).toBe(0);
      for (const other of INSTRUCTIONS.slice(index + 1)) {
        expect((row.match ^ other.match) & row.mask & other.mask, `${row.mnemonic} ${other.mnemonic}`).not.toBe(0);
      }
    });
    expect(new Set(INSTRUCTIONS.map((row) => row.mnemonic)).size).toBe(INSTRUCTIONS.length);
  });

  it('has a case literal in the switch for each case, with its name beside it', () => {
    const source = readFileSync(resolve(import.meta.dirname, '../../src/isa/riscv/interpreter-table.ts'), 'utf8');
    const literals = [...source.matchAll(/case (\d+):(?: \{)? \/\/ (\S+)/g)].map(([, number, name]) => [name, Number(number)]);
    expect(literals).toEqual(Object.entries(CASE));
    expect(literals.map(([, number]) => number)).toEqual(literals.map((_, index) => index));
  });
});

describe('decode and disassemble against objdump', () => {
  it('agree on compiled code', () => {
    const source = join(folder, 'c.c');
    writeFileSync(source, `#include <stdio.h>\n#include <math.h>\n#include <stdlib.h>
      int main(int n, char **v) { double d = strtod(v[1], 0); printf("%g %g %d\\n", sqrt(d), fma(d, d, 1.0), (int)lrint(d)); return n; }`);
    execFileSync('riscv64-linux-gnu-gcc', ['-O2', '-static', '-march=rv64gc_zba_zbb_zbs', '-o', join(folder, 'c'), source, '-lm']);
    const lines = objdump(['-d', '-j', '.text', join(folder, 'c')]);
    expect(lines.length).toBeGreaterThan(50_000);
    const wrong = lines.filter((line) => !isUnknown(line.text) && ours(line, 4) !== normalise(line.text));
    expect(wrong.slice(0, 40).map((line) => `${line.address.toString(16)} ${line.bits.toString(16)}: ours ${ours(line, 4)}, objdump ${normalise(line.text)}`)).toEqual([]);
  });

  it('agree on every half word', () => {
    const bytes = new Uint8Array(4 * 65536);
    const halves = Array.from({ length: 65536 }, (_, half) => half).filter((half) => (half & 3) !== 3);
    halves.forEach((half, index) => new DataView(bytes.buffer).setUint16(index * 2, half, true));
    compareRaw(bytes.subarray(0, halves.length * 2));
  });

  it(`agree on random words near every opcode (seed ${SEED})`, () => {
    const random = new Random(SEED);
    const words = new Uint32Array(isSlow ? 2_000_000 : 60_000);
    words.forEach((_, index) => {
      const noise = Number(random.next() & 0xffffffffn);
      const row = INSTRUCTIONS[random.below(INSTRUCTIONS.length)]!;
      const kind = random.below(3);
      const near = kind === 0 ? noise | 3 : (row.match | (noise & ~row.mask)) ^ (kind === 1 ? 0 : 1 << (2 + random.below(30)));
      words[index] = (near | 3) & 0x1f ^ 0x1f ? near | 3 : row.match | (noise & ~row.mask); // Bits 0-4 all ones announce a longer instruction.
    });
    compareRaw(new Uint8Array(words.buffer));
  });

  function compareRaw(bytes: Uint8Array): void {
    const path = join(folder, 'raw');
    writeFileSync(path, bytes);
    // An object whose attributes name the extensions; objdump decodes no bit manipulation in a plain binary.
    writeFileSync(`${path}.s`, 'nop\n');
    execFileSync('riscv64-linux-gnu-as', ['-march=rv64gc_zba_zbb_zbs', '-o', `${path}.o`, `${path}.s`]);
    execFileSync('riscv64-linux-gnu-objcopy', ['--update-section', `.text=${path}`, `${path}.o`]);
    const lines = objdump(['-d', '-z', '-j', '.text', `${path}.o`]);
    expect(lines.length).toBeGreaterThan(10_000);
    let legal = 0;
    const wrong: string[] = [];
    for (const line of lines) {
      const length = (line.bits & 3) === 3 ? 4 : 2;
      const mine = ours(line, length);
      const theirs = normalise(line.text);
      if (!isUnknown(mine) && !isUnknown(theirs)) legal++;
      if (!isAgreed(mine, theirs)) wrong.push(`${line.bits.toString(16)}: ours ${mine}, objdump ${theirs}`);
    }
    expect(wrong.slice(0, 40), `seed ${SEED}`).toEqual([]);
    expect(legal).toBeGreaterThan(10_000);
  }

  function isAgreed(mine: string, theirs: string): boolean {
    if (isUnknown(mine)) return isUnknown(theirs) || ABSENT.test(theirs);
    if (isUnknown(theirs)) return EXTRA.some(([pattern]) => pattern.test(mine));
    return mine === theirs || isSpelledDifferently(mine, theirs);
  }

  /** Same instruction, other spelling: named fences, and hints that binutils calls by their meaning. */
  function isSpelledDifferently(mine: string, theirs: string): boolean {
    return (mine.startsWith('fence') && /^(fence|pause)/.test(theirs)) || (/^c\.(slli|srli|srai) /.test(mine) && /^c\.(slli|srli|srai)64/.test(theirs));
  }
});

describe('reserved encodings', () => {
  const check = (bits: number, isLegal: boolean): void => {
    const decoded = newDecoded();
    decode(bits, decoded);
    expect(decoded.operation >= 0, bits.toString(16)).toBe(isLegal);
  };
  const cases: readonly (readonly [string, number, boolean])[] = [
    ['the all-zero half word', 0x0000, false], ['all ones', 0xffffffff, false],
    ['c.addi4spn with immediate 0', 0x0008, false], ['c.addiw to x0', 0x2001, false], ['c.lui with immediate 0', 0x6081, false],
    ['c.addi16sp with immediate 0', 0x6101, false], ['c.lwsp to x0', 0x4002, false], ['c.ldsp to x0', 0x6002, false], ['c.jr x0', 0x8002, false],
    ['the reserved arithmetic rows of C', 0x9c41, false], ['c.fldsp to f0', 0x2002, true], ['c.nop', 0x0001, true], ['c.ebreak', 0x9002, true],
    ['fadd.s with rounding mode 5', 0x00c5d553, false], ['fadd.s with rounding mode 6', 0x00c5e553, false], ['fadd.s with rounding mode 4', 0x00c5c553, true],
    ['fadd with half precision', 0x04c5f553, false], ['csrrs of mstatus', 0x30002573, false], ['csrrs of cycle', 0xc0002573, true],
    ['csrrs of cycle with a source', 0xc0012573, false], ['csrrw of cycle', 0xc0001573, false], ['csrrsi of time with 1', 0xc010e573, false],
    ['csrrsi of time with 0', 0xc0106573, true], ['csrrs of hpmcounter3', 0xc0302573, false], ['wfi', 0x10500073, false], ['slliw by 32', 0x0205151b, false],
    ['lr.w with rs2', 0x1015252f, false], ['amo of bytes', 0x00c5052f, false], ['fence with reserved fields', 0x0ff5050f, true], ['vsetvli', 0x00057557, false],
  ];
  for (const [rule, bits, isLegal] of cases) it(`${rule} is ${isLegal ? 'legal' : 'illegal'}`, () => check(bits, isLegal));
});
