/**
 * Random numbers of the tests: the same ones from the same seed, everywhere (mulberry32).
 * What this does NOT do: choose seeds.
 */
function words(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Whole numbers below what is asked for. */
export function random(seed: number): (below: number) => number {
  const word = words(seed);
  return (below) => word() % below;
}

/** Numbers in [0, 1). */
export function generator(seed: number): () => number {
  const word = words(seed);
  return () => word() / 2 ** 32;
}
