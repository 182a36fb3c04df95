/**
 * The way back: objects of a machine that a transaction may change answer `mark()` with an Undo.
 *
 *   mark() ─► changes ─► undo()        the object holds again what it held at mark(), under the same identity
 *                  └───► undo() again  works as often as it is called, until a mark that was made before it is undone
 *
 * Invariants: marks nest; undoing an outer one ends the inner ones; nothing is encoded, and what did not change is not copied where that would
 * be dear (pages, digests).
 * What this does NOT do: know when (posix/marks.ts does).
 */
export type Undo = () => void;

/** Puts a map back to the entries it had, in their order. */
export function markMap<Key, Value>(map: Map<Key, Value>): Undo {
  const keys = [...map.keys()];
  const values = [...map.values()];
  return () => {
    if (isSame(map, keys, values)) return;
    map.clear();
    for (const [index, key] of keys.entries()) map.set(key, values[index] as Value); // There are as many values as keys.
  };
}

/** Looking is cheaper than making it again. */
function isSame<Key, Value>(map: ReadonlyMap<Key, Value>, keys: readonly Key[], values: readonly Value[]): boolean {
  if (map.size !== keys.length) return false;
  let index = 0;
  for (const key of map.keys()) if (key !== keys[index++]) return false;
  index = 0;
  for (const value of map.values()) if (value !== values[index++]) return false;
  return true;
}

/** Puts an array back to the elements it had. */
export function markArray<Element>(array: Element[]): Undo {
  const elements = array.slice();
  return () => {
    if (array.length === elements.length && elements.every((element, index) => array[index] === element)) return;
    array.length = 0;
    for (const element of elements) array.push(element);
  };
}
