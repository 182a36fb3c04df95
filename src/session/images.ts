/**
 * The image of a run: from what `--image` names to one tree below the guest's files.
 *
 *   recorded    sources ─► layers in the store (once for a source that did not change) ─► laid over each other ─► catalog in the store,
 *               its digest in the manifest; read back from there
 *   ephemeral   sources ─► laid over each other ─► catalog without hashes, bytes read where they lie
 *
 * A source is a path when it has a slash; otherwise it is a name of the store if the store has it, else a path.
 * Invariants: what a guest reads comes from the store and was verified by hash, or from a file that has not changed since the start (ephemeral).
 */
import { resolve } from 'node:path';
import { limits, StillpointError, type BlobHash } from '../core/index.ts';
import {
  decodeImageConfig, emptyDirectory, encodeCatalog, encodeImageConfig, hashAt, ImageCatalog, layOver, mountedAt, readChunks, type ImageConfig, type ImageTree, type LayerDirectory, type ReadChunk,
} from '../image/index.ts';
import { fingerprint } from '../image/live/fingerprint.ts';
import { isDirectory, openSource } from '../image/live/open-source.ts';
import type { ImageSetting } from '../manifest/index.ts';
import { imageSourcePut, readImage, readImageSource, type StoreContext } from '../txn/index.ts';
import { wallClockMs } from './host.ts';
import type { RunImage } from './image-config.ts';
import { chunkReader, openCatalog, storeLayer } from './image-store.ts';

/** Throws E_IMAGE_OPEN before anything on the host is made. What may be a name of a store that is there is looked up later. */
export function refuseMissingImages(settings: readonly ImageSetting[], hasStore: boolean): void {
  for (const { source } of settings) if (source.includes('/') || !hasStore) isDirectory(source);
}

/** A layer of the store, with what its image says of its program. */
export interface StoredLayer { readonly digest: BlobHash; readonly config: ImageConfig | undefined }

/** The image for a recorded run; everything it needs is in the store when this resolves. Call it under a lease. */
export async function importImages(context: StoreContext, settings: readonly ImageSetting[]): Promise<RunImage> {
  checkCount(settings);
  const layers: (StoredLayer & { readonly mount: string })[] = [];
  for (const { source, mount } of settings) layers.push({ ...namedLayer(context, source) ?? await importSource(context, source), mount });
  return { tree: await treeOf(context, layers), config: configOf(layers) };
}

/** The uppermost image that lies at the root says what runs. */
function configOf(layers: readonly { readonly mount: string; readonly config: ImageConfig | undefined }[]): ImageConfig | undefined {
  return layers.findLast(({ mount, config }) => config !== undefined && isRoot(mount))?.config;
}

async function treeOf(context: StoreContext, layers: readonly { readonly digest: BlobHash; readonly mount: string }[]): Promise<ImageTree> {
  const [first] = layers;
  if (first !== undefined && layers.length === 1 && isRoot(first.mount)) {
    const catalog = openCatalog(context, first.digest);
    if (!catalog.hasMarks) return catalog; // The layer is the image.
  }
  const whole = emptyDirectory();
  for (const { digest, mount } of layers) layOver(whole, mountedAt(openCatalog(context, digest).toLayer(), byteText(mount)));
  return openCatalog(context, await storeLayer(context, whole));
}

/** The layer that a path of the host is, with all bytes in the store. */
export async function importSource(context: StoreContext, source: string): Promise<StoredLayer> {
  const path = resolve(source);
  const looks = fingerprint(path, wallClockMs());
  const known = looks === undefined ? undefined : readImageSource(context, { path, fingerprint: looks });
  if (known !== undefined) return { digest: known.digest, config: decodeConfig(known.config, source) };
  const opened = await openSource(source);
  try {
    const digest = await storeLayer(context, opened.layer);
    const { config } = opened;
    if (looks !== undefined) await context.store.commit({ puts: [imageSourcePut(context, { path, fingerprint: looks, digest, config: encodeConfig(config) })] });
    return { digest, config };
  } finally {
    opened.close();
  }
}

function namedLayer(context: StoreContext, source: string): StoredLayer | undefined {
  const record = source.includes('/') ? undefined : readImage(context, source);
  return record === undefined ? undefined : { digest: record.digest, config: decodeConfig(record.config, source) };
}

/** In a record: empty for an image that says nothing. */
export function encodeConfig(config: ImageConfig | undefined): string {
  return config === undefined ? '' : encodeImageConfig(config);
}

export function decodeConfig(text: string, source: string): ImageConfig | undefined {
  return text === '' ? undefined : decodeImageConfig(text, source);
}

/** Whether a store is worth a look for these. */
export function mayBeNames(settings: readonly ImageSetting[]): boolean {
  return settings.some(({ source }) => !source.includes('/'));
}

/** The image for a run without record, and what to call when the run is over. `context`: a store to look names up in, open until then. */
export async function openImages(settings: readonly ImageSetting[], context: StoreContext | undefined): Promise<{ readonly image: RunImage | undefined; readonly close: () => void }> {
  if (settings.length === 0) return { image: undefined, close: () => {} };
  checkCount(settings);
  const closers: (() => void)[] = [];
  const close = (): void => { for (const closer of closers.splice(0)) closer(); };
  try {
    const whole = emptyDirectory();
    const layers: { readonly mount: string; readonly config: ImageConfig | undefined }[] = [];
    for (const { source, mount } of settings) {
      const named = context === undefined ? undefined : namedLayer(context, source);
      const { layer, config } = named === undefined ? await openLayer(source, closers) : { layer: openCatalog(context!, named.digest).toLayer(), config: named.config };
      layOver(whole, mountedAt(layer, byteText(mount)));
      layers.push({ mount, config });
    }
    return { image: { tree: unhashed(whole, context === undefined ? undefined : chunkReader(context)), config: configOf(layers) }, close };
  } catch (error) {
    close();
    throw error;
  }
}

async function openLayer(source: string, closers: (() => void)[]): Promise<{ readonly layer: LayerDirectory; readonly config: ImageConfig | undefined }> {
  const { layer, config, close } = await openSource(source);
  closers.push(close);
  return { layer, config };
}

/** A tree whose files are read from their sources, or from the store where they came from there. */
function unhashed(layer: LayerDirectory, chunk: ReadChunk | undefined): ImageTree {
  const { bytes, files } = encodeCatalog(layer);
  const read = (inode: number, offset: number, length: number): Uint8Array => {
    const { size, bytes: content } = files.get(inode)!;
    if (content.kind === 'source') return content.read(offset, length);
    return readChunks({ size, hash: (index) => hashAt(content.hashes, index), chunk: chunk! }, offset, length);
  };
  return new ImageCatalog(bytes, { digest: '', read: () => read, isOurs: true });
}

function checkCount(settings: readonly ImageSetting[]): void {
  if (settings.length > limits.IMAGE_LAYERS_MAX) throw new StillpointError('E_IMAGE_LIMIT', `there are ${settings.length} images, at most ${limits.IMAGE_LAYERS_MAX} can be given`);
}

function isRoot(mount: string): boolean {
  return /^\/+$/.test(mount);
}

function byteText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
