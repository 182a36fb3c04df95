/**
 * Reads the records of snapshots and believes none: nodes and roots are checked by SHA-256, pages by SHA-256 or, on request, by their XXH64 only.
 * Errors: E_PAGE_MISSING (a record is not in the store), E_PAGE_DAMAGED (page, pack or location), E_SNAPSHOT_FORMAT (node or root), each naming
 * object, page index and address.
 * Invariants: packs are cached by key, at most PACKS_CACHED of them, the memory of the oldest being used for the next; dropping the cache changes nothing but time. A slot is valid until another is asked for.
 * What this does NOT do: write.
 */
import { endsWell, limits, orElse, StillpointError, type BlobHash, type Digests } from '../core/index.ts';
import { decodeNode, decodeObjectList, decodeRoot, FAN_OUT, formatError, HASH_BYTES, hashBytes, readHash, type ByteString, type NodeContent, type ObjectList, type RootRecord, type TreeRoot } from './format.ts';
import { decodeLocation, decodePack, expandSlot, PACK_BYTES_MAX, packRange, type Pack, type PackSlot, type PageLocation } from './pack-format.ts';
import { PageIndex, type SnapshotStore } from './page-index.ts';
import type { Root } from './state.ts';

const { PAGE_BYTES } = limits;
/** 64 packs are at most 8 MiB: enough for objects whose pages lie in packs of many captures. */
const PACKS_CACHED = 64;

export interface ReaderOptions {
  /** 'hash' (default): SHA-256 of every page. 'guard': XXH64, ten times faster, for stores that nobody else can write. */
  readonly verify?: 'hash' | 'guard';
}
/** Where a page belongs, for messages. */
export interface PagePlace { readonly object: string; readonly index: number }
export interface NodePlace { readonly object: string; readonly level: number; readonly firstPage: number }
export interface TreePage { readonly index: number; readonly hash: BlobHash }

/** `memory`: what it lies in, to be used again. */
interface CachedPack { readonly pack: Pack; readonly memory: Uint8Array | undefined }

export class SnapshotReader {
  readonly #store: SnapshotStore;
  readonly #index: PageIndex;
  readonly #digests: Digests;
  readonly #verify: 'hash' | 'guard';
  readonly #packs = new Map<string, CachedPack>();
  /** Memory for the pack that is read next: fresh memory for each would cost more than the rest of a lone page. */
  #room: Uint8Array | undefined;

  constructor(store: SnapshotStore, digests: Digests, { verify = 'hash' }: ReaderOptions = {}) {
    this.#store = store;
    this.#index = PageIndex.of(store);
    this.#digests = digests;
    this.#verify = verify;
  }

  root(root: Root): RootRecord {
    const named = { what: 'root record', hash: root };
    const bytes = this.#store.get('nodes', hashBytes(root));
    if (bytes === undefined) throw new StillpointError('E_PAGE_MISSING', `the root record ${root} of a checkpoint is not in the store`, { data: { root } });
    if (this.#digests.sha256(bytes) !== root) throw formatError(named, 'does not have the bytes its hash promises');
    return decodeRoot(bytes, named);
  }

  objects(root: Root, record: RootRecord): ObjectList {
    return decodeObjectList(this.bytes('section of objects', record.objects), { what: 'root record', hash: root });
  }

  node(hash: BlobHash, { object, level, firstPage }: NodePlace): NodeContent {
    const what = `tree node of ${object}, level ${level}, from page ${firstPage}`;
    const bytes = this.#nodeBytes(hash, { object, index: firstPage });
    if (bytes === undefined) throw new StillpointError('E_PAGE_MISSING', `${what} (${hash}) is not in the store`, { data: { object, page: firstPage, address: addressOf(firstPage), hash } });
    if (bytes === 'damaged') {
      throw new StillpointError('E_SNAPSHOT_FORMAT', `${what} (${hash}) does not have the bytes its hash promises`, { data: { object, page: firstPage, address: addressOf(firstPage), hash } });
    }
    return decodeNode(bytes, { what, hash, level });
  }

  /** The bytes of a node or root, the caller's own, from a record or a pack; undefined when they are in neither or do not have that hash. */
  soundNode(hash: BlobHash): Uint8Array | undefined {
    const bytes = this.#nodeBytes(hash, { object: 'a snapshot', index: 0 });
    return bytes === 'damaged' ? undefined : bytes?.slice();
  }

  /** A record comes before a pack: it is what a repair puts there. Valid until the next pack is read. */
  #nodeBytes(hash: BlobHash, place: PagePlace): Uint8Array | 'damaged' | undefined {
    const record = this.#store.get('nodes', hashBytes(hash));
    if (record !== undefined && this.#digests.sha256(record) === hash) return record;
    try {
      const slot = this.#slot(hash, place);
      return slot.isNode && this.#digests.sha256(slot.stored) === hash ? slot.stored : 'damaged';
    } catch (error) {
      if (!(error instanceof StillpointError)) throw error;
      return error.code === 'E_PAGE_MISSING' && record === undefined ? undefined : 'damaged';
    }
  }

  /** The pages of a tree in ascending order; nodes are read on the way. */
  *pagesOf(object: string, { height, hash }: TreeRoot): Generator<TreePage> {
    if (hash !== undefined) yield* this.#below(object, hash, { level: height - 1, firstPage: 0 });
  }

  *#below(object: string, hash: BlobHash, { level, firstPage }: { readonly level: number; readonly firstPage: number }): Generator<TreePage> {
    const node = this.node(hash, { object, level, firstPage });
    for (const [child, below] of childrenOf(node)) {
      const index = firstPage + child * FAN_OUT ** level;
      if (level === 0) yield { index, hash: below };
      else yield* this.#below(object, below, { level: level - 1, firstPage: index });
    }
  }

  /** The 4096 bytes of a page, the caller's own. */
  page(hash: BlobHash, place: PagePlace): Uint8Array {
    const slot = this.#slot(hash, place);
    if (slot.isNode) throw damaged(hash, place, 'is a tree node');
    const page = expandSlot(slot);
    const isSound = this.#verify === 'hash' ? this.#digests.sha256(page) === hash : this.#digests.xxh64(page) === slot.guard;
    if (!isSound) throw damaged(hash, place, 'does not have the bytes its hash promises');
    return page;
  }

  /** Whether what lies in a pack under this hash is there and sound, page or node. */
  isSoundContent(hash: BlobHash): boolean {
    return orElse(false, () => {
      const slot = this.#slot(hash, { object: 'a snapshot', index: 0 });
      return this.#digests.sha256(slot.isNode ? slot.stored : expandSlot(slot)) === hash;
    });
  }

  /** Whether the page is there and sound. */
  isSoundPage(hash: BlobHash): boolean {
    return endsWell(() => this.page(hash, { object: 'a snapshot', index: 0 }));
  }

  /** A section's or the object list's bytes. */
  bytes(what: string, value: ByteString): Uint8Array {
    if (value.kind === 'inline') return value.bytes;
    const bytes = new Uint8Array(value.length);
    for (const { index, hash } of this.pagesOf(what, value.tree)) {
      const page = this.page(hash, { object: what, index });
      const start = index * PAGE_BYTES;
      const fits = start < bytes.length && page.subarray(Math.max(0, bytes.length - start)).every((byte) => byte === 0);
      if (!fits) throw formatError({ what: `${what}, page ${index}`, hash }, 'reaches beyond the end of its section');
      bytes.set(page.subarray(0, bytes.length - start), start);
    }
    return bytes;
  }

  #slot(hash: BlobHash, place: PagePlace): PackSlot {
    const key = hashBytes(hash);
    let found = this.#located(key, hash, place);
    if (found === undefined) {
      // A list that was settled by somebody else, and whose pack went since: what the store says now counts.
      this.#index.refresh();
      found = this.#located(key, hash, place);
    }
    if (found === undefined) throw missing(hash, place, 'has lost its pack');
    return found;
  }

  /** What the page's location names; undefined when its pack is not there. */
  #located(key: Uint8Array, hash: BlobHash, place: PagePlace): PackSlot | undefined {
    const bytes = this.#index.location(key);
    if (bytes === undefined) throw missing(hash, place, 'is not in the store');
    const location = decodeLocation(bytes);
    if (location === undefined) throw damaged(hash, place, 'has a malformed location');
    const name = nameOf(location);
    const cached = this.#packs.get(name);
    let slot = cached === undefined ? undefined : slotAt(cached.pack, location, hash);
    if (slot !== undefined) return slot;
    let trouble: StillpointError | undefined;
    for (const value of this.#packsAt(location)) {
      const pack = decodePack(value);
      slot = pack === undefined ? undefined : slotAt(pack, location, hash);
      if (pack !== undefined && slot !== undefined) {
        this.#keep(name, pack);
        return slot;
      }
      trouble = damaged(hash, place, pack === undefined ? 'lies in a pack that cannot be decoded' : 'is not where its location says');
    }
    if (trouble !== undefined) throw trouble;
    return undefined;
  }

  /** The packs that a location may mean: one, unless two begin alike. */
  *#packsAt(location: PageLocation): Generator<Uint8Array> {
    if (location.pack.length === HASH_BYTES) {
      const value = this.#store.get('packs', location.pack);
      if (value !== undefined) yield value;
      return;
    }
    const range = packRange(location);
    let last: Uint8Array | undefined;
    for (const { key, value } of this.#store.range('packs', { ...range, limit: 1, room: this.#roomForPack() })) {
      last = key;
      yield value;
    }
    if (last === undefined) return;
    for (const { key, value } of this.#store.range('packs', { from: last, to: range.to })) if (!isSame(key, last)) yield value;
  }

  /** Memory that no cached pack lies in; full, the cache gives up its oldest. */
  #roomForPack(): Uint8Array {
    if (this.#room !== undefined) return this.#room;
    const oldest = this.#packs.size >= PACKS_CACHED ? this.#packs.entries().next().value : undefined;
    if (oldest !== undefined) this.#packs.delete(oldest[0]);
    return (this.#room = oldest?.[1].memory ?? new Uint8Array(PACK_BYTES_MAX));
  }

  #keep(name: string, pack: Pack): void {
    const room = this.#room;
    const memory = room !== undefined && pack.liesIn(room) ? room : undefined;
    if (memory !== undefined) this.#room = undefined;
    const oldest = this.#packs.size >= PACKS_CACHED ? this.#packs.keys().next().value : undefined;
    if (oldest !== undefined) this.#packs.delete(oldest);
    this.#packs.set(name, { pack, memory });
  }
}

/** The slot of a pack, if it has this hash and is what its location says. */
function slotAt(pack: Pack, { slot, isNode }: PageLocation, hash: BlobHash): PackSlot | undefined {
  const found = pack.slot(slot);
  return found !== undefined && found.isNode === isNode && readHash(found.hash) === hash ? found : undefined;
}

function nameOf({ pack }: PageLocation): string {
  let name = '';
  for (let index = 0; index < pack.length; index++) name += String.fromCharCode(pack[index]!);
  return name;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Child number and hash of every child of a node. */
export function* childrenOf(node: NodeContent): Generator<readonly [number, BlobHash]> {
  for (let child = 0; child < FAN_OUT; child++) if ((node.mask & (1 << child)) !== 0) yield [child, readHash(node.hashes, child * HASH_BYTES)];
}

function addressOf(index: number): string {
  return `0x${(index * PAGE_BYTES).toString(16)}`;
}

function missing(hash: BlobHash, place: PagePlace, why: string): StillpointError {
  return pageError('E_PAGE_MISSING', hash, { ...place, why });
}

function damaged(hash: BlobHash, place: PagePlace, why: string): StillpointError {
  return pageError('E_PAGE_DAMAGED', hash, { ...place, why });
}

function pageError(code: 'E_PAGE_MISSING' | 'E_PAGE_DAMAGED', hash: BlobHash, { object, index, why }: PagePlace & { readonly why: string }): StillpointError {
  const address = addressOf(index);
  return new StillpointError(code, `page ${index} of ${object} (address ${address}, ${hash}) ${why}`, { data: { object, page: index, address, hash } });
}
