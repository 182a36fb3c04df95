/**
 * Guest memory as the kernel uses it: bytes, strings and little-endian scalars at addresses that a guest has given.
 *
 * Invariants: an access happens whole or not at all; what is written is marked. Addresses are plain numbers; anything at or beyond `limit`, below LOWEST_ADDRESS, or on a page
 * without the right fails, and is the guest's fault. What this does NOT do: keep the pages (page-memory.ts), throw.
 */
import { assert, limits } from '../core/index.ts';
import { BIAS, PAGE_FLAG, type CpuMemory } from '../isa/index.ts';
import { PageMemory } from './page-memory.ts';

const { PAGE_BYTES } = limits;

export class GuestMemory extends PageMemory implements CpuMemory {
  readonly #view = new DataView(this.buffer);

  /** A view of guest bytes for reading, or undefined when any page of it is not readable. Empty ranges always succeed. Not kept by callers. */
  readable(address: number, length: number): Uint8Array | undefined {
    if (length === 0) return new Uint8Array(0);
    if (!this.allowed(address, length, PAGE_FLAG.read)) return undefined;
    return this.u8.subarray(address - BIAS, address - BIAS + length);
  }

  /** A view of guest bytes to be overwritten, marked dirty, or undefined when any page of it is not writable. */
  writable(address: number, length: number): Uint8Array | undefined {
    if (length === 0) return new Uint8Array(0);
    if (!this.allowed(address, length, PAGE_FLAG.write)) return undefined;
    this.touch(address, length);
    return this.u8.subarray(address - BIAS, address - BIAS + length);
  }

  /** How many bytes from `address`, at most `length`, are readable (or writable): Linux copies that much before EFAULT. */
  reachable(address: number, length: number, right: number): number {
    let reached = 0;
    while (reached < length && this.allowed(address + reached, 1, right)) {
      reached = Math.min(length, reached + PAGE_BYTES - ((address + reached) % PAGE_BYTES));
    }
    return reached;
  }

  /** Copies in; false (nothing written) when any page is not writable. */
  write(address: number, bytes: Uint8Array): boolean {
    const target = this.writable(address, bytes.length);
    if (target === undefined) return false;
    target.set(bytes);
    return true;
  }

  /** Writes regardless of rights (program loader, restore, read-only file mappings). The range must lie in the space. */
  install(address: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    assert(address >= limits.LOWEST_ADDRESS && address + bytes.length <= this.limit, 'installed bytes lie in the address space');
    this.makeRoom(address, bytes.length);
    this.touch(address, bytes.length);
    this.u8.set(bytes, address - BIAS);
  }

  /** NUL-terminated bytes without the NUL. 'fault' when it runs into an unreadable page, 'long' when longer than `lengthMax`. */
  readString(address: number, lengthMax: number): Uint8Array | 'fault' | 'long' {
    const reach = this.reachable(address, lengthMax + 1, PAGE_FLAG.read);
    if (reach === 0) return 'fault';
    const start = address - BIAS;
    const end = this.u8.subarray(start, start + reach).indexOf(0);
    if (end >= 0) return this.u8.slice(start, start + end);
    return reach > lengthMax ? 'long' : 'fault';
  }

  /** Little-endian scalars; undefined or false when not accessible. */
  readU32(address: number): number | undefined {
    return this.allowed(address, 4, PAGE_FLAG.read) ? this.#view.getUint32(address - BIAS, true) : undefined;
  }

  readU64(address: number): bigint | undefined {
    return this.allowed(address, 8, PAGE_FLAG.read) ? this.#view.getBigUint64(address - BIAS, true) : undefined;
  }

  writeU32(address: number, value: number): boolean {
    if (!this.allowed(address, 4, PAGE_FLAG.write)) return false;
    this.touch(address, 4);
    this.#view.setUint32(address - BIAS, value, true);
    return true;
  }

  writeU64(address: number, value: bigint): boolean {
    if (!this.allowed(address, 8, PAGE_FLAG.write)) return false;
    this.touch(address, 8);
    this.#view.setBigUint64(address - BIAS, value, true);
    return true;
  }
}
