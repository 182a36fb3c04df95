/**
 * Assertions for programmer errors. Always on; messages are constants because template strings are dear on hot paths.
 * What this does NOT do: report operating errors (errors.ts) or guest faults (data, never thrown).
 */

/** Throws when `condition` is false: a bug in Stillpoint, never bad input. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** The `never` check that closes a switch over a discriminated union. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`);
}
