/**
 * One process's address space: the mapping list joined with guest memory, the heap end, and the account of accessible bytes.
 *
 *   0x10000          image   heap (brk) ->            <- mmap area   guard  <- stack   gap  signal page   limit
 *
 * Invariants: a page has rights exactly when a mapping with protection covers it and its file, if there is one, reaches so far; unmapped pages hold zeros; accessible bytes of all
 * spaces together never exceed the machine's memory; the main stack grows downwards by itself, as far as the layout says. Results are 0 or more, or -errno. Everything is a function of the calls made: no address is random.
 * What this does NOT do: read registers (calls/memory.ts), own file content (MappedFiles does).
 */
import { assert, limits, type Canonical, type Undo } from '../core/index.ts';
import type { GuestMemory } from '../engine/index.ts';
import { PAGE_FLAG } from '../isa/index.ts';
import { ERRNO } from './errno.ts';
import { FileBackings, filled } from './file-backings.ts';
import type { MappedFiles } from './mapped-files.ts';
import type { MemoryAccount } from './memory-account.ts';
import { MemoryMap, PROT, roundUp, type Backing, type ForkAdvice, type Mapping } from './memory-map.ts';
import { SharedPages } from './shared-pages.ts';
import { copyPages, placeFor, rightsOf, type MapRequest, type RemapRequest, type SpaceLayout } from './space-layout.ts';

const { PAGE_BYTES, LOWEST_ADDRESS } = limits;
/** vm.max_map_count of Linux. */
const MAPPINGS_MAX = 65_530;
/** First address that no user mapping of Linux on Sv39 reaches; ranges up to it are merely unmapped here. */
const USER_END = 2 ** 38;

export class AddressSpace {
  readonly memory: GuestMemory;
  readonly map = new MemoryMap();
  readonly account: MemoryAccount;
  readonly layout: SpaceLayout;
  readonly #files: MappedFiles;
  readonly #backings: FileBackings;
  #heapEnd: number;
  #accessibleBytes = 0;
  #isOpen = true;
  /** Shared file mappings: the calls that move file bytes keep them equal to the files. */
  readonly #shared: SharedPages;

  constructor(parts: { readonly memory: GuestMemory; readonly account: MemoryAccount; readonly layout: SpaceLayout; readonly files: MappedFiles }) {
    this.memory = parts.memory;
    this.account = parts.account;
    this.layout = parts.layout;
    this.#files = parts.files;
    this.#heapEnd = parts.layout.heapStart;
    this.#backings = new FileBackings(parts.files);
    this.#shared = new SharedPages(parts.memory, parts.files, this.map);
  }

  get accessibleBytes(): number {
    return this.#accessibleBytes;
  }

  /** Current end of the heap, in bytes. */
  get heapEnd(): number {
    return this.#heapEnd;
  }

  get hasSharedFiles(): boolean {
    return !this.#shared.isEmpty;
  }

  /** Whether the program sees a page of a file at two places: what it stores at one is to be seen at the other. */
  get hasAliases(): boolean {
    return this.#shared.hasAliases;
  }

  #isAffordable(more: number): boolean {
    return this.account.usedBytes + more <= this.account.memoryBytes && this.map.mappings.length < MAPPINGS_MAX;
  }

  #charge(bytes: number): void {
    this.#accessibleBytes += bytes;
    this.account.usedBytes += bytes;
  }

  #accessibleIn(start: number, end: number): number {
    let bytes = 0;
    for (const part of this.map.within(start, end)) if (part.protection !== PROT.none) bytes += part.end - part.start;
    return bytes;
  }

  #insert(mapping: Mapping): void {
    this.#enter(mapping);
    if (mapping.backing !== undefined) this.#settleBackings();
  }

  #enter(mapping: Mapping): void {
    if (mapping.protection !== PROT.none) this.#charge(mapping.end - mapping.start);
    this.map.insert(mapping);
    if (this.#isOpen) {
      this.#backings.add(mapping);
      this.#shared.add(mapping);
    }
    this.#giveRights(mapping);
  }

  /** Those of its protection, as far as its file reaches. */
  #giveRights(mapping: Mapping): void {
    const [first, end, filledPages] = [mapping.start / PAGE_BYTES, mapping.end / PAGE_BYTES, this.#backings.filledPages(mapping)];
    this.memory.setRights(first, filledPages, rightsOf(mapping.protection));
    if (first + filledPages < end) this.memory.setRights(first + filledPages, end - first - filledPages, 0);
  }

  #take(start: number, end: number): Mapping[] {
    const parts = this.map.remove(start, end);
    for (const part of parts) {
      if (part.protection !== PROT.none) this.#charge(part.start - part.end);
      this.#backings.remove(part);
      this.#shared.remove(part);
    }
    return parts;
  }

  /** Releases files that lost their last mapping. */
  #settleBackings(): void {
    this.#backings.settle();
    this.#shared.refresh();
  }

  /** Files have other sizes: pages that are behind the end of theirs now lose rights and content, others get both (those of shared mappings take the content with loadShared). */
  fit(): void {
    if (!this.#isOpen) return;
    for (const { key, before, after } of this.#backings.takeResizes()) {
      for (const mapping of this.map.mappings) {
        if (mapping.backing?.key !== key) continue;
        const [first, had, has] = [mapping.start / PAGE_BYTES, filled(before, mapping), filled(after, mapping)];
        if (has < had) this.memory.discard(first + has, had - has);
        if (has <= had) continue;
        this.memory.setRights(first + had, has - had, rightsOf(mapping.protection));
        if (!mapping.isShared) this.#copyIn((first + had) * PAGE_BYTES, (has - had) * PAGE_BYTES, { ...mapping.backing, offset: mapping.backing.offset + had * PAGE_BYTES });
      }
    }
  }

  /** Whether the page is mapped and lies behind the end of its file. */
  isPastEnd(address: number): boolean {
    const mapping = this.map.find(address);
    return mapping !== undefined && this.#isOpen && Math.floor((address - mapping.start) / PAGE_BYTES) >= this.#backings.filledPages(mapping);
  }

  /** Maps; returns the address or -errno. `length` is positive, rounded up here. Content of files is copied in. */
  mapRange(request: MapRequest): number {
    const length = roundUp(request.length);
    const start = this.#place(request, length);
    if (start < 0) return start;
    const end = start + length;
    const freed = this.#accessibleIn(start, end);
    if (!this.#isAffordable((request.protection === PROT.none ? 0 : length) - freed)) return -ERRNO.ENOMEM;
    if (freed > 0 || !this.map.isFree(start, end)) this.unmapRange(start, end);
    this.#insert({
      start, end, protection: request.protection, isShared: request.isShared, name: request.name ?? '', backing: request.backing,
      wasAccessible: request.protection !== PROT.none || request.backing !== undefined,
    });
    if (request.backing !== undefined) this.#copyIn(start, length, request.backing);
    if (request.backing !== undefined && request.isShared) this.#shared.settle(start, end);
    return start;
  }

  #place({ place }: Pick<MapRequest, 'place'>, length: number): number {
    return placeFor(place, length, { map: this.map, layout: this.layout, heapEnd: this.#heapEnd, limit: this.memory.limit });
  }

  #copyIn(start: number, length: number, backing: Backing): void {
    this.memory.install(start, this.#files.read(backing.key, backing.offset, length));
  }

  /** Unmaps [start, end): page aligned, clipped to the space by the caller. Shared content goes back to its file first. */
  unmapRange(start: number, end: number): void {
    this.storeShared(start, end);
    const parts = this.#take(start, end);
    for (const part of parts) this.#discard(part);
    if (parts.some((part) => part.backing !== undefined)) this.#settleBackings();
  }

  #discard(part: Mapping): void {
    const first = part.start / PAGE_BYTES;
    const count = (part.end - part.start) / PAGE_BYTES;
    if (part.wasAccessible) this.memory.discard(first, count);
    else this.memory.setRights(first, count, 0);
  }

  /** munmap(2). */
  unmap(address: number, length: number): number {
    if (address % PAGE_BYTES !== 0 || length === 0 || address + length > USER_END) return -ERRNO.EINVAL;
    const end = Math.min(address + roundUp(length), this.memory.limit);
    if (end > address) this.unmapRange(address, end);
    return 0;
  }

  /** mprotect(2): applies up to the first hole, as Linux does. */
  protect(address: number, length: number, protection: number): number {
    if (address % PAGE_BYTES !== 0) return -ERRNO.EINVAL;
    const end = address + roundUp(length);
    if (length === 0) return 0;
    if (end > USER_END) return -ERRNO.ENOMEM;
    let reached = address;
    for (const part of this.map.within(address, end)) {
      if (part.start !== reached) return -ERRNO.ENOMEM;
      if ((protection & PROT.write) !== 0 && part.isShared && part.backing?.isWritable === false) return -ERRNO.EACCES;
      const size = part.end - part.start;
      if (part.protection === PROT.none && protection !== PROT.none && !this.#isAffordable(size)) return -ERRNO.ENOMEM;
      if (part.protection !== protection) {
        this.#take(part.start, part.end);
        this.#insert({ ...part, protection, wasAccessible: part.wasAccessible || protection !== PROT.none });
      }
      reached = part.end;
    }
    return reached === end ? 0 : -ERRNO.ENOMEM;
  }

  /** mremap(2). An old length of zero: the same pages of a shared mapping once more. */
  remap(request: RemapRequest): number {
    const { address } = request;
    if (address % PAGE_BYTES !== 0 || request.newLength === 0) return -ERRNO.EINVAL;
    const [oldLength, newLength] = [roundUp(request.oldLength), roundUp(request.newLength)];
    if (newLength > this.memory.limit) return -ERRNO.ENOMEM;
    const mapping = this.map.find(address);
    if (mapping === undefined) return -ERRNO.EFAULT;
    if (oldLength === 0 || request.keepsMapping) this.storeShared();
    if (oldLength === 0) return mapping.isShared && mapping.backing !== undefined ? this.#repeat(mapping, { ...request, newLength }) : -ERRNO.EINVAL;
    if (request.to === undefined && !request.keepsMapping && newLength <= oldLength) {
      if (!this.map.covers(address, address + newLength)) return -ERRNO.EFAULT;
      if (newLength < oldLength) this.unmapRange(address + newLength, address + oldLength);
      return address;
    }
    if (address + oldLength > mapping.end) return -ERRNO.EFAULT;
    const grows = mapping.protection === PROT.none ? 0 : request.keepsMapping ? newLength : Math.max(0, newLength - oldLength);
    if (!this.#isAffordable(grows)) return -ERRNO.ENOMEM;
    if (request.to === undefined && !request.keepsMapping && this.#grow(mapping, address + oldLength, newLength - oldLength)) return address;
    if (!request.mayMove) return -ERRNO.ENOMEM;
    return this.#move(mapping, { ...request, oldLength, newLength });
  }

  #repeat(mapping: Mapping, { address, newLength, mayMove, to }: RemapRequest): number {
    if (!mayMove) return -ERRNO.ENOMEM;
    const { backing, protection, isShared } = mapping;
    const place = to === undefined ? { kind: 'any', hint: 0 } as const : { kind: 'fixed', address: to } as const;
    return this.mapRange({ length: newLength, protection, isShared, backing: backing && { ...backing, offset: backing.offset + address - mapping.start }, place });
  }

  /** Extends `mapping` by `more` bytes at `end` when the space after it is free. */
  #grow(mapping: Mapping, end: number, more: number): boolean {
    if (mapping.end !== end || this.map.freeEnd(end, this.layout.mmapTop) < end + more) return false;
    const backing = mapping.backing === undefined ? undefined : { ...mapping.backing, offset: mapping.backing.offset + end - mapping.start };
    this.#insert({ ...mapping, start: end, end: end + more, backing });
    if (backing !== undefined) this.#copyIn(end, more, backing);
    return true;
  }

  #move(mapping: Mapping, { address, oldLength, newLength, to, keepsMapping }: RemapRequest): number {
    let target: number;
    if (to === undefined) {
      target = this.#place({ place: { kind: 'any', hint: 0 } }, newLength);
    } else {
      if (to % PAGE_BYTES !== 0 || to < LOWEST_ADDRESS || to + newLength > this.memory.limit) return -ERRNO.EINVAL;
      if (to < address + oldLength && address < to + newLength) return -ERRNO.EINVAL;
      this.unmapRange(to, to + newLength);
      target = to;
    }
    if (target < 0) return target;
    const [part] = this.#take(address, address + oldLength);
    assert(part !== undefined, 'a moved mapping exists');
    const backing = part.backing;
    this.#insert({ ...part, start: target, end: target + newLength, backing });
    if (part.wasAccessible) copyPages(this.memory, address, { to: target, length: Math.min(oldLength, newLength) });
    if (backing !== undefined && newLength > oldLength) this.#copyIn(target + oldLength, newLength - oldLength, { ...backing, offset: backing.offset + oldLength });
    this.#discard(part);
    if (keepsMapping) this.#insert(part);
    if (keepsMapping && backing !== undefined) this.#copyIn(address, oldLength, backing);
    if (mapping.backing !== undefined) this.#settleBackings();
    return target;
  }

  /** brk(2): the new end, or the old one when it cannot be moved there. */
  setHeapEnd(address: number): number {
    const { heapStart } = this.layout;
    if (address < heapStart || address > this.memory.limit) return this.#heapEnd;
    const oldEnd = roundUp(this.#heapEnd);
    const newEnd = roundUp(address);
    if (newEnd > oldEnd) {
      if (this.map.freeEnd(oldEnd, this.layout.mmapTop) < newEnd || !this.#isAffordable(newEnd - oldEnd)) return this.#heapEnd;
      this.#insert({ start: oldEnd, end: newEnd, protection: PROT.read | PROT.write, isShared: false, name: '[heap]', backing: undefined, wasAccessible: true });
    } else if (newEnd < oldEnd) {
      this.unmapRange(newEnd, oldEnd);
    }
    this.#heapEnd = address;
    return address;
  }

  /** MADV_DONTNEED: private anonymous pages become zero, private file pages show the file again. */
  forget(start: number, end: number): void {
    for (const part of this.map.within(start, end)) {
      if (part.isShared || !part.wasAccessible) continue;
      this.memory.zero(part.start / PAGE_BYTES, (part.end - part.start) / PAGE_BYTES);
      if (part.backing !== undefined) this.#copyIn(part.start, part.end - part.start, part.backing);
    }
  }

  /** What a child gets of [start, end) from now on; undefined: a copy. */
  adviseFork(start: number, end: number, advice: ForkAdvice | undefined): void {
    for (const part of this.map.within(start, end)) {
      if (part.fork === advice) continue;
      const { fork: _, ...plain } = part;
      this.map.remove(part.start, part.end);
      this.map.insert(advice === undefined ? plain : { ...plain, fork: advice });
    }
  }

  /** Shared mappings → files: what the program has changed in [start, end). */
  storeShared(start = 0, end = this.memory.limit): void {
    this.#shared.store(start, end);
  }

  /** Files → shared mappings: pages that differ take the file's bytes. */
  loadShared(): void {
    this.#shared.load();
  }

  /** Grows the main stack down to `address` when that is where a stack may be; false: it is not, or memory is used up. */
  growStack(address: number): boolean {
    const { stackBottom, stackTop } = this.layout;
    if (address < stackBottom || address >= stackTop || (this.memory.pageFlags[Math.floor(address / PAGE_BYTES)]! & PAGE_FLAG.read) !== 0) return false;
    const start = Math.floor(address / PAGE_BYTES) * PAGE_BYTES;
    const [lowest] = this.map.within(start, stackTop);
    if (lowest === undefined || lowest.start === start || lowest.name !== '[stack]' || !this.#isAffordable(lowest.start - start)) return false;
    this.#insert({ ...lowest, start, end: lowest.start });
    return true;
  }

  /** Makes `copy`, an empty space on zeroed memory, equal to this one (fork). Returns 0 or -ENOMEM (then nothing happened). */
  copyTo(copy: AddressSpace): number {
    const left = this.map.mappings.filter(({ fork }) => fork === 'nothing');
    const notCharged = left.reduce((sum, { start, end, protection }) => sum + (protection === PROT.none ? 0 : end - start), 0);
    if (!this.#isAffordable(this.#accessibleBytes - notCharged)) return -ERRNO.ENOMEM;
    this.storeShared(); // What only the copy would hold is taken back here unheard.
    copy.restore({ heapEnd: this.#heapEnd, mappings: this.map.mappings, isOpen: true });
    copy.memory.copyTouched(this.memory);
    copy.#shared.adopt(this.#shared);
    for (const { start, end } of left) copy.unmapRange(start, end);
    for (const { start, end, fork } of this.map.mappings) if (fork === 'zeros') copy.memory.zero(start / PAGE_BYTES, (end - start) / PAGE_BYTES);
    return 0;
  }

  /** The end of a process: shared content goes to its files, files are released. Pages stay for the last snapshot. */
  close(): void {
    this.storeShared();
    this.#isOpen = false;
    this.account.usedBytes -= this.#accessibleBytes;
    this.#backings.clear();
    this.#shared.clear();
  }

  /** After close(): the memory as new, for another space. */
  vacate(): void {
    assert(!this.#isOpen, 'only a closed space is vacated');
    for (const { start, end } of this.map.mappings) this.memory.setRights(start / PAGE_BYTES, (end - start) / PAGE_BYTES, 0);
    this.memory.reset();
  }

  /** Mappings and rights; pages have marks of their own (GuestMemory). */
  mark(): Undo {
    const [mappings, map, heapEnd, accessibleBytes, isOpen, shared, backings] = [this.map.mappings.slice(), this.map.mark(), this.#heapEnd, this.#accessibleBytes, this.#isOpen, this.#shared.mark(), this.#backings.mark()];
    return () => {
      const today = new Set(this.map.mappings);
      shared();
      const resized = backings();
      map();
      this.#putRightsBack(mappings, { today, resized });
      this.#heapEnd = heapEnd;
      this.#accessibleBytes = accessibleBytes;
      this.#isOpen = isOpen;
    };
  }

  /** The rights of `mappings` instead of those of today. */
  #putRightsBack(mappings: readonly Mapping[], { today, resized }: { readonly today: ReadonlySet<Mapping>; readonly resized: ReadonlySet<number> }): void {
    const then = new Set(mappings);
    for (const mapping of today) if (!then.has(mapping)) this.memory.setRights(mapping.start / PAGE_BYTES, (mapping.end - mapping.start) / PAGE_BYTES, 0);
    for (const mapping of mappings) if (!today.has(mapping) || (mapping.backing !== undefined && resized.has(mapping.backing.key))) this.#giveRights(mapping);
  }

  encode(): Canonical {
    return {
      heapEnd: this.#heapEnd,
      layout: { ...this.layout },
      mappings: this.map.mappings.map(({ backing, ...plain }) => ({ ...plain, backing: backing === undefined ? null : { ...backing } })),
      isOpen: this.#isOpen,
    };
  }

  /** Puts back the mappings of encode(); page content is restored by the caller. Files are retained again. */
  restore(state: { readonly heapEnd: number; readonly mappings: readonly Mapping[]; readonly isOpen: boolean }): void {
    this.#isOpen = state.isOpen;
    for (const mapping of state.mappings) this.#enter(mapping);
    this.#heapEnd = state.heapEnd;
    if (!state.isOpen) this.account.usedBytes -= this.#accessibleBytes;
  }
}
