/**
 * The words of an address space: where its parts are, what a mapping is asked for with and where it goes, which rights a protection gives.
 * What this does NOT do: map (address-space.ts).
 */
import { limits } from '../core/index.ts';
import type { GuestMemory } from '../engine/index.ts';
import { PAGE_FLAG } from '../isa/index.ts';
import { ERRNO } from './errno.ts';
import { PROT, roundUp, type Backing, type MappingName, type MemoryMap } from './memory-map.ts';

const { PAGE_BYTES, LOWEST_ADDRESS } = limits;

/** Fixed places of the layout. */
export interface SpaceLayout {
  /** Page after the image's last byte: where the heap begins. */
  readonly heapStart: number;
  /** Free area for mmap: [mmapBottom, mmapTop). */
  readonly mmapBottom: number;
  readonly mmapTop: number;
  /** How far down the main stack may grow, and its upper end. */
  readonly stackBottom: number;
  readonly stackTop: number;
}

export interface MapRequest {
  readonly length: number;
  readonly protection: number;
  readonly isShared: boolean;
  readonly name?: MappingName;
  readonly backing?: Backing | undefined;
  /** Where: anywhere (near `hint`), exactly at `address` in place of what is there, or exactly there if free. */
  readonly place: { readonly kind: 'any'; readonly hint: number } | { readonly kind: 'fixed' | 'free'; readonly address: number };
}

/** Page rights of PROT_* bits: write and execute imply read, as the machine has them. */
export function rightsOf(protection: number): number {
  return protection === PROT.none ? 0 : (protection & 7) | PAGE_FLAG.read;
}

interface Room { readonly map: MemoryMap; readonly layout: SpaceLayout; readonly heapEnd: number; readonly limit: number }

/** Where `length` bytes, whole pages, are mapped, or -errno. */
export function placeFor(place: MapRequest['place'], length: number, { map, layout: { mmapBottom: bottom, mmapTop: top }, heapEnd, limit }: Room): number {
  if (length > limit) return -ERRNO.ENOMEM;
  if (place.kind === 'any') {
    const hint = roundUp(place.hint);
    if (hint >= bottom && hint + length <= top && map.isFree(hint, hint + length)) return hint;
    return map.highestGap(length, { bottom: Math.max(bottom, roundUp(heapEnd)), top }) ?? -ERRNO.ENOMEM;
  }
  if (place.address % PAGE_BYTES !== 0) return -ERRNO.EINVAL;
  if (place.address < LOWEST_ADDRESS) return -ERRNO.EPERM;
  if (place.address + length > limit) return -ERRNO.ENOMEM;
  if (place.kind === 'free' && !map.isFree(place.address, place.address + length)) return -ERRNO.EEXIST;
  return place.address;
}

/** What mremap(2) is asked for, in bytes. */
export interface RemapRequest {
  readonly address: number;
  readonly oldLength: number;
  readonly newLength: number;
  readonly mayMove: boolean;
  /** The MREMAP_FIXED target. */
  readonly to: number | undefined;
  /** MREMAP_DONTUNMAP: the pages go, and what is mapped stays, as if it were new. */
  readonly keepsMapping: boolean;
}

/** Copies the pages that are not zero. */
export function copyPages(memory: GuestMemory, from: number, move: { readonly to: number; readonly length: number }): void {
  for (let offset = 0; offset < move.length; offset += PAGE_BYTES) {
    const page = memory.page((from + offset) / PAGE_BYTES);
    if (page.some((byte) => byte !== 0)) memory.install(move.to + offset, page);
  }
}
