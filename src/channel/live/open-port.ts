/**
 * Opens the host side of a declared channel: looks at what is there and picks the adapter.
 *
 *   access      regular file                     pipe, socket, terminal     other device
 *   sequential  FileInput.stream / FileOutput    StreamInput / StreamOutput DescriptorPort
 *   random      FileInput (read), FileRandom     –                          –
 *   append      FileAppend                       –                          –
 *
 * Invariants: a first start creates and empties what it writes; a resume keeps it and rewind() cuts it. On failure nothing stays open.
 * What this does NOT do: decide what a run resumes from.
 */
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as tty from 'node:tty';
import { assert, StillpointError } from '../../core/index.ts';
import type { ChannelSpec, HostBinding } from '../../manifest/index.ts';
import type { HostPort } from '../port.ts';
import { DescriptorPort } from './descriptor-port.ts';
import { FileAppend } from './file-append.ts';
import { FileInput } from './file-input.ts';
import { FileOutput } from './file-output.ts';
import { FileRandom } from './file-random.ts';
import { hostErrorCode, HostFile } from './host-file.ts';
import { MemoryInput } from './memory-port.ts';
import { StreamInput } from './stream-input.ts';
import { StreamOutput } from './stream-output.ts';

/** Between two looks at a FIFO that nobody reads yet. */
const FIFO_RETRY_MS = 20;
const DESCRIPTORS = { stdin: 0, stdout: 1, stderr: 2 } as const;

export interface OpenOptions {
  /** Keep what an earlier process of the run wrote. */
  readonly resume: boolean;
  /** Pipes and terminals: stream position of the first byte that the source gives now (default 0: it gives all again). */
  readonly startsAt?: number;
  /** Standard output in a file: file offset of stream position 0, as `outputBase` told an earlier process; default: where it stands. */
  readonly base?: number;
  /** Asked while a FIFO has no reader: a text gives up. */
  readonly stopRequested?: (() => string | undefined) | undefined;
}

/** Throws E_CHANNEL_OPEN, E_CHANNEL_CHANGED. */
export async function openPort(spec: ChannelSpec, binding: HostBinding, options: OpenOptions): Promise<HostPort> {
  const channel = spec.name;
  if (binding.kind === 'empty') return new MemoryInput(new Uint8Array(0));
  if (binding.kind === 'standard') return openStandard(spec, DESCRIPTORS[binding.stream], options);
  if (binding.kind === 'peer') throw new StillpointError('E_USAGE', `channel ${channel} leads to node ${binding.peer} of a cluster; go on with stillpoint up --resume`, { data: { channel } });
  const { path } = binding;
  const { resume } = options;
  if (spec.access === 'append') return FileAppend.open(path, { channel, base: spec.initialSize, resume });
  if (spec.access === 'random' && spec.writes) return FileRandom.open(path, { channel, expectedSize: spec.initialSize, resume });
  if (spec.access === 'random') return FileInput.open(path, { channel, expectedSize: spec.initialSize });
  return spec.reads ? openInput(path, channel, options) : openOutput(path, channel, options);
}

/** Offset of stream position 0 in the file behind a port, to be kept for a resume; undefined when it is no file. */
export function outputBase(port: HostPort): number | undefined {
  return port instanceof FileOutput ? port.base : undefined;
}

async function openInput(path: string, channel: string, options: OpenOptions): Promise<HostPort> {
  const file = await HostFile.open(path, { channel, flags: fs.constants.O_RDONLY | fs.constants.O_NONBLOCK });
  const stat = await file.stat();
  if (stat.isFile()) return FileInput.stream(file, 0);
  const startsAt = options.startsAt ?? 0;
  if (tty.isatty(file.fd)) return new StreamInput(new tty.ReadStream(file.fd), { channel, path, startsAt, owned: true });
  if (stat.isFIFO()) return new StreamInput(new net.Socket({ fd: file.fd, readable: true, writable: false }), { channel, path, startsAt, owned: true });
  return new DescriptorPort(file);
}

async function openOutput(path: string, channel: string, options: OpenOptions): Promise<HostPort> {
  const kind = await kindOf(path);
  if (kind === 'none' || kind === 'file') return FileOutput.open(path, { channel, resume: options.resume });
  const file = await openWhenRead(path, channel, options.stopRequested);
  if (tty.isatty(file.fd)) return new StreamOutput(new tty.WriteStream(file.fd), { channel, path, owned: true });
  if (kind === 'fifo') return new StreamOutput(new net.Socket({ fd: file.fd, readable: false, writable: true }), { channel, path, owned: true });
  return new DescriptorPort(file);
}

async function kindOf(path: string): Promise<'none' | 'file' | 'fifo' | 'other'> {
  try {
    const stat = await fs.promises.stat(path);
    return stat.isFile() ? 'file' : stat.isFIFO() ? 'fifo' : 'other';
  } catch (error) {
    if (hostErrorCode(error) === undefined) throw error;
    return 'none'; // Whatever is wrong with the path, opening it says so.
  }
}

/** Opens for writing; a FIFO without a reader is waited for, as a shell does, until a stop is asked for. */
async function openWhenRead(path: string, channel: string, stopRequested?: () => string | undefined): Promise<HostFile> {
  for (;;) {
    try {
      return await HostFile.open(path, { channel, flags: fs.constants.O_WRONLY | fs.constants.O_NONBLOCK });
    } catch (error) {
      if (!(error instanceof StillpointError) || error.data.host !== 'ENXIO') throw error;
      if (stopRequested?.() !== undefined) throw new StillpointError('E_CHANNEL_OPEN', `channel ${channel} (${path}): nobody had opened the pipe for reading when a stop was asked for`, { data: { channel, path } });
      await new Promise((resolve) => setTimeout(resolve, FIFO_RETRY_MS));
    }
  }
}

async function openStandard(spec: ChannelSpec, fd: number, options: OpenOptions): Promise<HostPort> {
  const channel = spec.name;
  const path = `descriptor ${fd}`;
  assert(spec.access === 'sequential', 'a standard stream is sequential');
  const file = new HostFile(fd, { channel, path, owned: false });
  const stat = await file.stat().catch((cause: unknown) => {
    throw new StillpointError('E_CHANNEL_OPEN', `channel ${channel} (${path}): it is closed`, { data: { channel }, cause });
  });
  if (stat.isDirectory()) throw file.trouble('E_CHANNEL_OPEN', 'it is a directory');
  if (stat.isFile()) return spec.reads ? FileInput.stream(file, options.base ?? descriptorFacts(fd).position) : openStandardFile(file, options);
  if (stat.isCharacterDevice() && !tty.isatty(fd)) return new DescriptorPort(file);
  if (spec.reads) return new StreamInput(process.stdin, { channel, path, startsAt: options.startsAt ?? 0 });
  return new StreamOutput(fd === 1 ? process.stdout : process.stderr, { channel, path });
}

/** Standard output or error in a file. Both in one file cannot be cut apart again: then they are written where the descriptor stands. */
async function openStandardFile(file: HostFile, options: OpenOptions): Promise<HostPort> {
  const other = new HostFile(file.fd === 1 ? 2 : 1, { channel: file.channel, path: file.path, owned: false });
  const [mine, others] = await Promise.all([file.identity(), other.identity().catch(() => undefined)]);
  if (others?.device === mine.device && others.inode === mine.inode) return new DescriptorPort(file);
  const { position, appends } = descriptorFacts(file.fd);
  const base = options.base ?? (appends ? mine.sizeBytes : position);
  return new FileOutput(file, { base, descriptorAt: position, appends });
}

/** Where a descriptor of this process stands, and whether it was opened for appending. Linux only; elsewhere: at the start. */
function descriptorFacts(fd: number): { readonly position: number; readonly appends: boolean } {
  let text: string;
  try {
    text = fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
  } catch (error) {
    if (hostErrorCode(error) === undefined) throw error;
    return { position: 0, appends: false };
  }
  const position = Number(/^pos:\s*([0-9]+)/m.exec(text)?.[1] ?? 0);
  const flags = Number.parseInt(/^flags:\s*([0-7]+)/m.exec(text)?.[1] ?? '0', 8);
  return { position, appends: (flags & fs.constants.O_APPEND) !== 0 };
}
