/**
 * OCI image layouts: from `index.json` to the layers and the configuration of one image. Documents are those of the OCI image specification 1.1 and, as far as they are the
 * same, Docker's; unknown fields are ignored, as the specification asks.
 *
 *   index.json ─► manifest (of riscv64 Linux, when there are several) ─► layers, lowest first; configuration (config.ts)
 *
 * Invariants: nothing is taken by name but by digest; sizes and digests are for the caller to check against the bytes. What this does NOT do: read files.
 */
import { isBlobHash, limits, StillpointError, type BlobHash } from '../core/index.ts';
import { imageConfigOf, type ImageConfig } from './config.ts';
import { printable } from './layer.ts';

export interface OciDescriptor { readonly mediaType: string; readonly digest: BlobHash; readonly size: number; readonly platform: string | undefined }

/** One document; indexes and manifests of real images stay far below. */
export const OCI_DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;
const INDEX_TYPES = ['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json'];
const MANIFEST_TYPES = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'];
const CONFIG_TYPES = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];
const LAYER_TYPES = [
  'application/vnd.oci.image.layer.v1.tar', 'application/vnd.oci.image.layer.v1.tar+gzip', 'application/vnd.oci.image.layer.nondistributable.v1.tar',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'application/vnd.docker.image.rootfs.diff.tar', 'application/vnd.docker.image.rootfs.diff.tar.gzip',
];
/** An index may lead to an index; more steps than any real image takes. */
const STEPS_MAX = 8;
const PLATFORM = 'linux/riscv64';

/** Layers, lowest first, and configuration; undefined: the manifest is no image's (an artifact) and says nothing. */
export interface OciImage { readonly layers: readonly OciDescriptor[]; readonly config: ImageConfig | undefined }

/** The image in a layout. `document` gives the verified bytes of a blob. Throws E_IMAGE_FORMAT, E_IMAGE_UNSUPPORTED, E_IMAGE_LIMIT. */
export function ociImage(index: Uint8Array, { where, document }: { readonly where: string; readonly document: (descriptor: OciDescriptor) => Uint8Array }): OciImage {
  let found = choose(descriptorsOf(parse(index, where), 'manifests', where), where);
  for (let steps = 0; INDEX_TYPES.includes(found.mediaType); steps++) {
    if (steps === STEPS_MAX) throw malformed(where, 'its indexes lead to each other without end');
    found = choose(descriptorsOf(parse(document(found), where), 'manifests', where), where);
  }
  if (!MANIFEST_TYPES.includes(found.mediaType)) throw unsupported(where, `it holds ${printable(found.mediaType)}, which is no image manifest`);
  const manifest = parse(document(found), where);
  const layers = descriptorsOf(manifest, 'layers', where);
  if (layers.length > limits.IMAGE_LAYERS_MAX) throw new StillpointError('E_IMAGE_LIMIT', `${where} has ${layers.length} layers, at most ${limits.IMAGE_LAYERS_MAX} are possible`, { data: { path: where } });
  for (const { mediaType } of layers) if (!LAYER_TYPES.includes(mediaType)) throw unsupported(where, `a layer is ${printable(mediaType)}; tar and tar+gzip are read`);
  const config = manifest['config'] === undefined ? undefined : descriptorOf(manifest['config'], where);
  return { layers, config: config === undefined || !CONFIG_TYPES.includes(config.mediaType) ? undefined : imageConfigOf(parse(document(config), where), where) };
}

/** The descriptors that a document lists under `field`. Throws E_IMAGE_FORMAT, E_IMAGE_UNSUPPORTED, E_IMAGE_LIMIT. */
export function ociDescriptors(document: Uint8Array, field: string, where: string): readonly OciDescriptor[] {
  return descriptorsOf(parse(document, where), field, where);
}

/** The only manifest, or the one for our platform. */
function choose(descriptors: readonly OciDescriptor[], where: string): OciDescriptor {
  const images = descriptors.filter(({ mediaType }) => INDEX_TYPES.includes(mediaType) || MANIFEST_TYPES.includes(mediaType));
  const candidates = images.length > 1 ? images.filter(({ platform }) => platform === PLATFORM) : images.length === 1 ? images : descriptors;
  if (candidates.length === 1) return candidates[0]!;
  const platforms = images.map(({ platform }) => platform ?? 'unknown').join(', ');
  throw unsupported(where, images.length === 0 ? 'it holds no image manifest' : `it holds ${candidates.length === 0 ? 'no image' : 'several images'} for ${PLATFORM} (there are ${printable(platforms)})`);
}

function parse(bytes: Uint8Array, where: string): Readonly<Record<string, unknown>> {
  const value = parseOciDocument(bytes, where);
  return isRecord(value) ? value : {};
}

/** A JSON document. Throws E_IMAGE_FORMAT, E_IMAGE_LIMIT. */
export function parseOciDocument(bytes: Uint8Array, where: string): unknown {
  if (bytes.length > OCI_DOCUMENT_BYTES_MAX) throw new StillpointError('E_IMAGE_LIMIT', `${where}: a document has ${bytes.length} bytes`, { data: { path: where } });
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    if (!(cause instanceof SyntaxError) && !(cause instanceof TypeError)) throw cause; // Not JSON, or not UTF-8.
    throw malformed(where, 'a document is not JSON', cause);
  }
}

function descriptorsOf(document: Readonly<Record<string, unknown>>, field: string, where: string): readonly OciDescriptor[] {
  const list = document[field];
  if (!Array.isArray(list) || list.length > 1000) throw malformed(where, `a document has no list of ${field}`);
  return list.map((item: unknown) => descriptorOf(item, where));
}

function descriptorOf(item: unknown, where: string): OciDescriptor {
  const { mediaType, digest, size, platform } = isRecord(item) ? item : {};
  const hash = typeof digest === 'string' && digest.startsWith('sha256:') ? digest.slice('sha256:'.length) : undefined;
  if (typeof mediaType !== 'string' || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw malformed(where, 'a descriptor lacks media type or size');
  if (!isBlobHash(hash)) throw unsupported(where, 'a descriptor has no SHA-256 digest');
  const { os, architecture } = isRecord(platform) ? platform : {};
  return { mediaType, digest: hash, size, platform: typeof os === 'string' && typeof architecture === 'string' ? `${os}/${architecture}` : undefined };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function malformed(where: string, what: string, cause?: unknown): StillpointError {
  return new StillpointError('E_IMAGE_FORMAT', `${where}: ${what}`, cause === undefined ? { data: { path: where } } : { data: { path: where }, cause });
}

export function unsupported(where: string, what: string): StillpointError {
  return new StillpointError('E_IMAGE_UNSUPPORTED', `${where}: ${what}`, { data: { path: where } });
}
