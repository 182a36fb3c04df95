/**
 * The files behind the mappings of one address space: which are in use, and how far into each a mapping reaches. As on Linux, what lies behind the page with a
 * file's last byte is mapped but cannot be touched (SIGBUS).
 * Invariants: a file is retained exactly while pages of it are mapped (after settle()); `sizePages` is the file's size as of the last look, and looks are
 * made in the call that changes a size: rights are a function of mappings and sizes, so no state but these holds them.
 * What this does NOT do: set rights, move bytes (address-space.ts).
 */
import { assert, limits } from '../core/index.ts';
import type { MappedFiles } from './mapped-files.ts';
import type { Mapping } from './memory-map.ts';

const { PAGE_BYTES } = limits;

interface Use { readonly pages: number; readonly sizePages: number }
/** A file has another size, in pages. */
export interface Resize { readonly key: number; readonly before: number; readonly after: number }

export class FileBackings {
  readonly #files: MappedFiles;
  readonly #uses = new Map<number, Use>();
  /** Files that may have lost their last mapping. */
  readonly #loose = new Set<number>();

  constructor(files: MappedFiles) {
    this.#files = files;
  }

  add({ backing, start, end }: Mapping): void {
    if (backing === undefined) return;
    const use = this.#uses.get(backing.key);
    if (use === undefined) this.#files.retain(backing.key);
    this.#uses.set(backing.key, { pages: (use?.pages ?? 0) + (end - start) / PAGE_BYTES, sizePages: use?.sizePages ?? this.#sizeOf(backing.key) });
  }

  remove({ backing, start, end }: Mapping): void {
    if (backing === undefined) return;
    const use = this.#uses.get(backing.key);
    const pages = (end - start) / PAGE_BYTES;
    assert(use !== undefined && use.pages >= pages, 'what is unmapped was mapped');
    this.#uses.set(backing.key, { ...use, pages: use.pages - pages });
    if (use.pages === pages) this.#loose.add(backing.key);
  }

  /** Releases the files without mappings. */
  settle(): void {
    if (this.#loose.size === 0) return;
    for (const key of this.#loose) {
      if (this.#uses.get(key)?.pages !== 0) continue;
      this.#uses.delete(key);
      this.#files.release(key);
    }
    this.#loose.clear();
  }

  /** Releases all of them: the end of a process. */
  clear(): void {
    for (const key of this.#uses.keys()) this.#files.release(key);
    this.#uses.clear();
    this.#loose.clear();
  }

  /** How many of the mapping's pages, the first ones, hold anything of its file. All, when there is no file or it is not in use. */
  filledPages({ backing, start, end }: Mapping): number {
    const use = backing === undefined ? undefined : this.#uses.get(backing.key);
    return filled(use?.sizePages ?? Infinity, { backing, start, end });
  }

  /** Looks at the sizes again; which have changed. */
  takeResizes(): readonly Resize[] {
    const resizes: Resize[] = [];
    for (const [key, use] of this.#uses) {
      const sizePages = this.#sizeOf(key);
      if (sizePages === use.sizePages) continue;
      resizes.push({ key, before: use.sizePages, after: sizePages });
      this.#uses.set(key, { ...use, sizePages });
    }
    return resizes;
  }

  /** The way back; it answers which files have another size then. Releasing and retaining is undone with the files themselves. */
  mark(): () => ReadonlySet<number> {
    const uses = [...this.#uses];
    return () => {
      const resized = new Set(uses.filter(([key, { sizePages }]) => this.#uses.get(key)?.sizePages !== sizePages).map(([key]) => key));
      this.#uses.clear();
      this.#loose.clear();
      for (const [key, use] of uses) this.#uses.set(key, use);
      return resized;
    };
  }

  #sizeOf(key: number): number {
    return Math.ceil(this.#files.size(key) / PAGE_BYTES);
  }
}

/** How many pages of a mapping lie before the end of a file of that many pages. */
export function filled(sizePages: number, { backing, start, end }: Pick<Mapping, 'backing' | 'start' | 'end'>): number {
  const count = (end - start) / PAGE_BYTES;
  return Math.max(0, Math.min(count, sizePages - (backing?.offset ?? 0) / PAGE_BYTES));
}
