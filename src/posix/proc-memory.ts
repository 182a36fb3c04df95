/**
 * /proc/PID/maps, smaps and smaps_rollup: the mappings of a process, and what each takes.
 * Invariants: made at each read from guest state only. What is mapped with rights is resident; shared mappings count as shared by nobody else.
 * What the loader copied from the program and its linker has no file behind it; it is shown with the path of its file, as on Linux, found by the program headers in memory.
 * What this does NOT do: tell clean pages from dirty ones of files (all that is private counts as dirty).
 */
import { limits } from '../core/index.ts';
import { AUX } from './boot-stack.ts';
import { PROGRAM_HEADER_BYTES, programHeadersAt, SEGMENT, type ProgramHeader } from './elf.ts';
import { PROT, type Mapping } from './memory-map.ts';
import type { Process } from './process.ts';

/** A part of the program or of its linker: addresses of whole pages, and where the first of them is in the file. */
interface Segment { readonly start: number; readonly end: number; readonly offset: number; readonly path: string }

const { PAGE_BYTES } = limits;
const HEADERS_MAX = 64;
const PATH_BYTES_MAX = 4096;

function viewOf(process: Process, address: number, length: number): DataView | undefined {
  const bytes = process.image.cpu.memory.readable(address, length)?.slice();
  return bytes === undefined ? undefined : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function auxiliaryOf(process: Process, wanted: number): number | undefined {
  const { auxiliary } = process.image;
  const view = new DataView(auxiliary.buffer, auxiliary.byteOffset, auxiliary.byteLength);
  for (let at = 0; at + 16 <= auxiliary.length; at += 16) if (view.getBigUint64(at, true) === BigInt(wanted)) return Number(view.getBigUint64(at + 8, true));
  return undefined;
}

/** Nothing where the program has unmapped them. */
function headersAt(process: Process, address: number, count: number): readonly ProgramHeader[] {
  const read = Math.min(count, HEADERS_MAX);
  const view = viewOf(process, address, read * PROGRAM_HEADER_BYTES);
  return view === undefined ? [] : programHeadersAt(view, 0, read);
}

/** Only what comes from the file: zeros behind it have no name. */
function segmentsOf(headers: readonly ProgramHeader[], base: number, path: string): Segment[] {
  return headers.filter(({ type, fileBytes }) => type === SEGMENT.load && fileBytes > 0).map(({ address, fileBytes, offset }) => {
    const lead = address % PAGE_BYTES;
    return { start: base + address - lead, end: base + Math.ceil((address + fileBytes) / PAGE_BYTES) * PAGE_BYTES, offset: offset - lead, path };
  });
}

function textAt(process: Process, address: number): string {
  const bytes = process.image.cpu.memory.readString(address, PATH_BYTES_MAX);
  return typeof bytes === 'string' ? '' : String.fromCharCode(...bytes);
}

/** Segments of the program and of the linker that it asked for. */
function loadedSegments(process: Process): readonly Segment[] {
  const [address, count, linkerBase] = [auxiliaryOf(process, AUX.PHDR), auxiliaryOf(process, AUX.PHNUM), auxiliaryOf(process, AUX.BASE)];
  if (address === undefined || count === undefined) return [];
  const headers = headersAt(process, address, count);
  const first = headers.find(({ type }) => type === SEGMENT.load);
  if (first === undefined) return [];
  // Program headers lie in the first segment, where the file's header says (mostly 64).
  const program = headers.find(({ type, offset, fileBytes }) => type === SEGMENT.load && offset === 0 && fileBytes > 0) ?? first;
  const fileHeader = Math.floor(address / PAGE_BYTES) * PAGE_BYTES;
  const base = fileHeader - Math.floor(program.address / PAGE_BYTES) * PAGE_BYTES;
  const segments = segmentsOf(headers, base, process.programPath);
  const interpreter = headers.find(({ type }) => type === SEGMENT.interpreter);
  if (interpreter === undefined || linkerBase === undefined || linkerBase === 0) return segments;
  const head = viewOf(process, linkerBase, 64);
  if (head === undefined) return segments;
  // Elf64_Ehdr: e_phoff at 32, e_phnum at 56.
  return [...segments, ...segmentsOf(headersAt(process, linkerBase + Number(head.getBigUint64(32, true)), head.getUint16(56, true)), linkerBase, textAt(process, base + interpreter.address))];
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function rightsText({ protection, isShared }: Mapping): string {
  return `${(protection & PROT.read) !== 0 ? 'r' : '-'}${(protection & PROT.write) !== 0 ? 'w' : '-'}${(protection & PROT.execute) !== 0 ? 'x' : '-'}${isShared ? 's' : 'p'}`;
}

function mapsLine(mapping: Mapping, segments: readonly Segment[]): string {
  const { start, end, backing, name } = mapping;
  const loaded = backing === undefined && name === '' ? segments.find((segment) => segment.start <= start && start < segment.end) : undefined;
  const offset = backing?.offset ?? (loaded === undefined ? 0 : loaded.offset + start - loaded.start);
  const head = `${hex(start)}-${hex(end)} ${rightsText(mapping)} ${hex(offset)} 00:${backing === undefined && loaded === undefined ? '00' : '01'} ${backing?.key ?? 0} `;
  const label = backing?.path ?? loaded?.path ?? name;
  return label === '' ? `${head}\n` : `${head.padEnd(73)}${label}\n`;
}

export function mapsText(process: Process): string {
  if (!process.hasImage) return '';
  const segments = loadedSegments(process);
  return process.space.map.mappings.map((mapping) => mapsLine(mapping, segments)).join('');
}

function row(name: string, kilobytes: number): string {
  return `${`${name}:`.padEnd(16)}${String(kilobytes).padStart(8)} kB\n`;
}

interface Amounts { readonly resident: number; readonly shared: number; readonly anonymous: number }

function amountsOf({ start, end, protection, isShared, backing }: Mapping): Amounts {
  const resident = protection === PROT.none ? 0 : (end - start) / 1024;
  return { resident, shared: isShared ? resident : 0, anonymous: backing === undefined ? resident : 0 };
}

/** `kinds`: the rows that only the sum has. */
function amountRows({ resident, shared, anonymous }: Amounts, kinds = ''): string {
  const own = resident - shared;
  return row('Rss', resident) + row('Pss', resident) + row('Pss_Dirty', resident) + kinds + row('Shared_Clean', 0) + row('Shared_Dirty', 0) + row('Private_Clean', 0) + row('Private_Dirty', own + shared) + row('Referenced', resident)
    + row('Anonymous', Math.min(anonymous, own)) + ['KSM', 'LazyFree', 'AnonHugePages', 'ShmemPmdMapped', 'FilePmdMapped', 'Shared_Hugetlb', 'Private_Hugetlb', 'Swap', 'SwapPss', 'Locked'].map((name) => row(name, 0)).join('');
}

function flagsText({ protection, isShared, name }: Mapping): string {
  const flags = [(protection & PROT.read) !== 0 && 'rd', (protection & PROT.write) !== 0 && 'wr', (protection & PROT.execute) !== 0 && 'ex', isShared && 'sh', 'mr', 'mw', 'me', isShared && 'ms', name === '[stack]' && 'gd', 'ac'];
  return `VmFlags: ${flags.filter((flag) => flag !== false).join(' ')} \n`;
}

export function smapsText(process: Process): string {
  if (!process.hasImage) return '';
  const segments = loadedSegments(process);
  return process.space.map.mappings.map((mapping) => `${mapsLine(mapping, segments)}${row('Size', (mapping.end - mapping.start) / 1024)}${row('KernelPageSize', 4)}${row('MMUPageSize', 4)}${amountRows(amountsOf(mapping))}`
    + `THPeligible:           0\n${flagsText(mapping)}`).join('');
}

export function rollupText(process: Process): string {
  const mappings = process.hasImage ? process.space.map.mappings : [];
  const [first, last] = [mappings[0], mappings.at(-1)];
  if (first === undefined || last === undefined) return '';
  const sum = mappings.map(amountsOf).reduce((a, b) => ({ resident: a.resident + b.resident, shared: a.shared + b.shared, anonymous: a.anonymous + b.anonymous }), { resident: 0, shared: 0, anonymous: 0 });
  const kinds = row('Pss_Anon', sum.anonymous) + row('Pss_File', Math.max(0, sum.resident - sum.anonymous)) + row('Pss_Shmem', 0);
  return `${`${hex(first.start)}-${hex(last.end)} ---p 00000000 00:00 0`.padEnd(73)}[rollup]\n${amountRows(sum, kinds)}`;
}
