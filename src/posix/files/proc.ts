/**
 * /proc: files whose bytes are made when they are read, from providers that others register by path. `[pid]` in a path stands for any
 * living process. Links may be text (exe) or magic (fd/N: they lead to the inode itself). Virtual inodes hold no state: their number is
 * a hash of their path, their times are zero.
 * Invariants: registration happens before the guest runs and in every restored machine alike; listing order is registration order.
 * What this does NOT do: know what processes are (the kernel registers them).
 */
import { assert } from '../../core/index.ts';
import { ERRNO } from '../errno.ts';
import { S_IF } from './flags.ts';
import type { Identity } from './identity.ts';
import type { Inode, VirtualInode } from './inode.ts';

/** What a process has open, as /proc/PID/fd shows it. */
export interface ProcessFiles {
  descriptorNumbers(): readonly number[];
  /** The text of /proc/PID/fdinfo/N; undefined when the descriptor is closed. */
  descriptorInfo(number: number): string | undefined;
  /** Undefined when the descriptor is closed. `inode` is where the magic link leads, `text` what readlink prints. */
  descriptorLink(number: number): { readonly inode: Inode; readonly text: string } | undefined;
  readonly cwdPath: string;
  readonly identity: Identity;
}

export interface ProcessList {
  list(): readonly number[];
  threads(pid: number): readonly number[];
  files(pid: number): ProcessFiles | undefined;
}

/** Makes the bytes of a virtual file. `pid` is the process of the path, 0 outside /proc/PID; `tid` its thread, 0 outside /proc/PID/task/TID. */
export type VirtualProvider = (pid: number, tid: number) => Uint8Array;
/** Makes the target of a virtual link; undefined: there is none (ENOENT). */
export type VirtualLinkProvider = (pid: number) => string | undefined;

/** Takes what is written to a virtual file, at least one byte: how many were taken, or -errno. */
export type VirtualWriter = (pid: number, tid: number, bytes: Uint8Array) => number;

type VirtualEntry =
  | { readonly kind: 'directory' }
  | { readonly kind: 'file'; readonly provide: VirtualProvider; readonly take?: VirtualWriter }
  | { readonly kind: 'link'; readonly provide: VirtualLinkProvider }
  | { readonly kind: 'self' };

interface Found { readonly entry: VirtualEntry | { readonly kind: 'descriptor'; readonly number: number }; readonly pid: number; readonly tid: number }

/** What anybody may read of a process outside the machine. */
const PUBLIC: ReadonlySet<string> = new Set(['cmdline', 'comm', 'stat', 'statm', 'status']);
/** What is for the process's user alone. */
const PRIVATE: ReadonlySet<string> = new Set(['auxv', 'environ', 'io', 'personality']);
const PROCESS = '/proc/[pid]';
const NUMBER = /^(0|[1-9][0-9]{0,8})$/;
const DESCRIPTOR = /^\/proc\/\[pid\]\/(fd|fdinfo)\/(0|[1-9][0-9]{0,8})$/;

export class ProcTree {
  readonly #entries = new Map<string, VirtualEntry>();
  #processes: ProcessList = { list: () => [], threads: () => [], files: () => undefined };

  constructor() {
    this.#entries.set('/proc', { kind: 'directory' });
    this.#add('/proc/self', { kind: 'self' });
    for (const name of ['fd', 'fdinfo', 'task']) this.#add(`${PROCESS}/${name}`, { kind: 'directory' });
    this.registerLink(`${PROCESS}/cwd`, (pid) => this.#processes.files(pid)?.cwdPath);
    this.registerLink(`${PROCESS}/root`, () => '/');
  }

  setProcesses(processes: ProcessList): void {
    this.#processes = processes;
  }

  /** `path` is absolute, under /proc; a later registration replaces an earlier one. Directories on the way are made. */
  registerFile(path: string, provide: VirtualProvider): void {
    this.#add(path, { kind: 'file', provide });
  }

  /** `path` is that of a registered file, which can be written to from then on. */
  registerWriter(path: string, take: VirtualWriter): void {
    const entry = this.#entries.get(path);
    assert(entry?.kind === 'file', 'what is written can be read');
    this.#entries.set(path, { ...entry, take });
  }

  registerLink(path: string, provide: VirtualLinkProvider): void {
    this.#add(path, { kind: 'link', provide });
  }

  /** The inode at an absolute path under /proc, or undefined. */
  node(path: string): VirtualInode | undefined {
    const found = this.#find(path);
    if (found === undefined) return undefined;
    const kind = found.entry.kind;
    const name = path.slice(path.lastIndexOf('/') + 1);
    const isOpen = found.pid === 0 || (this.#processes.files(found.pid) === undefined ? PUBLIC.has(name) : !PRIVATE.has(name));
    const writable = found.entry.kind === 'file' && found.entry.take !== undefined ? 0o200 : 0;
    const mode = kind === 'directory' ? S_IF.directory | 0o555 : kind === 'file' ? S_IF.file | writable | (isOpen ? 0o444 : 0o400) : S_IF.symlink | 0o777;
    const owner = found.pid === 0 ? 0 : this.#processes.files(found.pid)?.identity.effective.uid ?? 0;
    return virtualInode(path, mode, owner);
  }

  /** Names and types in a virtual directory, in a stable order. */
  list(path: string): readonly VirtualInode[] {
    const found = this.#find(path);
    if (found === undefined || found.entry.kind !== 'directory') return [];
    const names: string[] = [];
    const { pattern: own, tid } = pattern(path);
    const prefix = `${own}/`;
    for (const key of this.#entries.keys()) {
      const rest = key.startsWith(prefix) ? key.slice(prefix.length) : '';
      if (rest !== '' && !rest.includes('/') && !rest.startsWith('[') && !(tid !== 0 && rest === 'task')) names.push(rest);
    }
    if (path === '/proc') names.push(...this.#processes.list().map(String));
    if (prefix === `${PROCESS}/task/`) names.push(...this.#processes.threads(found.pid).map(String));
    if (prefix === `${PROCESS}/fd/` || prefix === `${PROCESS}/fdinfo/`) names.push(...(this.#processes.files(found.pid)?.descriptorNumbers() ?? []).map(String));
    return names.flatMap((name) => this.node(`${path}/${name}`) ?? []);
  }

  /** The bytes of a virtual file now. */
  read(path: string): Uint8Array {
    const found = this.#find(path);
    return found?.entry.kind === 'file' ? found.entry.provide(found.pid, found.tid) : new Uint8Array(0);
  }

  /** Writes to a virtual file: how many bytes were taken, or -errno. */
  write(path: string, bytes: Uint8Array): number {
    const found = this.#find(path);
    if (found === undefined) return -ERRNO.ESRCH;
    return found.entry.kind === 'file' && found.entry.take !== undefined ? found.entry.take(found.pid, found.tid, bytes) : -ERRNO.EACCES;
  }

  /** Where a virtual link leads for process `self`: a text to walk, an inode to jump to, -ENOENT; undefined when it is no link. */
  target(path: string, self: number): string | Inode | number | undefined {
    const found = this.#find(path);
    if (found === undefined) return -ERRNO.ENOENT;
    switch (found.entry.kind) {
      case 'self': return String(self);
      case 'link': return found.entry.provide(found.pid) ?? -ERRNO.ENOENT;
      case 'descriptor': return this.#processes.files(found.pid)?.descriptorLink(found.entry.number)?.inode ?? -ERRNO.ENOENT;
      case 'file':
      case 'directory': return undefined;
    }
  }

  /** What readlink prints for a virtual link. */
  text(path: string, self: number): string | number {
    const found = this.#find(path);
    if (found?.entry.kind === 'descriptor') return this.#processes.files(found.pid)?.descriptorLink(found.entry.number)?.text ?? -ERRNO.ENOENT;
    const target = this.target(path, self);
    return typeof target === 'string' || typeof target === 'number' ? target : -ERRNO.EINVAL;
  }

  #add(path: string, entry: VirtualEntry): void {
    for (let slash = path.indexOf('/', 1); slash > 0; slash = path.indexOf('/', slash + 1)) {
      const directory = path.slice(0, slash);
      if (!this.#entries.has(directory)) this.#entries.set(directory, { kind: 'directory' });
    }
    this.#entries.set(path, entry);
  }

  #find(path: string): Found | undefined {
    const { pattern: key, pid, tid } = pattern(path);
    if (pid !== 0 && !this.#processes.list().includes(pid)) return undefined;
    if (tid !== 0 && (!this.#processes.threads(pid).includes(tid) || key.startsWith(`${PROCESS}/task`))) return undefined;
    const entry = this.#entries.get(key);
    if (entry !== undefined) return { entry, pid, tid };
    const [, folder, name] = DESCRIPTOR.exec(key) ?? [];
    if (folder === undefined || name === undefined) return undefined;
    const files = this.#processes.files(pid);
    const number = Number(name);
    if (files?.descriptorLink(number) === undefined) return undefined;
    if (folder === 'fd') return { entry: { kind: 'descriptor', number }, pid, tid };
    return { entry: { kind: 'file', provide: () => Uint8Array.from(files.descriptorInfo(number) ?? '', (char) => char.charCodeAt(0)) }, pid, tid };
  }
}

/** `/proc/17/maps` is `/proc/[pid]/maps` of process 17, and so is `/proc/17/task/18/maps`, of its thread 18. */
function pattern(path: string): { readonly pattern: string; readonly pid: number; readonly tid: number } {
  const parts = path.split('/');
  const number = parts[2] ?? '';
  if (!NUMBER.test(number)) return { pattern: path, pid: 0, tid: 0 };
  parts[2] = '[pid]';
  const thread = parts[3] === 'task' ? parts[4] ?? '' : '';
  if (NUMBER.test(thread)) parts.splice(3, 2);
  return { pattern: parts.join('/'), pid: Number(number), tid: NUMBER.test(thread) ? Number(thread) : 0 };
}

/** The inode of a virtual path: also of one whose process is gone or not there yet (restore). */
export function virtualInode(path: string, mode: number, owner: number): VirtualInode {
  const nlink = (mode & S_IF.mask) === S_IF.directory ? 2 : 1;
  return { kind: 'virtual', path, ino: inodeNumber(path), mode, uid: owner, gid: owner, nlink, references: 0, atime: 0n, mtime: 0n, ctime: 0n, btime: 0n };
}

/** FNV-1a above 2^32, out of the way of counted inode numbers. */
function inodeNumber(path: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < path.length; index++) hash = Math.imul(hash ^ path.charCodeAt(index), 0x01000193);
  return 2 ** 32 + (hash >>> 0);
}
