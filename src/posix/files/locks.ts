/**
 * Advisory record locks (fcntl, per process or per open file) and whole-file locks (flock). The two kinds do not see each other.
 * Ranges are [start, end) bytes, end Infinity-free: END_MAX means "to the end, however far". A process never conflicts with itself.
 * What this does NOT do: wait (the caller answers BLOCKED and is issued again), detect deadlock.
 */
import { markMap, type Canonical, type Undo } from '../../core/index.ts';

export const END_MAX = Number.MAX_SAFE_INTEGER;

export interface Lock {
  /** `p<pid>`: process, `o<id>`: open file (OFD), `f<id>`: flock of an open file. */
  readonly owner: string;
  readonly isWrite: boolean;
  readonly start: number;
  readonly end: number;
}

export class LockTable {
  readonly #locks = new Map<number, Lock[]>();

  /** The first lock of another owner that forbids `wanted`. */
  conflict(ino: number, wanted: Lock): Lock | undefined {
    return this.#locks.get(ino)?.find((held) => held.owner !== wanted.owner && isFlock(held) === isFlock(wanted)
      && (held.isWrite || wanted.isWrite) && held.start < wanted.end && wanted.start < held.end);
  }

  /** Sets the range to the given kind for its owner, replacing what the owner held there. The caller has checked conflict(). */
  set(ino: number, lock: Lock): void {
    this.clear(ino, lock);
    const locks = this.#locks.get(ino) ?? [];
    locks.push(lock);
    locks.sort((a, b) => (a.owner < b.owner ? -1 : a.owner > b.owner ? 1 : a.start - b.start));
    this.#locks.set(ino, join(locks));
  }

  /** Frees the owner's locks inside the range, splitting those that reach out of it. */
  clear(ino: number, range: Lock): void {
    const kept: Lock[] = [];
    for (const held of this.#locks.get(ino) ?? []) {
      if (held.owner !== range.owner || held.end <= range.start || range.end <= held.start) {
        kept.push(held);
        continue;
      }
      if (held.start < range.start) kept.push({ ...held, end: range.start });
      if (held.end > range.end) kept.push({ ...held, start: range.end });
    }
    if (kept.length > 0) this.#locks.set(ino, kept);
    else this.#locks.delete(ino);
  }

  /** A process closed some descriptor of the inode: all its record locks there go, as POSIX says. */
  closeByProcess(ino: number, pid: number): void {
    if (this.#locks.has(ino)) this.clear(ino, { owner: `p${pid}`, isWrite: false, start: 0, end: END_MAX });
  }

  closeOpenFile(id: number): void {
    for (const ino of [...this.#locks.keys()]) {
      for (const kind of ['o', 'f']) this.clear(ino, { owner: `${kind}${id}`, isWrite: false, start: 0, end: END_MAX });
    }
  }

  /** All locks, in the order of their inodes. */
  all(): readonly (Lock & { readonly ino: number })[] {
    return [...this.#locks].sort(([a], [b]) => a - b).flatMap(([ino, locks]) => locks.map((lock) => ({ ...lock, ino })));
  }

  /** Lists of locks are replaced, never changed, once they are in the table. */
  mark(): Undo {
    return markMap(this.#locks);
  }

  /** Sorted by inode, so that the order of locking leaves no trace. */
  state(): Canonical {
    return [...this.#locks].sort(([a], [b]) => a - b)
      .map(([ino, locks]) => [ino, locks.map((lock) => [lock.owner, lock.isWrite, lock.start, lock.end])]);
  }

  restoreLock(ino: number, lock: Lock): void {
    const locks = this.#locks.get(ino) ?? [];
    locks.push(lock);
    this.#locks.set(ino, locks);
  }
}

function isFlock(lock: Lock): boolean {
  return lock.owner.startsWith('f');
}

function join(locks: readonly Lock[]): Lock[] {
  const joined: Lock[] = [];
  for (const lock of locks) {
    const before = joined.at(-1);
    if (before !== undefined && before.owner === lock.owner && before.isWrite === lock.isWrite && before.end >= lock.start) {
      joined[joined.length - 1] = { ...before, end: Math.max(before.end, lock.end) };
    } else {
      joined.push(lock);
    }
  }
  return joined;
}
