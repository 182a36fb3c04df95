/**
 * The process in which an agent answers for its store: what takes long there (a replay, the collection after a removal) must not keep the agent from its nodes.
 *
 *   agent ── open, ask, ask … ──► this process ── answer, declined … ──► agent         over Node's channel between parent and child
 *
 * Invariant: when the agent, or the command that asks, is gone, this process is, too; what it had prepared is in the store. What this does NOT do: the work (desk.ts).
 */
import { StillpointError } from '../../core/index.ts';
import { Desk, type DeskParts } from './desk.ts';
import type { DeskAnswer, DeskFailure, DeskRequest } from './desk-messages.ts';
import { ChildHandle } from './process-handle.ts';

export type ToDesk =
  | { readonly kind: 'open' } & DeskParts
  | { readonly kind: 'ask'; readonly number: number; readonly request: DeskRequest };
export type FromDesk =
  | { readonly kind: 'answer'; readonly number: number; readonly answer: DeskAnswer }
  | { readonly kind: 'declined'; readonly number: number; readonly failure: DeskFailure };

/** The life of such a process. */
export function runDeskProcess(): Promise<void> {
  let desk: Desk | undefined;
  const say = (message: FromDesk): void => { if (process.connected) process.send?.(message, undefined, undefined, () => {}); }; // One that is gone is noticed by 'disconnect'.
  process.on('message', (text) => {
    const message = text as ToDesk; // Only the agent has the other end.
    if (message.kind === 'open') desk = new Desk(message);
    else void answer(desk!, message).then(say); // 'open' comes first.
  });
  // The agent decides what a Ctrl-C of the whole process group means.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  return new Promise(() => { process.on('disconnect', () => { process.exit(0); }); });
}

async function answer(desk: Desk, { number, request }: Extract<ToDesk, { kind: 'ask' }>): Promise<FromDesk> {
  try {
    return { kind: 'answer', number, answer: await desk.answer(request) };
  } catch (error) {
    return { kind: 'declined', number, failure: failureOf(error) };
  }
}

export function failureOf(error: unknown): DeskFailure {
  if (error instanceof StillpointError) return { code: error.code, message: error.message, data: error.data };
  return { code: 'E_INTERNAL', message: error instanceof Error ? error.stack ?? error.message : String(error), data: {} };
}

/** Such a process as the agent holds it. */
export class DeskChild {
  readonly #handle: ChildHandle<ToDesk, FromDesk>;
  readonly #say: (message: FromDesk) => void;
  readonly #open = new Set<number>();

  constructor(entry: readonly string[], parts: DeskParts, say: (message: FromDesk) => void) {
    this.#say = say;
    this.#handle = new ChildHandle<ToDesk, FromDesk>(entry, {
      onMessage: (message) => {
        this.#open.delete(message.number);
        say(message);
      },
      onGone: (how, errors) => { this.#gone(how, errors); },
    });
    this.#handle.tell({ kind: 'open', ...parts });
  }

  ask(number: number, request: DeskRequest): void {
    this.#open.add(number);
    if (this.#handle.isGone) return this.#gone('its end', '');
    this.#handle.tell({ kind: 'ask', number, request });
  }

  close(): void {
    this.#handle.abandon();
  }

  #gone(how: string, errors: string): void {
    for (const number of this.#open) this.#say({ kind: 'declined', number, failure: { code: 'E_CLUSTER_HOST', message: `the process that answers for the store was ended by ${how}: ${errors.trim().split('\n').at(-1) ?? ''}`, data: {} } });
    this.#open.clear();
  }
}
