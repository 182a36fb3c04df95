/**
 * Loads a program into a fresh process image: program, dynamic linker, first stack.
 *
 *   program | heap ->   <- mmap area (the dynamic linker first) | guard | <- stack | guard page | signal return page | guard page | limit
 *
 * The layout is a function of the program and the machine's address space. The stack begins with what it holds and 128 KiB, grows by itself
 * up to 8 MiB (or a quarter of a small memory), and has a gap below it that nothing is placed in.
 * What this does NOT do: find and parse files (executable.ts, elf.ts).
 */
import { limits, StillpointError } from '../core/index.ts';
import type { Cpu } from '../engine/index.ts';
import { CONTROL, type Isa } from '../isa/index.ts';
import type { AddressSpace } from './address-space.ts';
import { AUX, buildStack, type StackImage } from './boot-stack.ts';
import type { ElfImage, ElfSegment } from './elf.ts';
import type { Executable, LoadFile } from './executable.ts';
import type { Identity } from './files/index.ts';
import { PROT, roundUp } from './memory-map.ts';
import { ProcessImage } from './process-image.ts';
import type { SpaceLayout } from './space-layout.ts';

const { PAGE_BYTES, HIGHEST_ADDRESS, STACK_BYTES } = limits;
/** Linux's stack_guard_gap: 256 pages. */
const STACK_GAP = 1024 * 1024;
/** Room below the arguments that the stack has at once, as on Linux. */
const STACK_FIRST_BYTES = 128 * 1024;
/** Ticks a second of times(): Linux tells programs 100. */
export const CLOCK_TICKS = 100;

export interface Places extends SpaceLayout {
  readonly signalPage: number;
}

/** First address past the space of every process of a machine; decided by its first program. */
export function planLimit(imageEnd: number, memoryBytes: number): number {
  return Math.min(HIGHEST_ADDRESS, roundUp(Math.max(2 * memoryBytes, imageEnd + memoryBytes)));
}

/** Where everything goes. */
export function planSpace(imageEnd: number, memoryBytes: number, limit: number): Places {
  const gap = Math.min(STACK_GAP, roundUp(memoryBytes / 16));
  const signalPage = limit - 2 * PAGE_BYTES;
  const stackTop = signalPage; // No gap: code that is sure of a readable page above looks at the stack's last page no closer.
  const stackBottom = stackTop - stackSize(memoryBytes);
  return { signalPage, stackTop, stackBottom, heapStart: imageEnd, mmapBottom: limits.LOWEST_ADDRESS, mmapTop: stackBottom - gap };
}

/** Bytes of the main stack; what RLIMIT_STACK says. */
export function stackSize(memoryBytes: number): number {
  return Math.min(STACK_BYTES, Math.floor(memoryBytes / 4 / PAGE_BYTES) * PAGE_BYTES);
}

/** Whether a machine can have so little memory for a program: pages of its segments alone are more. */
export function isTooLarge({ segments }: ElfImage, memoryBytes: number): boolean {
  return pageRanges(segments).reduce((sum, [start, end]) => sum + end - start, 0) > memoryBytes;
}

/** Of a program that is too large. */
export function tooLarge(memoryBytes: number): StillpointError {
  return new StillpointError('E_ELF_TOO_LARGE', 'the program does not fit in the memory of the machine: give it more (--memory, or memory in a manifest)', { data: { memoryBytes } });
}

/** Puts the segments into memory with their rights. Throws E_ELF_TOO_LARGE when they do not fit. */
function loadImage(space: AddressSpace, { image, bytes }: LoadFile): void {
  for (const [start, end, protection] of pageRanges(image.segments)) {
    const mapped = space.mapRange({ length: end - start, protection, isShared: false, place: { kind: 'free', address: start } });
    if (mapped !== start) throw tooLarge(space.account.memoryBytes);
  }
  for (const { address, fileOffset, fileBytes } of image.segments) space.memory.install(address, bytes.subarray(fileOffset, fileOffset + fileBytes));
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

/** The dynamic linker where the mmap area has room: at the top, as Linux places it. */
function placeLinker(space: AddressSpace, linker: LoadFile): LoadFile {
  const { image, bytes } = linker;
  const start = Math.floor(image.segments[0]!.address / PAGE_BYTES) * PAGE_BYTES;
  const at = image.base === 0 ? start : space.map.highestGap(image.end - start, { bottom: roundUp(space.heapEnd), top: space.layout.mmapTop });
  if (at === undefined) throw new StillpointError('E_ELF_TOO_LARGE', 'the address space of the machine has no room for the dynamic linker');
  const moved = at - start;
  return {
    bytes, image: {
      ...image, entry: image.entry + moved, base: image.base + moved, end: image.end + moved,
      segments: image.segments.map((segment) => ({ ...segment, address: segment.address + moved })),
    },
  };
}

export interface LoadOptions {
  readonly id: number;
  /** Its memory is all zeros. */
  readonly cpu: Cpu;
  readonly executable: Executable;
  readonly environment: readonly string[];
  /** Who runs it. */
  readonly identity: Identity;
  readonly random: Uint8Array;
  /** Whether the counter `time` runs. */
  readonly timeRuns: boolean;
}

/** Builds the image of a program. Throws E_ELF_TOO_LARGE, and E_USAGE when arguments and environment are too large; then the memory must be vacated. */
export function loadProgram(options: LoadOptions, space: AddressSpace, places: Places): { readonly image: ProcessImage; readonly randomAddress: number } {
  const { executable, cpu } = options;
  const { image } = executable.program;
  const { isa } = cpu;
  if (image.end > places.mmapTop) throw new StillpointError('E_ELF_TOO_LARGE', 'the program leaves no room for a stack in the address space', { data: { end: image.end } });
  loadImage(space, executable.program);
  const linker = executable.linker === undefined ? undefined : placeLinker(space, executable.linker);
  if (linker !== undefined) loadImage(space, linker);
  const stack = buildStack({
    top: places.stackTop, stackBytes: places.stackTop - places.stackBottom, argv: executable.argv, environment: options.environment,
    fileName: executable.fileName, random: options.random, auxiliary: auxiliaryOf(isa, { image, linker: linker?.image, identity: options.identity }),
  });
  if (stack === undefined) throw new StillpointError('E_USAGE', 'arguments and environment are too large for the machine (E2BIG)');
  mapStack(space, places, { stack, isExecutable: image.hasExecutableStack });
  mapSignalPage(space, places, isa.abi.signalReturnCode);
  space.memory.install(stack.stackPointer, stack.bytes);
  isa.abi.startProgram(cpu.state, { entry: linker?.image.entry ?? image.entry, stackPointer: stack.stackPointer });
  cpu.state.control[CONTROL.timeRuns] = options.timeRuns ? 1 : 0;
  return {
    image: new ProcessImage({ id: options.id, cpu, space, auxiliary: stack.auxiliary, signalReturnAddress: places.signalPage }),
    randomAddress: stack.randomAddress,
  };
}

function mapStack(space: AddressSpace, places: Places, first: { readonly stack: StackImage; readonly isExecutable: boolean }): void {
  const protection = PROT.read | PROT.write | (first.isExecutable ? PROT.execute : 0);
  const address = Math.max(places.stackBottom, Math.floor((first.stack.stackPointer - STACK_FIRST_BYTES) / PAGE_BYTES) * PAGE_BYTES);
  const mapped = space.mapRange({ length: places.stackTop - address, protection, isShared: false, name: '[stack]', place: { kind: 'free', address } });
  if (mapped !== address) throw new StillpointError('E_ELF_TOO_LARGE', 'the memory of the machine is too small for the program and its stack');
}

function mapSignalPage(space: AddressSpace, places: Places, code: Uint8Array): void {
  const mapped = space.mapRange({ length: PAGE_BYTES, protection: PROT.read | PROT.execute, isShared: false, name: '[vdso]', place: { kind: 'free', address: places.signalPage } });
  if (mapped !== places.signalPage) throw new StillpointError('E_ELF_TOO_LARGE', 'the memory of the machine is too small for the program and its stack');
  space.memory.install(places.signalPage, code);
}

function auxiliaryOf(isa: Isa, { image, linker, identity: { real, effective } }: { readonly image: ElfImage; readonly linker: ElfImage | undefined; readonly identity: Identity }): (readonly [number, number | bigint])[] {
  const isSecure = real.uid !== effective.uid || real.gid !== effective.gid;
  return [
    [AUX.HWCAP, isa.abi.hardwareCapabilities], [AUX.PAGESZ, PAGE_BYTES], [AUX.CLKTCK, CLOCK_TICKS],
    [AUX.PHDR, image.headersAddress], [AUX.PHENT, image.headerBytes], [AUX.PHNUM, image.headersCount],
    [AUX.BASE, linker?.base ?? 0], [AUX.FLAGS, 0], [AUX.ENTRY, image.entry],
    [AUX.UID, real.uid], [AUX.EUID, effective.uid], [AUX.GID, real.gid], [AUX.EGID, effective.gid], [AUX.SECURE, isSecure ? 1 : 0],
  ];
}
