/**
 * A machine as data and back: sections of canonical bytes plus page objects. Writer and reader share this file.
 *
 *   kernel      count, ids, current thread, clock, entropy, outcome          files      FileSystem's own
 *   images      mappings, by id; what processes run in                       channels   ChannelSet's own
 *   processes   identity, image, signal actions, timers, threads             system-v   where it was used
 *   objects     memory/IMAGE, file/INODE, and what channels own
 *
 * Invariants: describe(restore(describe(k))) = describe(k); everything derived (rights, schedule, reference counts) is left out and made again.
 * What this does NOT do: hash or store (snapshot).
 */
import { decodeCanonical, encodeCanonical, StillpointError, type Canonical } from '../core/index.ts';
import type { ChannelSet } from '../channel/index.ts';
import type { ImageTree } from '../image/index.ts';
import type { Loan, PageSource } from '../engine/index.ts';
import { CPU_STATE_BYTES, type Isa } from '../isa/index.ts';
import type { ClockMode } from './clock.ts';
import type { EntropyMode } from './entropy.ts';
import { FileContext } from './files/index.ts';
import { registerStaticFiles } from './files/initial-tree.ts';
import { filePages, fileSystemState, restoreFileSystem } from './files/state.ts';
import { makeKernel } from './guest-boot.ts';
import type { GuestOutcome, Kernel } from './kernel.ts';
import type { Mapping } from './memory-map.ts';
import { Process, type ProcessOutcome } from './process.ts';
import { encodeControls, FRESH_CONTROLS, type Controls } from './process-controls.ts';
import { ProcessImage } from './process-image.ts';
import type { ScheduleState } from './schedule.ts';
import type { SignalAction } from './signal-actions.ts';
import type { SignalInfo } from './signal-pending.ts';
import type { SpaceLayout } from './space-layout.ts';
import { NOT_WAITING, Thread, type AlternateStack, type Wait } from './thread.ts';
import { encodeTimer, type GuestTimer } from './timers.ts';
import { nextDeadline } from './scheduler.ts';

/** The shape of snapshot's PageObject. */
export interface PagesOut {
  readonly name: string;
  dirtyPages(): readonly number[];
  readPage(pageIndex: number): Uint8Array;
  markClean(): void;
  watch?(before: (pageIndex: number) => void): () => void;
}
/** The shape of snapshot's MachineState. */
export interface MachineImage { readonly sections: ReadonlyMap<string, Uint8Array>; readonly objects: readonly PagesOut[] }
/** The shape of snapshot's RestoredObject and RestoredState. */
export interface PagesIn {
  readonly name: string;
  pages(): Iterable<{ readonly index: number; readonly bytes: Uint8Array }>;
  /** The same page by page, for a machine that begins before all of it is there. */
  readonly source?: PageSource;
}
export interface RestoredImage { readonly sections: ReadonlyMap<string, Uint8Array>; readonly objects: readonly PagesIn[] }

/** What a restored machine gets from outside: the same as at boot. */
export interface RestoreOptions {
  readonly isa: Isa;
  readonly channels: ChannelSet;
  readonly clock: ClockMode;
  readonly entropy: EntropyMode;
  readonly image?: ImageTree | undefined;
  /** Pages come when they are first needed, those of memories and files from their `source`: for a caller whose next capture builds on the same snapshot. */
  readonly isLazy?: boolean | undefined;
}

const VERSION = 3;

/** Images that processes run in, each once, in the order of the processes. */
function imagesOf(kernel: Kernel): ProcessImage[] {
  return [...new Set(kernel.processes.flatMap((process) => (process.hasImage ? [process.image] : [])))];
}

function memoryObject({ id, cpu: { memory } }: ProcessImage): PagesOut {
  return {
    name: `memory/${id}`,
    dirtyPages: () => memory.dirtyPages(),
    readPage: (pageIndex) => memory.page(pageIndex),
    markClean: () => memory.clearDirty(),
    watch: (before) => memory.watch(before),
  };
}

export function describeKernel(kernel: Kernel): MachineImage {
  const images = imagesOf(kernel);
  const sections = new Map<string, Uint8Array>([
    ['kernel', encodeCanonical(kernelState(kernel))],
    ['images', encodeCanonical(images.map(imageState))],
    ['processes', encodeCanonical(kernel.processes.map((process) => processState(kernel, process)))],
    ['files', encodeCanonical(fileSystemState(kernel.files))],
    ['channels', encodeCanonical(kernel.channels.state())],
  ]);
  const systemV = kernel.systemV.state();
  if (systemV !== undefined) sections.set('system-v', encodeCanonical(systemV));
  const objects = [...images.map(memoryObject), ...filePages(kernel.files), ...kernel.channels.objects()];
  return { sections, objects };
}

/** A page object with every page that may hold anything, to be read only. */
export interface WholeObject extends PagesOut, PagesIn { readonly source: PageSource }

/**
 * The same with all pages, whatever a snapshot has seen, and without an effect on dirty marks: what another machine is made from, and what a root
 * is computed from in the midst of a transaction. Page views are valid until the next run().
 */
export function describeWhole(kernel: Kernel): { readonly sections: MachineImage['sections']; readonly objects: readonly WholeObject[] } {
  const memories = imagesOf(kernel).map(({ id, cpu: { memory } }) => wholeObject(`memory/${id}`, () => memory.heldPages(), (page) => memory.page(page)));
  const contents = [...filePages(kernel.files), ...kernel.channels.objects()].map((object) => wholeObject(object.name, () => object.storedPages(), (page) => object.readPage(page)));
  return { sections: describeKernel(kernel).sections, objects: [...memories, ...contents] };
}

/** A machine as it is now, to be made later while this one runs on. */
export interface LentImage extends RestoredImage { release(): void }

/** The same as describeWhole(), without a copy of pages: those of memories and files are lent. Not inside a transaction. */
export function lendWhole(kernel: Kernel): LentImage {
  const loans: Loan[] = [];
  const lent = (name: string, loan: Loan): PagesIn => {
    loans.push(loan);
    return { name, source: loan, pages: () => { throw malformed(`is asked for all pages of ${name}, which are lent one by one`); } };
  };
  const { sections } = describeKernel(kernel);
  const memories = imagesOf(kernel).map(({ id, cpu: { memory } }) => lent(`memory/${id}`, memory.lend()));
  const files = filePages(kernel.files).map((content) => lent(content.name, content.lend()));
  const owned = kernel.channels.objects().map((object): PagesIn => {
    const pages = object.storedPages().map((index) => ({ index, bytes: object.readPage(index).slice() }));
    return { name: object.name, pages: () => pages };
  });
  return { sections, objects: [...memories, ...files, ...owned], release: () => { for (const loan of loans) loan.release(); } };
}

/** Everything that a lazily restored machine has not read yet: it needs nobody any more. */
export function bringWhole(kernel: Kernel): void {
  for (const { cpu: { memory } } of imagesOf(kernel)) memory.bringAll();
  for (const content of filePages(kernel.files)) content.bringAll();
}

function wholeObject(name: string, indices: () => readonly number[], readPage: (page: number) => Uint8Array): WholeObject {
  return {
    name, dirtyPages: indices, readPage, markClean: () => {},
    source: { hasPage: (page) => indices().includes(page), page: (page) => readPage(page).slice() },
    *pages() { for (const index of indices()) yield { index, bytes: readPage(index) }; },
  };
}

function imageState(image: ProcessImage): Canonical {
  return { id: image.id, space: image.space.encode(), auxiliary: image.auxiliary, signalReturnAddress: image.signalReturnAddress };
}

function kernelState(kernel: Kernel): Canonical {
  return {
    version: VERSION, retired: kernel.retired, nextId: kernel.nextId, nextImage: kernel.nextImage,
    memoryBytes: kernel.account.memoryBytes, spaceLimit: kernel.spaceLimit, current: kernel.current.tid, outcome: kernel.outcome ?? null,
    isDeadlocked: kernel.isDeadlocked, randomAddress: kernel.randomAddress, waitCount: kernel.waitCount,
    clock: kernel.clock.encode(), entropy: kernel.entropy.encode(), schedule: kernel.schedule.encode(),
  };
}

function processState(kernel: Kernel, process: Process): Canonical {
  return {
    pid: process.pid, parentPid: process.parentPid, group: process.group, session: process.session, outcome: process.outcome ?? null,
    exitSignal: process.exitSignal, hasExecuted: process.hasExecuted, stopSignal: process.stopSignal, news: process.news, ...(process.nice === 0 ? {} : { nice: process.nice }),
    ...(process.endedTime === 0 ? {} : { endedTime: process.endedTime }), ...(process.childTime === 0 ? {} : { childTime: process.childTime }),
    ...controlsState(process), image: process.hasImage ? process.image.id : null, files: process.files.state(kernel.processes),
    actions: process.actions.encode(), pending: process.pending.encode(), timers: process.timers.map(encodeTimer),
    argv: process.argv, environment: process.environment, programPath: process.programPath,
    limits: [...process.limits].sort(([a], [b]) => a - b).map(([resource, [soft, hard]]) => [resource, soft, hard]),
    threads: process.threads.map((thread) => threadState(kernel, thread)),
  };
}

function controlsState({ controls }: Process): { readonly controls?: Canonical } {
  const changed = encodeControls(controls);
  return changed === undefined ? {} : { controls: { ...changed } };
}

function threadState(kernel: Kernel, thread: Thread): Canonical {
  return {
    tid: thread.tid, name: thread.name, registers: thread === kernel.current ? thread.process.cpu.save() : thread.registers, mask: thread.mask,
    savedMask: thread.savedMask ?? null, pending: thread.pending.encode(), alternateStack: { ...thread.alternateStack },
    wait: waitState(thread.wait), waitOrder: thread.waitOrder, wakeResult: thread.wakeResult ?? null, retryDeadline: thread.retryDeadline ?? null, ...(thread.moved === 0 ? {} : { moved: thread.moved }),
    clearTidAddress: thread.clearTidAddress, robustList: thread.robustList, used: thread.used, hasEnded: thread.hasEnded, ...(thread.policy === 0 ? {} : { policy: thread.policy }),
    ...(BigInt(thread.executed) === kernel.retired ? {} : { executed: thread.executed }), // Machines of one thread have nothing to say.
  };
}

function waitState(wait: Wait): Canonical {
  return 'deadline' in wait ? { ...wait, deadline: wait.deadline ?? null } : { ...wait };
}

// Reading. The bytes were verified by hash; what is checked here is that they are sections of this version with references that exist.

interface KernelRecord {
  readonly version: number; readonly retired: bigint; readonly nextId: number; readonly nextImage: number; readonly memoryBytes: number; readonly spaceLimit: number; readonly current: number; readonly outcome: GuestOutcome | null;
  readonly isDeadlocked: boolean; readonly randomAddress: number; readonly waitCount: number;
  readonly clock: { readonly slept: bigint; readonly supplied: bigint | null; readonly last: bigint };
  readonly entropy: { readonly seed: Uint8Array; readonly position: bigint; readonly supplied: Uint8Array };
  readonly schedule: ScheduleState;
}
interface ThreadRecord {
  readonly tid: number; readonly name: string; readonly registers: Uint8Array; readonly mask: bigint; readonly savedMask: bigint | null;
  readonly pending: readonly SignalInfo[]; readonly alternateStack: AlternateStack; readonly wait: Wait; readonly waitOrder: number;
  readonly wakeResult: number | null; readonly retryDeadline: bigint | null; readonly moved?: number; readonly clearTidAddress: number; readonly robustList: number;
  readonly used: number; readonly hasEnded: boolean; readonly executed?: number; readonly policy?: number;
}
type MappingRecord = Omit<Mapping, 'backing'> & { readonly backing: Mapping['backing'] | null };
interface ImageRecord {
  readonly id: number; readonly auxiliary: Uint8Array; readonly signalReturnAddress: number;
  readonly space: { readonly heapEnd: number; readonly isOpen: boolean; readonly layout: SpaceLayout; readonly mappings: readonly MappingRecord[] };
}
interface ProcessRecord {
  readonly pid: number; readonly parentPid: number; readonly group: number; readonly session: number; readonly outcome: ProcessOutcome | null;
  readonly exitSignal: number; readonly hasExecuted: boolean; readonly stopSignal: number; readonly news: Process['news']; readonly nice?: number; readonly endedTime?: number; readonly childTime?: number;
  readonly controls?: Partial<Controls>; readonly image: number | null; readonly files: Canonical;
  readonly actions: readonly (SignalAction & { readonly signal: number })[]; readonly pending: readonly SignalInfo[];
  readonly timers: readonly (Omit<GuestTimer, 'deadline'> & { readonly deadline: bigint | null })[];
  readonly argv: readonly string[]; readonly environment: readonly string[]; readonly programPath: string;
  readonly limits: readonly (readonly [number, bigint, bigint])[]; readonly threads: readonly ThreadRecord[];
}

function malformed(what: string): StillpointError {
  return new StillpointError('E_STATE_FORMAT', `the state of the machine ${what}`);
}

function section(state: RestoredImage, name: string): Canonical {
  const bytes = state.sections.get(name);
  if (bytes === undefined) throw malformed(`has no section ${name}`);
  return decodeCanonical(bytes);
}

/** Throws StillpointError E_STATE_FORMAT. */
export function restoreKernel(state: RestoredImage, options: RestoreOptions): Kernel {
  // The casts: sections of a verified version have exactly the shape that the writers above give them.
  const record = section(state, 'kernel') as unknown as KernelRecord;
  if (record === null || typeof record !== 'object' || record.version !== VERSION) throw malformed('has another version');
  options.channels.restore(section(state, 'channels'), state.objects);
  const kernel = makeKernel({ ...options, memoryBytes: record.memoryBytes, spaceLimit: record.spaceLimit }, (host) => {
    const objects = state.objects.filter(({ name }) => name.startsWith('file/'));
    const files = restoreFileSystem(host, { state: section(state, 'files'), objects, isLazy: options.isLazy === true }, options.image);
    registerStaticFiles(files);
    return files;
  });
  const objects = new Map(state.objects.map((object) => [object.name, object]));
  const images = new Map((section(state, 'images') as unknown as readonly ImageRecord[]).map((image) => [image.id, restoreImage(image, kernel, { pages: objects.get(`memory/${image.id}`), isLazy: options.isLazy === true })]));
  for (const process of section(state, 'processes') as unknown as readonly ProcessRecord[]) {
    const image = process.image === null ? undefined : images.get(process.image);
    if (image === undefined && process.image !== null) throw malformed('has a process without its image');
    kernel.processes.push(restoreProcess(process, { kernel, image, retired: record.retired }));
  }
  kernel.systemV.restore(state.sections.has('system-v') ? section(state, 'system-v') : undefined, kernel.files);
  kernel.nextId = record.nextId;
  kernel.nextImage = record.nextImage;
  kernel.outcome = record.outcome ?? undefined;
  kernel.isDeadlocked = record.isDeadlocked;
  kernel.randomAddress = record.randomAddress;
  kernel.waitCount = record.waitCount;
  kernel.clock.decode(record.clock);
  kernel.entropy.decode(record.entropy);
  kernel.schedule.decode(record.schedule);
  const current = kernel.findThread(record.current);
  if (current === undefined) throw malformed('has no current thread');
  kernel.setCurrent(current);
  current.process.cpu.load(current.registers);
  current.process.cpu.retired = record.retired;
  kernel.refreshSchedule();
  if (kernel.isScheduled) kernel.nextDeadline = nextDeadline(kernel);
  return kernel;
}

function restoreImage(record: ImageRecord, kernel: Kernel, { pages, isLazy }: { readonly pages: PagesIn | undefined; readonly isLazy: boolean }): ProcessImage {
  const cpu = kernel.memories.take();
  if (isLazy && pages?.source !== undefined) cpu.memory.fillLater(pages.source);
  else for (const { index, bytes } of pages?.pages() ?? []) cpu.memory.install(index * 4096, bytes);
  const space = kernel.newSpace(cpu, record.space.layout);
  space.restore({ ...record.space, mappings: record.space.mappings.map((mapping) => ({ ...mapping, backing: mapping.backing ?? undefined })) });
  return new ProcessImage({ ...record, cpu, space });
}

function restoreProcess(record: ProcessRecord, parts: { readonly kernel: Kernel; readonly image: ProcessImage | undefined; readonly retired: bigint }): Process {
  const process = new Process({ ...record, image: parts.image, files: FileContext.restore(record.files, parts.kernel.files, parts.kernel.processes) });
  process.outcome = record.outcome ?? undefined;
  process.hasExecuted = record.hasExecuted;
  process.stopSignal = record.stopSignal;
  process.news = record.news;
  process.nice = record.nice ?? 0;
  process.endedTime = record.endedTime ?? 0;
  process.childTime = record.childTime ?? 0;
  if (record.controls !== undefined) process.controls = { ...FRESH_CONTROLS, ...record.controls };
  process.actions.decode(record.actions);
  process.pending.decode(record.pending);
  for (const timer of record.timers) process.timers.push({ ...timer, deadline: timer.deadline ?? undefined });
  for (const [resource, soft, hard] of record.limits) process.limits.set(resource, [soft, hard]);
  for (const thread of record.threads) {
    const made = restoreThread(process, thread);
    made.executed = thread.executed ?? Number(parts.retired);
    process.threads.push(made);
  }
  return process;
}

function restoreThread(process: Process, record: ThreadRecord): Thread {
  if (record.registers.length !== CPU_STATE_BYTES) throw malformed('has a register block of another size');
  const thread = new Thread(process, record.tid, record.name);
  thread.registers = record.registers;
  thread.mask = record.mask;
  thread.savedMask = record.savedMask ?? undefined;
  thread.pending.decode(record.pending);
  thread.alternateStack = record.alternateStack;
  thread.wait = restoreWait(record.wait);
  thread.waitOrder = record.waitOrder;
  thread.wakeResult = record.wakeResult ?? undefined;
  thread.retryDeadline = record.retryDeadline ?? undefined;
  thread.moved = record.moved ?? 0;
  thread.clearTidAddress = record.clearTidAddress;
  thread.robustList = record.robustList;
  thread.used = record.used;
  thread.policy = record.policy ?? 0;
  thread.hasEnded = record.hasEnded;
  return thread;
}

function restoreWait(wait: Wait): Wait {
  if (wait.kind === 'none') return NOT_WAITING;
  if (wait.kind === 'futex' || wait.kind === 'signal-set' || wait.kind === 'retry') return { ...wait, deadline: wait.deadline ?? undefined };
  return wait;
}
