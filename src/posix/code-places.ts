/**
 * Where the code that a process executes comes from: for profiles. The program and its dynamic linker were copied into memory by the loader and have no
 * backing, so they are found again by what the loader did; libraries are mapped files.
 * Invariants: reads only; the state of the machine is the same after it. What this does NOT do: symbols (session), registers (isa).
 */
import type { Cpu } from '../engine/index.ts';
import { isLoadError } from './executable.ts';
import { parseElf, PIE_BASE } from './elf.ts';
import { walk } from './files/walk.ts';
import type { Kernel } from './kernel.ts';
import { PROT } from './memory-map.ts';
import type { Process } from './process.ts';

/** An ELF file of which some code lies in memory. */
export interface CodePlace {
  /** File name without directories. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Guest addresses of this piece of code. */
  readonly start: number;
  readonly end: number;
  /** Offset in the file of the byte at `start`; undefined when `base` is known. */
  readonly offset: number | undefined;
  /** Guest address minus address in the file; undefined when `offset` is known. */
  readonly base: number | undefined;
}

/** The thread on the processor. */
export interface Standing {
  /** What ps shows. */
  readonly name: string;
  /** Changes with each execve and fork. */
  readonly imageId: number;
  readonly cpu: Cpu;
  /** The file that the code at an address comes from; undefined for generated code. */
  placeOf(address: number): CodePlace | undefined;
}

export function standingOf(kernel: Kernel): Standing | undefined {
  if (kernel.outcome !== undefined || kernel.isDeadlocked) return undefined;
  const { process } = kernel.current;
  if (!process.hasImage) return undefined;
  return { name: process.name, imageId: process.image.id, cpu: process.cpu, placeOf: (address) => placeOf(kernel, process, address) };
}

function placeOf(kernel: Kernel, process: Process, address: number): CodePlace | undefined {
  const mapping = process.space.map.find(address);
  if (mapping === undefined || (mapping.protection & PROT.execute) === 0) return undefined;
  const { backing, start, end } = mapping;
  if (backing !== undefined) {
    const inode = kernel.files.find(backing.key);
    return inode?.kind !== 'file' ? undefined : { name: lastName(backing.path), bytes: inode.content.readAt(0, inode.content.size), start, end, offset: backing.offset, base: undefined };
  }
  return placeInProgram(kernel, process, address);
}

/** The program where the loader put it, or its dynamic linker at AT_BASE. */
function placeInProgram(kernel: Kernel, process: Process, address: number): CodePlace | undefined {
  const bytes = fileAt(kernel, process, process.programPath);
  if (bytes === undefined) return undefined;
  try {
    const image = parseElf(bytes, { machine: kernel.isa.abi.elfMachine });
    if (image.segments.some((segment) => isInside(segment, address))) return { name: lastName(process.programPath), bytes, start: image.segments[0]!.address, end: image.end, offset: undefined, base: image.base };
    const linkerBytes = image.interpreter === undefined ? undefined : fileAt(kernel, process, image.interpreter);
    if (linkerBytes === undefined) return undefined;
    const linker = parseElf(linkerBytes, { machine: kernel.isa.abi.elfMachine, pieBase: PIE_BASE });
    // Nothing else that has no backing is as long as the linker and ends where its text ends: its base follows from the mapping.
    const text = linker.segments.find(({ protection }) => (protection & PROT.execute) !== 0);
    const mapping = process.space.map.find(address);
    if (text === undefined || mapping === undefined) return undefined;
    return { name: lastName(image.interpreter!), bytes: linkerBytes, start: mapping.start, end: mapping.end, offset: undefined, base: mapping.start - (Math.floor(text.address / 4096) * 4096 - linker.base) };
  } catch (error) {
    if (!isLoadError(error)) throw error;
    return undefined; // A script's path, or a file that was written over since.
  }
}

function isInside(segment: { readonly address: number; readonly memoryBytes: number }, address: number): boolean {
  return address >= segment.address && address < segment.address + segment.memoryBytes;
}

function fileAt({ files }: Kernel, process: Process, path: string): Uint8Array | undefined {
  const found = walk(files, process.files, { start: files.root, path }, 'follow');
  if (typeof found === 'number' || found.inode?.kind !== 'file') return undefined;
  return found.inode.content.readAt(0, found.inode.content.size);
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
