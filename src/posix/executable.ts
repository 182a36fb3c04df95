/**
 * From a path to what must be loaded: follows `#!` lines, parses the program and the dynamic linker it asks for.
 * Invariants: answers -errno for everything that a guest can get wrong; reads files, changes none.
 * What this does NOT do: load (boot.ts).
 */
import { StillpointError, type ErrorCode } from '../core/index.ts';
import { parseElf, PIE_BASE, type ElfImage } from './elf.ts';
import { ERRNO } from './errno.ts';
import type { FileContext } from './file-context.ts';
import type { Kernel } from './kernel.ts';
import { RIGHT } from './files/flags.ts';
import type { FileInode, Inode } from './files/inode.ts';
import { pathOfWalk } from './files/open.ts';
import { permits } from './files/permission.ts';
import { walk } from './files/walk.ts';

/** Linux reads this much of a script to find its interpreter, and follows this many. */
const SCRIPT_LINE_BYTES = 256;
const SCRIPTS_MAX = 5;

export interface LoadFile { readonly bytes: Uint8Array; readonly image: ElfImage }

/** A program ready to be loaded. Texts are byte strings. */
export interface Executable {
  readonly program: LoadFile;
  /** The dynamic linker; its image is parsed at a base that the loader replaces. */
  readonly linker: LoadFile | undefined;
  readonly argv: readonly string[];
  /** What /proc/self/exe shows. */
  readonly programPath: string;
  /** AT_EXECFN. */
  readonly fileName: string;
}

interface FoundFile { readonly inode: FileInode; readonly path: string }

/** An executable regular file at a path (or an inode that is known already), or -errno. */
function findFile(context: FileContext, from: { readonly start: Inode; readonly path: string }): FoundFile | number {
  const found = walk(context.files, context, from, 'follow');
  if (typeof found === 'number') return found;
  if (found.inode === undefined) return -ERRNO.ENOENT;
  return checkFile(context, found.inode, pathOfWalk(context.files, found));
}

export function checkFile(context: FileContext, inode: Inode, path: string): FoundFile | number {
  if (inode.kind !== 'file') return -ERRNO.EACCES;
  return permits(inode, context.credentials, RIGHT.execute) ? { inode, path } : -ERRNO.EACCES;
}

/** Whether a living process runs this file, found by the path that /proc/PID/exe shows. */
export function isRun({ files, processes }: Pick<Kernel, 'files' | 'processes'>, inode: FileInode): boolean {
  const root = { pid: 0, credentials: { uid: 0, gid: 0, groups: [] } };
  return (inode.mode & 0o111) !== 0 && processes.some(({ isOver, programPath }) => {
    const found = isOver || programPath === '' ? -ERRNO.ENOENT : walk(files, root, { start: files.root, path: programPath }, 'follow');
    return typeof found !== 'number' && found.inode === inode;
  });
}

function contentOf({ inode }: FoundFile): Uint8Array {
  return inode.content.readAt(0, inode.content.size);
}

/** The words of a `#!` line: interpreter and at most one argument. Undefined: the file is no script; -ENOEXEC: the line names nothing. */
export function scriptLine(bytes: Uint8Array): readonly string[] | number | undefined {
  if (bytes[0] !== 0x23 || bytes[1] !== 0x21) return undefined;
  const line = String.fromCharCode(...bytes.subarray(2, SCRIPT_LINE_BYTES)).split('\n')[0]!.trim();
  const space = line.search(/[ \t]/);
  if (line === '') return -ERRNO.ENOEXEC;
  return space < 0 ? [line] : [line.slice(0, space), line.slice(space).trim()];
}

export interface Request { readonly file: FoundFile; readonly fileName: string; readonly argv: readonly string[] }

/** Finds the file of an execve. */
export function findExecutable(context: FileContext, from: { readonly start: Inode; readonly path: string }): FoundFile | number {
  return findFile(context, from);
}

/** Follows scripts and parses. -errno, or throws StillpointError E_ELF_* and E_PROGRAM_* for a program that cannot be loaded (see errnoOf). */
export function resolveExecutable(context: FileContext, request: Request, machine: number): Executable | number {
  let { file, argv, fileName } = request;
  for (let depth = 0; depth <= SCRIPTS_MAX; depth++) {
    const bytes = contentOf(file);
    const words = scriptLine(bytes);
    if (typeof words === 'number') return words;
    if (words === undefined) {
      const image = parseElf(bytes, { machine });
      const linker = findLinker(context, image, machine);
      if (typeof linker === 'number') return linker;
      return { program: { bytes, image }, linker, argv, programPath: file.path, fileName: request.fileName };
    }
    const next = findFile(context, { start: context.files.root, path: words[0]!.startsWith('/') ? words[0]! : `${context.cwdPath}/${words[0]!}` });
    if (typeof next === 'number') return next;
    argv = [...words, fileName, ...argv.slice(1)];
    fileName = words[0]!;
    file = next;
  }
  return -ERRNO.ELOOP;
}

function findLinker(context: FileContext, image: ElfImage, machine: number): LoadFile | undefined | number {
  if (image.interpreter === undefined) return undefined;
  const file = findFile(context, { start: context.files.root, path: image.interpreter });
  if (typeof file === 'number') return file;
  const bytes = contentOf(file);
  return { bytes, image: parseElf(bytes, { machine, pieBase: PIE_BASE }) };
}

/** What execve answers for an error of the loader. */
export function errnoOf(code: ErrorCode): number {
  if (code === 'E_ELF_TOO_LARGE') return -ERRNO.ENOMEM;
  return code === 'E_USAGE' ? -ERRNO.E2BIG : -ERRNO.ENOEXEC;
}

/** Whether an error is the loader's word on a program (and not a defect of ours). */
export function isLoadError(error: unknown): error is StillpointError {
  return error instanceof StillpointError && (error.code.startsWith('E_ELF_') || error.code === 'E_PROGRAM_EMPTY' || error.code === 'E_USAGE');
}
