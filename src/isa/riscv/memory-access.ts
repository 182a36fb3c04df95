/**
 * HOT PATH. Loads and stores that the switch cannot do in one typed-array access: misaligned, across pages, to pages that are clean or hold
 * code, or faulting. All or nothing: rights of every byte are checked before one is written.
 * Addresses come as 64-bit halves of the base plus a signed 32-bit offset. A fault is reported at the access address when its first page
 * faults, else at the start of the second page, as Linux does.
 */
import { BIAS, PAGE_FLAG, STOP, STORE_FAST, STORE_MASK, type CpuMemory } from '../cpu.ts';
import type { Machine } from './machine.ts';

/** Loads `width` (1, 2, 4 or 8) bytes into machine.value*, zero-extended. False: loadFault is noted. */
export function loadSlow(machine: Machine, baseLow: number, baseHigh: number, offset: number, width: number): boolean {
  const low = (baseLow + offset) | 0;
  const high = (baseHigh + (offset >> 31) + ((low >>> 0) < (offset >>> 0) ? 1 : 0)) | 0;
  if (!isReachable(machine, low, high, width, PAGE_FLAG.read, STOP.loadFault)) return false;
  const { u8 } = machine.memory;
  const start = (low >>> 0) - BIAS;
  let valueLow = 0;
  let valueHigh = 0;
  for (let index = 0; index < width; index++) {
    const byte = u8[start + index]!;
    if (index < 4) valueLow |= byte << (8 * index);
    else valueHigh |= byte << (8 * (index - 4));
  }
  machine.valueLow = valueLow;
  machine.valueHigh = valueHigh;
  return true;
}

/** Stores the low `width` (1, 2, 4 or 8) bytes of a value. False: storeFault is noted and nothing is written. */
export function storeSlow(
  machine: Machine, baseLow: number, baseHigh: number, offset: number, width: number, valueLow: number, valueHigh: number,
): boolean {
  const low = (baseLow + offset) | 0;
  const high = (baseHigh + (offset >> 31) + ((low >>> 0) < (offset >>> 0) ? 1 : 0)) | 0;
  if (!isReachable(machine, low, high, width, PAGE_FLAG.write, STOP.storeFault)) return false;
  prepareBytes(machine, low, width);
  const { u8 } = machine.memory;
  const start = (low >>> 0) - BIAS;
  for (let index = 0; index < width; index++) {
    u8[start + index] = index < 4 ? valueLow >>> (8 * index) : valueHigh >>> (8 * (index - 4));
  }
  return true;
}

/** Whether every byte of [address, address + width) lies on pages with `rights`; otherwise notes where it faults. */
export function isReachable(machine: Machine, low: number, high: number, width: number, rights: number, stop: 4 | 5 | 6): boolean {
  const { memory } = machine;
  if (high !== 0 || !hasRights(memory, low >>> 12, rights)) {
    machine.fault(stop, low, high);
    return false;
  }
  const lastPage = ((low >>> 0) + width - 1) / 4096 >>> 0;
  if (lastPage === low >>> 12) return true;
  const isInSpace = lastPage < memory.pageFlags.length;
  if (isInSpace && hasRights(memory, lastPage, rights)) return true;
  machine.fault(stop, lastPage << 12, isInSpace ? 0 : 1);
  return false;
}

/** Whether a page has all of `rights`; one that has not come yet is brought. */
export function hasRights(memory: CpuMemory, page: number, rights: number): boolean {
  return (memory.pageFlags[page]! & rights) === rights || (memory.bring(page) && (memory.pageFlags[page]! & rights) === rights);
}

/** Makes the one or two writable pages of a store dirty and free of cached code. */
export function prepareBytes(machine: Machine, low: number, width: number): void {
  const { memory } = machine;
  const firstPage = low >>> 12;
  const lastPage = (low + width - 1) >>> 12;
  if ((memory.pageFlags[firstPage]! & STORE_MASK) !== STORE_FAST) memory.prepareStore(firstPage);
  if (lastPage !== firstPage && (memory.pageFlags[lastPage]! & STORE_MASK) !== STORE_FAST) memory.prepareStore(lastPage);
}
