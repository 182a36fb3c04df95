/**
 * The settings of a terminal: struct termios2 of the kernel (asm-generic) as bytes, and the names of what a line discipline looks at.
 *
 *   iflag 4  oflag 4  cflag 4  lflag 4  line 1  control characters 19  ispeed 4  ospeed 4      (struct termios ends before the speeds)
 *
 * What this does NOT do: act on them (line-discipline.ts).
 */
export const TERMIOS_BYTES = 36;
export const TERMIOS2_BYTES = 44;
export const WINDOW_BYTES = 8;

export const IFLAG = { PARMRK: 0o10, ISTRIP: 0o40, INLCR: 0o100, IGNCR: 0o200, ICRNL: 0o400, IUCLC: 0o1000, IXON: 0o2000, IXANY: 0o4000, IUTF8: 0o40000 } as const;
export const OFLAG = { OPOST: 1, OLCUC: 2, ONLCR: 4, OCRNL: 0o10, ONOCR: 0o20, ONLRET: 0o40, XTABS: 0o14000 } as const;
export const LFLAG = {
  ISIG: 1, ICANON: 2, ECHO: 0o10, ECHOE: 0o20, ECHOK: 0o40, ECHONL: 0o100, NOFLSH: 0o200, TOSTOP: 0o400, ECHOCTL: 0o1000, ECHOPRT: 0o2000, ECHOKE: 0o4000, IEXTEN: 0o100000,
} as const;
/** Indices of control characters. */
export const CC = { INTR: 0, QUIT: 1, ERASE: 2, KILL: 3, EOF: 4, TIME: 5, MIN: 6, START: 8, STOP: 9, SUSP: 10, EOL: 11, REPRINT: 12, WERASE: 14, LNEXT: 15, EOL2: 16 } as const;
const CC_OFFSET = 17;
const SPEED = 38_400;

/** ICRNL|IXON, OPOST|ONLCR, B38400|CS8|CREAD, the usual local flags and control characters. */
export function defaultSettings(): Uint8Array {
  const view = new DataView(new ArrayBuffer(TERMIOS2_BYTES));
  [0o2400, 0o5, 0o277, 0o105073].forEach((flags, index) => view.setUint32(index * 4, flags, true));
  [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22].forEach((char, index) => view.setUint8(CC_OFFSET + index, char));
  view.setUint32(TERMIOS_BYTES, SPEED, true);
  view.setUint32(TERMIOS_BYTES + 4, SPEED, true);
  return new Uint8Array(view.buffer);
}

/** What the bytes say. */
export class Settings {
  bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  #word(index: number): number {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset).getUint32(index * 4, true);
  }

  hasInput(flag: number): boolean { return (this.#word(0) & flag) !== 0; }
  hasOutput(flag: number): boolean { return (this.#word(1) & flag) === flag; }
  hasLocal(flag: number): boolean { return (this.#word(3) & flag) !== 0; }

  /** CLOCAL: no modem. */
  get isLocal(): boolean { return (this.#word(2) & 0o4000) !== 0; }

  control(index: number): number { return this.bytes[CC_OFFSET + index]!; }

  /** Ctrl-S and Ctrl-Q stop and start output: what packet mode tells of. */
  get hasUsualFlow(): boolean {
    return this.hasInput(IFLAG.IXON) && this.control(CC.STOP) === 19 && this.control(CC.START) === 17;
  }

  /** Whether `char` is a control character that is switched on (0 is off). */
  is(char: number, index: number): boolean {
    return char !== 0 && this.control(index) === char;
  }
}
