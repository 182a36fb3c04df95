/**
 * What `--image` and `image import` may name on the host, as one layer: a directory, a tar archive (also gzip), an OCI image layout as a directory
 * or as an archive.
 * Invariants: every blob of a layout has the size and SHA-256 that its descriptor says; call close() when nobody reads from the layer any more.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { StillpointError } from '../../core/index.ts';
import { layerFromTar } from '../layer-from-tar.ts';
import { emptyDirectory, layOver, type LayerDirectory } from '../layer.ts';
import { OCI_DOCUMENT_BYTES_MAX, ociLayers, type OciDescriptor } from '../oci.ts';
import { TarReader, type ByteSource } from '../tar-reader.ts';
import { FileSource, imageError } from './file-source.ts';
import { layerFromDirectory } from './layer-from-directory.ts';

export interface OpenSource { readonly layer: LayerDirectory; readonly close: () => void }

const PIECE_BYTES = 1024 * 1024;

/** Throws E_IMAGE_*, E_DISK_FULL. */
export async function openSource(path: string): Promise<OpenSource> {
  const opened: FileSource[] = [];
  const close = (): void => { for (const source of opened.splice(0)) source.close(); };
  try {
    return { layer: await openLayer(path, opened), close };
  } catch (error) {
    close();
    throw error;
  }
}

async function openLayer(path: string, opened: FileSource[]): Promise<LayerDirectory> {
  const keep = (source: FileSource): FileSource => {
    opened.push(source);
    return source;
  };
  if (isDirectory(path)) {
    const isLayout = fs.existsSync(join(path, 'oci-layout')) && fs.existsSync(join(path, 'index.json'));
    if (!isLayout) return layerFromDirectory(path);
    return openLayout(path, { keep, file: (name) => keep(FileSource.open(join(path, name))) });
  }
  const archive = keep(await FileSource.openPlain(path));
  const files = layoutFiles(archive, path);
  if (files === undefined) return layerFromTar(archive, path);
  const file = (name: string): ByteSource => {
    const place = files.get(name);
    if (place === undefined) throw new StillpointError('E_IMAGE_FORMAT', `${path}: the layout has no ${name}`, { data: { path } });
    return { size: place.size, read: (offset, length) => archive.read(place.offset + offset, length) };
  };
  return openLayout(path, { keep, file });
}

/** Whether the path is a directory. Throws E_IMAGE_OPEN. */
export function isDirectory(path: string): boolean {
  try {
    return fs.statSync(path).isDirectory();
  } catch (cause) {
    throw imageError(path, cause);
  }
}

/** Places of the files of an archived layout; undefined for any other archive. A layout begins with few, small entries: no other archive is read far. */
function layoutFiles(archive: ByteSource, path: string): ReadonlyMap<string, { readonly offset: number; readonly size: number }> | undefined {
  const files = new Map<string, { readonly offset: number; readonly size: number }>();
  for (const entry of new TarReader(archive, path).entries()) {
    const name = entry.path.replace(/^(\.?\/)+/, '');
    const isOfLayout = name === '' || name === 'oci-layout' || name === 'index.json' || name === 'manifest.json' || name === 'repositories' || name === 'blobs' || name.startsWith('blobs/');
    if (!isOfLayout) return undefined;
    if (entry.type === 'file') files.set(name, { offset: entry.offset, size: entry.size });
  }
  return files.has('oci-layout') && files.has('index.json') ? files : undefined;
}

async function openLayout(path: string, access: { readonly keep: (source: FileSource) => FileSource; readonly file: (name: string) => ByteSource }): Promise<LayerDirectory> {
  const blob = (descriptor: OciDescriptor): ByteSource => verified(access.file(`blobs/sha256/${descriptor.digest}`), { descriptor, path });
  const document = (descriptor: OciDescriptor): Uint8Array => whole(blob(descriptor), path);
  const layers = ociLayers(whole(access.file('index.json'), path), { where: path, document });
  const result = emptyDirectory();
  for (const descriptor of layers) {
    const where = `${path}, layer ${descriptor.digest.slice(0, 16)}`;
    const stored = blob(descriptor);
    const plain = await FileSource.plain(stored, where);
    if (plain !== stored && plain instanceof FileSource) access.keep(plain);
    layOver(result, layerFromTar(plain, where));
  }
  return result;
}

function whole(source: ByteSource, path: string): Uint8Array {
  if (source.size > OCI_DOCUMENT_BYTES_MAX) throw new StillpointError('E_IMAGE_LIMIT', `${path}: a document has ${source.size} bytes, at most ${OCI_DOCUMENT_BYTES_MAX} are possible`, { data: { path } });
  return source.read(0, source.size);
}

/** The same source, after a look at all of it. */
function verified(source: ByteSource, { descriptor, path }: { readonly descriptor: OciDescriptor; readonly path: string }): ByteSource {
  const what = `${path}: the blob ${descriptor.digest.slice(0, 16)}`;
  if (source.size !== descriptor.size) throw new StillpointError('E_IMAGE_FORMAT', `${what} has ${source.size} bytes instead of ${descriptor.size}`, { data: { path } });
  const hash = createHash('sha256');
  for (let at = 0; at < source.size; at += PIECE_BYTES) hash.update(source.read(at, Math.min(PIECE_BYTES, source.size - at)));
  const got = hash.digest('hex');
  if (got !== descriptor.digest) throw new StillpointError('E_IMAGE_FORMAT', `${what} does not have the bytes its digest promises`, { data: { path, expected: descriptor.digest, got } });
  return source;
}
