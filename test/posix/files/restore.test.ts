// A machine that is taken apart and put together again in the middle of the conformance program goes on as if nothing had happened: same
// sections at once and later, same bytes written, same last line.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { seedFromNumber } from '../../../src/core/index.ts';
import { riscv64 } from '../../../src/isa/index.ts';
import { Guest, type MachineImage, type RestoredImage } from '../../../src/posix/index.ts';
import { bootGuest, Feeder, standardChannels } from '../process/run-guest.ts';

/** All pages that a capture would hold, copied; what was not reported dirty since the last capture must not have changed. */
class Captured {
  readonly #objects = new Map<string, Map<number, Uint8Array>>();

  take(state: MachineImage): RestoredImage {
    const names = new Set(state.objects.map((object) => object.name));
    for (const name of this.#objects.keys()) if (!names.has(name)) this.#objects.delete(name);
    for (const object of state.objects) {
      const pages = this.#objects.get(object.name) ?? new Map<number, Uint8Array>();
      this.#objects.set(object.name, pages);
      for (const index of object.dirtyPages()) pages.set(index, object.readPage(index).slice());
      object.markClean();
      for (const [index, bytes] of pages) if (bytes.every((byte) => byte === 0)) pages.delete(index);
    }
    const objects = [...this.#objects].map(([name, pages]) => ({
      name,
      pages: () => [...pages].sort(([a], [b]) => a - b).map(([index, bytes]) => ({ index, bytes: bytes.slice() })),
      source: ((held: ReadonlyMap<number, Uint8Array>) => ({ hasPage: (index: number) => held.has(index), page: (index: number) => held.get(index)?.slice() }))(new Map(pages)),
    }));
    return { sections: new Map([...state.sections].map(([name, bytes]) => [name, bytes.slice()])), objects };
  }
}

function lifeOf(program: Uint8Array, restoresEvery: number | undefined): { readonly text: string; readonly last: Map<string, string>; readonly restores: number } {
  let channels = standardChannels();
  const feeder = new Feeder('');
  let guest = bootGuest(program, { workingDirectory: '/home/guest' }, channels);
  let captured = new Captured();
  let text = '';
  let restores = 0;
  for (;;) {
    const stop = guest.run(restoresEvery ?? 1_000_000_000);
    for (const operation of channels.takeOutput()) if (operation.kind === 'write') text += Buffer.from(operation.bytes).toString('latin1');
    if (stop.kind === 'blocked') feeder.feed(guest, stop);
    else if (stop.kind !== 'budget') {
      expect(stop).toEqual({ kind: 'ended', outcome: { kind: 'exited', status: 0 } });
      return { text, restores, last: hexOf(guest.state()) };
    }
    if (restoresEvery === undefined || stop.kind !== 'budget') continue;
    const image = captured.take(guest.state());
    channels = standardChannels();
    const isLazy = restores % 2 === 1; // Then what has not come yet is as it was captured.
    guest = Guest.restore(image, { isLazy, isa: riscv64, channels, clock: { kind: 'zero' }, entropy: { kind: 'seed', seed: seedFromNumber(1n) } });
    expect(hexOf(guest.state())).toEqual(hexOf(image));
    if (!isLazy) captured = new Captured(); // A restored machine reports every page that may be non-zero.
    restores++;
  }
}

function hexOf(state: { readonly sections: ReadonlyMap<string, Uint8Array> }): Map<string, string> {
  return new Map([...state.sections].map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')]));
}

test('a restored file system is the same and goes on the same', () => {
  const directory = mkdtempSync(join(tmpdir(), 'stillpoint-files-'));
  try {
    const out = join(directory, 'guest');
    execFileSync('riscv64-linux-gnu-gcc', ['-w', '-O1', '-static', '-o', out, join(import.meta.dirname, 'cases.c')]);
    const program = readFileSync(out);
    const plain = lifeOf(program, undefined);
    const restored = lifeOf(program, 70_001);
    expect(restored.restores).toBeGreaterThan(20);
    expect(restored.text).toBe(plain.text);
    for (const name of ['files', 'processes', 'kernel']) expect(restored.last.get(name), name).toBe(plain.last.get(name));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
