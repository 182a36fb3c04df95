/**
 * Where a guest's instructions go: its call chains at exact instruction counts.
 *
 *   counts:  1009  2018  …  every 1 009 instructions, later every 512th part of all so far, at most every 1 000 003
 *
 * Invariants: when a sample is taken follows from the instruction count alone, and the machine is only looked at: the same run gives the same profile on
 * every host, and a run with a profile is the run without. A sample weighs the instructions since the one before.
 * What this does NOT do: know time; write files (profile-format.ts makes their text).
 */
import type { CodePlace, Guest, Standing } from '../posix/index.ts';
import { Symbols } from './symbols.ts';

/** Primes, so that no loop of a guest keeps step. */
const INTERVAL_MIN = 1009n;
const INTERVAL_MAX = 1_000_003n;
const SAMPLES_A_DOUBLING = 512n;
const CHAIN_MAX = 128;
/** Stacks that are told apart; more than this count as their innermost function. */
const STACKS_MAX = 100_000;
const CHAINED = '\0';

export interface ProfileStack {
  /** Outermost first: the program's name, then functions. */
  readonly frames: readonly string[];
  readonly instructions: number;
}

/** Code of one file in one process image. */
interface KnownCode { readonly start: number; readonly end: number; readonly base: number; readonly name: string; readonly symbols: Symbols | undefined }

export class Profile {
  readonly #stacks = new Map<string, number>();
  readonly #code = new Map<number, KnownCode[]>();
  readonly #symbols = new Map<string, Symbols>();
  #last: bigint | undefined = undefined;
  #next = INTERVAL_MIN;
  samples = 0;

  /** The next count after `retired` at which a sample is due. */
  nextAfter(retired: bigint): bigint {
    this.#last ??= retired;
    while (this.#next <= retired) this.#next += intervalAt(this.#next);
    return this.#next;
  }

  /** Takes the sample that is due now. */
  take(guest: Guest): void {
    const { retired, standing } = guest;
    const weight = Number(retired - (this.#last ?? 0n));
    this.#last = retired;
    if (standing === undefined) return;
    this.samples++;
    const frames = [standing.name, ...this.#framesOf(standing)];
    const key = frames.join(CHAINED);
    const kept = this.#stacks.has(key) || this.#stacks.size < STACKS_MAX ? key : [frames[0], frames.at(-1)].join(CHAINED);
    this.#stacks.set(kept, (this.#stacks.get(kept) ?? 0) + weight);
  }

  /** All stacks, sorted by name. */
  stacks(): ProfileStack[] {
    return [...this.#stacks].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, instructions]) => ({ frames: key.split(CHAINED), instructions }));
  }

  #framesOf(standing: Standing): string[] {
    const { cpu } = standing;
    const { abi } = cpu.isa;
    const chain = abi.callChain(cpu.memory, cpu.state, { max: CHAIN_MAX, functionAt: (address) => this.#codeAt(standing, address)?.symbols?.rangeAt(address) });
    return chain.map((address, index) => this.#nameOf(standing, index === 0 ? address : address - 2)).reverse();
  }

  #nameOf(standing: Standing, address: number): string {
    const code = this.#codeAt(standing, address);
    if (code === undefined) return '[generated code]';
    // Stripped code by the page of its address in the file: where to look, and few names.
    return code.symbols?.nameAt(address) ?? `[${code.name} 0x${(Math.floor((address - code.base) / 4096) * 4096).toString(16)}]`;
  }

  #codeAt(standing: Standing, address: number): KnownCode | undefined {
    let known = this.#code.get(standing.imageId);
    if (known === undefined) this.#code.set(standing.imageId, known = []);
    const found = known.find(({ start, end }) => start <= address && address < end);
    if (found !== undefined) return found;
    const place = standing.placeOf(address);
    if (place === undefined) return undefined;
    const base = place.base ?? baseOf(place);
    const code: KnownCode = { start: place.start, end: place.end, base: base ?? place.start, name: place.name, symbols: base === undefined ? undefined : this.#symbolsOf(place, base) };
    known.push(code);
    return code;
  }

  /** Symbols are read once for a file at a place, however many processes run it. */
  #symbolsOf(place: CodePlace, base: number): Symbols {
    const key = `${place.name} ${place.bytes.length} ${base}`;
    let symbols = this.#symbols.get(key);
    if (symbols === undefined) this.#symbols.set(key, symbols = new Symbols(place.bytes, base));
    return symbols;
  }
}

function intervalAt(count: bigint): bigint {
  const part = count / SAMPLES_A_DOUBLING;
  return part < INTERVAL_MIN ? INTERVAL_MIN : part > INTERVAL_MAX ? INTERVAL_MAX : part;
}

/** Guest address minus file address of a mapped file: the loadable segment that the mapping's first byte belongs to tells. */
function baseOf({ bytes, start, offset }: CodePlace): number | undefined {
  if (offset === undefined || bytes.length < 64) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [headers, size, count] = [Number(view.getBigUint64(32, true)), view.getUint16(54, true), view.getUint16(56, true)];
  if (size < 56 || headers + size * count > bytes.length) return undefined;
  for (let index = 0; index < count; index++) {
    const at = headers + index * size;
    const [from, address, length] = [8, 16, 32].map((field) => Number(view.getBigUint64(at + field, true))) as [number, number, number]; // Three went in.
    if (view.getUint32(at, true) === 1 && Math.floor(from / 4096) * 4096 <= offset && offset < from + length) return start - (offset + address - from);
  }
  return undefined;
}
