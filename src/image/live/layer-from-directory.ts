/**
 * A layer from a directory of the host: what lies in it, links as links, file bytes read when they are asked for.
 * Files of the user who runs Stillpoint belong to the guest's user, so that a guest may write in a directory that its user made; all others keep
 * their numbers. Sockets are left out, as by tar. `.wh.` names are whiteouts, as in an archive.
 * Invariants: no link is followed; a file that changed since it was seen is E_IMAGE_CHANGED.
 */
import * as fs from 'node:fs';
import { limits, StillpointError } from '../../core/index.ts';
import { LayerBuilder, type LayerDirectory, type LayerNode } from '../layer.ts';
import { DEVICE_MINORS, KIND } from '../tree.ts';
import { changed, imageError } from './file-source.ts';
import { namesIn, pathBelow, type HostPath } from './host-tree.ts';

/** The guest's user and group (posix GUEST). */
const GUEST_ID = 1000;

interface Self { readonly uid: number; readonly gid: number }
/** A directory whose names are still to be read. `path` is where it lies in the layer, '' for the root. */
interface Unread { readonly host: HostPath; readonly path: string; readonly parent: LayerDirectory }
/** What is at a name of a directory of the host. */
interface Found { readonly directory: HostPath; readonly name: string; readonly facts: fs.BigIntStats }

/** Throws E_IMAGE_OPEN, E_IMAGE_FORMAT, E_IMAGE_LIMIT. */
export function layerFromDirectory(root: string): LayerDirectory {
  const self: Self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const builder = new LayerBuilder(root);
  const links = new Map<string, LayerNode>();
  try {
    builder.add('/', directoryNode(fs.statSync(root, { bigint: true }), self));
    const todo: Unread[] = [{ host: root, path: '', parent: builder.root }];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      for (const name of namesIn(next.host)) {
        const facts = fs.lstatSync(pathBelow(next.host, name), { bigint: true });
        if (facts.isSocket()) continue;
        const entered = builder.enter(next, name, nodeOf({ directory: next.host, name, facts }, { links, self }));
        if (entered?.kind === 'directory') todo.push({ host: pathBelow(next.host, name), path: `${next.path}/${name}`, parent: entered });
      }
    }
  } catch (cause) {
    throw imageError(root, cause);
  }
  return builder.root;
}

/** The node of a file that was met before under another name is that node again. */
function nodeOf(found: Found, { links, self }: { readonly links: Map<string, LayerNode>; readonly self: Self }): LayerNode {
  const { facts } = found;
  if (facts.isDirectory()) return directoryNode(facts, self);
  if (facts.nlink === 1n) return fileNode(found, self);
  const key = `${facts.dev} ${facts.ino}`;
  const node = links.get(key) ?? fileNode(found, self);
  links.set(key, node);
  return node;
}

function common(facts: fs.BigIntStats, self: Self): { mode: number; uid: number; gid: number; mtime: bigint } {
  const [uid, gid] = [Number(facts.uid), Number(facts.gid)];
  return { mode: Number(facts.mode) & 0o177777, uid: uid === self.uid ? GUEST_ID : uid, gid: gid === self.gid ? GUEST_ID : gid, mtime: facts.mtimeNs };
}

function directoryNode(facts: fs.BigIntStats, self: Self): LayerDirectory {
  return { kind: 'directory', ...common(facts, self), entries: new Map(), isOpaque: false, isImplied: false };
}

function fileNode(found: Found, self: Self): LayerNode {
  const { directory, name, facts } = found;
  if (facts.isSymbolicLink()) return { kind: 'symlink', ...common(facts, self), mode: KIND.symlink | 0o777, target: fs.readlinkSync(pathBelow(directory, name), 'latin1') };
  if (!facts.isFile()) return { kind: 'special', ...common(facts, self), device: deviceNumber(facts) };
  const size = Number(facts.size);
  if (size > limits.FILE_BYTES_MAX) {
    const path = pathBelow(directory, name).toString();
    throw new StillpointError('E_IMAGE_LIMIT', `${path} has ${size} bytes, at most ${limits.FILE_BYTES_MAX} are possible`, { data: { path } });
  }
  return { kind: 'file', ...common(facts, self), size, bytes: new HostFile(found) };
}

/** glibc's makedev taken apart. */
function deviceNumber(facts: fs.BigIntStats): number {
  if (facts.isFIFO()) return 0;
  const device = Number(facts.rdev);
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  return major * DEVICE_MINORS + minor;
}

/** Bytes of a file as long as it is what was seen first. There are tens of thousands of these: they keep little. */
class HostFile {
  readonly kind = 'source';
  readonly #directory: HostPath;
  readonly #name: string;
  readonly #inode: bigint;
  readonly #mtime: bigint;
  readonly #size: number;

  constructor({ directory, name, facts }: Found) {
    this.#directory = directory;
    this.#name = name;
    this.#inode = facts.ino;
    this.#mtime = facts.mtimeNs;
    this.#size = Number(facts.size);
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const path = pathBelow(this.#directory, this.#name);
    const host = path.toString();
    try {
      const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
      try {
        const now = fs.fstatSync(fd, { bigint: true });
        if (now.ino !== this.#inode || now.mtimeNs !== this.#mtime || Number(now.size) !== this.#size) throw changed(host);
        for (let done = 0; done < length;) {
          const got = fs.readSync(fd, bytes, done, length - done, offset + done);
          if (got === 0) throw changed(host);
          done += got;
        }
      } finally {
        fs.closeSync(fd);
      }
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
      throw code === 'ENOENT' || code === 'ELOOP' ? changed(host) : imageError(host, cause);
    }
    return bytes;
  }
}
