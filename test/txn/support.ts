/** What the tests of txn share: owners, small runs, a seeded generator. */
import { createRun, openRun, type IsAlive, type NewRun, type Owner, type RunWriter, type StoreContext } from '../../src/txn/index.ts';
import { runId, type FreshFrame } from '../../src/journal/index.ts';
import { MemoryStore, type Store } from '../../src/store/index.ts';
import { at, digests } from '../journal/support.ts';
export { generator } from '../random.ts';

export const PROGRAM: Uint8Array = new TextEncoder().encode('a program');
export const owner = (token: string): Owner => ({ host: 'host-1', pid: 42, started: '1000', token });
export const allDead: IsAlive = () => false;
export const allAlive: IsAlive = () => true;

export function contextOf(store: Store = new MemoryStore()): StoreContext {
  return { store, digests };
}

export function newRun(name: string, more: Partial<NewRun> = {}): NewRun {
  const id = runId(digests.sha256(new TextEncoder().encode(name)).slice(0, 32));
  return { name, id, createdMs: 1_700_000_000_000, bindings: '{}', owner: owner('creator'), manifest: Uint8Array.of(9), program: PROGRAM, recorder: 'test', ...more };
}

export const create = (context: StoreContext, name: string, more: Partial<NewRun> = {}): Promise<RunWriter> => createRun(context, newRun(name, more));
export const take = (context: StoreContext, name: string, token: string): Promise<RunWriter> => openRun(context, { name, owner: owner(token), isAlive: allDead });
export const input = (instructions: bigint, offset: number, text: string): FreshFrame => ({ kind: 'input', at: at(instructions), channel: 'stdin', offset, bytes: new TextEncoder().encode(text) });
export const exitFrame = (instructions: bigint, status = 0): FreshFrame => ({ kind: 'exit', at: at(instructions), outcome: { kind: 'exited', status }, root: digests.sha256(PROGRAM) });

