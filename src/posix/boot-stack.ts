/**
 * The first stack of a program, as Linux builds it (System V ABI, "Process Initialization"):
 *
 *   sp (16-byte aligned)  argc   argv[0..] NULL   envp[0..] NULL   auxv pairs .. AT_NULL   padding
 *   random bytes (16)     argv strings   envp strings   file name of the program   8 zero bytes   top
 *
 * Strings are byte strings; words are 64-bit little-endian. Pure: bytes out, nothing written.
 * What this does NOT do: map the stack (boot.ts).
 */
import { limits } from '../core/index.ts';

/** AT_* numbers. */
export const AUX = {
  NULL: 0, PHDR: 3, PHENT: 4, PHNUM: 5, PAGESZ: 6, BASE: 7, FLAGS: 8, ENTRY: 9, UID: 11, EUID: 12, GID: 13, EGID: 14, HWCAP: 16, CLKTCK: 17,
  SECURE: 23, RANDOM: 25, HWCAP2: 26, EXECFN: 31,
} as const;

export interface StackImage {
  readonly stackPointer: number;
  /** Bytes from stackPointer to the top of the stack. */
  readonly bytes: Uint8Array;
  /** Where the 16 random bytes are. */
  readonly randomAddress: number;
  readonly auxiliary: Uint8Array;
}

/** Linux MAX_ARG_STRLEN: one argument or variable with its NUL. */
const STRING_BYTES_MAX = 131_072;

function totalBytes(strings: readonly string[]): number {
  return strings.reduce((sum, text) => sum + text.length + 1, 0);
}

/** Lays the stack out below `top`; undefined when arguments and environment are too large (E2BIG). */
export function buildStack(parts: {
  readonly top: number; readonly stackBytes: number; readonly argv: readonly string[]; readonly environment: readonly string[];
  readonly fileName: string; readonly random: Uint8Array; readonly auxiliary: readonly (readonly [number, number | bigint])[];
}): StackImage | undefined {
  const { top, argv, environment } = parts;
  const strings = [...argv, ...environment];
  const stringBytes = totalBytes(strings) + parts.fileName.length + 1;
  const bytesMax = Math.min(limits.ARGUMENT_BYTES_MAX, Math.floor(parts.stackBytes / 4));
  if (stringBytes + strings.length * 8 > bytesMax || strings.some((text) => text.length >= STRING_BYTES_MAX)) return undefined;
  const stringsStart = top - 8 - stringBytes;
  const randomAddress = Math.floor((stringsStart - 16) / 16) * 16;
  const auxiliary: (readonly [number, number | bigint])[] = [...parts.auxiliary, [AUX.RANDOM, randomAddress], [AUX.EXECFN, top - 8 - parts.fileName.length - 1], [AUX.NULL, 0]];
  const wordCount = 1 + argv.length + 1 + environment.length + 1 + auxiliary.length * 2;
  const stackPointer = Math.floor((randomAddress - wordCount * 8) / 16) * 16;
  const bytes = new Uint8Array(top - stackPointer);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const word = (value: number | bigint): void => {
    view.setBigUint64(at, BigInt(value), true);
    at += 8;
  };
  let next = stringsStart;
  const string = (text: string): number => {
    const address = next;
    for (let index = 0; index < text.length; index++) bytes[address - stackPointer + index] = text.charCodeAt(index);
    next += text.length + 1;
    return address;
  };
  word(argv.length);
  for (const text of argv) word(string(text));
  word(0);
  for (const text of environment) word(string(text));
  word(0);
  string(parts.fileName);
  const auxiliaryStart = at;
  for (const [type, value] of auxiliary) {
    word(type);
    word(value);
  }
  bytes.set(parts.random, randomAddress - stackPointer);
  return { stackPointer, bytes, randomAddress, auxiliary: bytes.slice(auxiliaryStart, at) };
}
