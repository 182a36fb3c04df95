/**
 * The image of a run: from what `--image` names to one tree below the guest's files.
 *
 *   recorded    layers ─► their bytes in the store as chunks ─► catalog in the store ─► its digest in the manifest; read back from there
 *   ephemeral   layers ─► catalog without hashes, bytes read where they lie
 *
 * Invariants: what a guest reads comes from the store and was verified by hash (recorded), or from a file that has not changed since the start
 * (ephemeral). What this does NOT do: decide what a name in the guest means.
 */
import { statSync } from 'node:fs';
import { blobHash, limits, StillpointError, type BlobHash, type Digests } from '../core/index.ts';
import { chunkedRead, chunksOf, emptyDirectory, encodeCatalog, ImageCatalog, layerFromTar, layOver, mountedAt, type ImageTree, type LayerDirectory, type LayerFile } from '../image/index.ts';
import { FileSource, imageError } from '../image/live/file-source.ts';
import { layerFromDirectory } from '../image/live/layer-from-directory.ts';
import { blobKey, type GenesisFrame } from '../journal/index.ts';
import { decodeManifest, type ImageSetting } from '../manifest/index.ts';
import type { Store, StorePut } from '../store/index.ts';
import type { StoreContext } from '../txn/index.ts';

/** Chunks written in one commit: bounded memory, few syncs. */
const COMMIT_BYTES = 16 * 1024 * 1024;
const NO_HASH = new Uint8Array(32);

/** Throws E_IMAGE_OPEN before anything on the host is made. */
export function refuseMissingImages(settings: readonly ImageSetting[]): void {
  for (const { source } of settings) isDirectory(source);
}

/** The tree for a recorded run; everything it needs is in the store when this resolves. */
export async function importImages(context: StoreContext, settings: readonly ImageSetting[]): Promise<ImageTree | undefined> {
  if (settings.length === 0) return undefined;
  const { layer, close } = await openLayers(settings);
  try {
    return openImage(context, await storeLayer(context, layer));
  } finally {
    close();
  }
}

/** The tree for a run without record, and what to call when the run is over. */
export async function openImages(settings: readonly ImageSetting[]): Promise<{ readonly tree: ImageTree | undefined; readonly close: () => void }> {
  if (settings.length === 0) return { tree: undefined, close: () => {} };
  const { layer, close } = await openLayers(settings);
  const { bytes, files } = encodeCatalog(layer, ({ size }) => hashList(size));
  const read = (file: number, offset: number, length: number): Uint8Array => {
    const content = files.get(file)!.bytes;
    if (content.kind === 'chunks') throw new Error('assertion failed: a layer from the host has its bytes there');
    return content.read(offset, length);
  };
  return { tree: new ImageCatalog(bytes, { digest: '', read: () => read }), close };
}

function hashList(size: number): Uint8Array {
  const count = Math.ceil(size / limits.IMAGE_CHUNK_BYTES);
  return count === 1 ? NO_HASH : new Uint8Array(32 * count);
}

/** An image that the store holds. Throws E_BLOB_MISSING, E_BLOB_DAMAGED, E_IMAGE_FORMAT. */
export function openImage(context: StoreContext, digest: BlobHash): ImageTree {
  return openCatalog(context, digest);
}

function openCatalog({ store, digests }: StoreContext, digest: BlobHash): ImageCatalog {
  const bytes = readBlob(store, digests, digest);
  return new ImageCatalog(bytes, { digest, read: chunkedRead(cached((hash) => readBlob(store, digests, blobHash(hash)))) });
}

/** What the image of a run needs, for the collector: its catalog and chunks, each image once. Throws what damage there is rather than losing content. */
export function blobsOfImages(context: StoreContext): (genesis: GenesisFrame) => Iterable<BlobHash> {
  const known = new Set<BlobHash>();
  return function* (genesis) {
    const { image } = decodeManifest(genesis.manifest);
    if (image === undefined || known.has(image)) return;
    yield image;
    for (const hash of openCatalog(context, image).chunkHashes()) yield blobHash(hash);
    known.add(image);
  };
}

interface OpenLayers { readonly layer: LayerDirectory; readonly close: () => void }

/** All layers laid over each other, lowest first. */
async function openLayers(settings: readonly ImageSetting[]): Promise<OpenLayers> {
  if (settings.length > limits.IMAGE_LAYERS_MAX) throw new StillpointError('E_IMAGE_LIMIT', `there are ${settings.length} images, at most ${limits.IMAGE_LAYERS_MAX} can be given`);
  const layer = emptyDirectory();
  const sources: FileSource[] = [];
  const close = (): void => { for (const source of sources) source.close(); };
  try {
    for (const setting of settings) layOver(layer, mountedAt(await openLayer(setting, sources), Buffer.from(setting.mount).toString('latin1')));
  } catch (error) {
    close();
    throw error;
  }
  return { layer, close };
}

async function openLayer({ source }: ImageSetting, sources: FileSource[]): Promise<LayerDirectory> {
  if (isDirectory(source)) return layerFromDirectory(source);
  const file = await FileSource.openPlain(source);
  sources.push(file);
  return layerFromTar(file, source);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    throw imageError(path, cause);
  }
}

/** Puts a layer's bytes and its catalog into the store: the catalog's digest. */
async function storeLayer(context: StoreContext, layer: LayerDirectory): Promise<BlobHash> {
  const { store, digests } = context;
  const hashes = new Map<LayerFile, Uint8Array>();
  const writer = new ChunkWriter(store);
  for (const file of filesOf(layer)) {
    const list: Uint8Array[] = [];
    const { bytes } = file;
    if (bytes.kind === 'chunks') hashes.set(file, bytes.hashes);
    else {
      for (const chunk of chunksOf(file.size, bytes.read)) {
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

function readBlob(store: Store, digests: Digests, hash: BlobHash): Uint8Array {
  const bytes = store.get('blobs', blobKey(hash));
  if (bytes === undefined) throw new StillpointError('E_BLOB_MISSING', `a part of the image (${hash.slice(0, 16)}) is not in the store`, { data: { hash } });
  const got = digests.sha256(bytes);
  if (got !== hash) throw new StillpointError('E_BLOB_DAMAGED', `a part of the image (${hash.slice(0, 16)}) does not have the bytes its hash promises`, { data: { expected: hash, got } });
  return bytes;
}

/** Keeps the chunks that were read last. */
function cached(load: (hash: string) => Uint8Array): (hash: string) => Uint8Array {
  const known = new Map<string, Uint8Array>();
  let held = 0;
  return (hash) => {
    const bytes = known.get(hash) ?? load(hash);
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
