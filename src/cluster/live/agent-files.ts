/**
 * Files of nodes that run on another host than `up`: what they read comes here before they start, what they write goes back while they run.
 *
 *   up's host /data/part-a.txt  ──►  WORK/CLUSTER/1f0c…-part-a.txt      up's host /data/counts-0.txt  ◄──  WORK/CLUSTER/93aa…-counts-0.txt
 *
 * Invariants: one path of up's host has one place here, in every start of a cluster that is kept; one that is not has a directory of its own below WORK, which goes when it ends, or when the
 * agent was killed, with the next one's start. A place is filled whole or not at all. Devices (/dev/…) are each host's own.
 * What this does NOT do: send anything.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, createReadStream, fstatSync, ftruncateSync, openSync, readSync, renameSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isNoSpace, StillpointError } from '../../core/index.ts';
import { makeDirectories } from '../../core/live/directories.ts';
import type { HostBinding } from '../../manifest/index.ts';
import { temporaryDirectory } from '../../session/index.ts';
import type { PlannedNode } from '../plan.ts';
import { PIECE_BYTES } from './agent-messages.ts';

/** A file that a node writes: its path on up's host; a stream only grows, so that it can be sent while it does. */
export interface WrittenFile { readonly channel: string; readonly path: string; readonly isStream: boolean }

/** Hexadecimal digits of the hash of a path: enough that two paths of one cluster never meet. */
const PLACE_DIGITS = 16;

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** What a node writes on its host, and must be brought to up's. */
export function writtenFiles({ manifest, bindings }: PlannedNode): readonly WrittenFile[] {
  return manifest.channels.flatMap((spec) => {
    const path = travelling(bindings.channels.get(spec.name));
    return path === undefined || !spec.writes ? [] : [{ channel: spec.name, path, isStream: spec.access === 'sequential' }];
  });
}

/** Whether the file of a binding goes from host to host. */
export function travelling(binding: HostBinding | undefined): string | undefined {
  return binding?.kind === 'file' && !binding.path.startsWith('/dev/') ? binding.path : undefined;
}

/** In place of WORK for a cluster of which nothing is kept. Throws E_HOST_FILE. */
export function workForOnce(work: string): string {
  try {
    makeDirectories(work, 0o700);
    return temporaryDirectory(work);
  } catch (cause) {
    throw trouble(work, cause);
  }
}

export class AgentFiles {
  readonly cluster: string;
  readonly #directory: string;

  /** Makes the directory of a cluster. Throws E_HOST_FILE. */
  constructor(work: string, cluster: string) {
    this.cluster = cluster;
    this.#directory = join(work, cluster);
    try {
      makeDirectories(this.#directory, 0o700);
    } catch (cause) {
      throw trouble(this.#directory, cause);
    }
  }

  placeOf(path: string): string {
    return join(this.#directory, `${createHash('sha256').update(path).digest('hex').slice(0, PLACE_DIGITS)}-${basename(path).slice(-128)}`);
  }

  /** A node with the places of this host. */
  relocate(node: PlannedNode): PlannedNode {
    const channels = new Map([...node.bindings.channels].map(([name, binding]): [string, HostBinding] => {
      const path = travelling(binding);
      return [name, path === undefined || binding.kind !== 'file' ? binding : { ...binding, path: this.placeOf(path) }];
    }));
    const program = node.manifest.programPath === undefined ? this.placeOf(node.bindings.program) : node.bindings.program;
    const images = node.images.map((image) => (image.source.includes('/') ? { ...image, source: this.placeOf(image.source) } : image));
    return { ...node, images, bindings: { ...node.bindings, program, channels } };
  }

  async holds({ path, size, sha256 }: { readonly path: string; readonly size: number; readonly sha256: string }): Promise<boolean> {
    const place = this.placeOf(path);
    return this.sizeOf(path) === size && await sha256OfFile(place) === sha256;
  }

  sizeOf(path: string): number | undefined {
    const facts = statSync(this.placeOf(path), { throwIfNoEntry: false });
    return facts?.isFile() === true ? facts.size : undefined;
  }

  /** Takes away what comes behind `size`. Throws E_HOST_FILE. */
  shorten(path: string, size: number): void {
    if ((this.sizeOf(path) ?? 0) <= size) return;
    try {
      truncateSync(this.placeOf(path), size);
    } catch (cause) {
      throw trouble(path, cause);
    }
  }

  clear(path: string): void {
    rmSync(this.placeOf(path), { force: true });
  }

  /** Pieces come in order. Throws E_HOST_FILE. */
  fill(path: string, { offset, bytes, isLast }: { readonly offset: number; readonly bytes: Uint8Array; readonly isLast: boolean }): void {
    const place = this.placeOf(path);
    writeAt(`${place}.part`, { offset, bytes, isNew: offset === 0 });
    if (isLast) renameSync(`${place}.part`, place);
  }

  /** At most a piece of what a node has written, from `offset` on. */
  read(path: string, offset: number): Uint8Array {
    return readPiece(this.placeOf(path), offset);
  }
}

/** At most a piece of a file; empty at its end, or when it is not there. */
export function readPiece(path: string, offset: number): Uint8Array {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    const bytes = new Uint8Array(PIECE_BYTES);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, offset));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return new Uint8Array(0); // Everything that fs throws has a code.
    throw trouble(path, cause);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Writes behind bytes that are there already; a file of none is made, and one that `isNew` is emptied. Throws E_HOST_FILE, E_DISK_FULL. */
export function writeAt(path: string, { offset, bytes, isNew }: { readonly offset: number; readonly bytes: Uint8Array; readonly isNew: boolean }): void {
  withHeld(path, isNew ? 0 : offset, (descriptor) => {
    if (isNew) truncate(descriptor, 0);
    for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at, bytes.length - at, offset + at);
  });
}

/** A file that was written behind others ends here; one that is empty is made. Throws E_HOST_FILE, E_DISK_FULL. */
export function endAt(path: string, size: number): void {
  withHeld(path, size, (descriptor) => { truncate(descriptor, size); });
}

/** Opens a file once, for what holds its first `size` bytes: whoever takes it away meanwhile, or empties it, is told of, and no gap is written. */
function withHeld(path: string, size: number, action: (descriptor: number) => void): void {
  let descriptor: number | undefined;
  try {
    descriptor = openHeld(path, size);
    const found = descriptor === undefined ? 0 : fstatSync(descriptor).size;
    if (descriptor === undefined || found < size) throw new StillpointError('E_HOST_FILE', `${path}: somebody has changed the file: it has ${found} of the ${size} bytes that were written`, { data: { path } });
    action(descriptor);
  } catch (cause) {
    throw trouble(path, cause);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function openHeld(path: string, size: number): number | undefined {
  try {
    return openSync(path, size === 0 ? constants.O_RDWR | constants.O_CREAT : constants.O_RDWR);
  } catch (cause) {
    if (size > 0 && (cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // Everything that fs throws has a code.
    throw cause;
  }
}

/** Pipes and devices have no size to cut. */
function truncate(descriptor: number, size: number): void {
  const facts = fstatSync(descriptor);
  if (facts.isFile() && facts.size !== size) ftruncateSync(descriptor, size);
}

export function trouble(path: string, cause: unknown): StillpointError {
  if (cause instanceof StillpointError) return cause;
  if (isNoSpace(cause)) return new StillpointError('E_DISK_FULL', `${path}: no space left; free some and go on`, { data: { path }, cause });
  return new StillpointError('E_HOST_FILE', `${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { data: { path }, cause });
}
