/**
 * A new machine: file system with the program in it, first process, first thread.
 * What this does NOT do: read images, open channels on the host.
 */
import { assert, limits, StillpointError } from '../core/index.ts';
import type { ChannelSet } from '../channel/index.ts';
import type { Isa } from '../isa/index.ts';
import { loadProgram, planLimit, planSpace } from './boot.ts';
import { Clock, type ClockMode } from './clock.ts';
import { ERRNO } from './errno.ts';
import { findExecutable, resolveExecutable, scriptLine, type Executable } from './executable.ts';
import { parseElf } from './elf.ts';
import { Entropy, type EntropyMode } from './entropy.ts';
import { FileContext, FileSystem, type FileSystemHost, GUEST, identityOf, makeInitialTree, type Identity, type Ids, type MachineUser } from './files/index.ts';
import { openChannel } from './files/initial-tree.ts';
import type { DirectoryInode } from './files/inode.ts';
import { walk } from './files/walk.ts';
import type { ImageTree } from '../image/index.ts';
import { Kernel } from './kernel.ts';
import { INIT_PID } from './orphans.ts';
import { Process } from './process.ts';
import type { ProcessImage } from './process-image.ts';
import { SIGNAL } from './signal-actions.ts';
import { registerProcessFiles } from './proc-files.ts';
import { Thread } from './thread.ts';

export type ClockOption = ClockMode;

/** What a machine is made of. Texts are byte strings (char codes 0..255). */
export interface BootOptions {
  readonly isa: Isa;
  readonly program: Uint8Array;
  readonly argv: readonly string[];
  readonly environment: readonly string[];
  /** Absolute; must exist in the initial tree (or be made by `prepare`). */
  readonly workingDirectory: string;
  readonly memoryBytes: number;
  readonly clock: ClockOption;
  readonly entropy: EntropyMode;
  readonly channels: ChannelSet;
  /** Seed of the schedule; without one threads and processes run in order of birth. */
  readonly schedule?: bigint | undefined;
  /** Where the guest sees the program, e.g. /bin/NAME. Absolute. */
  readonly programPath: string;
  /** What lies below the guest's files. */
  readonly image?: ImageTree | undefined;
  /** The program is in the image, at `programPath`. */
  readonly isInImage?: boolean;
  /** Who runs it; `guest` when nothing is said. */
  readonly user?: MachineUser | undefined;
  /** The working directory is made when it is not there. */
  readonly makesWorkingDirectory?: boolean | undefined;
  /** Adds files to the fresh tree before the program starts. */
  readonly prepare?: (files: FileSystem) => void;
}

/** What a kernel is made of, booted or restored. */
export interface KernelParts {
  readonly isa: Isa;
  readonly channels: ChannelSet;
  readonly clock: ClockMode;
  readonly entropy: EntropyMode;
  readonly memoryBytes: number;
  readonly spaceLimit: number;
  readonly schedule?: bigint | undefined;
}

/** The kernel without processes; shared with restore. */
export function makeKernel(options: KernelParts, makeFiles: (host: FileSystemHost) => FileSystem): Kernel {
  let kernel: Kernel | undefined = undefined;
  const retired = (): bigint => (kernel as Kernel | undefined)?.retired ?? 0n; // Assigned below; the compiler cannot see it here.
  const clock = new Clock(options.clock, retired);
  const filesBytesMax = Math.min(limits.FILES_BYTES_MAX, Math.max(limits.FILES_BYTES_MIN, options.memoryBytes));
  const files = makeFiles({ clock: { now: () => clock.fileTime() }, channels: options.channels, filesBytesMax });
  const made = new Kernel({ ...options, files, clock, entropy: new Entropy(options.entropy) });
  kernel = made;
  registerProcessFiles(made);
  return made;
}

/** Throws StillpointError E_PROGRAM_*, E_ELF_*, E_USAGE. */
export function bootKernel(options: BootOptions): Kernel {
  assert(options.argv.length > 0, 'a program has a name');
  const { abi } = options.isa;
  const isScript = scriptLine(options.program) !== undefined;
  // Parsed before anything else is made: the address space is planned for it. What a script asks for is found in the guest.
  const end = isScript ? 0 : parseElf(options.program, { machine: abi.elfMachine }).end;
  const user = options.user ?? GUEST;
  const kernel = makeKernel({ ...options, spaceLimit: planLimit(end, options.memoryBytes) }, (host) => {
    const files = new FileSystem(host, { image: options.image });
    makeInitialTree(files, { channels: [...options.channels].map((channel) => channel.spec), user });
    return files;
  });
  options.prepare?.(kernel.files);
  if (options.isInImage !== true) installProgram(kernel.files, options);
  const pid = kernel.takeId();
  const context = new FileContext(kernel.files, pid);
  context.identity = identityOf(user);
  if (options.makesWorkingDirectory === true) guestDirectory(kernel.files, options.workingDirectory, { uid: 0, gid: 0 }); // As container engines do.
  if (!context.enterDirectory(options.workingDirectory)) throw new StillpointError('E_USAGE', `the guest has no directory ${options.workingDirectory} to start in`);
  const executable = findProgram(context, options);
  const random = kernel.entropy.take(16);
  const { image, randomAddress } = loadImage(kernel, { executable, environment: options.environment, identity: context.identity, random: random ?? new Uint8Array(16) });
  if (random === undefined) kernel.randomAddress = randomAddress;
  installStandardStreams(kernel.files, context);
  const process = new Process({
    pid, parentPid: INIT_PID, group: pid, session: pid, image, files: context, argv: executable.argv, environment: options.environment, programPath: executable.programPath, exitSignal: SIGNAL.CHLD,
  });
  process.threads.push(new Thread(process, pid, commandName(options.programPath)));
  kernel.processes.push(process);
  kernel.setCurrent(process.threads[0]!);
  kernel.refreshSchedule();
  return kernel;
}

/** What the booted program is: an ELF file, with the dynamic linker it asks for, or a script with its interpreter. */
function findProgram(context: FileContext, options: BootOptions): Executable {
  const file = findExecutable(context, { start: context.files.root, path: options.programPath });
  const found = typeof file === 'number' ? file : resolveExecutable(context, { file, fileName: options.programPath, argv: options.argv }, options.isa.abi.elfMachine);
  if (typeof found !== 'number') return found;
  const words = scriptLine(options.program);
  const wanted = Array.isArray(words) ? String(words[0]) : words === undefined ? parseElf(options.program, { machine: options.isa.abi.elfMachine }).interpreter ?? '' : 'an interpreter';
  const why = found === -ERRNO.ENOENT ? 'which the guest does not have' : 'which the guest cannot execute';
  throw new StillpointError('E_ELF_DYNAMIC', `the program asks for ${wanted}, ${why}: give it a root file system that has it (--image), or link a program with -static`);
}

/** What ps shows. */
export function commandName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).slice(0, 15);
}

export interface ImageOptions { readonly executable: Executable; readonly environment: readonly string[]; readonly identity: Identity; readonly random: Uint8Array }

/** A new image with the program in it. Throws as loadProgram does; nothing is left behind then. */
export function loadImage(kernel: Kernel, options: ImageOptions): { readonly image: ProcessImage; readonly randomAddress: number } {
  const cpu = kernel.memories.take();
  const places = planSpace(options.executable.program.image.end, kernel.account.memoryBytes, kernel.spaceLimit);
  const { heapStart, mmapBottom, mmapTop, stackBottom, stackTop } = places;
  const space = kernel.newSpace(cpu, { heapStart, mmapBottom, mmapTop, stackBottom, stackTop });
  try {
    return loadProgram({ ...options, cpu, id: kernel.nextImage++, timeRuns: kernel.clock.mode.kind === 'virtual' }, space, places);
  } catch (error) {
    space.close();
    kernel.giveBack(cpu, space);
    throw error;
  }
}

/** The program's bytes at its path, mode 0755; directories on the way are made. A program of the image with that name gives way. */
function installProgram(files: FileSystem, options: BootOptions): void {
  const slash = options.programPath.lastIndexOf('/');
  const name = options.programPath.slice(slash + 1);
  assert(name !== '' && slash >= 0, 'the program has an absolute path');
  const owner = options.user ?? GUEST;
  const directory = guestDirectory(files, options.programPath.slice(0, slash), owner);
  if (directory === undefined) throw new StillpointError('E_USAGE', `the guest has no directory for the program at ${options.programPath}`);
  const there = directory.entries.get(name)?.inode;
  if (there !== undefined && !files.isOfImage(there)) return;
  if (there?.kind === 'directory') throw new StillpointError('E_USAGE', `the guest has a directory where the program should be, at ${options.programPath}`);
  if (there !== undefined) {
    directory.entries.delete(name);
    there.nlink--;
    files.forgetIfUnused(there);
  }
  const inode = files.makeFile({ credentials: owner, mode: 0o755 });
  files.attach(directory, name, inode);
  inode.content.writeAt(0, options.program);
}

/** The directory of a path, made when it is not there, links of the image followed; undefined when something else is in the way. */
function guestDirectory(files: FileSystem, path: string, owner: Ids): DirectoryInode | undefined {
  let directory = files.root;
  for (const part of path.split('/').filter((name) => name !== '')) {
    const there = walk(files, { pid: 0, credentials: { uid: 0, gid: 0 } }, { start: directory, path: part }, 'follow');
    const next = typeof there === 'number' ? undefined : there.inode ?? files.makeDirectory(directory, part, { credentials: owner, mode: 0o755 });
    if (next?.kind !== 'directory') return undefined;
    directory = next;
  }
  return directory;
}

function installStandardStreams(files: FileSystem, context: FileContext): void {
  for (const name of ['stdin', 'stdout', 'stderr']) {
    const openFile = openChannel(files, name);
    if (openFile !== undefined) context.install(openFile);
  }
}
