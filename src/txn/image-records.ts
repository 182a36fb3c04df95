/**
 * Words in the table `meta` about images: names that people gave them, and what was imported from where.
 *
 *   "image NAME"           digest of a catalog and facts for people: the image stays while the name does
 *   "image-source HASH"    digest of the catalog that a path of the host had when it looked like this: saves reading it again, keeps nothing alive
 *
 * Invariant: a name changes only in a commit that writes the references word, so a collector never misses it.
 * What this does NOT do: know what a catalog is.
 */
import { StillpointError, type BlobHash } from '../core/index.ts';
import type { StoreDelete, StorePut } from '../store/index.ts';
import type { StoreContext } from './ownership.ts';
import { decodeRecord, encodeRecord, type RecordKind } from './record.ts';
import { REFERENCES_KEY } from './references.ts';

export interface ImageRecord {
  readonly name: string;
  /** SHA-256 of the catalog. */
  readonly digest: BlobHash;
  /** What it was made from. */
  readonly source: string;
  /** Wall time, milliseconds since 1970. Informational. */
  readonly createdMs: number;
  readonly inodes: number;
  /** Bytes of all files. */
  readonly bytes: number;
  /** What the image says of its program, as text (image/config.ts); empty: nothing. */
  readonly config: string;
}

const IMAGE: RecordKind = { format: 'stillpoint-image', version: 2, oldest: 1, damaged: 'E_STORE_CORRUPT' };
const SOURCE: RecordKind = { format: 'stillpoint-image-source', version: 2, oldest: 1, damaged: 'E_STORE_CORRUPT' };
const NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;
const NAMES = { from: encode('image '), to: encode('image!') };
const SOURCES = { from: encode('image-source '), to: encode('image-source!') };
/** A path of the host; Linux allows 4096 bytes. */
const SOURCE_MAX = 8192;
/** As the text of a configuration may be. */
const CONFIG_MAX = 1024 * 1024;

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function isImageName(text: string): boolean {
  return NAME_PATTERN.test(text);
}

/** The image of a name; undefined when there is none. Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function readImage({ store, digests }: StoreContext, name: string): ImageRecord | undefined {
  const bytes = isImageName(name) ? store.get('meta', encode(`image ${name}`)) : undefined;
  return bytes === undefined ? undefined : decode({ name, bytes, digests });
}

/** All named images in the order of their names. */
export function listImages({ store, digests }: StoreContext): readonly ImageRecord[] {
  return [...store.range('meta', NAMES)].map(({ key, value }) => decode({ name: new TextDecoder('utf-8').decode(key.subarray(NAMES.from.length)), bytes: value, digests }));
}

function decode({ name, bytes, digests }: { readonly name: string; readonly bytes: Uint8Array; readonly digests: StoreContext['digests'] }): ImageRecord {
  const fields = decodeRecord(digests, IMAGE, { bytes, subject: { image: name } });
  const record = {
    name: fields.text('name', 64), digest: fields.hash('digest'), source: fields.text('source', SOURCE_MAX), createdMs: fields.count('createdMs'), inodes: fields.count('inodes'),
    bytes: fields.count('bytes'), config: fields.version < 2 ? '' : fields.text('config', CONFIG_MAX),
  };
  fields.end();
  if (record.name !== name) throw fields.fail('is the record of another image');
  return record;
}

/** Gives an image its name. Call it under a lease; `token` is unique. Throws E_IMAGE_EXISTS. */
export async function nameImage({ store, digests }: StoreContext, record: ImageRecord, token: string): Promise<void> {
  const key = encode(`image ${record.name}`);
  const puts: StorePut[] = [{ table: 'meta', key, value: encodeRecord(digests, IMAGE, { ...record }) }, { table: 'meta', key: REFERENCES_KEY, value: encode(`image ${token}`) }];
  if (await store.commit({ expect: [{ table: 'meta', key, value: undefined }], puts }) === 'done') return;
  throw new StillpointError('E_IMAGE_EXISTS', `the store holds an image named ${record.name} already; choose another name or remove it`, { data: { image: record.name } });
}

/** Takes names away; what no run needs goes with the next collection. Throws E_IMAGE_UNKNOWN before any is taken. */
export async function forgetImages(context: StoreContext, names: readonly string[]): Promise<void> {
  for (const name of names) if (readImage(context, name) === undefined) throw unknownImage(name);
  await context.store.commit({ deletes: names.map((name): StoreDelete => ({ table: 'meta', key: encode(`image ${name}`) })) });
}

export function unknownImage(name: string): StillpointError {
  return new StillpointError('E_IMAGE_UNKNOWN', `the store holds no image named ${name}; stillpoint image ls lists them`, { data: { image: name } });
}

// What was imported from where.

/** The catalog and configuration that `path` had, when it looked like `fingerprint` then. What version 1 remembered had no configuration: it is read again. */
export function readImageSource({ store, digests }: StoreContext, { path, fingerprint }: { readonly path: string; readonly fingerprint: string }): { readonly digest: BlobHash; readonly config: string } | undefined {
  const bytes = store.get('meta', sourceKey(digests, path));
  if (bytes === undefined) return undefined;
  const record = decodeSource(digests, bytes);
  return record.fingerprint === fingerprint && record.config !== undefined ? { digest: record.digest, config: record.config } : undefined;
}

export function imageSourcePut({ digests }: StoreContext, source: { readonly path: string; readonly fingerprint: string; readonly digest: BlobHash; readonly config: string }): StorePut {
  return { table: 'meta', key: sourceKey(digests, source.path), value: encodeRecord(digests, SOURCE, { fingerprint: source.fingerprint, digest: source.digest, config: source.config }) };
}

/** Throws when a word about images cannot be read; undefined: it is not one of ours. Else the catalog that it keeps alive, if it does. */
export function inspectImageWord(context: StoreContext, key: string, value: Uint8Array): { readonly keeps: BlobHash | undefined } | undefined {
  const name = /^image ([^ ]+)$/.exec(key)?.[1];
  if (name !== undefined && isImageName(name)) return { keeps: decode({ name, bytes: value, digests: context.digests }).digest };
  if (!/^image-source [0-9a-f]{64}$/.test(key)) return undefined;
  decodeSource(context.digests, value);
  return { keeps: undefined };
}

/** Records of sources whose catalog is not among the living. */
export function deadImageSources({ store, digests }: StoreContext, isAlive: (digest: BlobHash) => boolean): readonly StoreDelete[] {
  return [...store.range('meta', SOURCES)].filter(({ value }) => !isAlive(decodeSource(digests, value).digest)).map(({ key }) => ({ table: 'meta', key }));
}

function sourceKey(digests: StoreContext['digests'], path: string): Uint8Array {
  return encode(`image-source ${digests.sha256(encode(path))}`);
}

function decodeSource(digests: StoreContext['digests'], bytes: Uint8Array): { readonly fingerprint: string; readonly digest: BlobHash; readonly config: string | undefined } {
  const fields = decodeRecord(digests, SOURCE, { bytes, subject: {} });
  const source = { fingerprint: fields.text('fingerprint', 256), digest: fields.hash('digest'), config: fields.version < 2 ? undefined : fields.text('config', CONFIG_MAX) };
  fields.end();
  return source;
}
