/**
 * What opening and closing the ends of pipes, sockets and terminals does to the other end.
 * Invariant: openEnd and closeEnd come in pairs, one for each open file that is no O_PATH file.
 * What this does NOT do: count holders of open files (FileSystem).
 */
import { ERRNO } from '../errno.ts';
import type { OpenFile } from '../open-file.ts';
import { closeMaster } from '../terminal-io.ts';
import type { FileSystem } from './file-system.ts';
import type { SocketInode } from './inode.ts';
import type { Socket } from './socket.ts';
import { LINGER_NOTHING, optionKey, SO, SOL_SOCKET } from './socket-option-names.ts';

/** An open file is there: opened, or restored. */
export function openEnd(openFile: OpenFile): void {
  const { inode } = openFile;
  if (openFile.isPath) return;
  if (inode.kind === 'fifo') {
    if (openFile.canRead) inode.pipe.readers++;
    if (openFile.canWrite) inode.pipe.writers++;
    if (openFile.canWrite) inode.pipe.hadWriter = true;
  } else if (inode.kind === 'terminal') {
    inode.terminal.slaves++;
    inode.terminal.hadSlave = true;
  }
}

/** The last holder of an open file is gone. */
export function closeEnd(files: FileSystem, openFile: OpenFile): void {
  const { inode } = openFile;
  if (openFile.isPath) return;
  if (inode.kind === 'fifo') {
    if (openFile.canRead) inode.pipe.readers--;
    if (openFile.canWrite) inode.pipe.writers--;
    inode.pipe.changed();
    if (inode.pipe.readers === 0 && inode.pipe.writers === 0) inode.pipe.reset();
  } else if (inode.kind === 'socket') closeSocket(files, inode);
  else if (inode.kind === 'master') closeMaster(files, inode);
  else if (inode.kind === 'terminal') {
    inode.terminal.slaves--;
    inode.terminal.changed();
  }
}

/** SO_LINGER without time: closing resets a connection of the internet. */
function isReset({ domain, type, options }: Socket): boolean {
  return (domain === 'inet' || domain === 'inet6') && type === 'stream' && options.get(optionKey(SOL_SOCKET, SO.LINGER)) === LINGER_NOTHING;
}

/** The last open file of a socket is gone. */
function closeSocket(files: FileSystem, { socket }: SocketInode): void {
  leaveOthers(files, socket, socket.hasInput || isReset(socket));
  socket.status = 'closed';
  const unread = socket.filesOnTheirWay;
  socket.streamFiles = [];
  socket.messages = socket.messages.map((message) => ({ ...message, files: [] }));
  files.releaseFiles(unread);
}

/** The peer of a connection is told of its end, and so are those that nobody will accept any more. */
export function leaveOthers(files: FileSystem, socket: Socket, isReset: boolean): void {
  const peer = files.inodes.get(socket.peer);
  if (peer?.kind === 'socket' && socket.type !== 'datagram' && socket.peer !== 0) {
    // Of the internet, closing what was shut before sends nothing.
    const isNews = isReset || socket.domain === 'unix' || !peer.socket.isEnded;
    // Who has read the end of a connection of the internet and is then told of a reset, wrote to nobody.
    const isPipe = socket.domain !== 'unix' && peer.socket.isEnded && !peer.socket.isWriteShut;
    peer.socket.keepRoomChanges(socket);
    peer.socket.peer = 0;
    peer.socket.isEnded = true;
    if (isReset) {
      peer.socket.error = isPipe ? ERRNO.EPIPE : ERRNO.ECONNRESET;
      peer.socket.isWriteShut = true;
    }
    if (isNews) peer.socket.changed();
  }
  for (const ino of socket.backlog) {
    const end = files.inodes.get(ino);
    if (end?.kind !== 'socket') continue;
    leaveOthers(files, end.socket, true);
    closeSocket(files, end);
    files.release(end);
  }
  socket.backlog = [];
}
