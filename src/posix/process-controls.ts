/**
 * What prctl and personality switch for a process. A value that never changes in place: it is replaced as a whole.
 * What this does NOT do: send or adopt (orphans.ts), give capabilities (there are none to keep).
 */
import { PROT } from './memory-map.ts';

export interface Controls {
  /** PR_SET_PDEATHSIG: sent when the parent ends; 0: none. */
  readonly deathSignal: number;
  /** PR_SET_CHILD_SUBREAPER: orphans below it become its children. */
  readonly isSubreaper: boolean;
  readonly keepsCapabilities: boolean;
  readonly hasNoNewPrivileges: boolean;
  readonly isDumpable: boolean;
  readonly hasNoHugePages: boolean;
  /** Nanoseconds; without effect. */
  readonly timerSlack: number;
  /** PR_SET_MDWE, with Linux's bits: memory that could be written is never run. */
  readonly refusesCode: number;
  /** What personality(2) was told; without effect, as addresses are never random here. */
  readonly personality: number;
}

export const TIMER_SLACK = 50_000;
export const FRESH_CONTROLS: Controls = { deathSignal: 0, isSubreaper: false, keepsCapabilities: false, hasNoNewPrivileges: false, isDumpable: true, hasNoHugePages: false, timerSlack: TIMER_SLACK, refusesCode: 0, personality: 0 };

/** Bits of `refusesCode`. */
export const REFUSES = { GAINS: 1, NOT_IN_CHILDREN: 2, KNOWN: 3 } as const;

/** Whether PR_SET_MDWE forbids this protection for memory that has had `old`; undefined: it is new. */
export function isCodeRefused({ refusesCode }: Controls, protection: number, old?: number): boolean {
  if ((refusesCode & REFUSES.GAINS) === 0 || (protection & PROT.execute) === 0) return false;
  return (protection & PROT.write) !== 0 || (old !== undefined && (old & PROT.execute) === 0);
}

/** fork(2). */
export function controlsOfChild(parent: Controls): Controls {
  return parent === FRESH_CONTROLS ? parent : { ...parent, deathSignal: 0, isSubreaper: false, refusesCode: inheritedRefusal(parent) };
}

/** execve(2). */
export function controlsOfProgram(own: Controls): Controls {
  return own === FRESH_CONTROLS ? own : { ...own, keepsCapabilities: false, isDumpable: true, refusesCode: inheritedRefusal(own) };
}

function inheritedRefusal({ refusesCode }: Controls): number {
  return (refusesCode & REFUSES.NOT_IN_CHILDREN) === 0 ? refusesCode : 0;
}

/** What differs from a fresh process, for the state; undefined: nothing. */
export function encodeControls(controls: Controls): Partial<Controls> | undefined {
  const changed = (Object.keys(FRESH_CONTROLS) as (keyof Controls)[]).filter((key) => controls[key] !== FRESH_CONTROLS[key]);
  return changed.length === 0 ? undefined : Object.fromEntries(changed.map((key) => [key, controls[key]]));
}
