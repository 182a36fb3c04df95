/**
 * The translator in a thread of its own: makes units of the code that requests bring copies of, program by program.
 * Invariants: a request is answered once. Nothing is decided here that the guest could see: whoever installs a batch compares the pages that it was made from.
 * What this does NOT do: send or receive (live/translator-worker.ts), install (unit-table.ts).
 */
import { CodeCache, liftBatch } from '../isa/index.ts';
import { CodeReplica, MissingPages } from './code-replica.ts';
import { KnownUnits, unitLayout } from './known-units.ts';
import { Places } from './places.ts';
import { codePagesOf } from './translations.ts';
import type { ProgramBeginning, TranslationAnswer, TranslationRequest } from './translation-requests.ts';

export interface ThreadTranslatorParts {
  /** SHA-256 in hexadecimal. */
  readonly digest: (bytes: Uint8Array) => string;
  /** In milliseconds. */
  readonly clock: () => number;
}

export class ThreadTranslator {
  readonly #parts: ThreadTranslatorParts;
  readonly #programs = new Map<number, ProgramTranslator>();

  constructor(parts: ThreadTranslatorParts) {
    this.#parts = parts;
  }

  answer(request: TranslationRequest): TranslationAnswer {
    if (request.beginning !== undefined) this.#programs.set(request.program, new ProgramTranslator(request.beginning, this.#parts));
    return this.#programs.get(request.program)!.answer(request); // The first request of a program begins it.
  }
}

class ProgramTranslator {
  readonly #parts: ThreadTranslatorParts;
  readonly #replica: CodeReplica;
  readonly #code: CodeCache;
  readonly #known: KnownUnits;
  readonly #places = new Places();
  readonly #layout: ReturnType<typeof unitLayout>;
  /** Places that have been hot. */
  readonly #hot = new Set<number>();

  constructor({ constants, maps, limit }: ProgramBeginning, parts: ThreadTranslatorParts) {
    this.#parts = parts;
    this.#replica = new CodeReplica(limit);
    this.#code = new CodeCache(this.#replica);
    this.#known = new KnownUnits(this.#replica);
    this.#layout = unitLayout(constants, { known: this.#known, places: () => this.#places, maps });
  }

  answer({ id, entries, hot, news, memory }: TranslationRequest): TranslationAnswer {
    const started = this.#parts.clock();
    for (const page of this.#replica.follow(memory)) this.#code.forget(page);
    this.#places.follow(news.slots, news.mapsUsed);
    for (const unit of news.units) this.#known.add(unit);
    for (const address of hot) this.#hot.add(address);
    const slotsBefore = this.#places.slots.size;
    try {
      const batch = this.#places.isFull ? undefined : liftBatch(this.#code, entries, this.#layout, (address) => !this.#known.has(address) && this.#hot.has(address));
      for (const unit of batch?.units ?? []) this.#known.add(unit);
      const module = batch === undefined ? undefined : new WebAssembly.Module(batch.module as Uint8Array<ArrayBuffer>); // Never shared memory.
      const digests = new Map([...(batch === undefined ? [] : codePagesOf(batch))].map((page) => [page, this.#parts.digest(this.#replica.page(page))]));
      return { kind: 'translated', id, batch, module, digests, slots: [...this.#places.slots].slice(slotsBefore), mapsUsed: this.#places.mapsUsed, milliseconds: this.#parts.clock() - started };
    } catch (error) {
      if (error instanceof MissingPages) return { kind: 'missing', id, pages: error.pages };
      throw error;
    }
  }
}
