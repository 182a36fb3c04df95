/**
 * What `--image` and `image import` may name on the host, as one layer: a directory, a tar archive (also gzip), an OCI image layout as a directory
 * or as an archive, what `docker save` writes.
 * Invariants: every blob of a layout has the size and SHA-256 that its descriptor says; call close() when nobody reads from the layer any more.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join, posix } from 'node:path';
import { StillpointError, type BlobHash } from '../../core/index.ts';
import type { ImageConfig } from '../config.ts';
import { dockerArchive, dockerConfig, dockerConfigDigest, isNameOfImageArchive } from '../docker-archive.ts';
import { layerFromTar } from '../layer-from-tar.ts';
import { emptyDirectory, layOver, type LayerDirectory } from '../layer.ts';
import { OCI_DOCUMENT_BYTES_MAX, ociImage, type OciDescriptor } from '../oci.ts';
import { TarReader, type ByteSource } from '../tar-reader.ts';
import { FileSource, imageError } from './file-source.ts';
import { layerFromDirectory } from './layer-from-directory.ts';

/** A layer, and what its image says of a program, if it is an image that says something. */
interface Opened { readonly layer: LayerDirectory; readonly config: ImageConfig | undefined }
export interface OpenSource extends Opened { readonly close: () => void }

interface Access { readonly keep: (source: FileSource) => FileSource; readonly file: (name: string) => ByteSource }

const PIECE_BYTES = 1024 * 1024;

/** Throws E_IMAGE_*, E_DISK_FULL. */
export async function openSource(path: string): Promise<OpenSource> {
  const opened: FileSource[] = [];
  const close = (): void => { for (const source of opened.splice(0)) source.close(); };
  try {
    return { ...await openAny(path, opened), close };
  } catch (error) {
    close();
    throw error;
  }
}

async function openAny(path: string, opened: FileSource[]): Promise<Opened> {
  const keep = (source: FileSource): FileSource => {
    opened.push(source);
    return source;
  };
  if (isDirectory(path)) {
    const isLayout = fs.existsSync(join(path, 'oci-layout')) && fs.existsSync(join(path, 'index.json'));
    if (!isLayout) return { layer: layerFromDirectory(path), config: undefined };
    return openLayout(path, { keep, file: (name) => keep(FileSource.open(join(path, name))) });
  }
  const archive = keep(await FileSource.openPlain(path));
  const files = filesOfImage(archive, path);
  if (files === undefined) return { layer: layerFromTar(archive, path), config: undefined };
  const file = (name: string): ByteSource => {
    const place = files.get(name);
    if (place === undefined) throw new StillpointError('E_IMAGE_FORMAT', `${path}: the image has no ${name}`, { data: { path } });
    return { size: place.size, read: (offset, length) => archive.read(place.offset + offset, length) };
  };
  return files.has('index.json') ? openLayout(path, { keep, file }) : openDockerArchive(path, { keep, file });
}

/** Whether the path is a directory. Throws E_IMAGE_OPEN. */
export function isDirectory(path: string): boolean {
  try {
    return fs.statSync(path).isDirectory();
  } catch (cause) {
    throw imageError(path, cause);
  }
}

/** Places of the files of an archived image; undefined for any other archive. An image begins with few, small entries: no other archive is read far. */
function filesOfImage(archive: ByteSource, path: string): ReadonlyMap<string, { readonly offset: number; readonly size: number }> | undefined {
  const files = new Map<string, { readonly offset: number; readonly size: number }>();
  const links = new Map<string, string>();
  for (const entry of new TarReader(archive, path).entries()) {
    const name = plainName(entry.path);
    if (!isNameOfImageArchive(name)) return undefined;
    if (entry.type === 'file') files.set(name, { offset: entry.offset, size: entry.size });
    if (entry.type === 'symlink') links.set(name, plainName(posix.join(posix.dirname(name), entry.target))); // A layer that is there already, in Docker's older archives.
    if (entry.type === 'link') links.set(name, plainName(entry.target));
  }
  for (const [name, target] of links) {
    const place = files.get(target);
    if (place !== undefined) files.set(name, place);
  }
  return (files.has('oci-layout') && files.has('index.json')) || files.has('manifest.json') ? files : undefined;
}

function plainName(path: string): string {
  return path.replace(/^(\.?\/)+/, '').replace(/\/$/, '');
}

async function openLayout(path: string, access: Access): Promise<Opened> {
  const blob = (descriptor: OciDescriptor): ByteSource => verified(access.file(`blobs/sha256/${descriptor.digest}`), { digest: descriptor.digest, size: descriptor.size, path });
  const document = (descriptor: OciDescriptor): Uint8Array => whole(blob(descriptor), path);
  const { layers, config } = ociImage(whole(access.file('index.json'), path), { where: path, document });
  const layer = emptyDirectory();
  for (const descriptor of layers) {
    const where = `${path}, layer ${descriptor.digest.slice(0, 16)}`;
    layOver(layer, layerFromTar(await plainSource(blob(descriptor), where, access), where));
  }
  return { layer, config };
}

async function openDockerArchive(path: string, access: Access): Promise<Opened> {
  const archive = dockerArchive(whole(access.file('manifest.json'), path), path);
  const stored = access.file(archive.config);
  const bytes = whole(verified(stored, { digest: dockerConfigDigest(archive.config, path), size: stored.size, path }), path);
  const { config, digests } = dockerConfig(bytes, { where: path, layers: archive.layers.length });
  const layer = emptyDirectory();
  for (const [index, digest] of digests.entries()) {
    const where = `${path}, layer ${digest.slice(0, 16)}`;
    const plain = await plainSource(access.file(archive.layers[index]!), where, access);
    layOver(layer, layerFromTar(verified(plain, { digest, size: plain.size, path }), where));
  }
  return { layer, config };
}

/** The bytes without compression, closed with the rest. */
async function plainSource(stored: ByteSource, where: string, { keep }: Access): Promise<ByteSource> {
  const plain = await FileSource.plain(stored, where);
  if (plain !== stored && plain instanceof FileSource) keep(plain);
  return plain;
}

function whole(source: ByteSource, path: string): Uint8Array {
  if (source.size > OCI_DOCUMENT_BYTES_MAX) throw new StillpointError('E_IMAGE_LIMIT', `${path}: a document has ${source.size} bytes, at most ${OCI_DOCUMENT_BYTES_MAX} are possible`, { data: { path } });
  return source.read(0, source.size);
}

/** The same source, after a look at all of it. */
function verified(source: ByteSource, { digest, size, path }: { readonly digest: BlobHash; readonly size: number; readonly path: string }): ByteSource {
  const what = `${path}: the blob ${digest.slice(0, 16)}`;
  if (source.size !== size) throw new StillpointError('E_IMAGE_FORMAT', `${what} has ${source.size} bytes instead of ${size}`, { data: { path } });
  const hash = createHash('sha256');
  for (let at = 0; at < source.size; at += PIECE_BYTES) hash.update(source.read(at, Math.min(PIECE_BYTES, source.size - at)));
  const got = hash.digest('hex');
  if (got !== digest) throw new StillpointError('E_IMAGE_FORMAT', `${what} does not have the bytes its digest promises`, { data: { path, expected: digest, got } });
  return source;
}
