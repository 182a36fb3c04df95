/**
 * The progress line of long work: on stderr, only when that is a terminal and nobody types into the guest, at most ten times a second, out of the
 * way of the guest's own output, gone when the work ends.
 */
import { scaled } from './terminal.ts';
import type { Progress } from '../src/index.ts';

const INTERVAL_MS = 100;

/** Erases from the cursor to the end of the screen (ECMA-48, ED). */
const ERASE = '\x1b[J';
/** Lines of details, and those of the terminal that they leave to what was printed. */
const DETAILS_MAX = 40;
const LINES_KEPT = 6;

/** One line that is written over and over, with lines of details below it where the terminal has room for them. */
export class StatusLine {
  readonly #label: string;
  readonly #isShown: boolean;
  readonly #started = Date.now();
  #last = 0;
  #width = 0;
  #hasDetails = false;

  constructor(label: string, isWanted: boolean, isTyping = false) {
    this.#label = label;
    this.#isShown = isWanted && !isTyping && process.stderr.isTTY === true;
  }

  /** Shows where the work is. Cheap when called often; functions are called only when their text is shown. `details`: at most so many lines. */
  readonly update = (text: string | ((seconds: number) => string), details?: (linesMax: number) => readonly string[]): void => {
    const now = Date.now();
    if (!this.#isShown || now - this.#last < INTERVAL_MS) return;
    this.#last = now;
    const seconds = Math.max(0.001, (now - this.#started) / 1000);
    this.#show(`${this.#label}  ${typeof text === 'string' ? text : text(seconds)}  ${seconds.toFixed(1)} s`, details === undefined || process.env['TERM'] === 'dumb' ? [] : details(Math.min(DETAILS_MAX, (process.stderr.rows ?? 0) - LINES_KEPT)));
  };

  /** Takes the line away; the next update shows it again. */
  readonly end = (): void => {
    if (this.#width > 0) process.stderr.write(this.#hasDetails ? `\r${ERASE}` : `\r${' '.repeat(this.#width)}\r`);
    this.#width = 0;
    this.#hasDetails = false;
  };

  /** The cursor stays on the first line. */
  #show(text: string, details: readonly string[]): void {
    const fitting = (line: string): string => line.slice(0, (process.stderr.columns ?? 120) - 1);
    const line = fitting(text);
    const erase = this.#hasDetails ? ERASE : '';
    process.stderr.write(`\r${erase}${line.padEnd(this.#width)}${details.map((detail) => `\n${fitting(detail)}`).join('')}${details.length > 0 ? `\r\x1b[${details.length}A` : ''}`); // CSI n A: n lines up.
    this.#width = line.length;
    this.#hasDetails = details.length > 0;
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
