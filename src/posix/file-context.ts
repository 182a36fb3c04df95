/**
 * What one process sees of the files: working directory, umask, user, descriptors. A fork copies it; threads share it.
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

export class FileContext implements ProcessFiles {
  readonly files: FileSystem;
  readonly pid: number;
  readonly descriptors: DescriptorTable;
  #identity: Identity = GUEST_IDENTITY;
  /** What decides on files. */
  credentials: Credentials = fileCredentials(GUEST_IDENTITY);
  umask = 0o022;
  #cwd: Inode;

  constructor(files: FileSystem, pid: number, parts: { readonly cwd?: Inode; readonly descriptors?: DescriptorTable } = {}) {
    this.files = files;
    this.pid = pid;
    this.descriptors = parts.descriptors ?? new DescriptorTable(files);
    this.#cwd = parts.cwd ?? files.root;
    files.retain(this.#cwd);
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
    return this.#cwd;
  }

  set cwd(directory: Inode) {
    assert(isDirectory(directory), 'a working directory is a directory');
    this.files.retain(directory);
    this.files.release(this.#cwd);
    this.#cwd = directory;
  }

  get cwdPath(): string {
    return this.files.pathOf(this.#cwd) ?? '/ (deleted)';
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

  /** The process ends. */
  closeAll(): void {
    for (const number of this.descriptors.numbers()) this.close(number);
  }

  /** The process is gone: after closeAll(), nothing is held any more. */
  release(): void {
    this.files.release(this.#cwd);
  }

  /** For a fork: own table, same open files. */
  copyFor(pid: number): FileContext {
    const copy = new FileContext(this.files, pid, { cwd: this.#cwd, descriptors: this.descriptors.copy() });
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
    const [identity, umask, cwd, references, descriptors] = [this.#identity, this.umask, this.#cwd, this.#cwd.references, this.descriptors.mark()];
    return () => {
      if (this.#identity !== identity) this.identity = identity;
      this.umask = umask;
      this.#cwd = cwd;
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

  state(): Canonical {
    const { uid, gid } = this.#identity.file;
    const identity = identityState(this.#identity);
    const cwd = inodeReference(this.#cwd);
    return { pid: this.pid, uid, gid, umask: this.umask, cwd, descriptors: this.descriptors.state(), ...(identity === undefined ? {} : { identity }) };
  }

  /** Throws StillpointError E_STATE_FORMAT on a state that does not fit the file system. */
  static restore(state: Canonical, files: FileSystem): FileContext {
    // The section's hash was verified; what can still be wrong is a reference, checked here and in DescriptorTable.
    const { pid, uid, gid, umask, cwd, descriptors, identity } = state as {
      readonly pid: number; readonly uid: number; readonly gid: number; readonly umask: number; readonly cwd: Canonical; readonly descriptors: Canonical; readonly identity?: IdentityState;
    };
    const directory = resolveReference(files, cwd);
    if (!isDirectory(directory)) throw new StillpointError('E_STATE_FORMAT', 'a working directory is no directory');
    const context = new FileContext(files, pid, { cwd: directory, descriptors: DescriptorTable.restore(descriptors, files) });
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
