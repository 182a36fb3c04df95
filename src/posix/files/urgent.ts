/**
 * Urgent data of a stream (MSG_OOB): where its mark lies among the bytes that wait, and the byte behind the mark.
 *
 *   a b c X d e   sent: abc, X as urgent data, de
 *         ^ at    a read ends at the mark; the next one passes X over, or begins with it (SO_OOBINLINE)
 *
 * Invariants: at most one byte is urgent, the last one that was sent as such; one that nobody has fetched when the next comes is an ordinary byte
 * from then on. A byte that was fetched is out of the stream and leaves its mark until a read goes beyond it.
 * Mark, owner (F_SETOWN), and that nobody has been told what came of a connect that did not wait (../socket-io.ts), are kept among a socket's options under names that no program can give: a socket without them is written as ever.
 */
import { optionKey, SO, SOL_SOCKET } from './socket-option-names.ts';

/** The options of a socket. */
type Options = Map<number, number>;

/** Names above those that SOL_SOCKET has. */
export const KEPT = { MARK: optionKey(SOL_SOCKET, 0xffff), OWNER: optionKey(SOL_SOCKET, 0xfffe), CONNECTING: optionKey(SOL_SOCKET, 0xfffd) } as const;

/** `at`: bytes before the mark; `isFetched`: the byte behind it is out. */
export interface UrgentMark { readonly at: number; readonly isFetched: boolean }

export function urgentMark(options: Options): UrgentMark | undefined {
  const kept = options.get(KEPT.MARK);
  return kept === undefined ? undefined : { at: Math.floor(kept / 2), isFetched: kept % 2 === 1 };
}

export function setMark(options: Options, { at, isFetched }: UrgentMark): void {
  if (at < 0) options.delete(KEPT.MARK);
  else options.set(KEPT.MARK, at * 2 + Number(isFetched));
}

export function isInline(options: Options): boolean {
  return options.get(optionKey(SOL_SOCKET, SO.OOBINLINE)) === 1;
}

/** Whether the first byte that waits is urgent, so that a read passes it over. */
export function isUrgentFirst(options: Options): boolean {
  const mark = urgentMark(options);
  return mark !== undefined && mark.at === 0 && !mark.isFetched && !isInline(options);
}

/** How many bytes lie before a mark that a read ends at. */
export function urgentReach(options: Options): number {
  const at = urgentMark(options)?.at ?? 0;
  return at > 0 ? at : Infinity;
}

/** A read has taken bytes. */
export function moveMark(options: Options, taken: number): void {
  const mark = urgentMark(options);
  if (mark !== undefined && taken > 0) setMark(options, { ...mark, at: mark.at - taken });
}

/** Whom SIGURG is for: a process, or a group below zero; 0 is nobody. */
export function ownerOf(options: Options): number {
  return options.get(KEPT.OWNER) ?? 0;
}

export function setOwner(options: Options, owner: number): void {
  if (owner === 0) options.delete(KEPT.OWNER);
  else options.set(KEPT.OWNER, owner);
}
