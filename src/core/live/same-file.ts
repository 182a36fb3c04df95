/**
 * Whether two looks at the host saw one file, whatever the names. What this does NOT do: tell whether its bytes have changed.
 */
import type { BigIntStats, Stats } from 'node:fs';

type Look = Pick<Stats, 'dev' | 'ino'> | Pick<BigIntStats, 'dev' | 'ino'>;

/** Undefined: nothing was there. */
export function isSameFile(a: Look | undefined, b: Look | undefined): boolean {
  return a?.ino === b?.ino && a?.dev === b?.dev;
}
