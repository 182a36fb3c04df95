/**
 * Epolls inside epolls: which may be put into which. Linux 6.17 and later count both ways from the new link (fs/eventpoll.c, EP_MAX_NESTS).
 * Invariants: what is let in makes no ring and no chain of more links than the limit; rings that an older state holds end the search.
 * What this does NOT do: say what is ready inside (poll-state.ts).
 */
import type { FileSystem } from '../files/file-system.ts';
import type { EpollInode } from '../files/inode.ts';

const LINKS_MAX = 4;

/** Whether `inner`, put into `outer`, would make a ring or too long a chain. */
export function nestsTooDeep(files: FileSystem, outer: EpollInode, inner: EpollInode): boolean {
  const holders = (epoll: EpollInode): EpollInode[] => [...files.inodes.values()].filter((other) => other.kind === 'epoll').filter((other) => epollsIn(files, other).includes(epoll));
  return longestChain(inner, (epoll) => epollsIn(files, epoll), outer) + 1 + longestChain(outer, holders) > LINKS_MAX;
}

function epollsIn(files: FileSystem, { interests }: EpollInode): EpollInode[] {
  return [...interests.values()].map(({ openFile }) => files.openFiles.get(openFile)?.inode).filter((inode) => inode?.kind === 'epoll');
}

/** Links of the longest chain from `start` on; infinite where it comes to itself or to `forbidden`. */
function longestChain(start: EpollInode, next: (epoll: EpollInode) => readonly EpollInode[], forbidden?: EpollInode): number {
  const known = new Map<EpollInode, number>(); // Each is looked at once, however many ways lead to it.
  const visit = (epoll: EpollInode): number => {
    const before = known.get(epoll);
    if (before !== undefined) return before;
    known.set(epoll, Infinity); // Who meets it again before its chain is known has gone around.
    let links = 0;
    for (const other of next(epoll)) links = Math.max(links, other === forbidden ? Infinity : 1 + visit(other));
    known.set(epoll, links);
    return links;
  };
  return visit(start);
}
