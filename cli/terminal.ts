/**
 * How the command line speaks: facts to stdout, progress and diagnostics to stderr, one line an error, JSON on demand.
 * Invariant: a closed stdout (a pipe whose reader left) ends the command quietly with the status of SIGPIPE.
 */
import { closeSync, existsSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { ERROR_TABLE, hostTrouble, isNoSpace, StillpointError } from '../src/index.ts';

/** What `--keys` is for. */
export const KEYS_SAYS = 'of a cluster over several hosts: the key file that their agents have, too';

/** Prints facts, a line or several. */
export function say(lines: string): void {
  process.stdout.write(`${visible(lines)}\n`);
}

/** Prints a remark for the person at the terminal. */
export function note(line: string): void {
  process.stderr.write(`stillpoint: ${oneLine(line)}\n`);
}

/** Control characters as `\\x1b`: file names and arguments hold what they like, and none of it may steer the terminal. Ends of lines stay. */
function visible(text: string): string {
  return text.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** The same for what has to stay on its line. */
export function oneLine(text: string): string {
  return visible(text).replaceAll('\n', '\\n');
}

/** JSON for machines: one document, bigint as decimal text. */
export function toJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item), indent);
}

export function sayJson(value: unknown): void {
  say(toJson(value));
}

/** Whether a report could be written, asked before the work begins. Changes nothing. Throws E_HOST_FILE, E_DISK_FULL. */
export function checkReport(file: string): void {
  const isThere = existsSync(file);
  try {
    closeSync(openSync(file, 'a'));
    if (!isThere) unlinkSync(file);
  } catch (cause) {
    throw hostTrouble(`${file} cannot be written`, cause);
  }
}

/** `--report FILE`. */
export function writeReport(file: string, report: unknown): void {
  writeText(file, `${toJson(report)}\n`);
}

/** A file that was asked for beside the run. Throws E_HOST_FILE, E_DISK_FULL. */
export function writeText(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw hostTrouble(`${file} cannot be written`, cause);
  }
}

/** The one line of a failed command, and its exit status; the same with `--json`. Anything that is no StillpointError is our own bug. */
export function reportError(error: unknown): number {
  const known = error instanceof StillpointError ? error : asInternal(error);
  process.stderr.write(`stillpoint: ${known.code}: ${visible(known.message.replaceAll('\n', ' '))}\n`);
  return known.exitStatus;
}

let outputIsLost = 'standard output cannot be written';

/** What is said when standard output cannot be written from here on: what the command did all the same. */
export function whenOutputIsLost(says: string): void {
  outputIsLost = says;
}

/** Facts that nobody reads any more: end as a program killed by SIGPIPE would. Facts that cannot be written: say so. A guest's standard output has a listener of its own. */
export function endOnTrouble(cause: NodeJS.ErrnoException): void {
  if (process.stdout.listenerCount('error') > 1) return;
  if (cause.code === 'EPIPE') process.exit(128 + 13);
  process.exit(reportError(new StillpointError(isNoSpace(cause) ? 'E_DISK_FULL' : 'E_HOST_FILE', `${outputIsLost}: ${cause.message}`, { cause })));
}

/** What Node says when the host gives it no more address space: for an array, a memory of WebAssembly, a copy of a process. */
const NO_MEMORY = /out of memory|could not allocate memory|allocation failed|ENOMEM/i;

function asInternal(error: unknown): StillpointError {
  if (error instanceof Error && NO_MEMORY.test(error.message)) return new StillpointError('E_HOST_MEMORY', `the host has no memory left for this: ${error.message}`, { cause: error });
  if (error instanceof Error && 'syscall' in error && error.syscall === 'uv_cwd') return new StillpointError('E_HOST_FILE', 'the current directory is not there any more, and paths begin in it; go to another one', { cause: error });
  if (process.env['STILLPOINT_DEBUG'] !== undefined && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
  const what = error instanceof Error ? error.message : String(error);
  return new StillpointError('E_INTERNAL', `${ERROR_TABLE.E_INTERNAL.says}: ${what}; set STILLPOINT_DEBUG=1 for the place and report it`, { cause: error });
}

/** Columns aligned by their widest cell; numbers to the right. A row stays on its line. */
export function table(header: readonly string[], content: readonly (readonly string[])[]): string {
  const rows = content.map((cells) => cells.map(oneLine));
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const isNumeric = header.map((_, column) => rows.length > 0 && rows.every((row) => /^[\d.,+-]*( [kMGT]i?B?)?$/.test(row[column] ?? '')));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) => (isNumeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join('  ').trimEnd();
  return [line(header), ...rows.map(line)].join('\n');
}

const SCALES = [['T', 1e12], ['G', 1e9], ['M', 1e6], ['k', 1e3]] as const;

/** 1234567 → `1.23 M`. */
export function scaled(value: number): string {
  for (const [letter, size] of SCALES) if (value >= size) return `${(value / size).toPrecision(3)} ${letter}`;
  return String(Math.round(value));
}

/** Time ago or date for people, in UTC so that it reads the same everywhere. */
export function when(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('T', ' ').slice(0, 19);
}
