/**
 * What one process sees of the files: working directory, umask, user, descriptors. A fork copies it; threads share it; processes made with CLONE_FILES
 * share the table of descriptors, those with CLONE_FS the place (working directory and umask).
 *
 * Invariant: what processes share is one object; in the state the first of them has it, the others name that one.
 * What this does NOT do: check arguments of calls (calls/*).
 */
import { assert, StillpointError, type Canonical, type Undo } from '../core/index.ts';
import { DescriptorTable } from './descriptors.ts';
import type { FileSystem } from './files/file-system.ts';
import { O, S_IF } from './files/flags.ts';
import { isDirectory, type Inode } from './files/inode.ts';
import { fileCredentials, GUEST_IDENTITY, identityState, restoreIdentity, type Identity, type IdentityState } from './files/identity.ts';
import type { Credentials } from './files/permission.ts';
import type { ProcessFiles } from './files/proc.ts';
import { forgetNotice } from './files/queues.ts';
import { inodeReference, resolveReference } from './files/state.ts';
import { walk } from './files/walk.ts';
import type { OpenFile } from './open-file.ts';

/** What CLONE_FS shares. It holds its directory. */
interface Place { cwd: Inode; umask: number }
/** Another process, as one that may share with this. */
interface Sharer { readonly pid: number; readonly files: FileContext }
interface ContextState {
  readonly pid: number; readonly uid: number; readonly gid: number; readonly umask: number; readonly cwd: Canonical; readonly descriptors: Canonical; readonly identity?: IdentityState;
  /** The process before it that it shares with. */
  readonly descriptorsOf?: number; readonly placeOf?: number;
}

export class FileContext implements ProcessFiles {
  readonly files: FileSystem;
  readonly pid: number;
  #descriptors: DescriptorTable;
  #identity: Identity = GUEST_IDENTITY;
  /** What decides on files. */
  credentials: Credentials = fileCredentials(GUEST_IDENTITY);
  #place: Place;

  constructor(files: FileSystem, pid: number, parts: { readonly place?: Place; readonly cwd?: Inode; readonly descriptors?: DescriptorTable } = {}) {
    this.files = files;
    this.pid = pid;
    this.#descriptors = parts.descriptors ?? new DescriptorTable(files);
    this.#place = parts.place ?? this.#placeAt(parts.cwd ?? files.root);
  }

  #placeAt(cwd: Inode): Place {
    this.files.retain(cwd);
    return { cwd, umask: this.#place?.umask ?? 0o022 };
  }

  get descriptors(): DescriptorTable {
    return this.#descriptors;
  }

  get umask(): number {
    return this.#place.umask;
  }

  set umask(umask: number) {
    this.#place.umask = umask;
  }

  /** Who the process is. */
  get identity(): Identity {
    return this.#identity;
  }

  set identity(identity: Identity) {
    this.#identity = identity;
    this.credentials = fileCredentials(identity);
  }

  get cwd(): Inode {
    return this.#place.cwd;
  }

  set cwd(directory: Inode) {
    assert(isDirectory(directory), 'a working directory is a directory');
    this.files.retain(directory);
    this.files.release(this.#place.cwd);
    this.#place.cwd = directory;
  }

  get cwdPath(): string {
    return this.files.pathOf(this.cwd) ?? '/ (deleted)';
  }

  /** Changes to an absolute path at start-up; false when there is no such directory. */
  enterDirectory(path: string): boolean {
    const found = walk(this.files, this, { start: this.files.root, path }, 'follow');
    if (typeof found === 'number' || found.inode === undefined || !isDirectory(found.inode)) return false;
    this.cwd = found.inode;
    return true;
  }

  /** Gives an open file the lowest free number at or above `least`: the number, or -EMFILE (then nothing happened). */
  install(openFile: OpenFile, options: { readonly closesOnExec?: boolean; readonly least?: number } = {}): number {
    const number = this.descriptors.lowestFree(options.least ?? 0);
    if (number >= 0) this.descriptors.set(number, openFile, options.closesOnExec ?? false);
    return number;
  }

  /** Closes a number; false when it was not open. Record locks of the process on that inode go, as POSIX says, and so does its notice of a message queue. */
  close(number: number): boolean {
    const openFile = this.descriptors.get(number);
    if (openFile === undefined) return false;
    this.files.locks.closeByProcess(openFile.inode.ino, this.pid);
    if (openFile.inode.kind === 'queue') forgetNotice(this.files, openFile.inode.queue, this.pid);
    this.descriptors.close(number);
    return true;
  }

  /** execve: descriptors marked close-on-exec go. */
  closeOnExec(): void {
    for (const number of this.descriptors.numbers()) if (this.descriptors.closesOnExec(number)) this.close(number);
  }

  /** Whether somebody among `others` (this may be one of them) has the same table, or the same place. */
  #shares(others: readonly Sharer[], what: 'descriptors' | 'place'): boolean {
    return others.some(({ files }) => files !== this && (what === 'descriptors' ? files.#descriptors === this.#descriptors : files.#place === this.#place));
  }

  /** A table of its own, with the same open files. */
  unshareDescriptors(others: readonly Sharer[]): void {
    if (this.#shares(others, 'descriptors')) this.#descriptors = this.#descriptors.copy();
  }

  unsharePlace(others: readonly Sharer[]): void {
    if (this.#shares(others, 'place')) this.#place = this.#placeAt(this.cwd);
  }

  sharesDescriptorsWith(other: FileContext): boolean {
    return this.#descriptors === other.#descriptors;
  }

  sharesPlaceWith(other: FileContext): boolean {
    return this.#place === other.#place;
  }

  /** The process ends: what nobody shares is given back. */
  leave(others: readonly Sharer[]): void {
    if (this.#shares(others, 'descriptors')) this.#descriptors = new DescriptorTable(this.files);
    else for (const number of this.descriptors.numbers()) this.close(number);
    this.unsharePlace(others);
    this.cwd = this.files.root;
  }

  /** The process is gone: after leave(), nothing is held any more. */
  release(): void {
    this.files.release(this.cwd);
  }

  /** For a fork: own table, same open files, where they are not to be shared. */
  copyFor(pid: number, shares: { readonly descriptors: boolean; readonly place: boolean } = { descriptors: false, place: false }): FileContext {
    const place = shares.place ? { place: this.#place } : { cwd: this.cwd };
    const copy = new FileContext(this.files, pid, { ...place, descriptors: shares.descriptors ? this.descriptors : this.descriptors.copy() });
    copy.umask = this.umask;
    copy.identity = this.#identity;
    return copy;
  }

  descriptorNumbers(): readonly number[] {
    return this.descriptors.numbers();
  }

  descriptorLink(number: number): { readonly inode: Inode; readonly text: string } | undefined {
    const openFile = this.descriptors.get(number);
    return openFile === undefined ? undefined : { inode: openFile.inode, text: describe(this.files, openFile) };
  }

  mark(): Undo {
    const [table, place, identity, umask, cwd, references, descriptors] = [this.#descriptors, this.#place, this.#identity, this.umask, this.cwd, this.cwd.references, this.descriptors.mark()];
    return () => {
      if (this.#identity !== identity) this.identity = identity;
      this.#descriptors = table;
      this.#place = place;
      this.umask = umask;
      this.#place.cwd = cwd;
      cwd.references = references; // Of a directory of /proc, which is in no table.
      descriptors();
    };
  }

  descriptorInfo(number: number): string | undefined {
    const openFile = this.descriptors.get(number);
    if (openFile === undefined) return undefined;
    const flags = openFile.toldFlags | (this.descriptors.closesOnExec(number) ? O.CLOEXEC : 0);
    const { inode } = openFile;
    const offset = inode.kind === 'directory' ? 0 : openFile.offset;
    const special = inode.kind === 'process' ? `Pid:\t${inode.pid}\n` : inode.kind === 'event' ? `eventfd-count: ${inode.counter.toString(16).padStart(16)}\n` : inode.kind === 'signal' ? `sigmask:\t${inode.mask.toString(16).padStart(16, '0')}\n` : '';
    return `pos:\t${offset}\nflags:\t0${flags.toString(8)}\nmnt_id:\t${inode.kind === 'virtual' ? 2 : 1}\nino:\t${inode.ino}\n${special}`;
  }

  /** `processes`: all, in order; the first that has what this one has holds it in the state. */
  state(processes: readonly Sharer[] = []): Canonical {
    const { uid, gid } = this.#identity.file;
    const identity = identityState(this.#identity);
    const descriptorsOf = processes.find(({ files }) => files.#descriptors === this.#descriptors)?.pid;
    const placeOf = processes.find(({ files }) => files.#place === this.#place)?.pid;
    const isFirst = descriptorsOf === undefined || descriptorsOf === this.pid;
    return {
      pid: this.pid, uid, gid, umask: this.umask, cwd: inodeReference(this.cwd), descriptors: isFirst ? this.descriptors.state() : [this.descriptors.limit, []], ...(identity === undefined ? {} : { identity }),
      ...(isFirst ? {} : { descriptorsOf }), ...(placeOf === undefined || placeOf === this.pid ? {} : { placeOf }),
    };
  }

  /** `earlier`: the processes before it. Throws StillpointError E_STATE_FORMAT on a state that does not fit the file system. */
  static restore(state: Canonical, files: FileSystem, earlier: readonly Sharer[] = []): FileContext {
    // The section's hash was verified; what can still be wrong is a reference, checked here and in DescriptorTable.
    const { pid, uid, gid, umask, cwd, descriptors, identity, descriptorsOf, placeOf } = state as unknown as ContextState;
    const sharer = (other: number): FileContext => {
      const found = earlier.find((process) => process.pid === other)?.files;
      if (found === undefined) throw new StillpointError('E_STATE_FORMAT', 'a process shares with one that is not there');
      return found;
    };
    const directory = resolveReference(files, cwd);
    if (!isDirectory(directory)) throw new StillpointError('E_STATE_FORMAT', 'a working directory is no directory');
    const place = placeOf === undefined ? { cwd: directory } : { place: sharer(placeOf).#place };
    const context = new FileContext(files, pid, { ...place, descriptors: descriptorsOf === undefined ? DescriptorTable.restore(descriptors, files) : sharer(descriptorsOf).#descriptors });
    context.umask = umask;
    context.identity = restoreIdentity({ uid, gid }, identity);
    return context;
  }
}

/** What readlink of /proc/PID/fd/N prints. */
function describe(files: FileSystem, openFile: OpenFile): string {
  const { inode, path } = openFile;
  if (!path.startsWith('/')) return path;
  if (inode.kind === 'virtual' || inode.kind === 'channel') return path;
  const found = walk(files, { pid: 0, credentials: { uid: 0, gid: 0 } }, { start: files.root, path }, 'nofollow');
  const isThere = typeof found !== 'number' && found.inode === inode;
  return isThere || (inode.mode & S_IF.mask) === 0 ? path : `${path} (deleted)`;
}
