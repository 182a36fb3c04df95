/**
 * Opens and closes the host sides of a run's channels, at a first start and at a resume.
 *
 * Standard streams need care at a resume, because the new process has other ones:
 *   was a file, is the same file now        go on in it (put back to the checkpoint first)
 *   was a file, is a terminal now           go on in the recorded file
 *   anything else                           go on with the new stream at the first byte that no earlier process delivered
 *
 * Invariants: on failure nothing stays open. What this does NOT do: journal or release anything.
 */
import { fstatSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { HostPort } from '../channel/index.ts';
import { DescriptorPort } from '../channel/live/descriptor-port.ts';
import { FileInput } from '../channel/live/file-input.ts';
import { FileOutput } from '../channel/live/file-output.ts';
import { HostFile } from '../channel/live/host-file.ts';
import { openPort } from '../channel/live/open-port.ts';
import { probeOutput, unmakeOutput } from '../channel/live/probe-output.ts';
import { StreamOutput } from '../channel/live/stream-output.ts';
import type { ChannelSpec, HostBinding, RunManifest, StandardStream } from '../manifest/index.ts';
import type { SavedBindings, StandardFile } from './bindings-codec.ts';

const DESCRIPTORS: Readonly<Record<StandardStream, number>> = { stdin: 0, stdout: 1, stderr: 2 };

/** Where each stream stood when its earlier process ended. */
export interface ResumePositions {
  /** Sequential input: bytes that the journal holds. */
  readonly journaled: (channel: string) => number;
  /** Output: bytes that the checkpoint holds, and bytes that the sink is known to have taken. */
  readonly checkpoint: (channel: string) => number;
  readonly delivered: (channel: string) => number;
  /** Output: bytes that the restored guest has written. */
  readonly written: (channel: string) => number;
}

/** How channels to other nodes of a cluster are opened. `position`: input, what the journal holds; output, where the guest goes on. */
export type OpenPeer = (link: number, end: { readonly channel: string; readonly reads: boolean; readonly position: number }) => HostPort;

export interface OpenHow {
  readonly openPeer?: OpenPeer | undefined;
  /** A text ends the wait for somebody who reads a pipe: E_CHANNEL_OPEN. */
  readonly stopRequested?: (() => string | undefined) | undefined;
}

/** Regular files behind the standard streams of this process, for the record. */
export function standardFiles(): ReadonlyMap<StandardStream, StandardFile> {
  const found = new Map<StandardStream, StandardFile>();
  for (const stream of ['stdin', 'stdout', 'stderr'] as const) {
    const facts = identify(DESCRIPTORS[stream]);
    if (facts !== undefined) found.set(stream, facts);
  }
  return found;
}

/** Ports of a first start. When one cannot be opened no output was emptied or made: all are tried first, inputs are opened before outputs. */
export async function openPorts(manifest: RunManifest, bindings: SavedBindings, how: OpenHow): Promise<ReadonlyMap<string, HostPort>> {
  const { openPeer, stopRequested } = how;
  const made: { readonly path: string; readonly channel: string }[] = [];
  try {
    for (const { name, writes } of manifest.channels) {
      const binding = bindings.channels.get(name);
      if (writes && binding?.kind === 'file' && await probeOutput(binding.path, name)) made.push({ path: binding.path, channel: name });
    }
    return await openAll(manifest, bindings, async (spec, binding) => {
      if (binding.kind === 'peer' && openPeer !== undefined) return openPeer(binding.link, { channel: spec.name, reads: spec.reads, position: 0 });
      return openPort(spec, binding, { resume: false, stopRequested });
    });
  } catch (error) {
    for (const { path, channel } of made) unmakeOutput(path, channel);
    throw error;
  }
}

/** Ports of a resume, with every sink put back to where the run goes on. */
export async function reopenPorts(manifest: RunManifest, bindings: SavedBindings, positions: ResumePositions, how: OpenHow): Promise<ReadonlyMap<string, HostPort>> {
  const { openPeer, stopRequested } = how;
  return openAll(manifest, bindings, async (spec, binding) => {
    if (binding.kind === 'peer' && openPeer !== undefined) return openPeer(binding.link, { channel: spec.name, reads: spec.reads, position: spec.reads ? positions.journaled(spec.name) : positions.written(spec.name) });
    const port = await reopen(spec, binding, { bindings, positions, stopRequested });
    if (spec.writes) await port.rewind(isForgetful(port) ? positions.delivered(spec.name) : positions.checkpoint(spec.name));
    return port;
  });
}

/** Whether a sink cannot be put back: what it has taken must be recorded at once. */
export function isForgetful(port: HostPort | undefined): boolean {
  return port instanceof StreamOutput || port instanceof DescriptorPort;
}

export async function closePorts(ports: ReadonlyMap<string, HostPort>): Promise<void> {
  for (const port of ports.values()) await port.close();
}

async function openAll(manifest: RunManifest, bindings: SavedBindings, open: (spec: ChannelSpec, binding: HostBinding) => Promise<HostPort>): Promise<ReadonlyMap<string, HostPort>> {
  const ports = new Map<string, HostPort>();
  try {
    const inputsFirst = [...manifest.channels].sort((a, b) => Number(a.writes) - Number(b.writes));
    for (const spec of inputsFirst) ports.set(spec.name, await open(spec, bindings.channels.get(spec.name) ?? { kind: 'empty' }));
  } catch (error) {
    await closePorts(ports);
    throw error;
  }
  return ports;
}

async function reopen(spec: ChannelSpec, binding: HostBinding, { bindings, positions, stopRequested }: { readonly bindings: SavedBindings; readonly positions: ResumePositions } & Pick<OpenHow, 'stopRequested'>): Promise<HostPort> {
  const startsAt = spec.access === 'sequential' && spec.reads ? positions.journaled(spec.name) : 0;
  if (binding.kind === 'file') return openPort(spec, binding, { resume: !isToBeMade(spec, binding.path, positions), startsAt, stopRequested });
  if (binding.kind !== 'standard') return openPort(spec, binding, { resume: true, startsAt });
  const fd = DESCRIPTORS[binding.stream];
  const saved = bindings.standardFiles.get(binding.stream);
  const current = identify(fd);
  const channel = spec.name;
  if (spec.reads) {
    if (saved !== undefined && isThere(saved)) return FileInput.stream(await HostFile.open(saved.path, { channel, flags: 0 }), saved.base);
    return openPort(spec, binding, { resume: true, startsAt, ...(current === undefined ? {} : { base: current.base - startsAt }) });
  }
  if (saved !== undefined && current !== undefined && isSame(saved, current)) return openPort(spec, binding, { resume: true, base: saved.base });
  if (saved !== undefined && isatty(fd) && isThere(saved)) return new FileOutput(await HostFile.open(saved.path, { channel, flags: 1 }), { base: saved.base });
  if (current !== undefined) return new DescriptorPort(new HostFile(fd, { channel, path: current.path, owned: false }));
  return openPort(spec, binding, { resume: true });
}

/** A sink that the run has nothing in yet, and that is not there: its first process died before it made the file, or somebody took it away. */
function isToBeMade(spec: ChannelSpec, path: string, positions: ResumePositions): boolean {
  return spec.writes && positions.checkpoint(spec.name) === 0 && statSync(path, { throwIfNoEntry: false }) === undefined;
}

function identify(fd: number): StandardFile | undefined {
  try {
    const facts = fstatSync(fd, { bigint: true });
    if (!facts.isFile()) return undefined;
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    const appends = (Number.parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? '0', 8) & 0o2000) !== 0;
    const base = appends ? Number(facts.size) : Number(/^pos:\s*([0-9]+)/m.exec(info)?.[1] ?? 0);
    return { path: readlinkSync(`/proc/self/fd/${fd}`), device: String(facts.dev), inode: String(facts.ino), base };
  } catch {
    return undefined; // A closed descriptor or a host without /proc: then it is no file that we could find again.
  }
}

function isThere(file: StandardFile): boolean {
  const facts = statSync(file.path, { bigint: true, throwIfNoEntry: false });
  return facts !== undefined && facts.isFile() && isSame(file, { device: String(facts.dev), inode: String(facts.ino) });
}

function isSame(a: StandardFile, b: { readonly device: string; readonly inode: string }): boolean {
  return a.device === b.device && a.inode === b.inode;
}
