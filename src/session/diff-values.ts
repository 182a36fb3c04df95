/**
 * What differs between two plain values, as paths and texts. Objects are compared by key, lists of things with an id by that id, other lists by place.
 * What this does NOT do: know what a value means (diff-state.ts).
 */
import type { Canonical } from '../core/index.ts';

/** One thing that differs; undefined: it is not there. */
export interface ValueDifference { readonly path: string; readonly first: string | undefined; readonly second: string | undefined }
type Fields = Readonly<Record<string, Canonical>>;

const IDS = ['pid', 'tid', 'id', 'signal', 'name'] as const;
const TEXT_MAX = 100;

export function isFields(value: Canonical | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

export function listOf(value: Canonical | undefined): readonly Canonical[] {
  return Array.isArray(value) ? value as readonly Canonical[] : []; // Array.isArray does not narrow readonly arrays.
}

/** Members by key: of an object its fields, of a list of things with an id those by it. */
export function membersOf(value: Canonical | undefined): ReadonlyMap<string, Canonical> {
  if (isFields(value)) return new Map(Object.entries(value));
  const list = listOf(value);
  const id = IDS.find((candidate) => list.length > 0 && list.every((item) => isFields(item) && Object.hasOwn(item, candidate)));
  return new Map(list.map((item, index) => [id === undefined ? String(index) : textOf((item as Fields)[id]), item])); // All are objects when there is an id.
}

export function* diffValues(path: string, first: Canonical | undefined, second: Canonical | undefined): Generator<ValueDifference> {
  if (isBranch(first) && isBranch(second)) {
    const [mine, theirs] = [membersOf(first), membersOf(second)];
    for (const key of new Set([...mine.keys(), ...theirs.keys()])) yield* diffValues(`${path}.${key}`, mine.get(key), theirs.get(key));
    return;
  }
  const [a, b] = [first === undefined ? undefined : textOf(first), second === undefined ? undefined : textOf(second)];
  if (first instanceof Uint8Array && second instanceof Uint8Array) {
    const at = first.findIndex((byte, index) => byte !== second[index]);
    if (at >= 0 || first.length !== second.length) yield { path: `${path} from byte ${at < 0 ? first.length : at}`, first: a, second: b };
  } else if (a !== b || typeof first !== typeof second) {
    yield { path, first: a, second: b };
  }
}

function isBranch(value: Canonical | undefined): boolean {
  return isFields(value) || Array.isArray(value);
}

export function textOf(value: Canonical | undefined): string {
  if (value === undefined) return '';
  if (value instanceof Uint8Array) return `${value.length} bytes ${Buffer.from(value.subarray(0, 16)).toString('hex')}${value.length > 16 ? '…' : ''}`;
  const text = typeof value === 'string' || typeof value === 'bigint' ? String(value) : JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item instanceof Uint8Array ? `${item.length} bytes` : item));
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}
