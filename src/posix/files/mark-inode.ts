/**
 * The way back for one inode: what all kinds share, and what each holds.
 * Invariant: the same object holds the same again; objects that refer to it need no care.
 * What this does NOT do: tables (FileSystem).
 */
import { type Undo } from '../../core/index.ts';
import type { DirectoryInode, EpollInterest, Inode, Kept } from './inode.ts';

export function markInode(inode: Inode): Undo {
  const kept = markCommon(inode);
  if (inode.kind === 'directory') return markDirectory(inode, kept);
  const common = kept.undo;
  const special = markKind(inode);
  if (special === undefined) return common;
  return () => {
    common();
    special();
  };
}

/** Most inodes are as they were at the last mark: they need no new way back. */
function markCommon(inode: Inode): Kept {
  const { kept } = inode;
  if (kept !== undefined && kept.mode === inode.mode && kept.uid === inode.uid && kept.gid === inode.gid && kept.nlink === inode.nlink && kept.atime === inode.atime
    && kept.mtime === inode.mtime && kept.ctime === inode.ctime && kept.references === inode.references) return kept;
  const { mode, uid, gid, nlink, atime, mtime, ctime, references } = inode;
  const undo = (): void => {
    inode.mode = mode;
    inode.uid = uid;
    inode.gid = gid;
    inode.nlink = nlink;
    inode.atime = atime;
    inode.mtime = mtime;
    inode.ctime = ctime;
    inode.references = references;
  };
  return inode.kept = { mode, uid, gid, nlink, atime, mtime, ctime, references, undo };
}

/** Half of all inodes are directories that nobody has touched. */
function markDirectory(inode: DirectoryInode, kept: Kept): Undo {
  const { parent, name, nextCookie } = inode;
  const entries = inode.entries.mark();
  const { place } = kept;
  if (place !== undefined && place.entries === entries && place.parent === parent && place.name === name && place.nextCookie === nextCookie) return place.undo;
  const undo = (): void => {
    kept.undo();
    entries();
    inode.parent = parent;
    inode.name = name;
    inode.nextCookie = nextCookie;
  };
  kept.place = { entries, parent, name, nextCookie, undo };
  return undo;
}

function markKind(inode: Exclude<Inode, DirectoryInode>): Undo | undefined {
  switch (inode.kind) {
    case 'file': {
      const { seals, isLinkable } = inode;
      const content = inode.content.mark();
      return () => {
        content();
        inode.seals = seals;
        inode.isLinkable = isLinkable;
      };
    }
    case 'fifo': return inode.pipe.mark();
    case 'socket': return inode.socket.mark();
    case 'event': {
      const { counter, changes } = inode;
      return () => { Object.assign(inode, { counter, changes }); };
    }
    case 'epoll': return markInterests(inode.interests);
    case 'timer': {
      const { deadline, interval, ticks, changes } = inode;
      return () => { Object.assign(inode, { deadline, interval, ticks, changes }); };
    }
    case 'signal': {
      const { mask } = inode;
      return () => { inode.mask = mask; };
    }
    case 'watch': return inode.watches.mark();
    case 'terminal': return inode.terminal.mark();
    case 'queue': return inode.queue.mark();
    case 'process':
    case 'master':
    case 'symlink':
    case 'device':
    case 'channel':
    case 'virtual': return undefined;
    default: return inode satisfies never;
  }
}

/** Interests are changed in place. */
function markInterests(interests: Map<number, EpollInterest>): Undo {
  const kept = [...interests].map(([number, interest]) => [number, { ...interest }] as const);
  return () => {
    interests.clear();
    for (const [number, interest] of kept) interests.set(number, { ...interest });
  };
}
