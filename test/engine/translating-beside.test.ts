/** Units that a thread makes beside the guest: whenever they come, and whatever the code is by then, the guest does what the interpreter does. */
import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startTranslatorThread } from '../../src/engine/live/translator-thread.ts';
import { TranslationRequests, type TranslatorThread } from '../../src/engine/translation-requests.ts';
import { riscv64, STOP } from '../../src/isa/index.ts';
import { SharedTranslations } from '../programs/shared-translations.ts';
import { assemble } from '../isa/guest.ts';
import { Random } from '../isa/random.ts';
import { CODE, DATA, LockstepPair } from './lockstep-machines.ts';
import { TwinThread } from './twin-thread.ts';

const WORKER = new URL('../../dist/bin/translator-worker.js', import.meta.url);

class BesideStore extends SharedTranslations {
  readonly requests: TranslationRequests;

  constructor(start: () => TranslatorThread | undefined) {
    super();
    this.requests = new TranslationRequests(start);
  }
}

function start(pair: LockstepPair): void {
  pair.each((cpu) => {
    riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 4096 });
    for (const register of [8, 9]) cpu.state.x[2 * register] = DATA + 4096;
  });
}

/** One slice of both; what cannot go on begins again. */
function step(pair: LockstepPair, random: Random): void {
  const { stop, difference } = pair.run(1 + random.below(2000));
  expect(difference).toBeUndefined();
  if (stop !== STOP.budget) start(pair);
}

/** `between` happens after each slice. The number of modules that came from the thread. */
function follow(code: Uint8Array, { seed, thread, isLate = false, isWritable = false, slices = 90, between = () => undefined }: {
  readonly seed: number; readonly thread: TranslatorThread | undefined; readonly isLate?: boolean; readonly isWritable?: boolean; readonly slices?: number;
  readonly between?: (pair: LockstepPair, random: Random, slice: number) => void;
}): number {
  const store = new BesideStore(() => thread);
  const pair = new LockstepPair(code, 1, { store, besideFrom: 0, isLate, isWritable });
  const random = new Random(seed);
  start(pair);
  for (let slice = 0; slice < slices; slice++) {
    step(pair, random);
    between(pair, random, slice);
  }
  return pair.effort!.besideModules;
}

/** A loop for ever around calls of functions, each with a loop of its own; they lie on several pages. */
function codeOf(seed: number): Uint8Array {
  const random = new Random(seed);
  const of = (names: string): string => names.split(' ')[random.below(names.split(' ').length)]!;
  const any = (): string => of('a0 a2 a3 a4 t1 t2 t3');
  const piece = (): string => [
    `${of('add sub xor or and addw mul sltu')} ${any()}, ${any()}, ${any()}`, `${of('addi xori slti addiw')} ${any()}, ${any()}, ${random.below(4096) - 2048}`,
    `${of('ld lw lbu lh')} ${any()}, ${8 * random.below(100)}(s0)`, `${of('sd sw sb')} ${any()}, ${8 * random.below(100)}(s1)`, `beq ${any()}, ${any()}, 2f; xor ${any()}, ${any()}, ${any()}; 2: nop`,
  ][random.below(5)]!;
  const functions = Array.from({ length: 14 }, (_, index) => `f${index}: li t0, ${1 + random.below(12)}; 1: ${Array.from({ length: 3 + random.below(12) }, piece).join('; ')}; addi t0, t0, -1; bnez t0, 1b; ret; .skip ${random.below(1500) & ~3}`);
  return assemble(`0: ${Array.from({ length: 30 }, () => `call f${random.below(14)}`).join('; ')}; j 0b\n${functions.join('\n')}`);
}

describe('units from a thread beside the guest', () => {
  it('do what the interpreter does, however late they come', () => {
    let came = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const random = new Random(seed);
      came += follow(codeOf(seed), { seed, thread: new TwinThread(() => random.below(seed)), isLate: seed % 3 === 0 });
    }
    expect(came).toBeGreaterThan(12);
  });

  it('are not used for code that has changed meanwhile', () => {
    const thread = new TwinThread(() => 0);
    thread.isHeld = true;
    const code = assemble('j 1f; .option norvc; .balign 4096; 1: addi a0, a0, 1; addi a2, a2, 3; beqz zero, 1b'); // The first page names the program, so that is not changed.
    const pair = new LockstepPair(code, 1, { store: new BesideStore(() => thread), besideFrom: 0, isWritable: true });
    start(pair);
    expect(pair.run(100).difference).toBeUndefined();
    expect(thread.requests.length).toBe(1);
    pair.each((cpu) => { cpu.memory.write(CODE + 4096, new Uint8Array(Uint32Array.of(0x00250513).buffer)); }); // addi a0, a0, 2
    thread.isHeld = false;
    for (let slice = 0; slice < 10; slice++) expect(pair.run(1000).difference).toBeUndefined();
    expect(pair.effort!.besideModules).toBe(0);
  });

  it('do the same while code changes all the time', () => {
    let came = 0;
    for (let seed = 31; seed <= 34; seed++) {
      const random = new Random(seed);
      came += follow(codeOf(seed), {
        seed, thread: new TwinThread(() => random.below(100)), isWritable: true,
        between: (pair) => {
          const at = CODE + 4 * random.below(3000);
          pair.each((cpu) => { cpu.memory.write(at, new Uint8Array(Uint32Array.of(0x00150513).buffer)); });
        },
      });
    }
    expect(came).toBeGreaterThan(4);
  });

  it('may find everything dropped, or another program in their place', () => {
    for (let seed = 51; seed <= 54; seed++) {
      const random = new Random(seed);
      follow(codeOf(seed), {
        seed, thread: new TwinThread(() => random.below(10)),
        between: (pair, _random, slice) => {
          if (slice % 7 === 3) pair.each((cpu) => { cpu.dropCaches(); });
          if (slice % 31 !== 30) return;
          pair.replace(codeOf(seed + slice));
          start(pair);
        },
      });
    }
  });

  it('are made by the guest itself where there is no thread, or where it fails', () => {
    expect(follow(codeOf(2), { seed: 2, thread: undefined })).toBe(0);
    const thread = new TwinThread(() => 3);
    const before = follow(codeOf(4), { seed: 4, thread, between: (_pair, _random, slice) => { if (slice === 40) thread.state = 'failed'; } });
    expect(thread.requests.length).toBeGreaterThan(0);
    expect(before).toBeGreaterThan(0);
  });

  it('come out of a real thread, which is asked for what it does not have and ends with the process', async () => {
    expect(existsSync(WORKER), 'npm run build makes it').toBe(true);
    const store = new BesideStore(() => startTranslatorThread(WORKER));
    const pair = new LockstepPair(codeOf(6), 1, { store, besideFrom: 0 });
    const random = new Random(6);
    start(pair);
    const isThere = startTranslatorThread(WORKER) !== undefined; // Not with one processor.
    for (let slice = 0; isThere && pair.effort!.besideModules < 2 && slice < 20_000; slice++) {
      step(pair, random);
      await setImmediate();
    }
    expect(pair.effort!.besideModules).toBeGreaterThanOrEqual(isThere ? 2 : 0);
  });
});
