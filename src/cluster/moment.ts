/**
 * One moment of several stores: every store is held still, read while it is, and let go when all have been read.
 *
 *   store of a   ────╌╌╌╌[ held · read ················ ]────►          the moment: all are held
 *   store of b   ──╌╌[ held · read ·····│·············· ]──────►
 *   store of c   ───────╌╌╌╌╌╌╌╌[ held · read ········ ]───────►
 *                                       └ the last one has answered; nobody was let go before
 *
 * What a node has journaled of another follows from a part of that one's journal that was durable before it was sent. So at any one moment no journal holds what another one does not
 * explain, whichever way the channels lead, also round in circles; journals that are all read while none of them can grow are those of one moment.
 * Invariants: an answer that came after a store went on by itself (its time was over) is never part of the result. What this does NOT do: hold anything, keep time.
 */
import { StillpointError } from '../core/index.ts';

export interface HeldStore<Part> {
  /** Holds the store, for a limited time, and reads it. */
  begin(): Promise<ReadonlyMap<string, Part>>;
  /** Lets go; whether it was held without a gap since begin() answered. */
  end(): Promise<boolean>;
}

/** Holds that came to nothing because one host was slow. */
const ATTEMPTS_MAX = 10;

/** What is in all stores at one moment. Throws what begin() and end() throw, and E_STORE_BUSY when hosts are too slow for each other. */
export async function readAtOneMoment<Part>(stores: readonly HeldStore<Part>[]): Promise<ReadonlyMap<string, Part>> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const held = await Promise.allSettled(stores.map((store) => store.begin()));
    const ended = await Promise.allSettled(stores.map((store) => store.end()));
    for (const answer of [...held, ...ended]) if (answer.status === 'rejected') throw answer.reason;
    const parts = held.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    if (ended.every((answer) => answer.status === 'fulfilled' && answer.value)) return new Map(parts.flatMap((part) => [...part]));
  }
  throw new StillpointError('E_STORE_BUSY', `the stores of the cluster could not be held still together in ${ATTEMPTS_MAX} attempts: a host is very busy or far away; try again`);
}
