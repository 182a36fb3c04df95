/**
 * Deletes recorded programs and inputs that no journal names any more. Only called while no run is being executed.
 */
import type { BlobHash } from '../core/index.ts';
import { blobKey } from '../journal/index.ts';
import type { Store, StoreDelete } from '../store/index.ts';

/** Deletes in one commit this many: bounded memory and pauses. */
const BATCH = 1000;

/** How many were deleted. */
export async function collectBlobs(store: Store, live: ReadonlySet<BlobHash>): Promise<number> {
  const keep = new Set([...live].map((hash) => blobKey(hash).join()));
  const dead: StoreDelete[] = [];
  for (const { key } of store.range('blobs', { from: new Uint8Array([0]), to: new Uint8Array(33).fill(0xff) })) if (!keep.has(key.join())) dead.push({ table: 'blobs', key });
  for (let start = 0; start < dead.length; start += BATCH) await store.commit({ deletes: dead.slice(start, start + BATCH) });
  return dead.length;
}
