/** examples/bank-ledger does what its page says, twice over one store. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { scratch } from './rig.ts';

const EXAMPLE = resolve(import.meta.dirname, '../../examples/bank-ledger');

it('the bank of the example crashes in a transfer, and its books are right', () => {
  const directory = scratch();
  const program = join(directory.path, 'ledger.elf');
  execFileSync('riscv64-linux-gnu-gcc', ['-O2', '-static', '-march=rv64gc', '-o', program, join(EXAMPLE, 'ledger.c')]);
  const run = (): string => execFileSync(process.execPath, [join(EXAMPLE, 'bank.mjs'), program, join(directory.path, 'store'), join(directory.path, 'records.txt')], { encoding: 'utf8' });
  const page = readFileSync(join(EXAMPLE, 'README.md'), 'utf8');
  expect(page).toContain(run());
  expect(run()).toContain('transfer 1 2 300     done: 400 and 1591 left\ntransfer 1 13 200    E_TXN_FAULT: it never happened\n');
  const records = readFileSync(join(directory.path, 'records.txt'), 'utf8');
  expect(page).toContain(records.split('\n').slice(0, 2).join('\n'));
  expect(records.split('\n').length).toBe(5);
  directory.remove();
});
