/**
 * The whole state of a machine as bytes that another thread can take: sections, page objects with their pages in one buffer, digests of the channels, and
 * what was sent and not read yet. Writer and reader of what replica.ts and replica-worker.ts give each other; it is never stored.
 * Invariants: unpack(pack(m)) has the root of m; the buffer is the receiver's own.
 * What this does NOT do: send.
 */
import { assert, limits, type Digests } from '../core/index.ts';
import type { ImageTree } from '../image/index.ts';
import type { RunManifest } from '../manifest/index.ts';
import { monotonicMs, restoreGuest, type EngineName } from '../session/index.ts';
import type { RestoredObject } from '../snapshot/index.ts';
import { Core } from './core.ts';
import type { Feed, Pending } from './feed.ts';

const { PAGE_BYTES } = limits;

/** Pages of one object: their indices, ascending, and where the first of them is in the buffer. */
interface PackedObject { readonly name: string; readonly indices: Uint32Array; readonly offset: number }
export interface PackedState {
  readonly sections: ReadonlyMap<string, Uint8Array>;
  readonly objects: readonly PackedObject[];
  readonly pages: Uint8Array<ArrayBuffer>;
  readonly digests: Uint8Array;
  readonly pending: readonly Pending[];
}

/** What a machine is made from besides its state. */
export interface ReplicaParts {
  readonly manifest: RunManifest;
  readonly digests: Digests;
  readonly engine: EngineName;
  readonly image: ImageTree | undefined;
  /** Where its input comes from; it has nothing to read yet. */
  readonly feed: Feed;
}

/** Costs a copy of every page in use. */
export function packState({ guest, channels, feed }: Core): PackedState {
  const { sections, objects } = guest.wholeState();
  const found = objects.map((object) => ({ object, indices: Uint32Array.from(object.dirtyPages()) }));
  const pages = new Uint8Array(found.reduce((sum, { indices }) => sum + indices.length, 0) * PAGE_BYTES);
  const packed: PackedObject[] = [];
  let offset = 0;
  for (const { object, indices } of found) {
    packed.push({ name: object.name, indices, offset });
    for (const index of indices) {
      const bytes = object.readPage(index);
      assert(bytes.length === PAGE_BYTES, 'a page is whole');
      pages.set(bytes, offset);
      offset += PAGE_BYTES;
    }
  }
  return { sections, objects: packed, pages, digests: channels.saveDigests(), pending: feed.pending(channels) };
}

/** A machine of its own in that state. */
export function unpackState(state: PackedState, { manifest, digests, engine, image, feed }: ReplicaParts): Core {
  const objects = state.objects.map((object) => new PackedPages(object, state.pages));
  const { guest, channels } = restoreGuest(manifest, { state: { sections: state.sections, objects }, savedDigests: state.digests, digests, engine, image });
  feed.preload(state.pending);
  return new Core({ guest, channels, feed, monotonicMs });
}

class PackedPages implements RestoredObject {
  readonly name: string;
  readonly source: RestoredObject['source'];
  readonly #indices: Uint32Array;
  readonly #pages: Uint8Array;
  readonly #offset: number;

  constructor({ name, indices, offset }: PackedObject, pages: Uint8Array) {
    this.name = name;
    this.#indices = indices;
    this.#pages = pages;
    this.#offset = offset;
    const places = new Map<number, number>();
    indices.forEach((index, place) => places.set(index, place));
    this.source = { hasPage: (index) => places.has(index), page: (index) => { const place = places.get(index); return place === undefined ? undefined : this.#at(place).slice(); } };
  }

  *pages(): Iterable<{ readonly index: number; readonly bytes: Uint8Array }> {
    for (let place = 0; place < this.#indices.length; place++) yield { index: this.#indices[place]!, bytes: this.#at(place) };
  }

  #at(place: number): Uint8Array {
    return this.#pages.subarray(this.#offset + place * PAGE_BYTES, this.#offset + (place + 1) * PAGE_BYTES);
  }
}
