/**
 * Standard input of the command, for verbs that read it themselves: a request, an exported run, the input of a pipe. A machine's own is a channel (channel/live/open-port.ts).
 * Invariant: what cannot be read is an error; Node gives the end of the stream at once for a directory.
 */
import { fstatSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { StillpointError } from '../core/index.ts';
import { isSameFile } from '../core/live/same-file.ts';
import { isErrno } from '../store/live/lmdb-files.ts';

/** Its bytes. Throws E_HOST_FILE. */
export async function* standardInput(): AsyncGenerator<Buffer> {
  if (fstatSync(0).isDirectory()) throw new StillpointError('E_HOST_FILE', 'standard input is a directory');
  try {
    yield* process.stdin as AsyncIterable<Buffer>;
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause;
    throw new StillpointError('E_HOST_FILE', `standard input cannot be read: ${cause.message}`, { cause });
  }
}

/** The regular file that it is, where others can open it by name and nothing of it has been read; else undefined. */
export function standardInputFile(): string | undefined {
  const facts = fstatSync(0);
  try {
    const path = readlinkSync('/proc/self/fd/0');
    const named = statSync(path);
    const isWhole = facts.isFile() && isSameFile(named, facts) && /^pos:\s*0$/m.test(readFileSync('/proc/self/fdinfo/0', 'latin1'));
    return isWhole ? realpathSync(path) : undefined;
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM')) throw cause;
    return undefined; // It has lost its name, as a here-document has.
  }
}
