/** The run manifest as bytes: one value, one byte string; foreign bytes give a code and never a crash. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeCanonical, encodeCanonical, StillpointError, type Canonical } from '../../src/core/index.ts';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { compareChannelNames, decodeManifest, encodeManifest, manifestDigest, type RunManifest } from '../../src/manifest/index.ts';
import { complaint, declare, goodManifest } from './helpers.ts';

const digests = await createNodeDigests();

test('decode(encode(x)) = x and the bytes come back', () => {
  const { channels } = goodManifest();
  const peer = { ...channels[0]!, name: 'in/a-0', path: '/dev/in/a-0', digest: 'blocks' } as const;
  const node = { ...goodManifest(), channels: [...channels, peer].sort((a, b) => compareChannelNames(a.name, b.name)) };
  for (const manifest of [goodManifest(), node, declare({}).manifest, declare({ clock: 'recorded', entropy: 'recorded' }).manifest]) {
    const bytes = encodeManifest(manifest);
    expect(decodeManifest(bytes)).toEqual(manifest);
    expect(encodeManifest(decodeManifest(bytes))).toEqual(bytes);
  }
});

test('the digest follows every field', () => {
  const good = goodManifest();
  const changes: readonly Partial<RunManifest>[] = [
    {}, { programName: 'other' }, { arguments: ['./prog'] }, { environment: [] }, { workingDirectory: '/tmp' }, { memoryBytes: 2 ** 24 }, { maxInstructions: null },
    { clock: { kind: 'zero' } }, { entropy: { kind: 'recorded' } }, { channels: good.channels.map((channel) => (channel.name === 'more' ? { ...channel, initialSize: 21 } : channel)) },
  ];
  const found = changes.map((change) => manifestDigest({ ...good, ...change }, digests));
  expect(new Set(found).size).toBe(changes.length);
  expect(manifestDigest(goodManifest(), digests)).toBe(found[0]);
});

test('version 1 has these bytes for ever', () => {
  const golden = join(import.meta.dirname, 'golden-manifest-1.hex');
  const hex = Buffer.from(encodeManifest(goodManifest())).toString('hex').replace(/.{1,96}/g, '$&\n');
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(golden, hex);
  expect(hex).toBe(readFileSync(golden, 'latin1'));
  expect(decodeManifest(Buffer.from(readFileSync(golden, 'latin1').replace(/\s/g, ''), 'hex'))).toEqual(goodManifest());
});

describe('foreign bytes', () => {
  const bytes = encodeManifest(goodManifest());
  const outcome = (foreign: Uint8Array): string => {
    const { code } = complaint(() => decodeManifest(foreign));
    return code;
  };
  test('every truncation is E_MANIFEST', () => {
    for (let length = 0; length < bytes.length; length++) expect(outcome(bytes.subarray(0, length)), `length ${length}`).toBe('E_MANIFEST');
    expect(outcome(new Uint8Array([...bytes, 0]))).toBe('E_MANIFEST');
  });
  test('every flipped bit is E_MANIFEST or another good manifest that encodes to itself', () => {
    for (let index = 0; index < bytes.length; index++) {
      for (let bit = 0; bit < 8; bit++) {
        const foreign = bytes.slice();
        foreign[index]! ^= 1 << bit;
        if (outcome(foreign) === 'E_MANIFEST') continue;
        if (Buffer.compare(encodeManifest(decodeManifest(foreign)), foreign) !== 0) throw new Error(`byte ${index} bit ${bit}`);
      }
    }
  });
});

type Fields = { [key: string]: Canonical };

/** The canonical value of a good manifest, changed by hand. */
function changed(change: (fields: Fields) => void): Uint8Array {
  const fields = { ...(decodeCanonical(encodeManifest(goodManifest())) as Fields) };
  change(fields);
  return encodeCanonical(fields);
}

function withChannel(name: string, change: Fields): (fields: Fields) => void {
  return (fields) => {
    fields.channels = (fields.channels as Fields[]).map((channel) => (channel.name === name ? { ...channel, ...change } : channel));
  };
}

/** A rule, what breaks it, and the field that must be named. */
const BROKEN: readonly (readonly [rule: string, change: (fields: Fields) => void, names: string])[] = [
  ['another format', (fields) => { fields.format = 'something'; }, 'format'],
  ['a later version', (fields) => { fields.version = 2; }, 'version must be 1'],
  ['a missing field', (fields) => { delete fields.clock; }, 'clock is missing'],
  ['a field too many', (fields) => { fields.extra = 1; }, 'extra is not known'],
  ['a field of another type', (fields) => { fields.memoryBytes = '64M'; }, 'memoryBytes'],
  ['a clock that is none', (fields) => { fields.clock = { kind: 'real' }; }, 'kind must be one of zero'],
  ['a clock without start', (fields) => { fields.clock = { kind: 'virtual' }; }, 'startNanoseconds is missing'],
  ['a zero clock with start', (fields) => { fields.clock = { kind: 'zero', startNanoseconds: 1n }; }, 'startNanoseconds is not known'],
  ['a start before 1970', (fields) => { fields.clock = { kind: 'virtual', startNanoseconds: -1n }; }, 'clock'],
  ['a seed too large', (fields) => { fields.entropy = { kind: 'seed', seed: 2n ** 64n }; }, 'entropy'],
  ['no arguments', (fields) => { fields.arguments = []; }, 'arguments'],
  ['arguments that are no text', (fields) => { fields.arguments = ['a', 5]; }, 'arguments must hold text'],
  ['a variable without a name', (fields) => { fields.environment = ['=x']; }, 'environment'],
  ['a variable twice', (fields) => { fields.environment = ['A=1', 'A=2']; }, 'environment'],
  ['a relative directory', (fields) => { fields.workingDirectory = 'x'; }, 'workingDirectory'],
  ['no standard input', (fields) => { fields.channels = (fields.channels as Fields[]).slice(1); }, 'must hold stdin'],
  ['channels in another order', (fields) => { fields.channels = [...(fields.channels as Fields[])].reverse(); }, 'channel order'],
  ['a channel twice', (fields) => { fields.channels = [(fields.channels as Fields[])[0]!, ...(fields.channels as Fields[])]; }, 'different names'],
  ['a channel outside /dev', withChannel('more', { path: '/etc/passwd' }), 'more'],
  ['a channel with a slash', withChannel('more', { name: 'more/b', path: '/dev/in/more/b' }), 'names'],
  ['a channel without direction', withChannel('stdin', { reads: false }), 'stdin must have a direction'],
  ['a stream in both directions', withChannel('stdin', { writes: true }), 'one direction'],
  ['a stream with a size', withChannel('stdin', { initialSize: 5 }), 'no size'],
  ['a live file', withChannel('more', { live: true }), 'cannot be live'],
  ['a file with a digest by blocks', withChannel('more', { digest: 'blocks' }), 'cannot have a digest by blocks'],
  ['a negative size', withChannel('more', { initialSize: -1 }), 'initialSize'],
  ['a fraction as limit', withChannel('more', { limits: { gets: 0.5, getBytes: null, puts: null, putBytes: null } }), 'gets'],
  ['limits without a field', withChannel('more', { limits: { gets: 1 } }), 'getBytes is missing'],
  ['no object at all', (fields) => { for (const key of Object.keys(fields)) delete fields[key]; }, 'format is missing'],
];

describe('every rule is checked and its field named', () => {
  for (const [rule, change, names] of BROKEN) {
    test(rule, () => {
      const found = complaint(() => decodeManifest(changed(change)));
      expect(found.code).toBe('E_MANIFEST');
      expect(found.message).toContain(names);
    });
  }
  test('a value that is no object', () => {
    for (const value of [null, 5, 'x', [], new Uint8Array(3)]) expect(() => decodeManifest(encodeCanonical(value))).toThrow(StillpointError);
  });
});
