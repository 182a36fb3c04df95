/**
 * Compares the output files of a run on this host with what the replay wrote: an output that somebody changed is named.
 *
 *   --out, redirected stdout/stderr   bytes [base, base + written) by SHA-256
 *   --append                          the bytes behind the old content, by SHA-256
 *   --rw                              the pages that the machine owns, byte by byte
 *
 * Invariants: files are only read; a missing file is a fact, not an error (a run may be verified on another host).
 */
import { createReadStream, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { StillpointError, type Digests } from '../core/index.ts';
import type { Channel, ChannelSet } from '../channel/index.ts';
import type { RunManifest } from '../manifest/index.ts';
import type { SavedBindings } from './bindings-codec.ts';

export interface ComparedFile { readonly channel: string; readonly path: string; readonly state: 'equal' | 'missing' }

export async function compareOutputFiles(parts: { readonly bindings: SavedBindings; readonly channels: ChannelSet; readonly manifest: RunManifest; readonly digests: Digests }): Promise<readonly ComparedFile[]> {
  const compared: ComparedFile[] = [];
  const places = [...parts.channels].flatMap((channel) => placeOf(channel, parts.bindings));
  for (const place of places) {
    const isShared = places.some((other) => other !== place && other.path === place.path);
    if (!isShared) compared.push(await compare(place, parts.digests));
  }
  return compared;
}

interface Place { readonly channel: Channel; readonly path: string; readonly base: number }

function placeOf(channel: Channel, bindings: SavedBindings): readonly Place[] {
  if (!channel.spec.writes) return [];
  const binding = bindings.channels.get(channel.spec.name);
  if (binding?.kind === 'file') return [{ channel, path: binding.path, base: channel.spec.access === 'append' ? channel.spec.initialSize : 0 }];
  const saved = binding?.kind === 'standard' ? bindings.standardFiles.get(binding.stream) : undefined;
  return saved === undefined ? [] : [{ channel, path: saved.path, base: saved.base }];
}

async function compare(place: Place, digests: Digests): Promise<ComparedFile> {
  const { channel, path } = place;
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined || !facts.isFile()) return { channel: channel.spec.name, path, state: 'missing' };
  if (channel.spec.access === 'random') await compareOwned(place);
  else await compareStream(place, digests);
  return { channel: channel.spec.name, path, state: 'equal' };
}

async function compareStream({ channel, path, base }: Place, digests: Digests): Promise<void> {
  const running = digests.running();
  const length = channel.bytesWritten;
  let got = 0;
  if (length > 0) {
    for await (const chunk of createReadStream(path, { start: base, end: base + length - 1 }) as AsyncIterable<Uint8Array>) {
      running.update(chunk);
      got += chunk.length;
    }
  }
  const expected = channel.accounts().output!.sha256;
  if (got === length && running.hex() === expected) return;
  const what = got === length ? 'other bytes than the run wrote' : `${got} of the ${length} bytes that the run wrote`;
  throw damaged({ channel, path, base }, `it holds ${what}`, { expected, got: running.hex() });
}

async function compareOwned(place: Place): Promise<void> {
  const { channel, path } = place;
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size !== channel.size) throw damaged(place, `it has ${size} bytes, the run left ${channel.size}`, { expected: String(channel.size), got: String(size) });
    for (const { offset, bytes } of channel.owned!.chunks()) {
      const length = Math.min(bytes.length, size - offset);
      const held = new Uint8Array(length);
      await file.read(held, 0, length, offset);
      const at = held.findIndex((byte, index) => byte !== bytes[index]);
      if (at >= 0) throw damaged(place, `byte ${offset + at} is not what the run wrote`, { expected: String(bytes[at]), got: String(held[at]) });
    }
  } finally {
    await file.close();
  }
}

function damaged({ channel, path }: Place, what: string, data: { readonly expected: string; readonly got: string }): StillpointError {
  return new StillpointError('E_OUTPUT_DAMAGED', `channel ${channel.spec.name} (${path}): ${what}; run the program again or restore the file`, { data: { channel: channel.spec.name, path, ...data } });
}
