/**
 * Texts of options and manifest files as values: sizes, counts, clock, entropy, intervals, pairs, limits.
 * Invariants: every failure is one line that names the place and shows what would be right; nothing is guessed (no octal, no spaces).
 * Units: sizes in powers of 1024, counts in powers of 1000, times in ms and ns.
 */
import { StillpointError } from '../core/index.ts';
import type { CheckpointInterval, KeepRule } from './bindings.ts';
import type { ChannelLimits } from './channel-spec.ts';
import { brokenCapRule, brokenMemoryRule, type ClockSetting, type EntropySetting } from './run-manifest.ts';
import type { Place, VariableSetting } from './settings.ts';

const SIZE_UNITS: Readonly<Record<string, bigint>> = { '': 1n, K: 1n << 10n, M: 1n << 20n, G: 1n << 30n, T: 1n << 40n };
const COUNT_UNITS: Readonly<Record<string, bigint>> = { '': 1n, K: 1000n, M: 1_000_000n, G: 1_000_000_000n, T: 1_000_000_000_000n };
const TIME_UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Longest time between checkpoints: what a timer of the host can count (2^31 - 1 ms, 24 days). */
const INTERVAL_MS_MAX = 2 ** 31 - 1;
/** Longest text of a number; hostile input must not make a huge integer. */
const DIGITS_MAX = 40;
const LIMIT_FIELDS = { gets: 'gets', 'get-bytes': 'getBytes', puts: 'puts', 'put-bytes': 'putBytes' } as const;

/** One line: where, what was written, what is right. */
export function complain(place: Place, what: string): StillpointError {
  return new StillpointError(place.code, printable(`${place.where}: ${what}`), { data: { where: place.where } });
}

/** Text of a file's as one line that does nothing to a terminal. */
export function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** Bytes: `4096`, `64M`, `2G` (powers of 1024). */
export function parseSize(text: string, place: Place): number {
  const size = scaled(text, SIZE_UNITS);
  if (size === undefined || size > BigInt(Number.MAX_SAFE_INTEGER)) throw complain(place, `${quote(text)} is not a size (4096, 64M, 2G)`);
  return Number(size);
}

/** A number of things: `42`, `500M` (powers of 1000). */
export function parseCount(text: string, place: Place): bigint {
  const count = scaled(text, COUNT_UNITS);
  if (count === undefined || count >= 2n ** 63n) throw complain(place, `${quote(text)} is not a count (42, 20K, 500M)`);
  return count;
}

/** Memory of a machine, in bytes. */
export function parseMemory(text: string, place: Place): number {
  const bytes = parseSize(text, place);
  const rule = brokenMemoryRule(bytes);
  if (rule !== undefined) throw complain(place, `${quote(text)} ${rule}`);
  return bytes;
}

/** A cap on instructions. */
export function parseCap(text: string, place: Place): bigint {
  const cap = parseCount(text, place);
  const rule = brokenCapRule(cap);
  if (rule !== undefined) throw complain(place, `${quote(text)} ${rule}`);
  return cap;
}

export function parseClock(text: string, place: Place): ClockSetting {
  if (text === 'zero' || text === 'recorded') return { kind: text };
  if (text === 'virtual') return { kind: 'virtual', startNanoseconds: 0n };
  const match = /^virtual:(0|[1-9][0-9]{0,10})(?:\.([0-9]{1,9}))?$/.exec(text);
  if (match === null) throw complain(place, `${quote(text)} is not a clock (zero, virtual, virtual:SECONDS since 1970, recorded)`);
  return { kind: 'virtual', startNanoseconds: BigInt(match[1]!) * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0')) };
}

/** `seed:N`, decimal or hexadecimal, below 2^64. */
function seedOf(text: string): bigint | undefined {
  const match = /^seed:(0x[0-9a-fA-F]{1,16}|0|[1-9][0-9]{0,19})$/.exec(text);
  const seed = match === null ? undefined : BigInt(match[1]!);
  return seed === undefined || seed >= 2n ** 64n ? undefined : seed;
}

/** The seed of another order of threads and processes. */
export function parseSchedule(text: string, place: Place): bigint {
  const seed = seedOf(text);
  if (seed === undefined) throw complain(place, `${quote(text)} is not a schedule (seed:N with N below 2^64)`);
  return seed;
}

export function parseEntropy(text: string, place: Place): EntropySetting {
  if (text === 'recorded') return { kind: 'recorded' };
  const seed = seedOf(text);
  if (seed === undefined) throw complain(place, `${quote(text)} is not a source of entropy (seed:N with N below 2^64, recorded)`);
  return { kind: 'seed', seed };
}

/** `10s`, `250ms`, `5m` are time; `500M` is instructions. */
export function parseCheckpointInterval(text: string, place: Place): CheckpointInterval {
  const time = /^([1-9][0-9]{0,9})(ms|s|m|h)$/.exec(text);
  if (time !== null) {
    const milliseconds = Number(time[1]) * TIME_UNITS_MS[time[2]!]!;
    if (milliseconds > INTERVAL_MS_MAX) throw complain(place, `${text} is longer than 24 days`);
    return { kind: 'time', milliseconds };
  }
  const count = scaled(text, COUNT_UNITS);
  if (count === undefined || count === 0n || count >= 2n ** 63n) throw complain(place, `${quote(text)} is neither a time (10s) nor a number of instructions (500M)`);
  return { kind: 'instructions', count };
}

/** `last=10,hourly=24,daily=30`, at least one of them, or `all`. */
export function parseKeepRule(text: string, place: Place): KeepRule | 'all' {
  if (text === 'all') return 'all';
  const found: { last?: number; hourly?: number; daily?: number } = {};
  for (const part of text.split(',')) {
    const match = /^(last|hourly|daily)=(0|[1-9][0-9]{0,5})$/.exec(part);
    if (match === null) throw complain(place, `${quote(part)} says not which checkpoints stay (last=N, hourly=N, daily=N with N below a million; or all)`);
    const key = match[1] as keyof KeepRule; // The pattern has these three.
    if (found[key] !== undefined) throw complain(place, `${key} is given twice`);
    found[key] = Number(match[2]);
  }
  return found;
}

/** `NAME=FILE`; FILE may hold anything, `=` and `:` too. */
export function parseBinding(text: string, place: Place): { readonly name: string; readonly file: string } {
  const split = text.indexOf('=');
  if (split < 0) throw complain(place, `${quote(text)} is not NAME=FILE`);
  const [name, file] = [text.slice(0, split), text.slice(split + 1)];
  checkName(name, place);
  if (file === '' || file.includes('\0')) throw complain(place, `channel ${name} has no file`);
  return { name, file };
}

/** Names that users give to channels: short, and free of what the syntax of options needs. */
export function checkName(name: string, place: Place): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) throw complain(place, `${quote(name)} is not a channel name (1 to 64 of a-z A-Z 0-9 . _ -, first a letter or digit)`);
}

/** `K=V`; V may be empty and hold anything. */
export function parseVariable(text: string, place: Place): VariableSetting {
  const split = text.indexOf('=');
  if (split <= 0 || text.includes('\0')) throw complain(place, `${quote(text)} is not NAME=VALUE`);
  return { name: text.slice(0, split), value: text.slice(split + 1) };
}

/** `CHANNEL:gets=N,get-bytes=N,puts=N,put-bytes=N`, at least one of them. */
export function parseLimit(text: string, place: Place): { readonly channel: string; readonly limits: Partial<ChannelLimits> } {
  const split = text.lastIndexOf(':');
  if (split <= 0 || split === text.length - 1) throw complain(place, `${quote(text)} is not CHANNEL:gets=N,get-bytes=N,puts=N,put-bytes=N`);
  const found: Partial<Record<keyof ChannelLimits, number>> = {};
  for (const part of text.slice(split + 1).split(',')) {
    const [key = '', value = '', ...rest] = part.split('=');
    const field = Object.hasOwn(LIMIT_FIELDS, key) ? LIMIT_FIELDS[key as keyof typeof LIMIT_FIELDS] : undefined;
    if (field === undefined || rest.length > 0) throw complain(place, `${quote(part)} is not a limit (gets=N, get-bytes=N, puts=N, put-bytes=N)`);
    if (found[field] !== undefined) throw complain(place, `${key} is given twice`);
    found[field] = key.endsWith('bytes') ? parseSize(value, place) : safeCount(value, place);
  }
  return { channel: text.slice(0, split), limits: found };
}

function safeCount(text: string, place: Place): number {
  const count = parseCount(text, place);
  if (count > BigInt(Number.MAX_SAFE_INTEGER)) throw complain(place, `${quote(text)} is too large`);
  return Number(count);
}

function scaled(text: string, units: Readonly<Record<string, bigint>>): bigint | undefined {
  const match = /^(0|[1-9][0-9]*)([KMGT]?)$/i.exec(text);
  if (match === null || text.length > DIGITS_MAX) return undefined;
  return BigInt(match[1]!) * units[match[2]!.toUpperCase()]!;
}

/** Foreign text in a message: short, on one line. */
function quote(text: string): string {
  const short = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  return `'${short.replace(/\p{Cc}/gu, '?')}'`;
}
