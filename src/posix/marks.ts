/**
 * Marks of a whole machine: every object of the kernel and every memory, so that a transaction can be undone in place.
 *
 *   mark()     objects copy their fields (microseconds); memories begin to keep pages at their first write
 *   undo       fields and pages are put back, mappings get their rights again; executors keep their code where its pages did not change
 *   release()  the copies are dropped
 *
 * Invariants: after an undo describeKernel() gives the same bytes as at the mark, and so do the dirty marks; objects that were made since
 * are garbage, objects that ended are back under their identity.
 * What this does NOT do: encode anything (guest-state.ts); undo host caches (spare memories, chunks of host files).
 */
import type { Undo } from '../core/index.ts';
import type { Cpu, GuestMemory } from '../engine/index.ts';
import type { Kernel } from './kernel.ts';
import type { ProcessImage } from './process-image.ts';

/** Page numbers by page object (`memory/2`, `file/17`), ascending. */
export type Changed = ReadonlyMap<string, readonly number[]>;

export class Marks {
  readonly #kernel: Kernel;
  /** Memories that keep pages, with the image they belong to. */
  readonly #memories = new Map<GuestMemory, string>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  mark(): Undo {
    const kernel = this.#kernel;
    kernel.isMarked = true;
    const parts: Undo[] = [kernel.mark()];
    const cpus = new Set<Cpu>([kernel.processor]);
    const images = new Set<ProcessImage>();
    for (const process of kernel.processes) {
      parts.push(process.mark());
      for (const thread of process.threads) parts.push(thread.mark());
      if (process.hasImage) images.add(process.image);
    }
    for (const image of images) {
      cpus.add(image.cpu);
      this.#memories.set(image.cpu.memory, `memory/${image.id}`);
      const { users } = image;
      parts.push(image.space.mark(), image.cpu.memory.mark(), () => { image.users = users; });
    }
    for (const cpu of cpus) parts.push(cpu.mark());
    return () => { for (const undo of parts) undo(); };
  }

  release(): void {
    for (const memory of this.#memories.keys()) memory.release();
    this.#memories.clear();
    this.#kernel.isMarked = false;
    this.#kernel.files.releaseMarks();
    this.#kernel.channels.release();
  }

  /** Memory by content, files by what was written. */
  changed(): Changed {
    const changed = new Map<string, readonly number[]>();
    for (const [memory, name] of this.#memories) {
      const pages = memory.changedPages();
      if (pages.length > 0) changed.set(name, pages);
    }
    for (const content of this.#kernel.files.contents()) {
      const pages = [...new Set(content.writtenPages)].sort((a, b) => a - b);
      if (pages.length > 0) changed.set(content.name, pages);
    }
    return changed;
  }
}
