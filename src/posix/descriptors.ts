/**
 * The descriptor table of a process: small numbers → open files. The lowest free number is given out.
 * Invariants: every entry holds one reference on its open file; numbers stay below the limit. Where a search begins is derived, and no state.
 * What this does NOT do: POSIX record locks on close (FileContext, which knows the process).
 */
import { assert, limits, StillpointError, type Canonical, type Undo } from '../core/index.ts';
import { ERRNO } from './errno.ts';
import type { FileSystem } from './files/file-system.ts';
import type { OpenFile } from './open-file.ts';

interface Descriptor { readonly openFile: OpenFile; closesOnExec: boolean }

export class DescriptorTable {
  readonly #files: FileSystem;
  readonly #descriptors: (Descriptor | undefined)[] = [];
  /** RLIMIT_NOFILE, soft. */
  limit = limits.DESCRIPTORS_USUAL;
  /** No number below it is free: where a search begins. */
  #fullTo = 0;

  constructor(files: FileSystem) {
    this.#files = files;
  }

  get(number: number): OpenFile | undefined {
    return this.#descriptors[number]?.openFile;
  }

  /** Lowest free number at or above `least`, or -EMFILE. */
  lowestFree(least = 0): number {
    let number = Math.max(least, this.#fullTo);
    while (this.#descriptors[number] !== undefined) number++;
    if (least <= this.#fullTo) this.#fullTo = number;
    return number < this.limit ? number : -ERRNO.EMFILE;
  }

  /** Puts an open file at a free number. */
  set(number: number, openFile: OpenFile, closesOnExec: boolean): void {
    assert(number >= 0 && number < limits.DESCRIPTORS_MAX && this.#descriptors[number] === undefined, 'a descriptor goes to a free number');
    openFile.references++;
    this.#descriptors[number] = { openFile, closesOnExec };
  }

  /** Frees a number; undefined when it was free. */
  close(number: number): OpenFile | undefined {
    const descriptor = this.#descriptors[number];
    if (descriptor === undefined) return undefined;
    this.#descriptors[number] = undefined;
    this.#fullTo = Math.min(this.#fullTo, number);
    while (this.#descriptors.length > 0 && this.#descriptors.at(-1) === undefined) this.#descriptors.pop();
    this.#files.releaseOpenFile(descriptor.openFile);
    return descriptor.openFile;
  }

  closesOnExec(number: number): boolean {
    return this.#descriptors[number]?.closesOnExec ?? false;
  }

  setClosesOnExec(number: number, value: boolean): void {
    const descriptor = this.#descriptors[number];
    assert(descriptor !== undefined, 'flags belong to an open descriptor');
    descriptor.closesOnExec = value;
  }

  /** Open numbers, ascending. */
  numbers(): readonly number[] {
    return this.#descriptors.flatMap((descriptor, number) => (descriptor === undefined ? [] : [number]));
  }

  /** The same open files under the same numbers, for a fork. */
  copy(): DescriptorTable {
    const copy = new DescriptorTable(this.#files);
    copy.limit = this.limit;
    for (const number of this.numbers()) copy.set(number, this.#descriptors[number]!.openFile, this.closesOnExec(number));
    return copy;
  }

  mark(): Undo {
    const [limit, descriptors] = [this.limit, this.#descriptors.map((descriptor) => descriptor && { ...descriptor })];
    return () => {
      this.limit = limit;
      this.#fullTo = 0;
      this.#descriptors.length = 0;
      for (const descriptor of descriptors) this.#descriptors.push(descriptor && { ...descriptor });
    };
  }

  state(): Canonical {
    return [this.limit, this.numbers().map((number) => [number, this.#descriptors[number]!.openFile.id, this.closesOnExec(number)])];
  }

  static restore(state: Canonical, files: FileSystem): DescriptorTable {
    const table = new DescriptorTable(files);
    const [limit, entries] = state as readonly [number, readonly (readonly [number, number, boolean])[]]; // Checked field by field below.
    table.limit = limit;
    for (const [number, id, closesOnExec] of entries) {
      const openFile = files.openFiles.get(id);
      const isSound = Number.isInteger(number) && number >= 0 && number < limits.DESCRIPTORS_MAX && table.get(number) === undefined;
      if (!isSound) throw new StillpointError('E_STATE_FORMAT', 'a descriptor has an unsound number');
      if (openFile === undefined) throw new StillpointError('E_STATE_FORMAT', 'a descriptor refers to an open file that is not there');
      table.set(number, openFile, closesOnExec);
    }
    return table;
  }
}
