/**
 * The way back for one inode: what all kinds share, and what each holds.
 * Invariant: the same object holds the same again; objects that refer to it need no care.
 * What this does NOT do: tables (FileSystem).
 */
import { type Undo } from '../../core/index.ts';
import type { EpollInterest, Inode } from './inode.ts';

export function markInode(inode: Inode): Undo {
  const common = markCommon(inode);
  const special = markKind(inode);
  if (special === undefined) return common;
  return () => {
    common();
    special();
  };
}

/** Most inodes are as they were at the last mark: they need no new way back. */
function markCommon(inode: Inode): Undo {
  const { kept } = inode;
  if (kept !== undefined && kept.mode === inode.mode && kept.uid === inode.uid && kept.gid === inode.gid && kept.nlink === inode.nlink && kept.atime === inode.atime
    && kept.mtime === inode.mtime && kept.ctime === inode.ctime && kept.references === inode.references) return kept.undo;
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
  inode.kept = { mode, uid, gid, nlink, atime, mtime, ctime, references, undo };
  return undo;
}

function markKind(inode: Inode): Undo | undefined {
  switch (inode.kind) {
    case 'directory': {
      const { parent, name, nextCookie } = inode;
      const entries = inode.entries.mark();
      return () => {
        entries();
        Object.assign(inode, { parent, name, nextCookie });
      };
    }
    case 'file': {
      const { seals, isLinkable } = inode;
      const content = inode.content.mark();
      return () => {
        content();
        Object.assign(inode, { seals, isLinkable });
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
