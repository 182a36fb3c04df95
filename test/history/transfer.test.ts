/**
 * Exported runs: the same in another store, deduplicated against what is there, and hostile bytes: whatever is flipped or cut, nothing becomes visible.
 * STILLPOINT_SLOW=1 tries every byte of a file.
 */
import { Buffer } from 'node:buffer';
import { beforeAll, describe, expect, it } from 'vitest';
import { instructionCount, StillpointError } from '../../src/core/index.ts';
import { entryKey } from '../../src/journal/index.ts';
import { checkOpenStore } from '../../src/session/fsck.ts';
import { importStream } from '../../src/session/import.ts';
import { openSnapshot } from '../../src/snapshot/index.ts';
import { MemoryStore, TABLES } from '../../src/store/index.ts';
import { answerPut, answersOf, encodeMark, forkRun, leasePut, listCheckpoints, listMarks, markCheckpoint, openRun, readAnswer, readRun, runNames, type Mark, type StoreContext } from '../../src/txn/index.ts';
import { digests } from '../journal/support.ts';
import { plain } from '../snapshot/machines.ts';
import { generator } from '../txn/support.ts';
import { Crash, MortalStore } from './mortal-store.ts';
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

const ALL = { from: Uint8Array.of(0), to: new Uint8Array(500).fill(255) };
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
    const parent = readRun(world.context, name);
    const carrier = await forkRun(world.context, parent, { name: 'carrier', id: world.newId(), createdMs: 0, bindings: parent.bindings, at: checkpoints.at(-3)!.number });
    const rest = await exportBytes(world.context, name, ['carrier']);
    expect(rest.length).toBeLessThan(bytes.length);
    const other = fresh();
    await expect(take(other, rest)).rejects.toMatchObject({ code: expect.stringMatching(/^E_(PAGE|BLOB)_MISSING$/) as string });
    expect(runNames(other)).toEqual([]);
    await take(other, await exportBytes(world.context, carrier.name));
    await take(other, rest);
    expect(states(other, name)).toEqual(states(world.context, name));
    expect(await checkOpenStore(other, { repairs: false })).toMatchObject({ isSound: true, runs: 2 });
  });
});

describe('an update', () => {
  const checkpoints = (): readonly number[] => listCheckpoints(world.context, readRun(world.context, name)).map(({ number }) => number);
  const early = (): string => `${name}@${checkpoints().at(-3)}`;
  const newer = (context: StoreContext, from: Uint8Array, isAlive = (): boolean => false): ReturnType<typeof importStream> => importStream(context, chunked(from, 4096), { isUpdate: true, as: { owner: { host: 'here', pid: 7, started: 'then', token: 'a' }, isAlive } });
  const holding = async (what: string): Promise<StoreContext> => {
    const other = fresh();
    await take(other, await exportBytes(world.context, what), 'theirs');
    return other;
  };
  /** All that people see of a run; content that nobody needs yet does not count. */
  const seen = (context: StoreContext): unknown => [[...context.store.range('runs', ALL)], [...context.store.range('frames', ALL)], [...context.store.range('checkpoints', ALL)], [...context.store.range('marks', ALL)], [...answersOf(context, readRun(world.context, name).id)]];

  it.each([['the whole run', []], ['what is new alone', ['early']]])('brings a receiver to the newest state by %s, and a second time nothing', async (_name, have) => {
    const other = await holding(early());
    const file = await exportBytes(world.context, name, have.map(early));
    if (have.length > 0) expect(parse(file).filter(({ kind }) => kind === 'F').length).toBe(readRun(world.context, name).tail.count - readRun(other, 'theirs').tail.count);
    expect((await newer(other, file)).added).toMatchObject({ checkpoints: have.length > 0 ? 2 : checkpoints().length - 1 });
    expect(readRun(other, 'theirs').tail).toEqual(readRun(world.context, name).tail);
    expect((states(other, 'theirs') as unknown[]).slice(-3)).toEqual((states(world.context, name) as unknown[]).slice(-3));
    expect([...answersOf(other, readRun(other, 'theirs').id)].map(({ answer }) => answer.key).sort()).toEqual(['key 0', 'key 1']);
    expect(await checkOpenStore(other, { repairs: false })).toMatchObject({ isSound: true, runs: 1 });
    const before = seen(other);
    expect((await newer(other, file)).added).toEqual({ frames: 0, checkpoints: 0, marks: 0 });
    expect((await newer(other, await exportBytes(world.context, early()))).added).toEqual({ frames: 0, checkpoints: 0, marks: 0 });
    expect(seen(other)).toEqual(before);
  });

  it('of a run that is not there is an import; what is new alone is refused there, and where the receiver has too little', async () => {
    const other = fresh();
    const rest = await exportBytes(world.context, name, [early()]);
    await expect(newer(other, rest)).rejects.toMatchObject({ code: 'E_EXPORT_BASE' });
    await expect(take(other, rest)).rejects.toMatchObject({ code: 'E_EXPORT_BASE' });
    expect((await newer(other, bytes)).added).toBeUndefined();
    expect(readRun(other, name).tail).toEqual(readRun(world.context, name).tail);
    const behind = await holding(`${name}@${checkpoints().at(-4)}`);
    const before = seen(behind);
    await expect(newer(behind, rest)).rejects.toMatchObject({ code: 'E_EXPORT_BASE' });
    expect(seen(behind)).toEqual(before);
  });

  it('of a run that went another way here is refused, and changes nothing', async () => {
    const other = await holding(early());
    const writer = await openRun(other, { name: 'theirs', owner: { host: 'there', pid: 1, started: '', token: 'x' }, isAlive: () => false });
    writer.append({ kind: 'input', at: instructionCount(writer.record.tail.at + 1n), channel: 'stdin', offset: 1 << 20, bytes: Uint8Array.of(9) });
    await writer.commit({ instructions: instructionCount(writer.record.tail.at + 1n) });
    await expect(newer(other, bytes, () => true)).rejects.toMatchObject({ code: 'E_RUN_OWNED' });
    await writer.close();
    const before = seen(other);
    for (const file of [bytes, await exportBytes(world.context, name, [early()])]) await expect(newer(other, file)).rejects.toMatchObject({ code: 'E_RUN_DIVERGED' });
    expect(seen(other)).toEqual(before);
    const later = await holding(name);
    await expect(newer(later, await exportBytes(other, 'theirs'))).rejects.toMatchObject({ code: 'E_RUN_DIVERGED' });
  });

  it('names and notes of the receiver stay, others come', async () => {
    const other = await holding(early());
    const [first, second] = checkpoints().slice(-3);
    await markCheckpoint(other, readRun(other, 'theirs'), { number: first!, mark: { name: 'mine', note: undefined } });
    const source = fresh();
    await take(source, bytes);
    await markCheckpoint(source, readRun(source, name), { number: first!, mark: { name: 'yours', note: undefined } });
    await markCheckpoint(source, readRun(source, name), { number: second!, mark: { name: 'late', note: 'a note' } });
    await newer(other, await exportBytes(source, name, [`${name}@${first}`]));
    expect([...listMarks(other, readRun(other, 'theirs').id)].filter(([number]) => number === first || number === second)).toEqual([[first, { name: 'mine', note: undefined }], [second, { name: 'late', note: 'a note' }]]);
  });

  it('killed at any commit leaves the old state or the new one, and goes through the next time', async () => {
    for (let left = 0, isOver = false; !isOver; left++) {
      for (const isAfter of [false, true]) {
        const other = await holding(early());
        const [before, store] = [seen(other), new MortalStore(other.store as MemoryStore, left, isAfter)];
        await newer({ store, digests }, bytes).catch((error: unknown) => { if (!(error instanceof Crash)) throw error; });
        isOver = !store.isDead;
        if (readRun(other, 'theirs').tail.count === readRun(world.context, name).tail.count) expect(states(other, 'theirs')).toEqual(states(world.context, name));
        else expect(seen(other)).toEqual(before);
        expect(await checkOpenStore(other, { repairs: false })).toMatchObject({ isSound: true });
        await newer(other, bytes);
        expect(states(other, 'theirs')).toEqual(states(world.context, name));
      }
      expect(left).toBeLessThan(20);
    }
  });

  it('from hostile files changes nothing', async () => {
    const random = generator(12);
    const file = await exportBytes(world.context, name, [early()]);
    const before = seen(await holding(early()));
    const pieces = parse(file);
    const forged = [
      ...Array.from({ length: isSlow ? 3000 : 80 }, (_, index) => {
        const hostile = file.slice(0, index % 3 === 0 ? Math.floor(random() * file.length) : file.length);
        if (index % 3 !== 0) hostile[Math.floor(random() * file.length)]! ^= 1 << Math.floor(random() * 8);
        return hostile;
      }),
      // With a good check sum.
      ...pieces.flatMap((piece, place) => {
        const payload = piece.payload.slice();
        payload[Math.floor(random() * payload.length)]! ^= 1;
        const flipped = join([...pieces.slice(0, place), { ...piece, payload }, ...pieces.slice(place + 1)], file);
        const without = join([...pieces.slice(0, place), ...pieces.slice(place + 1)], file);
        // A checkpoint less than there was is what a rule leaves.
        const isHarmless = 'MA'.includes(piece.kind) || (piece.kind === 'C' && pieces[place + 1]?.kind === 'C');
        return isHarmless ? [flipped] : [flipped, without];
      }),
      join([...pieces.slice(0, 2), ...pieces.slice(1)], file),
    ];
    for (const [index, hostile] of forged.entries()) {
      const other = await holding(early());
      await expect(newer(other, hostile), `case ${index}`).rejects.toMatchObject({ code: expect.stringMatching(/^E_/) as string });
      expect(seen(other), `case ${index}`).toEqual(before);
      expect((await checkOpenStore(other, { repairs: false })).findings, `case ${index}`).toEqual([]);
      if (index % 10 === 0) expect((await newer(other, file)).added).toMatchObject({ checkpoints: 2 });
    }
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

  it.each<[string, readonly Mark[]]>([
    ['a name that two checkpoints have', [{ name: 'noon', note: undefined }, { name: 'noon', note: 'the second' }]],
    ['a name that looks like a number', [{ name: '7', note: undefined }]],
    ['a name of other characters', [{ name: '../x', note: undefined }]],
    ['a name that steers the terminal', [{ name: 'a\u001b[2J', note: undefined }]],
    ['a note of two lines', [{ name: undefined, note: 'one\ntwo' }]],
  ])('marks that nobody may give are refused, new or in an update: %s', async (_what, marks) => {
    const run = readRun(world.context, name);
    const numbers = listCheckpoints(world.context, run).map(({ number }) => number).slice(0, 2);
    expect(numbers.length).toBe(2);
    const forged = marks.map((mark, index) => ({ number: numbers[index]!, value: encodeMark(digests, { run: run.id, number: numbers[index]! }, mark) }));
    const records = parse(bytes).filter(({ kind }) => kind !== 'M');
    const last = records.findLastIndex(({ kind }) => kind === 'C');
    const payloads = forged.map(({ number, value }) => ({ kind: 'M', payload: new Uint8Array(Buffer.concat([new Uint8Array(Uint32Array.of(number).buffer), value])) }));
    const hostile = join([...records.slice(0, last + 1), ...payloads, ...records.slice(last + 1)]);
    expect(await refused(hostile)).toBe('E_STORE_CORRUPT');
    const context = fresh();
    await take(context, join(records));
    const before = [...context.store.range('marks', ALL)];
    await expect(importStream(context, chunked(hostile, 4096), { isUpdate: true })).rejects.toMatchObject({ code: 'E_STORE_CORRUPT' });
    expect([...context.store.range('marks', ALL)]).toEqual(before);
    // In a store that took them, as older software did.
    await context.store.commit({ puts: forged.map(({ number, value }) => ({ table: 'marks', key: entryKey(run.id, number), value })) });
    expect((await checkOpenStore(context, { repairs: true })).findings.map(({ code }) => code)).toEqual(['E_STORE_CORRUPT']);
    expect([await checkOpenStore(context, { repairs: false }), [...listMarks(context, run.id).values()].filter((mark) => mark.name === 'noon' || mark.note === 'the second')]).toMatchObject([{ isSound: true }, marks.length === 2 ? [{ name: 'noon' }, { note: 'the second' }] : []]);
  });

  it('lengths that lie allocate nothing', async () => {
    const header = bytes.slice(0, 22);
    for (const kind of 'RDBPNFCMAE') {
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

function join(pieces: readonly Piece[], like = bytes): Uint8Array {
  const header = (kind: string, length: number): Uint8Array => {
    const head = new Uint8Array(5);
    head[0] = kind.charCodeAt(0);
    new DataView(head.buffer).setUint32(1, length, true);
    return head;
  };
  const body = Buffer.concat([like.slice(0, 22), ...pieces.flatMap(({ kind, payload }) => [header(kind, payload.length), payload]), header('E', 32)]);
  return new Uint8Array(Buffer.concat([body, Buffer.from(digests.sha256(new Uint8Array(body)), 'hex')]));
}
