/** The engines that `--engine` chooses from; every one gives the same bits, only speed differs. What this does NOT do: make one. */
export const ENGINES = ['translate', 'wasm', 'interpret'] as const;
export type EngineName = (typeof ENGINES)[number];

/** The engine of this name, or undefined. */
export function engineNamed(text: string): EngineName | undefined {
  return ENGINES.find((name) => name === text);
}
