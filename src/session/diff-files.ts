/**
 * The guest's file tree out of its section, with names: path → facts, and what differs between two.
 *
 *   section: [version, nextInode, nextOpenFile, inodes, openFiles, locks, …, changed inodes of the image]
 *   inode:   [ino, mode, uid, gid, nlink, atime, mtime, ctime, btime, kind, …]      directory: …, parent, name, cookie, [[name, reference, cookie]…]
 *
 * Invariants: reads only; what has no name in the section (an inode of the image that was changed) is called by its number.
 * What this does NOT do: read contents: which objects differ comes from the page trees.
 */
import type { Canonical } from '../core/index.ts';
import { listOf, textOf } from './diff-values.ts';

interface Node { readonly ino: number; readonly kind: string; readonly facts: ReadonlyMap<string, string>; readonly record: readonly Canonical[] }
export interface FileTree { readonly byPath: ReadonlyMap<string, Node>; readonly openFiles: ReadonlyMap<number, string> }
export interface FileDifference { readonly path: string; readonly what: string; readonly first: string | undefined; readonly second: string | undefined }

const ROOT = 1;
const AT = { kind: 9, parent: 10, name: 11, entries: 13 } as const;
const CHANGED_AT = 8;

export function readFileTree(section: Canonical | undefined): FileTree {
  const fields = listOf(section);
  const nodes = new Map<number, Node>();
  for (const item of [...listOf(fields[3]), ...listOf(fields[CHANGED_AT])]) {
    const node = readNode(listOf(item));
    nodes.set(node.ino, node);
  }
  const names = new Map<number, { readonly parent: number; readonly name: string }[]>();
  for (const { ino, kind, record } of nodes.values()) {
    if (kind !== 'directory') continue;
    for (const entry of listOf(record[AT.entries])) {
      const [name, reference] = listOf(entry);
      if (typeof reference === 'number') names.set(reference, [...names.get(reference) ?? [], { parent: ino, name: textOf(name) }]);
    }
  }
  const byPath = new Map<string, Node>();
  for (const node of nodes.values()) for (const path of pathsOf(node, { nodes, names })) byPath.set(path, node);
  return { byPath, openFiles: new Map(listOf(fields[4]).map((item) => openFile(listOf(item)))) };
}

function readNode(record: readonly Canonical[]): Node {
  const [ino, mode, uid, gid, nlink, , mtime] = record;
  const kind = textOf(record[AT.kind]);
  const facts = new Map<string, string>([['kind', kind], ['mode', Number(mode).toString(8)], ['owner', `${textOf(uid)}:${textOf(gid)}`], ['links', textOf(nlink)], ['modified', textOf(mtime)]]);
  if (kind === 'file') facts.set('size', textOf(record[10]));
  if (kind === 'symlink') facts.set('target', textOf(record[10]));
  return { ino: Number(ino), kind, facts, record };
}

interface Names { readonly nodes: ReadonlyMap<number, Node>; readonly names: ReadonlyMap<number, readonly { readonly parent: number; readonly name: string }[]> }

function pathsOf(node: Node, { nodes, names }: Names): readonly string[] {
  if (node.ino === ROOT) return ['/'];
  const places = names.get(node.ino) ?? [];
  if (places.length === 0) return [node.kind === 'directory' ? directoryPath(node.ino, nodes) : `(inode ${node.ino}, without a name here)`];
  return places.map(({ parent, name }) => `${directoryPath(parent, nodes)}/${name}`.replace('//', '/'));
}

/** Directories know their parents; a loop in hostile bytes ends with the number of directories. */
function directoryPath(ino: number, nodes: ReadonlyMap<number, Node>): string {
  let path = '';
  for (let [at, left] = [ino, nodes.size]; at !== ROOT && left > 0; left--) {
    const record = nodes.get(at)?.record;
    if (record === undefined) return `(inode ${at})${path}`;
    path = `/${textOf(record[AT.name])}${path}`;
    at = Number(record[AT.parent]);
  }
  return path === '' ? '/' : path;
}

function openFile(record: readonly Canonical[]): [number, string] {
  const [id, , flags, offset, path] = record;
  return [Number(id), `${textOf(path)} at ${textOf(offset)} (flags 0${Number(flags).toString(8)})`];
}

/** `hasOtherContent` says whether the pages of two inodes differ. */
export function* diffFileTrees(first: FileTree, second: FileTree, hasOtherContent: (first: number, second: number) => boolean): Generator<FileDifference> {
  for (const path of [...new Set([...first.byPath.keys(), ...second.byPath.keys()])].sort()) {
    const [mine, theirs] = [first.byPath.get(path), second.byPath.get(path)];
    if (mine === undefined || theirs === undefined) {
      yield { path, what: 'presence', first: mine?.kind, second: theirs?.kind };
      continue;
    }
    for (const [what, text] of mine.facts) if (text !== theirs.facts.get(what)) yield { path, what, first: text, second: theirs.facts.get(what) };
    if (mine.kind === 'file' && theirs.kind === 'file' && hasOtherContent(mine.ino, theirs.ino)) yield { path, what: 'content', first: 'bytes', second: 'other bytes' };
  }
}
