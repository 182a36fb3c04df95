/**
 * Manifest files in YAML or JSON (which is YAML too): text → settings, the same as the options of `run` give.
 * Invariants: every complaint is E_MANIFEST, one line, with file, line and field; unknown and repeated keys are complaints.
 * Paths in the file are relative to the file. What this does NOT do: look at the host beyond reading this one file.
 */
import { checkName, parseCap, parseCheckpointInterval, parseClock, parseCount, parseEntropy, parseKeepRule, parseMemory, parseSchedule, parseSize } from '../parse-values.ts';
import { parseDirectory, parseImage, parseUser } from '../parse-options.ts';
import type { ChannelLimits } from '../channel-spec.ts';
import type { ChannelKind, ChannelSetting, HostSettings, ImageSetting, LimitSetting, LiveSetting, RunSettings } from '../settings.ts';
import { ManifestDocument, type Path } from './manifest-document.ts';
import { readManifestText } from './manifest-text.ts';
import { manifestFileSchema, type ManifestFile } from './manifest-schema.ts';

const KINDS: readonly ChannelKind[] = ['in', 'out', 'append', 'rw'];

/** Reads and parses a manifest file. Throws E_MANIFEST. */
export function readManifestFile(path: string): RunSettings {
  return parseManifestText(readManifestText(path), path);
}

/** Parses the text of a manifest file; `path` is for messages and relative files. */
export function parseManifestText(text: string, path: string): RunSettings {
  const document = new ManifestDocument(text, path, manifestFileSchema);
  return toSettings(document.content, document);
}

function toSettings(file: ManifestFile, document: ManifestDocument<ManifestFile>): RunSettings {
  const channels: ChannelSetting[] = [];
  const live: LiveSetting[] = [];
  const limits: LimitSetting[] = [];
  const addShared = (name: string, path: Path, value: { readonly live?: boolean | undefined; readonly limits?: FileLimits | undefined }): void => {
    if (value.live === true) live.push({ channel: name, place: document.place([...path, 'live']) });
    if (value.limits !== undefined) limits.push({ channel: name, limits: toLimits(value.limits, [...path, 'limits'], document), place: document.place([...path, 'limits']) });
  };
  for (const [name, value] of Object.entries(file.channels ?? {})) {
    const path = ['channels', name];
    checkName(name, document.place(path));
    const kind = KINDS.find((candidate) => candidate in value)!; // The schema wants exactly one.
    channels.push({ name, kind, file: document.absolute((value as Readonly<Record<ChannelKind, string>>)[kind]), place: document.place(path) });
    addShared(name, path, value);
  }
  for (const name of ['stdin', 'stdout', 'stderr'] as const) if (file[name] !== undefined) addShared(name, [name], file[name]);
  return {
    ...(file.program === undefined ? {} : { program: programOf(file, document), arguments: (file.arguments ?? []).map((text) => absoluteArgument(text, document)) }),
    environment: Object.entries(file.environment ?? {}).map(([name, value]) => ({ name, value })),
    ...(file.workingDirectory === undefined ? {} : { workingDirectory: parseDirectory(file.workingDirectory, document.place(['workingDirectory'])) }),
    ...(file.user === undefined ? {} : { user: parseUser(String(file.user), document.place(['user'])) }),
    ...(file.entrypoint === undefined ? {} : { entrypoint: file.entrypoint }),
    ...(file.memory === undefined ? {} : { memoryBytes: parseMemory(String(file.memory), document.place(['memory'])) }),
    ...(file.maxInstructions === undefined ? {} : { maxInstructions: parseCap(String(file.maxInstructions), document.place(['maxInstructions'])) }),
    ...(file.clock === undefined ? {} : { clock: parseClock(file.clock, document.place(['clock'])) }),
    ...(file.schedule === undefined ? {} : { schedule: parseSchedule(file.schedule, document.place(['schedule'])) }),
    ...(file.entropy === undefined ? {} : { entropy: parseEntropy(file.entropy, document.place(['entropy'])) }),
    channels, live, limits,
    images: (file.images ?? []).map((text, index) => imageOf(text, document, ['images', index])),
    host: toHostSettings(file, document),
  };
}

/** With images a plain name is looked up there, as on the command line. */
function programOf(file: ManifestFile, document: ManifestDocument<ManifestFile>): string {
  const program = file.program ?? '';
  return (file.images ?? []).length > 0 && !program.includes('/') ? program : document.absolute(program);
}

/** A source that is a file lies beside the manifest file; a plain name is one of the store. */
function imageOf(text: string, document: ManifestDocument<ManifestFile>, path: Path): ImageSetting {
  const { source, mount } = parseImage(text, document.place(path));
  return { source: source.includes('/') ? document.absolute(source) : source, mount, place: document.place(path) };
}

type FileLimits = NonNullable<NonNullable<ManifestFile['stdin']>['limits']>;

function toLimits(limits: FileLimits, path: Path, document: ManifestDocument<ManifestFile>): Partial<ChannelLimits> {
  const found: Partial<Record<keyof ChannelLimits, number>> = {};
  for (const field of ['gets', 'getBytes', 'puts', 'putBytes'] as const) {
    const value = limits[field];
    if (value === undefined) continue;
    const place = document.place([...path, field]);
    found[field] = field.endsWith('Bytes') ? parseSize(String(value), place) : Number(parseCount(String(value), place));
  }
  return found;
}

function toHostSettings(file: ManifestFile, document: ManifestDocument<ManifestFile>): HostSettings {
  return {
    ...(file.store === undefined ? {} : { store: document.absolute(file.store) }),
    ...(file.name === undefined ? {} : { name: file.name }),
    ...(file.ephemeral === undefined ? {} : { ephemeral: file.ephemeral }),
    ...(file.checkpointEvery === undefined ? {} : { checkpointEvery: parseCheckpointInterval(file.checkpointEvery, document.place(['checkpointEvery'])) }),
    ...(file.keepCheckpoints === undefined ? {} : { keepCheckpoints: parseKeepRule(file.keepCheckpoints, document.place(['keepCheckpoints'])) }),
    ...(file.engine === undefined ? {} : { engine: file.engine }),
    ...(file.report === undefined ? {} : { report: document.absolute(file.report) }),
    ...(file.exportLayer === undefined ? {} : { exportLayer: document.absolute(file.exportLayer) }),
  };
}

/** `@FILE` in a manifest file is relative to it, too. */
function absoluteArgument(text: string, document: ManifestDocument<ManifestFile>): string {
  return text.startsWith('@') && !text.startsWith('@@') && text.length > 1 ? `@${document.absolute(text.slice(1))}` : text;
}
