/**
 * Follows the standard output and error of nodes in their log files, line by line.
 * Invariants: what a file held before is not shown; a file that is cut and written again (a node that came back) is followed from where it was,
 * because the same bytes come again. What this does NOT do: wait for lines, or look at anything but regular files.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';

export type OnLine = (node: string, stream: 'out' | 'err', line: string) => void;

interface Followed { readonly node: string; readonly stream: 'out' | 'err'; readonly path: string; position: number; rest: string }

const READ_BYTES = 64 * 1024;
/** A line longer than this is shown in pieces. */
const LINE_MAX = 4096;
const LAST_BYTES = 4096;

export class LogTail {
  readonly #files: readonly Followed[];
  readonly #onLine: OnLine;

  constructor(files: readonly Omit<Followed, 'position' | 'rest'>[], onLine: OnLine) {
    this.#files = files.map((file) => ({ ...file, position: sizeOf(file.path), rest: '' }));
    this.#onLine = onLine;
  }

  /** Shows what is new. */
  poll(): void {
    for (const file of this.#files) while (sizeOf(file.path) > file.position && this.#readSome(file));
  }

  /** Shows what is new, and lines that were never ended. */
  end(): void {
    this.poll();
    for (const file of this.#files) {
      if (file.rest !== '') this.#onLine(file.node, file.stream, file.rest);
      file.rest = '';
    }
  }

  #readSome(file: Followed): boolean {
    const bytes = readAt(file.path, file.position, READ_BYTES);
    file.position += bytes.length;
    const lines = (file.rest + bytes.toString('latin1')).split('\n');
    file.rest = lines.pop()!;
    if (file.rest.length > LINE_MAX) {
      lines.push(file.rest);
      file.rest = '';
    }
    for (const line of lines) this.#onLine(file.node, file.stream, Buffer.from(line, 'latin1').toString('utf8'));
    return bytes.length > 0;
  }
}

/** The last lines of a file, at most `count`; none when there is no file. */
export function lastLines(path: string, count: number): readonly string[] {
  const size = sizeOf(path);
  const text = readAt(path, Math.max(0, size - LAST_BYTES), LAST_BYTES).toString('utf8');
  return text.split('\n').filter((line) => line.trim() !== '').slice(-count);
}

function sizeOf(path: string): number {
  const facts = statSync(path, { throwIfNoEntry: false });
  return facts?.isFile() === true ? facts.size : 0;
}

function readAt(path: string, position: number, length: number): Buffer {
  if (sizeOf(path) <= position) return Buffer.alloc(0);
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, readSync(fd, buffer, 0, length, position));
  } finally {
    closeSync(fd);
  }
}
