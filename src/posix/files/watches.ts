/**
 * inotify: what is watched, and the events that nobody has read yet.
 *
 *   struct inotify_event: wd(4) mask(4) cookie(4) length of the name(4), the name with zeros up to a multiple of 16
 *
 * Invariants: an inode is watched once by each instance; watch descriptors count up and are never used again; an event like the last one of the
 * queue is not added. A watch holds nothing: it goes with its inode (IN_IGNORED). Names are byte strings.
 * What this does NOT do: notice anything (tell.ts), choose what a path means (calls/file-watch.ts).
 */
import { limits, type Canonical, type Undo } from '../../core/index.ts';

export const IN = {
  ACCESS: 1, MODIFY: 2, ATTRIB: 4, CLOSE_WRITE: 8, CLOSE_NOWRITE: 0x10, OPEN: 0x20, MOVED_FROM: 0x40, MOVED_TO: 0x80, CREATE: 0x100, DELETE: 0x200, DELETE_SELF: 0x400, MOVE_SELF: 0x800, ALL: 0xfff,
  UNMOUNT: 0x2000, Q_OVERFLOW: 0x4000, IGNORED: 0x8000, ONLYDIR: 0x100_0000, DONT_FOLLOW: 0x200_0000, EXCL_UNLINK: 0x400_0000, MASK_CREATE: 0x1000_0000, MASK_ADD: 0x2000_0000, ISDIR: 0x4000_0000, ONESHOT: 0x8000_0000,
} as const;

/** Bits of a mask that a watch keeps. */
const KEPT = IN.ALL | IN.EXCL_UNLINK | IN.ONESHOT;
const EVENT_BYTES = 16;

interface Watch { readonly ino: number; mask: number }
interface WatchEvent { readonly watch: number; readonly mask: number; readonly cookie: number; readonly name: string }

/** One thing that happened, as one watch may see it. */
export interface Happening { readonly ino: number; readonly mask: number; readonly name: string; readonly cookie: number; readonly isUnlinked: boolean }

function sizeOf({ name }: WatchEvent): number {
  return EVENT_BYTES + (name === '' ? 0 : Math.ceil((name.length + 1) / EVENT_BYTES) * EVENT_BYTES);
}

export class Watches {
  /** By watch descriptor, ascending. */
  readonly watched = new Map<number, Watch>();
  events: WatchEvent[] = [];
  next = 1;
  /** Of the last rename that any instance heard of. */
  cookie = 0;
  changes = 0;
  /** Derived: watch descriptors by inode number. */
  readonly #byInode = new Map<number, number>();

  /** Watches an inode, or changes its mask: the watch descriptor; undefined when it exists and must not, or when there is no room. */
  add(ino: number, mask: number): number | 'exists' | 'full' {
    const known = this.#byInode.get(ino);
    const watch = known === undefined ? undefined : this.watched.get(known);
    if (known !== undefined && watch !== undefined) {
      if ((mask & IN.MASK_CREATE) !== 0) return 'exists';
      watch.mask = (mask & IN.MASK_ADD) !== 0 ? watch.mask | (mask & KEPT) : mask & KEPT;
      return known;
    }
    if (this.watched.size >= limits.WATCHES_MAX) return 'full';
    const number = this.next++;
    this.#enter(number, { ino, mask: mask & KEPT });
    return number;
  }

  /** Ends a watch: IN_IGNORED follows. False when there is none. */
  remove(number: number): boolean {
    const watch = this.watched.get(number);
    if (watch === undefined) return false;
    this.watched.delete(number);
    this.#byInode.delete(watch.ino);
    this.#queue({ watch: number, mask: IN.IGNORED, cookie: 0, name: '' });
    return true;
  }

  happened({ ino, mask, name, cookie, isUnlinked }: Happening): void {
    const number = this.#byInode.get(ino);
    const watch = number === undefined ? undefined : this.watched.get(number);
    if (number === undefined || watch === undefined || (watch.mask & mask & IN.ALL) === 0) return;
    if (isUnlinked && (watch.mask & IN.EXCL_UNLINK) !== 0) return;
    this.#queue({ watch: number, mask, cookie, name });
    if ((watch.mask & IN.ONESHOT) !== 0) this.remove(number);
  }

  /** The inode is gone. */
  forget(ino: number): void {
    const number = this.#byInode.get(ino);
    if (number !== undefined) this.remove(number);
  }

  /** Bytes of all events. */
  get bytes(): number {
    return this.events.reduce((sum, event) => sum + sizeOf(event), 0);
  }

  /** Takes as many whole events as fit; undefined when not even the first does. */
  take(length: number): Uint8Array | undefined {
    let [count, total] = [0, 0];
    for (; count < this.events.length && total + sizeOf(this.events[count]!) <= length; count++) total += sizeOf(this.events[count]!);
    if (count === 0) return undefined;
    const out = new Uint8Array(total);
    const view = new DataView(out.buffer);
    let at = 0;
    for (const event of this.events.splice(0, count)) {
      view.setInt32(at, event.watch, true);
      view.setUint32(at + 4, event.mask, true);
      view.setUint32(at + 8, event.cookie, true);
      view.setUint32(at + 12, sizeOf(event) - EVENT_BYTES, true);
      for (let index = 0; index < event.name.length; index++) out[at + EVENT_BYTES + index] = event.name.charCodeAt(index);
      at += sizeOf(event);
    }
    return out;
  }

  #enter(number: number, watch: Watch): void {
    this.watched.set(number, watch);
    this.#byInode.set(watch.ino, number);
  }

  #queue(event: WatchEvent): void {
    const last = this.events.at(-1);
    if (last !== undefined && last.watch === event.watch && last.mask === event.mask && last.name === event.name) return;
    const isFull = this.events.length >= limits.WATCH_EVENTS_MAX;
    if (isFull && last?.mask === IN.Q_OVERFLOW) return;
    this.events.push(isFull ? { watch: -1, mask: IN.Q_OVERFLOW, cookie: 0, name: '' } : event);
    this.changes++;
  }

  mark(): Undo {
    const [watched, events, { next, cookie, changes }] = [[...this.watched].map(([number, watch]) => [number, { ...watch }] as const), [...this.events], this];
    return () => {
      this.watched.clear();
      this.#byInode.clear();
      for (const [number, watch] of watched) this.#enter(number, { ...watch });
      this.events = [...events];
      Object.assign(this, { next, cookie, changes });
    };
  }

  /** [watches: [wd, inode, mask] …, events: [wd, mask, cookie, name] …, next, cookie, changes] */
  state(): Canonical[] {
    const watched = [...this.watched].map(([number, { ino, mask }]) => [number, ino, mask]);
    return [watched, this.events.map(({ watch, mask, cookie, name }) => [watch, mask, cookie, name]), this.next, this.cookie, this.changes];
  }

  /** From what state() made; its hash was verified. */
  static restore(state: readonly Canonical[]): Watches {
    const [watched, events, next, cookie, changes] = state as readonly [readonly (readonly [number, number, number])[], readonly (readonly [number, number, number, string])[], number, number, number];
    const watches = new Watches();
    for (const [number, ino, mask] of watched) watches.#enter(number, { ino, mask });
    watches.events = events.map(([watch, mask, cookie, name]) => ({ watch, mask, cookie, name }));
    Object.assign(watches, { next, cookie, changes });
    return watches;
  }
}
