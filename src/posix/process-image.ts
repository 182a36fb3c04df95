/**
 * What execve replaces and CLONE_VM shares: a processor with its memory, the address space on it, and what the loader left there.
 * Invariants: `id` names the page object memory/ID and is never used again in one machine; `users` counts the processes that run in it and
 * is derived, never stored.
 * What this does NOT do: threads and descriptors (process.ts), loading (boot.ts).
 */
import type { Cpu } from '../engine/index.ts';
import type { AddressSpace } from './address-space.ts';

export class ProcessImage {
  readonly id: number;
  readonly cpu: Cpu;
  readonly space: AddressSpace;
  /** Auxiliary vector bytes for /proc/self/auxv. */
  readonly auxiliary: Uint8Array;
  /** Code page of the signal return trampoline. */
  readonly signalReturnAddress: number;
  users = 0;

  constructor(parts: { readonly id: number; readonly cpu: Cpu; readonly space: AddressSpace; readonly auxiliary: Uint8Array; readonly signalReturnAddress: number }) {
    this.id = parts.id;
    this.cpu = parts.cpu;
    this.space = parts.space;
    this.auxiliary = parts.auxiliary;
    this.signalReturnAddress = parts.signalReturnAddress;
  }
}
