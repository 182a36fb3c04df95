/** Translations that another machine has made: used where memory is what they were made from, never elsewhere. */
import { deserialize, serialize } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { ProgramTranslations, type TranslationStore } from '../../src/engine/translations.ts';
import { riscv64 } from '../../src/isa/index.ts';
import { SharedTranslations } from '../programs/shared-translations.ts';
import { Random } from '../isa/random.ts';
import { CODE, DATA, LockstepPair, randomCode, randomMixedCode } from './lockstep-machines.ts';

/** A store whose keys do not tell programs apart, so that only the digests of pages do. */
class OneStore extends SharedTranslations {
  kept = new ProgramTranslations();

  override program(): ProgramTranslations { return this.kept; }

  /** As if another process had read it from its file. */
  reopen(): void { this.kept = new ProgramTranslations(deserialize(serialize(this.kept.news())) as ReturnType<ProgramTranslations['news']>); }
}

/** Runs in lockstep with the interpreter until the code ends or the budgets do; the number of kept modules used. */
function run(code: Uint8Array, store: TranslationStore, seed: number, { isLate = false, isWritable = false } = {}): number {
  const pair = new LockstepPair(code, 1, { isWritable, isLate, store });
  follow(pair, seed);
  return pair.effort?.keptModules ?? 0;
}

function follow(pair: LockstepPair, seed: number): void {
  const random = new Random(seed);
  pair.each((cpu) => {
    riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 4096 });
    for (const register of [8, 9]) cpu.state.x[2 * register] = DATA + 4096;
  });
  for (let slice = 0; slice < 60; slice++) {
    const { difference } = pair.run(1 + random.below(400));
    expect(difference).toBeUndefined();
    pair.each((cpu) => { cpu.isa.abi.setProgramCounter(cpu.state, CODE + 4 * (slice % 3)); });
  }
}

/** How many WebAssembly instances `action` makes. */
function instancesIn(action: () => void): number {
  const { Instance } = WebAssembly;
  let count = 0;
  WebAssembly.Instance = class extends Instance {
    constructor(...given: ConstructorParameters<typeof Instance>) {
      super(...given);
      count++;
    }
  };
  try {
    action();
  } finally {
    WebAssembly.Instance = Instance;
  }
  return count;
}

describe('kept translations', () => {
  it('fit the same code in another process, and give what the interpreter gives', () => {
    let used = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const code = (seed % 2 === 0 ? randomCode : randomMixedCode)(new Random(seed));
      const store = new OneStore();
      expect(run(code, store, 1)).toBe(0);
      store.reopen();
      used += run(code, store, 1) + run(code, store, 2);
      used += run(code, store, 3, { isLate: true });
    }
    expect(used).toBeGreaterThan(5);
  });

  it('are not used for other code at the same place, whatever the key says', () => {
    for (let seed = 21; seed <= 26; seed++) {
      const code = randomCode(new Random(seed));
      const store = new OneStore();
      run(code, store, 1, { isWritable: true });
      const changed = code.slice();
      changed.set([0x13, 0, 0, 0], 4 * (seed - 20)); // A no-operation somewhere at the start.
      expect(run(changed, store, 1, { isWritable: true })).toBe(0);
    }
  });

  it('are linked once for a memory, whatever processes and programs come and go in it', () => {
    let [used, made] = [0, 0];
    for (const [mixed, plain] of [[5, 7], [7, 19], [16, 23], [17, 5]] as const) { // Codes that become hot.
      const [code, other] = [randomMixedCode(new Random(mixed)), randomCode(new Random(plain))];
      const store = new OneStore();
      for (const program of [code, other]) run(program, store, 1);
      store.reopen();
      const pair = new LockstepPair(code, 1, { store, isLate: mixed === 7 });
      follow(pair, 1);
      pair.replace(other);
      follow(pair, 1);
      const before = pair.effort!.keptModules;
      made += instancesIn(() => {
        for (const program of [code, other, other, code]) {
          pair.replace(program);
          follow(pair, 1);
        }
      });
      used += pair.effort!.keptModules - before;
    }
    expect(used).toBeGreaterThan(10);
    expect(made).toBe(0);
  });
});
