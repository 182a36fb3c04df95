/**
 * Machines for the tests of transactions: the guest programs built once, machines in memory or in a store of their own, requests in one line.
 * What this does NOT do: judge.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openMachine, type EngineName, type Machine, type MachineRequest, type Transaction } from '../../src/index.ts';
export { random } from '../random.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Path of a static executable of test/machine/guests/NAME.c. */
export function guestProgram(name: string): string {
  const source = join(import.meta.dirname, 'guests', `${name}.c`);
  const directory = join(ROOT, 'build/machine-guests');
  const output = join(directory, `${name}-${createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12)}`);
  if (existsSync(output)) return output;
  mkdirSync(directory, { recursive: true });
  execFileSync('riscv64-linux-gnu-gcc', ['-O2', '-static', '-pthread', '-w', '-o', `${output}.${process.pid}`, source]);
  renameSync(`${output}.${process.pid}`, output);
  return output;
}

export const engines: readonly EngineName[] = ['interpret', 'wasm', 'translate'];

/** A ledger machine whose guest waits for its first request. */
export async function ledger(options: Partial<MachineRequest> = {}): Promise<Machine> {
  return waiting(await openMachine({ program: guestProgram('ledger'), out: ['log'], memory: '16M', ...options }));
}

/** Lets the guest come to its first request. */
export async function waiting(machine: Machine): Promise<Machine> {
  await machine.transact(async (transaction) => { await transaction.run(); });
  return machine;
}

/** One request, one answer, inside a transaction. */
export async function ask(transaction: Transaction, request: string): Promise<string> {
  transaction.send('stdin', request);
  await transaction.run();
  return transaction.readText('stdout');
}

/** A directory that goes away with the test process's end of the suite. */
export function scratch(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'stillpoint-machine-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A code of a StillpointError that `action` throws. */
export async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return 'nothing was thrown';
}

