/**
 * Exported runs: the same in another store, deduplicated against what is there, and hostile bytes: whatever is flipped or cut, nothing becomes visible.
 * STILLPOINT_SLOW=1 tries every byte of a file.
 */
import { Buffer } from 'node:buffer';
import { beforeAll, describe, expect, it } from 'vitest';
import { StillpointError } from '../../src/core/index.ts';
import { checkOpenStore } from '../../src/session/fsck.ts';
import { importStream } from '../../src/session/import.ts';
import { openSnapshot } from '../../src/snapshot/index.ts';
import { MemoryStore, TABLES } from '../../src/store/index.ts';
import { answerPut, answersOf, leasePut, listCheckpoints, readAnswer, readRun, runNames, type StoreContext } from '../../src/txn/index.ts';
import { digests } from '../journal/support.ts';
import { plain } from '../snapshot/machines.ts';
import { generator } from '../txn/support.ts';
import { chunked, exportBytes, OPERATIONS, World } from './world.ts';

const isSlow = process.env['STILLPOINT_SLOW'] === '1';
const world = new World(8);
let name = '';
let bytes: Uint8Array = new Uint8Array(0);

beforeAll(async () => {
  for (let step = 0; step < 60 || world.names.length < 2; step++) await world.step(OPERATIONS);
  name = world.names[0]!;
  for (let more = 0; more < 4; more++) await world.checkpoint(name);
  await world.giveUp(name);
  const { id, instructions } = readRun(world.context, name);
  const early = listCheckpoints(world.context, readRun(world.context, name)).at(-2)!.at;
  await world.context.store.commit({ puts: [early, instructions].map((at, index) => answerPut(world.context, id, { key: `key ${index}`, request: 'ab', at, response: Uint8Array.of(index, 200) })) });
  bytes = await exportBytes(world.context, name);
});

const fresh = (): StoreContext => ({ store: new MemoryStore(), digests });
const take = (context: StoreContext, from: Uint8Array, as?: string): ReturnType<typeof importStream> => importStream(context, chunked(from, 4096), { name: as });

function states(context: StoreContext, run: string): unknown {
  return listCheckpoints(context, readRun(context, run)).map(({ number, root }) => [number, root, JSON.stringify(plain(openSnapshot(context.store, root, digests)))]);
}

describe('export and import', () => {
  it('gives the same run in another store, whole and sound, and the same file from there', async () => {
    const other = fresh();
    expect(await take(other, bytes)).toMatchObject({ name, id: readRun(world.context, name).id });
    expect(states(other, name)).toEqual(states(world.context, name));
    expect(readAnswer(other, readRun(other, name).id, 'key 1')?.response).toEqual(Uint8Array.of(1, 200));
    expect(await checkOpenStore(other, { repairs: false })).toMatchObject({ isSound: true, runs: 1 });
    expect(Buffer.from(await exportBytes(other, name)).equals(bytes)).toBe(true);
    await expect(take(other, bytes, 'twin')).rejects.toMatchObject({ code: 'E_RUN_EXISTS' });
  });

  it('up to a checkpoint: its state alone, the history before it', async () => {
    const { number } = listCheckpoints(world.context, readRun(world.context, name)).at(-2)!;
    const other = fresh();
    await take(other, await exportBytes(world.context, `${name}@${number}`), 'part');
    expect(listCheckpoints(other, readRun(other, 'part')).map((checkpoint) => checkpoint.number)).toEqual([number]);
    expect([...answersOf(other, readRun(other, 'part').id)].map(({ answer }) => answer.key), 'what was answered by then').toEqual(['key 0']);
    expect(await checkOpenStore(other, { repairs: false })).toMatchObject({ isSound: true });
  });

  it('leaves out what the receiver has, and is refused where that is missing', async () => {
    const checkpoints = listCheckpoints(world.context, readRun(world.context, name));
    const base = `${name}@${checkpoints.at(-3)!.number}`;
    const rest = await exportBytes(world.context, name, [base]);
    expect(rest.length).toBeLessThan(bytes.length);
    const other = fresh();
    await expect(take(other, rest)).rejects.toMatchObject({ code: expect.stringMatching(/^E_(PAGE|BLOB)_MISSING$/) as string });
    expect(runNames(other)).toEqual([]);
    // The receiver got the base under an identity of its own: a fork, exported.
    const { forkRun } = await import('../../src/txn/index.ts');
    const parent = readRun(world.context, name);
    const carrier = await forkRun(world.context, parent, { name: 'carrier', id: world.newId(), createdMs: 0, bindings: parent.bindings, at: checkpoints.at(-3)!.number });
    await take(other, await exportBytes(world.context, carrier.name));
    await take(other, rest);
    expect(states(other, name)).toEqual(states(world.context, name));
    expect(await checkOpenStore(other, { repairs: false })).toMatchObject({ isSound: true, runs: 2 });
  });
});

describe('an import that was killed', () => {
  /** The stream ends its process's life: nothing is tidied. */
  async function* killed(from: Uint8Array): AsyncGenerator<Uint8Array> {
    yield from.subarray(0, from.length - 40);
    throw new Error('killed');
  }
  const owner = { host: 'here', pid: 7, started: 'then', token: 'a' };

  it('leaves nothing to the next one, which may bring less', async () => {
    const { number } = listCheckpoints(world.context, readRun(world.context, name)).at(-1)!;
    const part = await exportBytes(world.context, `${name}@${number}`);
    const other = fresh();
    await expect(importStream(other, killed(bytes), {})).rejects.toThrow('killed');
    await take(other, part, 'part');
    expect(listCheckpoints(other, readRun(other, 'part')).map((checkpoint) => checkpoint.number)).toEqual([number]);
    expect(await checkOpenStore(other, { repairs: false })).toMatchObject({ isSound: true });
  });

  it('and one that is still at work keeps others away', async () => {
    const other = fresh();
    await other.store.commit({ puts: [leasePut(other, readRun(world.context, name).id, owner)] });
    await expect(importStream(other, chunked(bytes, 4096), { as: { owner, isAlive: () => true } })).rejects.toMatchObject({ code: 'E_STORE_BUSY' });
    expect(runNames(other)).toEqual([]);
    await importStream(other, chunked(bytes, 4096), { as: { owner, isAlive: () => false } });
    expect(runNames(other)).toEqual([name]);
  });

  /** A store where somebody does something right before the lease of an import is committed for the first time. */
  function racing(inner: MemoryStore, first: () => Promise<void>): StoreContext {
    let hasRaced = false;
    const commit: MemoryStore['commit'] = async (batch) => {
      const isLease = batch.puts?.some(({ table, key }) => table === 'meta' && new TextDecoder().decode(key).startsWith('lease')) === true;
      if (isLease && !hasRaced) {
        hasRaced = true;
        await first();
      }
      return inner.commit(batch);
    };
    return { store: new Proxy(inner, { get: (target, key) => (key === 'commit' ? commit : Reflect.get(target, key, target).bind(target) as unknown) }), digests };
  }

  it('one that takes the lease between another\'s look and its commit keeps that one away', async () => {
    const other = fresh();
    const { id } = readRun(world.context, name);
    const context = racing(other.store as MemoryStore, async () => void await other.store.commit({ puts: [leasePut(other, id, { ...owner, token: 'first' })] }));
    await expect(importStream(context, chunked(bytes, 4096), { as: { owner, isAlive: () => true } })).rejects.toMatchObject({ code: 'E_STORE_BUSY' });
    expect([...other.store.range('meta', { from: Uint8Array.of(0), to: new Uint8Array(500).fill(255) })].filter(({ key }) => new TextDecoder().decode(key).startsWith('lease')).length).toBe(1);
  });

  it('one that begins and ends there leaves a whole run', async () => {
    const other = fresh();
    const context = racing(other.store as MemoryStore, async () => void await importStream(other, chunked(bytes, 4096), { as: { owner, isAlive: () => true } }));
    await expect(importStream(context, chunked(bytes, 4096), { as: { owner, isAlive: () => true } })).rejects.toMatchObject({ code: 'E_RUN_EXISTS' });
    expect(runNames(other)).toEqual([name]);
    expect(Buffer.compare(await exportBytes(other, name), bytes)).toBe(0);
  });
});

describe('hostile files', () => {
  /** The code with which bytes are refused; afterwards nothing of a run may be in the store. */
  async function refused(hostile: Uint8Array): Promise<string> {
    const context = fresh();
    try {
      await take(context, hostile);
      return (await checkOpenStore(context, { repairs: false })).isSound ? 'taken' : 'taken, and the store is not sound';
    } catch (error) {
      if (!(error instanceof StillpointError)) throw error;
      for (const table of TABLES) if (!['blobs', 'packs', 'pages', 'nodes'].includes(table)) expect([...context.store.range(table, { from: Uint8Array.of(0), to: new Uint8Array(500).fill(255) })].length, table).toBe(0);
      return error.code;
    }
  }

  it('flipped bytes are refused, wherever they are', async () => {
    const random = generator(4);
    const places = isSlow ? Array.from({ length: bytes.length }, (_, index) => index) : [...Array.from({ length: 60 }, (_, index) => index), ...Array.from({ length: 80 }, () => Math.floor(random() * bytes.length))];
    for (const place of places) {
      const hostile = bytes.slice();
      hostile[place]! ^= 1 << Math.floor(random() * 8);
      expect(await refused(hostile), `byte ${place}`).toMatch(/^E_/);
    }
  });

  it('cut files, and files with more behind their end, are refused', async () => {
    const random = generator(5);
    for (let index = 0; index < (isSlow ? 2000 : 30); index++) expect(await refused(bytes.slice(0, Math.floor(random() * bytes.length)))).toMatch(/^E_EXPORT_(DAMAGED|FORMAT)$/);
    expect(await refused(new Uint8Array(Buffer.concat([bytes, Uint8Array.of(0)])))).toBe('E_EXPORT_FORMAT');
    expect(await refused(new Uint8Array(0))).toBe('E_EXPORT_DAMAGED');
    expect(await refused(new TextEncoder().encode('a letter, much longer than any header of a file'))).toBe('E_EXPORT_FORMAT');
  });

  it('a good check sum makes forged records no better: each is checked by what it is', async () => {
    const records = parse(bytes);
    const random = generator(6);
    const kinds = [...new Set(records.map(({ kind }) => kind))];
    expect(kinds.join('')).toMatch(/^RBPNFCM?A$/);
    for (const kind of kinds) {
      for (const how of ['leave out', 'double', 'flip'] as const) {
        const mine = records.filter((record) => record.kind === kind);
        const one = mine[Math.floor(random() * mine.length)]!;
        const forged = records.flatMap((record) => {
          if (record !== one) return [record];
          if (how === 'leave out') return [];
          if (how === 'double') return [record, record];
          const payload = record.payload.slice();
          payload[Math.floor(random() * payload.length)]! ^= 1;
          return [{ kind, payload }];
        });
        const code = await refused(join(forged));
        // Content twice is content; a mark or an answer less is no lie.
        const isHarmless = (how === 'double' && 'BPNCMA'.includes(kind)) || (how === 'leave out' && 'MA'.includes(kind));
        expect(code, `${how} ${kind}`).toMatch(isHarmless ? /^taken$/ : /^E_/);
      }
    }
  });

  it.each(['F', 'C', 'M'])('%s behind the end of the run is refused', async (kind) => {
    const records = parse(bytes);
    const last = records.findLastIndex((record) => record.kind === (kind === 'F' ? 'F' : 'C')); // This run has no mark.
    const payload = records[last]!.payload.slice();
    for (const number of kind === 'F' ? [0] : [readRun(world.context, name).lastCheckpoint! + 1, 0xffff_ffff]) {
      if (kind !== 'F') new DataView(payload.buffer).setUint32(0, number, true);
      expect(await refused(join([...records.slice(0, last + 1), { kind, payload }, ...records.slice(last + 1)]))).toBe('E_EXPORT_FORMAT');
    }
  });

  it('lengths that lie allocate nothing', async () => {
    const header = bytes.slice(0, 22);
    for (const kind of 'RBPNFCMAE') {
      const record = new Uint8Array(5);
      record[0] = kind.charCodeAt(0);
      new DataView(record.buffer).setUint32(1, 0xffff_fff0, true);
      expect(await refused(new Uint8Array(Buffer.concat([header, record])))).toBe('E_EXPORT_FORMAT');
      new DataView(record.buffer).setUint32(1, kind === 'B' ? 1 << 30 : 32, true);
      expect(await refused(new Uint8Array(Buffer.concat([header, record])))).toMatch(/^E_EXPORT_/);
    }
  });
});

interface Piece { readonly kind: string; readonly payload: Uint8Array }

/** Records by the page of the format, not by the reader under test. */
function parse(file: Uint8Array): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 22; file[at] !== 'E'.charCodeAt(0);) {
    const length = new DataView(file.buffer, file.byteOffset + at + 1).getUint32(0, true);
    pieces.push({ kind: String.fromCharCode(file[at]!), payload: file.slice(at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return pieces;
}

function join(pieces: readonly Piece[]): Uint8Array {
  const header = (kind: string, length: number): Uint8Array => {
    const head = new Uint8Array(5);
    head[0] = kind.charCodeAt(0);
    new DataView(head.buffer).setUint32(1, length, true);
    return head;
  };
  const body = Buffer.concat([bytes.slice(0, 22), ...pieces.flatMap(({ kind, payload }) => [header(kind, payload.length), payload]), header('E', 32)]);
  return new Uint8Array(Buffer.concat([body, Buffer.from(digests.sha256(new Uint8Array(body)), 'hex')]));
}
