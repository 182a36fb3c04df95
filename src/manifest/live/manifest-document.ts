/**
 * A document in YAML or JSON (which is YAML too) of one of our schemas, with the lines of its fields: run manifests and cluster manifests.
 * Invariants: every complaint is E_MANIFEST, one line, with file, line and field; unknown and repeated keys are complaints, but keys of the file that begin with
 * x-, where people keep what they merge (<<) elsewhere. Paths in the file are relative to the file. What this does NOT do: know what the fields mean.
 */
import { dirname, resolve } from 'node:path';
import * as yaml from 'yaml';
import type { ZodType } from 'zod';
import { StillpointError } from '../../core/index.ts';
import { printable } from '../parse-values.ts';
import type { Place } from '../settings.ts';
import { complaintOf, type Path, type SchemaIssue } from './schema-words.ts';

export type { Path } from './schema-words.ts';

/** Uses of aliases, counted as often as what they stand for uses others: a few for each of the most nodes that a cluster can have. */
const ALIASES_MAX = 1000;
/** What we say in place of the parser. */
const SAYS: Readonly<Record<string, string>> = { MULTIPLE_DOCS: 'the file holds several documents, there can be one', RESOURCE_EXHAUSTION: 'the file is nested too deep' };

/** The parsed file with the lines of its fields. */
export class ManifestDocument<Content> {
  readonly content: Content;
  readonly #path: string;
  readonly #document: yaml.Document.Parsed;
  readonly #lines = new yaml.LineCounter();
  readonly #targets: Targets;

  constructor(text: string, path: string, schema: ZodType<Content>) {
    this.#path = path;
    this.#document = yaml.parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: true, merge: true, schema: 'core', logLevel: 'error' });
    for (const { code, message, pos } of [...this.#document.errors, ...this.#document.warnings]) throw this.#complaint(this.#lines.linePos(pos[0]).line, SAYS[code] ?? message.split('\n')[0]!);
    this.#targets = targetsOf(this.#document);
    const stray = strayNode(this.#document, this.#targets);
    if (stray !== undefined) throw this.#complaint(this.#lines.linePos(stray.at).line, stray.what);
    const value = withoutExtensions(this.#toPlain());
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      const { field, what } = complaintOf(parsed.error.issues as readonly SchemaIssue[], { value, schema });
      throw this.#complaint(this.#lineOf(field), `${field.length === 0 ? 'the file' : field.join('.')}: ${what}`);
    }
    this.content = parsed.data;
  }

  /** Where a field stands, for complaints of the value parsers. */
  place(field: Path): Place {
    return { code: 'E_MANIFEST', where: printable(`${this.#path}:${this.#lineOf(field)}: ${field.join('.')}`) };
  }

  /** A path in the file as an absolute one. */
  absolute(file: string): string {
    return file === '-' ? file : resolve(dirname(this.#path), file);
  }

  #toPlain(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: ALIASES_MAX });
    } catch (cause) {
      if (cause instanceof RangeError) throw this.#complaint(1, SAYS['RESOURCE_EXHAUSTION']!);
      if (cause instanceof ReferenceError) throw this.#complaint(1, `aliases are used too often (at most ${ALIASES_MAX} times, those inside of others counted each time)`);
      throw cause;
    }
  }

  /** Line of the field, or of the nearest one around it; where it comes from a merge or an alias, the line there. */
  #lineOf(field: Path): number {
    let line = 1;
    let node: unknown = this.#document.contents;
    for (const part of field) {
      const from = resolved(node, this.#targets);
      const pair = yaml.isMap(from) ? pairOf(from, String(part), this.#targets) : undefined;
      const item: unknown = yaml.isSeq(from) ? from.items[Number(part)] : pair?.key;
      const range = yaml.isNode(item) ? item.range : undefined;
      if (range === undefined || range === null) return line;
      line = this.#lines.linePos(range[0]).line;
      node = pair === undefined ? item : pair.value;
    }
    return line;
  }

  #complaint(line: number, what: string): StillpointError {
    return new StillpointError('E_MANIFEST', printable(`${this.#path}:${line}: ${what}`), { data: { path: this.#path, line } });
  }
}

/** What each alias stands for: the last node before it that has its anchor. */
type Targets = ReadonlyMap<yaml.Alias, yaml.Node>;

function targetsOf(document: yaml.Document): Targets {
  const anchors = new Map<string, yaml.Node>();
  const targets = new Map<yaml.Alias, yaml.Node>();
  yaml.visit(document, {
    Value: (_, node) => { if (node.anchor !== undefined) anchors.set(node.anchor, node); },
    Alias: (_, alias) => {
      const target = anchors.get(alias.source);
      if (target !== undefined) targets.set(alias, target);
    },
  });
  return targets;
}

function resolved(node: unknown, targets: Targets): unknown {
  return yaml.isAlias(node) ? targets.get(node) : node;
}

function isKey(key: unknown, name: string): boolean {
  return yaml.isScalar(key) && String(key.value) === name;
}

/** `<<` without quotes: the parser makes a symbol of it. */
function isMerge(key: unknown): key is yaml.Scalar {
  return yaml.isScalar(key) && typeof key.value === 'symbol' && key.value.description === '<<';
}

/** What a merge names: one map, or a list of them. */
function mergedBy({ value }: yaml.Pair, targets: Targets): readonly unknown[] {
  const sources = resolved(value, targets);
  return (yaml.isSeq(sources) ? sources.items : [sources]).map((source) => resolved(source, targets));
}

/** The entry of a key, also one that is merged into the map. */
function pairOf(map: yaml.YAMLMap, name: string, targets: Targets, seen = new Set<unknown>()): yaml.Pair | undefined {
  const own = map.items.find(({ key }) => isKey(key, name));
  if (own !== undefined || seen.has(map)) return own;
  seen.add(map);
  for (const source of map.items.filter(({ key }) => isMerge(key)).flatMap((pair) => mergedBy(pair, targets))) {
    const found = yaml.isMap(source) ? pairOf(source, name, targets, seen) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What the parser lets through and nothing can be made of, and where it stands: an alias of nothing, or of something that it is a part of; a merge of what is no map; a key that JavaScript objects do not keep as one. */
function strayNode(document: yaml.Document.Parsed, targets: Targets): { readonly at: number; readonly what: string } | undefined {
  let stray: { readonly at: number; readonly what: string } | undefined;
  const found = (node: yaml.Node, what: string): symbol => {
    stray = { at: node.range?.[0] ?? 0, what };
    return yaml.visit.BREAK;
  };
  yaml.visit(document, {
    Alias: (_, alias, ancestors) => {
      const target = targets.get(alias);
      if (target === undefined) return found(alias, `there is no &${alias.source} before *${alias.source}`);
      return ancestors.includes(target) ? found(alias, `*${alias.source} is a part of what it stands for`) : undefined;
    },
    Pair: (_, pair) => {
      if (isKey(pair.key, '__proto__')) return found(pair.key as yaml.Scalar, '__proto__ cannot be a key'); // isKey says that it is one.
      const isStranger = yaml.isAlias(pair.value) && !targets.has(pair.value); // It is told when it is visited.
      return !isMerge(pair.key) || isStranger || mergedBy(pair, targets).every((source) => yaml.isMap(source)) ? undefined : found(pair.key, '<<: what is merged is a map, or a list of maps');
    },
  });
  return stray;
}

/** The file without its keys for people's own use. */
function withoutExtensions(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith('x-')));
}
