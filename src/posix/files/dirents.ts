/**
 * struct linux_dirent64: ino(8) off(8) reclen(2) type(1) name NUL, padded to 8. The order is the order of creation; `off` is a cookie
 * that stays good when entries come and go during an iteration.
 */
import { assert } from '../../core/index.ts';
import { FIRST_COOKIE } from './directory-entries.ts';
import type { FileSystem } from './file-system.ts';
import { direntType } from './flags.ts';
import type { DirectoryInode, Inode, VirtualInode } from './inode.ts';

const HEADER_BYTES = 19;
/** Of number 0 in a directory of /proc; below it are names (Linux begins there too, fs/proc/base.c). */
const NUMBERED_COOKIE = 256;

interface Listed { readonly name: string; readonly inode: Inode; readonly cookie: number }

function* listing(files: FileSystem, directory: DirectoryInode | VirtualInode, after: number): Iterable<Listed> {
  if (after < 1) yield { name: '.', inode: directory, cookie: 1 };
  if (after < 2) yield { name: '..', inode: files.parentOf(directory), cookie: 2 };
  if (directory.kind === 'virtual') {
    yield* virtualListing(files, directory).filter(({ cookie }) => cookie > after);
    return;
  }
  for (const [name, entry] of directory.entries) if (entry.cookie > after) yield { name, inode: entry.inode, cookie: entry.cookie };
}

/** Processes, threads and descriptors come and go while somebody walks through them: their cookies are made of their numbers, as on Linux, and those of the others, which stay, of their places. */
function virtualListing(files: FileSystem, directory: VirtualInode): Listed[] {
  const listed = files.proc.list(directory.path).map((inode, index) => {
    const name = inode.path.slice(inode.path.lastIndexOf('/') + 1);
    const isNumbered = /^[0-9]+$/.test(name);
    assert(isNumbered || FIRST_COOKIE + index < NUMBERED_COOKIE, 'names in /proc come before numbers');
    return { name, inode, cookie: isNumbered ? NUMBERED_COOKIE + Number(name) : FIRST_COOKIE + index };
  });
  return listed.sort((a, b) => a.cookie - b.cookie);
}

/** Entries after cookie `after` that fit in `room` bytes. `isCut`: the first one did not fit. */
export function encodeDirents(
  files: FileSystem, directory: DirectoryInode | VirtualInode, from: { readonly after: number; readonly room: number },
): { readonly bytes: Uint8Array; readonly after: number; readonly isCut: boolean } {
  if (directory.nlink === 0) return { bytes: new Uint8Array(0), after: from.after, isCut: false };
  const out = new Uint8Array(Math.min(from.room, 1 << 20));
  const view = new DataView(out.buffer);
  let length = 0;
  let after = from.after;
  for (const { name, inode, cookie } of listing(files, directory, after)) {
    const record = (HEADER_BYTES + name.length + 1 + 7) & ~7;
    if (length + record > out.length) return { bytes: out.subarray(0, length), after, isCut: length === 0 };
    view.setBigUint64(length, BigInt(inode.ino), true);
    view.setBigUint64(length + 8, BigInt(cookie), true);
    view.setUint16(length + 16, record, true);
    out[length + 18] = direntType(inode.mode);
    for (let index = 0; index < name.length; index++) out[length + HEADER_BYTES + index] = name.charCodeAt(index);
    length += record;
    after = cookie;
  }
  return { bytes: out.subarray(0, length), after, isCut: false };
}
