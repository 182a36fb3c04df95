/**
 * A document in YAML or JSON (which is YAML too) of one of our schemas, with the lines of its fields: run manifests and cluster manifests.
 * Invariants: every complaint is E_MANIFEST, one line, with file, line and field; unknown and repeated keys are complaints.
 * Paths in the file are relative to the file. What this does NOT do: know what the fields mean.
 */
import * as fs from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as yaml from 'yaml';
import { StillpointError } from '../../core/index.ts';
import type { Place } from '../settings.ts';

/** Far beyond any manifest that people write. */
const FILE_BYTES_MAX = 1024 * 1024;
export type Path = readonly (string | number)[];

/** What we use of a zod schema. */
interface Schema<Content> {
  safeParse(value: unknown): { readonly success: true; readonly data: Content } | { readonly success: false; readonly error: { readonly issues: readonly SchemaIssue[] } };
}

/** The text of a manifest file. Throws E_MANIFEST. */
export function readManifestText(path: string): string {
  let bytes: Uint8Array;
  try {
    bytes = fs.readFileSync(path);
  } catch (cause) {
    const host = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
    if (host === undefined) throw cause;
    throw new StillpointError('E_MANIFEST', `${path}: the file cannot be read (${host})`, { data: { path }, cause });
  }
  if (bytes.length > FILE_BYTES_MAX) throw new StillpointError('E_MANIFEST', `${path}: the file has ${bytes.length} bytes, at most ${FILE_BYTES_MAX} are possible`, { data: { path } });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new StillpointError('E_MANIFEST', `${path}: the file is not UTF-8 text`, { data: { path }, cause });
  }
}

/** The parsed file with the lines of its fields. */
export class ManifestDocument<Content> {
  readonly content: Content;
  readonly #path: string;
  readonly #document: yaml.Document.Parsed;
  readonly #lines = new yaml.LineCounter();

  constructor(text: string, path: string, schema: Schema<Content>) {
    this.#path = path;
    this.#document = yaml.parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: true, merge: false, schema: 'core' });
    for (const error of this.#document.errors) throw this.#complaint(this.#lines.linePos(error.pos[0]).line, error.message.split('\n')[0]!);
    let value: unknown;
    try {
      value = this.#document.toJS({ maxAliasCount: 100 });
    } catch (cause) {
      throw this.#complaint(1, cause instanceof Error ? cause.message : 'cannot be read');
    }
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw this.#schemaComplaint(firstToSay(parsed.error.issues), value);
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
    const what = value === null ? 'is empty' : deepest.unknownKey !== undefined ? 'is not a known key' : isMissing ? 'is missing' : deepest.message;
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

/** A key that is not known before one that is missing: most often the one is the other, misspelt. */
function firstToSay(issues: readonly SchemaIssue[]): SchemaIssue {
  return issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!;
}

/** In a union the alternative that came furthest says best what is wrong. */
function deepestIssue(issue: SchemaIssue, base: Path): { readonly path: Path; readonly message: string; readonly unknownKey: string | undefined } {
  const path: Path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  const alternatives = (issue.code === 'invalid_union' ? issue.errors ?? [] : []).filter((issues) => issues.length > 0);
  if (alternatives.length === 0) return { path, message: issue.message, unknownKey: issue.code === 'unrecognized_keys' ? issue.keys?.[0] : undefined };
  const best = [...alternatives].sort((a, b) => a.length - b.length || depth(b) - depth(a))[0]!;
  const found = deepestIssue(firstToSay(best), path);
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
