/**
 * What `docker save` writes where it writes no OCI layout (Docker before 25, podman, skopeo's docker-archive): `manifest.json` names the
 * configuration and the layers by path, the configuration names the layers' digests.
 *
 *   manifest.json ─► [{ Config: HASH.json, Layers: [DIR/layer.tar, …] }]      HASH.json ─► rootfs.diff_ids: SHA-256 of each layer, uncompressed
 *
 * Invariants: as many digests as layers; the caller compares them with the bytes. What this does NOT do: read files.
 */
import { isBlobHash, limits, StillpointError, type BlobHash } from '../core/index.ts';
import { imageConfigOf, type ImageConfig } from './config.ts';
import { malformed, parseOciDocument, unsupported } from './oci.ts';

export interface DockerArchive { readonly config: string; readonly layers: readonly string[] }

/** Names that such an archive has, and an archived OCI layout. */
const NAMES = /^(|oci-layout|index\.json|manifest\.json|repositories|blobs(\/.*)?|[0-9a-f]{64}(\.json|\.tar|\/?|\/(VERSION|json|layer\.tar)))$/;

export function isNameOfImageArchive(name: string): boolean {
  return NAMES.test(name);
}

/** The one image of an archive. Throws E_IMAGE_FORMAT, E_IMAGE_UNSUPPORTED, E_IMAGE_LIMIT. */
export function dockerArchive(manifest: Uint8Array, where: string): DockerArchive {
  const images = parseOciDocument(manifest, where);
  if (!Array.isArray(images) || images.length === 0) throw malformed(where, 'manifest.json lists no image');
  if (images.length > 1) throw unsupported(where, `it holds ${images.length} images; save one`);
  const { Config: config, Layers: layers } = images[0] as { readonly Config?: unknown; readonly Layers?: unknown }; // Checked below.
  if (typeof config !== 'string' || !isTexts(layers)) throw malformed(where, 'manifest.json names no configuration or no layers');
  if (layers.length > limits.IMAGE_LAYERS_MAX) throw new StillpointError('E_IMAGE_LIMIT', `${where} has ${layers.length} layers, at most ${limits.IMAGE_LAYERS_MAX} are possible`, { data: { path: where } });
  return { config, layers };
}

/** The digest that the name of a configuration promises. Throws E_IMAGE_UNSUPPORTED. */
export function dockerConfigDigest(name: string, where: string): BlobHash {
  const digest = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];
  if (!isBlobHash(digest)) throw unsupported(where, 'the configuration is not named by its digest');
  return digest;
}

/** What a configuration says of the program, and the digests of the layers. Throws E_IMAGE_FORMAT. */
export function dockerConfig(bytes: Uint8Array, { where, layers }: { readonly where: string; readonly layers: number }): { readonly config: ImageConfig; readonly digests: readonly BlobHash[] } {
  const document = parseOciDocument(bytes, where);
  const { rootfs } = document as { readonly rootfs?: { readonly diff_ids?: unknown } }; // Checked below.
  const ids = typeof rootfs === 'object' && rootfs !== null ? rootfs.diff_ids : undefined;
  const digests = isTexts(ids) ? ids.map((id) => id.replace(/^sha256:/, '')) : [];
  if (digests.length !== layers || !digests.every(isBlobHash)) throw malformed(where, 'the configuration does not name the digest of each layer');
  return { config: imageConfigOf(document, where), digests };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
