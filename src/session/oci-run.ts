/**
 * An exported run as an OCI image layout, so that a registry can carry a machine: the export stream, cut into blobs, with a manifest that says what it is.
 *
 *   DIR/oci-layout   DIR/index.json ─► manifest ─► layers: the export stream (docs/formats/export.md), piece after piece      blobs/sha256/HASH
 *
 * Invariants: equal runs give equal layouts, byte for byte; a layout appears whole or not at all; of a stranger's layout nothing is taken by name but by digest, and
 * sizes and digests are compared as the bytes go by, before the import makes anything visible. What this does NOT do: speak with registries, read the stream.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants, existsSync, renameSync, rmSync } from 'node:fs';
import { open, writeFile, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { StillpointError, type BlobHash } from '../core/index.ts';
import { makeDirectories } from '../core/live/directories.ts';
import { OCI_DOCUMENT_BYTES_MAX, ociDescriptors, type OciDescriptor } from '../image/index.ts';
import { asideOf, finish, hostTrouble, syncFile } from './whole-file.ts';

const RUN_TYPE = 'application/vnd.stillpoint.run.v1';
const PART_TYPE = 'application/vnd.stillpoint.export.v1';
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
/** A part ends with the first record behind this: registries take blobs of this size, and a broken transfer begins again at the last one. */
const PART_BYTES = 64 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

/** What people see of the machine without its store. */
export type OciAnnotations = Readonly<Record<string, string>>;

/** Gives `work` a way to write the stream; the layout takes its name when all is written. Throws E_HOST_FILE, E_DISK_FULL. */
export async function toLayout<Result>(directory: string, work: (write: (bytes: Uint8Array) => Promise<void>) => Promise<{ readonly result: Result; readonly annotations: OciAnnotations }>): Promise<Result> {
  if (existsSync(directory)) throw new StillpointError('E_HOST_FILE', `${directory} is there already; an OCI layout is written into a directory of its own`);
  const target = resolve(directory); // A name with a slash at its end is that of the directory, too.
  const aside = asideOf(target);
  try {
    makeDirectories(join(aside, 'blobs', 'sha256'));
    const parts = new PartWriter(join(aside, 'blobs', 'sha256'));
    const { result, annotations } = await work((bytes) => parts.write(bytes));
    await writeDocuments(aside, { layers: await parts.end(), annotations });
    for (const made of [join(aside, 'blobs', 'sha256'), join(aside, 'blobs'), aside]) syncFile(made);
    finish(aside, target);
    return result;
  } catch (cause) {
    rmSync(aside, { recursive: true, force: true });
    throw hostTrouble(`${directory} cannot be written`, cause);
  }
}

interface Part { readonly digest: string; readonly size: number }

class PartWriter {
  readonly #directory: string;
  readonly #parts: Part[] = [];
  #open: { readonly file: FileHandle; readonly hash: Hash; size: number } | undefined = undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#open ??= { file: await open(join(this.#directory, 'part'), 'wx'), hash: createHash('sha256'), size: 0 };
    await this.#open.file.writeFile(bytes);
    this.#open.hash.update(bytes);
    this.#open.size += bytes.length;
    if (this.#open.size >= PART_BYTES) await this.#close();
  }

  async end(): Promise<readonly Part[]> {
    await this.#close();
    return this.#parts;
  }

  async #close(): Promise<void> {
    if (this.#open === undefined) return;
    const { file, hash, size } = this.#open;
    this.#open = undefined;
    await file.sync();
    await file.close();
    const digest = hash.digest('hex');
    renameSync(join(this.#directory, 'part'), join(this.#directory, digest));
    this.#parts.push({ digest, size });
  }
}

async function writeDocuments(directory: string, { layers, annotations }: { readonly layers: readonly Part[]; readonly annotations: OciAnnotations }): Promise<void> {
  const put = async (mediaType: string, value: unknown): Promise<{ mediaType: string; digest: string; size: number }> => {
    const text = JSON.stringify(value);
    const digest = createHash('sha256').update(text).digest('hex');
    await writeSynced(join(directory, 'blobs', 'sha256', digest), text);
    return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(text) };
  };
  const manifest = await put(MANIFEST_TYPE, {
    schemaVersion: 2, mediaType: MANIFEST_TYPE, artifactType: RUN_TYPE, config: await put(EMPTY_TYPE, {}),
    layers: layers.map(({ digest, size }) => ({ mediaType: PART_TYPE, digest: `sha256:${digest}`, size })), annotations,
  });
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [{ ...manifest, artifactType: RUN_TYPE, annotations }] };
  await writeSynced(join(directory, 'index.json'), JSON.stringify(index));
  await writeSynced(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

function writeSynced(path: string, text: string): Promise<void> {
  return writeFile(path, text, { flush: true });
}

/** The export stream of a layout. Throws E_EXPORT_FORMAT, E_EXPORT_DAMAGED, E_IMAGE_FORMAT, E_IMAGE_UNSUPPORTED, E_IMAGE_LIMIT, and what the host says. */
export async function* fromLayout(directory: string): AsyncGenerator<Uint8Array> {
  const manifests = ociDescriptors(await document(join(directory, 'index.json')), 'manifests', directory);
  const [manifest] = manifests;
  if (manifest === undefined || manifests.length > 1) throw foreign(directory, `it holds ${manifests.length} manifests, one machine has one`);
  if (manifest.mediaType !== MANIFEST_TYPE) throw foreign(directory, 'it holds no manifest of a machine');
  const bytes = await document(blobPath(directory, manifest.digest));
  mustBe(directory, manifest, { size: bytes.length, digest: createHash('sha256').update(bytes).digest('hex') });
  const layers = ociDescriptors(bytes, 'layers', directory);
  if (layers.length === 0 || layers.some(({ mediaType }) => mediaType !== PART_TYPE)) throw foreign(directory, 'its layers are no exported run; stillpoint image import reads images');
  for (const layer of layers) yield* part(directory, layer);
}

async function* part(directory: string, layer: OciDescriptor): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let size = 0;
  const file = await openFile(blobPath(directory, layer.digest));
  try {
    for await (const chunk of file.createReadStream({ highWaterMark: READ_BYTES, autoClose: false }) as AsyncIterable<Uint8Array>) { // A stream without encoding gives bytes.
      hash.update(chunk);
      size += chunk.length;
      if (size > layer.size) break;
      yield chunk;
    }
  } finally {
    await file.close();
  }
  mustBe(directory, layer, { size, digest: hash.digest('hex') });
}

function mustBe(directory: string, expected: OciDescriptor, { size, digest }: Part): void {
  if (size === expected.size && digest === expected.digest) return;
  throw new StillpointError('E_EXPORT_DAMAGED', `${directory}: blob ${expected.digest} does not have the bytes that its digest promises; export or copy it again`, { data: { hash: expected.digest } });
}

function blobPath(directory: string, digest: BlobHash): string {
  return join(directory, 'blobs', 'sha256', digest);
}

async function document(path: string): Promise<Uint8Array> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    if (size > OCI_DOCUMENT_BYTES_MAX) throw new StillpointError('E_IMAGE_LIMIT', `${path}: a document has ${size} bytes, at most ${OCI_DOCUMENT_BYTES_MAX} are possible`, { data: { path } });
    return new Uint8Array(await file.readFile());
  } finally {
    await file.close();
  }
}

/** A pipe in a stranger's layout would be waited for, and a device read without end. */
async function openFile(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new StillpointError('E_HOST_FILE', `${path} is no file`);
}

function foreign(directory: string, what: string): StillpointError {
  return new StillpointError('E_EXPORT_FORMAT', `${directory} is no exported run of Stillpoint: ${what}`);
}
