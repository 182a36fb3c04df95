/**
 * Reads the fields of a foreign canonical object, each once, each of its type; finish() refuses what was not asked for.
 * Invariants: every failure is E_MANIFEST and names the field. What this does NOT do: rules between fields (run-manifest.ts).
 */
import { isBlobHash, StillpointError, type BlobHash, type Canonical } from '../core/index.ts';

/** Items in one list: far beyond what the byte limit of arguments allows, small enough to refuse at once. */
const ITEMS_MAX = 1_000_000;

type Fields = { readonly [key: string]: Canonical | undefined };

/** The fields of an object; none when it is something else. */
export function fieldsOf(value: Canonical): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return {};
  return value as Fields;
}

export class FieldReader {
  readonly #where: string;
  readonly #fields: Fields;
  readonly #left: Set<string>;

  constructor(value: Canonical, where: string) {
    this.#where = where;
    this.#fields = fieldsOf(value);
    this.#left = new Set(Object.keys(this.#fields));
  }

  take(field: string): Canonical {
    const value = Object.hasOwn(this.#fields, field) ? this.#fields[field] : undefined;
    if (value === undefined) throw this.#wrong(field, 'is missing');
    this.#left.delete(field);
    return value;
  }

  constant(field: string, expected: string | number): void {
    const value = this.take(field);
    if (value !== expected) throw this.#wrong(field, `must be ${expected}`);
  }

  has(field: string): boolean {
    return Object.hasOwn(this.#fields, field);
  }

  hash(field: string): BlobHash {
    const value = this.take(field);
    if (!isBlobHash(value)) throw this.#wrong(field, 'must be a SHA-256 in hexadecimal digits');
    return value;
  }

  text(field: string): string {
    const value = this.take(field);
    if (typeof value !== 'string') throw this.#wrong(field, 'must be text');
    return value;
  }

  boolean(field: string): boolean {
    const value = this.take(field);
    if (typeof value !== 'boolean') throw this.#wrong(field, 'must be true or false');
    return value;
  }

  count(field: string): number {
    const value = this.take(field);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw this.#wrong(field, 'must be a whole number');
    return value;
  }

  countOrNull(field: string): number | null {
    return this.#fields[field] === null ? (this.take(field), null) : this.count(field);
  }

  bigint(field: string): bigint {
    const value = this.take(field);
    if (typeof value !== 'bigint') throw this.#wrong(field, 'must be a big integer');
    return value;
  }

  bigintOrNull(field: string): bigint | null {
    return this.#fields[field] === null ? (this.take(field), null) : this.bigint(field);
  }

  choice<Choice extends string>(field: string, choices: readonly Choice[]): Choice {
    const value = this.take(field);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.#wrong(field, `must be one of ${choices.join(', ')}`);
    return found;
  }

  list(field: string, countMax: number = ITEMS_MAX): readonly Canonical[] {
    const value = this.take(field);
    if (!Array.isArray(value)) throw this.#wrong(field, 'must be a list');
    if (value.length > countMax) throw this.#wrong(field, `must have at most ${countMax} items`);
    return value as readonly Canonical[];
  }

  texts(field: string): readonly string[] {
    return this.list(field).map((item) => {
      if (typeof item !== 'string') throw this.#wrong(field, 'must hold text only');
      return item;
    });
  }

  /** Refuses fields that nobody took. */
  finish(): void {
    for (const field of this.#left) throw this.#wrong(field, 'is not known');
  }

  #wrong(field: string, what: string): StillpointError {
    return new StillpointError('E_MANIFEST', `${this.#where}: ${field} ${what}`, { data: { field } });
  }
}
