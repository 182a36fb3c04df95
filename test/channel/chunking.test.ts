/**
 * Laws of the guest's side under random cuts, random calls and random restores. Oracle: a plain array. Seeds are printed in the messages;
 * STILLPOINT_SLOW=1 runs more of them.
 */
import { describe, expect, test } from 'vitest';
import { encodeCanonical, limits } from '../../src/core/index.ts';
import { feed, KeptPages, pattern, random, single, type Kind } from './helpers.ts';

const ROUNDS = process.env.STILLPOINT_SLOW === '1' ? 400 : 10;
const { CHUNK_BYTES } = limits;

/** Reads a whole stream in the calls that `calls` seeds, cut by the host as `cuts` seeds; restores from its own state now and then. */
function readAll(content: Uint8Array, seeds: { readonly calls: number; readonly cuts: number; readonly restores: boolean }): unknown {
  const [calls, cuts] = [random(seeds.calls), random(seeds.cuts)];
  const quota = calls(3) === 0 ? { getBytes: calls(content.length + 10) } : {};
  let { set, channel } = single('seqro', { limits: quota });
  const results: unknown[] = [];
  for (let zeros = 0; zeros < 2; ) {
    const length = calls(5) === 0 ? calls(100_000) : calls(200);
    const result = feed(channel, content, () => channel.read(length), () => (cuts(2) === 0 ? 1 + cuts(50) : 1 + cuts(70_000)));
    results.push(typeof result === 'string' ? result : Buffer.from(result).toString('hex'), Buffer.from(encodeCanonical(set.state())).toString('hex'));
    if (result === 'quota' || (length > 0 && result.length === 0)) zeros += 1;
    if (seeds.restores && cuts(4) === 0) {
      const next = single('seqro', { limits: quota });
      next.set.restore(set.state(), []);
      next.set.restoreDigests(set.saveDigests());
      ({ set, channel } = next);
    }
  }
  return [results, set.accounts()];
}

describe('how the host cuts a stream is nobody\'s business', () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    test(`seed ${seed}: two chunkings and restores give equal results, states and accounts`, () => {
      const content = pattern(random(seed)(300_000), seed);
      const first = readAll(content, { calls: seed, cuts: seed + 1000, restores: false });
      expect(readAll(content, { calls: seed, cuts: seed + 2000, restores: false })).toEqual(first);
      expect(readAll(content, { calls: seed, cuts: seed + 3000, restores: true })).toEqual(first);
    });
  }
});

/** Random calls on a channel with offsets against an array; output is applied to `file` at random moments, as a session releases it. */
function workOn(kind: Kind, seed: number): void {
  const next = random(seed);
  const initial = pattern(next(4) === 0 ? 0 : next(4 * CHUNK_BYTES), seed);
  let { set, channel } = single(kind, { size: initial.length });
  const pages = new KeptPages();
  let model: Buffer = Buffer.from(initial);
  let file: Buffer = Buffer.from(initial);
  const release = (): void => {
    for (const operation of set.takeOutput()) {
      const offset = operation.kind === 'write' ? operation.offset + (kind === 'append' ? initial.length : 0) : 0;
      file = operation.kind === 'truncate' ? resized(file, operation.size) : written(file, offset, operation.bytes);
    }
  };
  for (let step = 0; step < 120; step++) {
    const offset = next(model.length + 2000);
    const length = next(3) === 0 ? next(2 * CHUNK_BYTES) : next(300);
    const bytes = pattern(length, seed + step);
    const action = next(10);
    if (action < 4) {
      const got = feed(channel, file, () => channel.readAt(offset, length));
      expect(Buffer.compare(got as Uint8Array, model.subarray(offset, offset + length)), `seed ${seed} step ${step}: read ${offset} +${length}`).toBe(0);
    } else if (action < 8 && kind === 'ranrw') {
      expect(feed(channel, file, () => channel.writeAt(offset, bytes))).toBe(length);
      if (length > 0) model = written(model, offset, bytes);
    } else if (action < 8 && kind === 'append') {
      expect(channel.write(bytes)).toBe(length);
      model = written(model, model.length, bytes);
    } else if (action === 8 && kind === 'ranrw') {
      channel.truncate(offset);
      model = resized(model, offset);
    } else if (action === 9) {
      release();
      pages.capture(set);
      const other = single(kind, { size: initial.length });
      other.set.restore(set.state(), pages.restored());
      expect(encodeCanonical(other.set.state())).toEqual(encodeCanonical(set.state()));
      ({ set, channel } = other);
    }
    expect(channel.size, `seed ${seed} step ${step}`).toBe(model.length);
  }
  release();
  expect(Buffer.compare(file, model), `seed ${seed}: the released output makes the same file`).toBe(0);
}

function written(content: Buffer, offset: number, bytes: Uint8Array): Buffer {
  const next = resized(content, Math.max(content.length, offset + bytes.length));
  next.set(bytes, offset);
  return next;
}

function resized(content: Buffer, size: number): Buffer {
  const next = Buffer.alloc(size);
  next.set(content.subarray(0, size));
  return next;
}

describe('channels with offsets equal a plain array over calls, releases, captures and restores', () => {
  for (const kind of ['ranro', 'ranrw', 'append'] as const) {
    for (let seed = 1; seed <= ROUNDS; seed++) test(`${kind}, seed ${seed}`, () => workOn(kind, seed));
  }
});

describe('execution again after a crash', () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    test(`seed ${seed}: journaled chunks and any part of the output in the file give the same answers and the same file`, () => {
      const initial = pattern(3 * CHUNK_BYTES + random(seed)(1000), seed);
      const journal = new Map<number, Uint8Array>();
      /** One life: the whole program from the start; ends early at `steps`. Asks the file only for what the journal does not have. */
      const live = (file: Buffer, steps: number): { readonly answers: readonly unknown[]; readonly file: Buffer } => {
        const next = random(seed + 77);
        const { set, channel } = single('ranrw', { size: initial.length });
        const answers: unknown[] = [];
        for (let step = 0; step < steps; step++) {
          const [offset, length, action] = [next(initial.length), next(CHUNK_BYTES), next(7)];
          const call = (): unknown => (action < 3 ? channel.readAt(offset, length) : action < 6 ? channel.writeAt(offset, pattern(length, step)) : channel.truncate(offset + 1000));
          for (let result = call(); ; result = call()) {
            if (result !== 'blocked') {
              answers.push(result instanceof Uint8Array ? Buffer.from(result).toString('hex') : result);
              break;
            }
            const wanted = channel.wanted!;
            const bytes = journal.get(wanted.offset) ?? Uint8Array.from(file.subarray(wanted.offset, wanted.offset + wanted.length));
            journal.set(wanted.offset, bytes);
            channel.supply(wanted.offset, bytes);
          }
          for (const operation of set.takeOutput()) file = operation.kind === 'write' ? written(file, operation.offset, operation.bytes) : resized(file, operation.size);
        }
        return { answers, file };
      };
      const whole = live(Buffer.from(initial), 60);
      journal.clear();
      const crashed = live(Buffer.from(initial), random(seed)(60));
      const again = live(crashed.file, 60);
      expect(again.answers).toEqual(whole.answers);
      expect(Buffer.compare(again.file, whole.file)).toBe(0);
    });
  }
});
