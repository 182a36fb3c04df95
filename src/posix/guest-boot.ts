/**
 * A new machine: file system with the program in it, first process, first thread.
 * What this does NOT do: read images, open channels on the host.
 */
import { assert, StillpointError } from '../core/index.ts';
import type { ChannelSet } from '../channel/index.ts';
import { Cpu } from '../engine/index.ts';
import { CONTROL, type Isa } from '../isa/index.ts';
import { loadProgram, type LoadedProgram } from './boot.ts';
import { Clock, type ClockMode } from './clock.ts';
import { parseElf } from './elf.ts';
import { Entropy, type EntropyMode } from './entropy.ts';
import { FileContext, FileSystem, GUEST, makeInitialTree } from './files/index.ts';
import { openChannel } from './files/initial-tree.ts';
import type { DirectoryInode } from './files/inode.ts';
import { walk } from './files/walk.ts';
import type { ImageTree } from '../image/index.ts';
import { Kernel } from './kernel.ts';
import { mappedFiles } from './mapped-files.ts';
import { Process } from './process.ts';
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
  /** Where the guest sees the program, e.g. /bin/NAME. Absolute. */
  readonly programPath: string;
  /** What lies below the guest's files. */
  readonly image?: ImageTree | undefined;
  /** The program is in the image, at `programPath`. */
  readonly isInImage?: boolean;
  /** Adds files to the fresh tree before the program starts. */
  readonly prepare?: (files: FileSystem) => void;
}

/** The kernel without processes; shared with restore. */
export function makeKernel(options: { readonly channels: ChannelSet; readonly clock: ClockMode; readonly entropy: EntropyMode }, makeFiles: (host: { readonly clock: { now(): bigint }; readonly channels: ChannelSet }) => FileSystem): Kernel {
  let kernel: Kernel | undefined = undefined;
  const retired = (): bigint => (kernel as Kernel | undefined)?.retired ?? 0n; // Assigned below; the compiler cannot see it here.
  const clock = new Clock(options.clock, retired);
  const files = makeFiles({ clock: { now: () => clock.fileTime() }, channels: options.channels });
  const made = new Kernel({ files, channels: options.channels, clock, entropy: new Entropy(options.entropy) });
  kernel = made;
  registerProcessFiles(made);
  return made;
}

/** Throws StillpointError E_PROGRAM_*, E_ELF_*, E_USAGE. */
export function bootKernel(options: BootOptions): Kernel {
  assert(options.argv.length > 0, 'a program has a name');
  const image = parseElf(options.program, { machine: options.isa.abi.elfMachine });
  if (image.interpreter !== undefined) throw new StillpointError('E_ELF_DYNAMIC', `the program asks for ${image.interpreter}: link it with -static`);
  const kernel = makeKernel(options, (host) => {
    const files = new FileSystem(host, { image: options.image });
    makeInitialTree(files, [...options.channels].map((channel) => channel.spec));
    return files;
  });
  options.prepare?.(kernel.files);
  if (options.isInImage !== true) installProgram(kernel.files, options);
  const pid = kernel.takeId();
  const random = kernel.entropy.take(16);
  const loaded = loadProgram({ ...options, image, files: mappedFiles(kernel.files), random: random ?? new Uint8Array(16) });
  if (random === undefined) kernel.randomAddress = loaded.stack.randomAddress;
  const context = new FileContext(kernel.files, pid);
  if (!context.enterDirectory(options.workingDirectory)) throw new StillpointError('E_USAGE', `the guest has no directory ${options.workingDirectory} to start in`);
  installStandardStreams(kernel.files, context);
  const process = makeProcess(pid, { options, loaded, context, entry: image.entry });
  kernel.processes.push(process);
  kernel.setCurrent(process.threads[0]!);
  kernel.refreshSchedule();
  return kernel;
}

function makeProcess(pid: number, parts: { readonly options: BootOptions; readonly loaded: LoadedProgram; readonly context: FileContext; readonly entry: number }): Process {
  const { options, loaded } = parts;
  const cpu = new Cpu(options.isa, loaded.space.memory);
  const process = new Process({
    pid, parentPid: 1, cpu, space: loaded.space, files: parts.context, argv: options.argv, environment: options.environment, programPath: options.programPath,
  });
  process.auxiliary = loaded.stack.auxiliary;
  process.signalReturnAddress = loaded.places.signalPage;
  const name = options.programPath.slice(options.programPath.lastIndexOf('/') + 1).slice(0, 15);
  process.threads.push(new Thread(process, pid, name));
  options.isa.abi.startProgram(cpu.state, { entry: parts.entry, stackPointer: loaded.stack.stackPointer });
  cpu.state.control[CONTROL.timeRuns] = options.clock.kind === 'virtual' ? 1 : 0;
  return process;
}

/** The program's bytes at its path, mode 0755; directories on the way are made. A program of the image with that name gives way. */
function installProgram(files: FileSystem, options: BootOptions): void {
  const slash = options.programPath.lastIndexOf('/');
  const name = options.programPath.slice(slash + 1);
  assert(name !== '' && slash >= 0, 'the program has an absolute path');
  const directory = programDirectory(files, options.programPath.slice(0, slash));
  if (directory === undefined) throw new StillpointError('E_USAGE', `the guest has no directory for the program at ${options.programPath}`);
  const there = directory.entries.get(name)?.inode;
  if (there !== undefined && !files.isOfImage(there)) return;
  if (there?.kind === 'directory') throw new StillpointError('E_USAGE', `the guest has a directory where the program should be, at ${options.programPath}`);
  if (there !== undefined) {
    directory.entries.delete(name);
    there.nlink--;
    files.forgetIfUnused(there);
  }
  const inode = files.makeFile({ credentials: GUEST, mode: 0o755 });
  files.attach(directory, name, inode);
  inode.content.writeAt(0, options.program);
}

/** The directory of a path, links of the image followed; undefined when something else is in the way. */
function programDirectory(files: FileSystem, path: string): DirectoryInode | undefined {
  let directory = files.root;
  for (const part of path.split('/').filter((name) => name !== '')) {
    const there = walk(files, { pid: 0, credentials: { uid: 0, gid: 0 } }, { start: directory, path: part }, 'follow');
    const next = typeof there === 'number' ? undefined : there.inode ?? files.makeDirectory(directory, part, { credentials: GUEST, mode: 0o755 });
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
