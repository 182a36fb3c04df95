/**
 * Shared file mappings and their files: every process has a memory of its own, so bytes are moved where somebody else could look next: around
 * calls that move file bytes, when another process gets the processor, at munmap, msync and the end.
 * Invariants: after loadShared() mappings and files are equal; a file that is mapped twice keeps the changes of both mappings.
 * What this does NOT do: decide when (dispatch.ts, scheduler.ts, address-space.ts).
 */
import { limits } from '../core/index.ts';
import type { GuestMemory } from '../engine/index.ts';
import type { MappedFiles } from './address-space.ts';
import type { Mapping } from './memory-map.ts';

const { PAGE_BYTES } = limits;

export interface Sharing { readonly memory: GuestMemory; readonly files: MappedFiles; readonly mappings: readonly Mapping[] }

interface Change { readonly key: number; readonly offset: number; readonly bytes: Uint8Array }

/** Mappings → files inside [start, end). Everything is compared before anything is written; then mappings of one file are made equal again. */
export function storeShared(sharing: Sharing, range: { readonly start: number; readonly end: number }): void {
  const { files, mappings } = sharing;
  const changes: Change[] = [];
  for (const mapping of mappings) {
    const { backing } = mapping;
    if (backing === undefined || !backing.isWritable || mapping.end <= range.start || mapping.start >= range.end) continue;
    for (let address = Math.max(mapping.start, range.start); address < Math.min(mapping.end, range.end); address += PAGE_BYTES) {
      addChanges(changes, sharing, { address, key: backing.key, offset: backing.offset + address - mapping.start });
    }
  }
  for (const { key, offset, bytes } of changes) files.write(key, offset, bytes);
  if (changes.length > 0 && mappings.length > 1) loadShared(sharing);
}

/** Adds the runs of bytes of a page that differ from its file. */
function addChanges(changes: Change[], { memory, files }: Sharing, page: { readonly address: number; readonly key: number; readonly offset: number }): void {
  const old = files.read(page.key, page.offset, PAGE_BYTES);
  const now = memory.page(page.address / PAGE_BYTES);
  for (let index = 0; index < old.length; index++) {
    if (old[index] === now[index]) continue;
    let end = index + 1;
    while (end < old.length && old[end] !== now[end]) end++;
    changes.push({ key: page.key, offset: page.offset + index, bytes: now.slice(index, end) });
    index = end;
  }
}

/** Files → mappings: pages that differ take the file's bytes. */
export function loadShared({ memory, files, mappings }: Sharing): void {
  for (const { backing, start, end } of mappings) {
    if (backing === undefined) continue;
    for (let address = start; address < end; address += PAGE_BYTES) loadPage(memory, address, files.read(backing.key, backing.offset + address - start, PAGE_BYTES));
  }
}

function loadPage(memory: GuestMemory, address: number, bytes: Uint8Array): void {
  const page = memory.page(address / PAGE_BYTES);
  for (let index = 0; index < PAGE_BYTES; index++) {
    if (page[index] === (bytes[index] ?? 0)) continue;
    const full = new Uint8Array(PAGE_BYTES);
    full.set(bytes);
    memory.install(address, full);
    return;
  }
}
