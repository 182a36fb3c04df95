/**
 * Which table a record of content belongs to that was found without one, told by its hash or check sum.
 * Invariant: what is told is so: SHA-256 binds the value (of a pack: the hashes of its slots) to the key, the check sum of a segment has the key in it. What this does NOT do: look at the pages of a pack.
 */
import { endsWell, type Digests } from '../core/index.ts';
import { decodeNode, decodeRoot, HASH_BYTES, nodeLevelOf, readHash } from './format.ts';
import { decodeList } from './location-list.ts';
import { decodePack } from './pack-format.ts';
import { packKey } from './pack-writer.ts';
import { isSoundSegment } from './shelf-format.ts';

/** Undefined: none of a snapshot. `value`: a pack as it was before it was shrunk. */
export function snapshotTableOf(digests: Digests, key: Uint8Array, value: Uint8Array): 'nodes' | 'packs' | 'locations' | 'shelves' | undefined {
  if (isSoundSegment({ key, value }, digests)) return 'shelves';
  if (key.length !== HASH_BYTES) return undefined;
  const pack = decodePack(value);
  if (pack !== undefined && readHash(packKey(pack.slots, digests)) === readHash(key)) return 'packs';
  if (digests.sha256(value) !== readHash(key)) return undefined;
  if (decodeList(value) !== undefined) return 'locations';
  return isNode(key, value) ? 'nodes' : undefined;
}

function isNode(key: Uint8Array, value: Uint8Array): boolean {
  const named = { what: 'node', hash: readHash(key) };
  return endsWell(() => {
    const level = nodeLevelOf(value);
    return level === undefined ? decodeRoot(value, named) : decodeNode(value, { ...named, level });
  });
}
