/**
 * /proc/PID/cmdline and /proc/PID/environ: the bytes that stand where the program's first stack has its arguments and its environment (boot-stack.ts),
 * read from the memory of the process. A program that writes a title over its arguments (setproctitle) is shown by it, as on Linux.
 * What this does NOT do: PR_SET_MM, which moves these places (EINVAL).
 */
import { AUX } from './boot-stack.ts';
import type { Process } from './process.ts';

const NOTHING = new Uint8Array(0);
/** A title is looked for in as many bytes (Linux get_mm_proctitle: one page). */
const TITLE_BYTES_MAX = 4096;

interface Places { readonly argumentsStart: number; readonly argumentsEnd: number; readonly environmentEnd: number }

/** The strings end where the file name begins, which the auxiliary vector tells. Undefined for a process that has ended. */
function placesOf(process: Process): Places | undefined {
  if (process.isOver || !process.hasImage) return undefined;
  const { image, argv, environment } = process;
  const { auxiliary } = image;
  const view = new DataView(auxiliary.buffer, auxiliary.byteOffset, auxiliary.byteLength);
  for (let at = 0; at < auxiliary.length; at += 16) {
    if (view.getBigUint64(at, true) !== BigInt(AUX.EXECFN)) continue;
    const environmentEnd = Number(view.getBigUint64(at + 8, true));
    const argumentsEnd = environmentEnd - lengthOf(environment);
    return { argumentsStart: argumentsEnd - lengthOf(argv), argumentsEnd, environmentEnd };
  }
  return undefined;
}

function lengthOf(strings: readonly string[]): number {
  return strings.reduce((sum, text) => sum + text.length + 1, 0);
}

function rangeOf(process: Process, start: number, end: number): Uint8Array {
  return process.image.cpu.memory.readable(start, end - start)?.slice() ?? NOTHING;
}

/** Empty for a process that has ended. */
export function argumentBytes(process: Process): Uint8Array {
  const places = placesOf(process);
  if (places === undefined) return NOTHING;
  const { argumentsStart, argumentsEnd, environmentEnd } = places;
  const own = rangeOf(process, argumentsStart, argumentsEnd);
  // Only a title that is longer than the arguments leaves no NUL at their end; it may go on over the environment.
  if (own.length === 0 || own[own.length - 1] === 0) return own;
  const title = rangeOf(process, argumentsStart, Math.min(environmentEnd, argumentsStart + TITLE_BYTES_MAX));
  const end = title.indexOf(0);
  return end < 0 ? title : title.subarray(0, end + 1);
}

/** Empty for a process that has ended. */
export function environmentBytes(process: Process): Uint8Array {
  const places = placesOf(process);
  return places === undefined ? NOTHING : rangeOf(process, places.argumentsEnd, places.environmentEnd);
}
