/**
 * Whether a file can be written, found out without changing what is in it: several outputs are all tried before the first is emptied.
 * Invariant: a file that had to be made is empty and can be taken away again with unmakeOutput(). A pipe or device is left alone: opening one is felt at its other end.
 * What this does NOT do: keep anything open.
 */
import * as fs from 'node:fs';
import { hostError, hostErrorCode, HostFile } from './host-file.ts';

/** True when the file was not there and has been made. Throws E_CHANNEL_OPEN, E_DISK_FULL. */
export async function probeOutput(path: string, channel: string): Promise<boolean> {
  const facts = fs.statSync(path, { throwIfNoEntry: false });
  if (facts !== undefined && !facts.isFile() && !facts.isDirectory()) return false;
  const { O_WRONLY, O_CREAT, O_NONBLOCK } = fs.constants;
  const file = await HostFile.open(path, { channel, flags: O_WRONLY | O_NONBLOCK | O_CREAT });
  await file.close();
  return facts === undefined;
}

/** Takes away a file that probeOutput() made, as long as nobody wrote to it. */
export function unmakeOutput(path: string, channel: string): void {
  try {
    if (fs.statSync(path).size === 0) fs.unlinkSync(path);
  } catch (error) {
    if (hostErrorCode(error) !== 'ENOENT') throw hostError(error, { fallback: 'E_CHANNEL_WRITE', channel, path });
  }
}
