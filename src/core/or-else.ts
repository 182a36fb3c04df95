/**
 * Things that cannot be read and count as something all the same: the answer of an action, or another one where an error of ours ends it.
 * Invariant: only StillpointError is taken for an answer; a programmer's error goes on. What this does NOT do: tell which error it was.
 */
import { StillpointError } from './errors.ts';

export function orElse<Result>(otherwise: Result, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (error instanceof StillpointError) return otherwise;
    throw error;
  }
}

/** Whether an action ends without an error of ours. */
export function endsWell(action: () => unknown): boolean {
  return orElse(false, () => {
    action();
    return true;
  });
}
