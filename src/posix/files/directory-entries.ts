/**
 * The names in a directory, in the order of their cookies (the order of getdents64): those of the image below, in the image's order, then those
 * that the guest made, in the order of creation.
 *
 *   image   a b c d        hidden   b        own   e b'         listed   a c d e b'
 *
 * Invariants: a cookie never changes and is never used twice, so an iteration survives unlink and create; a hidden name may come back as an own
 * one; inodes of the image are made when somebody asks for them, and that shows nowhere.
 */
import { assert, type Undo } from '../../core/index.ts';
import type { Inode } from './inode.ts';

/** `cookie` is the entry's place in the order of getdents64. */
export interface DirectoryEntry { readonly inode: Inode; readonly cookie: number }

/** The names of an image's directory, numbered from 0. */
export interface BaseEntries {
  readonly count: number;
  name(position: number): string;
  inode(position: number): Inode;
  /** Position of a name, or -1. */
  find(name: string): number;
}

/** Cookies 1 and 2 are `.` and `..`. */
export const FIRST_COOKIE = 3;

export class DirectoryEntries {
  readonly base: BaseEntries | undefined;
  readonly #own = new Map<string, DirectoryEntry>();
  readonly #hidden = new Set<string>();
  /** What mark() goes back to, while it is as it was. */
  #kept: Undo | undefined;

  constructor(base?: BaseEntries) {
    this.base = base;
  }

  get size(): number {
    return this.#own.size + (this.base?.count ?? 0) - this.#hidden.size;
  }

  /** Whether it shows what the image holds, no more and no less. */
  get isBase(): boolean {
    return this.base !== undefined && this.#own.size === 0 && this.#hidden.size === 0;
  }

  get(name: string): DirectoryEntry | undefined {
    return this.#own.get(name) ?? this.#below(name);
  }

  has(name: string): boolean {
    return this.#own.has(name) || this.#position(name) >= 0;
  }

  /** Adds a name that is not there, with a cookie higher than any before. */
  set(name: string, entry: DirectoryEntry): void {
    assert(!this.has(name), 'a name is entered once');
    this.#kept = undefined;
    this.#own.set(name, entry);
  }

  delete(name: string): void {
    this.#kept = undefined;
    if (!this.#own.delete(name) && this.#position(name) >= 0) this.#hidden.add(name);
  }

  *[Symbol.iterator](): Generator<readonly [string, DirectoryEntry]> {
    const { base } = this;
    for (let position = 0; position < (base?.count ?? 0); position++) {
      const name = base!.name(position);
      if (!this.#hidden.has(name)) yield [name, { inode: base!.inode(position), cookie: FIRST_COOKIE + position }];
    }
    yield* this.#own;
  }

  /** Names of the image that do not show, sorted; for a checkpoint. */
  hidden(): readonly string[] {
    return [...this.#hidden].sort();
  }

  own(): Iterable<readonly [string, DirectoryEntry]> {
    return this.#own;
  }

  /** Restore: false when the image has no such name. */
  hide(name: string): boolean {
    if (this.#position(name) < 0) return false;
    this.#kept = undefined;
    this.#hidden.add(name);
    return true;
  }

  mark(): Undo {
    if (this.#kept !== undefined) return this.#kept;
    const [own, hidden] = [[...this.#own], [...this.#hidden]];
    const undo = (): void => {
      if (this.#kept === undo) return;
      this.#own.clear();
      this.#hidden.clear();
      for (const [name, entry] of own) this.#own.set(name, entry);
      for (const name of hidden) this.#hidden.add(name);
      this.#kept = undo;
    };
    this.#kept = undo;
    return undo;
  }

  #below(name: string): DirectoryEntry | undefined {
    const position = this.#position(name);
    return position < 0 ? undefined : { inode: this.base!.inode(position), cookie: FIRST_COOKIE + position };
  }

  /** Of a name of the image that shows. */
  #position(name: string): number {
    return this.base === undefined || this.#hidden.has(name) ? -1 : this.base.find(name);
  }
}
