/**
 * What the address spaces of one machine use of its memory, together. Derived: every space charges what it maps.
 * What this does NOT do: refuse (AddressSpace asks before it maps).
 */

/** Accessible bytes of all address spaces of a machine against its memory. */
export class MemoryAccount {
  readonly memoryBytes: number;
  usedBytes = 0;

  constructor(memoryBytes: number) {
    this.memoryBytes = memoryBytes;
  }
}
