/**
 * Limits of this process (ulimit) that decide what LMDB can do, as /proc tells: read once, for nothing here changes them. What this does NOT do: raise one.
 */
import { readFileSync } from 'node:fs';

const UNLIMITED = 'unlimited';
let told: string | undefined;

/** Bytes; Infinity: unlimited; undefined: there is no /proc to ask. */
export function processLimit(name: 'address space' | 'file size'): number | undefined {
  const value = new RegExp(`^Max ${name} +(\\d+|${UNLIMITED}) `, 'm').exec(told ??= read())?.[1];
  return value === undefined ? undefined : value === UNLIMITED ? Infinity : Number(value);
}

function read(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    return '';
  }
}
