/**
 * Pseudo-terminals among the files: /dev/ptmx makes one, /dev/pts/N is its other side, /dev/tty the terminal of the caller's session.
 *
 *   master inode ─ holds ─► slave inode (with the Terminal) ─ named ─► /dev/pts/N until the master is closed
 *
 * What this does NOT do: characters (files/line-discipline.ts), job control of readers and writers (calls/terminal.ts).
 */
import { BLOCKED } from './call.ts';
import { ERRNO } from './errno.ts';
import type { FileContext } from './file-context.ts';
import type { FileSystem } from './files/file-system.ts';
import { O } from './files/flags.ts';
import type { DirectoryInode, MasterInode, TerminalInode } from './files/inode.ts';
import { input, output } from './files/line-discipline.ts';
import type { OpenFile } from './open-file.ts';
import { SIGNAL } from './signal-actions.ts';

/** Terminals of one machine (kernel.pty.max is 4096). */
const TERMINALS_MAX = 256;
const SLAVE_MODE = 0o620;

function directoryOf(files: FileSystem): DirectoryInode | undefined {
  const dev = files.root.entries.get('dev')?.inode;
  const pts = dev?.kind === 'directory' ? dev.entries.get('pts')?.inode : undefined;
  return pts?.kind === 'directory' ? pts : undefined;
}

function* terminals(files: FileSystem): Iterable<TerminalInode> {
  for (const inode of files.inodes.values()) if (inode.kind === 'terminal') yield inode;
}

/** The terminal that controls a session. */
export function terminalOfSession(files: FileSystem, session: number): TerminalInode | undefined {
  if (session === 0) return undefined;
  for (const inode of terminals(files)) if (inode.terminal.session === session) return inode;
  return undefined;
}

/** Opens /dev/ptmx: a new terminal with the lowest free number. */
export function openMaster(context: FileContext, flags: number): OpenFile | number {
  const { files } = context;
  const directory = directoryOf(files);
  const taken = new Set([...terminals(files)].filter(({ terminal }) => !terminal.isHungUp).map(({ terminal }) => terminal.number));
  if (directory === undefined || taken.size >= TERMINALS_MAX || !files.hasInodes) return -ERRNO.ENOSPC;
  let number = 0;
  while (taken.has(number)) number++;
  const slave = files.makeTerminal(number, { credentials: context.credentials, mode: SLAVE_MODE });
  files.attach(directory, String(number), slave);
  files.retain(slave);
  return files.open(files.makeMaster(slave.ino), flags, '/dev/ptmx');
}

/** The slave of a master. */
export function slaveOf(files: FileSystem, master: MasterInode): TerminalInode {
  const slave = files.inodes.get(master.slave);
  if (slave?.kind !== 'terminal') throw new Error('assertion failed: a master has its slave');
  return slave;
}

/** Opens the slave side; it may become the terminal of the caller's session. */
export function openSlave(context: FileContext, inode: TerminalInode, flags: number): OpenFile | number {
  const { files, pid } = context;
  const { terminal } = inode;
  if (terminal.isHungUp || terminal.isLocked) return -ERRNO.EIO;
  if (terminal.isExclusive && context.credentials.uid !== 0) return -ERRNO.EBUSY;
  const session = files.tasks.sessionOf(pid);
  if ((flags & O.NOCTTY) === 0 && session === pid && terminal.session === 0 && terminalOfSession(files, session) === undefined) {
    terminal.session = session;
    terminal.foreground = files.tasks.groupOf(pid);
  }
  return files.open(inode, flags, `/dev/pts/${terminal.number}`);
}

/** The last open file of the master is gone. */
export function closeMaster(files: FileSystem, master: MasterInode): void {
  const slave = slaveOf(files, master);
  const { terminal } = slave;
  terminal.isHungUp = true;
  terminal.changed();
  if (terminal.session !== 0) for (const signal of [SIGNAL.HUP, SIGNAL.CONT]) files.tasks.signalLeader(terminal.session, signal);
  terminal.session = terminal.foreground = 0;
  const directory = directoryOf(files);
  if (directory?.entries.get(String(terminal.number))?.inode === slave) {
    directory.entries.delete(String(terminal.number));
    slave.nlink--;
  }
  files.release(slave);
}

/** The leader of a session has ended: its terminal is free, the foreground is told. */
export function endSession(files: FileSystem, session: number): void {
  const inode = terminalOfSession(files, session);
  if (inode === undefined) return;
  const { terminal } = inode;
  if (terminal.foreground !== 0) for (const signal of [SIGNAL.HUP, SIGNAL.CONT]) files.tasks.signalGroup(terminal.foreground, signal);
  terminal.session = terminal.foreground = 0;
}

type Bytes = Uint8Array | number | typeof BLOCKED;

export function readMaster(files: FileSystem, openFile: OpenFile, how: { readonly inode: MasterInode; readonly length: number }): Bytes {
  const { terminal } = slaveOf(files, how.inode);
  if (terminal.packetStatus !== 0) {
    const status = Uint8Array.of(terminal.packetStatus);
    terminal.packetStatus = 0;
    return status;
  }
  if (terminal.output.length > 0) return terminal.isPacket ? Uint8Array.of(0, ...terminal.output.shift(how.length - 1)) : terminal.output.shift(how.length);
  if (terminal.hadSlave && terminal.slaves === 0) return -ERRNO.EIO;
  return openFile.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
}

/** As with pipes: see writeSlave. */
export function writeMaster(files: FileSystem, openFile: OpenFile, how: { readonly inode: MasterInode; readonly bytes: Uint8Array }): number | typeof BLOCKED {
  const { terminal } = slaveOf(files, how.inode);
  const isWhole = !openFile.isNonblocking;
  if (isWhole && how.bytes.length > terminal.inputRoom && terminal.ready.length > 0) return BLOCKED;
  const { taken, signals } = input(terminal, how.bytes, isWhole);
  for (const signal of signals) if (terminal.foreground !== 0) files.tasks.signalGroup(terminal.foreground, signal);
  if (taken > 0) return taken;
  return openFile.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
}

/** `isLate`: the call has waited as long as VTIME says. */
export function readSlave({ terminal }: TerminalInode, openFile: OpenFile, how: { readonly length: number; readonly isLate: boolean }): Bytes {
  if (terminal.isHungUp) return new Uint8Array(0);
  const bytes = terminal.take(how.length, how.isLate);
  if (bytes !== undefined) return bytes;
  return openFile.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
}

/** As with pipes, a write larger than the room left waits for an empty buffer and is then taken whole. */
export function writeSlave({ terminal }: TerminalInode, openFile: OpenFile, bytes: Uint8Array): number | typeof BLOCKED {
  if (terminal.isHungUp) return -ERRNO.EIO;
  const { room, length } = terminal.output;
  if (terminal.isStopped || (bytes.length > room && (length > 0 || openFile.isNonblocking))) {
    if (!openFile.isNonblocking) return BLOCKED;
    if (terminal.isStopped || room === 0) return -ERRNO.EAGAIN;
    output(terminal, bytes.subarray(0, room));
    return room;
  }
  output(terminal, bytes);
  return bytes.length;
}
