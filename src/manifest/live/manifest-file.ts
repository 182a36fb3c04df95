/**
 * Manifest files in YAML or JSON (which is YAML too): text → settings, the same as the options of `run` give.
 * Invariants: every complaint is E_MANIFEST, one line, with file, line and field; unknown and repeated keys are complaints.
 * Paths in the file are relative to the file. What this does NOT do: look at the host beyond reading this one file.
 */
import * as fs from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as yaml from 'yaml';
import { StillpointError } from '../../core/index.ts';
import { checkName, parseCheckpointInterval, parseClock, parseCount, parseEntropy, parseSize } from '../parse-values.ts';
import { parseDirectory } from '../parse-options.ts';
import type { ChannelLimits } from '../channel-spec.ts';
import type { ChannelKind, ChannelSetting, HostSettings, LimitSetting, LiveSetting, Place, RunSettings } from '../settings.ts';
import { manifestFileSchema, type ManifestFile } from './manifest-schema.ts';

/** Far beyond any manifest that people write. */
const FILE_BYTES_MAX = 1024 * 1024;
const KINDS: readonly ChannelKind[] = ['in', 'out', 'append', 'rw'];
type Path = readonly (string | number)[];

/** Reads and parses a manifest file. Throws E_MANIFEST. */
export function readManifestFile(path: string): RunSettings {
  let bytes: Uint8Array;
  try {
    bytes = fs.readFileSync(path);
  } catch (cause) {
    const host = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
    if (host === undefined) throw cause;
    throw new StillpointError('E_MANIFEST', `${path}: the file cannot be read (${host})`, { data: { path }, cause });
  }
  if (bytes.length > FILE_BYTES_MAX) throw new StillpointError('E_MANIFEST', `${path}: the file has ${bytes.length} bytes, at most ${FILE_BYTES_MAX} are possible`, { data: { path } });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new StillpointError('E_MANIFEST', `${path}: the file is not UTF-8 text`, { data: { path }, cause });
  }
  return parseManifestText(text, path);
}

/** Parses the text of a manifest file; `path` is for messages and relative files. */
export function parseManifestText(text: string, path: string): RunSettings {
  const document = new ManifestDocument(text, path);
  return toSettings(document.content, document);
}

/** The parsed file with the lines of its fields. */
class ManifestDocument {
  readonly content: ManifestFile;
  readonly #path: string;
  readonly #document: yaml.Document.Parsed;
  readonly #lines = new yaml.LineCounter();

  constructor(text: string, path: string) {
    this.#path = path;
    this.#document = yaml.parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: true, merge: false, schema: 'core' });
    for (const error of this.#document.errors) throw this.#complaint(this.#lines.linePos(error.pos[0]).line, error.message.split('\n')[0]!);
    let value: unknown;
    try {
      value = this.#document.toJS({ maxAliasCount: 100 });
    } catch (cause) {
      throw this.#complaint(1, cause instanceof Error ? cause.message : 'cannot be read');
    }
    const parsed = manifestFileSchema.safeParse(value);
    if (!parsed.success) throw this.#schemaComplaint(parsed.error.issues[0]!, value);
    this.content = parsed.data;
  }

  /** Where a field stands, for complaints of the value parsers. */
  place(field: Path): Place {
    return { code: 'E_MANIFEST', where: `${this.#path}:${this.#lineOf(field)}: ${field.join('.')}` };
  }

  /** A path in the file as an absolute one. */
  absolute(file: string): string {
    return file === '-' ? file : resolve(dirname(this.#path), file);
  }

  #schemaComplaint(issue: SchemaIssue, value: unknown): StillpointError {
    const deepest = deepestIssue(issue, []);
    const field = deepest.unknownKey === undefined ? deepest.path : [...deepest.path, deepest.unknownKey];
    const name = field.length === 0 ? 'the file' : field.join('.');
    const isMissing = field.length > 0 && valueAt(value, field) === undefined;
    const what = deepest.unknownKey !== undefined ? 'is not a known key' : isMissing ? 'is missing' : deepest.message;
    return this.#complaint(this.#lineOf(field), `${name}: ${what}`);
  }

  /** Line of the field, or of the nearest one around it. */
  #lineOf(field: Path): number {
    for (let length = field.length; length > 0; length--) {
      const line = this.#lineOfKey(field.slice(0, length));
      if (line !== undefined) return line;
    }
    return 1;
  }

  #lineOfKey(field: Path): number | undefined {
    const parent: unknown = field.length === 1 ? this.#document.contents : this.#document.getIn(field.slice(0, -1), true);
    const last = field.at(-1);
    let node: unknown;
    if (yaml.isMap(parent)) node = parent.items.find((pair) => yaml.isScalar(pair.key) && String(pair.key.value) === String(last))?.key;
    else if (yaml.isSeq(parent)) node = parent.items[Number(last)];
    const range = yaml.isNode(node) ? node.range : undefined;
    return range === undefined || range === null ? undefined : this.#lines.linePos(range[0]).line;
  }

  #complaint(line: number, what: string): StillpointError {
    return new StillpointError('E_MANIFEST', `${this.#path}:${line}: ${what}`, { data: { path: this.#path, line } });
  }
}

/** What we use of zod's issues. */
interface SchemaIssue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
  readonly errors?: readonly (readonly SchemaIssue[])[];
}

/** In a union the alternative that came furthest says best what is wrong. */
function deepestIssue(issue: SchemaIssue, base: Path): { readonly path: Path; readonly message: string; readonly unknownKey: string | undefined } {
  const path: Path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  const alternatives = (issue.code === 'invalid_union' ? issue.errors ?? [] : []).filter((issues) => issues.length > 0);
  if (alternatives.length === 0) return { path, message: issue.message, unknownKey: issue.code === 'unrecognized_keys' ? issue.keys?.[0] : undefined };
  const best = [...alternatives].sort((a, b) => a.length - b.length || depth(b) - depth(a))[0]!;
  const found = deepestIssue(best[0]!, path);
  if (alternatives.every((issues) => issues.length === 1 && issues[0]!.path.length === 0 && issues[0]!.code === 'invalid_type')) return { ...found, message: 'has the wrong type' };
  return found;
}

function depth(issues: readonly SchemaIssue[]): number {
  return Math.max(...issues.map((issue) => issue.path.length));
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<string | number, unknown>)[key]; // An object of foreign data: any key may be asked for.
  }
  return at;
}

function toSettings(file: ManifestFile, document: ManifestDocument): RunSettings {
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
    ...(file.program === undefined ? {} : { program: document.absolute(file.program), arguments: (file.arguments ?? []).map((text) => absoluteArgument(text, document)) }),
    environment: Object.entries(file.environment ?? {}).map(([name, value]) => ({ name, value })),
    ...(file.workingDirectory === undefined ? {} : { workingDirectory: parseDirectory(file.workingDirectory, document.place(['workingDirectory'])) }),
    ...(file.memory === undefined ? {} : { memoryBytes: parseSize(String(file.memory), document.place(['memory'])) }),
    ...(file.maxInstructions === undefined ? {} : { maxInstructions: parseCount(String(file.maxInstructions), document.place(['maxInstructions'])) }),
    ...(file.clock === undefined ? {} : { clock: parseClock(file.clock, document.place(['clock'])) }),
    ...(file.entropy === undefined ? {} : { entropy: parseEntropy(file.entropy, document.place(['entropy'])) }),
    channels, live, limits,
    host: toHostSettings(file, document),
  };
}

type FileLimits = NonNullable<NonNullable<ManifestFile['stdin']>['limits']>;

function toLimits(limits: FileLimits, path: Path, document: ManifestDocument): Partial<ChannelLimits> {
  const found: Partial<Record<keyof ChannelLimits, number>> = {};
  for (const field of ['gets', 'getBytes', 'puts', 'putBytes'] as const) {
    const value = limits[field];
    if (value === undefined) continue;
    const place = document.place([...path, field]);
    found[field] = field.endsWith('Bytes') ? parseSize(String(value), place) : Number(parseCount(String(value), place));
  }
  return found;
}

function toHostSettings(file: ManifestFile, document: ManifestDocument): HostSettings {
  return {
    ...(file.store === undefined ? {} : { store: document.absolute(file.store) }),
    ...(file.name === undefined ? {} : { name: file.name }),
    ...(file.ephemeral === undefined ? {} : { ephemeral: file.ephemeral }),
    ...(file.checkpointEvery === undefined ? {} : { checkpointEvery: parseCheckpointInterval(file.checkpointEvery, document.place(['checkpointEvery'])) }),
    ...(file.engine === undefined ? {} : { engine: file.engine }),
    ...(file.report === undefined ? {} : { report: document.absolute(file.report) }),
  };
}

/** `@FILE` in a manifest file is relative to it, too. */
function absoluteArgument(text: string, document: ManifestDocument): string {
  return text.startsWith('@') && !text.startsWith('@@') && text.length > 1 ? `@${document.absolute(text.slice(1))}` : text;
}
