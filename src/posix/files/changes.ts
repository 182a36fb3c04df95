/**
 * What a guest changed in its files since it started, as a layer: laid over the same image it gives the same files again.
 *
 *   gone            whiteout                      made, or another inode now      in full
 *   changed         in full, names alike          a directory in another's place  opaque, in full
 *
 * /dev, /proc and /sys are the machine's own and left out. A file with several names is in the layer with all of them or with none.
 * Sockets are left out, as by tar. Invariant: equal file systems give equal layers. What this does NOT do: write archives (image/tar-writer.ts).
 */
import { limits, StillpointError } from '../../core/index.ts';
import { DEVICE_MINORS, emptyDirectory, type LayerDirectory, type LayerNode } from '../../image/index.ts';
import type { FileSystem } from './file-system.ts';
import type { DirectoryInode, FileInode, Inode } from './inode.ts';

const PIECE_BYTES = 64 * 1024;
const MACHINE_OWN = ['dev', 'proc', 'sys'];

/** `before`: the files of the same machine before its first instruction. */
export function layerOfChanges(before: FileSystem, after: FileSystem): LayerDirectory {
  const changes = new Changes();
  const layer = changes.directory(before.root, after.root, []) ?? emptyDirectory();
  changes.addOtherNames(layer);
  return layer;
}

class Changes {
  /** Files and the like that are in the layer, by inode. */
  readonly #made = new Map<Inode, LayerNode>();
  /** Names of unchanged inodes that have more names. */
  readonly #others: { readonly path: readonly string[]; readonly inode: Inode }[] = [];

  /** Undefined: nothing changed in the directory and below. Throws E_IMAGE_LIMIT. */
  directory(before: DirectoryInode | undefined, after: DirectoryInode, path: readonly string[]): LayerDirectory | undefined {
    if (path.length > limits.IMAGE_DEPTH_MAX) throw new StillpointError('E_IMAGE_LIMIT', `the directories of the guest lie more than ${limits.IMAGE_DEPTH_MAX} deep; no layer holds that`);
    const layer = emptyDirectory();
    if (before === undefined || hasOtherFacts(before, after)) Object.assign(layer, factsOf(after), { isImplied: false });
    const isRoot = path.length === 0;
    const names = new Set([...entryNames(before), ...entryNames(after)].filter((name) => !isRoot || !MACHINE_OWN.includes(name)));
    for (const name of [...names].sort()) {
      const [was, is] = [before?.entries.get(name)?.inode, after.entries.get(name)?.inode];
      if (is === undefined) layer.entries.set(name, 'whiteout');
      else {
        const node = this.#node(was, is, [...path, name]);
        if (node !== undefined) layer.entries.set(name, node);
      }
    }
    return layer.isImplied && layer.entries.size === 0 ? undefined : layer;
  }

  /** Names that lead to what is in the layer under another name. */
  addOtherNames(layer: LayerDirectory): void {
    for (const { path, inode } of this.#others) {
      const node = this.#made.get(inode);
      if (node === undefined) continue;
      let directory = layer;
      for (const name of path.slice(0, -1)) {
        const there = directory.entries.get(name);
        const next = there !== undefined && there !== 'whiteout' && there.kind === 'directory' ? there : emptyDirectory();
        directory.entries.set(name, next);
        directory = next;
      }
      directory.entries.set(path.at(-1)!, node);
    }
  }

  #node(was: Inode | undefined, is: Inode, path: readonly string[]): LayerNode | undefined {
    const before = was?.ino === is.ino && was.kind === is.kind ? was : undefined;
    if (is.kind === 'directory') {
      const layer = this.directory(before?.kind === 'directory' ? before : undefined, is, path);
      if (layer !== undefined && before === undefined) layer.isOpaque = was?.kind === 'directory';
      return layer;
    }
    if (before !== undefined && !hasOtherFacts(before, is) && hasSameContent(before, is)) {
      if (is.nlink > 1) this.#others.push({ path, inode: is });
      return undefined;
    }
    return this.#made.get(is) ?? this.#make(is);
  }

  #make(inode: Inode): LayerNode | undefined {
    const node = layerNode(inode);
    if (node !== undefined) this.#made.set(inode, node);
    return node;
  }
}

function entryNames(directory: DirectoryInode | undefined): readonly string[] {
  return directory === undefined ? [] : [...directory.entries].map(([name]) => name);
}

function factsOf({ mode, uid, gid, mtime }: Inode): { mode: number; uid: number; gid: number; mtime: bigint } {
  return { mode, uid, gid, mtime };
}

function hasOtherFacts(a: Inode, b: Inode): boolean {
  return a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid || a.mtime !== b.mtime;
}

function hasSameContent(a: Inode, b: Inode): boolean {
  if (a.kind !== 'file' || b.kind !== 'file' || (a.content.isBase && b.content.isBase)) return true;
  if (a.content.size !== b.content.size) return false;
  for (let at = 0; at < a.content.size; at += PIECE_BYTES) if (!isSame(a.content.readAt(at, PIECE_BYTES), b.content.readAt(at, PIECE_BYTES))) return false;
  return true;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Undefined: nothing that an archive could keep. */
function layerNode(inode: Inode): LayerNode | undefined {
  switch (inode.kind) {
    case 'file': return fileNode(inode);
    case 'symlink': return { kind: 'symlink', ...factsOf(inode), target: inode.target };
    case 'fifo': return { kind: 'special', ...factsOf(inode), device: 0 };
    case 'device': return { kind: 'special', ...factsOf(inode), device: (inode.number >>> 8 & 0xfff) * DEVICE_MINORS + ((inode.number & 0xff) | (inode.number >>> 12 & 0xfff00)) };
    case 'directory':
    case 'channel':
    case 'socket':
    case 'event':
    case 'epoll':
    case 'timer':
    case 'signal':
    case 'process':
    case 'watch':
    case 'terminal':
    case 'master':
    case 'queue':
    case 'virtual': return undefined;
  }
}

function fileNode(inode: FileInode): LayerNode {
  const { content } = inode;
  return { kind: 'file', ...factsOf(inode), size: content.size, bytes: { kind: 'source', read: (offset, length) => content.readAt(offset, length) } };
}
