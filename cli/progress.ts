/**
 * The progress line of long work: on stderr, only when that is a terminal and nobody types into the guest, at most ten times a second, out of the
 * way of the guest's own output, gone when the work ends.
 */
import { scaled } from './terminal.ts';
import type { Progress } from '../src/index.ts';

const INTERVAL_MS = 100;

/** One line that is written over and over. */
export class StatusLine {
  readonly #label: string;
  readonly #isShown: boolean;
  readonly #started = Date.now();
  #last = 0;
  #width = 0;

  constructor(label: string, isWanted: boolean, isTyping = false) {
    this.#label = label;
    this.#isShown = isWanted && !isTyping && process.stderr.isTTY === true;
  }

  /** Shows where the work is. Cheap when called often; a function is called only when its text is shown. */
  readonly update = (text: string | ((seconds: number) => string)): void => {
    const now = Date.now();
    if (!this.#isShown || now - this.#last < INTERVAL_MS) return;
    this.#last = now;
    const seconds = Math.max(0.001, (now - this.#started) / 1000);
    this.#show(`${this.#label}  ${typeof text === 'string' ? text : text(seconds)}  ${seconds.toFixed(1)} s`);
  };

  /** Takes the line away; the next update shows it again. */
  readonly end = (): void => {
    if (this.#width > 0) process.stderr.write(`\r${' '.repeat(this.#width)}\r`);
    this.#width = 0;
  };

  #show(text: string): void {
    const line = text.slice(0, (process.stderr.columns ?? 120) - 1);
    process.stderr.write(`\r${line.padEnd(this.#width)}`);
    this.#width = line.length;
  }
}

/** The line of a guest that is being executed. */
export class ProgressLine {
  readonly #line: StatusLine;

  constructor(label: string, isWanted: boolean) {
    this.#line = new StatusLine(label, isWanted, process.stdin.isTTY === true);
  }

  readonly update = (progress: Progress): void => {
    this.#line.update((seconds) => {
      const speed = scaled(Number(progress.instructions - progress.startedAt) / seconds);
      return `${scaled(Number(progress.instructions))} instructions  ${speed}/s  ${progress.checkpoints} checkpoints  in ${scaled(progress.inputBytes)}B  out ${scaled(progress.outputBytes)}B`;
    });
  };

  readonly end = (): void => this.#line.end();
}
