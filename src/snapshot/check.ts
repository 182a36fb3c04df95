/**
 * Looks at every byte of the snapshot tables and says what is wrong, without stopping at the first.
 *
 *   packs ─► each page against its SHA-256 and guard, each location from the pack's side ─► pages that can be found
 *   nodes ─► each against its hash and its form                                          roots ─► everything under them is there
 *
 * Invariants: nothing is believed because something else was sound; a subtree counts as sound only when all of it is, so a damaged part is found under
 * every root that has it. Beside a machine that writes, what seems missing is looked for once more before it is named.
 * What this does NOT do: repair, or know which roots matter.
 */
import { sameBytes, StillpointError, type BlobHash, type Digests } from '../core/index.ts';
import { ALL_KEYS, type Store, type StoreExpectation, type StorePut } from '../store/index.ts';
import { decodeNode, decodeRoot, FAN_OUT, HASH_BYTES, hashBytes, nodeLevelOf, readHash, type TreeRoot } from './format.ts';
import { HashSet } from './hash-set.ts';
import { decodeList, isListedNode, listedHashAt } from './location-list.ts';
import { decodeLocation, decodePack, encodeLocations, expandSlot, isSoundSlot, namesPack, type PackSlot, type PageLocation } from './pack-format.ts';
import { locationOf, PageIndex } from './page-index.ts';
import { packKey, PackWriter } from './pack-writer.ts';
import { entryAt, entryCount, entryLocation, hasItsOrder, hasItsSum, isSoundSegment, segmentWith } from './shelf-format.ts';
import { segmentsOf } from './shelves.ts';
import { childrenOf, SnapshotReader, type PagePlace } from './reader.ts';
import type { Root } from './state.ts';

/** One record that cannot be trusted. */
export interface BadRecord {
  readonly table: 'nodes' | 'pages' | 'packs' | 'locations' | 'shelves';
  readonly key: Uint8Array;
  readonly code: 'E_PAGE_DAMAGED' | 'E_SNAPSHOT_FORMAT' | 'E_PAGE_MISSING';
  readonly says: string;
  /** What the record should be, when that is known: a page whose location is damaged was found in a pack. */
  readonly value?: Uint8Array | undefined;
}
export interface CheckOptions {
  /** Called between records: lets others run, shows progress. `bytes`: checked since the last call. */
  readonly breathe: (bytes: number) => Promise<void>;
}

export class SnapshotChecker {
  readonly #store: Store;
  readonly #digests: Digests;
  readonly #located = new HashSet();
  /** Sound pages that are not where a record of their own says: location by hash. */
  readonly #elsewhere = new Map<BlobHash, Uint8Array>();
  /** Whether a segment of a shelf has the bytes that its check sum promises, in order, by its key. */
  readonly #soundSegments = new Map<string, boolean>();
  readonly #soundNodes = new HashSet();
  /** Forks have roots in common. */
  readonly #soundRoots = new Set<Root>();
  readonly #badNodes = new Map<BlobHash, StillpointError>();
  /** Whether a root needs a page that lies in a pack and that nothing locates. */
  #needsElsewhere = false;

  constructor(store: Store, digests: Digests) {
    this.#store = store;
    this.#digests = digests;
  }

  /** All records of the five tables. */
  async records({ breathe }: CheckOptions): Promise<readonly BadRecord[]> {
    const bad: BadRecord[] = [];
    PageIndex.of(this.#store).refresh();
    for (const { key, value } of this.#store.range('packs', ALL_KEYS)) {
      const says = this.#packTrouble(key, value);
      if (says !== undefined) bad.push({ table: 'packs', key, code: 'E_PAGE_DAMAGED', says });
      await breathe(value.length);
    }
    for (const { key, value } of this.#store.range('pages', ALL_KEYS)) {
      const says = this.#locationTrouble(key, value);
      if (says !== undefined) bad.push({ table: 'pages', key, code: 'E_PAGE_DAMAGED', says, value: key.length === HASH_BYTES ? this.#elsewhere.get(readHash(key)) : undefined });
      await breathe(value.length);
    }
    await this.#shelves(bad, breathe);
    await this.#lists(bad, breathe);
    for (const { key, value } of this.#store.range('nodes', ALL_KEYS)) {
      const says = this.#nodeTrouble(key, value);
      if (says !== undefined) bad.push({ table: 'nodes', key, code: 'E_SNAPSHOT_FORMAT', says });
      await breathe(value.length);
    }
    return bad;
  }

  /** The first thing that is wrong under a root, or undefined. Call records() first. */
  rootTrouble(root: Root): StillpointError | undefined {
    if (this.#soundRoots.has(root)) return undefined;
    const reader = new SnapshotReader(this.#store, this.#digests);
    try {
      const record = reader.root(root);
      const trees: (readonly [string, TreeRoot])[] = [];
      for (const [name, value] of record.sections) if (value.kind === 'tree') trees.push([`section ${name}`, value.tree]);
      if (record.objects.kind === 'tree') trees.push(['section of objects', record.objects.tree]);
      for (const [what, tree] of trees) this.#mustBeWhole(reader, what, tree);
      for (const [name, tree] of reader.objects(root, record)) this.#mustBeWhole(reader, name, tree);
      this.#soundRoots.add(root);
      return undefined;
    } catch (error) {
      if (error instanceof StillpointError) return error;
      throw error;
    }
  }

  /** A segment that is damaged goes, and an entry that leads nowhere; what only they located and lies in packs all the same gets records of its own. */
  async #shelves(bad: BadRecord[], breathe: CheckOptions['breathe']): Promise<void> {
    const before = bad.length;
    for (const segment of segmentsOf(this.#store)) {
      const trouble = this.#segmentTrouble(segment);
      if (trouble !== undefined) bad.push({ table: 'shelves', key: segment.key, code: 'E_PAGE_DAMAGED', ...trouble });
      await breathe(segment.value.length);
    }
    if (bad.length > before) bad.push(...this.#unlocated((hash) => !this.#located.has(hash)));
  }

  #segmentTrouble({ key, value }: { readonly key: Uint8Array; readonly value: Uint8Array }): Pick<BadRecord, 'says' | 'value'> | undefined {
    if (!hasItsSum({ key, value }, this.#digests)) return { says: 'a segment of a shelf of locations does not have the bytes that its check sum promises' };
    if (!hasItsOrder({ key, value })) return { says: 'a segment of a shelf of locations has entries out of order, or of another segment, where nobody finds them' };
    const sound: number[] = [];
    let first: BlobHash | undefined;
    for (let entry = 0; entry < entryCount(value); entry++) {
      const hash = readHash(value, entryAt(entry));
      if (this.#located.has(hash) || this.#isReadable(hash)) sound.push(entryAt(entry));
      else first ??= hash;
    }
    if (first === undefined || !this.#isThere(key, value)) return undefined; // Perhaps it was merged or swept since.
    const rest = sound.length === 0 ? undefined : segmentWith({ key, value }, sound, this.#digests);
    return { says: `a segment of a shelf of locations names page or node ${first}, which is not where it says`, value: rest };
  }

  #isThere(key: Uint8Array, value: Uint8Array): boolean {
    const now = this.#store.get('shelves', key);
    return now !== undefined && sameBytes(now, value);
  }

  /** A list that is damaged goes; what only it located and lies in packs all the same gets records of its own. */
  async #lists(bad: BadRecord[], breathe: CheckOptions['breathe']): Promise<void> {
    const before = bad.length;
    for (const { key, value } of this.#store.range('locations', ALL_KEYS)) {
      const says = this.#listTrouble(key, value);
      if (says !== undefined) bad.push({ table: 'locations', key, code: 'E_PAGE_DAMAGED', says });
      await breathe(value.length);
    }
    if (bad.length > before) bad.push(...this.#unlocated(() => true)); // Also what the list that goes located.
  }

  /**
   * Pages that lie soundly in packs and that nothing locates any more, once a root was found to need one: a list or a record is gone. Without such a root they are what a killed
   * checkpoint left. Call it after the last rootTrouble().
   */
  lostLocations(): readonly BadRecord[] {
    return this.#needsElsewhere ? this.#unlocated((hash) => !this.#located.has(hash)) : [];
  }

  #unlocated(isWanted: (hash: BlobHash) => boolean): readonly BadRecord[] {
    const found: BadRecord[] = [];
    for (const [hash, value] of this.#elsewhere) {
      const key = hashBytes(hash);
      if (isWanted(hash) && !this.#store.has('pages', key)) found.push({ table: 'pages', key, code: 'E_PAGE_DAMAGED', says: `no record says any more where page ${hash} is`, value });
    }
    return found;
  }

  #listTrouble(key: Uint8Array, value: Uint8Array): string | undefined {
    const packs = decodeList(value);
    if (packs === undefined || key.length !== HASH_BYTES || this.#digests.sha256(value) !== readHash(key)) return 'a list of locations does not have the bytes its key promises';
    for (const pack of packs) for (let slot = 0; slot < pack.count; slot++) {
      const hash = readHash(value, listedHashAt(pack, slot));
      if (!this.#located.has(hash) && !this.#isReadable(hash) && this.#store.has('locations', key)) return `a list of locations names ${isListedNode(value, pack, slot) ? 'node' : 'page'} ${hash}, which is not where it says`;
    }
    return undefined;
  }

  #mustBeWhole(reader: SnapshotReader, object: string, { height, hash }: TreeRoot): void {
    if (hash !== undefined) this.#walk(reader, hash, { object, level: height - 1, firstPage: 0 });
  }

  #walk(reader: SnapshotReader, hash: BlobHash, place: { readonly object: string; readonly level: number; readonly firstPage: number }): void {
    if (this.#soundNodes.has(hash)) return;
    const known = this.#badNodes.get(hash);
    if (known !== undefined) throw known;
    try {
      for (const [slot, child] of childrenOf(reader.node(hash, place))) {
        const firstPage = place.firstPage + slot * FAN_OUT ** place.level;
        if (place.level > 0) this.#walk(reader, child, { ...place, level: place.level - 1, firstPage });
        else if (!this.#located.has(child)) this.#readPage(reader, child, { object: place.object, index: firstPage });
      }
    } catch (error) {
      if (error instanceof StillpointError) this.#badNodes.set(hash, error);
      if (this.#isOnlyElsewhere(hash)) this.#needsElsewhere = true;
      throw error;
    }
    this.#soundNodes.add(hash);
  }

  #readPage(reader: SnapshotReader, hash: BlobHash, place: PagePlace): void {
    try {
      reader.page(hash, place);
    } catch (error) {
      if (error instanceof StillpointError && this.#isOnlyElsewhere(hash)) this.#needsElsewhere = true;
      throw error;
    }
  }

  /** A record that is wrong is a finding of its own. */
  #isOnlyElsewhere(hash: BlobHash): boolean {
    return this.#elsewhere.has(hash) && !this.#store.has('pages', hashBytes(hash));
  }

  #packTrouble(key: Uint8Array, value: Uint8Array): string | undefined {
    const slots = decodePack(value)?.slots;
    if (slots === undefined) return 'a pack of pages cannot be decoded';
    let says = sameBytes(packKey(slots, this.#digests), key) ? undefined : 'a pack of pages lies under a key that is not its own';
    const locations = key.length === HASH_BYTES ? encodeLocations(key, slots.map(({ isNode }) => isNode)) : undefined;
    slots.forEach((slot, index) => {
      if (!this.#isSound(slot)) says ??= `${slot.isNode ? 'tree node' : 'page'} ${index} of a pack (${readHash(slot.hash)}) does not have the bytes its hash promises`;
      else if (locations !== undefined) this.#locate(slot, { pack: key, slot: index, isNode: slot.isNode }, locations[index]!);
    });
    return says;
  }

  #isSound(slot: PackSlot): boolean {
    return isSoundSlot(slot, this.#digests) && (!slot.isNode || this.#formTrouble(slot.stored, readHash(slot.hash)) === undefined);
  }

  /** Notes where a sound slot is, and whether its record or list says so. */
  #locate({ hash }: PackSlot, place: PageLocation, location: Uint8Array): void {
    const told = this.#store.get('pages', hash);
    const listed = told ?? this.#listedLocation(hash); // A record counts before a list, a list before a shelf, as for readers.
    const isShelved = listed === undefined && isAt(this.#shelvedLocation(hash), place);
    if (!isAt(told, place) && !isShelved) this.#elsewhere.set(readHash(hash), location); // A shelf that is sound keeps them out of memory.
    if (isShelved || isAt(listed, place)) this.#located.add(readHash(hash));
  }

  #listedLocation(hash: Uint8Array): Uint8Array | undefined {
    const listed = PageIndex.of(this.#store).find(hash);
    return listed === undefined ? undefined : locationOf(listed);
  }

  #shelvedLocation(hash: Uint8Array): Uint8Array | undefined {
    const shelved = PageIndex.of(this.#store).shelves.find(hash);
    if (shelved === undefined) return undefined;
    const name = shelved.segment.key.join();
    let isSound = this.#soundSegments.get(name);
    if (isSound === undefined) this.#soundSegments.set(name, (isSound = isSoundSegment(shelved.segment, this.#digests)));
    return isSound ? entryLocation(shelved.segment.value, shelved.at) : undefined;
  }

  #isReadable(hash: BlobHash): boolean {
    return new SnapshotReader(this.#store, this.#digests).isSoundContent(hash);
  }

  #locationTrouble(key: Uint8Array, value: Uint8Array): string | undefined {
    if (key.length !== HASH_BYTES) return 'the location of a page has a key of another length';
    if (this.#located.has(readHash(key))) return undefined;
    if (decodeLocation(value) === undefined) return `the location of page ${readHash(key)} is malformed`;
    // Perhaps it was written or moved since the packs were looked at.
    return !this.#store.has('pages', key) || this.#isReadable(readHash(key)) ? undefined : `page ${readHash(key)} is not where its location says`;
  }

  #nodeTrouble(key: Uint8Array, value: Uint8Array): string | undefined {
    if (key.length !== HASH_BYTES || this.#digests.sha256(value) !== readHash(key)) return `a tree node or root (${key.length === HASH_BYTES ? readHash(key) : 'malformed key'}) does not have the bytes its hash promises`;
    return this.#formTrouble(value, readHash(key));
  }

  #formTrouble(value: Uint8Array, hash: BlobHash): string | undefined {
    try {
      const level = nodeLevelOf(value);
      const named = { what: 'record', hash };
      if (level === undefined) decodeRoot(value, named);
      else decodeNode(value, { ...named, level });
      return undefined;
    } catch (error) {
      if (error instanceof StillpointError) return error.message;
      throw error;
    }
  }
}

/** What takes a damaged pack out of use: its sound pages and nodes go into a new one. Lost is what a record of `pages` or a shelf looks for here: the rest was dead, or lies in another pack as well. */
export function salvagePack(store: Store, digests: Digests, key: Uint8Array): { readonly puts: readonly StorePut[]; readonly saved: number; readonly lost: readonly BlobHash[] } {
  const puts: StorePut[] = [];
  const expect: StoreExpectation[] = [];
  PageIndex.of(store).forget();
  const { shelves } = PageIndex.of(store);
  const bytes = store.get('packs', key);
  const slots = bytes === undefined ? [] : decodePack(bytes)?.slots ?? [];
  const writer = new PackWriter(store, digests, { puts, expect });
  const lost: BlobHash[] = [];
  let saved = 0;
  for (const [index, slot] of slots.entries()) {
    const sound = salvageSlot(slot, digests, (hash) => store.has('pages', hashBytes(hash)) || shelves.location(hashBytes(hash)) !== undefined);
    if (sound !== undefined) {
      writer.move(sound);
      saved++;
    } else if (locationAt(store.get('pages', slot.hash) ?? shelves.location(slot.hash), { pack: key, slot: index }) !== undefined) {
      lost.push(readHash(slot.hash));
    }
  }
  writer.finish();
  return { puts, saved, lost };
}

/** A slot whose content has its hash, whatever kind its pack says it is, or a hash that the store knows: then what is damaged is the pack's idea of it. */
function salvageSlot(slot: PackSlot, digests: Digests, isKnown: (hash: BlobHash) => boolean): PackSlot | undefined {
  const page = expandSlot(slot);
  for (const [isNode, content] of [[false, page], [true, slot.stored]] as const) {
    if (isNode && nodeLevelOf(content) === undefined) continue;
    const hash = digests.sha256(content);
    if (hash === readHash(slot.hash) || isKnown(hash)) return { isNode, hash: hashBytes(hash), guard: isNode ? 0n : digests.xxh64(page), stored: slot.stored };
  }
  return undefined;
}

/** What a record of `pages` says, where it names this slot of this pack. */
function locationAt(bytes: Uint8Array | undefined, { pack, slot }: Pick<PageLocation, 'pack' | 'slot'>): PageLocation | undefined {
  const location = bytes === undefined ? undefined : decodeLocation(bytes);
  return location !== undefined && location.slot === slot && namesPack(location, pack) ? location : undefined;
}

function isAt(bytes: Uint8Array | undefined, place: PageLocation): boolean {
  return locationAt(bytes, place)?.isNode === place.isNode;
}
