/**
 * open(): from a path and flags to an open file, with the checks of Linux in the order of Linux.
 * Liberties (docs/quirks.md): O_NONBLOCK does not apply to channels.
 * What this does NOT do: descriptors (calls/file-open.ts).
 */
import { BLOCKED } from '../call.ts';
import type { FileContext } from '../file-context.ts';
import { ERRNO, failed } from '../errno.ts';
import type { OpenFile } from '../open-file.ts';
import type { FileSystem } from './file-system.ts';
import { O, RIGHT, S_IF } from './flags.ts';
import { isAnonymous, isDirectory, type FifoInode, type FileInode, type Inode } from './inode.ts';
import { mayCreateIn, owns, permits, type Credentials } from './permission.ts';
import { attachNew, newName, ownerIn, type Maker } from './tree.ts';
import { tellFile } from './tell.ts';
import { walk, type Resolve, type Walked } from './walk.ts';
import { IN } from './watches.ts';
import { openMaster, openSlave, terminalOfSession } from '../terminal-io.ts';

export interface OpenRequest {
  readonly start: Inode; readonly path: string; readonly flags: number; readonly mode: number; readonly resolve?: Resolve | undefined;
  /** Whether a thread waits to open the other end of a FIFO. */
  readonly hasPartner?: (inode: FifoInode, flags: number) => boolean;
  /** Whether a process runs a file as its program: nobody may open it to write (ETXTBSY). */
  readonly isRun?: (inode: FileInode) => boolean;
}

const PATH_FLAGS = O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC;

/** The open file (no holder yet), -errno, or BLOCKED (nothing happened). */
export function openPath(context: FileContext, request: OpenRequest): OpenFile | number | typeof BLOCKED {
  const flags = soundFlags(request.flags);
  if (flags < 0) return flags;
  if ((flags & O.TMPFILE) !== 0) return openTemporary(context, request, flags);
  const found = find(context, request, flags);
  if (typeof found === 'number') return found;
  if (found.inode === undefined) {
    if ((flags & O.CREAT) === 0) return -ERRNO.ENOENT;
    return create(context, found, { flags, mode: request.mode });
  }
  const answer = checkKind(found.inode, flags);
  if (failed(answer)) return answer;
  if ((flags & O.PATH) !== 0) return context.files.open(found.inode, flags, pathOfWalk(context.files, found));
  return openExisting(context, { found, inode: found.inode, flags, hasPartner: request.hasPartner ?? (() => false), isRun: request.isRun ?? (() => false) });
}

/** Flags of open(2) made consistent, or -EINVAL: what Linux looks at before the path. */
export function soundFlags(flags: number): number {
  if ((flags & O.PATH) !== 0) return flags & PATH_FLAGS;
  if ((flags & O.TMPFILE) !== 0) {
    const isSound = (flags & O.DIRECTORY) !== 0 && (flags & O.CREAT) === 0 && (flags & O.ACCMODE) !== O.RDONLY;
    return isSound ? flags : -ERRNO.EINVAL;
  }
  return (flags & (O.CREAT | O.DIRECTORY)) === (O.CREAT | O.DIRECTORY) ? -ERRNO.EINVAL : flags;
}

function find(context: FileContext, request: OpenRequest, flags: number): Walked | number {
  const isExclusive = (flags & (O.CREAT | O.EXCL)) === (O.CREAT | O.EXCL);
  if ((flags & O.CREAT) !== 0 && request.path.endsWith('/')) {
    const parent = walk(context.files, context, request, 'parent');
    return typeof parent === 'number' ? parent : -ERRNO.EISDIR;
  }
  const mode = isExclusive || (flags & O.NOFOLLOW) !== 0 ? 'nofollow' : 'follow';
  const found = walk(context.files, context, request, mode);
  if (typeof found === 'number' || found.inode === undefined) return found;
  return isExclusive ? -ERRNO.EEXIST : found;
}

function checkKind(inode: Inode, flags: number): number {
  const isLink = (inode.mode & S_IF.mask) === S_IF.symlink;
  if ((flags & O.CREAT) !== 0 && isDirectory(inode)) return -ERRNO.EISDIR;
  if ((flags & O.DIRECTORY) !== 0 && !isDirectory(inode)) return -ERRNO.ENOTDIR;
  if (isLink && (flags & O.PATH) === 0) return -ERRNO.ELOOP;
  if (isDirectory(inode) && ((flags & O.ACCMODE) !== O.RDONLY || (flags & O.TRUNC) !== 0) && (flags & O.PATH) === 0) return -ERRNO.EISDIR;
  return 0;
}

/** RIGHT bits that the access mode asks for; 3 asks for both, as Linux has it. */
function wantedRights(flags: number): number {
  const access = flags & O.ACCMODE;
  const rights = access === O.RDONLY ? RIGHT.read : access === O.WRONLY ? RIGHT.write : RIGHT.read | RIGHT.write;
  return (flags & O.TRUNC) !== 0 ? rights | RIGHT.write : rights;
}

interface Existing { readonly found: Walked; readonly inode: Inode; readonly flags: number; readonly hasPartner: NonNullable<OpenRequest['hasPartner']>; readonly isRun: NonNullable<OpenRequest['isRun']> }

function openExisting(context: FileContext, { found, inode, flags, hasPartner, isRun }: Existing): OpenFile | number | typeof BLOCKED {
  const { files } = context;
  if (!permits(inode, context.credentials, wantedRights(flags))) return -ERRNO.EACCES;
  if ((flags & O.NOATIME) !== 0 && !owns(inode, context.credentials)) return -ERRNO.EPERM;
  const isTruncating = (flags & O.TRUNC) !== 0;
  if (inode.kind === 'file' && (wantedRights(flags) & RIGHT.write) !== 0 && isRun(inode)) return -ERRNO.ETXTBSY;
  if (inode.kind === 'device' && inode.device === 'absent') return -ERRNO.ENXIO;
  if (inode.kind === 'device' && (inode.device === 'tty' || inode.device === 'ptmx')) return openTerminal(context, inode.device, flags);
  if (inode.kind === 'terminal') return openSlave(context, inode, flags);
  if (isAnonymous(inode) || inode.kind === 'socket' || inode.kind === 'master') return -ERRNO.ENXIO;
  if (inode.kind === 'fifo' && lacksEnd(inode, flags) && ((flags & O.NONBLOCK) !== 0 || !hasPartner(inode, flags))) {
    if ((flags & O.NONBLOCK) === 0) return BLOCKED;
    if ((flags & O.ACCMODE) === O.WRONLY) return -ERRNO.ENXIO;
  }
  if (inode.kind === 'channel') {
    const channel = files.channelOf(inode);
    const rights = wantedRights(flags & ~O.TRUNC);
    if (((rights & RIGHT.read) !== 0 && !channel.spec.reads) || ((rights & RIGHT.write) !== 0 && !channel.spec.writes)) return -ERRNO.EACCES;
    if (isTruncating && channel.spec.access === 'random' && channel.truncate(0) === 'blocked') return BLOCKED;
  }
  if (inode.kind === 'file' && isTruncating) truncateFile(context, inode, 0);
  const openFile = files.open(inode, flags, pathOfWalk(files, found));
  tellFile(files, IN.OPEN, openFile);
  if (inode.kind === 'file' && isTruncating) tellFile(files, IN.MODIFY, openFile);
  return openFile;
}

/** A FIFO has nobody at the other end; who opens both ends never lacks one, and nobody waits at a pipe without a name (/dev/stdin). */
function lacksEnd({ pipe, nlink }: FifoInode, flags: number): boolean {
  const access = flags & O.ACCMODE;
  return nlink > 0 && ((access === O.WRONLY && pipe.readers === 0) || (access === O.RDONLY && pipe.writers === 0));
}

/** /dev/ptmx makes a terminal, /dev/tty is the one of the caller's session. */
function openTerminal(context: FileContext, device: 'tty' | 'ptmx', flags: number): OpenFile | number {
  if (device === 'ptmx') return openMaster(context, flags);
  const { files, pid } = context;
  const own = terminalOfSession(files, files.tasks.sessionOf(pid));
  return own === undefined ? -ERRNO.ENXIO : files.open(own, flags, '/dev/tty');
}

/** Sets a file's size; its times follow even when the size stays. */
export function truncateFile({ files, credentials }: FileContext, inode: FileInode, size: number): void {
  inode.content.truncate(size);
  inode.mtime = inode.ctime = files.now();
  dropPrivileges(inode, credentials);
}

/** Content changed: set-user-id goes, set-group-id too when the group may execute; not where root changed it. */
export function dropPrivileges(inode: Inode, { uid }: Credentials): void {
  if ((inode.mode & 0o6000) === 0 || uid === 0) return;
  inode.mode &= ~0o4000;
  if ((inode.mode & 0o010) !== 0) inode.mode &= ~0o2000;
}

function create(context: FileContext, found: Walked, how: { readonly flags: number; readonly mode: number }): OpenFile | number {
  const maker: Maker = context;
  const directory = newName(maker, found, false);
  if (typeof directory === 'number') return directory;
  const inode = context.files.makeFile(ownerIn(maker, directory, how.mode & 0o7777));
  attachNew(context.files, directory, { name: found.name, inode });
  const openFile = context.files.open(inode, how.flags, pathOfWalk(context.files, found));
  tellFile(context.files, IN.OPEN, openFile);
  return openFile;
}

function openTemporary(context: FileContext, request: OpenRequest, flags: number): OpenFile | number {
  const { files } = context;
  const found = walk(files, context, request, 'follow');
  if (typeof found === 'number') return found;
  if (found.inode === undefined) return -ERRNO.ENOENT;
  if (!isDirectory(found.inode)) return -ERRNO.ENOTDIR;
  if (found.inode.kind !== 'directory') return -ERRNO.EOPNOTSUPP;
  const answer = mayCreateIn(found.inode, context.credentials);
  if (failed(answer)) return answer;
  if (!files.hasInodes) return -ERRNO.ENOSPC;
  const inode = files.makeFile(ownerIn(context, found.inode, request.mode & 0o7777));
  inode.isLinkable = (flags & O.EXCL) === 0;
  return files.open(inode, flags, joinPath(files.pathOf(found.inode) ?? '', `#${inode.ino}`));
}

function joinPath(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

/** Absolute path of what a walk found. */
export function pathOfWalk(files: FileSystem, found: Walked): string {
  if (found.parent !== undefined) return joinPath(files.pathOf(found.parent) ?? '', found.name);
  if (found.inode === undefined) return '';
  const path = files.pathOf(found.inode);
  if (path !== undefined) return path;
  for (const open of files.openFiles.values()) if (open.inode === found.inode) return open.path; // A magic link came from an open file.
  return '';
}
