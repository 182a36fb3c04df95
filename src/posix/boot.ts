/**
 * Starts a program in a new process: loads the image, lays out the address space, builds the first stack.
 *
 *   image | heap ->   <- mmap area | guard | stack | guard page | signal return page | guard page | limit
 *
 * The layout is a function of the image and the memory size. The stack is mapped whole (8 MiB, or a quarter of a small memory) and
 * counts as used memory; below it lies a gap that nothing is placed in.
 * What this does NOT do: parse (elf.ts), own the file system.
 */
import { limits, StillpointError } from '../core/index.ts';
import { GuestMemory } from '../engine/index.ts';
import type { Isa } from '../isa/index.ts';
import { AddressSpace, type MappedFiles, type SpaceLayout } from './address-space.ts';
import { AUX, buildStack, type StackImage } from './boot-stack.ts';
import type { ElfImage, ElfSegment } from './elf.ts';
import { GUEST } from './files/index.ts';
import { PROT, roundUp } from './memory-map.ts';

const { PAGE_BYTES, HIGHEST_ADDRESS, STACK_BYTES } = limits;
/** Linux's stack_guard_gap: 256 pages. */
const STACK_GAP = 1024 * 1024;
/** Ticks a second of times(): Linux tells programs 100. */
export const CLOCK_TICKS = 100;

export interface Places extends SpaceLayout {
  readonly limit: number;
  readonly stackBottom: number;
  readonly stackTop: number;
  readonly signalPage: number;
}

/** Where everything goes. */
export function planSpace(imageEnd: number, memoryBytes: number): Places {
  const wanted = Math.max(2 * memoryBytes, imageEnd + memoryBytes);
  const limit = Math.min(HIGHEST_ADDRESS, roundUp(wanted));
  const stackBytes = stackSize(memoryBytes);
  const gap = Math.min(STACK_GAP, roundUp(memoryBytes / 16));
  const signalPage = limit - 2 * PAGE_BYTES;
  const stackTop = signalPage - PAGE_BYTES;
  const stackBottom = stackTop - stackBytes;
  return { limit, signalPage, stackTop, stackBottom, heapStart: imageEnd, mmapBottom: limits.LOWEST_ADDRESS, mmapTop: stackBottom - gap };
}

/** Bytes of the main stack; what RLIMIT_STACK says. */
export function stackSize(memoryBytes: number): number {
  return Math.min(STACK_BYTES, Math.floor(memoryBytes / 4 / PAGE_BYTES) * PAGE_BYTES);
}

/** Puts the segments into memory with their rights. Throws E_ELF_TOO_LARGE when they do not fit. */
function loadImage(space: AddressSpace, image: ElfImage, program: Uint8Array): void {
  for (const [start, end, protection] of pageRanges(image.segments)) {
    const mapped = space.mapRange({ length: end - start, protection, isShared: false, place: { kind: 'free', address: start } });
    if (mapped !== start) throw new StillpointError('E_ELF_TOO_LARGE', 'the program does not fit in the memory of the machine: give it more with --memory', { data: { memoryBytes: space.memoryBytes } });
  }
  for (const { address, fileOffset, fileBytes } of image.segments) space.memory.install(address, program.subarray(fileOffset, fileOffset + fileBytes));
}

/** Page ranges of the segments with their rights; pages that segments share get the rights of both. */
function pageRanges(segments: readonly ElfSegment[]): [number, number, number][] {
  const ranges: [number, number, number][] = [];
  for (const { address, memoryBytes, protection } of segments) {
    let start = Math.floor(address / PAGE_BYTES) * PAGE_BYTES;
    const end = roundUp(address + memoryBytes);
    const last = ranges.at(-1);
    if (last !== undefined && last[1] > start) {
      last[1] -= PAGE_BYTES;
      ranges.push([start, start + PAGE_BYTES, last[2] | protection]);
      if (last[0] === last[1]) ranges.splice(ranges.length - 2, 1);
      start += PAGE_BYTES;
    }
    if (end > start) ranges.push([start, end, protection]);
  }
  return ranges;
}

export interface LoadedProgram { readonly space: AddressSpace; readonly places: Places; readonly stack: StackImage }

/** Builds the address space of a program. Throws E_ELF_TOO_LARGE, and E_USAGE when arguments and environment are too large. */
export function loadProgram(options: {
  readonly isa: Isa; readonly image: ElfImage; readonly program: Uint8Array; readonly memoryBytes: number; readonly files: MappedFiles;
  readonly argv: readonly string[]; readonly environment: readonly string[]; readonly programPath: string; readonly random: Uint8Array;
}): LoadedProgram {
  const { image, memoryBytes } = options;
  const places = planSpace(image.end, memoryBytes);
  if (image.end > places.mmapTop) throw new StillpointError('E_ELF_TOO_LARGE', 'the program leaves no room for a stack in the address space', { data: { end: image.end } });
  const layout = { heapStart: places.heapStart, mmapBottom: places.mmapBottom, mmapTop: places.mmapTop };
  const space = new AddressSpace({ memory: new GuestMemory(places.limit), memoryBytes, layout, files: options.files });
  loadImage(space, image, options.program);
  mapStack(space, places, image.hasExecutableStack);
  mapSignalPage(space, places, options.isa.abi.signalReturnCode);
  const stack = buildStack({
    top: places.stackTop, stackBytes: places.stackTop - places.stackBottom, argv: options.argv, environment: options.environment,
    programPath: options.programPath, random: options.random, auxiliary: auxiliaryOf(options.isa, image),
  });
  if (stack === undefined) throw new StillpointError('E_USAGE', 'arguments and environment are too large for the machine (E2BIG)');
  space.memory.install(stack.stackPointer, stack.bytes);
  return { space, places, stack };
}

function mapStack(space: AddressSpace, places: Places, isExecutable: boolean): void {
  const protection = PROT.read | PROT.write | (isExecutable ? PROT.execute : 0);
  const { stackBottom, stackTop } = places;
  const mapped = space.mapRange({ length: stackTop - stackBottom, protection, isShared: false, name: '[stack]', place: { kind: 'free', address: stackBottom } });
  if (mapped !== stackBottom) throw new StillpointError('E_ELF_TOO_LARGE', 'the memory of the machine is too small for the program and its stack');
}

function mapSignalPage(space: AddressSpace, places: Places, code: Uint8Array): void {
  const mapped = space.mapRange({ length: PAGE_BYTES, protection: PROT.read | PROT.execute, isShared: false, name: '[vdso]', place: { kind: 'free', address: places.signalPage } });
  if (mapped !== places.signalPage) throw new StillpointError('E_ELF_TOO_LARGE', 'the memory of the machine is too small for the program and its stack');
  space.memory.install(places.signalPage, code);
}

function auxiliaryOf(isa: Isa, image: ElfImage): (readonly [number, number | bigint])[] {
  return [
    [AUX.HWCAP, isa.abi.hardwareCapabilities], [AUX.PAGESZ, PAGE_BYTES], [AUX.CLKTCK, CLOCK_TICKS],
    [AUX.PHDR, image.headersAddress], [AUX.PHENT, image.headerBytes], [AUX.PHNUM, image.headersCount],
    [AUX.BASE, 0], [AUX.FLAGS, 0], [AUX.ENTRY, image.entry],
    [AUX.UID, GUEST.uid], [AUX.EUID, GUEST.uid], [AUX.GID, GUEST.gid], [AUX.EGID, GUEST.gid], [AUX.SECURE, 0],
  ];
}
