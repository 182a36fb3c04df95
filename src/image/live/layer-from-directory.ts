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

/** The guest's user and group (posix GUEST). */
const GUEST_ID = 1000;

interface Self { readonly uid: number; readonly gid: number }

/** Throws E_IMAGE_OPEN, E_IMAGE_FORMAT, E_IMAGE_LIMIT. */
export function layerFromDirectory(directory: string): LayerDirectory {
  const self: Self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const builder = new LayerBuilder(directory);
  const links = new Map<string, string>();
  try {
    const todo: { readonly host: Buffer; readonly path: string }[] = [{ host: Buffer.from(directory), path: '/' }];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      builder.add(next.path, directoryNode(next.host, self));
      for (const name of fs.readdirSync(next.host, { encoding: 'buffer' })) {
        const item = { host: Buffer.concat([next.host, Buffer.from('/'), name]), path: `${next.path === '/' ? '' : next.path}/${name.toString('latin1')}` };
        const facts = fs.lstatSync(item.host, { bigint: true });
        if (facts.isDirectory()) todo.push(item);
        else if (!facts.isSocket()) addFile(builder, item, { facts, links, self });
      }
    }
  } catch (cause) {
    throw imageError(directory, cause);
  }
  return builder.root;
}

function addFile(builder: LayerBuilder, item: { readonly host: Buffer; readonly path: string }, context: { readonly facts: fs.BigIntStats; readonly links: Map<string, string>; readonly self: Self }): void {
  const { facts, links, self } = context;
  const key = `${facts.dev} ${facts.ino}`;
  const first = facts.nlink > 1n ? links.get(key) : undefined;
  if (first !== undefined) return builder.addLink(item.path, first);
  if (facts.nlink > 1n) links.set(key, item.path);
  builder.add(item.path, fileNode(item.host, facts, self));
}

function common(facts: fs.BigIntStats, self: Self): { mode: number; uid: number; gid: number; mtime: bigint } {
  const [uid, gid] = [Number(facts.uid), Number(facts.gid)];
  return { mode: Number(facts.mode) & 0o177777, uid: uid === self.uid ? GUEST_ID : uid, gid: gid === self.gid ? GUEST_ID : gid, mtime: facts.mtimeNs };
}

function directoryNode(host: Buffer, self: Self): LayerDirectory {
  return { kind: 'directory', ...common(fs.statSync(host, { bigint: true }), self), entries: new Map(), isOpaque: false, isImplied: false };
}

function fileNode(host: Buffer, facts: fs.BigIntStats, self: Self): LayerNode {
  if (facts.isSymbolicLink()) return { kind: 'symlink', ...common(facts, self), mode: KIND.symlink | 0o777, target: fs.readlinkSync(host, { encoding: 'buffer' }).toString('latin1') };
  if (!facts.isFile()) return { kind: 'special', ...common(facts, self), device: deviceNumber(facts) };
  const size = Number(facts.size);
  if (size > limits.FILE_BYTES_MAX) throw new StillpointError('E_IMAGE_LIMIT', `${host.toString()} has ${size} bytes, at most ${limits.FILE_BYTES_MAX} are possible`, { data: { path: host.toString() } });
  return { kind: 'file', ...common(facts, self), size, bytes: { kind: 'source', read: (offset, length) => readFile(host, { facts, offset, length }) } };
}

/** glibc's makedev taken apart. */
function deviceNumber(facts: fs.BigIntStats): number {
  if (facts.isFIFO()) return 0;
  const device = Number(facts.rdev);
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  return major * DEVICE_MINORS + minor;
}

function readFile(host: Buffer, { facts, offset, length }: { readonly facts: fs.BigIntStats; readonly offset: number; readonly length: number }): Uint8Array {
  const bytes = new Uint8Array(length);
  try {
    const fd = fs.openSync(host, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
    try {
      const now = fs.fstatSync(fd, { bigint: true });
      if (now.ino !== facts.ino || now.mtimeNs !== facts.mtimeNs || now.size !== facts.size) throw changed(host.toString());
      for (let done = 0; done < length;) {
        const got = fs.readSync(fd, bytes, done, length - done, offset + done);
        if (got === 0) throw changed(host.toString());
        done += got;
      }
    } finally {
      fs.closeSync(fd);
    }
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    throw code === 'ENOENT' || code === 'ELOOP' ? changed(host.toString()) : imageError(host.toString(), cause);
  }
  return bytes;
}
