/**
 * The options of `run` as texts, parsed to settings. Invariants: complaints are E_USAGE and name the option as the user typed it.
 */
import { parseBinding, parseCap, parseCheckpointInterval, parseClock, parseEntropy, parseKeepRule, parseLimit, parseMemory, parseSchedule, parseVariable, complain } from './parse-values.ts';
import { engineNamed, ENGINES, type EngineName } from './engine.ts';
import type { ChannelKind, ChannelSetting, HostSettings, Place, RunSettings } from './settings.ts';

/** Option name (camel case) → text as given; repeatable options are lists. */
export interface RunOptionTexts {
  readonly program?: string;
  readonly arguments?: readonly string[];
  readonly in?: readonly string[];
  readonly out?: readonly string[];
  readonly append?: readonly string[];
  readonly rw?: readonly string[];
  readonly live?: readonly string[];
  readonly limit?: readonly string[];
  readonly image?: readonly string[];
  readonly env?: readonly string[];
  readonly cwd?: string;
  readonly user?: string;
  readonly entrypoint?: string;
  readonly clock?: string;
  readonly entropy?: string;
  readonly schedule?: string;
  readonly memory?: string;
  readonly maxInstructions?: string;
  readonly checkpointEvery?: string;
  readonly keepCheckpoints?: string;
  readonly engine?: string;
  readonly store?: string;
  readonly name?: string;
  readonly ephemeral?: boolean;
  readonly report?: string;
  readonly exportLayer?: string;
}

const KINDS: readonly ChannelKind[] = ['in', 'out', 'append', 'rw'];

/** Throws E_USAGE on the first text that is wrong. */
export function parseRunOptions(texts: RunOptionTexts): RunSettings {
  const channels = KINDS.flatMap((kind) => (texts[kind] ?? []).map((text): ChannelSetting => ({ kind, ...parseBinding(text, option(kind)), place: option(kind) })));
  return {
    ...defined('program', texts.program, (text) => text),
    ...(texts.program === undefined ? {} : { arguments: texts.arguments ?? [] }),
    environment: (texts.env ?? []).map((text) => parseVariable(text, option('env'))),
    ...defined('workingDirectory', texts.cwd, (text) => parseDirectory(text, option('workdir'))),
    ...defined('user', texts.user, (text) => parseUser(text, option('user'))),
    ...defined('entrypoint', texts.entrypoint, (text) => text),
    ...defined('memoryBytes', texts.memory, (text) => parseMemory(text, option('memory'))),
    ...defined('maxInstructions', texts.maxInstructions, (text) => parseCap(text, option('max-instructions'))),
    ...defined('clock', texts.clock, (text) => parseClock(text, option('clock'))),
    ...defined('entropy', texts.entropy, (text) => parseEntropy(text, option('entropy'))),
    ...defined('schedule', texts.schedule, (text) => parseSchedule(text, option('schedule'))),
    channels,
    live: (texts.live ?? []).map((channel) => ({ channel, place: option('live') })),
    limits: (texts.limit ?? []).map((text) => ({ ...parseLimit(text, option('limit')), place: option('limit') })),
    images: (texts.image ?? []).map((text) => ({ ...parseImage(text, option('image')), place: option('image') })),
    host: hostSettings(texts),
  };
}

/** An absolute path inside the guest. */
export function parseDirectory(text: string, place: Place): string {
  if (!text.startsWith('/') || text.includes('\0')) throw complain(place, 'the working directory must be an absolute path inside the guest');
  return text;
}

/** `UID[:GID]` or names, in the characters that names have. */
export function parseUser(text: string, place: Place): string {
  if (!/^[A-Za-z0-9_.$@-]+(:[A-Za-z0-9_.$@-]+)?$/.test(text)) throw complain(place, 'the user is UID, UID:GID, NAME or NAME:GROUP');
  return text;
}

/** `SOURCE[:MOUNT]`; a colon counts when a path of the guest, which is absolute, follows it. */
export function parseImage(text: string, place: Place): { readonly source: string; readonly mount: string } {
  const colon = text.lastIndexOf(':/');
  const [source, mount] = colon < 0 ? [text, '/'] : [text.slice(0, colon), text.slice(colon + 1)];
  if (source === '' || text.includes('\0')) throw complain(place, 'an image is a tar archive, a directory or a name, as in debian.tar or src:/work');
  if (mount.split('/').includes('..')) throw complain(place, `the place ${mount} must be an absolute path without ..`);
  return { source, mount };
}

/** Which engine executes. */
export function parseEngine(text: string, place: Place): EngineName {
  const engine = engineNamed(text);
  if (engine === undefined) throw complain(place, `the engine is one of ${ENGINES.join(', ')}`);
  return engine;
}

function hostSettings(texts: RunOptionTexts): HostSettings {
  return {
    ...defined('store', texts.store, (text) => text),
    ...defined('name', texts.name, (text) => text),
    ...defined('ephemeral', texts.ephemeral, (flag) => flag),
    ...defined('checkpointEvery', texts.checkpointEvery, (text) => parseCheckpointInterval(text, option('checkpoint-every'))),
    ...defined('keepCheckpoints', texts.keepCheckpoints, (text) => parseKeepRule(text, option('keep-checkpoints'))),
    ...defined('engine', texts.engine, (text) => parseEngine(text, option('engine'))),
    ...defined('report', texts.report, (text) => text),
    ...defined('exportLayer', texts.exportLayer, (text) => text),
  };
}

function option(name: string): Place {
  return { code: 'E_USAGE', where: `option --${name}` };
}

/** A field when there is a value, no field when there is none (exactOptionalPropertyTypes). */
function defined<Key extends string, In, Out>(key: Key, value: In | undefined, parse: (value: In) => Out): { readonly [K in Key]?: Out } {
  return (value === undefined ? {} : { [key]: parse(value) }) as { readonly [K in Key]?: Out }; // A computed key loses its literal type.
}
