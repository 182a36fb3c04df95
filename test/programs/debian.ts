// Parts of build/debian-root as the file system of a guest: programs of Debian's riscv64 archive, unmodified and dynamic.
// Bytes are read from the host once a process. Does NOT fetch packages (scripts/fetch-packages.sh does).
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FileSystem } from '../../src/posix/index.ts';
import { GUEST, type Inode } from '../../src/posix/files/index.ts';
import { repositoryRoot } from '../guests/build.ts';

export const debianRoot: string = join(repositoryRoot, 'build/debian-root');

const contents = new Map<string, Uint8Array>();

function bytesOf(path: string): Uint8Array {
  let bytes = contents.get(path);
  if (bytes === undefined) contents.set(path, bytes = readFileSync(path));
  return bytes;
}

type Directory = Inode & { readonly kind: 'directory' };

function isLink(path: string): boolean {
  return lstatSync(join(debianRoot, path)).isSymbolicLink();
}

/** The directory at an absolute path without links, made where it is missing; a link of the root stays a link. */
function directoryAt(files: FileSystem, path: string): Directory {
  if (path === '/') return files.root;
  const parent = directoryAt(files, dirname(path));
  const name = path.slice(path.lastIndexOf('/') + 1);
  const found = parent.entries.get(name)?.inode ?? files.makeDirectory(parent, name, { credentials: GUEST, mode: 0o755 });
  if (found.kind !== 'directory') throw new Error(`${path} is no directory in the guest`);
  return found;
}

function place(files: FileSystem, path: string): void {
  const full = join(debianRoot, path);
  const status = lstatSync(full);
  if (status.isDirectory()) {
    directoryAt(files, path);
    for (const name of readdirSync(full).sort()) place(files, join(path, name));
    return;
  }
  const directory = directoryAt(files, dirname(path));
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (directory.entries.has(name)) return;
  const owner = { credentials: GUEST, mode: status.mode & 0o777 };
  const inode = status.isSymbolicLink() ? files.makeSymlink(readlinkSync(full, 'latin1'), owner) : files.makeFile(owner);
  files.attach(directory, name, inode);
  if (inode.kind === 'file') inode.content.writeAt(0, bytesOf(full));
}

/** /bin, /lib and /sbin become links to /usr as on Debian. */
function linkUsr(files: FileSystem): void {
  for (const name of ['bin', 'lib', 'sbin']) {
    const old = files.root.entries.get(name)?.inode;
    if (old !== undefined) {
      files.root.entries.delete(name);
      files.root.nlink--;
      old.nlink = 0;
      files.inodes.delete(old.ino);
    }
    files.attach(files.root, name, files.makeSymlink(`usr/${name}`, { credentials: GUEST, mode: 0o777 }));
  }
}

const libraryFolder = '/usr/lib/riscv64-linux-gnu';

/** DT_NEEDED of an ELF file: the libraries it asks for by name. */
function neededBy(bytes: Uint8Array): string[] {
  if (bytes.length < 64 || bytes[0] !== 0x7f || bytes[1] !== 0x45) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = (offset: number): number => Number(view.getBigUint64(offset, true));
  const headers = Array.from({ length: view.getUint16(56, true) }, (_, index) => wide(32) + index * 56)
    .map((at) => ({ type: view.getUint32(at, true), offset: wide(at + 8), address: wide(at + 16), size: wide(at + 32) }));
  const dynamic = headers.find(({ type }) => type === 2);
  if (dynamic === undefined) return [];
  const entries = Array.from({ length: dynamic.size / 16 }, (_, index) => [wide(dynamic.offset + index * 16), wide(dynamic.offset + index * 16 + 8)] as const);
  const strings = entries.find(([tag]) => tag === 5)?.[1] ?? 0;
  const home = headers.find(({ type, address, size }) => type === 1 && strings >= address && strings < address + size);
  if (home === undefined) return [];
  const text = (offset: number): string => Buffer.from(bytes.subarray(offset, bytes.indexOf(0, offset))).toString('latin1');
  return entries.filter(([tag]) => tag === 1).map(([, offset]) => text(home.offset + strings - home.address + offset));
}

/** A path with everything it leads to: the target of a link, the libraries of a program. */
function placeWhole(files: FileSystem, path: string, placed: Set<string>): void {
  if (placed.has(path) || !existsSync(join(debianRoot, path))) return;
  placed.add(path);
  place(files, path);
  if (isLink(path)) return placeWhole(files, join(dirname(path), readlinkSync(join(debianRoot, path))), placed);
  if (lstatSync(join(debianRoot, path)).isDirectory()) return;
  for (const name of neededBy(bytesOf(join(debianRoot, path)))) {
    placeWhole(files, existsSync(join(debianRoot, libraryFolder, name)) ? `${libraryFolder}/${name}` : `/usr/lib/${name}`, placed);
  }
}

/** A prepare function: the given absolute paths of the root (files, links, whole directories) and the libraries that programs among them need. */
export function debianFiles(paths: readonly string[]): (files: FileSystem) => void {
  return (files) => {
    linkUsr(files);
    const placed = new Set<string>();
    for (const path of ['/usr/lib/ld-linux-riscv64-lp64d.so.1', ...paths]) placeWhole(files, path, placed);
  };
}

/** Paths of commands: `usr/bin/NAME` of each. */
export function commands(names: string): string[] {
  return names.split(' ').map((name) => `/usr/bin/${name}`);
}

export function programBytes(path: string): Uint8Array {
  return bytesOf(join(debianRoot, path));
}
