/**
 * Looks at files and standard streams of this host for declareRun. What this does NOT do: open, create or change anything.
 */
import * as fs from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as tty from 'node:tty';
import { StillpointError } from '../../core/index.ts';
import type { HostFacts, HostFileKind, HostInspector, StandardStream } from '../bindings.ts';

/** What is said of a file that cannot be looked at. */
const WHY: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'its directory is not there'], ['ENOTDIR', 'what should be its directory is none'], ['EACCES', 'its directory may not be searched'],
  ['ELOOP', 'its symbolic links lead in a circle'], ['ENAMETOOLONG', 'its name is too long'], ['ERR_INVALID_ARG_VALUE', 'its name holds a zero byte'],
]);
const DESCRIPTORS = { stdin: 0, stdout: 1, stderr: 2 } as const;
/** Devices of this major number are terminals (Linux: 4 consoles and serial lines, 5 /dev/tty, 136 to 143 pseudo terminals). */
const TERMINAL_MAJORS: ReadonlySet<number> = new Set([4, 5, 136, 137, 138, 139, 140, 141, 142, 143]);

export class NodeHostInspector implements HostInspector {
  readonly #directory: string;

  /** Relative paths begin at `directory`. */
  constructor(directory: string = process.cwd()) {
    this.#directory = directory;
  }

  absolute(path: string): string {
    return resolve(this.#directory, path);
  }

  file(path: string): HostFacts | undefined {
    const absolute = this.absolute(path);
    let stat: fs.Stats;
    try {
      stat = fs.statSync(absolute);
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT' && mayHold(dirname(absolute))) return undefined;
      throw new StillpointError('E_CHANNEL_OPEN', WHY.get(codeOf(cause)) ?? codeOf(cause), { data: { path }, cause });
    }
    const isRegular = stat.isFile();
    return {
      kind: kindOf(stat, isTerminalDevice(stat)), size: isRegular ? stat.size : 0,
      canRead: mayAccess(absolute, fs.constants.R_OK), canWrite: mayAccess(absolute, fs.constants.W_OK),
    };
  }

  standard(stream: StandardStream): HostFacts {
    const fd = DESCRIPTORS[stream];
    try {
      const stat = fs.fstatSync(fd);
      return { kind: kindOf(stat, tty.isatty(fd)), size: stat.isFile() ? stat.size : 0, canRead: stream === 'stdin', canWrite: stream !== 'stdin' };
    } catch (cause) {
      throw new StillpointError('E_CHANNEL_OPEN', `${stream} is closed`, { data: { channel: stream }, cause });
    }
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  throw error;
}

/** Whether a file could be created here. */
function mayHold(directory: string): boolean {
  return fs.existsSync(directory);
}

function mayAccess(path: string, mode: number): boolean {
  try {
    fs.accessSync(path, mode);
    return true;
  } catch (error) {
    codeOf(error);
    return false;
  }
}

function isTerminalDevice(stat: fs.Stats): boolean {
  return stat.isCharacterDevice() && TERMINAL_MAJORS.has((stat.rdev >>> 8) & 0xfff);
}

function kindOf(stat: fs.Stats, isTerminal: boolean): HostFileKind {
  if (isTerminal) return 'terminal';
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isCharacterDevice()) return 'character';
  return stat.isSocket() ? 'socket' : 'other';
}
