/**
 * The process that opens a database where nobody knows whether its file system can carry one (lmdb-carrier.ts): it may die of that.
 * What this does NOT do: read or write anything, close what it opened (it ends).
 */
import { writeSync } from 'node:fs';
import { open } from 'lmdb';
import { numericCode } from './lmdb-errors.ts';

/** The host refused a mapping or a lock. */
export type OpenAnswer = 'refused';

/** ENODEV, ENOLCK, ENOSYS, EOPNOTSUPP. */
const REFUSED_BY: ReadonlySet<number> = new Set([19, 37, 38, 95]);
const STANDARD_OUTPUT = 1;
const [, , path = '', mode] = process.argv;

try {
  open({ path, noSubdir: false, overlappingSync: false, readOnly: mode === 'read-only' });
} catch (cause) {
  if (REFUSED_BY.has(numericCode(cause) ?? 0)) writeSync(STANDARD_OUTPUT, 'refused' satisfies OpenAnswer);
}
process.kill(process.pid, 'SIGKILL');
