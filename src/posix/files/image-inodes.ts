/**
 * The inodes of the image below the guest's files. Inode n of the image is inode n + 1 of the guest; it becomes an object when somebody asks for
 * it, and whether that happened shows nowhere: a checkpoint holds only inodes that differ from the image (`differs`).
 * Files of the image keep their access time, as on a file system mounted with noatime.
 * What this does NOT do: count links and users (FileSystem), write state (state.ts).
 */
import { assert } from '../../core/index.ts';
import { DEVICE_MINORS, KIND, type ImageNode, type ImageTree } from '../../image/index.ts';
import type { FileBase } from './base-pages.ts';
import { FileContent, type PageSpace } from './content.ts';
import { DirectoryEntries, FIRST_COOKIE, type BaseEntries } from './directory-entries.ts';
import { deviceNumber, deviceOf, type DirectoryInode, type FileInode, type Inode } from './inode.ts';
import { Pipe } from './pipe.ts';

export class ImageInodes {
  readonly tree: ImageTree;
  readonly #space: PageSpace;
  readonly #nodes: ImageNode[] = [];
  /** Those that are objects, by inode number. */
  readonly made = new Map<number, Inode>();

  constructor(tree: ImageTree, space: PageSpace) {
    this.tree = tree;
    this.#space = space;
  }

  /** Whether an inode number belongs to the image. */
  owns(ino: number): boolean {
    return ino >= 1 && ino <= this.tree.count;
  }

  /** The inode of a number that the image owns. */
  get(ino: number): Inode {
    const known = this.made.get(ino);
    if (known !== undefined) return known;
    const inode = this.#make(ino);
    this.made.set(ino, inode);
    return inode;
  }

  /** Those that are no longer as the image has them, by number. */
  changed(): readonly Inode[] {
    return [...this.made.values()].filter((inode) => this.differs(inode)).sort((a, b) => a.ino - b.ino);
  }

  /** Files with pages of the guest's own, by number. */
  written(): readonly FileInode[] {
    const found: FileInode[] = [];
    for (const inode of this.made.values()) if (inode.kind === 'file' && inode.content.hasOwnPages) found.push(inode);
    return found.sort((a, b) => a.ino - b.ino);
  }

  differs(inode: Inode): boolean {
    const node = this.#node(inode.ino);
    const isSame = inode.mode === node.mode && inode.uid === node.uid && inode.gid === node.gid && inode.nlink === node.links
      && inode.mtime === node.mtime && inode.ctime === node.mtime && inode.atime === node.mtime;
    if (!isSame) return true;
    switch (inode.kind) {
      case 'file': return !inode.content.isBase || inode.seals !== undefined || inode.isLinkable;
      case 'directory': return !inode.entries.isBase || inode.nextCookie !== FIRST_COOKIE + inode.entries.size || this.#isMoved(inode);
      case 'fifo': return inode.pipe.length > 0 || inode.pipe.hadWriter || inode.pipe.changes > 0;
      case 'symlink':
      case 'device': return false;
      default: throw new Error('assertion failed: an image holds no such inode');
    }
  }

  /** What the image has under a directory. */
  entriesOf(ino: number): BaseEntries {
    const { tree } = this;
    const directory = ino - 1;
    return {
      count: tree.entryCount(directory),
      name: (position) => tree.entryName(directory, position),
      inode: (position) => this.get(tree.entryInode(directory, position) + 1),
      find: (name) => tree.findEntry(directory, name),
    };
  }

  contentOf(ino: number): FileBase {
    const { tree } = this;
    return { size: tree.node(ino - 1).size, read: (offset, length) => tree.read(ino - 1, offset, length) };
  }

  /** As the image has it; kept, because every checkpoint asks again. */
  #node(ino: number): ImageNode {
    return this.#nodes[ino] ??= this.tree.node(ino - 1);
  }

  #isMoved(inode: DirectoryInode): boolean {
    const { parent, name } = this.tree.place(inode.ino - 1);
    return inode.parent.ino !== parent + 1 || inode.name !== name;
  }

  #make(ino: number): Inode {
    assert(this.owns(ino), 'an inode of the image');
    const node = this.#node(ino);
    const { mode, uid, gid, mtime } = node;
    const common = { ino, mode, uid, gid, nlink: node.links, atime: mtime, mtime, ctime: mtime, btime: mtime, references: 0 };
    switch (mode & KIND.mask) {
      case KIND.directory: return this.#makeDirectory(common);
      case KIND.file: return { kind: 'file', ...common, content: new FileContent(`file/${ino}`, this.#space, { size: node.size, runs: [], base: this.contentOf(ino) }), seals: undefined, isLinkable: false };
      case KIND.symlink: return { kind: 'symlink', ...common, target: this.tree.target(ino - 1) };
      case KIND.fifo: return { kind: 'fifo', ...common, pipe: new Pipe() };
      default: {
        const pair = { major: Math.floor(node.size / DEVICE_MINORS), minor: node.size % DEVICE_MINORS };
        return { kind: 'device', ...common, device: (mode & KIND.mask) === KIND.character ? deviceOf(pair) : 'absent', number: deviceNumber(pair) };
      }
    }
  }

  #makeDirectory(common: Omit<DirectoryInode, 'kind' | 'entries' | 'parent' | 'name' | 'nextCookie'>): DirectoryInode {
    const { parent, name } = this.tree.place(common.ino - 1);
    const entries = new DirectoryEntries(this.entriesOf(common.ino));
    const inode = { kind: 'directory', ...common, entries, name, nextCookie: FIRST_COOKIE + entries.size } as unknown as DirectoryInode; // `parent` follows.
    this.made.set(common.ino, inode);
    inode.parent = common.ino === 1 ? inode : this.get(parent + 1) as DirectoryInode; // The catalog's check: a holder is a directory.
    return inode;
  }
}
