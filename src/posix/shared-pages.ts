/**
 * Shared file mappings of one process and their files: every process has a memory of its own, so bytes are moved where somebody else could look next: around
 * calls that move file bytes, when another process gets the processor, at munmap, msync and the end. Where one process has a page of a file twice, and may write to
 * it, they are moved around every call and when another thread gets the processor: code that is written through one mapping and run in the other.
 *
 *   open page    may differ from its file: written since the last store(), new, or not known
 *   other page   holds what the file held at generation `seen`; marked like code, so that the next write to it is heard of
 *
 * So moving costs what was written, not what is mapped. Invariants: after store() and load() mappings and files are equal; a file that is mapped twice keeps the changes
 * of both mappings; what is compared, and when, changes nothing that a guest sees.
 * What this does NOT do: decide when (dispatch.ts, scheduler.ts, address-space.ts).
 */
import { limits, type Undo } from '../core/index.ts';
import type { GuestMemory } from '../engine/index.ts';
import type { PageRange } from './files/index.ts';
import type { MappedFiles } from './mapped-files.ts';
import type { Backing, Mapping, MemoryMap } from './memory-map.ts';

const { PAGE_BYTES } = limits;

interface Change { readonly key: number; readonly offset: number; readonly bytes: Uint8Array }
interface SharedMapping extends Mapping { readonly backing: Backing }

export class SharedPages {
  readonly #memory: GuestMemory;
  readonly #files: MappedFiles;
  readonly #map: MemoryMap;
  readonly #open = new Set<number>();
  /** File key → its pages that are mapped shared, and the generation of its content that they hold. */
  readonly #uses = new Map<number, { readonly pages: number; readonly seen: number | undefined }>();
  /** Files that may have lost their last shared mapping. */
  readonly #loose = new Set<number>();
  #endListening: (() => void) | undefined = undefined;
  /** Undefined: not known since the map changed. */
  #hasAliases: boolean | undefined = undefined;

  constructor(memory: GuestMemory, files: MappedFiles, map: MemoryMap) {
    this.#memory = memory;
    this.#files = files;
    this.#map = map;
  }

  get isEmpty(): boolean { return this.#uses.size === 0; }

  /** Whether this process sees a page of a file at two places, and may write to it. */
  get hasAliases(): boolean {
    if (this.isEmpty) return false;
    return this.#hasAliases ??= haveAliases(this.#map.mappings.filter(isSharedFile));
  }

  /** A mapping more: its pages are open. */
  add(mapping: Mapping): void {
    if (!isSharedFile(mapping)) return;
    const { backing: { key }, start, end } = mapping;
    const use = this.#uses.get(key);
    this.#uses.set(key, { pages: (use?.pages ?? 0) + (end - start) / PAGE_BYTES, seen: use?.seen });
    this.#hasAliases = undefined;
    this.#listen();
    this.#openAll(mapping);
  }

  /** What is no longer mapped. */
  remove(mapping: Mapping): void {
    if (!isSharedFile(mapping)) return;
    const { backing: { key }, start, end } = mapping;
    const { pages, seen } = this.#uses.get(key)!;
    this.#uses.set(key, { pages: pages - (end - start) / PAGE_BYTES, seen });
    this.#loose.add(key);
    this.#hasAliases = undefined;
  }

  /** After changes of the map: forgets files without mappings. */
  refresh(): void {
    for (const key of this.#loose) if (this.#uses.get(key)?.pages === 0) this.#uses.delete(key);
    this.#loose.clear();
  }

  #listen(): void {
    this.#endListening ??= this.#memory.onCodeChange((page) => { if (this.#mappingAt(page) !== undefined) this.#open.add(page); });
  }

  #openAll({ start, end }: Mapping): void {
    for (let page = start / PAGE_BYTES; page < end / PAGE_BYTES; page++) this.#open.add(page);
  }

  /** No mapping is looked after any more. */
  clear(): void {
    this.#open.clear();
    this.#uses.clear();
    this.#loose.clear();
    this.#hasAliases = undefined;
    this.#endListening?.();
    this.#endListening = undefined;
  }

  /** The pages of [start, end) hold what their files hold. */
  settle(start: number, end: number): void {
    for (let page = start / PAGE_BYTES; page < end / PAGE_BYTES; page++) this.#close(page);
  }

  /** After a fork: this memory is a copy of the other's. */
  adopt(other: SharedPages): void {
    for (const { start, end } of this.#map.mappings.filter(isSharedFile)) for (let page = start / PAGE_BYTES; page < end / PAGE_BYTES; page++) if (!other.#open.has(page)) this.#close(page);
    for (const [key, use] of other.#uses) this.#uses.set(key, use);
    this.#hasAliases = undefined;
  }

  /** Mappings → files inside [start, end). Everything is compared before anything is written; then mappings of one file are made equal again. */
  store(start: number, end: number): void {
    if (this.#open.size === 0) return;
    const changes: Change[] = [];
    const pages = [...this.#open].filter((page) => page * PAGE_BYTES >= start && page * PAGE_BYTES < end).sort((a, b) => a - b);
    for (const page of pages) {
      const mapping = this.#mappingAt(page);
      this.#open.delete(page);
      if (mapping === undefined) continue;
      if (mapping.backing.isWritable) addChanges(changes, { memory: this.#memory, files: this.#files, mapping, page });
      this.#close(page);
    }
    for (const { key, offset, bytes } of changes) this.#files.write(key, offset, bytes);
    if (changes.length > 0) this.load();
  }

  /** Files → mappings: pages that differ take the file's bytes. */
  load(): void {
    if (this.isEmpty) return;
    const changed = new Map<number, readonly PageRange[] | undefined>();
    for (const [key, { pages, seen }] of this.#uses) {
      const generation = this.#files.generation(key);
      if (seen === generation) continue;
      changed.set(key, this.#files.changedSince(key, seen ?? -1));
      this.#uses.set(key, { pages, seen: generation });
    }
    if (changed.size === 0) return;
    for (const mapping of this.#map.mappings) {
      if (!isSharedFile(mapping) || !changed.has(mapping.backing.key)) continue;
      const ranges = changed.get(mapping.backing.key) ?? [{ first: 0, end: Infinity }];
      const base = mapping.backing.offset / PAGE_BYTES - mapping.start / PAGE_BYTES; // Page of the file less page of the memory.
      for (const { first, end } of ranges) {
        for (let page = Math.max(mapping.start / PAGE_BYTES, first - base); page < Math.min(mapping.end / PAGE_BYTES, end - base); page++) this.#loadPage(mapping, page, (page + base) * PAGE_BYTES);
      }
    }
  }

  /** The way back, to be called before that of the map: pages of mappings that come back are open. */
  mark(): Undo {
    const [mappings, open, uses] = [this.#map.mappings.filter(isSharedFile), [...this.#open], [...this.#uses]];
    return () => {
      const isNew = this.#endListening === undefined;
      const today = new Set(this.#map.mappings);
      for (const mapping of mappings) if (isNew || !today.has(mapping)) this.#openAll(mapping);
      for (const page of open) this.#open.add(page);
      this.#loose.clear();
      this.#uses.clear();
      this.#hasAliases = undefined;
      for (const [key, use] of uses) this.#uses.set(key, use);
      if (uses.length > 0) this.#listen();
    };
  }

  #mappingAt(page: number): SharedMapping | undefined {
    const mapping = this.#map.find(page * PAGE_BYTES);
    return mapping !== undefined && isSharedFile(mapping) ? mapping : undefined;
  }

  #close(page: number): void {
    this.#open.delete(page);
    this.#memory.markCode(page);
  }

  #loadPage({ backing }: SharedMapping, page: number, offset: number): void {
    const bytes = this.#files.read(backing.key, offset, PAGE_BYTES);
    const now = this.#memory.page(page);
    for (let index = 0; index < PAGE_BYTES; index++) {
      if (now[index] === (bytes[index] ?? 0)) continue;
      const full = new Uint8Array(PAGE_BYTES);
      full.set(bytes);
      this.#memory.install(page * PAGE_BYTES, full);
      this.#close(page);
      return;
    }
  }
}

function isSharedFile(mapping: Mapping): mapping is SharedMapping {
  return mapping.isShared && mapping.backing !== undefined;
}

function haveAliases(mappings: readonly SharedMapping[]): boolean {
  const places = mappings.map(({ backing: { key, offset, isWritable }, start, end }) => ({ key, first: offset, end: offset + end - start, isWritable })).sort((a, b) => a.key - b.key || a.first - b.first);
  // Each is compared with what reaches furthest of those before it; that some of a file may be written is enough.
  const writable = new Set(places.filter(({ isWritable }) => isWritable).map(({ key }) => key));
  let before = { key: -1, end: 0 };
  for (const { key, first, end } of places) {
    if (key === before.key && first < before.end && writable.has(key)) return true;
    before = { key, end: key === before.key ? Math.max(end, before.end) : end };
  }
  return false;
}

interface Place { readonly memory: GuestMemory; readonly files: MappedFiles; readonly mapping: SharedMapping; readonly page: number }

/** Adds the runs of bytes of a page that differ from its file. */
function addChanges(changes: Change[], { memory, files, mapping: { backing, start }, page }: Place): void {
  const offset = backing.offset + page * PAGE_BYTES - start;
  const old = files.read(backing.key, offset, PAGE_BYTES);
  const now = memory.page(page);
  for (let index = 0; index < old.length; index++) {
    if (old[index] === now[index]) continue;
    let end = index + 1;
    while (end < old.length && old[end] !== now[end]) end++;
    changes.push({ key: backing.key, offset: offset + index, bytes: now.slice(index, end) });
    index = end;
  }
}
