/** Where functions begin, found in stripped code: against the symbol table of a real program, which the finder does not see. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { GuestMemory } from '../../src/engine/index.ts';
import { FunctionStarts, PAGE_FLAG } from '../../src/isa/index.ts';
import { parseElf } from '../../src/posix/index.ts';

const PROGRAM = join(resolve(import.meta.dirname, '../..'), 'build/guests/real/lua');
const PAGE = 4096;

function load(): { readonly memory: GuestMemory; readonly code: readonly [number, number] } {
  const bytes = readFileSync(PROGRAM);
  const memory = new GuestMemory(1 << 26);
  let code: readonly [number, number] = [0, 0];
  for (const { address, fileOffset, fileBytes, protection } of parseElf(bytes, { machine: 243 }).segments) {
    const [first, last] = [Math.floor(address / PAGE), Math.floor((address + fileBytes - 1) / PAGE)];
    memory.setRights(first, last - first + 1, PAGE_FLAG.read | PAGE_FLAG.write);
    memory.write(address, bytes.subarray(fileOffset, fileOffset + fileBytes));
    if ((protection & 4) === 0) continue;
    memory.setRights(first, last - first + 1, PAGE_FLAG.read | PAGE_FLAG.execute);
    code = [address, address + fileBytes];
  }
  return { memory, code };
}

it('finds most functions of a stripped program, and little else', () => {
  const { memory, code: [from, to] } = load();
  const starts = new FunctionStarts(memory);
  for (let address = from; address < to; address += PAGE) starts.lookAround(address);
  const symbols = new Set(execFileSync('riscv64-linux-gnu-nm', [PROGRAM], { encoding: 'utf8' }).split('\n').filter((line) => / [tTwWi] /.test(line)).map((line) => parseInt(line, 16)));
  const inCode = [...symbols].filter((address) => address >= from && address < to);
  const found: number[] = [];
  for (let address = from & ~1; address < to; address += 2) if (starts.has(address)) found.push(address);
  expect(inCode.length).toBeGreaterThan(1000);
  expect(inCode.filter((address) => starts.has(address)).length / inCode.length).toBeGreaterThan(0.75);
  expect(found.filter((address) => !symbols.has(address)).length / found.length).toBeLessThan(0.1);
});

it('tells the nearest beginning at or below a place', () => {
  const { memory, code: [from] } = load();
  const starts = new FunctionStarts(memory);
  starts.add(from + 100);
  starts.add(from + 40);
  expect([from + 39, from + 40, from + 99, from + 100, from + 5000].map((address) => starts.before(address))).toEqual([undefined, from + 40, from + 40, from + 100, from + 100]);
});
