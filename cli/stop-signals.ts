/**
 * Ctrl-C, SIGTERM and the end of the terminal (SIGHUP) as a wish: the session stops at its next safe point and can be resumed. A second signal ends at once (the run is then
 * resumable from its last commit, as after a crash). What was started by nohup goes on when its terminal ends: Node forgets that the signal was ignored, and the launcher tells
 * it (rolldown.config.mjs).
 */
import { statusOfSignal } from './signal-names.ts';

export interface StopWish {
  readonly requested: () => string | undefined;
  /** Gives the signals back. */
  readonly end: () => void;
}

const isHangUpIgnored = process.env['STILLPOINT_NOHUP'] === '1';
const SIGNALS: readonly NodeJS.Signals[] = isHangUpIgnored ? ['SIGINT', 'SIGTERM'] : ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** For every command: the end of the terminal does nothing to what was started by nohup. */
export function keepIgnored(): void {
  if (isHangUpIgnored) process.on('SIGHUP', () => {});
}

export function stopOnSignals(): StopWish {
  let wish: string | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (wish !== undefined) process.exit(statusOfSignal(signal));
    wish = signal;
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return { requested: () => wish, end: () => { for (const signal of SIGNALS) process.off(signal, onSignal); } };
}
