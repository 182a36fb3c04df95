/**
 * `--export-layer FILE`: what a guest changed in its files, as a tar archive that can be given to `--image` again.
 * Invariant: FILE is there whole or not at all (a pipe or device is written as it comes).
 */
import * as fs from 'node:fs';
import { writeLayer } from '../image/index.ts';
import { layerOfChanges, type Guest } from '../posix/index.ts';
import { asideOf, finish, followed, hostTrouble } from './whole-file.ts';

/** `before`: the same machine before its first instruction. Throws E_HOST_FILE, E_DISK_FULL, E_IMAGE_UNSUPPORTED. */
export function exportChanges(file: string, machines: Machines): void {
  writeArchive(file, piecesOfChanges(machines));
}

interface Machines { readonly before: Guest; readonly after: Guest }

/** The archive, piece by piece. */
export function piecesOfChanges({ before, after }: Machines): Iterable<Uint8Array> {
  return writeLayer(layerOfChanges(before.kernel.files, after.kernel.files), ({ bytes }, offset, length) => {
    if (bytes.kind === 'chunks') throw new Error('assertion failed: the files of a guest are read from the guest');
    return bytes.read(offset, length);
  });
}

/** Throws E_HOST_FILE, E_DISK_FULL. */
function writeArchive(file: string, pieces: Iterable<Uint8Array>): void {
  const isPlain = fs.statSync(file, { throwIfNoEntry: false })?.isFile() !== false;
  const place = followed(file);
  const target = isPlain ? asideOf(place) : file;
  try {
    const fd = fs.openSync(target, isPlain ? 'w' : 'a', 0o644);
    try {
      for (const piece of pieces) for (let at = 0; at < piece.length;) at += fs.writeSync(fd, piece, at);
      if (isPlain) fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    if (isPlain) finish(target, place);
  } catch (cause) {
    if (isPlain) fs.rmSync(target, { force: true });
    throw hostTrouble(`the layer ${file} cannot be written`, cause, { path: file });
  }
}

/** Whether the archive could be written, asked before the work begins. Throws E_HOST_FILE. */
export function checkArchive(file: string): void {
  const isThere = fs.existsSync(file);
  try {
    fs.closeSync(fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_APPEND | fs.constants.O_NONBLOCK, 0o644));
    if (!isThere) fs.unlinkSync(file);
  } catch (cause) {
    throw hostTrouble(`the layer ${file} cannot be written`, cause, { path: file });
  }
}
