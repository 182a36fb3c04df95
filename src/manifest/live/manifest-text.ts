/**
 * The text of a manifest file, from whatever has the name: a file, a pipe of the shell, a terminal.
 * Invariants: no more is read than a manifest may have; a named pipe that nobody writes to is a complaint and no wait. What this does NOT do: understand the text.
 */
import * as fs from 'node:fs';
import { StillpointError } from '../../core/index.ts';

/** Far beyond any manifest that people write. */
const FILE_BYTES_MAX = 1024 * 1024;
const BLOCK_BYTES = 64 * 1024;
/** Between two looks at a pipe whose writer takes its time. */
const LOOK_MS = 10;

/** The text of a manifest file. Throws E_MANIFEST. */
export function readManifestText(path: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readSome(path);
  } catch (cause) {
    const host = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
    if (host === undefined || cause instanceof StillpointError) throw cause;
    throw complaint(path, `the file cannot be read (${host})`, cause);
  }
  try {
    if (bytes.includes(0)) throw new TypeError('zero bytes'); // UTF-16, or no text at all.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw complaint(path, 'the file is not UTF-8 text', cause);
  }
}

function readSome(path: string): Uint8Array {
  const isPipe = fs.statSync(path).isFIFO();
  const file = fs.openSync(path, fs.constants.O_RDONLY | (isPipe ? fs.constants.O_NONBLOCK : 0));
  try {
    const parts: Uint8Array[] = [];
    for (let total = 0, hasWriter = !isPipe; ;) {
      const block = new Uint8Array(BLOCK_BYTES);
      const count = readIfThere(file, block);
      if (count === 0 && !hasWriter) throw complaint(path, 'it is a pipe that nobody writes to');
      if (count === 0) return Buffer.concat(parts);
      hasWriter = true;
      if (count === undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
      else parts.push(block.subarray(0, count));
      if ((total += count ?? 0) > FILE_BYTES_MAX) throw complaint(path, `the file has more than ${FILE_BYTES_MAX} bytes`);
    }
  } finally {
    fs.closeSync(file);
  }
}

/** Undefined: a writer is there, and has written nothing more yet. */
function readIfThere(file: number, into: Uint8Array): number | undefined {
  try {
    return fs.readSync(file, into);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EAGAIN') return undefined;
    throw cause;
  }
}

function complaint(path: string, what: string, cause?: unknown): StillpointError {
  return new StillpointError('E_MANIFEST', `${path}: ${what}`, { data: { path }, ...(cause === undefined ? {} : { cause }) });
}
