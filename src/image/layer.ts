/**
 * One layer as a tree of objects that can be changed: what readers build, what is laid over what, what the catalog writes down.
 * Names are byte strings. A layer may hold whiteouts (names that hide what lies below) and opaque directories (nothing below shows).
 *
 *   lower  /a /b/x /b/y      upper  whiteout a, /b opaque with z      result  /b/z
 *
 * Invariants: no path leaves the tree: `..` stops at the root, links inside are followed inside; a later entry replaces an earlier one.
 * What this does NOT do: read bytes, keep order (the catalog sorts).
 */
import { limits, StillpointError } from '../core/index.ts';
import { KIND } from './tree.ts';

/** A file's bytes: still outside, or known by content. */
export type FileBytes =
  | { readonly kind: 'source'; read(offset: number, length: number): Uint8Array }
  | { readonly kind: 'chunks'; readonly hashes: Uint8Array };

interface Common { mode: number; uid: number; gid: number; mtime: bigint }
/** `isImplied`: no entry of its own, it only holds others; its mode and owner say nothing about what lies below. */
export interface LayerDirectory extends Common { readonly kind: 'directory'; readonly entries: Map<string, LayerEntry>; isOpaque: boolean; isImplied: boolean }
export interface LayerFile extends Common { readonly kind: 'file'; readonly size: number; readonly bytes: FileBytes }
export interface LayerSymlink extends Common { readonly kind: 'symlink'; readonly target: string }
/** Devices and FIFOs. `device` is major * 2^20 + minor. */
export interface LayerSpecial extends Common { readonly kind: 'special'; readonly device: number }
export type LayerNode = LayerDirectory | LayerFile | LayerSymlink | LayerSpecial;
export type LayerEntry = LayerNode | 'whiteout';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

export function emptyDirectory(): LayerDirectory {
  return { kind: 'directory', mode: KIND.directory | 0o755, uid: 0, gid: 0, mtime: 0n, entries: new Map(), isOpaque: false, isImplied: true };
}

/** Fills one layer, entry by entry. Throws E_IMAGE_FORMAT and E_IMAGE_LIMIT. */
export class LayerBuilder {
  readonly root: LayerDirectory = emptyDirectory();
  readonly #where: string;
  #count = 0;
  #textBytes = 0;
  #steps = 0;

  constructor(where: string) {
    this.#where = where;
  }

  /** Enters a node under a path; directories on the way are made, a directory that is there keeps its entries. */
  add(path: string, node: LayerNode): void {
    const { parent, name } = this.#place(path);
    if (name === undefined) {
      if (node.kind !== 'directory') throw this.fail(`the root directory is replaced by something else (${printable(path)})`);
      return copyCommon(node, this.root);
    }
    this.#enter({ parent, name }, node, () => path);
  }

  /**
   * Enters a node under a name in a directory of this layer; `path` is the directory's, without a slash at its end. Returns what is there now: the node, or the directory that
   * was there and keeps its entries; undefined when the name says what is hidden.
   */
  enter({ parent, path }: { readonly parent: LayerDirectory; readonly path: string }, name: string, node: LayerNode): LayerNode | undefined {
    const whole = (): string => `${path}/${name}`;
    if (path.length + 1 + name.length >= limits.PATH_BYTES_MAX) throw this.#tooLong(whole());
    return this.#enter({ parent, name }, node, whole);
  }

  #enter({ parent, name }: { readonly parent: LayerDirectory; readonly name: string }, node: LayerNode, path: () => string): LayerNode | undefined {
    if (name.startsWith(WHITEOUT)) {
      this.#addWhiteout(parent, name, path());
      return undefined;
    }
    if (node.kind === 'symlink') this.#checkTarget(path(), node.target);
    this.#account(name);
    const old = parent.entries.get(name);
    if (old !== undefined && old !== 'whiteout' && old.kind === 'directory' && node.kind === 'directory') {
      copyCommon(node, old);
      return old;
    }
    if (old === 'whiteout' && node.kind === 'directory') node.isOpaque = true;
    parent.entries.set(name, node);
    return node;
  }

  /** A second name for what `target` names in this layer. */
  addLink(path: string, target: string): void {
    const found = this.#place(target);
    const node = found.name === undefined ? this.root : found.parent.entries.get(found.name);
    if (node === undefined || node === 'whiteout') throw this.fail(`the hard link ${printable(path)} leads to ${printable(target)}, which is not before it in the archive`);
    if (node.kind === 'directory') throw this.fail(`the hard link ${printable(path)} leads to a directory`);
    const { parent, name } = this.#place(path);
    if (name === undefined) throw this.fail('the root directory is replaced by a hard link');
    this.#account(name);
    parent.entries.set(name, node);
  }

  fail(what: string): StillpointError {
    return new StillpointError('E_IMAGE_FORMAT', `${this.#where}: ${what}`, { data: { path: this.#where } });
  }

  #checkTarget(path: string, target: string): void {
    if (target === '' || target.length >= limits.PATH_BYTES_MAX) throw this.fail(`the symbolic link ${printable(path)} has a target of ${target.length} bytes`);
    this.#textBytes += target.length;
  }

  #addWhiteout(parent: LayerDirectory, name: string, path: string): void {
    if (name === OPAQUE) {
      parent.isOpaque = true;
      return;
    }
    const hidden = name.slice(WHITEOUT.length);
    if (hidden.startsWith(WHITEOUT)) return; // Bookkeeping of other union file systems.
    if (hidden === '' || hidden === '.' || hidden === '..') throw this.fail(`the whiteout ${printable(path)} names nothing`);
    this.#account(name);
    const replacement = parent.entries.get(hidden); // A whiteout speaks of what lies below only.
    if (replacement === undefined) parent.entries.set(hidden, 'whiteout');
    else if (replacement !== 'whiteout' && replacement.kind === 'directory') replacement.isOpaque = true;
  }

  #account(text: string): void {
    this.#count++;
    this.#textBytes += text.length;
    const isTooLarge = this.#count > limits.IMAGE_ENTRIES_MAX || this.#textBytes > limits.IMAGE_TEXT_BYTES_MAX;
    if (isTooLarge) throw this.#tooLarge(`it has more than ${limits.IMAGE_ENTRIES_MAX} entries or ${limits.IMAGE_TEXT_BYTES_MAX} bytes of names`);
  }

  #tooLong(path: string): StillpointError {
    return this.fail(`a path has ${path.length} bytes, at most ${limits.PATH_BYTES_MAX - 1} are possible`);
  }

  #tooLarge(what: string): StillpointError {
    return new StillpointError('E_IMAGE_LIMIT', `${this.#where}: ${what}`, { data: { path: this.#where } });
  }

  /** The directory that a path's last name lies in; symbolic links on the way are followed inside the layer, as an unpacking tar would. */
  #place(path: string): { readonly parent: LayerDirectory; readonly name: string | undefined } {
    if (path.length >= limits.PATH_BYTES_MAX) throw this.#tooLong(path);
    const todo = parts(path).reverse();
    const stack: LayerDirectory[] = [this.root];
    let links = 0;
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (++this.#steps > limits.IMAGE_STEPS_MAX) throw this.#tooLarge('its paths lead through too many links');
      if (stack.length > limits.IMAGE_DEPTH_MAX) throw this.#tooLarge(`its directories lie more than ${limits.IMAGE_DEPTH_MAX} deep`);
      if (name.length > limits.NAME_BYTES_MAX) throw this.fail(`a name has ${name.length} bytes, at most ${limits.NAME_BYTES_MAX} are possible`);
      if (name === '..') {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const directory = stack.at(-1)!;
      if (todo.length === 0) return { parent: directory, name };
      const next = directory.entries.get(name);
      if (next !== undefined && next !== 'whiteout' && next.kind === 'symlink') {
        if (++links > limits.SYMLINKS_MAX) throw this.fail(`the path ${printable(path)} goes through too many symbolic links`);
        if (next.target.startsWith('/')) stack.length = 1;
        todo.push(...parts(next.target).reverse());
        if (todo.length > limits.PATH_BYTES_MAX) throw this.fail(`the path ${printable(path)} becomes too long through symbolic links`);
        continue;
      }
      stack.push(next !== undefined && next !== 'whiteout' && next.kind === 'directory' ? next : this.#makeDirectory(directory, name));
    }
    return { parent: stack.at(-1)!, name: undefined };
  }

  #makeDirectory(parent: LayerDirectory, name: string): LayerDirectory {
    this.#account(name);
    const made = emptyDirectory();
    made.isOpaque = parent.entries.get(name) === 'whiteout';
    parent.entries.set(name, made);
    return made;
  }
}

/** Components without empty ones and `.`. */
function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** Mode, owner and time of a directory that an entry describes. */
function copyCommon(from: LayerDirectory, to: LayerDirectory): void {
  if (from.isImplied) return;
  to.isImplied = false;
  to.mode = from.mode;
  to.uid = from.uid;
  to.gid = from.gid;
  to.mtime = from.mtime;
}

/** Text of a stranger for a message: printable ASCII, not too long. */
export function printable(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return shown.replace(/[^\x20-\x7e]/g, '?');
}

/**
 * Lays `upper` over `lower`, which becomes the result and holds no whiteouts if it held none before. A directory of `upper` that is only implied
 * goes where a symbolic link of `lower` leads (`lib/x` over a system whose /lib is a link), as unpacking would.
 */
export function layOver(lower: LayerDirectory, upper: LayerDirectory): void {
  overlay([lower], upper);
}

/** `path`: the directories from the root to the one that `upper` is laid over. */
function overlay(path: readonly LayerDirectory[], upper: LayerDirectory): void {
  const lower = path.at(-1)!;
  copyCommon(upper, lower);
  if (upper.isOpaque) lower.entries.clear();
  for (const [name, entry] of upper.entries) {
    const below = lower.entries.get(name);
    if (entry === 'whiteout') lower.entries.delete(name);
    else if (entry.kind !== 'directory') lower.entries.set(name, entry);
    else overlay(directoryBelow(path, { name, below, isImplied: entry.isImplied }), entry);
  }
}

function directoryBelow(path: readonly LayerDirectory[], at: { readonly name: string; readonly below: LayerEntry | undefined; readonly isImplied: boolean }): readonly LayerDirectory[] {
  const { below } = at;
  if (below !== undefined && below !== 'whiteout') {
    if (below.kind === 'directory') return [...path, below];
    const led = at.isImplied && below.kind === 'symlink' ? follow(path, below.target) : undefined;
    if (led !== undefined) return led;
  }
  const made = emptyDirectory();
  path.at(-1)!.entries.set(at.name, made);
  return [...path, made];
}

/** The directory that a link leads to, with the way to it; undefined when there is none. */
function follow(from: readonly LayerDirectory[], target: string): readonly LayerDirectory[] | undefined {
  let path = target.startsWith('/') ? from.slice(0, 1) : [...from];
  const todo = parts(target).reverse();
  let links = 0;
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    if (name === '..') {
      path = path.slice(0, Math.max(1, path.length - 1));
      continue;
    }
    const next = path.at(-1)!.entries.get(name);
    if (next === undefined || next === 'whiteout') return undefined;
    if (next.kind === 'directory') path = [...path, next];
    else if (next.kind !== 'symlink' || ++links > limits.SYMLINKS_MAX) return undefined;
    else {
      if (next.target.startsWith('/')) path = path.slice(0, 1);
      todo.push(...parts(next.target).reverse());
    }
  }
  return path;
}

/** A layer whose root is the directory at `mount` (absolute). */
export function mountedAt(layer: LayerDirectory, mount: string): LayerDirectory {
  let top = layer;
  for (const name of parts(mount).reverse()) {
    const around = emptyDirectory();
    around.entries.set(name, top);
    top = around;
  }
  return top;
}
