/**
 * New processes and new programs: clone and clone3 without CLONE_THREAD (fork, vfork, posix_spawn) and execve.
 * Invariants: a call that fails has changed nothing; a child's memory is its own copy from the start, or its maker's with CLONE_VM.
 * What this does NOT do: threads (threads.ts), namespaces (EPERM: the guest is an ordinary user), signal actions that processes share (copied).
 */
import { BLOCKED, NO_RESULT, type Call, type CallResult } from '../call.ts';
import { executedBy } from '../cpu-time.ts';
import { ERRNO } from '../errno.ts';
import { checkFile, errnoOf, findExecutable, isLoadError, resolveExecutable } from '../executable.ts';
import { AT } from '../files/flags.ts';
import type { FileInode } from '../files/inode.ts';
import { commandName, loadImage } from '../guest-boot.ts';
import { PROCESSES_MAX, type Kernel } from '../kernel.ts';
import { Process } from '../process.ts';
import { controlsOfChild, controlsOfProgram } from '../process-controls.ts';
import { ProcessImage } from '../process-image.ts';
import { isTaskAllowed } from '../resource-limits.ts';
import { SIG_DFL, SIG_IGN, SIGNALS_MAX } from '../signal-actions.ts';
import { SS_DISABLE, Thread } from '../thread.ts';
import { armCpuLimit } from '../timers.ts';
import { limits } from '../../core/index.ts';
import { areImpossible, CLONE, NAMESPACES, startedRegisters, type CloneRequest } from './clone-flags.ts';
import type { CallEntry } from './entry.ts';
import { openProcess } from './event-files.ts';
import { byteString, pathArgument, startOf } from './file-arguments.ts';
import { roomForOne } from './file-open.ts';

const AT_KNOWN = AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH;
/** Timers of timer_create do not survive execve; those of setitimer do. */
const FIRST_POSIX_TIMER = 0;

export function cloneProcess(call: Call, request: CloneRequest): CallResult {
  const { kernel, process } = call;
  const { flags, parentTid, pidfd } = request;
  const tells = flags & (CLONE.PIDFD | CLONE.PARENT_SETTID);
  if ((tells === (CLONE.PIDFD | CLONE.PARENT_SETTID) && pidfd === parentTid) || areImpossible(request)) return -ERRNO.EINVAL;
  if ((flags & NAMESPACES) !== 0) return -ERRNO.EPERM;
  if (kernel.livingCount >= PROCESSES_MAX || !isTaskAllowed(kernel, process)) return -ERRNO.EAGAIN;
  if ((flags & CLONE.PARENT_SETTID) !== 0 && call.memory.writable(parentTid, 4) === undefined) return -ERRNO.EFAULT;
  if ((flags & CLONE.PIDFD) !== 0 && call.memory.writable(pidfd, 4) === undefined) return -ERRNO.EFAULT;
  const room = (flags & CLONE.PIDFD) === 0 ? 0 : roomForOne(call);
  if (room < 0) return room;
  const image = (flags & CLONE.VM) !== 0 ? process.image : copyImage(call);
  if (image === undefined) return -ERRNO.ENOMEM;
  const child = makeChild(call, request, image);
  const { pid } = child;
  if ((flags & CLONE.PARENT_SETTID) !== 0) call.memory.writeU32(parentTid, pid);
  if ((flags & CLONE.CHILD_SETTID) !== 0) image.cpu.memory.writeU32(request.childTid, pid);
  kernel.processes.push(child);
  if ((flags & CLONE.PIDFD) !== 0) call.memory.writeU32(pidfd, openProcess(call, pid, 0));
  call.thread.used = 0;
  kernel.refreshSchedule();
  if ((flags & CLONE.VFORK) === 0) return pid;
  call.thread.wait = { kind: 'vfork', child: pid };
  return NO_RESULT;
}

/** A copy of the caller's memory; undefined when the machine has not enough. */
function copyImage(call: Call): ProcessImage | undefined {
  const { kernel } = call;
  const { image } = call.process;
  const cpu = kernel.memories.take();
  const space = kernel.newSpace(cpu, image.space.layout);
  if (image.space.copyTo(space) < 0) {
    space.close();
    kernel.giveBack(cpu, space);
    return undefined;
  }
  return new ProcessImage({ id: kernel.nextImage++, cpu, space, auxiliary: image.auxiliary, signalReturnAddress: image.signalReturnAddress });
}

function makeChild(call: Call, request: CloneRequest, image: ProcessImage): Process {
  const { flags } = request;
  const { kernel, process, thread: maker } = call;
  const pid = kernel.takeId();
  const child = new Process({
    pid, parentPid: (flags & CLONE.PARENT) === 0 ? process.pid : process.parentPid, group: process.group, session: process.session, image, files: process.files.copyFor(pid, { descriptors: (flags & CLONE.FILES) !== 0, place: (flags & CLONE.FS) !== 0 }),
    argv: process.argv, environment: process.environment, programPath: process.programPath, exitSignal: request.exitSignal,
  });
  process.actions.copyTo(child.actions);
  if (request.clearsHandlers) for (let signal = 1; signal <= SIGNALS_MAX; signal++) if (child.actions.get(signal).handler !== SIG_IGN) child.actions.reset(signal);
  child.nice = process.nice;
  child.controls = controlsOfChild(process.controls);
  for (const [resource, limit] of process.limits) child.limits.set(resource, limit);
  armCpuLimit(child);
  const thread = new Thread(child, pid, maker.name);
  thread.mask = maker.mask;
  thread.policy = maker.inheritedPolicy;
  // A child on the same memory and another stack must not use the maker's signal stack.
  thread.alternateStack = (flags & (CLONE.VM | CLONE.VFORK)) === CLONE.VM ? { address: 0, size: 0, flags: SS_DISABLE } : maker.alternateStack;
  if ((flags & CLONE.CHILD_CLEARTID) !== 0) thread.clearTidAddress = request.childTid;
  thread.registers = startedRegisters(call, request);
  child.threads.push(thread);
  return child;
}

// execve.

/** A vector of strings, NULL at its end; -errno. A null vector is empty, as on Linux. */
function stringVector(call: Call, address: number): string[] | number {
  const texts: string[] = [];
  let total = 0;
  for (let at = address; address !== 0; at += 8) {
    const pointer = call.memory.readU64(at);
    if (pointer === undefined) return -ERRNO.EFAULT;
    if (pointer === 0n) break;
    const bytes = call.memory.readString(Number(pointer), limits.ARGUMENT_BYTES_MAX);
    if (bytes === 'fault') return -ERRNO.EFAULT;
    total += bytes === 'long' ? limits.ARGUMENT_BYTES_MAX : bytes.length + 9;
    if (bytes === 'long' || total > limits.ARGUMENT_BYTES_MAX) return -ERRNO.E2BIG;
    texts.push(byteString(bytes));
  }
  return texts;
}

interface Execution { readonly dirfd: number; readonly pathIndex: number; readonly flags: number }

function execute(call: Call, how: Execution): CallResult {
  const path = pathArgument(call, how.pathIndex);
  if (typeof path === 'number') return path;
  const argv = stringVector(call, call.size(how.pathIndex + 1));
  if (typeof argv === 'number') return argv;
  const environment = stringVector(call, call.size(how.pathIndex + 2));
  if (typeof environment === 'number') return environment;
  const { files } = call.process;
  const file = findFile(call, path, how);
  if (typeof file === 'number') return file;
  if (isBeingWritten(call.kernel, file.inode)) return -ERRNO.ETXTBSY;
  const isByDescriptor = path === '' || (how.dirfd !== AT.FDCWD && !path.startsWith('/'));
  const fileName = isByDescriptor ? `/dev/fd/${how.dirfd}${path === '' ? '' : `/${path}`}` : path;
  const random = call.kernel.entropy.take(16);
  if (random === undefined) return BLOCKED;
  try {
    const executable = resolveExecutable(files, { file, fileName, argv: argv.length === 0 ? [''] : argv }, call.kernel.isa.abi.elfMachine);
    if (typeof executable === 'number') return executable;
    const { image } = loadImage(call.kernel, { executable, environment, identity: files.identity, random });
    enterImage(call, image, { argv: executable.argv, environment, programPath: executable.programPath, name: commandName(fileName) });
    return NO_RESULT;
  } catch (error) {
    // What the loader says about a program is an errno here; nothing has changed yet.
    if (isLoadError(error)) return errnoOf(error.code);
    throw error;
  }
}

/** Somebody has it open to write. Those of memfd_create are never busy, as on Linux. */
function isBeingWritten({ files }: Kernel, inode: FileInode): boolean {
  if (inode.seals !== undefined) return false;
  return [...files.openFiles.values()].some((openFile) => openFile.inode === inode && openFile.canWrite);
}

function findFile(call: Call, path: string, how: Execution) {
  const { files } = call.process;
  if (path === '') {
    const openFile = files.descriptors.get(how.dirfd);
    if ((how.flags & AT.EMPTY_PATH) === 0) return -ERRNO.ENOENT;
    return openFile === undefined ? -ERRNO.EBADF : checkFile(files, openFile.inode, openFile.path);
  }
  const start = startOf(call, how.dirfd, path);
  return typeof start === 'number' ? start : findExecutable(files, { start, path });
}

interface Identity { readonly argv: readonly string[]; readonly environment: readonly string[]; readonly programPath: string; readonly name: string }

/** The point of no return: the process becomes the new program, its calling thread the only one. */
function enterImage(call: Call, image: ProcessImage, identity: Identity): void {
  const { kernel, process, thread: caller } = call;
  image.cpu.retired = process.cpu.retired;
  for (const thread of process.threads) thread.hasEnded = true;
  const thread = new Thread(process, process.pid, identity.name);
  thread.mask = caller.mask;
  thread.policy = caller.policy;
  thread.used = caller.used;
  thread.executed = caller.executed;
  process.endedTime = executedBy(process) - caller.executed;
  process.threads.splice(0, process.threads.length, thread);
  kernel.leaveImage(process, image);
  kernel.setCurrent(thread);
  kernel.endVfork(process);
  kernel.releaseImages();
  process.argv = identity.argv;
  process.environment = identity.environment;
  process.programPath = identity.programPath;
  process.hasExecuted = true;
  process.controls = controlsOfProgram(process.controls);
  process.files.unshareDescriptors(kernel.processes);
  process.files.closeOnExec();
  for (let signal = 1; signal <= SIGNALS_MAX; signal++) {
    const { handler } = process.actions.get(signal);
    if (handler !== SIG_DFL && handler !== SIG_IGN) process.actions.reset(signal);
    else process.actions.set(signal, { handler, flags: 0, mask: 0n });
  }
  for (const timer of process.timers.filter(({ id }) => id >= FIRST_POSIX_TIMER)) process.timers.splice(process.timers.indexOf(timer), 1);
}

function execveat(call: Call): CallResult {
  const flags = call.unsigned(4);
  if ((flags & ~AT_KNOWN) !== 0) return -ERRNO.EINVAL;
  return execute(call, { dirfd: call.int(0), pathIndex: 1, flags });
}

export const birthCalls: readonly CallEntry[] = [
  { number: 221, name: 'execve', handle: (call) => execute(call, { dirfd: AT.FDCWD, pathIndex: 0, flags: 0 }) },
  { number: 281, name: 'execveat', handle: execveat },
];
