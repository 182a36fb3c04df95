/**
 * Reads an ELF64 little-endian program header table as hostile bytes: what must be in memory, where, with which rights.
 * Offsets and sizes are exact below 2^53; anything larger is a lie that an error names.
 * What this does NOT do: sections, symbols, relocation (a static-pie program relocates itself), loading (boot.ts).
 */
import { limits, StillpointError, type ErrorCode } from '../core/index.ts';
import { PROT, roundUp } from './memory-map.ts';

const { PAGE_BYTES, LOWEST_ADDRESS, HIGHEST_ADDRESS, PROGRAM_HEADERS_MAX } = limits;
const HEADER_BYTES = 64;
export const PROGRAM_HEADER_BYTES = 56;
const TYPE = { executable: 2, shared: 3 } as const;
export const SEGMENT = { load: 1, interpreter: 3, headers: 6, stack: 0x6474_e551 } as const;
const FLAG = { execute: 1, write: 2, read: 4 } as const;
/** Numbers of machines that a message calls by name (ELF gABI, e_machine). */
const MACHINES: Readonly<Record<number, string>> = { 3: 'x86', 8: 'MIPS', 20: 'PowerPC', 21: 'PowerPC64', 22: 's390', 40: 'ARM', 62: 'x86-64', 183: 'AArch64', 243: 'RISC-V', 258: 'LoongArch' };
/** Where a position-independent program goes (base of its address 0). */
export const PIE_BASE = 0x40_0000;
/** No segment needs more; larger alignments are nonsense in a 4 GiB space. */
const ALIGNMENT_MAX = 2 ** 30;

/** One PT_LOAD segment, at its final address. Rights are PROT_* bits. */
export interface ElfSegment {
  readonly address: number;
  readonly memoryBytes: number;
  readonly fileOffset: number;
  readonly fileBytes: number;
  readonly protection: number;
}

export interface ElfImage {
  readonly entry: number;
  /** Added to every address of the file; 0 for fixed programs. */
  readonly base: number;
  readonly segments: readonly ElfSegment[];
  /** Guest address of the program headers for AT_PHDR; 0 when no segment holds them. */
  readonly headersAddress: number;
  readonly headersCount: number;
  readonly headerBytes: number;
  /** First page address after the last segment. */
  readonly end: number;
  readonly hasExecutableStack: boolean;
  /** PT_INTERP, as a byte string. */
  readonly interpreter: string | undefined;
}

/** Elf64_Phdr: type 4, flags 4, offset 8, virtual address 8, physical 8, bytes in the file 8, in memory 8, alignment 8. */
export interface ProgramHeader {
  readonly type: number; readonly flags: number; readonly offset: number; readonly address: number;
  readonly fileBytes: number; readonly memoryBytes: number; readonly alignment: number;
}

function fail(code: ErrorCode, message: string, data: Readonly<Record<string, number>> = {}): never {
  throw new StillpointError(code, message, { data });
}

/** Parses and checks. Throws StillpointError E_PROGRAM_EMPTY or E_ELF_*. */
export function parseElf(bytes: Uint8Array, options: { readonly machine: number; readonly pieBase?: number }): ElfImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkIdentity(bytes, view, options.machine);
  const isRelocatable = view.getUint16(16, true) === TYPE.shared;
  const headers = readHeaders(view);
  const loads = headers.filter((header) => header.type === SEGMENT.load && header.memoryBytes > 0);
  if (loads.length === 0) fail('E_ELF_HEADER', 'the program has no loadable segment');
  for (const header of headers) if (header.type === SEGMENT.load) checkSegment(header, bytes.length);
  const base = isRelocatable ? placeOf(loads, options.pieBase ?? PIE_BASE) : 0;
  const segments = loads.map((header) => place(header, base)).sort((a, b) => a.address - b.address);
  checkLayout(segments);
  const entry = wide(view, 24) + base;
  checkEntry(entry, segments);
  const headersOffset = wide(view, 32);
  const stack = headers.find((header) => header.type === SEGMENT.stack);
  return {
    entry, base, segments,
    headersAddress: headersAddress(segments, headersOffset, headers.length * PROGRAM_HEADER_BYTES),
    headersCount: headers.length, headerBytes: PROGRAM_HEADER_BYTES,
    end: roundUp(segments.reduce((end, segment) => Math.max(end, segment.address + segment.memoryBytes), 0)),
    hasExecutableStack: stack !== undefined && (stack.flags & FLAG.execute) !== 0,
    interpreter: interpreterOf(bytes, headers),
  };
}

function checkIdentity(bytes: Uint8Array, view: DataView, machine: number): void {
  if (bytes.length === 0) fail('E_PROGRAM_EMPTY', 'the program is an empty file');
  const magic = [0x7f, 0x45, 0x4c, 0x46];
  for (let index = 0; index < 4; index++) {
    if (index >= bytes.length ? true : bytes[index] !== magic[index]) fail('E_ELF_MAGIC', 'the file does not begin with the ELF magic number');
  }
  if (bytes.length < HEADER_BYTES) fail('E_ELF_TRUNCATED', 'the file ends inside the ELF header', { sizeBytes: bytes.length });
  if (bytes[4] !== 2 || bytes[5] !== 1) fail('E_ELF_CLASS', 'the program is not 64-bit little-endian', { class: bytes[4] ?? 0, data: bytes[5] ?? 0 });
  if (bytes[6] !== 1 || view.getUint32(20, true) !== 1) fail('E_ELF_HEADER', 'the ELF version is not 1');
  const found = view.getUint16(18, true);
  if (found !== machine) fail('E_ELF_MACHINE', `the program is for ${machineName(found)}, not for ${machineName(machine)}`, { machine: found, expected: machine });
  const type = view.getUint16(16, true);
  if (type !== TYPE.executable && type !== TYPE.shared) fail('E_ELF_KIND', 'the ELF file is an object, a core file or unknown, not a program', { type });
}

function machineName(machine: number): string {
  return MACHINES[machine] ?? `machine ${machine}`;
}

/** An unsigned 64-bit field; beyond 2^53 it is rounded, which every check refuses. */
function wide(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
}

function readHeaders(view: DataView): ProgramHeader[] {
  const offset = wide(view, 32);
  const count = view.getUint16(56, true);
  if (view.getUint16(52, true) !== HEADER_BYTES) fail('E_ELF_HEADER', 'the ELF header has another size than 64');
  if (count === 0) fail('E_ELF_HEADER', 'the program has no program headers');
  if (view.getUint16(54, true) !== PROGRAM_HEADER_BYTES) fail('E_ELF_HEADER', 'program headers have another size than 56');
  if (count > PROGRAM_HEADERS_MAX) fail('E_ELF_HEADER', `the program has ${count} program headers, at most ${PROGRAM_HEADERS_MAX} are read`, { count });
  if (offset + count * PROGRAM_HEADER_BYTES > view.byteLength) fail('E_ELF_TRUNCATED', 'the program headers lie beyond the end of the file', { offset, count });
  return programHeadersAt(view, offset, count);
}

/** A table of program headers, wherever it lies; nothing is checked. */
export function programHeadersAt(view: DataView, offset: number, count: number): ProgramHeader[] {
  return Array.from({ length: count }, (_, index) => {
    const at = offset + index * PROGRAM_HEADER_BYTES;
    return {
      type: view.getUint32(at, true), flags: view.getUint32(at + 4, true), offset: wide(view, at + 8), address: wide(view, at + 16),
      fileBytes: wide(view, at + 32), memoryBytes: wide(view, at + 40), alignment: wide(view, at + 48),
    };
  });
}

function checkSegment(header: ProgramHeader, sizeBytes: number): void {
  const { offset, address, fileBytes, memoryBytes, alignment } = header;
  const data = { offset, address, fileBytes, memoryBytes, alignment };
  if (fileBytes > memoryBytes) fail('E_ELF_SEGMENT', 'a segment has more bytes in the file than in memory', data);
  if (offset + fileBytes > sizeBytes) fail('E_ELF_TRUNCATED', 'a segment lies beyond the end of the file', data);
  if (alignment > 1 && (alignment > ALIGNMENT_MAX || !Number.isInteger(Math.log2(alignment)))) fail('E_ELF_SEGMENT', 'the alignment of a segment is not a power of two up to 2^30', data);
  if (alignment > 1 && memoryBytes > 0 && address % alignment !== offset % alignment) fail('E_ELF_SEGMENT', 'address and file offset of a segment disagree about its alignment', data);
  if (address + memoryBytes > HIGHEST_ADDRESS) fail('E_ELF_TOO_LARGE', 'a segment reaches beyond the address space of the machine', data);
}

/** The base of a position-independent program, as aligned as its strictest segment. */
function placeOf(loads: readonly ProgramHeader[], wanted: number): number {
  const alignment = loads.reduce((most, header) => Math.max(most, header.alignment), PAGE_BYTES);
  return Math.ceil(wanted / alignment) * alignment;
}

function place(header: ProgramHeader, base: number): ElfSegment {
  const protection = ((header.flags & FLAG.read) !== 0 ? PROT.read : 0) | ((header.flags & FLAG.write) !== 0 ? PROT.write : 0)
    | ((header.flags & FLAG.execute) !== 0 ? PROT.execute : 0);
  return { address: header.address + base, memoryBytes: header.memoryBytes, fileOffset: header.offset, fileBytes: header.fileBytes, protection };
}

function checkLayout(segments: readonly ElfSegment[]): void {
  let end = 0;
  for (const { address, memoryBytes } of segments) {
    if (address < LOWEST_ADDRESS) fail('E_ELF_SEGMENT', 'a segment lies below the lowest address of the machine, 0x10000', { address });
    if (address < end) fail('E_ELF_OVERLAP', 'two segments overlap in memory', { address, end });
    end = address + memoryBytes;
    if (end > HIGHEST_ADDRESS) fail('E_ELF_TOO_LARGE', 'a segment reaches beyond the address space of the machine', { address, memoryBytes });
  }
}

function checkEntry(entry: number, segments: readonly ElfSegment[]): void {
  const home = segments.find(({ address, memoryBytes }) => entry >= address && entry < address + memoryBytes);
  if (home === undefined || (home.protection & PROT.execute) === 0 || entry % 2 !== 0) fail('E_ELF_ENTRY', 'the entry point is not in an executable segment', { entry });
}

function headersAddress(segments: readonly ElfSegment[], offset: number, length: number): number {
  const home = segments.find((segment) => offset >= segment.fileOffset && offset + length <= segment.fileOffset + segment.fileBytes);
  return home === undefined ? 0 : home.address + offset - home.fileOffset;
}

function interpreterOf(bytes: Uint8Array, headers: readonly ProgramHeader[]): string | undefined {
  const header = headers.find(({ type }) => type === SEGMENT.interpreter);
  if (header === undefined) return undefined;
  if (header.offset + header.fileBytes > bytes.length) fail('E_ELF_TRUNCATED', 'the interpreter name lies beyond the end of the file');
  if (header.fileBytes < 2 || header.fileBytes > limits.PATH_BYTES_MAX || bytes[header.offset + header.fileBytes - 1] !== 0) fail('E_ELF_HEADER', 'the interpreter name is malformed');
  return String.fromCharCode(...bytes.subarray(header.offset, header.offset + header.fileBytes - 1));
}
