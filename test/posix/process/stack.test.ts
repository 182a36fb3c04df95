/** The first stack: layout of the System V ABI as the kernel builds it. */
import { expect, test } from 'vitest';
import { AUX, buildStack } from '../../../src/posix/boot-stack.ts';

const TOP = 0x100_0000;

function build(argv: readonly string[], environment: readonly string[] = []): ReturnType<typeof buildStack> {
  return buildStack({ top: TOP, stackBytes: 8 << 20, argv, environment, fileName: '/bin/p', random: new Uint8Array(16).fill(9), auxiliary: [[AUX.PAGESZ, 4096]] });
}

for (let count = 1; count <= 5; count++) {
  test(`${count} arguments: aligned, in order, terminated`, () => {
    const argv = Array.from({ length: count }, (_, index) => 'x'.repeat(index + 1));
    const stack = build(argv, ['A=1', 'B=']);
    expect(stack).toBeDefined();
    const { bytes, stackPointer } = stack!;
    expect(stackPointer % 16).toBe(0);
    expect(stackPointer + bytes.length).toBe(TOP);
    const view = new DataView(bytes.buffer);
    const word = (index: number): number => Number(view.getBigUint64(index * 8, true));
    const text = (address: number): string => {
      const start = address - stackPointer;
      return String.fromCharCode(...bytes.subarray(start, bytes.indexOf(0, start)));
    };
    expect(word(0)).toBe(count);
    expect(argv.map((_, index) => text(word(1 + index)))).toEqual(argv);
    expect(word(1 + count)).toBe(0);
    expect([text(word(2 + count)), text(word(3 + count)), word(4 + count)]).toEqual(['A=1', 'B=', 0]);
    const aux = new Map<number, number>();
    for (let at = 5 + count; word(at) !== AUX.NULL; at += 2) aux.set(word(at), word(at + 1));
    expect(aux.get(AUX.PAGESZ)).toBe(4096);
    expect(text(aux.get(AUX.EXECFN)!)).toBe('/bin/p');
    expect(aux.get(AUX.RANDOM)).toBe(stack!.randomAddress);
    expect([...bytes.subarray(stack!.randomAddress - stackPointer, stack!.randomAddress - stackPointer + 16)]).toEqual(new Array(16).fill(9));
  });
}

test('arguments beyond a quarter of the stack are too large', () => {
  expect(build(['p', ...new Array<string>(20).fill('y'.repeat(120_000))])).toBeUndefined();
  expect(build(['p', ...new Array<string>(15).fill('y'.repeat(120_000))])).toBeDefined();
});

test('one argument of 128 KiB is too large', () => {
  expect(build(['p', 'y'.repeat(131_072)])).toBeUndefined();
  expect(build(['p', 'y'.repeat(131_071)])).toBeDefined();
});
