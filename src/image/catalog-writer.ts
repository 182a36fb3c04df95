/**
 * Makes the catalog of a layer (catalog-format.ts).
 * Invariant: inodes are numbered breadth-first with names in byte order, so one tree has one catalog. What this does NOT do: hash.
 */
import { assert, limits, StillpointError } from '../core/index.ts';
import { chunkCount, ENTRY_BYTES, HAS_MARKS, HASH_BYTES, HEADER_BYTES, IMPLIED, INODE_BYTES, MAGIC, NONE, OPAQUE } from './catalog-format.ts';
import type { LayerDirectory, LayerFile, LayerNode } from './layer.ts';

interface Numbered { readonly node: LayerNode; readonly depth: number; links: number; parent: number; entry: number; first: number; count: number }
interface NumberedEntry { readonly name: string; readonly inode: number }

/**
 * Bytes of the catalog of a layer, and its files by inode. `chunksOf` gives the hashes of a file's chunks, 32 bytes each; without it all hashes are zero, for a catalog
 * whose files are read elsewhere. Throws E_IMAGE_LIMIT.
 */
export function encodeCatalog(root: LayerDirectory, chunksOf?: (file: LayerFile) => Uint8Array): { readonly bytes: Uint8Array; readonly files: ReadonlyMap<number, LayerFile> } {
  const { inodes, entries, hasMarks } = numberInodes(root);
  const files = new Map<number, LayerFile>();
  const text = new TextPool();
  let chunks = 0;
  for (const [index, item] of inodes.entries()) {
    if (item.node.kind === 'symlink') {
      item.first = text.add(item.node.target);
      item.count = item.node.target.length;
    } else if (item.node.kind === 'file') {
      files.set(index, item.node);
      item.first = chunks;
      item.count = chunkCount(item.node.size);
      chunks += item.count;
    }
  }
  const entriesAt = HEADER_BYTES + inodes.length * INODE_BYTES;
  const chunksAt = entriesAt + entries.length * ENTRY_BYTES;
  const names = entries.map(({ name }) => text.add(name));
  const bytes = new Uint8Array(chunksAt + chunks * HASH_BYTES + text.length);
  const view = new DataView(bytes.buffer);
  writeText(bytes, MAGIC);
  [inodes.length, entries.length, chunks, text.length, hasMarks ? HAS_MARKS : 0].forEach((value, index) => view.setUint32(8 + 4 * index, value, true));
  for (const [index, item] of inodes.entries()) writeInode(view, HEADER_BYTES + index * INODE_BYTES, item);
  for (const [index, { name, inode }] of entries.entries()) {
    const at = entriesAt + index * ENTRY_BYTES;
    view.setUint32(at, names[index]!, true);
    view.setUint16(at + 4, name.length, true);
    view.setUint32(at + 8, inode, true);
  }
  if (chunksOf !== undefined) for (const [index, file] of files) bytes.set(hashesOf(file, chunksOf), chunksAt + inodes[index]!.first * HASH_BYTES);
  writeText(bytes.subarray(chunksAt + chunks * HASH_BYTES), text.whole());
  return { bytes, files };
}

function hashesOf(file: LayerFile, chunksOf: (file: LayerFile) => Uint8Array): Uint8Array {
  const hashes = chunksOf(file);
  assert(hashes.length === chunkCount(file.size) * HASH_BYTES, 'a file has a hash for each chunk');
  return hashes;
}

function numberInodes(root: LayerDirectory): { readonly inodes: Numbered[]; readonly entries: NumberedEntry[]; readonly hasMarks: boolean } {
  const inodes: Numbered[] = [{ node: root, depth: 0, links: 2, parent: 0, entry: NONE, first: 0, count: 0 }];
  const known = new Map<LayerNode, number>();
  const entries: NumberedEntry[] = [];
  let hasMarks = false;
  for (let index = 0; index < inodes.length; index++) {
    const item = inodes[index]!;
    if (item.node.kind !== 'directory') continue;
    hasMarks ||= item.node.isOpaque;
    item.first = entries.length;
    const held = item.node.entries;
    for (const name of [...held.keys()].sort()) {
      const entry = held.get(name)!;
      const inode = entry === 'whiteout' ? NONE : numberOf(entry, item.depth + 1);
      if (entry === 'whiteout') hasMarks = true;
      else if (entry.kind === 'directory') {
        const child = inodes[inode]!;
        child.parent = index;
        child.entry = entries.length;
        child.links = 2;
        item.links++;
      }
      entries.push({ name, inode });
    }
    item.count = entries.length - item.first;
    if (entries.length > limits.IMAGE_ENTRIES_MAX) throw new StillpointError('E_IMAGE_LIMIT', `the layers together have more than ${limits.IMAGE_ENTRIES_MAX} names`);
  }
  function numberOf(node: LayerNode, depth: number): number {
    const before = known.get(node);
    if (before !== undefined) {
      assert(node.kind !== 'directory', 'a directory has one name');
      inodes[before]!.links++;
      return before;
    }
    if (depth > limits.IMAGE_DEPTH_MAX) throw new StillpointError('E_IMAGE_LIMIT', `the directories of the layers lie more than ${limits.IMAGE_DEPTH_MAX} deep`);
    known.set(node, inodes.length);
    inodes.push({ node, depth, links: 1, parent: 0, entry: 0, first: 0, count: 0 });
    return inodes.length - 1;
  }
  return { inodes, entries, hasMarks };
}

function writeInode(view: DataView, at: number, { node, links, parent, entry, first, count }: Numbered): void {
  view.setUint32(at, node.mode, true);
  view.setUint32(at + 4, node.uid, true);
  view.setUint32(at + 8, node.gid, true);
  view.setUint32(at + 12, links, true);
  view.setBigInt64(at + 16, node.mtime, true);
  view.setBigUint64(at + 24, BigInt(sizeField(node)), true);
  view.setUint32(at + 32, first, true);
  view.setUint32(at + 36, count, true);
  view.setUint32(at + 40, parent, true);
  view.setUint32(at + 44, entry, true);
}

function sizeField(node: LayerNode): number {
  switch (node.kind) {
    case 'directory': return (node.isOpaque ? OPAQUE : 0) + (node.isImplied ? IMPLIED : 0);
    case 'file': return node.size;
    case 'symlink': return node.target.length;
    case 'special': return node.device;
  }
}

/** Texts one after another, each once. */
class TextPool {
  readonly #places = new Map<string, number>();
  length = 0;

  /** Where the text lies. */
  add(text: string): number {
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    const place = this.length;
    this.#places.set(text, place);
    this.length += text.length;
    return place;
  }

  whole(): string {
    return [...this.#places.keys()].join('');
  }
}

/** Writes a byte string. */
function writeText(bytes: Uint8Array, text: string): void {
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
}
