/**
 * Names and numbers of signals, for remarks and exit statuses. Linux numbers its first 31 signals alike on riscv64 and on every host that Node runs on with it.
 */
import { constants } from 'node:os';

export function signalName(signal: number): string {
  return Object.entries(constants.signals).find(([name, number]) => number === signal && name !== 'SIGIOT')?.[0] ?? 'a real-time signal';
}

/** Exit status of what a signal stopped: 128+n for signal n. */
export function statusOfSignal(name: string | undefined): number {
  return 128 + (constants.signals[name as NodeJS.Signals] ?? constants.signals.SIGINT);
}
