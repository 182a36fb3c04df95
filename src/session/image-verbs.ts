/**
 * The verbs of `stillpoint image`: import, ls, rm, export.
 * What this does NOT do: format for people (cli).
 */
import { StillpointError } from '../core/index.ts';
import { KIND, type ImageConfig, type ImageTree } from '../image/index.ts';
import { decodeManifest } from '../manifest/index.ts';
import type { Guest } from '../posix/index.ts';
import { forgetImages, isImageName, listImages, nameImage, readImage, readRun, recover, underLease, type ImageRecord } from '../txn/index.ts';
import { withStore } from './context.ts';
import { checkArchive, exportChanges, piecesOfChanges } from './export-layer.ts';
import { writeAll } from './export.ts';
import { importLease, newRunId, wallClockMs } from './host.ts';
import { openCatalog } from './image-store.ts';
import { rebuild } from './rebuild.ts';
import { parseReference, resolveCheckpoint } from './run-reference.ts';
import { decodeConfig, encodeConfig, importSource, refuseMissingImages } from './images.ts';

/** A named image, with what it says of its program. */
export type NamedImage = Omit<ImageRecord, 'config'> & { readonly config: ImageConfig | undefined };

function namedImage(record: ImageRecord): NamedImage {
  return { ...record, config: decodeConfig(record.config, record.name) };
}

/** Imports a tar archive, a directory or an OCI image under a name. Throws E_IMAGE_*, E_DISK_FULL. */
export async function importImage(request: { readonly name: string; readonly source: string; readonly store?: string | undefined }): Promise<NamedImage> {
  const { name, source } = request;
  if (!isImageName(name)) throw new StillpointError('E_IMAGE_NAME', `${JSON.stringify(name)} cannot be the name of an image: 1 to 64 of a-z A-Z 0-9 . _ -, a letter or digit first`);
  refuseMissingImages([{ source, mount: '/', place: { code: 'E_USAGE', where: 'image import' } }], false);
  return withStore(request.store, 'create', (context) => underLease(context, importLease(), async () => {
    if (readImage(context, name) !== undefined) throw new StillpointError('E_IMAGE_EXISTS', `the store holds an image named ${name} already; choose another name or remove it`, { data: { image: name } });
    const { digest, config } = await importSource(context, source);
    const record: ImageRecord = { name, digest, source, config: encodeConfig(config), createdMs: wallClockMs(), ...sizeOf(openCatalog(context, digest)) };
    await nameImage(context, record, newRunId());
    return namedImage(record);
  }));
}

function sizeOf(tree: ImageTree): { readonly inodes: number; readonly bytes: number } {
  let bytes = 0;
  for (let inode = 0; inode < tree.count; inode++) {
    const { mode, size } = tree.node(inode);
    if ((mode & KIND.mask) === KIND.file) bytes += size;
  }
  return { inodes: tree.count, bytes };
}

/** Named images, in the order of their names. */
export async function listNamedImages(store: string | undefined): Promise<readonly NamedImage[]> {
  return withStore(store, 'read-only', async (context) => listImages(context).map(namedImage));
}

/** Takes the names away. Runs that lie over the images keep what they need. Throws E_IMAGE_UNKNOWN. */
export async function removeImages(names: readonly string[], store: string | undefined): Promise<void> {
  await withStore(store, 'existing', (context) => forgetImages(context, names));
}

/**
 * Writes what a run has changed in its files by a checkpoint (default: its last) as a tar archive for `--image`; `-` is standard output. Throws E_RUN_UNKNOWN,
 * E_CHECKPOINT_UNKNOWN, E_HOST_FILE, damage.
 */
export async function exportRunLayer(request: { readonly run: string; readonly file: string; readonly store?: string | undefined }): Promise<void> {
  const { name, checkpoint } = parseReference(request.run);
  await withStore(request.store, 'read-only', async (context) => {
    const record = readRun(context, name);
    const number = resolveCheckpoint(context, record, checkpoint);
    if (request.file !== '-') checkArchive(request.file);
    const guestAt = (at: number): Guest => {
      const recovery = recover(context, record, { checkpoint: at === 0 ? 'genesis' : at });
      return rebuild(context, { recovery, manifest: decodeManifest(recovery.journal.genesis().manifest), engine: 'interpret' }).guest;
    };
    const machines = { before: guestAt(0), after: guestAt(number) };
    if (request.file !== '-') return exportChanges(request.file, machines);
    for (const piece of piecesOfChanges(machines)) await writeAll(process.stdout, piece);
  });
}
