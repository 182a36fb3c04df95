/**
 * What a schema has against a document, in our words: which field, what was expected there, what stands there, and a name that is meant where one is misspelt.
 * Invariant: zod's own sentences are only shown for kinds of trouble that our schemas do not make. What this does NOT do: know files and lines (manifest-document.ts).
 */
import * as z from 'zod';

export type Path = readonly (string | number)[];

/** What we use of zod's issues. */
export interface SchemaIssue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
  readonly errors?: readonly (readonly SchemaIssue[])[];
  /** Of a key that is not possible: why. */
  readonly issues?: readonly SchemaIssue[];
  readonly expected?: string;
  readonly values?: readonly unknown[];
  readonly origin?: string;
  readonly minimum?: number | bigint;
  readonly maximum?: number | bigint;
  readonly inclusive?: boolean;
}

/** The part of JSON Schema that ours become. */
interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/** What the types of schemas and of values are called. */
const KINDS: Readonly<Record<string, string>> = { string: 'a text', number: 'a number', int: 'a whole number', bigint: 'a whole number', boolean: 'true or false', array: 'a list', tuple: 'a list', object: 'a map', record: 'a map', null: 'nothing' };
const SHOWN_CHARACTERS_MAX = 40;
/** Letters that may differ between a key and the one that is meant. */
const SLIPS_MAX = 2;

/** The first complaint of a schema: the field, and what is wrong with it. */
export function complaintOf(issues: readonly SchemaIssue[], { value, schema }: { readonly value: unknown; readonly schema: z.ZodType }): { readonly field: Path; readonly what: string } {
  const { path, issue, kinds } = deepestIssue(firstToSay(issues), []);
  const unknownKey = issue.code === 'unrecognized_keys' ? issue.keys?.[0] : undefined;
  const field = unknownKey === undefined ? path : [...path, unknownKey];
  if (value === null) return { field, what: 'is empty' };
  if (unknownKey !== undefined) {
    const keys = keysAt(z.toJSONSchema(schema, { io: 'input' }) as JsonSchema, path);
    return { field, what: keys.includes(unknownKey) ? 'is not possible beside the other keys' : `is not a known key${meantBy(unknownKey, keys)}` };
  }
  const found = valueAt(value, field);
  if (field.length > 0 && found === undefined) return { field, what: 'is missing' };
  return { field, what: kinds.length > 0 ? `must be ${kinds.join(' or ')}, not ${shown(found)}` : wordsOf(issue, found) };
}

function wordsOf(issue: SchemaIssue, found: unknown): string {
  const own = issue.issues?.[0]?.message;
  if (own !== undefined) return own;
  switch (issue.code) {
    case 'invalid_value': return `must be ${issue.values!.length === 1 ? '' : 'one of '}${issue.values!.map(String).join(', ')}, not ${shown(found)}${meantBy(String(found), issue.values!.map(String))}`;
    case 'too_small': return `must ${measure(issue, 'at least', issue.minimum!)}${typeof found === 'number' ? `, not ${shown(found)}` : ''}`;
    case 'too_big': return `must ${measure(issue, 'at most', issue.maximum!)}${typeof found === 'number' ? `, not ${shown(found)}` : ''}`;
    default: return issue.message; // Ours: what a text should look like.
  }
}

function measure({ origin, inclusive }: SchemaIssue, how: string, limit: number | bigint): string {
  if (origin === 'string') return limit === 1 ? 'not be empty' : `have ${how} ${limit} characters`;
  if (origin === 'array') return `have ${how} ${limit} ${limit === 1 ? 'entry' : 'entries'}`;
  return `be ${how === 'at least' && inclusive === false ? 'more than' : how} ${limit}`;
}

/** A value as a person would call it. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text;
}

/** A key that is not known before one that is missing: most often the one is the other, misspelt. */
function firstToSay(issues: readonly SchemaIssue[]): SchemaIssue {
  return issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!;
}

interface Deepest { readonly path: Path; readonly issue: SchemaIssue; /** What would be right, where it is only the kind of the value that is wrong. */ readonly kinds: readonly string[] }

/** In a union the alternative that came furthest says best what is wrong. */
function deepestIssue(issue: SchemaIssue, base: Path): Deepest {
  const path: Path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  const alternatives = (issue.code === 'invalid_union' ? issue.errors ?? [] : []).filter((issues) => issues.length > 0);
  if (alternatives.length === 0) return { path, issue, kinds: issue.code === 'invalid_type' ? [kindOf(issue)] : [] };
  const best = [...alternatives].sort((a, b) => a.length - b.length || depth(b) - depth(a))[0]!;
  if (alternatives.every((issues) => issues.length === 1 && issues[0]!.path.length === 0 && issues[0]!.code === 'invalid_type')) return { path, issue, kinds: [...new Set(alternatives.map(([only]) => kindOf(only!)))] };
  return deepestIssue(firstToSay(best), path);
}

const kindOf = ({ expected }: SchemaIssue): string => KINDS[expected ?? ''] ?? `of type ${expected}`;

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

/** The keys that a schema knows at a place. */
function keysAt(schema: JsonSchema, path: Path): readonly string[] {
  const alternatives = [schema, ...schema.anyOf ?? [], ...schema.oneOf ?? []];
  const [first, ...rest] = path;
  if (first === undefined) return alternatives.flatMap(({ properties = {} }) => Object.keys(properties));
  const below = alternatives.map(({ properties, additionalProperties, items }) => (typeof first === 'number' ? items : properties?.[first] ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined)));
  return below.flatMap((next) => (next === undefined ? [] : keysAt(next, rest)));
}

/** `; did you mean NAME?`, where one of the names is near. */
function meantBy(word: string, names: readonly string[]): string {
  const near = names.map((name) => ({ name, slips: slipsBetween(word.toLowerCase(), name.toLowerCase()) })).sort((a, b) => a.slips - b.slips)[0];
  return near !== undefined && near.name !== word && near.slips <= Math.min(SLIPS_MAX, Math.floor(word.length / 2)) ? `; did you mean ${near.name}?` : '';
}

/** How many letters are to be put in, taken out or changed to make one word of another. */
function slipsBetween(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > SLIPS_MAX) return SLIPS_MAX + 1;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
