/** Translations that the machines of one job share, in memory, as those of a run share them: a program is translated once, and every later machine takes what fits its pages. */
import { createHash } from 'node:crypto';
import { EngineModules } from '../../src/engine/kept-module.ts';
import { ProgramTranslations, type TranslationStore } from '../../src/engine/translations.ts';

const modules = new EngineModules();

export class SharedTranslations implements TranslationStore {
  readonly #programs = new Map<string, ProgramTranslations>();

  digest(...parts: readonly Uint8Array[]): string {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return hash.digest('hex');
  }

  program(key: string): ProgramTranslations {
    let program = this.#programs.get(key);
    if (program === undefined) this.#programs.set(key, program = new ProgramTranslations());
    return program;
  }

  engine(): EngineModules {
    return modules;
  }
}
