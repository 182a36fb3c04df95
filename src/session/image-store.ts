/**
 * Images in a store: bytes in as chunks and a catalog, and back. Table `blobs`, everything under its SHA-256.
 * Invariants: a catalog is written after the chunks it names; every chunk is verified when it is read. Writers hold a lease (txn/leases.ts), so that
 * they may rely on what is there already.
 */
import { blobHash, limits, StillpointError, type BlobHash } from '../core/index.ts';
import { chunkedRead, chunksOf, encodeCatalog, ImageCatalog, type LayerDirectory, type LayerFile, type ReadChunk } from '../image/index.ts';
import { blobKey, type GenesisFrame } from '../journal/index.ts';
import { decodeManifest } from '../manifest/index.ts';
import type { Store, StorePut } from '../store/index.ts';
import type { StoreContext } from '../txn/index.ts';

/** Chunks written in one commit: bounded memory, few syncs. */
const COMMIT_BYTES = 16 * 1024 * 1024;

/** Puts a layer's bytes and its catalog into the store: the catalog's digest. */
export async function storeLayer({ store, digests }: StoreContext, layer: LayerDirectory): Promise<BlobHash> {
  const hashes = new Map<LayerFile, Uint8Array>();
  const writer = new ChunkWriter(store);
  for (const file of filesOf(layer)) {
    const list: Uint8Array[] = [];
    const { bytes } = file;
    if (bytes.kind === 'chunks') hashes.set(file, bytes.hashes);
    else {
      for (const chunk of chunksOf(file.size, (offset, length) => bytes.read(offset, length))) {
        const key = blobKey(digests.sha256(chunk));
        list.push(key);
        await writer.put(key, chunk);
      }
      hashes.set(file, Buffer.concat(list));
    }
  }
  const { bytes } = encodeCatalog(layer, (file) => hashes.get(file)!);
  const digest = digests.sha256(bytes);
  await writer.put(blobKey(digest), bytes);
  await writer.flush();
  return digest;
}

/** Files of a layer, each once. */
function filesOf(layer: LayerDirectory): ReadonlySet<LayerFile> {
  const found = new Set<LayerFile>();
  const todo: LayerDirectory[] = [layer];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    for (const entry of next.entries.values()) {
      if (entry === 'whiteout') continue;
      if (entry.kind === 'directory') todo.push(entry);
      if (entry.kind === 'file') found.add(entry);
    }
  }
  return found;
}

/** Writes what the store does not hold yet, many values in one commit. */
class ChunkWriter {
  readonly #store: Store;
  #puts: StorePut[] = [];
  #bytes = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    if (this.#store.has('blobs', key)) return;
    this.#puts.push({ table: 'blobs', key, value });
    this.#bytes += value.length;
    if (this.#bytes >= COMMIT_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#puts.length === 0) return;
    await this.#store.commit({ puts: this.#puts });
    this.#puts = [];
    this.#bytes = 0;
  }
}

/** An image or layer that the store holds. Throws E_BLOB_MISSING, E_BLOB_DAMAGED, E_IMAGE_FORMAT. */
export function openCatalog(context: StoreContext, digest: BlobHash): ImageCatalog {
  return new ImageCatalog(readBlob(context, digest), { digest, read: chunkedRead(chunkReader(context)) });
}

/** Chunks of the store, those that were read last kept in memory. */
export function chunkReader(context: StoreContext): ReadChunk {
  const known = new Map<string, Uint8Array>();
  let held = 0;
  return (hash) => {
    const bytes = known.get(hash) ?? readBlob(context, blobHash(hash));
    if (!known.delete(hash)) held += bytes.length;
    known.set(hash, bytes);
    for (const [oldest, value] of known) {
      if (held <= limits.IMAGE_CACHE_BYTES) break;
      known.delete(oldest);
      held -= value.length;
    }
    return bytes;
  };
}

function readBlob({ store, digests }: StoreContext, hash: BlobHash): Uint8Array {
  const bytes = store.get('blobs', blobKey(hash));
  if (bytes === undefined) throw new StillpointError('E_BLOB_MISSING', `a part of the image (${hash.slice(0, 16)}) is not in the store`, { data: { hash } });
  const got = digests.sha256(bytes);
  if (got !== hash) throw new StillpointError('E_BLOB_DAMAGED', `a part of the image (${hash.slice(0, 16)}) does not have the bytes its hash promises`, { data: { expected: hash, got } });
  return bytes;
}

/** The image that a run lies over, told by its genesis frame. */
export function imageOfRun(genesis: GenesisFrame): BlobHash | undefined {
  return decodeManifest(genesis.manifest).image;
}

/** The catalog of an image and all its chunks: what must stay in the store while somebody needs the image. Throws what damage there is. */
export function* blobsOfImage(context: StoreContext, image: BlobHash): Generator<BlobHash> {
  yield image;
  for (const hash of openCatalog(context, image).chunkHashes()) yield blobHash(hash);
}
