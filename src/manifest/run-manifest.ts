/**
 * The run manifest: everything the result of a run depends on, besides the program's bytes and later input. One value has one byte string
 * (core canonical), whose SHA-256 names it. docs/formats/manifest.md is the page.
 * Invariants: a decoded manifest passed every check below; nothing of the host (paths, times) is in it.
 * Units: bytes, nanoseconds. What this does NOT do: read files or options (settings.ts, live/manifest-file.ts), know host paths (bindings.ts).
 */
import { decodeCanonical, encodeCanonical, limits, StillpointError, type BlobHash, type Canonical, type Digests } from '../core/index.ts';
import { compareChannelNames, type ChannelLimits, type ChannelSpec } from './channel-spec.ts';
import { fieldsOf, FieldReader } from './field-reader.ts';

/** What the guest's clocks show. */
export type ClockSetting =
  | { readonly kind: 'zero' }
  /** Time since 1970 at the start; instructions and sleeps move it. */
  | { readonly kind: 'virtual'; readonly startNanoseconds: bigint }
  | { readonly kind: 'recorded' };

/** Where the guest's randomness comes from. */
export type EntropySetting = { readonly kind: 'seed'; readonly seed: bigint } | { readonly kind: 'recorded' };

/** Who the program runs as. */
export interface RunUser { readonly uid: number; readonly gid: number; readonly groups: readonly number[] }

export interface RunManifest {
  readonly version: 1;
  /** Last part of the program's path, for reports. */
  readonly programName: string;
  /** argv as the guest gets it, argv[0] included. */
  readonly arguments: readonly string[];
  /** `NAME=VALUE`, names unique, in the order in which the guest gets them. */
  readonly environment: readonly string[];
  /** Absolute, inside the guest. */
  readonly workingDirectory: string;
  /** A multiple of the page size. */
  readonly memoryBytes: number;
  readonly maxInstructions: bigint | null;
  readonly clock: ClockSetting;
  readonly entropy: EntropySetting;
  /** In channel order: stdin, stdout, stderr, then by name. */
  readonly channels: readonly ChannelSpec[];
  /** What lies below the guest's files: the digest of its catalog. Not there without an image. */
  readonly image?: BlobHash;
  /** Seed of another order of threads and processes. Not there: in order of birth. */
  readonly schedule?: bigint;
  /** Where in the image the program is, absolute. Not there for a program from the host. */
  readonly programPath?: string;
  /** Not there: `guest`, 1000:1000. */
  readonly user?: RunUser;
  /** The working directory is made when it is not there. */
  readonly makesWorkingDirectory?: true;
}

export const MANIFEST_FORMAT = 'stillpoint.run';
export const MANIFEST_VERSION = 1;
const CLOCK_START_MAX = 2n ** 63n - 1n; // time_t in nanoseconds, as the guest's 64-bit arithmetic can hold it.
const SEED_MAX = 2n ** 64n - 1n;
const INSTRUCTIONS_MAX = 2n ** 63n - 1n;
/** (uid_t) -1 means something else. */
const ID_MAX = 0xffff_fffe;
const MEBIBYTE = 1024 * 1024;

/** The one byte string of a manifest. Throws E_MANIFEST when it breaks a rule. */
export function encodeManifest(manifest: RunManifest): Uint8Array {
  checkManifest(manifest);
  const { version, programName, workingDirectory, memoryBytes, maxInstructions, clock, entropy } = manifest;
  return encodeCanonical({
    format: MANIFEST_FORMAT, version, programName, workingDirectory, memoryBytes, maxInstructions,
    arguments: manifest.arguments, environment: manifest.environment, clock: { ...clock }, entropy: { ...entropy },
    channels: manifest.channels.map((channel) => ({ ...channel, limits: { ...channel.limits } })),
    ...(manifest.image === undefined ? {} : { image: manifest.image }), ...(manifest.programPath === undefined ? {} : { programPath: manifest.programPath }),
    ...(manifest.schedule === undefined ? {} : { schedule: manifest.schedule }), ...(manifest.user === undefined ? {} : { user: { ...manifest.user } }),
    ...(manifest.makesWorkingDirectory === undefined ? {} : { makesWorkingDirectory: manifest.makesWorkingDirectory }),
  });
}

/** The manifest of some foreign bytes. Throws E_MANIFEST on anything that encodeManifest cannot have made. */
export function decodeManifest(bytes: Uint8Array): RunManifest {
  let value: Canonical;
  try {
    value = decodeCanonical(bytes);
  } catch (cause) {
    if (!(cause instanceof StillpointError)) throw cause;
    throw new StillpointError('E_MANIFEST', `run manifest: ${cause.message}`, { cause });
  }
  const manifest = readManifest(value);
  checkManifest(manifest);
  return manifest;
}

/** SHA-256 of the canonical bytes. */
export function manifestDigest(manifest: RunManifest, digests: Digests): BlobHash {
  return digests.sha256(encodeManifest(manifest));
}

function readManifest(value: Canonical): RunManifest {
  const reader = new FieldReader(value, 'run manifest');
  reader.constant('format', MANIFEST_FORMAT);
  reader.constant('version', MANIFEST_VERSION);
  const manifest: RunManifest = {
    version: MANIFEST_VERSION,
    programName: reader.text('programName'),
    arguments: reader.texts('arguments'),
    environment: reader.texts('environment'),
    workingDirectory: reader.text('workingDirectory'),
    memoryBytes: reader.count('memoryBytes'),
    maxInstructions: reader.bigintOrNull('maxInstructions'),
    clock: readClock(reader.take('clock')),
    entropy: readEntropy(reader.take('entropy')),
    channels: reader.list('channels', limits.CHANNELS_MAX).map(readChannel),
    ...(reader.has('image') ? { image: reader.hash('image') } : {}),
    ...(reader.has('schedule') ? { schedule: reader.bigint('schedule') } : {}),
    ...(reader.has('programPath') ? { programPath: reader.text('programPath') } : {}),
    ...(reader.has('user') ? { user: readUser(reader.take('user')) } : {}),
    ...(reader.has('makesWorkingDirectory') ? { makesWorkingDirectory: readTrue(reader) } : {}),
  };
  reader.finish();
  return manifest;
}

function readClock(value: Canonical): ClockSetting {
  const reader = new FieldReader(value, 'clock');
  const kind = reader.choice('kind', ['zero', 'virtual', 'recorded']);
  const clock: ClockSetting = kind === 'virtual' ? { kind, startNanoseconds: reader.bigint('startNanoseconds') } : { kind };
  reader.finish();
  return clock;
}

function readEntropy(value: Canonical): EntropySetting {
  const reader = new FieldReader(value, 'entropy');
  const kind = reader.choice('kind', ['seed', 'recorded']);
  const entropy: EntropySetting = kind === 'seed' ? { kind, seed: reader.bigint('seed') } : { kind };
  reader.finish();
  return entropy;
}

function readUser(value: Canonical): RunUser {
  const reader = new FieldReader(value, 'user');
  const id = (given: Canonical): number => {
    require(typeof given === 'number', 'user', 'must have numbers');
    return given as number; // Checked above.
  };
  const user: RunUser = { uid: reader.count('uid'), gid: reader.count('gid'), groups: reader.list('groups', limits.GROUPS_MAX).map(id) };
  reader.finish();
  return user;
}

function readTrue(reader: FieldReader): true {
  require(reader.boolean('makesWorkingDirectory'), 'makesWorkingDirectory', 'must be true or not there');
  return true;
}

function readChannel(value: Canonical): ChannelSpec {
  const name = fieldsOf(value).name;
  const reader = new FieldReader(value, typeof name === 'string' ? `channel ${name}` : 'channel');
  const channel: ChannelSpec = {
    name: reader.text('name'),
    path: reader.text('path'),
    access: reader.choice('access', ['sequential', 'random', 'append']),
    reads: reader.boolean('reads'),
    writes: reader.boolean('writes'),
    live: reader.boolean('live'),
    seenAs: reader.choice('seenAs', ['pipe', 'character', 'file']),
    initialSize: reader.count('initialSize'),
    limits: readLimits(reader.take('limits'), `limits of channel ${String(name)}`),
    ...(reader.has('digest') ? { digest: reader.choice('digest', ['blocks']) } : {}),
  };
  reader.finish();
  return channel;
}

function readLimits(value: Canonical, where: string): ChannelLimits {
  const reader = new FieldReader(value, where);
  const found: ChannelLimits = {
    gets: reader.countOrNull('gets'), getBytes: reader.countOrNull('getBytes'), puts: reader.countOrNull('puts'), putBytes: reader.countOrNull('putBytes'),
  };
  reader.finish();
  return found;
}

/** Every rule of a manifest. Throws E_MANIFEST naming the field. */
export function checkManifest(manifest: RunManifest): void {
  require(isText(manifest.programName) && manifest.programName !== '' && byteLength(manifest.programName) <= limits.NAME_BYTES_MAX, 'programName', 'must be a file name');
  require(manifest.arguments.length > 0, 'arguments', 'must begin with the name of the program');
  require([...manifest.arguments, ...manifest.environment].every(isText), 'arguments', 'must be Unicode text without NUL');
  require(manifest.environment.every((entry) => entry.indexOf('=') > 0), 'environment', 'must hold NAME=VALUE');
  require(new Set(manifest.environment.map((entry) => entry.slice(0, entry.indexOf('=')))).size === manifest.environment.length, 'environment', 'must not name a variable twice');
  const bytes = [...manifest.arguments, ...manifest.environment].reduce((sum, text) => sum + byteLength(text) + 1, 0);
  require(bytes <= limits.ARGUMENT_BYTES_MAX, 'arguments', `must have at most ${limits.ARGUMENT_BYTES_MAX} bytes together with the environment`);
  const directory = manifest.workingDirectory;
  require(directory.startsWith('/') && isText(directory) && byteLength(directory) < limits.PATH_BYTES_MAX, 'workingDirectory', 'must be an absolute path');
  const { programPath } = manifest;
  if (programPath !== undefined) {
    require(programPath.startsWith('/') && isText(programPath) && byteLength(programPath) < limits.PATH_BYTES_MAX, 'programPath', 'must be an absolute path');
    require(!programPath.endsWith('/'), 'programPath', 'must be the path of a file');
  }
  const memoryRule = brokenMemoryRule(manifest.memoryBytes);
  require(memoryRule === undefined, 'memoryBytes', memoryRule ?? '');
  const capRule = manifest.maxInstructions === null ? undefined : brokenCapRule(manifest.maxInstructions);
  require(capRule === undefined, 'maxInstructions', capRule ?? '');
  const { clock, entropy } = manifest;
  require(clock.kind !== 'virtual' || (clock.startNanoseconds >= 0n && clock.startNanoseconds <= CLOCK_START_MAX), 'clock', 'must start between 1970 and 2262');
  require(entropy.kind !== 'seed' || (entropy.seed >= 0n && entropy.seed <= SEED_MAX), 'entropy', 'must have a seed below 2^64');
  require(manifest.schedule === undefined || (manifest.schedule >= 0n && manifest.schedule <= SEED_MAX), 'schedule', 'must have a seed below 2^64');
  if (manifest.user !== undefined) checkUser(manifest.user);
  checkChannels(manifest.channels);
}

/** What is wrong with a size of memory; undefined when nothing is. */
export function brokenMemoryRule(bytes: number): string | undefined {
  const { MEMORY_BYTES_MIN, MEMORY_BYTES_MAX, PAGE_BYTES } = limits;
  if (bytes < MEMORY_BYTES_MIN || bytes > MEMORY_BYTES_MAX) return `must be from ${MEMORY_BYTES_MIN / MEBIBYTE}M to ${Math.floor(MEMORY_BYTES_MAX / MEBIBYTE)}M (${MEMORY_BYTES_MAX} bytes)`;
  return Number.isInteger(bytes / PAGE_BYTES) ? undefined : `must be a multiple of ${PAGE_BYTES}`;
}

/** The same for a cap on instructions. */
export function brokenCapRule(instructions: bigint): string | undefined {
  return instructions > 0n && instructions <= INSTRUCTIONS_MAX ? undefined : 'must be positive and below 2^63';
}

function checkUser({ uid, gid, groups }: RunUser): void {
  const isId = (id: number): boolean => Number.isSafeInteger(id) && id >= 0 && id <= ID_MAX;
  require(isId(uid) && isId(gid) && groups.every(isId), 'user', `must have ids from 0 to ${ID_MAX}`);
  require(groups.length <= limits.GROUPS_MAX && groups.every((id, index) => index === 0 || groups[index - 1]! < id), 'user', 'must have groups in order, each once');
}

function checkChannels(channels: readonly ChannelSpec[]): void {
  require(channels.length <= limits.CHANNELS_MAX, 'channels', `must be at most ${limits.CHANNELS_MAX}`);
  for (const name of ['stdin', 'stdout', 'stderr']) require(channels.some((channel) => channel.name === name), 'channels', `must hold ${name}`);
  require(new Set(channels.map((channel) => channel.name)).size === channels.length, 'channels', 'must have different names');
  require(new Set(channels.map((channel) => channel.path)).size === channels.length, 'channels', 'must have different paths');
  const isOrdered = channels.every((channel, index) => index === 0 || compareChannelNames(channels[index - 1]!.name, channel.name) < 0);
  require(isOrdered, 'channels', 'must be in channel order (stdin, stdout, stderr, then by name)');
  for (const channel of channels) checkChannel(channel);
}

function checkChannel(channel: ChannelSpec): void {
  const { name, path, access, reads, writes, live, initialSize } = channel;
  const where = `channel ${name}`;
  const [, folder, plain = name] = /^(in|out)\/(.*)$/s.exec(name) ?? []; // A channel to a peer has its folder in its name: a node may read from and write to the same one.
  require(isChannelName(plain), 'channels', 'must have names without NUL, control characters and slashes, of 1 to 255 bytes');
  require(path === `/dev/${name}` || (folder === undefined && ['in', 'out', 'rw'].some((parent) => path === `/dev/${parent}/${name}`)), where, 'must lie in /dev under its name');
  require(reads || writes, where, 'must have a direction');
  require(access !== 'sequential' || (reads !== writes && initialSize === 0), where, 'is sequential: it has one direction and no size');
  require(access !== 'random' || reads, where, 'is random: it must be readable');
  require(access !== 'append' || writes, where, 'is for appending: it must be writable');
  require(!live || (access === 'sequential' && (reads || folder === 'out')), where, 'cannot be live: only sequential input and messages to a peer can');
  require(channel.digest === undefined || (access === 'sequential' && folder !== undefined), where, 'cannot have a digest by blocks: only channels to peers have');
  for (const limit of Object.values(channel.limits)) require(limit === null || (Number.isSafeInteger(limit) && limit >= 0), where, 'must have limits that are whole numbers');
  require(Number.isSafeInteger(initialSize) && initialSize >= 0, where, 'must have a whole size');
}

/** Whether text can be the name of a channel: one part of a path, and visible. */
export function isChannelName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && isText(name) && !/[/\p{Cc}]/u.test(name) && byteLength(name) <= limits.NAME_BYTES_MAX;
}

/** Text that survives UTF-8 and C strings: no lone surrogate, no NUL. */
function isText(text: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(text);
}

const encoder = new TextEncoder();

/** Bytes of a text in UTF-8. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}

function require(holds: boolean, field: string, rule: string): void {
  if (!holds) throw new StillpointError('E_MANIFEST', `run manifest: ${field} ${rule}`, { data: { field } });
}
