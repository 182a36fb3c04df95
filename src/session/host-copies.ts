/**
 * Programs and large inputs that a store has lost and that still lie in the files they came from: a repair takes them from there, by their hash.
 * Invariants: files are only read; what does not have the hash is not taken. What this does NOT do: look for files elsewhere than where the run had them.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { StillpointError, type BlobHash } from '../core/index.ts';
import { blobKey } from '../journal/index.ts';
import { openJournal, readRun, type Finding, type StoreContext } from '../txn/index.ts';
import { decodeBindings, type SavedBindings } from './bindings-codec.ts';

/** Programs are read whole. */
const BYTES_MAX = 1 << 30;

/** Puts back what the findings miss and a file has. Returns a line for each. */
export async function restoreFromHost(context: StoreContext, findings: readonly Finding[]): Promise<readonly string[]> {
  const lines = new Map<BlobHash, string>();
  for (const { code, run, hash, says } of findings) {
    if (run === undefined || hash === undefined || lines.has(hash) || !(code.startsWith('E_BLOB') || code.startsWith('E_PROGRAM'))) continue;
    const found = fromFilesOf(context, run, hash);
    if (found === undefined) continue;
    await context.store.commit({ puts: [{ table: 'blobs', key: blobKey(hash), value: found.bytes }] });
    lines.set(hash, `restored from ${found.path}: ${says}`);
  }
  return [...lines.values()];
}

interface Found { readonly path: string; readonly bytes: Uint8Array }

function fromFilesOf(context: StoreContext, run: string, hash: BlobHash): Found | undefined {
  try {
    const record = readRun(context, run);
    const bindings = decodeBindings(record.bindings, run);
    for (const { frame } of openJournal(context, record).frames()) {
      if (frame.kind === 'genesis' && frame.program === hash) return read(context, hash, { path: bindings.program, offset: 0, length: undefined });
      if (frame.kind !== 'input' || frame.bytes !== hash) continue;
      const place = placeOf(bindings, frame.channel);
      const found = place === undefined ? undefined : read(context, hash, { path: place.path, offset: place.base + frame.offset, length: frame.length });
      if (found !== undefined) return found;
    }
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error; // A journal that ends before it.
  }
  return undefined;
}

function placeOf({ channels, standardFiles }: SavedBindings, channel: string): { readonly path: string; readonly base: number } | undefined {
  const binding = channels.get(channel);
  if (binding?.kind === 'file') return { path: binding.path, base: 0 };
  return binding?.kind === 'standard' ? standardFiles.get(binding.stream) : undefined;
}

/** `length` undefined: the whole file. */
function read({ digests }: StoreContext, hash: BlobHash, { path, offset, length }: { readonly path: string; readonly offset: number; readonly length: number | undefined }): Found | undefined {
  let file: number;
  try {
    if (!statSync(path).isFile()) return undefined;
    file = openSync(path, 'r');
  } catch {
    return undefined; // Gone, or not for this user: the repair goes on without it.
  }
  try {
    const wanted = length ?? fstatSync(file).size;
    if (wanted > BYTES_MAX) return undefined;
    const bytes = new Uint8Array(wanted);
    return readSync(file, bytes, 0, wanted, offset) === wanted && digests.sha256(bytes) === hash ? { path, bytes } : undefined;
  } finally {
    closeSync(file);
  }
}
