/**
 * What one memory has asked the thread beside it for, and what has come of that.
 * Invariants: what was asked before forget() arrives nowhere. What this does NOT do: speak with the thread (translation-requests.ts), install (unit-table.ts).
 */
import type { CodeSource, HotEntry, LayoutConstants } from '../isa/index.ts';
import type { GuestMemory } from './memory.ts';
import type { TranslationRequests } from './translation-requests.ts';
import type { KeptBatch, ProgramTranslations } from './translations.ts';

/** `kept`: undefined where nothing could be translated. */
export interface Arrived { readonly entries: readonly HotEntry[]; readonly kept: KeptBatch | undefined; readonly milliseconds: number }

export interface AskedUnitsParts {
  /** Undefined: there is no such thread. */
  readonly requests: TranslationRequests | undefined;
  readonly memory: GuestMemory; readonly source: CodeSource; readonly constants: LayoutConstants;
  /** Where jump maps begin in the linear memory. */
  readonly maps: number;
}

export class AskedUnits {
  readonly #parts: AskedUnitsParts;
  readonly #waiting = new Set<number>();
  #arrived: Arrived[] = [];
  #asking = 0;

  constructor(parts: AskedUnitsParts) {
    this.#parts = parts;
  }

  /** Whether something may still come. */
  get isWaiting(): boolean { return this.#waiting.size > 0; }

  has(address: number): boolean { return this.#waiting.has(address); }

  /** Whether it can be asked for a program. */
  get isOpen(): boolean { return this.#parts.requests?.isOpen === true; }

  /** Whether the thread is at a program now, for whoever: nobody else translates it. */
  isAt(program: ProgramTranslations): boolean { return this.#parts.requests?.isAt(program) === true; }

  /** Has places translated; `hot`: further ones that have become hot since the last time. False: that is not to be had. */
  ask(program: ProgramTranslations, entries: readonly HotEntry[], hot: readonly number[]): boolean {
    const { requests, memory, constants, maps, source } = this.#parts;
    const asking = this.#asking;
    const isWanted = (): boolean => asking === this.#asking;
    const arrived = (kept: KeptBatch | undefined, milliseconds: number): void => { if (isWanted()) this.#arrived.push({ entries, kept, milliseconds }); };
    const isAsked = requests?.ask({ program, entries, hot, memory, constants, maps, isExact: () => source.isExact(), isWanted, arrived }) === true;
    for (const { address } of isAsked ? entries : []) this.#waiting.add(address);
    return isAsked;
  }

  /** What has come since the last call. */
  take(): readonly Arrived[] {
    this.#parts.requests?.poll();
    const arrived = this.#arrived;
    if (arrived.length > 0) this.#arrived = [];
    for (const { entries } of arrived) for (const { address } of entries) this.#waiting.delete(address);
    return arrived;
  }

  /** Pages of a batch were others than here: the next request brings them anew. */
  refuse(program: ProgramTranslations, { digests }: KeptBatch): void {
    this.#parts.requests?.forgetPages(program, digests.keys());
  }

  forget(): void {
    this.#waiting.clear();
    this.#arrived = [];
    this.#asking++;
  }
}
