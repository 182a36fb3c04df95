/**
 * From a path to an inode, as Linux walks: search permission on every directory, at most 40 symbolic links, names of at most 255 bytes,
 * trailing slashes that demand a directory. `parent` mode stops before the last name (mkdir, unlink, rename, link), the others look at it.
 * What this does NOT do: check rights on the last inode, open or change anything.
 */
import { limits } from '../../core/index.ts';
import { ERRNO } from '../errno.ts';
import { RIGHT } from './flags.ts';
import type { FileSystem } from './file-system.ts';
import { isDirectory, type DirectoryInode, type Inode, type VirtualInode } from './inode.ts';
import { permits, type Credentials } from './permission.ts';
import { deviceOf } from './stat.ts';

/** Whose walk it is. */
export interface Walker { readonly pid: number; readonly credentials: Credentials }

export type WalkMode = 'follow' | 'nofollow' | 'parent';

export interface Walked {
  /** The directory that holds (or would hold) the name. Undefined when the walk ended on `/`, `.`, `..` or a magic link. */
  readonly parent: DirectoryInode | VirtualInode | undefined;
  readonly name: string;
  readonly inode: Inode | undefined;
  /** The path had slashes after its last name. */
  readonly trailing: boolean;
  /** What the last component was. In parent mode only `name` has a name to act on. */
  readonly last: 'name' | 'dot' | 'dotdot' | 'root' | 'magic';
}

/** What openat2 may forbid: links, links that lead to an inode, other file systems, leaving the tree below the start (EXDEV), or taking that start for `/` and its `..`. */
export interface Resolve { readonly allowsLinks: boolean; readonly allowsMagic: boolean; readonly allowsMounts: boolean; readonly scope: 'none' | 'beneath' | 'root' }
const FREELY: Resolve = { allowsLinks: true, allowsMagic: true, allowsMounts: true, scope: 'none' };
/** Links of /proc that lead to what a process has, whatever readlink says of them. */
const MAGIC = /^\/proc\/.*\/(?:(?:cwd|exe|root)$|(?:fd|ns)\/)/;

/** Walks `path` from `start` (ignored for absolute paths). A negative number is -errno. */
export function walk(files: FileSystem, who: Walker, from: { readonly start: Inode; readonly path: string; readonly resolve?: Resolve | undefined }, mode: WalkMode): Walked | number {
  if (from.path === '') return -ERRNO.ENOENT;
  if (from.path.length >= limits.PATH_BYTES_MAX) return -ERRNO.ENAMETOOLONG;
  return new Walk(files, who, mode, from.resolve ?? FREELY).run(from.start, from.path);
}

class Walk {
  readonly #files: FileSystem;
  readonly #who: Walker;
  readonly #mode: WalkMode;
  /** Components still to be walked, the next one last. */
  #todo: string[] = [];
  #links = 0;
  #trailing = false;
  #last: Walked['last'] = 'root';
  #current!: Inode;

  #start!: Inode;
  readonly #resolve: Resolve;

  constructor(files: FileSystem, who: Walker, mode: WalkMode, resolve: Resolve) {
    this.#resolve = resolve;
    this.#files = files;
    this.#who = who;
    this.#mode = mode;
  }

  run(start: Inode, path: string): Walked | number {
    this.#current = start;
    this.#start = start;
    if (this.#resolve.scope === 'beneath' && path.startsWith('/')) return -ERRNO.EXDEV;
    this.#push(path);
    for (let name = this.#todo.pop(); name !== undefined; name = this.#todo.pop()) {
      const answer = this.#step(name);
      if (typeof answer === 'number') return answer;
      if (this.#isElsewhere(answer === undefined ? this.#current : answer.inode)) return -ERRNO.EXDEV;
      if (answer !== undefined) return answer;
    }
    return { parent: undefined, name: '', inode: this.#current, trailing: this.#trailing, last: this.#last };
  }

  /** On another file system than the start, where that is forbidden. */
  #isElsewhere(inode: Inode | undefined): boolean {
    return !this.#resolve.allowsMounts && inode !== undefined && deviceOf(inode) !== deviceOf(this.#start);
  }

  #push(path: string): void {
    const names = path.split('/').filter((name) => name !== '');
    if (this.#todo.length === 0 && path.endsWith('/')) this.#trailing = true;
    this.#todo.push(...names.reverse());
    if (path.startsWith('/')) {
      this.#current = this.#resolve.scope === 'root' ? this.#start : this.#files.root;
      this.#last = 'root';
    }
  }

  /** Takes one component; an answer ends the walk. */
  #step(name: string): Walked | number | undefined {
    const directory = this.#current;
    if (!isDirectory(directory)) return -ERRNO.ENOTDIR;
    if (!permits(directory, this.#who.credentials, RIGHT.execute)) return -ERRNO.EACCES;
    if (name.length > limits.NAME_BYTES_MAX) return -ERRNO.ENAMETOOLONG;
    if (name === '.' || name === '..') {
      this.#last = name === '.' ? 'dot' : 'dotdot';
      if (name === '..') {
        const isAtStart = this.#resolve.scope !== 'none' && directory === this.#start;
        if (isAtStart && this.#resolve.scope === 'beneath') return -ERRNO.EXDEV;
        if (!isAtStart) this.#current = this.#files.parentOf(directory);
      }
      return undefined;
    }
    // A directory that is not one of ours is a virtual one: both have lookup.
    const holder = directory as DirectoryInode | VirtualInode;
    const isLast = this.#todo.length === 0;
    const inode = this.#files.lookup(holder, name);
    if (inode === undefined) {
      if (!isLast) return -ERRNO.ENOENT;
      return { parent: holder, name, inode: undefined, trailing: this.#trailing, last: 'name' };
    }
    const target = isLast && !this.#followsLast() ? undefined : this.#files.linkTarget(inode, this.#who.pid);
    if (target !== undefined) return this.#follow(target, typeof target !== 'string' || (inode.kind === 'virtual' && MAGIC.test(inode.path)));
    if (!isLast) {
      this.#current = inode;
      return undefined;
    }
    if (this.#mode !== 'parent' && this.#trailing && !isDirectory(inode)) return -ERRNO.ENOTDIR;
    return { parent: holder, name, inode, trailing: this.#trailing, last: 'name' };
  }

  #followsLast(): boolean {
    return this.#mode === 'follow' || (this.#mode === 'nofollow' && this.#trailing);
  }

  #follow(target: string | Inode | number, isMagic: boolean): number | undefined {
    if (typeof target === 'number') return target;
    const { allowsLinks, allowsMagic, scope } = this.#resolve;
    if (++this.#links > limits.SYMLINKS_MAX || !allowsLinks || (!allowsMagic && isMagic)) return -ERRNO.ELOOP;
    if (scope !== 'none' && (typeof target !== 'string' || isMagic || (scope === 'beneath' && target.startsWith('/')))) return -ERRNO.EXDEV;
    if (typeof target === 'string') {
      this.#push(target);
      return undefined;
    }
    this.#current = target; // A magic link jumps to the inode itself, whatever its name is now.
    this.#last = 'magic';
    return this.#todo.length === 0 && this.#trailing && !isDirectory(target) ? -ERRNO.ENOTDIR : undefined;
  }
}
