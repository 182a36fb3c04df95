/**
 * What travels between two nodes: envelopes. Reader and writer of the format; docs/formats/envelope.md is the page. Little-endian.
 *
 *   0 "SPCE"   4 version u8   5 kind u8   6 zero u16   8 cluster id (16 bytes)   24 link u32   28 epoch u32   32 offset f64 (whole)
 *   40 extra f64 (whole)   48 payload length u32   52 lead u32   56 XXH64 of bytes 0..56 and the hashes of the payload's pieces   64 payload
 *
 *   payload    | lead |  block  |  block  | rest |      its pieces: XXH64 of each, big-endian, in order
 *
 * A long payload may travel as a part of its own behind the header, so that nobody copies it. The blocks of a stream's payload are those of the digest of the channel
 * (channel/block-digest.ts): who has hashed them for one need not do it again for the other.
 * Invariants: decode(encode(x)) = x; whatever is cut, foreign, damaged or too long is told apart and never an exception. The digest finds
 * accidents; who may speak at all is the transport's affair (encryption, private directories).
 * What this does NOT do: know what an envelope means (peer-output.ts, peer-input.ts).
 */
import { BLOCKS_MAX, DIGEST_BLOCK_BYTES, HASH_BYTES, hashBlocks } from '../channel/index.ts';
import { assert, type Digests } from '../core/index.ts';

/** Writer to reader: data, end, probe (are you there?), query (what do you hold?). Reader to writer: ack, need (send again from here), closed. */
export const KINDS = ['data', 'end', 'probe', 'query', 'ack', 'need', 'closed'] as const;
export type Kind = (typeof KINDS)[number];

export interface Envelope {
  readonly kind: Kind;
  readonly link: number;
  /** Which life of the node speaks: the ownership epoch of its run. */
  readonly epoch: number;
  /** Position in the stream, bytes: of the payload's first byte, of the end, or what is acknowledged or needed. */
  readonly offset: number;
  /** need: what is durable at the reader. ack: 1 when the reader knows the end. Otherwise 0. */
  readonly extra: number;
  readonly payload: Uint8Array;
  /** Bytes of the payload before its first block begins, less than a block: of a stream, up to the next multiple of 4096 of its positions. */
  readonly lead: number;
  /** Hashes of the payload's whole blocks: to encode, undefined where they are not known; decoded, valid until the next envelope. */
  readonly hashes: Uint8Array | undefined;
}

/** Why a frame was dropped. */
export type Rejection = 'foreign' | 'version' | 'cluster' | 'cut' | 'oversized' | 'damaged' | 'malformed';

export const WIRE_VERSION = 3;
export const CLUSTER_ID_BYTES = 16;
/** Bytes of one envelope's payload: large enough that costs per envelope vanish, small enough to share a connection. */
export const PAYLOAD_BYTES_MAX = 256 * 1024;
/** A message channel's last message may reach beyond it by one message and its length. */
export const ENVELOPE_PAYLOAD_MAX = PAYLOAD_BYTES_MAX + 64 * 1024 + 4;
const MAGIC = 0x4543_5053; // "SPCE" read as a little-endian word.
const HEADER_BYTES = 64;
const AT = { version: 4, kind: 5, cluster: 8, link: 24, epoch: 28, offset: 32, extra: 40, length: 48, lead: 52, digest: 56 } as const;
const EMPTY: Uint8Array = new Uint8Array(0);
export const FRAME_BYTES_MAX = HEADER_BYTES + ENVELOPE_PAYLOAD_MAX;
/** Payloads below this are cheaper to copy than to send as a part. */
const PART_BYTES_MIN = 4096;

/** What the digest covers: the header up to itself, the hash of the lead, of the whole blocks, of the rest. */
const SEALED = new Uint8Array(AT.digest + (Math.ceil(ENVELOPE_PAYLOAD_MAX / DIGEST_BLOCK_BYTES) + 2) * HASH_BYTES);
const SEALED_VIEW = new DataView(SEALED.buffer);

export interface WireContext { readonly clusterId: Uint8Array; readonly links: number; readonly digests: Digests }

/** An envelope as one frame. */
export function encodeEnvelope(context: WireContext, envelope: Envelope): Uint8Array {
  const { payload } = envelope;
  const frame = new Uint8Array(HEADER_BYTES + payload.length);
  writeHeader(context, envelope, frame);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** An envelope as it travels: a frame, or a header and its payload, which must not change any more. */
export function encodeParts(context: WireContext, envelope: Envelope): readonly Uint8Array[] {
  if (envelope.payload.length < PART_BYTES_MIN) return [encodeEnvelope(context, envelope)];
  const header = new Uint8Array(HEADER_BYTES);
  writeHeader(context, envelope, header);
  return [header, envelope.payload];
}

/** Whether the payload of this frame is the part behind it. */
export function isHeaderAlone(frame: Uint8Array): boolean {
  return frame.length === HEADER_BYTES && new DataView(frame.buffer, frame.byteOffset, frame.length).getUint32(AT.length, true) >= PART_BYTES_MIN;
}

function writeHeader({ clusterId, digests }: WireContext, envelope: Envelope, frame: Uint8Array): void {
  const { payload } = envelope;
  assert(clusterId.length === CLUSTER_ID_BYTES, 'a cluster id has 16 bytes');
  assert(payload.length <= ENVELOPE_PAYLOAD_MAX && envelope.lead >= 0 && envelope.lead < DIGEST_BLOCK_BYTES, 'an envelope stays below its cap');
  assert(Number.isSafeInteger(envelope.offset) && envelope.offset >= 0 && Number.isSafeInteger(envelope.extra) && envelope.extra >= 0, 'positions are whole');
  const view = new DataView(frame.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(AT.version, WIRE_VERSION);
  view.setUint8(AT.kind, KINDS.indexOf(envelope.kind));
  frame.set(clusterId, AT.cluster);
  view.setUint32(AT.link, envelope.link, true);
  view.setUint32(AT.epoch, envelope.epoch, true);
  view.setFloat64(AT.offset, envelope.offset, true);
  view.setFloat64(AT.extra, envelope.extra, true);
  view.setUint32(AT.length, payload.length, true);
  view.setUint32(AT.lead, envelope.lead, true);
  view.setBigUint64(AT.digest, seal(digests, frame, envelope).digest, true);
}

/** The digest of an envelope, and where in SEALED the hashes of its whole blocks are. */
function seal(digests: Digests, header: Uint8Array, { payload, lead, hashes }: Pick<Envelope, 'payload' | 'lead' | 'hashes'>): { readonly digest: bigint; readonly from: number; readonly to: number } {
  SEALED.set(header.subarray(0, AT.digest));
  const from = sealPiece(digests, payload.subarray(0, lead), AT.digest);
  const count = Math.max(0, Math.floor((payload.length - lead) / DIGEST_BLOCK_BYTES));
  const to = from + count * HASH_BYTES;
  if (hashes === undefined) sealBlocks(payload.subarray(lead), { count, at: from });
  else {
    assert(hashes.length === count * HASH_BYTES, 'every whole block has its hash');
    SEALED.set(hashes, from);
  }
  const end = sealPiece(digests, payload.subarray(lead + count * DIGEST_BLOCK_BYTES), to);
  return { digest: digests.xxh64(SEALED.subarray(0, end)), from, to };
}

/** The hash of a piece that is shorter than a block, unless it is empty; where the next one goes. */
function sealPiece(digests: Digests, piece: Uint8Array, at: number): number {
  if (piece.length === 0) return at;
  SEALED_VIEW.setBigUint64(at, digests.xxh64(piece));
  return at + HASH_BYTES;
}

function sealBlocks(blocks: Uint8Array, { count, at }: { readonly count: number; readonly at: number }): void {
  for (let first = 0; first < count; first += BLOCKS_MAX) {
    SEALED.set(hashBlocks(blocks.subarray(first * DIGEST_BLOCK_BYTES, Math.min(count, first + BLOCKS_MAX) * DIGEST_BLOCK_BYTES)), at + first * HASH_BYTES);
  }
}

/**
 * The envelope of some foreign bytes, or why there is none. The payload is `part`, or a view of `frame` where there is none; both are the decoder's from
 * now on.
 */
export function decodeEnvelope({ clusterId, links, digests }: WireContext, frame: Uint8Array, part?: Uint8Array): Envelope | Rejection {
  if (frame.length > FRAME_BYTES_MAX) return 'oversized';
  if (frame.length < HEADER_BYTES) return 'cut';
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (view.getUint32(0, true) !== MAGIC) return 'foreign';
  if (view.getUint8(AT.version) !== WIRE_VERSION) return 'version';
  if (!clusterId.every((byte, index) => byte === frame[AT.cluster + index])) return 'cluster';
  const length = view.getUint32(AT.length, true);
  if (length > ENVELOPE_PAYLOAD_MAX) return 'oversized';
  const payload = part ?? frame.subarray(HEADER_BYTES);
  if (payload.length < length) return 'cut';
  const lead = view.getUint32(AT.lead, true);
  if (payload.length > ENVELOPE_PAYLOAD_MAX) return 'oversized';
  if (lead >= DIGEST_BLOCK_BYTES) return 'malformed';
  const sealed = seal(digests, frame, { payload, lead, hashes: undefined });
  if (sealed.digest !== view.getBigUint64(AT.digest, true)) return 'damaged';
  const kind = KINDS[view.getUint8(AT.kind)];
  const envelope = {
    link: view.getUint32(AT.link, true), epoch: view.getUint32(AT.epoch, true), offset: view.getFloat64(AT.offset, true), extra: view.getFloat64(AT.extra, true),
    payload: length === 0 ? EMPTY : payload, lead, hashes: SEALED.subarray(sealed.from, sealed.to),
  };
  const isSound = kind !== undefined && envelope.link < links && isPosition(envelope.offset) && isPosition(envelope.extra) && payload.length === length && (part === undefined || frame.length === HEADER_BYTES) && (length > 0) === (kind === 'data');
  return isSound ? { kind, ...envelope } : 'malformed';
}

function isPosition(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** In front of each message of a payload: its length. */
export const LENGTH_BYTES = 4;

/** Puts a message into a payload that is being made, at `at` of `view`; where the next one goes. */
export function putMessage(view: DataView, at: number, message: Uint8Array): number {
  view.setUint32(at, message.length, true);
  new Uint8Array(view.buffer, view.byteOffset + at + LENGTH_BYTES, message.length).set(message);
  return at + LENGTH_BYTES + message.length;
}

/** The length of the message at `at` of a payload that was made here. */
export function messageLength(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** The messages of a payload; undefined when the lengths do not fit. */
export function unpackMessages(payload: Uint8Array): readonly Uint8Array[] | undefined {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const messages: Uint8Array[] = [];
  for (let at = 0; at < payload.length;) {
    if (at + LENGTH_BYTES > payload.length) return undefined;
    const length = view.getUint32(at, true);
    at += LENGTH_BYTES;
    if (length === 0 || at + length > payload.length) return undefined;
    messages.push(payload.subarray(at, at + length));
    at += length;
  }
  return messages;
}
