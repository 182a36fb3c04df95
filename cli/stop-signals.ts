/**
 * Ctrl-C and SIGTERM as a wish: the session stops at its next safe point and can be resumed. A second Ctrl-C ends at once (the run is then
 * resumable from its last commit, as after a crash).
 */
export interface StopWish {
  readonly requested: () => string | undefined;
  /** Gives the signals back. */
  readonly end: () => void;
}

export function stopOnSignals(): StopWish {
  let wish: string | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (wish !== undefined) process.exit(128 + (signal === 'SIGTERM' ? 15 : 2));
    wish = signal;
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    requested: () => wish,
    end: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
