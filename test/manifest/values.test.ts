/** Texts of options as values. Every refusal names its place and shows what would be right. */
import { describe, expect, test } from 'vitest';
import { parseBinding, parseCheckpointInterval, parseClock, parseCount, parseEntropy, parseKeepRule, parseLimit, parseSize, parseVariable, type Place } from '../../src/manifest/index.ts';
import { complaint } from './helpers.ts';

const place: Place = { code: 'E_USAGE', where: 'option --it' };

function check(name: string, parse: (text: string, place: Place) => unknown, good: Readonly<Record<string, unknown>>, bad: readonly string[]): void {
  describe(name, () => {
    for (const [text, value] of Object.entries(good)) test(`'${text}' is right`, () => expect(parse(text, place)).toEqual(value));
    for (const text of bad) {
      test(`'${text.slice(0, 60)}' is wrong`, () => {
        const { code, message } = complaint(() => parse(text, place));
        expect(code).toBe('E_USAGE');
        expect(message).toMatch(/^option --it: [^\n]+$/);
        expect(message.length).toBeLessThan(250);
      });
    }
  });
}

check('size', parseSize, { 0: 0, 4096: 4096, '1K': 1024, '64M': 2 ** 26, '4G': 2 ** 32, '4g': 2 ** 32, '2T': 2 ** 41 },
  ['', 'M', '-1', '+1', '1.5M', '64MB', '64 M', '010', '0x10', '1e3', '9'.repeat(30), '9'.repeat(1000), '9007199254740993', '1\n', 'NaN', 'Infinity']);
check('count', parseCount, { 0: 0n, 42: 42n, '500M': 500_000_000n, '20k': 20_000n, '9223372036854775807': 2n ** 63n - 1n }, ['', 'x', '1_000', '-5', '9223372036854775808', '10000000T']);
check('clock', parseClock, {
  zero: { kind: 'zero' }, recorded: { kind: 'recorded' }, virtual: { kind: 'virtual', startNanoseconds: 0n }, 'virtual:0': { kind: 'virtual', startNanoseconds: 0n },
  'virtual:1700000000': { kind: 'virtual', startNanoseconds: 1_700_000_000_000_000_000n }, 'virtual:1.25': { kind: 'virtual', startNanoseconds: 1_250_000_000n },
}, ['', 'Zero', 'real', 'virtual:', 'virtual:-1', 'virtual:1.', 'virtual:1.0000000001', 'virtual:now', 'zero:1', 'virtual:999999999999']);
check('entropy', parseEntropy, { recorded: { kind: 'recorded' }, 'seed:0': { kind: 'seed', seed: 0n }, 'seed:7': { kind: 'seed', seed: 7n }, 'seed:0xff': { kind: 'seed', seed: 255n }, 'seed:18446744073709551615': { kind: 'seed', seed: 2n ** 64n - 1n } },
  ['', 'seed', 'seed:', 'seed:-1', 'seed:18446744073709551616', 'seed:07', 'random', 'seed:0x']);
check('checkpoint interval', parseCheckpointInterval, {
  '10s': { kind: 'time', milliseconds: 10_000 }, '250ms': { kind: 'time', milliseconds: 250 }, '5m': { kind: 'time', milliseconds: 300_000 }, '1h': { kind: 'time', milliseconds: 3_600_000 },
  '500M': { kind: 'instructions', count: 500_000_000n }, 1000: { kind: 'instructions', count: 1000n },
}, ['', '0', '0s', '10', '10d', '1.5s', '9999999999s', 's'].filter((text) => text !== '10'));
check('rule for checkpoints', parseKeepRule, { all: 'all', 'last=3': { last: 3 }, 'daily=7,last=0': { daily: 7, last: 0 }, 'last=10,hourly=24,daily=30': { last: 10, hourly: 24, daily: 30 } },
  ['', 'last', 'last=', 'last=-1', 'last=1,', 'last=1,last=2', 'weekly=3', 'last=1000000', 'last=1,all', 'last=1 ', '__proto__=1']);
check('binding', parseBinding, { 'a=b': { name: 'a', file: 'b' }, 'a=/x=y:z,;': { name: 'a', file: '/x=y:z,;' }, 'a.b-c_1=@x': { name: 'a.b-c_1', file: '@x' }, 'a=-': { name: 'a', file: '-' } },
  ['', 'a', '=b', 'a=', 'a/b=c', '.=c', '..=c', '-a=c', 'a b=c', 'a:b=c', 'ä=c', `${'a'.repeat(65)}=c`, 'a=b\0c', 'a\n=c']);
check('variable', parseVariable, { 'A=': { name: 'A', value: '' }, 'A=b=c': { name: 'A', value: 'b=c' } }, ['', 'A', '=x', 'A=\0']);
check('limit', parseLimit, {
  'a:gets=1': { channel: 'a', limits: { gets: 1 } }, 'x:y:puts=2': { channel: 'x:y', limits: { puts: 2 } },
  'a:gets=1K,get-bytes=1K,puts=0,put-bytes=2M': { channel: 'a', limits: { gets: 1000, getBytes: 1024, puts: 0, putBytes: 2 ** 21 } },
}, ['', 'a', 'a:', ':gets=1', 'a:gets', 'a:gets=', 'a:gets=x', 'a:gets=1,gets=2', 'a:reads=1', 'a:gets=1,', 'a:gets=1=2', 'a:getBytes=1', 'a:__proto__=1', 'a:constructor=1', 'a:gets=9223372036854775807']);
