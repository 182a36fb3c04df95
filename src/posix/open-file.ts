/**
 * An open file description: what descriptors share after dup and fork. Offset and status flags live here, not in the descriptor.
 * Invariants: `references` (descriptors and other holders) is derived, never stored; an O_PATH file moves no bytes.
 * What this does NOT do: move bytes (open-file-io.ts).
 */
import type { Undo } from '../core/index.ts';
import { O } from './files/flags.ts';
import { isAnonymous, type Inode } from './files/inode.ts';

/** Flags of open() that F_GETFL does not show. */
const NOT_KEPT = O.CREAT | O.EXCL | O.NOCTTY | O.TRUNC | O.CLOEXEC;

/** Who is told of news (F_SETOWN): a process, or a group below zero; 0 is nobody. `signal`: F_SETSIG, 0 for SIGIO; `number`: the descriptor that O_ASYNC was set by; `uid`: who set it. */
export interface FileOwner { readonly owner: number; readonly uid: number; readonly signal: number; readonly number: number }
export const NO_OWNER: FileOwner = { owner: 0, uid: 0, signal: 0, number: 0 };

export class OpenFile {
  readonly id: number;
  readonly inode: Inode;
  /** Status flags as F_GETFL answers them. */
  flags: number;
  /** Bytes; a getdents64 cookie for directories. */
  offset = 0;
  /** Absolute path when it was opened, kept up by renames; for /proc/self/fd. */
  path: string;
  owner: FileOwner | undefined = undefined;
  references = 0;

  constructor(parts: { readonly id: number; readonly inode: Inode; readonly flags: number; readonly path: string }) {
    this.id = parts.id;
    this.inode = parts.inode;
    this.flags = parts.flags & ~NOT_KEPT;
    this.path = parts.path;
  }

  mark(): Undo {
    const { flags, offset, path, owner, references } = this;
    const held = this.inode.references;
    return () => {
      this.flags = flags;
      this.offset = offset;
      this.path = path;
      this.owner = owner;
      this.references = references;
      this.inode.references = held; // Of an inode of /proc, which is in no table.
    };
  }

  get isPath(): boolean {
    return (this.flags & O.PATH) !== 0;
  }

  /** The flags as F_GETFL and /proc tell them: what open() opened has O_LARGEFILE besides. */
  get toldFlags(): number {
    const { kind } = this.inode;
    const isOpened = !this.isPath && !isAnonymous(this.inode) && kind !== 'socket' && kind !== 'queue' && !(kind === 'fifo' && this.path.startsWith('pipe:['));
    return isOpened ? this.flags | O.LARGEFILE : this.flags;
  }

  /** An access mode of 3 asks for both rights and gives neither (ioctl only), as Linux has it. */
  get canRead(): boolean {
    const access = this.flags & O.ACCMODE;
    return !this.isPath && (access === O.RDONLY || access === O.RDWR);
  }

  get canWrite(): boolean {
    const access = this.flags & O.ACCMODE;
    return !this.isPath && (access === O.WRONLY || access === O.RDWR);
  }

  /** O_ASYNC: its owner is told of news. */
  get isAsynchronous(): boolean {
    return (this.flags & O.ASYNC) !== 0;
  }

  get isNonblocking(): boolean {
    return (this.flags & O.NONBLOCK) !== 0;
  }

  get isAppending(): boolean {
    return (this.flags & O.APPEND) !== 0;
  }
}
