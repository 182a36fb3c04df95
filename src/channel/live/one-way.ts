/**
 * What a port answers for the direction that it does not have: a bug in the caller.
 */
import { assert } from '../../core/index.ts';

export function unreadable(): void {
  assert(false, 'an output port is not read');
}

export function unwritable(): void {
  assert(false, 'an input port is not written');
}
