/**
 * What a file still shows of the image file that it was: pages that nobody changed, read from the image when they are asked for.
 *
 * Invariants: of the image only bytes below `size` show, and only in `pages`; both shrink, and an undo alone lets them grow. Sizes and offsets are bytes.
 * What this does NOT do: count for the space of the file system, know the pages that are the guest's own (content.ts).
 */
import { limits, type Undo } from '../../core/index.ts';
import { PageRuns } from './page-runs.ts';

const { PAGE_BYTES } = limits;

/** The bytes of an image file, which never change. */
export interface FileBase {
  readonly size: number;
  /** Bytes that lie within the size. Throws StillpointError when the host cannot give them. */
  read(offset: number, length: number): Uint8Array;
}

/** What is left of the base: bytes below `size`, in the pages of `runs`. */
export interface BaseState { readonly size: number; readonly runs: readonly number[] }

export class BasePages {
  readonly pages: PageRuns;
  readonly #base: FileBase | undefined;
  #size: number;

  /** Without `left`: all of the base. Without a base: nothing. */
  constructor(base: FileBase | undefined, left: BaseState | undefined) {
    this.#base = base;
    this.#size = left?.size ?? base?.size ?? 0;
    this.pages = new PageRuns(left?.runs ?? (this.#size === 0 ? [] : [0, Math.ceil(this.#size / PAGE_BYTES)]));
  }

  /** Whether a file of `size` bytes, none of whose pages are its own, is the image's. */
  isAllOf(size: number): boolean {
    const base = this.#base;
    return base !== undefined && size === base.size && this.#size === base.size && this.pages.count === Math.ceil(base.size / PAGE_BYTES);
  }

  /** For a checkpoint. */
  state(): BaseState {
    return { size: this.#size, runs: this.pages.bounds() };
  }

  /** Nothing at or beyond `size` shows any more. */
  cut(size: number): void {
    this.#size = Math.min(this.#size, size);
  }

  /** All of `out` from the offset on, which lies in pages of the base: zeros behind what shows. */
  read(offset: number, out: Uint8Array): void {
    const shown = Math.max(0, Math.min(this.#size - offset, out.length));
    if (shown > 0) out.set(this.#base!.read(offset, shown));
    out.fill(0, shown);
  }

  /** The bytes of a page of the file, which is no longer the base's: zeros where it was not. */
  takePage(page: number): Uint8Array {
    const bytes = new Uint8Array(PAGE_BYTES);
    if (!this.pages.has(page)) return bytes;
    this.read(page * PAGE_BYTES, bytes);
    this.pages.remove(page, page + 1);
    return bytes;
  }

  mark(): Undo {
    const size = this.#size;
    const undoPages = this.pages.mark();
    return () => {
      this.#size = size;
      undoPages();
    };
  }
}
