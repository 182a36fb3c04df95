/**
 * A number of things in words, for messages: `1 node`, `2 nodes`, `3 processes`. What this does NOT do: know nouns whose plural is neither -s nor, after an s, -es.
 */

/** `noun`: of one thing. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`;
}
