/**
 * The call matrix of the ancestor (scenario 3) and the edge between end and quota (scenario 4), on Channel itself. Expected values are
 * written out; digests are compared with node:crypto.
 */
import { describe, expect, test } from 'vitest';
import { encodeCanonical, limits } from '../../src/core/index.ts';
import { ChannelSet, type OutputOperation } from '../../src/channel/index.ts';
import { digests, feed, pattern, sha256, single, specOf, told, type Kind } from './helpers.ts';

const { CHUNK_BYTES } = limits;

describe('sequential input', () => {
  const content = pattern(32);
  const reads = (lengths: readonly number[], quota = {}): readonly (number | string)[] => {
    const { channel } = single('seqro', { limits: quota });
    return lengths.map((length) => told(feed(channel, content, () => channel.read(length))));
  };
  const check = (rule: string, lengths: readonly number[], expected: readonly (number | string)[], quota = {}): void => test(rule, () => expect(reads(lengths, quota)).toEqual(expected));

  check('length zero gives nothing and does not end the stream', [0, 32, 0, 1, 0], [0, 32, 0, 0, 0]);
  check('a read gives its full length', [1, 31, 1], [1, 31, 0]);
  check('a read across the end is short', [33, 1], [32, 0]);
  check('the end is latched', [32, 1, 1, 100], [32, 0, 0, 0]);
  check('a request larger than what the quota leaves is shortened, then quota', [1, 1, 1, 1, 30, 1], [1, 1, 1, 1, 27, 'quota'], { getBytes: 31 });
  check('the number of reads is a quota', [1, 1, 1, 1], [1, 1, 'quota', 'quota'], { gets: 2 });
  check('reads of length zero cost nothing', [0, 0, 0, 32], [0, 0, 0, 32], { gets: 1 });

  test('the ancestor\'s example: 32 bytes quota on a longer stream', () => {
    const { channel } = single('seqro', { limits: { getBytes: 32 } });
    const answers = [1, 1, 1, 1, 30, 1, 0].map((length) => told(feed(channel, pattern(100), () => channel.read(length))));
    expect(answers).toEqual([1, 1, 1, 1, 28, 'quota', 0]);
  });

  test('bytes and digest are those of the stream', () => {
    const { channel } = single('seqro');
    const long = pattern(200_000);
    const parts: Uint8Array[] = [];
    for (const length of [1, 4095, 70_000, 100_000, 99_999]) parts.push(feed(channel, long, () => channel.read(length)) as Uint8Array);
    expect(Buffer.concat(parts).equals(long)).toBe(true);
    expect(channel.accounts().input).toEqual({ operations: 5, bytes: 200_000, sha256: sha256(long) });
  });

  test('a blocked call changes nothing', () => {
    const { set, channel } = single('seqro');
    const before = encodeCanonical(set.state());
    expect(channel.read(10)).toBe('blocked');
    expect(set.blocked).toEqual([channel]);
    channel.supply(0, pattern(9));
    expect(channel.read(10)).toBe('blocked');
    expect(encodeCanonical(set.state())).toEqual(before);
    expect(channel.wanted).toEqual({ offset: 9, length: CHUNK_BYTES });
    channel.supply(5, pattern(10).subarray(5));
    expect(channel.wanted).toBeUndefined();
    expect(told(channel.read(10))).toBe(10);
  });
});

describe('end and quota (scenario 4)', () => {
  const n = 100;
  const content = pattern(n);
  for (const [budget, last] of [[n - 1, 'quota'], [n, 0], [n + 1, 0]] as const) {
    for (const step of [1, 7, n, 2 * n]) {
      for (const kind of ['seqro', 'ranro', 'ranrw', 'append', 'live'] as const) {
        test(`${kind}: ${n} bytes with a budget of ${budget}, ${step} at a time, end in ${last}, twice the same`, () => {
          const run = (): unknown => {
            const { set, channel } = single(kind, { size: kind === 'seqro' || kind === 'live' ? 0 : n, limits: { getBytes: budget } });
            const answers: (number | string)[] = [];
            for (let position = 0; ; ) {
              const answer = told(feed(channel, content, () => (channel.spec.access === 'sequential' ? channel.read(step) : channel.readAt(position, step))));
              answers.push(answer);
              if (answer === 0 || answer === 'quota') break;
              position += Number(answer);
            }
            return [answers, set.state(), set.accounts()];
          };
          const [answers] = run() as [readonly (number | string)[]];
          expect(answers.at(-1)).toBe(last);
          expect(answers.slice(0, -1).reduce<number>((sum, answer) => sum + Number(answer), 0)).toBe(Math.min(budget, n));
          expect(run()).toEqual(run());
        });
      }
    }
  }
  for (const [gets, last] of [[3, 'quota'], [4, 0], [5, 0]] as const) {
    test(`4 reads of 25 bytes with ${gets} gets end in ${last}`, () => {
      const { channel } = single('seqro', { limits: { gets } });
      const answers = Array.from({ length: gets + 2 }, () => told(feed(channel, content, () => channel.read(25))));
      expect(answers.at(-1)).toBe(last);
      expect(channel.accounts().input!.operations).toBe(Math.min(gets, 4));
    });
  }
});

for (const kind of ['seqro', 'ranro', 'ranrw', 'append'] as const) {
  test(`${kind}: supplied input is no state until the call that missed it goes through`, () => {
    const { set, channel } = single(kind, { size: kind === 'seqro' ? 0 : 100 });
    const before = encodeCanonical(set.state());
    const call = (): unknown => (kind === 'seqro' ? channel.read(10) : channel.readAt(0, 10));
    expect(call()).toBe('blocked');
    channel.supply(0, pattern(100));
    expect(encodeCanonical(set.state())).toEqual(before);
    expect(set.objects().flatMap((object) => object.dirtyPages())).toEqual([]);
    expect(call()).toEqual(pattern(10));
    expect(encodeCanonical(set.state())).not.toEqual(before);
  });
}

describe('random and append input', () => {
  const content = pattern(3 * CHUNK_BYTES + 100);
  const size = content.length;
  for (const kind of ['ranro', 'ranrw', 'append'] as const) {
    const cases: readonly (readonly [string, number, number, number])[] = [
      ['length zero, even past the end', size + 5, 0, 0], ['the first byte', 0, 1, 1], ['the last byte', size - 1, 1, 1], ['across the end', size - 1, 10, 1],
      ['at the end', size, 1, 0], ['past the end', size + 1, 1, 0], ['over a chunk border', CHUNK_BYTES - 1, 2, 2], ['all', 0, size, size], ['far past the end', 2 ** 50, 5, 0],
    ];
    for (const [rule, offset, length, expected] of cases) {
      test(`${kind}: ${rule}`, () => {
        const { channel } = single(kind, { size });
        const answer = feed(channel, content, () => channel.readAt(offset, length)) as Uint8Array;
        expect(Buffer.compare(answer, content.slice(offset, offset + length))).toBe(0);
        expect(answer.length).toBe(expected);
        expect(channel.size).toBe(size);
      });
    }
  }

  test('a read of more chunks than the cache holds succeeds', () => {
    const large = (limits.CHUNK_CACHE_MAX + 20) * CHUNK_BYTES;
    const { channel } = single('ranro', { size: large });
    const bytes = new Uint8Array(large).fill(7);
    expect(told(feed(channel, bytes, () => channel.readAt(0, large)))).toBe(large);
  });

  test('a chunk of the wrong length is an error of the host', () => {
    const { channel } = single('ranro', { size });
    expect(channel.readAt(0, 10)).toBe('blocked');
    expect(() => channel.supply(0, pattern(10))).toThrowError(expect.objectContaining({ code: 'E_CHANNEL_READ' }));
  });
});

describe('output', () => {
  for (const kind of ['seqwo', 'append'] as const) {
    test(`${kind}: a write is shortened where the byte quota ends, then quota`, () => {
      const { channel, set } = single(kind, { limits: { putBytes: 32 } });
      expect([1, 1, 1, 1, 30, 1, 0].map((length) => channel.write(pattern(length)))).toEqual([1, 1, 1, 1, 28, 'quota', 0]);
      expect(set.pendingBytes).toBe(32);
    });
    test(`${kind}: the number of writes is a quota`, () => {
      const { channel } = single(kind, { limits: { puts: 2 } });
      expect([5, 0, 5, 5].map((length) => channel.write(pattern(length)))).toEqual([5, 0, 5, 'quota']);
    });
  }

  test('append never overwrites and reads back old and new', () => {
    const old = pattern(CHUNK_BYTES + 10);
    const { channel, set } = single('append', { size: old.length });
    channel.write(pattern(5, 9));
    channel.write(pattern(6, 3));
    expect(channel.size).toBe(old.length + 11);
    const all = Buffer.concat([old, pattern(5, 9), pattern(6, 3)]);
    expect(Buffer.compare(feed(channel, old, () => channel.readAt(0, 1e6)) as Uint8Array, all)).toBe(0);
    expect(Buffer.compare(feed(channel, old, () => channel.readAt(old.length - 3, 8)) as Uint8Array, all.subarray(old.length - 3, old.length + 5))).toBe(0);
    expect(set.takeOutput()).toEqual([{ kind: 'write', channel: 'c', offset: 0, bytes: new Uint8Array([...pattern(5, 9), ...pattern(6, 3)]) }]);
  });

  test('random: quotas shorten, the size grows to the highest byte, holes are zeros', () => {
    const { channel } = single('ranrw', { limits: { putBytes: 10 } });
    expect(channel.writeAt(100, pattern(4, 1))).toBe(4);
    expect(channel.size).toBe(104);
    expect(channel.writeAt(0, pattern(8, 1))).toBe(6);
    expect(channel.writeAt(0, pattern(1))).toBe('quota');
    expect(channel.writeAt(2 ** 52, new Uint8Array(0))).toBe(0);
    const expected = new Uint8Array(104);
    expected.set(pattern(6, 1));
    expected.set(pattern(4, 1), 100);
    expect(channel.readAt(0, 1000)).toEqual(expected);
  });

  test('random: a chunk is loaded before it is written in part, and not when it is overwritten whole', () => {
    const old = pattern(2 * CHUNK_BYTES + 7);
    const { channel, set } = single('ranrw', { size: old.length });
    expect(channel.writeAt(3, pattern(2, 5))).toBe('blocked');
    expect(channel.wanted).toEqual({ offset: 0, length: CHUNK_BYTES });
    expect(set.hasOutput).toBe(false);
    expect(channel.writeAt(CHUNK_BYTES, new Uint8Array(CHUNK_BYTES))).toBe(CHUNK_BYTES);
    expect(channel.writeAt(2 * CHUNK_BYTES, pattern(7, 8))).toBe(7);
    expect(channel.writeAt(2 ** 60, pattern(1))).toBe('quota');
    expect(told(channel.readAt(CHUNK_BYTES, 1e6))).toBe(CHUNK_BYTES + 7);
  });

  test('random: truncation cuts the host\'s bytes too and never brings them back', () => {
    const old = pattern(3 * CHUNK_BYTES);
    const { channel, set } = single('ranrw', { size: old.length });
    expect(channel.truncate(CHUNK_BYTES + 5)).toBe('ok');
    expect(channel.truncate(2 * CHUNK_BYTES)).toBe('ok');
    expect(channel.truncate(2 * CHUNK_BYTES)).toBe('ok');
    const expected = new Uint8Array(2 * CHUNK_BYTES);
    expected.set(old.subarray(0, CHUNK_BYTES + 5));
    expect(Buffer.compare(feed(channel, old, () => channel.readAt(0, 1e6)) as Uint8Array, expected)).toBe(0);
    expect(set.takeOutput()).toEqual([{ kind: 'truncate', channel: 'c', size: CHUNK_BYTES + 5 }, { kind: 'truncate', channel: 'c', size: 2 * CHUNK_BYTES }]);
  });

  test('the digest of random output is of the written bytes in call order', () => {
    const { channel } = single('ranrw');
    channel.writeAt(1000, pattern(50, 1));
    channel.writeAt(0, pattern(60, 2));
    expect(channel.accounts().output).toEqual({ operations: 2, bytes: 110, sha256: sha256(Buffer.concat([pattern(50, 1), pattern(60, 2)])) });
  });
});

describe('live input', () => {
  test('a read gives one chunk at most, a poll asks for one', () => {
    const { channel } = single('live');
    expect(channel.canRead()).toBe(false);
    channel.requestInput();
    expect(channel.wanted).toEqual({ offset: 0, length: CHUNK_BYTES });
    channel.supply(0, pattern(5));
    expect(channel.wanted).toBeUndefined();
    channel.supply(5, pattern(3));
    expect(channel.canRead()).toBe(true);
    expect([2, 100, 100].map((length) => told(channel.read(length)))).toEqual([2, 3, 3]);
    expect(channel.read(1)).toBe('blocked');
    channel.supplyEnd(8);
    expect([told(channel.read(1)), told(channel.read(1)), channel.canRead()]).toEqual([0, 0, true]);
  });

  test('unread chunks are in the state, because a poll shows them', () => {
    const { set, channel } = single('live');
    channel.supply(0, pattern(5));
    channel.supply(5, pattern(3));
    channel.read(2);
    const other = single('live');
    other.set.restore(set.state(), []);
    expect(other.channel.canRead()).toBe(true);
    expect([100, 100].map((length) => told(other.channel.read(length)))).toEqual([3, 3]);
  });
});

describe('the set', () => {
  test('the order is stdin, stdout, stderr, then by name', () => {
    const specs = ['b', 'stderr', 'a', 'stdout', 'B', 'stdin'].map((name) => specOf(name === 'stdin' ? 'seqro' : 'seqwo', { name }));
    expect([...new ChannelSet(specs, digests)].map((channel) => channel.spec.name)).toEqual(['stdin', 'stdout', 'stderr', 'B', 'a', 'b']);
  });

  test('digests go on after they were saved and restored', () => {
    const { set, channel } = single('seqwo');
    channel.write(pattern(100));
    const [state, saved] = [set.state(), set.saveDigests()];
    const other = single('seqwo');
    other.set.restore(state, []);
    other.set.restoreDigests(saved);
    channel.write(pattern(100, 4));
    other.channel.write(pattern(100, 4));
    expect(other.set.accounts()).toEqual(set.accounts());
    expect(set.accounts()[0]!.output!.sha256).toBe(sha256(Buffer.concat([pattern(100), pattern(100, 4)])));
  });

  test('a state of other channels, or a broken one, is refused', () => {
    const states = (['seqro', 'seqwo', 'ranrw', 'append', 'live'] as const).map((kind: Kind) => single(kind).set.state());
    for (const kind of ['seqro', 'seqwo', 'ranrw', 'append', 'live'] as const) {
      for (const state of [...states, null, [], [['c']], [['c', {}]], [['d', {}]], [['c', 5]]]) {
        const { set } = single(kind);
        if (JSON.stringify(state) === JSON.stringify(set.state())) continue;
        expect(() => set.restore(state, []), `${kind} ${JSON.stringify(state)}`).toThrowError(expect.objectContaining({ code: 'E_STATE_FORMAT' }));
      }
    }
    expect(() => single('seqwo').set.restoreDigests(new Uint8Array(3))).toThrowError(expect.objectContaining({ code: 'E_STATE_FORMAT' }));
  });

  test('small writes join, and writes of two channels keep their order', () => {
    const set = new ChannelSet([specOf('seqwo', { name: 'stdout' }), specOf('seqwo', { name: 'stderr' })], digests);
    const [out, err] = [set.get('stdout')!, set.get('stderr')!];
    for (const text of ['he', 'l', 'lo']) out.write(Buffer.from(text));
    err.write(Buffer.from('E'));
    out.write(Buffer.from('!'));
    const told = set.takeOutput().map((operation) => (operation.kind === 'write' ? [operation.channel, operation.offset, Buffer.from(operation.bytes).toString()] : []));
    expect(told).toEqual([['stdout', 0, 'hello'], ['stderr', 0, 'E'], ['stdout', 5, '!']]);
    expect([set.pendingBytes, set.hasOutput, set.takeOutput()]).toEqual([0, false, []]);
  });

  test('what was taken stays as it is until it is given back; then its memory is filled again', () => {
    const { set, channel } = single('seqwo');
    const taken = (seed: number): Uint8Array => {
      channel.write(pattern(9000, seed));
      const [operation] = set.takeOutput();
      return operation?.kind === 'write' ? operation.bytes : new Uint8Array(0);
    };
    const [first, second] = [taken(1), taken(2)];
    expect([first, second]).toEqual([pattern(9000, 1), pattern(9000, 2)]);
    set.recycleOutput();
    const third = taken(3);
    const fourth = taken(4);
    expect([first, third, fourth]).toEqual([pattern(9000, 1), pattern(9000, 3), pattern(9000, 4)]);
    expect([second.buffer === fourth.buffer, first.buffer === fourth.buffer]).toEqual([true, false]);
  });

  test('most of what was taken comes with a lease: its memory is filled again when nobody holds it; less is not leased', () => {
    const set = new ChannelSet([specOf('seqwo', { name: 'a' }), specOf('seqwo', { name: 'b' })], digests);
    const [a, b] = [set.get('a')!, set.get('b')!];
    const taken = (): readonly Extract<OutputOperation, { kind: 'write' }>[] => set.takeOutput().filter((operation) => operation.kind === 'write');
    a.write(pattern(65_535));
    expect(taken().map(({ lease }) => lease)).toEqual([undefined]);
    b.write(pattern(70_000));
    a.write(pattern(200_000, 1));
    const [small, large] = taken();
    expect([small!.lease === undefined, large!.lease === undefined]).toEqual([true, false]);
    large!.lease!.hold();
    set.recycleOutput();
    const fill = (): Uint8Array => {
      a.write(pattern(200_000, 2));
      return taken()[0]!.bytes;
    };
    expect([1, 2, 3].map(() => fill().buffer === large!.bytes.buffer)).toEqual([false, false, false]);
    expect(large!.bytes).toEqual(pattern(200_000, 1));
    large!.lease!.release();
    expect([1, 2].map(() => fill().buffer === large!.bytes.buffer)).toEqual([false, true]); // One was begun before.
    expect(() => large!.lease!.release()).toThrow('given back once');
    expect(() => large!.lease!.hold()).toThrow('held by nobody');
  });

  test('taking nothing and giving it back leaves the memory that is written to alone', () => {
    const { set, channel } = single('seqwo');
    for (let round = 0; round < 2; round++) {
      expect(set.takeOutput()).toEqual([]);
      set.recycleOutput();
      channel.write(pattern(1000, 1));
      const [first] = set.takeOutput();
      channel.write(pattern(1000, 2));
      expect(first?.kind === 'write' && first.bytes).toEqual(pattern(1000, 1));
      set.takeOutput();
      set.recycleOutput();
    }
  });

  test('a million writes of one byte become one operation', () => {
    const { set, channel } = single('seqwo');
    const byte = new Uint8Array([7]);
    for (let count = 0; count < 1_000_000; count++) channel.write(byte);
    expect(set.takeOutput().map((operation) => operation.kind === 'write' && operation.bytes.length)).toEqual([1_000_000]);
  });
});
