/**
 * What a process does with each signal: the numbers of Linux (asm-generic), default actions, and the table of handlers.
 * What this does NOT do: deliver (signal-delivery.ts).
 */
import { markArray, type Canonical, type Undo } from '../core/index.ts';

export const SIGNAL = {
  HUP: 1, INT: 2, QUIT: 3, ILL: 4, TRAP: 5, ABRT: 6, BUS: 7, FPE: 8, KILL: 9, USR1: 10, SEGV: 11, USR2: 12, PIPE: 13, ALRM: 14, TERM: 15,
  STKFLT: 16, CHLD: 17, CONT: 18, STOP: 19, TSTP: 20, TTIN: 21, TTOU: 22, URG: 23, XCPU: 24, XFSZ: 25, VTALRM: 26, PROF: 27, WINCH: 28,
  IO: 29, PWR: 30, SYS: 31,
} as const;
export const SIGNALS_MAX = 64;

/** sa_flags. */
export const SA = { NOCLDSTOP: 1, NOCLDWAIT: 2, SIGINFO: 4, ONSTACK: 0x0800_0000, RESTART: 0x1000_0000, NODEFER: 0x4000_0000, RESETHAND: 0x8000_0000 } as const;
export const SIG_DFL = 0;
export const SIG_IGN = 1;
/** si_code values. */
export const SI = { USER: 0, KERNEL: 0x80, QUEUE: -1, TIMER: -2, MESGQ: -3, TKILL: -6, SEGV_MAPERR: 1, SEGV_ACCERR: 2, BUS_ADRALN: 1, BUS_ADRERR: 2, ILL_ILLOPC: 1, TRAP_BRKPT: 1 } as const;

export interface SignalAction { readonly handler: number; readonly flags: number; readonly mask: bigint }
const DEFAULT: SignalAction = { handler: SIG_DFL, flags: 0, mask: 0n };

const IGNORED_BY_DEFAULT: ReadonlySet<number> = new Set([SIGNAL.CHLD, SIGNAL.CONT, SIGNAL.URG, SIGNAL.WINCH]);
/** Signals whose default action stops the process. */
export const STOPPING: ReadonlySet<number> = new Set([SIGNAL.STOP, SIGNAL.TSTP, SIGNAL.TTIN, SIGNAL.TTOU]);

/** Bit of a signal in a set. */
export function bitOf(signal: number): bigint {
  return 1n << BigInt(signal - 1);
}

/** Signals that no mask blocks. */
export const UNBLOCKABLE = bitOf(SIGNAL.KILL) | bitOf(SIGNAL.STOP);

export class SignalActions {
  readonly #actions: SignalAction[] = new Array<SignalAction>(SIGNALS_MAX + 1).fill(DEFAULT);

  get(signal: number): SignalAction {
    return this.#actions[signal] ?? DEFAULT;
  }

  set(signal: number, action: SignalAction): void {
    this.#actions[signal] = action;
  }

  reset(signal: number): void {
    this.#actions[signal] = DEFAULT;
  }

  /** Whether a signal sent now would have no effect at all. */
  isIgnored(signal: number): boolean {
    const { handler } = this.get(signal);
    return handler === SIG_IGN || (handler === SIG_DFL && IGNORED_BY_DEFAULT.has(signal));
  }

  /** A copy for a forked child. */
  copyTo(other: SignalActions): void {
    this.#actions.forEach((action, signal) => other.set(signal, action));
  }

  mark(): Undo {
    return markArray(this.#actions);
  }

  encode(): Canonical {
    return this.#actions.flatMap((action, signal) => (action === DEFAULT ? [] : [{ signal, handler: action.handler, flags: action.flags, mask: action.mask }]));
  }

  decode(entries: readonly (SignalAction & { readonly signal: number })[]): void {
    for (const { signal, handler, flags, mask } of entries) this.#actions[signal] = { handler, flags, mask };
  }
}
