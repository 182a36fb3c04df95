/**
 * Captures a running machine: turns what changed since the last capture into records for one store commit, and names the whole state by its root.
 * Cost: XXH64 of every dirty page, SHA-256 and a copy of every changed one, the nodes above them, and the sections.
 *
 *   capture() ── batch ──► the caller's commit ──► confirm()        the records are stored, the next capture starts from here
 *                                            └──► abandon()        they are not: the tree goes back, the dirt is captured next time
 *
 * Invariants: the root depends on content only, never on earlier captures; a page or node that the store holds is not written again; objects are
 * marked clean at capture, so the guest may run on while the commit is under way. What the store has already is not written but expected by the commit. Object names are never reused for other objects of one machine.
 * XXH64 is unseeded: a guest that builds colliding pages on purpose harms its own checkpoints, nobody else's.
 * A batch is valid until it is confirmed or abandoned: the memory of its packs is used again.
 * What this does NOT do: commit.
 */
import { assert, limits, sameBytes, type Digests } from '../core/index.ts';
import type { StoreDelete, StoreExpectation, StorePut } from '../store/index.ts';
import { encodeObjectList, encodeRoot, FAN_OUT_SHIFT, HASH_BYTES, INLINE_SECTION_BYTES_MAX, readHash, type ByteString, type TreeRoot } from './format.ts';
import { PackArena } from './pack-arena.ts';
import { LIST_LIMITS, PackMemory, PackWriter, type ListLimits, type PackSink } from './pack-writer.ts';
import { PageIndex, type SnapshotStore } from './page-index.ts';
import { PageTree, type NodeSink } from './page-tree.ts';
import { PageUndo } from './page-undo.ts';
import { SnapshotReader } from './reader.ts';
import type { MachineState, PageObject, Root } from './state.ts';

const { PAGE_BYTES, SECTION_BYTES_MAX } = limits;
const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

export interface CaptureStats {
  /** Pages of objects that were reported dirty. */
  readonly dirtyPages: number;
  /** Pages of objects and sections whose content differs from the last capture. */
  readonly changedPages: number;
  /** Pages written: changed, not zero, and not in the store yet. */
  readonly newPages: number;
  /** Tree nodes and root records written. */
  readonly nodes: number;
  /** Bytes of all keys and values written. */
  readonly bytes: number;
}

export interface Capture {
  readonly root: Root;
  /** `expect`: records that the store had already and that this capture relies on. When one is gone by the commit (a collector took it) the commit conflicts: abandon and capture again. */
  readonly batch: { readonly puts: readonly StorePut[]; readonly expect: readonly StoreExpectation[]; readonly deletes: readonly StoreDelete[] };
  readonly stats: CaptureStats;
  /** The batch is committed. */
  confirm(): void;
  /** The batch is not committed and never will be. */
  abandon(): void;
}

/** A section or the list of objects: its tree and how many pages it may have. */
interface SectionTree { readonly tree: PageTree; pageCount: number }
interface Trees {
  readonly objects: Map<string, PageTree>;
  readonly sections: Map<string, SectionTree>;
  readonly list: SectionTree;
}
/** One capture under way. */
interface Work {
  readonly puts: StorePut[];
  readonly expect: StoreExpectation[];
  readonly deletes: StoreDelete[];
  readonly packs: PackWriter;
  readonly undo: PageUndo;
  /** Nodes lie in packs, behind the pages below them; else each is a record of its own: of a capture of few pages. */
  readonly packsNodes: boolean;
  /** Dirty pages of each object, as the objects say. */
  readonly reported: readonly (readonly number[])[];
  readonly dirty: Map<string, readonly number[]>;
  dirtyPages: number;
  /** What becomes true when the batch is committed. */
  learn: () => void;
}

export class SnapshotWriter {
  readonly #store: SnapshotStore;
  readonly #digests: Digests;
  readonly #reader: SnapshotReader;
  readonly #index: PageIndex;
  readonly #lists: ListLimits;
  readonly #zeroGuard: bigint;
  /** Made with the first capture: most of a thousand forks take none. */
  #memory: PackMemory | undefined;
  #trees: Trees;
  /** Dirty pages of abandoned captures, by object. */
  #carried: ReadonlyMap<string, readonly number[]> = new Map();
  #isPending = false;
  readonly #arena = new PackArena();
  /** Of the page that is looked at: what it has now, what it had. */
  readonly #hash = new Uint8Array(HASH_BYTES);
  readonly #oldHash = new Uint8Array(HASH_BYTES);
  readonly #nodeHash = new Uint8Array(HASH_BYTES);

  constructor(store: SnapshotStore, digests: Digests, lists = LIST_LIMITS) {
    this.#store = store;
    this.#digests = digests;
    this.#lists = lists;
    this.#index = PageIndex.of(store);
    this.#reader = new SnapshotReader(store, digests);
    this.#zeroGuard = digests.xxh64(ZERO_PAGE);
    this.#trees = { objects: new Map(), sections: new Map(), list: this.#newSection() };
  }

  /** Starts from a stored state: the machine was restored from `root` and its objects are clean. Throws as openSnapshot() does. */
  adopt(root: Root): void {
    assert(!this.#isPending, 'a capture is confirmed or abandoned before adopt()');
    const record = this.#reader.root(root);
    const adopted = (name: string, value: ByteString): SectionTree => (value.kind === 'inline'
      ? this.#newSection(name)
      : { tree: this.#newTree(`section ${name}`, value.tree), pageCount: Math.ceil(value.length / PAGE_BYTES) });
    const objects = [...this.#reader.objects(root, record)].map(([name, tree]): [string, PageTree] => [name, this.#newTree(name, tree)]);
    const sections = [...record.sections].map(([name, value]): [string, SectionTree] => [name, adopted(name, value)]);
    this.#trees = { objects: new Map(objects), sections: new Map(sections), list: adopted('of objects', record.objects) };
    this.#carried = new Map();
    this.#index.forget();
  }

  /**
   * Captures the whole state. Exactly one of confirm() and abandon() must follow before the next capture. Throws the errors of reader.ts, with nothing changed.
   * `sink` takes the packs, which are then not in the batch.
   */
  capture(state: MachineState, sink?: PackSink): Capture {
    assert(!this.#isPending, 'a capture is confirmed or abandoned before the next one');
    const puts: StorePut[] = [];
    const expect: StoreExpectation[] = [];
    this.#arena.reset();
    const deletes: StoreDelete[] = [];
    const taker = sink ?? { room: this.#arena.room, put: (pack: StorePut) => void puts.push(pack) };
    const reported = state.objects.map((object) => object.dirtyPages());
    let expected = 0;
    for (const dirty of [...reported, ...this.#carried.values()]) expected += dirty.length;
    const packs = new PackWriter(this.#store, this.#digests, { puts, expect, deletes, sink: taker }, { expected, kept: this.#memory ??= new PackMemory() });
    const work: Work = { puts, expect, deletes, packs, packsNodes: expected >= this.#lists.pagesMin, undo: new PageUndo(expected), reported, dirty: new Map(), dirtyPages: 0, learn: () => {} };
    const next: Trees = { objects: new Map(), sections: new Map(), list: { ...this.#trees.list } };
    let root: Root;
    try {
      root = this.#captureState(state, next, work);
    } catch (error) {
      work.undo.takeBack();
      throw error;
    }
    for (const object of state.objects) object.markClean();
    this.#isPending = true;
    return { root, batch: { puts, expect, deletes }, stats: statsOf(work), confirm: () => this.#confirm(next, work), abandon: () => this.#abandon(work) };
  }

  #captureState(state: MachineState, next: Trees, work: Work): Root {
    const objects = new Map<string, TreeRoot>();
    for (const [index, object] of state.objects.entries()) {
      assert(!next.objects.has(object.name), 'object names are unique in a machine');
      const tree = this.#captureObject(object, work.reported[index]!, work);
      next.objects.set(object.name, tree);
      objects.set(object.name, this.#seal(tree, work));
    }
    const sections = new Map<string, ByteString>();
    for (const [name, bytes] of state.sections) {
      const section = { ...(this.#trees.sections.get(name) ?? this.#newSection(name)) };
      next.sections.set(name, section);
      sections.set(name, this.#captureBytes(section, bytes, work));
    }
    const record = encodeRoot({ sections, objects: this.#captureBytes(next.list, encodeObjectList(objects), work) });
    work.learn = work.packs.finishLists(this.#lists);
    const root = new Uint8Array(HASH_BYTES);
    this.#digests.sha256Into(record, root, 0);
    this.#putRecord(root, record, work);
    return readHash(root);
  }

  #confirm(next: Trees, { learn }: Work): void {
    assert(this.#isPending, 'a capture is confirmed or abandoned once');
    this.#isPending = false;
    learn();
    this.#trees = next;
    this.#carried = new Map();
  }

  #abandon({ undo, dirty }: Work): void {
    assert(this.#isPending, 'a capture is confirmed or abandoned once');
    this.#isPending = false;
    undo.takeBack();
    this.#index.forget(); // Perhaps somebody else settled a list that this capture relied on.
    this.#carried = dirty;
  }

  #captureObject(object: PageObject, reported: readonly number[], work: Work): PageTree {
    const tree = this.#trees.objects.get(object.name) ?? this.#newTree(object.name);
    const carried = this.#carried.get(object.name);
    const dirty = carried === undefined ? reported : [...new Set([...carried, ...reported])].sort((a, b) => a - b);
    const sink = this.#sink(work);
    let leaf = -1;
    for (const pageIndex of dirty) {
      if (work.packsNodes && pageIndex >>> FAN_OUT_SHIFT !== leaf) tree.sealLastLeaf(sink);
      leaf = pageIndex >>> FAN_OUT_SHIFT;
      this.#capturePage({ tree, pageIndex, page: object.readPage(pageIndex) }, work);
    }
    work.dirtyPages += dirty.length;
    work.dirty.set(object.name, dirty.slice());
    return tree;
  }

  #captureBytes(section: SectionTree, bytes: Uint8Array, work: Work): ByteString {
    assert(bytes.length <= SECTION_BYTES_MAX, 'a section stays below its limit');
    const { tree } = section;
    const isInline = bytes.length <= INLINE_SECTION_BYTES_MAX;
    const pageCount = isInline ? 0 : Math.ceil(bytes.length / PAGE_BYTES);
    for (let pageIndex = 0; pageIndex < Math.max(pageCount, section.pageCount); pageIndex++) {
      const page = pageIndex < pageCount ? paddedPage(bytes, pageIndex) : ZERO_PAGE;
      this.#capturePage({ tree, pageIndex, page }, work);
    }
    section.pageCount = pageCount;
    const top = this.#seal(tree, work);
    return isInline ? { kind: 'inline', bytes: bytes.slice() } : { kind: 'tree', length: bytes.length, tree: top };
  }

  #capturePage({ tree, pageIndex, page }: { readonly tree: PageTree; readonly pageIndex: number; readonly page: Uint8Array }, work: Work): void {
    assert(page.length === PAGE_BYTES, 'a page has 4096 bytes');
    const guard = this.#digests.xxh64(page);
    const oldGuard = tree.guard(pageIndex);
    if (oldGuard === guard && guard !== 0n) return;
    const hash = this.#hash;
    const oldHash = this.#oldHash;
    const hadHash = tree.readHash(pageIndex, oldHash);
    const isGone = guard === this.#zeroGuard && isZero(page);
    let isFresh = false;
    if (isGone) {
      if (!hadHash) return;
    } else {
      this.#digests.sha256Into(page, hash, 0);
      if (hadHash && sameHash(hash, oldHash)) return tree.setGuard(pageIndex, guard);
      isFresh = work.packs.add({ hash, guard, page });
    }
    tree.set(pageIndex, isGone ? undefined : hash, { guard: isGone ? 0n : guard, isFresh });
    work.undo.note(tree, pageIndex, { hash: hadHash ? oldHash : undefined, guard: oldGuard });
  }

  #seal(tree: PageTree, work: Work): TreeRoot {
    return tree.seal(this.#sink(work));
  }

  #sink(work: Work): NodeSink {
    const hash = this.#nodeHash;
    return ({ bytes, isFresh }, target, offset) => {
      this.#digests.sha256Into(bytes, hash, 0);
      if (work.packsNodes) work.packs.addNode({ hash, isFresh, bytes });
      else this.#putRecord(hash, bytes, work);
      for (let index = 0; index < HASH_BYTES; index++) target[offset + index] = hash[index]!;
    };
  }

  /** A node or root as a record of its own. */
  #putRecord(hash: Uint8Array, bytes: Uint8Array, work: Work): void {
    if (!work.packs.isNew(hash)) return;
    const put: StorePut = { table: 'nodes', key: hash.slice(), value: bytes.slice() };
    const stored = this.#store.get('nodes', put.key);
    if (stored !== undefined && sameBytes(stored, bytes)) work.expect.push(put);
    else work.puts.push(put);
  }

  #newTree(what: string, start?: TreeRoot): PageTree {
    return new PageTree((hash, place) => this.#reader.node(hash, { object: what, ...place }), start);
  }

  #newSection(name = 'of objects'): SectionTree {
    return { tree: this.#newTree(`section ${name}`), pageCount: 0 };
  }
}

function statsOf(work: Work): CaptureStats {
  let bytes = 0;
  for (const { key, value } of work.puts) bytes += key.length + value.length;
  const nodes = work.puts.reduce((count, { table }) => count + Number(table === 'nodes'), work.packs.nodeCount);
  return { dirtyPages: work.dirtyPages, changedPages: work.undo.count, newPages: work.packs.pageCount, nodes, bytes };
}

/** Page `pageIndex` of a byte string, with zeros after its end. */
function paddedPage(bytes: Uint8Array, pageIndex: number): Uint8Array {
  const start = pageIndex * PAGE_BYTES;
  if (start + PAGE_BYTES <= bytes.length) return bytes.subarray(start, start + PAGE_BYTES);
  const page = new Uint8Array(PAGE_BYTES);
  page.set(bytes.subarray(start));
  return page;
}

function isZero(page: Uint8Array): boolean {
  for (let index = 0; index < page.length; index++) if (page[index] !== 0) return false;
  return true;
}

function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  for (let index = 0; index < HASH_BYTES; index++) if (a[index] !== b[index]) return false;
  return true;
}
