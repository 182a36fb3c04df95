/**
 * What a terminal does to characters on their way (n_tty of Linux): input is edited, echoed and may be a signal; output is post-processed.
 * Invariants: input() takes characters until the terminal is full, unless it is told to take all; output() takes all it is given.
 * What this does NOT do: send signals; it says which (the foreground group gets them). No marks of bytes with errors (there are none).
 */
import { SIGNAL } from '../signal-actions.ts';
import { INPUT_MAX, type Terminal } from './terminal.ts';
import { CC, IFLAG, LFLAG, OFLAG } from './terminal-settings.ts';

const CHAR = { BACKSPACE: 8, TAB: 9, NEWLINE: 10, RETURN: 13, SPACE: 32, SLASH: 47, BACKSLASH: 92, CARET: 94, UNDERSCORE: 95, DELETE: 127 } as const;
const TAB_WIDTH = 8;
const MARK = 0xff;
const ERASE_ONE = [CHAR.BACKSPACE, CHAR.SPACE, CHAR.BACKSPACE] as const;

const isControl = (char: number): boolean => char < CHAR.SPACE || char === CHAR.DELETE;
const isWord = (char: number): boolean => char === CHAR.UNDERSCORE || /[0-9A-Za-z]/.test(String.fromCharCode(char)) || char >= 0x80;
const lowerCase = (char: number): number => (char >= 0x41 && char <= 0x5a ? char + 0x20 : char);
const upperCase = (char: number): number => (char >= 0x61 && char <= 0x7a ? char - 0x20 : char);
const isContinuation = (char: number): boolean => (char & 0xc0) === 0x80;

/** Bytes written on the master side: how many were taken, and the signals that they are, in order. `isWhole`: all are taken, whatever the room. */
export function input(terminal: Terminal, bytes: Uint8Array, isWhole: boolean): { readonly taken: number; readonly signals: readonly number[] } {
  const signals: number[] = [];
  let taken = 0;
  while (taken < bytes.length && (isWhole || terminal.inputRoom > 0)) {
    const signal = receive(terminal, bytes[taken++]!);
    if (signal !== 0) signals.push(signal);
  }
  terminal.flushEmitted();
  terminal.changed();
  return { taken, signals };
}

/** One character; the signal that it is, or 0. */
function receive(terminal: Terminal, given: number): number {
  const { settings } = terminal;
  let char = settings.hasInput(IFLAG.ISTRIP) ? given & 0x7f : given;
  if (settings.hasInput(IFLAG.IUCLC) && settings.hasLocal(LFLAG.IEXTEN)) char = lowerCase(char);
  if (terminal.isLiteral) {
    terminal.isLiteral = false;
    put(terminal, char);
    return 0;
  }
  if (settings.hasInput(IFLAG.IXON)) {
    if (settings.is(char, CC.START) || settings.is(char, CC.STOP)) {
      terminal.setStopped(settings.is(char, CC.STOP));
      return 0;
    }
    if (settings.hasInput(IFLAG.IXANY)) terminal.setStopped(false);
  }
  const signal = settings.hasLocal(LFLAG.ISIG) ? signalOf(terminal, char) : 0;
  if (signal !== 0) {
    interrupt(terminal, char);
    return signal;
  }
  if (char === CHAR.RETURN) {
    if (settings.hasInput(IFLAG.IGNCR)) return 0;
    if (settings.hasInput(IFLAG.ICRNL)) char = CHAR.NEWLINE;
    if (!terminal.isCanonical && char === CHAR.NEWLINE) { // Only such a new line is echoed as one.
      if (settings.hasLocal(LFLAG.ECHO)) post(terminal, char);
      terminal.keep(char);
      return 0;
    }
  } else if (char === CHAR.NEWLINE && settings.hasInput(IFLAG.INLCR)) char = CHAR.RETURN;
  if (!terminal.isCanonical || !edit(terminal, char)) put(terminal, char);
  return 0;
}

function signalOf({ settings }: Terminal, char: number): number {
  if (settings.is(char, CC.INTR)) return SIGNAL.INT;
  if (settings.is(char, CC.QUIT)) return SIGNAL.QUIT;
  return settings.is(char, CC.SUSP) ? SIGNAL.TSTP : 0;
}

function interrupt(terminal: Terminal, char: number): void {
  if (!terminal.settings.hasLocal(LFLAG.NOFLSH)) {
    terminal.flushInput();
    terminal.cutOutput();
  }
  if (terminal.settings.hasInput(IFLAG.IXON)) terminal.setStopped(false);
  if (terminal.settings.hasLocal(LFLAG.ECHO)) echo(terminal, char);
}

/** An ordinary character: echoed and kept. A line that is full takes no more. */
function put(terminal: Terminal, char: number): void {
  if (terminal.isCanonical && terminal.edit.length >= INPUT_MAX) return;
  if (terminal.edit.length === 0) terminal.editColumn = terminal.column;
  if (terminal.settings.hasLocal(LFLAG.ECHO)) {
    endErasing(terminal);
    echo(terminal, char);
  }
  const kept = char === MARK && terminal.settings.hasInput(IFLAG.PARMRK) ? [char, char] : [char];
  if (terminal.isCanonical) terminal.edit.push(...kept);
  else terminal.keep(...kept);
}

/** Characters that mean something with ICANON; false: it is an ordinary one. */
function edit(terminal: Terminal, char: number): boolean {
  const { settings } = terminal;
  const isExtended = settings.hasLocal(LFLAG.IEXTEN);
  if (settings.is(char, CC.ERASE) || settings.is(char, CC.KILL) || (isExtended && settings.is(char, CC.WERASE))) {
    erase(terminal, char);
    return true;
  }
  if (isExtended && settings.is(char, CC.LNEXT)) {
    terminal.isLiteral = true;
    if (settings.hasLocal(LFLAG.ECHO) && settings.hasLocal(LFLAG.ECHOCTL)) for (const one of [CHAR.CARET, CHAR.BACKSPACE]) post(terminal, one);
    return true;
  }
  if (isExtended && settings.hasLocal(LFLAG.ECHO) && settings.is(char, CC.REPRINT)) {
    endErasing(terminal);
    echo(terminal, char);
    post(terminal, CHAR.NEWLINE);
    for (const one of terminal.edit) echo(terminal, one);
    return true;
  }
  if (settings.is(char, CC.EOF)) {
    terminal.endLine();
    return true;
  }
  const isOtherEnd = settings.is(char, CC.EOL) || (isExtended && settings.is(char, CC.EOL2));
  if (char !== CHAR.NEWLINE && !isOtherEnd) return false;
  if (settings.hasLocal(LFLAG.ECHO) || (char === CHAR.NEWLINE && settings.hasLocal(LFLAG.ECHONL))) {
    if (char === CHAR.NEWLINE) post(terminal, char);
    else echo(terminal, char);
  }
  terminal.edit.push(char);
  terminal.endLine();
  return true;
}

/** ERASE takes a character, WERASE a word, KILL the line. */
function erase(terminal: Terminal, char: number): void {
  const { settings } = terminal;
  if (terminal.edit.length === 0) return;
  const isKill = settings.is(char, CC.KILL);
  const isErase = settings.is(char, CC.ERASE);
  const echoes = settings.hasLocal(LFLAG.ECHO);
  if (isKill && !(echoes && settings.hasLocal(LFLAG.ECHOK) && settings.hasLocal(LFLAG.ECHOKE) && settings.hasLocal(LFLAG.ECHOE))) {
    terminal.edit = [];
    if (!echoes) return;
    endErasing(terminal);
    echo(terminal, char);
    if (settings.hasLocal(LFLAG.ECHOK)) post(terminal, CHAR.NEWLINE);
    return;
  }
  let hasWord = false;
  while (terminal.edit.length > 0) {
    const start = lastStart(terminal);
    const first = terminal.edit[start]!;
    if (!isErase && !isKill) {
      if (isWord(first)) hasWord = true;
      else if (hasWord) break;
    }
    const taken = terminal.edit.splice(start);
    if (echoes && settings.hasLocal(LFLAG.ECHOPRT)) showErased(terminal, taken);
    else if (echoes) echoErased(terminal, { first, char, isErase });
    if (isErase) break;
  }
  if (terminal.edit.length === 0 && echoes) endErasing(terminal);
}

/** ECHOPRT: as on paper, what is erased is written once more, backwards, between a backslash and a slash. */
function showErased(terminal: Terminal, [first, ...rest]: readonly number[]): void {
  if (!terminal.isErasing) post(terminal, CHAR.BACKSLASH);
  terminal.isErasing = true;
  echo(terminal, first!);
  for (const char of rest) post(terminal, char);
}

function endErasing(terminal: Terminal): void {
  if (terminal.isErasing) post(terminal, CHAR.SLASH);
  terminal.isErasing = false;
}

/** Where the last character of the line begins: with IUTF8 it may have several bytes. */
function lastStart({ edit: line, settings }: Terminal): number {
  let start = line.length - 1;
  while (settings.hasInput(IFLAG.IUTF8) && start > 0 && isContinuation(line[start]!)) start--;
  return start;
}

function echoErased(terminal: Terminal, erased: { readonly first: number; readonly char: number; readonly isErase: boolean }): void {
  const { settings } = terminal;
  const { first } = erased;
  if (erased.isErase && !settings.hasLocal(LFLAG.ECHOE)) {
    echo(terminal, erased.char);
    return;
  }
  if (first === CHAR.TAB) {
    for (let back = TAB_WIDTH - (columnsOf(terminal) & (TAB_WIDTH - 1)); back > 0; back--) post(terminal, CHAR.BACKSPACE);
    return;
  }
  const isShown = isControl(first) && settings.hasLocal(LFLAG.ECHOCTL);
  if (isShown) for (const one of ERASE_ONE) post(terminal, one);
  if (isShown || !isControl(first)) for (const one of ERASE_ONE) post(terminal, one);
}

/** Column after what is left of the line. */
function columnsOf({ edit: line, editColumn, settings }: Terminal): number {
  let column = editColumn;
  for (const char of line) {
    if (char === CHAR.TAB) column += TAB_WIDTH - (column & (TAB_WIDTH - 1));
    else if (isControl(char)) column += settings.hasLocal(LFLAG.ECHOCTL) ? 2 : 0;
    else if (!settings.hasInput(IFLAG.IUTF8) || !isContinuation(char)) column++;
  }
  return column;
}

function echo(terminal: Terminal, char: number): void {
  if (isControl(char) && char !== CHAR.TAB && terminal.settings.hasLocal(LFLAG.ECHOCTL)) {
    post(terminal, CHAR.CARET);
    post(terminal, char ^ 0x40);
  } else post(terminal, char);
}

/** Bytes written on the slave side. */
export function output(terminal: Terminal, bytes: Uint8Array): void {
  if (terminal.settings.hasOutput(OFLAG.OPOST)) for (const char of bytes) post(terminal, char);
  else terminal.output.push(bytes);
  terminal.flushEmitted();
}

/** One character to the output, post-processed. */
function post(terminal: Terminal, char: number): void {
  const { settings } = terminal;
  const send = (...chars: readonly number[]): void => terminal.emit(...chars);
  if (!settings.hasOutput(OFLAG.OPOST)) return send(char);
  switch (char) {
    case CHAR.NEWLINE:
      if (settings.hasOutput(OFLAG.ONLRET) || settings.hasOutput(OFLAG.ONLCR)) terminal.column = 0;
      return settings.hasOutput(OFLAG.ONLCR) ? send(CHAR.RETURN, char) : send(char);
    case CHAR.RETURN:
      if (settings.hasOutput(OFLAG.ONOCR) && terminal.column === 0) return;
      if (settings.hasOutput(OFLAG.OCRNL)) {
        if (settings.hasOutput(OFLAG.ONLRET)) terminal.column = 0;
        return send(CHAR.NEWLINE);
      }
      terminal.column = 0;
      return send(char);
    case CHAR.TAB: {
      const spaces = TAB_WIDTH - (terminal.column & (TAB_WIDTH - 1));
      terminal.column += spaces;
      return settings.hasOutput(OFLAG.XTABS) ? send(...new Array<number>(spaces).fill(CHAR.SPACE)) : send(char);
    }
    case CHAR.BACKSPACE:
      if (terminal.column > 0) terminal.column--;
      return send(char);
    default:
      if (!isControl(char) && !(settings.hasInput(IFLAG.IUTF8) && isContinuation(char))) terminal.column++;
      return send(settings.hasOutput(OFLAG.OLCUC) ? upperCase(char) : char);
  }
}
