/**
 * The other process of lmdb-damage.test.ts: damage-child.ts DATA-FILE DIRECTORY FROM TO. Each case changes one byte of a copy of the store, reads and writes it, and prints a line:
 * "N AT same|differs|CODE". Before a case its number is printed alone, so that whoever waits knows which one ended the process.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StillpointError } from '../../src/core/index.ts';
import { TABLES, type Table } from '../../src/store/index.ts';
import { lookAtPages, openLmdbStore, type LmdbStore } from '../../src/store/live/lmdb-store.ts';

const [, , file = '', directory = '', from = '0', to = '0'] = process.argv;
const original = readFileSync(file);
const PAGE_BYTES = 4096;
const HEADER_BYTES = 24;
const ALL = { from: Uint8Array.of(0), to: new Uint8Array(500).fill(255) };

function generator(seed: number): () => number {
  let state = seed * 2654435761;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

/** Places where LMDB keeps what it follows come more often: headers of pages, pointers, heads of nodes near them. */
function place(random: () => number): number {
  random();
  const page = Math.floor(random() * (original.length / PAGE_BYTES)) * PAGE_BYTES;
  const kind = random();
  if (kind < 0.3) return page + Math.floor(random() * HEADER_BYTES);
  return page + (kind < 0.6 ? HEADER_BYTES + Math.floor(random() * 90) : Math.floor(random() * PAGE_BYTES));
}

function records(store: LmdbStore): Map<string, string> {
  return new Map(TABLES.flatMap((table) => [...store.range(table, ALL)].map(({ key, value }): [string, string] => [`${table} ${Buffer.from(key).toString('hex')}`, Buffer.from(value).toString('base64')])));
}

async function write(store: LmdbStore, random: () => number): Promise<void> {
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256));
  for (let round = 0; round < 4; round++) {
    const puts = Array.from({ length: 30 }, (_, index) => ({ table: TABLES[index % TABLES.length] as Table, key: bytes(32), value: bytes(index % 9 === 0 ? 9000 : 60) }));
    await store.commit({ puts, deletes: [...store.range('packs', { ...ALL, limit: 3 })].map(({ key }) => ({ table: 'packs' as const, key })) });
  }
}

async function outcome(random: () => number, whole: ReadonlyMap<string, string>): Promise<string> {
  const isSound = (await lookAtPages(directory)).troubles.length === 0;
  const store = await openLmdbStore({ directory, mode: 'existing' });
  let changed = 0;
  try {
    const found = records(store);
    for (const [name, value] of whole) if (found.get(name) !== value) changed++;
    if (changed === 0 && found.size !== whole.size) changed = found.size;
    await write(store, random);
  } finally {
    await store.close();
  }
  if (isSound && (await lookAtPages(directory)).troubles.length > 0) return 'spread';
  return changed > 1 ? `many: ${changed}` : changed === 1 ? 'differs' : 'same';
}

async function intact(): Promise<Map<string, string>> {
  writeFileSync(join(directory, 'data.mdb'), original);
  const store = await openLmdbStore({ directory, mode: 'existing' });
  const all = records(store);
  await store.close();
  return all;
}

const anew = (): void => {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
};
anew();
const whole = await intact();
for (let number = Number(from); number < Number(to); number++) {
  const random = generator(number + 1);
  const at = place(random);
  const copy = Buffer.from(original);
  copy[at] = random() < 0.7 ? copy[at]! ^ (1 << Math.floor(random() * 8)) : Math.floor(random() * 256);
  anew();
  writeFileSync(join(directory, 'data.mdb'), copy);
  process.stdout.write(`${number}\n`);
  let what: string;
  try {
    what = await outcome(random, whole);
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    what = error.code;
  }
  process.stdout.write(`${number} ${at} ${what}\n`);
}
