/**
 * ioctl on pseudo-terminals, and job control: what happens to a background process that reads, writes or changes its terminal.
 * What this does NOT do: modem lines; terminals of the host (file-descriptor.ts).
 */
import { NO_RESULT, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { O } from '../files/flags.ts';
import { deviceNumber, type TerminalInode } from '../files/inode.ts';
import type { Terminal } from '../files/terminal.ts';
import { CC, LFLAG, TERMIOS2_BYTES, TERMIOS_BYTES, WINDOW_BYTES } from '../files/terminal-settings.ts';
import type { OpenFile } from '../open-file.ts';
import { bitOf, SA, SIG_DFL, SIG_IGN, SIGNAL } from '../signal-actions.ts';
import { openSlave, slaveOf, terminalOfSession } from '../terminal-io.ts';
import { store } from './file-arguments.ts';

const IOCTL = {
  TCGETS: 0x5401, TCSETS: 0x5402, TCSETSW: 0x5403, TCSETSF: 0x5404, TCSBRK: 0x5409, TCXONC: 0x540a, TCFLSH: 0x540b, TIOCEXCL: 0x540c, TIOCNXCL: 0x540d, TIOCSCTTY: 0x540e,
  TIOCGPGRP: 0x540f, TIOCSPGRP: 0x5410, TIOCOUTQ: 0x5411, TIOCGWINSZ: 0x5413, TIOCSWINSZ: 0x5414, FIONREAD: 0x541b, TIOCNOTTY: 0x5422, TIOCGETD: 0x5424, TCSBRKP: 0x5425, TIOCGSID: 0x5429,
  TCGETS2: 0x802c_542a, TCSETS2: 0x402c_542b, TCSETSW2: 0x402c_542c, TCSETSF2: 0x402c_542d, TIOCGPTN: 0x8004_5430, TIOCSPTLCK: 0x4004_5431, TIOCGPTLCK: 0x8004_5439, TIOCGPTPEER: 0x5441, TIOCSIG: 0x4004_5436,
  TIOCGSOFTCAR: 0x5419, TIOCCONS: 0x541d, TIOCPKT: 0x5420, TIOCSBRK: 0x5427, TIOCCBRK: 0x5428, TIOCGDEV: 0x8004_5432, TIOCVHANGUP: 0x5437, TIOCGPKT: 0x8004_5438, TIOCGEXCL: 0x8004_5440,
} as const;
const FLOW = { OUTPUT_OFF: 0, OUTPUT_ON: 1, INPUT_OFF: 2, INPUT_ON: 3 } as const;
/** Device numbers of the two sides. */
const MASTER_MAJOR = 128;
const SLAVE_MAJOR = 136;
const FLUSH = { INPUT: 0, OUTPUT: 1, BOTH: 2 } as const;

/** Requests that a background process is stopped for. */
const CHANGES: ReadonlySet<number> = new Set([
  IOCTL.TCSETS, IOCTL.TCSETSW, IOCTL.TCSETSF, IOCTL.TCSETS2, IOCTL.TCSETSW2, IOCTL.TCSETSF2, IOCTL.TCSBRK, IOCTL.TCSBRKP, IOCTL.TCXONC, IOCTL.TCFLSH, IOCTL.TIOCSPGRP,
]);

/** The terminal behind a descriptor of either side. */
export function terminalInode(call: Call, { inode }: OpenFile): TerminalInode | undefined {
  if (inode.kind === 'terminal') return inode;
  return inode.kind === 'master' ? slaveOf(call.kernel.files, inode) : undefined;
}

/**
 * Job control: 0 when the caller may go on. A background process gets SIGTTIN or SIGTTOU with its whole group and the call is issued again (or
 * EINTR, by its handler); one that ignores or blocks them reads EIO and writes.
 */
export function checkForeground(call: Call, { terminal }: TerminalInode, signal: number): CallResult {
  const { process, thread, kernel } = call;
  if (terminal.session === 0 || terminal.session !== process.session || terminal.foreground === 0 || terminal.foreground === process.group) return 0;
  const action = process.actions.get(signal);
  const isRefused = action.handler === SIG_IGN || (thread.mask & bitOf(signal)) !== 0n;
  if (isRefused) return signal === SIGNAL.TTIN ? -ERRNO.EIO : 0;
  if (kernel.isOrphanedGroup(process)) return -ERRNO.EIO;
  kernel.files.tasks.signalGroup(process.group, signal);
  if (action.handler !== SIG_DFL && (action.flags & SA.RESTART) === 0) return -ERRNO.EINTR;
  return NO_RESULT; // The program counter stays: the call is made again by a process that has been continued.
}

/** What stands in the way of a write. */
export function checkWriter(call: Call, inode: TerminalInode): CallResult {
  return inode.terminal.settings.hasLocal(LFLAG.TOSTOP) ? checkForeground(call, inode, SIGNAL.TTOU) : 0;
}

export function terminalControl(call: Call, openFile: OpenFile, inode: TerminalInode): CallResult {
  const request = call.unsigned(1);
  const { terminal } = inode;
  const isMaster = openFile.inode.kind === 'master';
  if (!isMaster && terminal.isHungUp) return request === IOCTL.TIOCSPGRP ? -ERRNO.ENOTTY : -ERRNO.EIO;
  if (!isMaster && CHANGES.has(request)) {
    const answer = checkForeground(call, inode, SIGNAL.TTOU);
    if (answer !== 0) return answer;
  }
  const address = call.size(2);
  const word = (value: number): number => (call.memory.writeU32(address, value) ? 0 : -ERRNO.EFAULT);
  switch (request) {
    case IOCTL.TCGETS: return store(call, address, terminal.settings.bytes.subarray(0, TERMIOS_BYTES));
    case IOCTL.TCGETS2: return store(call, address, terminal.settings.bytes);
    case IOCTL.TIOCGWINSZ: return store(call, address, terminal.window);
    case IOCTL.TIOCSWINSZ: return resize(call, terminal);
    case IOCTL.TIOCOUTQ: return word(0); // Output is at the other side at once.
    case IOCTL.FIONREAD: return word(isMaster ? terminal.output.length : terminal.readableBytes);
    case IOCTL.TIOCGETD: return word(0);
    case IOCTL.TCSBRK:
    case IOCTL.TCSBRKP:
    case IOCTL.TIOCSBRK:
    case IOCTL.TIOCCBRK: return 0;
    case IOCTL.TIOCEXCL:
    case IOCTL.TIOCNXCL: terminal.isExclusive = request === IOCTL.TIOCEXCL; return 0;
    case IOCTL.TIOCGEXCL: return word(Number(terminal.isExclusive));
    case IOCTL.TIOCGSOFTCAR: return word(Number(terminal.settings.isLocal));
    case IOCTL.TIOCGDEV: return word(deviceNumber(isMaster ? { major: MASTER_MAJOR, minor: terminal.number } : { major: SLAVE_MAJOR, minor: terminal.number }));
    case IOCTL.TIOCCONS:
    case IOCTL.TIOCVHANGUP: return -ERRNO.EPERM;
    case IOCTL.TCXONC: return setFlow(terminal, call.int(2));
    case IOCTL.TCFLSH: return flush(terminal, call.int(2), isMaster);
    default: return changeSettings(call, terminal, request) ?? (isMaster ? masterControl(call, inode, request) : undefined) ?? sessionControl(call, inode, { request, isMaster });
  }
}

function setFlow(terminal: Terminal, action: number): number {
  if (action < FLOW.OUTPUT_OFF || action > FLOW.INPUT_ON) return -ERRNO.EINVAL;
  if (action === FLOW.OUTPUT_OFF || action === FLOW.OUTPUT_ON) terminal.setStopped(action === FLOW.OUTPUT_OFF);
  else {
    const char = terminal.settings.control(action === FLOW.INPUT_OFF ? CC.STOP : CC.START);
    if (char !== 0) terminal.output.push(Uint8Array.of(char)); // The other side is asked to stop or go on.
  }
  terminal.changed();
  return 0;
}

function flush(terminal: Terminal, queue: number, isMaster: boolean): number {
  if (queue < FLUSH.INPUT || queue > FLUSH.BOTH) return -ERRNO.EINVAL;
  if (queue === FLUSH.BOTH || (queue === FLUSH.INPUT) !== isMaster) terminal.flushInput();
  if (queue === FLUSH.BOTH || (queue === FLUSH.OUTPUT) !== isMaster) terminal.flushOutput();
  return 0;
}

/** tcsetattr in its six forms; undefined: another request. */
function changeSettings(call: Call, terminal: Terminal, request: number): number | undefined {
  const isShort = request === IOCTL.TCSETS || request === IOCTL.TCSETSW || request === IOCTL.TCSETSF;
  const isLong = request === IOCTL.TCSETS2 || request === IOCTL.TCSETSW2 || request === IOCTL.TCSETSF2;
  if (!isShort && !isLong) return undefined;
  const bytes = call.memory.readable(call.size(2), isShort ? TERMIOS_BYTES : TERMIOS2_BYTES);
  if (bytes === undefined) return -ERRNO.EFAULT;
  if (request === IOCTL.TCSETSF || request === IOCTL.TCSETSF2) terminal.flushInput();
  const settings = terminal.settings.bytes.slice();
  settings.set(bytes);
  terminal.configure(settings);
  return 0;
}

function resize(call: Call, terminal: Terminal): number {
  const bytes = call.memory.readable(call.size(2), WINDOW_BYTES)?.slice();
  if (bytes === undefined) return -ERRNO.EFAULT;
  const isSame = bytes.every((byte, index) => byte === terminal.window[index]);
  terminal.window = bytes;
  if (!isSame && terminal.foreground !== 0) call.kernel.files.tasks.signalGroup(terminal.foreground, SIGNAL.WINCH);
  return 0;
}

/** Requests of the master side only. */
function masterControl(call: Call, inode: TerminalInode, request: number): CallResult | undefined {
  const { terminal } = inode;
  const address = call.size(2);
  switch (request) {
    case IOCTL.TIOCGPTN: return call.memory.writeU32(address, terminal.number) ? 0 : -ERRNO.EFAULT;
    case IOCTL.TIOCGPTLCK: return call.memory.writeU32(address, terminal.isLocked ? 1 : 0) ? 0 : -ERRNO.EFAULT;
    case IOCTL.TIOCSPTLCK: {
      const value = call.memory.readU32(address);
      if (value === undefined) return -ERRNO.EFAULT;
      terminal.isLocked = value !== 0;
      return 0;
    }
    case IOCTL.TIOCGPTPEER: {
      const flags = call.unsigned(2);
      const number = call.process.files.descriptors.lowestFree();
      if (number < 0) return number;
      const openFile = openSlave(call.process.files, inode, flags);
      return typeof openFile === 'number' ? openFile : call.process.files.install(openFile, { closesOnExec: (flags & O.CLOEXEC) !== 0 });
    }
    case IOCTL.TIOCGPKT: return call.memory.writeU32(address, Number(terminal.isPacket)) ? 0 : -ERRNO.EFAULT;
    case IOCTL.TIOCPKT: {
      const value = call.memory.readU32(address);
      if (value === undefined) return -ERRNO.EFAULT;
      if (terminal.isPacket !== (value !== 0)) terminal.packetStatus = 0;
      terminal.isPacket = value !== 0;
      return 0;
    }
    case IOCTL.TIOCSIG: {
      const signal = call.int(2);
      if (signal !== SIGNAL.INT && signal !== SIGNAL.QUIT && signal !== SIGNAL.TSTP) return -ERRNO.EINVAL;
      if (terminal.foreground !== 0) call.kernel.files.tasks.signalGroup(terminal.foreground, signal);
      return 0;
    }
    default: return undefined;
  }
}

/** Requests about the session that the terminal controls and the group in its foreground. */
function sessionControl(call: Call, { terminal }: TerminalInode, how: { readonly request: number; readonly isMaster: boolean }): CallResult {
  const { process, kernel: { files } } = call;
  const address = call.size(2);
  const isOwn = terminal.session !== 0 && terminal.session === process.session;
  switch (how.request) {
    case IOCTL.TIOCGPGRP: return isOwn || how.isMaster ? (call.memory.writeU32(address, terminal.foreground) ? 0 : -ERRNO.EFAULT) : -ERRNO.ENOTTY;
    case IOCTL.TIOCGSID: return (isOwn || how.isMaster) && terminal.session !== 0 ? (call.memory.writeU32(address, terminal.session) ? 0 : -ERRNO.EFAULT) : -ERRNO.ENOTTY;
    case IOCTL.TIOCSPGRP: return isOwn ? setForeground(call, terminal) : -ERRNO.ENOTTY;
    case IOCTL.TIOCSCTTY:
      if (process.session === process.pid && isOwn) return 0;
      if (process.session !== process.pid || terminalOfSession(files, process.session) !== undefined || terminal.session !== 0) return -ERRNO.EPERM;
      terminal.session = process.session;
      terminal.foreground = process.group;
      return 0;
    case IOCTL.TIOCNOTTY:
      if (!isOwn) return -ERRNO.ENOTTY;
      if (process.session !== process.pid) return 0; // The others of the session keep it; a process of its own cannot be without it here.
      for (const signal of [SIGNAL.HUP, SIGNAL.CONT]) files.tasks.signalGroup(terminal.foreground, signal);
      terminal.session = terminal.foreground = 0;
      return 0;
    default: return how.request === 0x5412 ? -ERRNO.EIO : -ERRNO.ENOTTY; // TIOCSTI is switched off, as in new kernels.
  }
}

function setForeground(call: Call, terminal: Terminal): number {
  const group = call.memory.readU32(call.size(2));
  if (group === undefined) return -ERRNO.EFAULT;
  if ((group | 0) < 0) return -ERRNO.EINVAL;
  const [member] = call.kernel.livingInGroup(group);
  if (member === undefined) return -ERRNO.ESRCH;
  if (member.session !== call.process.session) return -ERRNO.EPERM;
  terminal.foreground = group;
  return 0;
}
