/**
 * The words of an address space: where its parts are, what a mapping is asked for with, which rights a protection gives.
 * What this does NOT do: map (address-space.ts).
 */
import { PAGE_FLAG } from '../isa/index.ts';
import { PROT, type Backing, type MappingName } from './memory-map.ts';

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
