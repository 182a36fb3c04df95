/**
 * Disks as they may be after a power cut: made from what disk-recorder.c wrote down about a process that ran.
 *
 *   what was synced before the cut is there; of the rest each write is there or not, in any mixture; the last one may be torn between two sectors
 *
 * Names of files are kept in the order in which they were made (a file system with a journal). Sectors have 512 bytes and are written whole, as disks do.
 * What this does NOT do: judge.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const SECTOR_BYTES = 512;
const HEAD_BYTES = 20;

interface Entry { readonly op: string; readonly isDurable: boolean; readonly path: string; readonly offset: number; readonly bytes: Buffer }
interface Write { readonly offset: number; readonly bytes: Buffer | undefined }
interface FileState { readonly durable: Content; readonly loose: Write[] }

/** Bytes of a file, changed in place. */
class Content {
  #bytes = Buffer.alloc(4096);
  #length = 0;

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** `bytes` undefined: the file gets the length `offset`. */
  write({ offset, bytes }: Write): void {
    const length = bytes === undefined ? offset : Math.max(this.#length, offset + bytes.length);
    if (length > this.#bytes.length) this.#bytes = Buffer.concat([this.bytes], length * 2);
    if (length < this.#length) this.#bytes.fill(0, length, this.#length);
    this.#length = length;
    bytes?.copy(this.#bytes, offset);
  }
}

/** Path of the library to preload. */
export function recorder(): string {
  const source = join(import.meta.dirname, 'disk-recorder.c');
  const directory = resolve(import.meta.dirname, '../../build/machine-guests');
  const output = join(directory, `disk-recorder-${createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12)}.so`);
  if (existsSync(output)) return output;
  mkdirSync(directory, { recursive: true });
  execFileSync('cc', ['-O2', '-shared', '-fPIC', '-o', `${output}.${process.pid}`, source, '-ldl', '-lpthread']);
  renameSync(`${output}.${process.pid}`, output);
  return output;
}

export class RecordedDisk {
  readonly #entries: readonly Entry[];
  readonly #directory: string;

  /** `log`: what the recorder wrote about `directory`; a last record that was cut off is left out. */
  constructor(directory: string, log: string) {
    this.#directory = directory;
    this.#entries = entriesOf(readFileSync(log));
    if (existsSync(directory)) renameSync(directory, `${directory}.recorded`); // Its files keep their numbers: those of a cut are others, as on another boot.
  }

  /** Moments at which the power may fail: before entry 0, 1, … */
  get moments(): number {
    return this.#entries.length;
  }

  /** What the process had said by then. */
  said(moment: number): string {
    return Buffer.concat(this.#entries.slice(0, moment).flatMap(({ op, bytes }) => (op === 'O' ? [bytes] : []))).toString();
  }

  /** Right after it first said something with that word in it. */
  momentOf(word: string): number {
    return this.#entries.findIndex(({ op, bytes }) => op === 'O' && bytes.includes(word)) + 1;
  }

  /** Moments before an entry that is a synced write or a sync: where most can go wrong. */
  get narrowMoments(): readonly number[] {
    return this.#entries.flatMap(({ op, isDurable }, index) => (op === 'S' || isDurable ? [index, index + 1] : []));
  }

  /** The directory as it may be when the power fails while entry `moment` is at work. */
  cut(moment: number, draw: (below: number) => number): void {
    const files = new Map<string, FileState>();
    for (const entry of this.#entries.slice(0, moment)) happen(files, entry);
    const last = this.#entries[moment];
    rmSync(this.#directory, { recursive: true, force: true });
    mkdirSync(this.#directory, { recursive: true });
    for (const [path, { durable, loose }] of files) {
      for (const write of loose) if (draw(2) === 0) durable.write(write);
      if (last?.op === 'W' && last.path === path) durable.write(torn(last, draw));
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(path, durable.bytes, { mode: 0o600 });
    }
  }
}

function entriesOf(log: Buffer): readonly Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at + HEAD_BYTES <= log.length;) {
    const [name, offset, length] = [log.readUInt16LE(at + 2), Number(log.readBigUInt64LE(at + 4)), Number(log.readBigUInt64LE(at + 12))];
    const end = at + HEAD_BYTES + name + length;
    if (end > log.length) break;
    entries.push({ op: String.fromCharCode(log[at]!), isDurable: log[at + 1] === 1, offset, path: log.toString('utf8', at + HEAD_BYTES, at + HEAD_BYTES + name), bytes: log.subarray(end - length, end) });
    at = end;
  }
  return entries;
}

function happen(files: Map<string, FileState>, { op, isDurable, path, offset, bytes }: Entry): void {
  const file = files.get(path) ?? { durable: new Content(), loose: [] };
  const settle = (): void => {
    for (const write of file.loose.splice(0)) file.durable.write(write);
  };
  switch (op) {
    case 'C': files.set(path, { durable: new Content(), loose: [] }); return;
    case 'U': files.delete(path); return;
    case 'R': files.delete(path); files.set(bytes.toString(), file); return;
    case 'L': files.set(bytes.toString(), file); return; // One file with two names.
    case 'S': settle(); return;
    case 'T': settle(); file.durable.write({ offset, bytes: undefined }); return; // Names and lengths are in the file system's journal.
    case 'W': {
      if (isDurable) file.durable.write({ offset, bytes });
      else file.loose.push({ offset, bytes });
      files.set(path, file);
      return;
    }
    case 'O': return;
    default: throw new Error(`the recorder wrote an operation ${op}`);
  }
}

/** The first sectors of a write. */
function torn({ offset, bytes }: Entry, draw: (below: number) => number): Write {
  const sectors = Math.ceil((offset + bytes.length) / SECTOR_BYTES) - Math.floor(offset / SECTOR_BYTES);
  const end = (Math.floor(offset / SECTOR_BYTES) + draw(sectors + 1)) * SECTOR_BYTES;
  return { offset, bytes: bytes.subarray(0, Math.max(0, end - offset)) };
}
