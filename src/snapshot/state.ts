/**
 * What a snapshot is made from and gives back: named sections of canonical bytes, and page-addressed objects (guest memory, file contents).
 * posix produces and consumes these shapes without knowing this folder (structural typing); snapshot never looks inside them.
 */
import type { BlobHash } from '../core/index.ts';

/** A byte array of whole 4 KiB pages, most of them zero or unchanged since the last capture. */
export interface PageObject {
  /** Stable name inside the machine, e.g. `memory/1` or `file/17`. */
  readonly name: string;
  /** Pages changed since the last markClean(), ascending; at the first capture after boot or restore-by-copy: every page that may be non-zero. */
  dirtyPages(): readonly number[];
  /** 4096 bytes, a view that is valid until the guest runs again. All pages not reported dirty have the bytes of the last capture (zero at first). */
  readPage(pageIndex: number): Uint8Array;
  /** Called after a successful capture. */
  markClean(): void;
  /** From now on `before` hears of each page before it first changes, and perhaps again; the answer ends that. Absent: readers do not outlive the guest's next step. */
  watch?(before: (pageIndex: number) => void): () => void;
}

/** Everything a machine is at one instruction count. */
export interface MachineState {
  /** Section name → canonical bytes. */
  readonly sections: ReadonlyMap<string, Uint8Array>;
  readonly objects: readonly PageObject[];
}

/** Gives a restored object its pages: only the non-zero ones, ascending. */
export interface RestoredObject {
  readonly name: string;
  /** Indices of all non-zero pages, ascending. */
  pages(): Iterable<{ readonly index: number; readonly bytes: Uint8Array }>;
  readonly source: PageSource;
}
/** The pages of a restored object one by one, each read and checked when it is asked for. Throws the errors of reader.ts. */
export interface PageSource {
  /** Whether a page holds anything but zeros. */
  hasPage(index: number): boolean;
  /** The first page from `from` on that holds anything but zeros, without a look at each before it; a source that has none is asked page by page. */
  nextPage?(from: number): number | undefined;
  /** 4096 bytes, the caller's own; undefined: zeros. */
  page(index: number): Uint8Array | undefined;
}
export interface RestoredState {
  readonly sections: ReadonlyMap<string, Uint8Array>;
  readonly objects: readonly RestoredObject[];
}

/** Identity of a whole state. */
export type Root = BlobHash;
