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
  const entries = [...map];
  return () => {
    map.clear();
    for (const [key, value] of entries) map.set(key, value);
  };
}

/** Puts an array back to the elements it had. */
export function markArray<Element>(array: Element[]): Undo {
  const elements = array.slice();
  return () => {
    array.length = 0;
    for (const element of elements) array.push(element);
  };
}
