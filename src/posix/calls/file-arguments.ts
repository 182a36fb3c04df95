/**
 * Arguments that calls on files share: paths, directory descriptors, descriptors, vectors of buffers, results stored in guest memory.
 * What this does NOT do: decide anything about files.
 */
import { limits } from '../../core/index.ts';
import { PAGE_FLAG } from '../../isa/index.ts';
import type { Call, CallHandler } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { AT } from '../files/flags.ts';
import { isDirectory, type Inode } from '../files/inode.ts';
import { pathOfWalk } from '../files/open.ts';
import { walk, type Walked, type WalkMode } from '../files/walk.ts';
import type { OpenFile } from '../open-file.ts';

/** A row of a table of calls: asm-generic number, name of the man page, handler. */
export interface FileCall { readonly number: number; readonly name: string; readonly handle: CallHandler }

/** Addresses from here on are never a user's: Linux refuses them before it looks at anything else. */
const USER_ADDRESS_END = 2 ** 38;

/** Bytes as a byte string. */
export function byteString(bytes: Uint8Array): string {
  let text = '';
  for (let index = 0; index < bytes.length; index++) text += String.fromCharCode(bytes[index]!);
  return text;
}

export function bytesOfString(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** The path at an argument, or -errno. Empty paths are the caller's business. */
export function pathArgument(call: Call, index: number): string | number {
  const bytes = call.memory.readString(call.size(index), limits.PATH_BYTES_MAX - 1);
  if (bytes === 'fault') return -ERRNO.EFAULT;
  return bytes === 'long' ? -ERRNO.ENAMETOOLONG : byteString(bytes);
}

/** Where a relative path starts: a directory descriptor or AT_FDCWD. */
export function startOf(call: Call, dirfd: number, path: string): Inode | number {
  const context = call.process.files;
  if (path.startsWith('/')) return call.kernel.files.root;
  if (dirfd === AT.FDCWD) return context.cwd;
  const openFile = context.descriptors.get(dirfd);
  if (openFile === undefined) return -ERRNO.EBADF;
  return isDirectory(openFile.inode) ? openFile.inode : -ERRNO.ENOTDIR;
}

/** Arguments `index` (directory descriptor) and `index + 1` (path), walked. */
export function walkArgument(call: Call, index: number, mode: WalkMode): Walked | number {
  const path = pathArgument(call, index + 1);
  if (typeof path === 'number') return path;
  return walkPath(call, { dirfd: call.int(index), path }, mode);
}

export function walkPath(call: Call, at: { readonly dirfd: number; readonly path: string }, mode: WalkMode): Walked | number {
  if (at.path === '') return -ERRNO.ENOENT;
  const start = startOf(call, at.dirfd, at.path);
  if (typeof start === 'number') return start;
  return walk(call.kernel.files, call.process.files, { start, path: at.path }, mode);
}

/** The inode that `*at` calls with AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH mean, or -errno. */
export function inodeArgument(call: Call, index: number, flags: number): Inode | number {
  const target = targetArgument(call, index, flags);
  return typeof target === 'number' ? target : target.inode;
}

/** An inode and where it was found; the path is of use to those who watch, and made for them only. */
export interface Target { readonly inode: Inode; readonly path: string }

export function targetArgument(call: Call, index: number, flags: number): Target | number {
  const path = pathArgument(call, index + 1);
  if (typeof path === 'number') {
    const isNullAllowed = (flags & AT.EMPTY_PATH) !== 0 && call.size(index + 1) === 0;
    return isNullAllowed ? descriptorTarget(call, call.int(index)) : path;
  }
  if (path === '' && (flags & AT.EMPTY_PATH) !== 0) return descriptorTarget(call, call.int(index));
  const found = walkPath(call, { dirfd: call.int(index), path }, (flags & AT.SYMLINK_NOFOLLOW) !== 0 ? 'nofollow' : 'follow');
  return typeof found === 'number' ? found : targetOf(call, found);
}

export function targetOf(call: Call, found: Walked): Target | number {
  const { files } = call.kernel;
  return found.inode === undefined ? -ERRNO.ENOENT : { inode: found.inode, path: files.watchers.size > 0 ? pathOfWalk(files, found) : '' };
}

function descriptorTarget(call: Call, dirfd: number): Target | number {
  const { cwd, descriptors } = call.process.files;
  return dirfd === AT.FDCWD ? { inode: cwd, path: '/' } : descriptors.get(dirfd) ?? -ERRNO.EBADF;
}

/** The open file at a descriptor argument, or -EBADF. O_PATH files count only where they are asked for. */
export function openFileArgument(call: Call, index: number, options: { readonly allowsPath?: boolean } = {}): OpenFile | number {
  const openFile = call.process.files.descriptors.get(call.int(index));
  if (openFile === undefined || (openFile.isPath && options.allowsPath !== true)) return -ERRNO.EBADF;
  return openFile;
}

export interface Segment { readonly address: number; readonly length: number }

/** One buffer, clipped to what one call may move; -EFAULT for an address that is no user's. */
export function bufferArgument(call: Call, addressIndex: number, lengthIndex: number): Segment[] | number {
  const address = call.size(addressIndex);
  const wide = call.wide(lengthIndex);
  if (wide >= 2n ** 63n) return -ERRNO.EFAULT;
  const length = Math.min(Number(wide), limits.TRANSFER_BYTES_MAX);
  return address + length > USER_ADDRESS_END ? -ERRNO.EFAULT : [{ address, length }];
}

/** A vector of buffers (struct iovec: address, length). */
export function vectorArgument(call: Call, addressIndex: number, countIndex: number): Segment[] | number {
  const count = call.size(countIndex);
  const base = call.size(addressIndex);
  if (count > limits.IOVECS_MAX) return -ERRNO.EINVAL;
  const segments: Segment[] = [];
  let total = 0;
  for (let index = 0; index < count; index++) {
    const address = call.memory.readU64(base + index * 16);
    const length = call.memory.readU64(base + index * 16 + 8);
    if (address === undefined || length === undefined) return -ERRNO.EFAULT;
    if (length >= 2n ** 63n) return -ERRNO.EINVAL;
    if (address + length > BigInt(USER_ADDRESS_END)) return -ERRNO.EFAULT;
    const taken = Math.min(Number(length), limits.TRANSFER_BYTES_MAX - total);
    segments.push({ address: Number(address), length: taken });
    total += taken;
  }
  return segments;
}

export function totalLength(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + segment.length, 0);
}

/** How many bytes from the start of the segments can be reached without a fault. */
export function reachableLength(call: Call, segments: readonly Segment[], right: 'read' | 'write'): number {
  let reached = 0;
  for (const { address, length } of segments) {
    const part = call.memory.reachable(address, length, PAGE_FLAG[right]);
    reached += part;
    if (part < length) break;
  }
  return reached;
}

/** The first `length` bytes of the segments, which are reachable. One segment is a view, several are copied. */
export function gather(call: Call, segments: readonly Segment[], length: number): Uint8Array {
  const [only] = segments;
  if (segments.length === 1 && only !== undefined) return call.memory.readable(only.address, length) ?? new Uint8Array(0);
  const out = new Uint8Array(length);
  let done = 0;
  for (const segment of segments) {
    const part = Math.min(segment.length, length - done);
    out.set(call.memory.readable(segment.address, part) ?? new Uint8Array(0), done);
    done += part;
  }
  return out;
}

/** Spreads bytes over segments, which are reachable that far. */
export function scatter(call: Call, segments: readonly Segment[], bytes: Uint8Array): void {
  let done = 0;
  for (const segment of segments) {
    const part = Math.min(segment.length, bytes.length - done);
    if (part > 0) call.memory.write(segment.address, part === bytes.length ? bytes : bytes.subarray(done, done + part));
    done += part;
  }
}

/** Stores a result structure: 0 or -EFAULT. */
export function store(call: Call, address: number, bytes: Uint8Array): number {
  return call.memory.write(address, bytes) ? 0 : -ERRNO.EFAULT;
}
