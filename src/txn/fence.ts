/**
 * The earliest epoch of a coordinator that may still prepare at a participant: what an earlier one has under way must not take effect any more.
 * Table `meta`, key "fence COORDINATOR". Invariant: the epoch only grows, because whoever writes it has read a smaller one in the same commit.
 * What this does NOT do: prepare anything (store-participant.ts, rollback-participant.ts).
 */
import type { Digests } from '../core/index.ts';
import type { StoreDelete, StoreExpectation, StorePut } from '../store/index.ts';
import type { StoreContext } from './ownership.ts';
import type { CoordinatorIdentity } from './participant.ts';
import { decodeRecord, encodeRecord, type RecordKind } from './record.ts';

const FENCE: RecordKind = { format: 'stillpoint-fence', version: 1, damaged: 'E_STORE_CORRUPT' };

/** The fence as it is; epoch 0: there is none. */
export function readFence({ store, digests }: StoreContext, coordinator: string): { readonly epoch: number; readonly expectation: StoreExpectation } {
  const key = fenceKey(coordinator);
  const value = store.get('meta', key);
  return { epoch: value === undefined ? 0 : decodeFence(digests, coordinator, value), expectation: { table: 'meta', key, value } };
}

export function fencePut({ digests }: StoreContext, { id, epoch }: CoordinatorIdentity): StorePut {
  return { table: 'meta', key: fenceKey(id), value: encodeRecord(digests, FENCE, { coordinator: id, epoch }) };
}

/** For a coordinator that never comes again. */
export function fenceDelete({ id }: CoordinatorIdentity): StoreDelete {
  return { table: 'meta', key: fenceKey(id) };
}

/** Throws when it is a fence that cannot be read; false: it is none. */
export function inspectFenceWord({ digests }: StoreContext, key: string, value: Uint8Array): boolean {
  const coordinator = /^fence ([0-9a-f]{16})$/.exec(key)?.[1];
  return coordinator !== undefined && decodeFence(digests, coordinator, value) > 0;
}

function decodeFence(digests: Digests, coordinator: string, bytes: Uint8Array): number {
  const fields = decodeRecord(digests, FENCE, { bytes, subject: { coordinator } });
  const [found, epoch] = [fields.text('coordinator', 16), fields.count('epoch')];
  fields.end();
  if (found !== coordinator || epoch < 1) throw fields.fail('is the fence of another coordinator');
  return epoch;
}

function fenceKey(coordinator: string): Uint8Array {
  return new TextEncoder().encode(`fence ${coordinator}`);
}
