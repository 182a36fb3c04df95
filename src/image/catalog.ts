/**
 * The catalog of an image as a tree that is looked up in place (catalog-format.ts has its form).
 * Invariant: the reader checks every field, so that a catalog from a stranger is sound or an error. What this does NOT do: keep file bytes, hash.
 */
import { assert, limits } from '../core/index.ts';
import { chunkCount, CHUNKS_MAX, ENTRY_BYTES, HAS_MARKS, HASH_BYTES, HEADER_BYTES, hex, IMPLIED, INODE_BYTES, MAGIC, malformed, NONE, OPAQUE } from './catalog-format.ts';
import { emptyDirectory, type FileBytes, type LayerDirectory, type LayerEntry, type LayerNode } from './layer.ts';
import { DEVICE_MINORS, KIND, type ImageNode, type ImageTree } from './tree.ts';

/** Characters that one call makes. */
const TEXT_PIECE = 4096;

/** Reads a file's bytes: [offset, offset + length) lie within it. */
export type ReadFile = (file: number, offset: number, length: number) => Uint8Array;

export class ImageCatalog implements ImageTree {
  readonly digest: string;
  readonly count: number;
  /** Whether it is a layer that hides what lies below. */
  readonly hasMarks: boolean;
  readonly bytes: Uint8Array;
  readonly read: ReadFile;
  readonly #view: DataView;
  readonly #entriesAt: number;
  readonly #chunksAt: number;
  /** Names and targets. */
  readonly #text: string;
  readonly #chunks: number;

  /** Throws E_IMAGE_FORMAT on anything that encodeCatalog cannot have made; `isOurs`: this process has just had it made. */
  constructor(bytes: Uint8Array, { digest, read, isOurs = false }: { readonly digest: string; readonly read: (catalog: ImageCatalog) => ReadFile; readonly isOurs?: boolean }) {
    this.bytes = bytes;
    this.digest = digest;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const header = (index: number): number => this.#view.getUint32(8 + 4 * index, true);
    const isOne = bytes.length >= HEADER_BYTES && [...MAGIC].every((character, index) => bytes[index] === character.charCodeAt(0));
    if (!isOne) throw malformed('is not one');
    const entries = header(1);
    this.count = header(0);
    this.#chunks = header(2);
    this.hasMarks = header(4) === HAS_MARKS;
    this.#entriesAt = HEADER_BYTES + this.count * INODE_BYTES;
    this.#chunksAt = this.#entriesAt + entries * ENTRY_BYTES;
    const textAt = this.#chunksAt + this.#chunks * HASH_BYTES;
    const isSound = this.count >= 1 && this.count <= limits.IMAGE_ENTRIES_MAX + 1 && entries <= limits.IMAGE_ENTRIES_MAX && this.#chunks <= CHUNKS_MAX
      && textAt + header(3) === bytes.length && header(4) <= HAS_MARKS && header(5) === 0;
    if (!isSound) throw malformed('has another length than its header says');
    this.#text = readText(bytes.subarray(textAt));
    if (!isOurs) new Checker(this, { entries, chunks: this.#chunks, textBytes: header(3) }).check();
    this.read = read(this);
  }

  node(inode: number): ImageNode {
    const at = this.#at(inode);
    const view = this.#view;
    const mode = view.getUint32(at, true);
    const isDirectory = (mode & KIND.mask) === KIND.directory;
    return {
      mode, uid: view.getUint32(at + 4, true), gid: view.getUint32(at + 8, true), links: view.getUint32(at + 12, true),
      mtime: view.getBigInt64(at + 16, true), size: isDirectory ? 0 : this.rawSize(inode),
    };
  }

  target(symlink: number): string {
    return this.text(this.first(symlink), this.entryCount(symlink));
  }

  place(directory: number): { readonly parent: number; readonly name: string } {
    const at = this.#at(directory);
    const entry = this.#view.getUint32(at + 44, true);
    const isNamed = entry !== NONE && (this.#view.getUint32(at, true) & KIND.mask) === KIND.directory;
    return { parent: this.#view.getUint32(at + 40, true), name: isNamed ? this.nameOf(entry) : '' };
  }

  entryCount(directory: number): number {
    return this.#view.getUint32(this.#at(directory) + 36, true);
  }

  entryName(directory: number, position: number): string {
    return this.nameOf(this.first(directory) + position);
  }

  entryInode(directory: number, position: number): number {
    return this.inodeOf(this.first(directory) + position);
  }

  findEntry(directory: number, name: string): number {
    const first = this.first(directory);
    let low = 0;
    let high = this.entryCount(directory);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.nameOf(first + middle) < name) low = middle + 1;
      else high = middle;
    }
    return low < this.entryCount(directory) && this.nameOf(first + low) === name ? low : -1;
  }

  /** Hash of one chunk of a file, 64 hexadecimal digits. */
  chunkHash(file: number, index: number): string {
    return hex(this.#chunk(this.first(file) + index));
  }

  /** Hashes of all chunks, each 64 hexadecimal digits. */
  *chunkHashes(): Generator<string> {
    for (let index = 0; index < this.#chunks; index++) yield hex(this.#chunk(index));
  }

  /** The same as a tree of objects, files known by content. */
  toLayer(): LayerDirectory {
    const made: LayerNode[] = [];
    for (let inode = 0; inode < this.count; inode++) made.push(this.#layerNode(inode));
    made.forEach((node, inode) => {
      if (node.kind !== 'directory') return;
      for (let position = 0; position < this.entryCount(inode); position++) {
        const entry: LayerEntry = this.entryInode(inode, position) === NONE ? 'whiteout' : made[this.entryInode(inode, position)]!;
        node.entries.set(this.entryName(inode, position), entry);
      }
    });
    return made[0] as LayerDirectory; // Checked: inode 0 is a directory.
  }

  // For the checker and the reader above; numbers are as stored.

  first(inode: number): number {
    return this.#view.getUint32(this.#at(inode) + 32, true);
  }

  rawSize(inode: number): number {
    return Number(this.#view.getBigUint64(this.#at(inode) + 24, true));
  }

  kind(inode: number): number {
    return this.#view.getUint32(this.#at(inode), true) & KIND.mask;
  }

  placeEntry(inode: number): number {
    return this.#view.getUint32(this.#at(inode) + 44, true);
  }

  inodeOf(entry: number): number {
    return this.#view.getUint32(this.#entriesAt + entry * ENTRY_BYTES + 8, true);
  }

  entryText(entry: number): { readonly offset: number; readonly length: number; readonly zero: number } {
    const at = this.#entriesAt + entry * ENTRY_BYTES;
    return { offset: this.#view.getUint32(at, true), length: this.#view.getUint16(at + 4, true), zero: this.#view.getUint16(at + 6, true) };
  }

  nameOf(entry: number): string {
    const { offset, length } = this.entryText(entry);
    return this.text(offset, length);
  }

  text(offset: number, length: number): string {
    return this.#text.slice(offset, offset + length);
  }

  #chunk(index: number): Uint8Array {
    return this.bytes.subarray(this.#chunksAt + index * HASH_BYTES, this.#chunksAt + (index + 1) * HASH_BYTES);
  }

  #at(inode: number): number {
    assert(inode >= 0 && inode < this.count, 'an inode of the image');
    return HEADER_BYTES + inode * INODE_BYTES;
  }

  #layerNode(inode: number): LayerNode {
    const { mode, uid, gid, mtime, size } = this.node(inode);
    const common = { mode, uid, gid, mtime };
    switch (mode & KIND.mask) {
      case KIND.directory: return { ...emptyDirectory(), ...common, isOpaque: (this.rawSize(inode) & OPAQUE) !== 0, isImplied: (this.rawSize(inode) & IMPLIED) !== 0 };
      case KIND.symlink: return { kind: 'symlink', ...common, target: this.target(inode) };
      case KIND.file: return { kind: 'file', ...common, size, bytes: this.#fileBytes(inode) };
      default: return { kind: 'special', ...common, device: size };
    }
  }

  #fileBytes(inode: number): FileBytes {
    const first = this.#chunksAt + this.first(inode) * HASH_BYTES;
    return { kind: 'chunks', hashes: this.bytes.slice(first, first + this.entryCount(inode) * HASH_BYTES) };
  }
}

/** Every rule of a catalog; the lookups above rely on them. */
class Checker {
  readonly #catalog: ImageCatalog;
  readonly #entries: number;
  readonly #chunks: number;
  readonly #textBytes: number;
  #nextEntry = 0;
  #nextChunk = 0;
  #nextInode = 1;

  constructor(catalog: ImageCatalog, counts: { readonly entries: number; readonly chunks: number; readonly textBytes: number }) {
    this.#catalog = catalog;
    this.#entries = counts.entries;
    this.#chunks = counts.chunks;
    this.#textBytes = counts.textBytes;
  }

  check(): void {
    const catalog = this.#catalog;
    const links = new Uint32Array(catalog.count);
    const depths = new Uint16Array(catalog.count);
    if (catalog.kind(0) !== KIND.directory || catalog.placeEntry(0) !== NONE || catalog.place(0).parent !== 0) throw malformed('has no root directory');
    for (let inode = 0; inode < catalog.count; inode++) {
      if (inode >= this.#nextInode) throw malformed('has an inode without a name');
      this.#checkInode(inode, links);
      if (!this.#isDirectory(inode) || inode === 0) continue;
      const depth = depths[catalog.place(inode).parent]! + 1; // Holders have lower numbers.
      depths[inode] = depth;
      if (depth > limits.IMAGE_DEPTH_MAX) throw malformed('has directories too deep in each other');
    }
    const isWhole = this.#nextEntry === this.#entries && this.#nextChunk === this.#chunks && this.#nextInode === catalog.count;
    if (!isWhole) throw malformed('has records that belong to nothing');
    for (let inode = 0; inode < catalog.count; inode++) if (links[inode] !== catalog.node(inode).links - (this.#isDirectory(inode) ? 2 : 0)) throw malformed('counts links wrongly');
  }

  #isDirectory(inode: number): boolean {
    return this.#catalog.kind(inode) === KIND.directory;
  }

  #checkInode(inode: number, links: Uint32Array): void {
    const catalog = this.#catalog;
    const { mode } = catalog.node(inode);
    const size = catalog.rawSize(inode);
    if (mode > 0o177777 || !Number.isSafeInteger(size)) throw malformed('has an inode of unsound mode or size');
    if (!this.#isDirectory(inode) && (catalog.place(inode).parent !== 0 || catalog.placeEntry(inode) !== 0)) throw malformed('has a holder for something that is no directory');
    switch (mode & KIND.mask) {
      case KIND.directory: return this.#checkDirectory(inode, links);
      case KIND.file:
        if (size > limits.FILE_BYTES_MAX || catalog.first(inode) !== this.#nextChunk || catalog.entryCount(inode) !== chunkCount(size)) throw malformed('has a file with unsound chunks');
        this.#nextChunk += catalog.entryCount(inode);
        if (this.#nextChunk > this.#chunks) throw malformed('has a file with unsound chunks');
        return;
      case KIND.symlink:
        if (size === 0 || size >= limits.PATH_BYTES_MAX || catalog.entryCount(inode) !== size || catalog.first(inode) + size > this.#textBytes) throw malformed('has an unsound symbolic link');
        if (catalog.target(inode).includes('\0')) throw malformed('has an unsound symbolic link');
        return;
      case KIND.fifo:
      case KIND.character:
      case KIND.block:
        if (size >= DEVICE_MINORS * DEVICE_MINORS || catalog.first(inode) !== 0 || catalog.entryCount(inode) !== 0) throw malformed('has an unsound device');
        return;
      default: throw malformed('has an inode of unknown kind');
    }
  }

  #checkDirectory(inode: number, links: Uint32Array): void {
    const catalog = this.#catalog;
    const count = catalog.entryCount(inode);
    if (catalog.rawSize(inode) > (OPAQUE | IMPLIED) || catalog.first(inode) !== this.#nextEntry || this.#nextEntry + count > this.#entries) throw malformed('has an unsound directory');
    let before: string | undefined;
    for (let position = 0; position < count; position++) {
      const entry = this.#nextEntry++;
      const name = this.#checkName(entry);
      if (before !== undefined && before >= name) throw malformed('has names out of order');
      before = name;
      const child = catalog.inodeOf(entry);
      if (child === NONE && catalog.hasMarks) continue;
      if (child > this.#nextInode || child >= catalog.count || child === 0) throw malformed('has a name that leads nowhere');
      const isNew = child === this.#nextInode;
      if (isNew) this.#nextInode++;
      if (this.#isDirectory(child)) {
        if (!isNew || catalog.placeEntry(child) !== entry || catalog.place(child).parent !== inode) throw malformed('has a directory in two places');
        links[inode]!++;
      } else links[child]!++;
    }
  }

  #checkName(entry: number): string {
    const { offset, length, zero } = this.#catalog.entryText(entry);
    if (zero !== 0 || length === 0 || length > limits.NAME_BYTES_MAX || offset + length > this.#textBytes) throw malformed('has an unsound name');
    const name = this.#catalog.nameOf(entry);
    if (name === '.' || name === '..' || name.includes('/') || name.includes('\0')) throw malformed('has an unsound name');
    return name;
  }
}

/** Bytes as a byte string. */
function readText(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += TEXT_PIECE) text += String.fromCharCode(...bytes.subarray(at, at + TEXT_PIECE));
  return text;
}
