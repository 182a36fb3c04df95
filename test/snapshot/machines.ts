/** A machine to take snapshots of: plain pages with dirty marks, and a model of what it holds. */
import { expect } from 'vitest';
import { limits } from '../../src/core/index.ts';
import type { MachineState, PageObject, RestoredState, Root, SnapshotWriter } from '../../src/snapshot/index.ts';
import type { MemoryStore } from '../../src/store/index.ts';

const { PAGE_BYTES } = limits;

export class TestObject implements PageObject {
  readonly name: string;
  readonly content = new Map<number, Uint8Array>();
  readonly #dirty = new Set<number>();

  constructor(name: string) {
    this.name = name;
  }

  dirtyPages(): readonly number[] {
    return [...this.#dirty].sort((a, b) => a - b);
  }

  readPage(pageIndex: number): Uint8Array {
    return this.content.get(pageIndex) ?? new Uint8Array(PAGE_BYTES);
  }

  markClean(): void {
    this.#dirty.clear();
  }

  readonly #watchers = new Set<(pageIndex: number) => void>();

  watch(before: (pageIndex: number) => void): () => void {
    this.#watchers.add(before);
    return () => { this.#watchers.delete(before); };
  }

  /** Fills a page; fill 0 makes it a page of zeros. */
  fill(pageIndex: number, fill: number, length = PAGE_BYTES): void {
    for (const before of this.#watchers) before(pageIndex);
    this.content.set(pageIndex, new Uint8Array(PAGE_BYTES).fill(fill, 0, length));
    this.#dirty.add(pageIndex);
  }

  write(pageIndex: number, bytes: Uint8Array): void {
    for (const before of this.#watchers) before(pageIndex);
    this.content.set(pageIndex, bytes);
    this.#dirty.add(pageIndex);
  }

  /** Flips bits of every page, without a mark: twice is as before. */
  scribble(): void {
    for (const [index, bytes] of this.content) {
      for (const before of this.#watchers) before(index);
      bytes[5]! ^= 0xff;
    }
  }

  /** The same content with every page that is not zero dirty: what a first capture sees. */
  copy(): TestObject {
    const copy = new TestObject(this.name);
    for (const [index, bytes] of this.content) if (bytes.some((byte) => byte !== 0)) copy.write(index, bytes.slice());
    return copy;
  }
}

export class TestMachine implements MachineState {
  readonly sections = new Map<string, Uint8Array>();
  objects: TestObject[] = [];

  object(name: string): TestObject {
    let found = this.objects.find((object) => object.name === name);
    if (found === undefined) this.objects.push((found = new TestObject(name)));
    return found;
  }

  copy(): TestMachine {
    const copy = new TestMachine();
    for (const [name, bytes] of [...this.sections].reverse()) copy.sections.set(name, bytes.slice());
    copy.objects = this.objects.map((object) => object.copy()).reverse();
    return copy;
  }
}

/** A state as plain data that can be compared: zero pages left out, names sorted. */
export function plain(state: MachineState | RestoredState): unknown {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const pages = (object: TestObject | RestoredState['objects'][number]): [number, string][] => {
    const all = object instanceof TestObject ? [...object.content].map(([index, bytes]) => ({ index, bytes })) : [...object.pages()];
    return all.filter(({ bytes }) => bytes.some((byte) => byte !== 0)).map(({ index, bytes }): [number, string] => [index, text(bytes)]).sort(([a], [b]) => a - b);
  };
  return {
    sections: [...state.sections].map(([name, bytes]) => [name, text(bytes)]).sort(),
    objects: (state.objects as readonly (TestObject | RestoredState['objects'][number])[]).map((object) => [object.name, pages(object)]).sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  };
}

/** Captures a machine and commits that. */
export async function save(store: MemoryStore, writer: SnapshotWriter, machine: TestMachine): Promise<Root> {
  const capture = writer.capture(machine);
  expect(await store.commit(capture.batch)).toBe('done');
  capture.confirm();
  return capture.root;
}
